"""What machine this is, and whether it is quiet enough to measure on.

Reads /proc only. It changes nothing about the machine for longer than one measurement: no governor, no priorities, no pinning.
"""

import contextlib
import os
import pathlib
import platform
import subprocess
import sys
import time

QUIET_SHARE = 0.08  # of all cores; a broker that idles and a shell stay well below
SAMPLE_SECONDS = 1
PATIENCE_SECONDS = 60
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
LATENCY_DEVICE = "/dev/cpu_dma_latency"


class Busy(Exception):
    """Somebody else uses the machine; the message says who."""


def may_keep_awake():
    return os.access(LATENCY_DEVICE, os.W_OK)


@contextlib.contextmanager
def awake():
    """Meanwhile no processor sleeps, where that may be asked for."""
    if not may_keep_awake():
        yield
        return
    with open(LATENCY_DEVICE, "wb", buffering=0) as device:
        device.write(bytes(4))
        yield


def cores():
    return len(os.sched_getaffinity(0))


def facts(directory):
    """Everything a reader needs to judge the figures."""
    return {
        "cpu": _line("/proc/cpuinfo", "model name"),
        "cores": cores(),
        "memory_gib": round(int(_line("/proc/meminfo", "MemTotal").split()[0]) / 2**20, 1),
        "kernel": platform.release(),
        "system": _line("/etc/os-release", "PRETTY_NAME", "=").strip('"'),
        **_disk(directory),
    }


def _line(path, key, separator=":"):
    for line in pathlib.Path(path).read_text().splitlines():
        name, _, value = line.partition(separator)
        if name.strip() == key:
            return value.strip()
    return "unknown"


def _disk(directory):
    found = subprocess.run(["findmnt", "-no", "SOURCE,FSTYPE,OPTIONS", "-T", str(directory)], capture_output=True, text=True)
    source, kind, options = (found.stdout.split(None, 2) + ["unknown"] * 3)[:3]
    free = os.statvfs(directory)
    return {"disk": source, "file_system": kind, "mount_options": options.strip(), "free_gib": round(free.f_bavail * free.f_frsize / 2**30, 1)}


def free_bytes(directory):
    state = os.statvfs(directory)
    return state.f_bavail * state.f_frsize


def wait_until_quiet(patience=PATIENCE_SECONDS):
    """Returns the busy share once it is small; raises Busy when it stays large."""
    deadline = time.monotonic() + patience
    while True:
        share, users = _sample(SAMPLE_SECONDS)
        if share < QUIET_SHARE:
            return share
        if time.monotonic() > deadline:
            raise Busy(f"the machine is {share:.0%} busy, more than {QUIET_SHARE:.0%}, for {patience:.0f} s: {', '.join(users) or 'no process stands out'}")
        print(f"  busy ({share:.0%}: {', '.join(users[:3])}), waiting", file=sys.stderr)


def _sample(seconds):
    """Share of all cores that was busy, and the processes that used most of it."""
    (busy, total), processes = _cpu_times(), _process_ticks()
    time.sleep(seconds)
    (busy_after, total_after), processes_after = _cpu_times(), _process_ticks()
    used = [(ticks - processes.get(pid, (0, ""))[0], pid, name) for pid, (ticks, name) in processes_after.items()]
    top = sorted((entry for entry in used if entry[0] > 0 and entry[1] != os.getpid()), reverse=True)[:5]
    users = [f"{name} ({pid}) {ticks / TICKS_PER_SECOND / seconds:.0%} of a core" for ticks, pid, name in top]
    return (busy_after - busy) / max(1, total_after - total), users


def cpu_ticks():
    """Of all processors together, since the system started: user, nice, system, idle, iowait, irq, softirq, steal. The rest counts guests, again."""
    return parse_ticks(pathlib.Path("/proc/stat").read_text())


def parse_ticks(stat):
    return [int(field) for field in stat.split("\n", 1)[0].split()[1:9]]


def _cpu_times():
    fields = cpu_ticks()
    idle = fields[3] + fields[4]  # idle, iowait
    return sum(fields) - idle, sum(fields)


def _process_ticks():
    found = {}
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            name, rest = path.read_text().split("(", 1)[1].rsplit(")", 1)
        except OSError:
            continue  # it ended meanwhile
        fields = rest.split()
        found[int(path.parent.name)] = (int(fields[11]) + int(fields[12]), name)
    return found
