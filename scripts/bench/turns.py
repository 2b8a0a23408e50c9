"""Two brokers in turn, a minute each, under the same load: the hours of a shared host differ by more than two brokers do.

Each is one process with one directory for all of its turns, so that whatever it does about its journal goes on from one to the next; while the
other has its turn it has no load. Who begins changes. After each pair the raw disk has its turn. Recorded is one run of each: the
percentiles of all its turns together, and the p99.99 of each of them with the share of the processors that the host took away meanwhile. It
judges nothing.
"""

import contextlib

import disk
import runner
import standstill
import stolen
from summary import median, percentile, percentile_of_counts

ROW = "70 % load, in turn"
TURNS, SECONDS, DISK_SECONDS = 5, 60, 15
OVERHEAD_SECONDS = 8  # of a turn: warm-up, and the wait until the machine is quiet
SHARES = {f"p{share:g}": share for share in (50, 90, 99, 99.9, 99.99)}
DISK_WRITES = 1_000  # a second, fewer than any broker makes at this load


def estimate(bench):
    turns, seconds, disk_seconds = _plan(bench)
    return turns * (2 * (seconds + OVERHEAD_SECONDS) + disk_seconds)


def measure(bench, group, contenders, bytes_per_second):
    """Contenders are (broker, send): `send(running, seconds)` loads it for so long and gives what the load generator said."""
    turns, seconds, disk_seconds = _plan(bench)
    late = []
    with contextlib.ExitStack() as stack:
        sides = [_Side(bench, stack, broker, send) for broker, send in contenders]
        for number in range(turns):
            for side in sides if number % 2 == 0 else reversed(sides):
                side.take(seconds)
            bench.quiet()
            with bench.fresh() as directory:
                late += disk.paced(directory, DISK_WRITES, bytes_per_second // DISK_WRITES, disk_seconds)
        for side in sides:
            side.record(group)
    bench.record(group, ROW, "raw disk", 1, {"per_second": DISK_WRITES, "latency_us": {name: round(percentile(late, share), 1) for name, share in SHARES.items()}})


def together(results):
    """Several runs of the load generator as if they were one."""
    counts = [pair for result in results for pair in result["said"]["send_latency_counts"]]
    keys = ("messages", "seconds", "client_cpu_seconds", "cpu_seconds", "syncs")
    sums = {key: sum(result[key] for result in results) for key in keys if all(result.get(key) is not None for result in results)}
    return {**sums, "per_second": median([result["per_second"] for result in results]),
            "latency_us": {name: percentile_of_counts(counts, share) for name, share in SHARES.items()}}


class _Side:
    """One of the brokers, and what came of its turns."""

    def __init__(self, bench, stack, broker, send):
        self.bench, self.send = bench, send
        self.running = stack.enter_context(bench.serving(broker, stack.enter_context(bench.fresh())))
        self.results, self.stolen, self.stood, self.watched = [], [], [], 0

    def take(self, seconds):
        self.bench.quiet()
        with self.bench.fresh() as directory:
            meter, host = standstill.Meter(directory), stolen.Meter()
            try:
                self.results.append(self.send(self.running, seconds))
            finally:
                stood, watched = meter.end()
                self.stolen.append(round(stolen.share(host.end()), 4))
        self.watched += watched
        self.stood = None if stood is None or self.stood is None else self.stood + stood

    def record(self, group):
        name = self.running.broker
        turns = [round(result["latency_us"]["p99.99"], 1) for result in self.results]
        values = runner.values(together(self.results), self.running.memory_kib())
        self.bench.record(group, ROW, name, 1, {**values, "turns_us": turns, "turns_stolen": self.stolen})
        if self.stood is not None:
            late = {"p99.99": round(standstill.latency_us(self.stood, self.watched, 0.9999), 1)}
            beside = "standstill" if name == "holdfast" else f"standstill, {name}"
            self.bench.record(group, ROW, beside, 1, {"latency_us": late})


def _plan(bench):
    return (2, 2, 1) if bench.quick else (TURNS, SECONDS, DISK_SECONDS)
