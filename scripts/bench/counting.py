"""Counts what a broker asks of the disk and of the CPU between two moments.

Syncs come from perf's system call tracepoints, which cost nothing and need root. What counts as one: fdatasync, fsync and msync of
any thread; for Holdfast with a direct journal, and for the bare broker, also each pwrite of the committing thread, because its
files are open with O_DIRECT|O_DSYNC and the write is the sync (zero-filling spare segments is another thread's work and not
counted). Where perf cannot do it the count is None, and the report says so.
"""

import os
import pathlib
import signal
import subprocess
import tempfile
import time

from process import track, untrack

SYNCS = ["fdatasync", "fsync", "msync"]
WRITES = ["pwrite64", "pwritev", "pwritev2"]
COMMITTERS = {"holdfast": "store-commit", "holdfast, asleep": "store-commit", "bare": "bare-commit"}  # the threads' names in store/src/store.rs and tests/bench
ATTACH_SECONDS = 5


class Counter:
    """Counts from `start` to `stop`, which gives {"cpu_seconds", "syncs", "sync_calls"}."""

    def __init__(self, running):
        self.running = running

    def start(self):
        self.perfs = [_Perf(["-p", str(self.running.pid)], SYNCS)]
        committer = COMMITTERS.get(self.running.broker)
        if committer and _direct(self.running.pid):
            committers = self.running.threads(committer)
            self.perfs.append(_Perf(["-t", ",".join(map(str, committers))], WRITES) if committers else None)
        self.cpu = self.running.cpu_seconds()
        return self

    def stop(self):
        cpu = self.running.cpu_seconds() - self.cpu
        counts = [perf.stop() if perf else None for perf in self.perfs]
        if any(count is None for count in counts):
            return {"cpu_seconds": cpu, "syncs": None, "sync_calls": None}
        calls = {name: number for count in counts for name, number in count.items() if number}
        return {"cpu_seconds": cpu, "syncs": sum(calls.values()), "sync_calls": calls}


def _direct(pid):
    """Whether any journal segment is open with O_DIRECT."""
    for entry in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        try:
            if "/journal" not in os.readlink(entry):
                continue
            flags = pathlib.Path(f"/proc/{pid}/fdinfo/{entry.name}").read_text().split("flags:")[1].split()[0]
        except (OSError, IndexError):
            continue  # closed meanwhile
        if int(flags, 8) & os.O_DIRECT:
            return True
    return False


class _Perf:
    """One `perf stat`, attached before this returns; `stop` gives counts by system call, or None."""

    def __init__(self, target, calls):
        self.folder = tempfile.TemporaryDirectory(prefix="bench-perf-")
        control, answer = f"{self.folder.name}/control", f"{self.folder.name}/answer"
        self.output = pathlib.Path(self.folder.name) / "counts"
        os.mkfifo(control)
        os.mkfifo(answer)
        events = ",".join(f"syscalls:sys_enter_{call}" for call in calls)
        command = ["perf", "stat", "-x", ";", "-o", str(self.output), "-e", events, "-D", "-1", f"--control=fifo:{control},{answer}", *target]
        try:
            self.child = track(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        except FileNotFoundError:
            self.child = None
            return
        self._enable(control, answer)

    def _enable(self, control, answer):
        """Counting starts only when perf has said that it is attached."""
        reader, writer = os.open(answer, os.O_RDONLY | os.O_NONBLOCK), os.open(control, os.O_RDWR)
        try:
            os.write(writer, b"enable\n")
            deadline = time.monotonic() + ATTACH_SECONDS
            while time.monotonic() < deadline and self.child.poll() is None:
                try:
                    if b"ack" in os.read(reader, 16):
                        return
                except BlockingIOError:
                    pass
                time.sleep(0.002)
            self.child.kill()
        finally:
            os.close(reader)
            os.close(writer)

    def stop(self):
        if self.child is None:
            return None
        self.child.send_signal(signal.SIGINT)
        self.child.wait()
        untrack(self.child)
        try:
            return _parse(self.output.read_text())
        except (OSError, ValueError):
            return None
        finally:
            self.folder.cleanup()


def _parse(text):
    counts = {}
    for line in text.splitlines():
        fields = line.split(";")
        if len(fields) > 2 and "sys_enter_" in fields[2]:
            # "not counted" is said of threads that never ran; "not supported" is a ValueError.
            counts[fields[2].split("sys_enter_")[1]] = 0 if "not counted" in fields[0] else int(fields[0])
    if not counts:
        raise ValueError("perf counted nothing")
    return counts
