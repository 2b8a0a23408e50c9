"""What the disk does to anybody in the very seconds of a run: a program of its own that makes a few small writes durable beside the load.

Before all others on its processor (SCHED_FIFO, which needs root), so that only the disk, or a machine that stands still, makes it late. It shows
when the disk was slow, not who made it so: the broker's own reads and writes are on the same disk, so it is no floor.
"""

import contextlib
import mmap
import os
import pathlib
import signal
import sys
import time

from disk import BLOCK
from process import Failed, Process
from standstill import latency_us

STEP = 0.01
FILE_BYTES = 1 << 20
STALL = 0.002  # shorter ones are too many to keep
LIMIT_SECONDS = 3600


class Meter:
    """Writes from its start until its end."""

    def __init__(self, directory):
        self.note = pathlib.Path(directory) / "witness"
        self.program = Process([sys.executable, __file__, f"{self.note}.dat"], self.note)
        with contextlib.suppress(Failed):  # `end` says so
            self.program.wait_for("^ready")

    def end(self):
        """Each write: when it began (seconds since 1970), and how many seconds it took; None where it could not go before all others."""
        failed = self.program.child.poll() is not None
        self.program.end()
        lines = self.note.read_text().splitlines()[1:]
        return None if failed or not lines else [tuple(map(float, line.split())) for line in lines]


def stalls_us(writes, seconds, share):
    """What that share of messages, due evenly over the time, would take if those due in a stall waited for its end and nothing else."""
    return latency_us([(began, took) for began, took in writes if took >= STALL], seconds, share)


def could_send(writes, second, producers):
    """Messages that so many producers, each waiting for a durable write, could send in the second that began then, were nothing else to be
    waited for: between two writes of the witness it would have been as quick as in the first of them. None without a write in it."""
    count, seen = 0, False
    for (began, took), (until, _) in zip(writes, writes[1:]):
        share = min(until, second + 1) - max(began, second)
        if share > 0:
            count, seen = count + producers * share / took, True
    return count if seen else None


def write(path):
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(50))
    pathlib.Path(path).write_bytes(bytes(FILE_BYTES))
    writes, offset = [], 0
    file = os.open(path, os.O_WRONLY | os.O_DIRECT | os.O_DSYNC)
    os.fsync(file)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    print("ready", flush=True)
    try:
        with mmap.mmap(-1, BLOCK) as block:
            for _ in range(int(LIMIT_SECONDS / STEP)):
                time.sleep(STEP)
                wall, began = time.time(), time.monotonic()
                os.pwrite(file, block, offset)
                writes.append((wall, time.monotonic() - began))
                offset = (offset + BLOCK) % FILE_BYTES
    finally:
        print("\n".join(f"{wall:.4f} {took:.6f}" for wall, took in writes), flush=True)


if __name__ == "__main__":
    write(sys.argv[1])
