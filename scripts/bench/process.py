"""One process that we started: its output in a file, its CPU and memory from /proc, and its end, whatever happens.

Every process lives in a registry until it is stopped; `stop_all` runs on every way out of the program. Processes are ended by
their own pid, never by name.
"""

import atexit
import os
import pathlib
import re
import resource
import signal
import subprocess
import sys
import time

_running = set()


class Failed(Exception):
    """A process did not do what it was started for."""


class Process:
    def __init__(self, command, log, environment=None, own_group=False):
        self.log = pathlib.Path(log)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        # A broker that is started again writes on; only what this process says counts.
        self.log_start = self.log.stat().st_size if self.log.exists() else 0
        with open(self.log, "ab") as output:
            self.started = time.monotonic()
            self.child = subprocess.Popen(command, stdout=output, stderr=output, stdin=subprocess.DEVNULL,
                                          env={**os.environ, **(environment or {})}, preexec_fn=many_files, start_new_session=own_group)
        _running.add(self)

    @property
    def pid(self):
        return self.child.pid

    def said(self):
        """What it wrote since its start."""
        with open(self.log, "rb") as log:
            log.seek(self.log_start)
            return log.read().decode(errors="replace")

    def wait_for(self, pattern, seconds=60):
        """Milliseconds since the start when its log shows the pattern; raises when it does not."""
        wanted = re.compile(pattern)
        while time.monotonic() - self.started < seconds:
            if wanted.search(self.said()):
                return (time.monotonic() - self.started) * 1e3
            if self.child.poll() is not None:
                raise Failed(f"{self.child.args[0]} ended with {self.child.returncode}: {self.tail()}")
            time.sleep(0.001)
        raise Failed(f"no '{pattern}' from {self.child.args[0]} within {seconds} s: {self.tail()}")

    def tail(self):
        return self.said()[-600:].strip()

    def cpu_seconds(self):
        """User and system time of all threads, the ended ones too."""
        fields = pathlib.Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory_kib(self):
        """Resident now, and at its highest."""
        status = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        now, most = (int(re.search(rf"{key}:\s+(\d+)", status)[1]) for key in ("VmRSS", "VmHWM"))
        return {"rss_kib": now, "hwm_kib": most}

    def threads(self, name):
        """Thread ids of the threads with this name."""
        return [int(path.parent.name) for path in pathlib.Path(f"/proc/{self.pid}/task").glob("*/comm") if path.read_text().strip() == name]

    def kill(self):
        self.end(signal.SIGKILL)

    def end(self, number=signal.SIGTERM, seconds=20):
        """Sends the signal, and SIGKILL when that does not help in time; the process is gone when this returns."""
        if self.child.poll() is None:
            self.child.send_signal(number)
            try:
                self.child.wait(seconds)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()
        _running.discard(self)


class Group(Process):
    """A script and whatever it starts, in a process group of their own, so that they end together."""

    def __init__(self, command, log, environment=None):
        super().__init__(command, log, environment, own_group=True)

    def kill(self):
        try:
            os.killpg(self.pid, signal.SIGKILL)  # the group outlives its first process if anything else is left in it
        except ProcessLookupError:
            pass
        super().kill()


def many_files():
    """Thousands of connections need thousands of descriptors."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def track(child):
    """Puts a plain subprocess under the same care."""
    _running.add(child)
    return child


def untrack(child):
    _running.discard(child)


def stop_all():
    for one in list(_running):
        try:
            one.kill()
        except OSError as error:
            print(f"could not end a process: {error}", file=sys.stderr)
        _running.discard(one)


def _leave(number, _frame):
    sys.exit(128 + number)  # runs the finally blocks and `stop_all`


def guard():
    """Ends everything on every way out that leaves us a chance."""
    atexit.register(stop_all)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _leave)
