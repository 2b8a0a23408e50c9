"""Times in which every processor of this machine stood still: a host that lends its processors elsewhere, mostly.

One process per processor, bound to it and before all others (SCHED_FIFO, which needs root), sleeps two milliseconds again
and again. When all of them woke late together, no other process was let in either, at most the kernel finished something: whoever
sent a message then waited at least until the end. It costs whichever broker is measured a little.
"""

import os
import pathlib
import sys
import time

from process import Process

STEP = 0.002
LATE = 0.002  # what a sleeping process may be late without anything being wrong


class Meter:
    """Watches from its start until its end."""

    def __init__(self, directory):
        self.cores = sorted(os.sched_getaffinity(0))
        self.notes = [pathlib.Path(directory) / f"standstill.{core}" for core in self.cores]
        self.watches = [Process([sys.executable, __file__, str(core)], note) for core, note in zip(self.cores, self.notes)]
        self.began = time.monotonic()

    def end(self):
        """The standstills, each (when it began, how long), and the time watched, in seconds; None for standstills where the
        system does not let a process go before all others."""
        watched = time.monotonic() - self.began
        failed = any(watch.child.poll() is not None for watch in self.watches)
        for watch in self.watches:
            watch.end()
        if failed:
            return None, watched
        gaps = [[tuple(map(float, line.split())) for line in note.read_text().splitlines()] for note in self.notes]
        return [(start - self.began, end - start) for start, end in together(gaps)], watched


def together(gaps):
    """What is common to the gaps of all processors: each a sorted list of (from, to)."""
    common = gaps[0]
    for others in gaps[1:]:
        overlaps = ((max(start, begin), min(end, stop)) for start, end in common for begin, stop in others)
        common = [(start, end) for start, end in overlaps if start < end]
    return common


def latency_us(standstills, seconds, share):
    """At best so many microseconds for that share of messages that are due evenly over the time: those due in a standstill
    wait for its end."""
    lengths = sorted((length for _, length in standstills), reverse=True)
    allowed = (1 - share) * seconds
    for number, length in enumerate(lengths, 1):
        shortest = lengths[number] if number < len(lengths) else 0
        if sum(lengths[:number]) - number * shortest >= allowed:
            return (sum(lengths[:number]) - allowed) / number * 1e6
    return 0


def watch(core):
    os.sched_setaffinity(0, {core})
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(50))
    last = time.monotonic()
    while True:
        time.sleep(STEP)
        now = time.monotonic()
        if now - last > STEP + LATE:
            print(f"{last + STEP:.6f} {now:.6f}", flush=True)
        last = now


if __name__ == "__main__":
    watch(int(sys.argv[1]))
