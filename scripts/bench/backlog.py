"""Big backlogs: memory with everything queued, starts after kill -9 with a warm and a cold page cache, and draining.

The large backlog (Holdfast only, about 11 GB) is filled once and started again in every round; the small one (600,000) is filled anew
for each broker and round. Cold means that the page cache was dropped, which needs root; otherwise the cold rows are missing.
"""

import os
import pathlib

import clients
import machine
import runner
from counting import Counter

from progress import Progress

LARGE, SMALL, DRAINED = 10_000_000, 600_000, 600_000
BYTES_PER_MESSAGE = 1300  # on disk, with room for what compaction may still hold
FILL_PER_SECOND, SMALL_SECONDS = 60_000, {"holdfast": 30, "activemq": 150}
# Pipelined for the large backlog; in transactions, which all brokers are quick at, for the one that is compared.
PIPELINED, TRANSACTED = {"window": 256}, {"transaction": 200}


def run_group(bench, group):
    large, small = (20_000, 2_000) if bench.quick else (LARGE, SMALL)
    peers = bench.among(("holdfast", "activemq"))
    progress = Progress([("backlog: filling", large / FILL_PER_SECOND), *[("backlog: large", 60)] * bench.rounds]
                        + [(f"backlog: small, {broker.name}", SMALL_SECONDS[broker.name]) for broker in peers] * bench.rounds)
    for broker in bench.among(("holdfast",)):
        _large(bench, group, broker, large, progress)
    for number in range(1, bench.rounds + 1):
        for broker in peers:
            progress.step(f"backlog: small, {broker.name}")
            bench.quiet()
            with bench.fresh() as directory:
                _guarded(bench, group, f"{SMALL:,} queued", broker, number, lambda: _small(bench, group, broker, small, directory, number))
    progress.finish()


def estimate(bench, _group):
    return 10 if bench.quick else LARGE / FILL_PER_SECOND + bench.rounds * (60 + sum(SMALL_SECONDS.values()))


def _guarded(bench, group, row, broker, number, work):
    try:
        work()
    except runner.ERRORS as error:
        bench.failed(group, row, broker.name, number, error)


def _large(bench, group, broker, messages, progress):
    row = f"{LARGE:,} queued"
    needed = messages * BYTES_PER_MESSAGE * 2
    with bench.fresh() as directory:
        if machine.free_bytes(directory) < needed:
            bench.failed(group, row, broker.name, 1, f"needs {needed >> 30} GiB free, there are {machine.free_bytes(directory) >> 30}")
            return
        progress.step("backlog: filling")
        bench.quiet()
        _guarded(bench, group, row, broker, 1, lambda: _fill(bench, group, row, broker, messages, PIPELINED, directory, 1))
        for number in range(1, bench.rounds + 1):
            progress.step("backlog: large")
            bench.quiet()
            _guarded(bench, group, row, broker, number,
                     lambda: _restarts(bench, group, row, broker, min(DRAINED, messages // 20), directory, number))


def _small(bench, group, broker, messages, directory, number):
    row = f"{SMALL:,} queued"
    _fill(bench, group, row, broker, messages, TRANSACTED, directory, number)
    _restarts(bench, group, row, broker, messages, directory, number)


def _fill(bench, group, row, broker, messages, how, directory, number):
    running = broker.start(directory)
    try:
        load = {"producers": 4, "consumers": 0, "messages": messages, "size": 1024, "warmup": "0s", **how}
        filled = clients.own(bench.binary, running.url, load, Counter(running))
        bench.record(group, row, broker.name, number, runner.values(filled, running.memory_kib()) | {"disk_mib": _size_mib(directory)})
    finally:
        running.kill()  # -9: what comes next is a start after a crash


def _restarts(bench, group, row, broker, drained, directory, number):
    for temperature in ("warm", "cold"):
        if temperature == "cold" and not _drop_caches():
            return
        running = broker.start(directory)
        try:
            values = {"ready_ms": running.ready_ms}
            if temperature == "cold":
                drain = clients.own(bench.binary, running.url, {"producers": 0, "consumers": 1, "messages": drained, "warmup": "0s"}, Counter(running))
                values |= {**runner.values(drain, running.memory_kib()), "first_message_ms": drain["said"]["first_message_ms"]}
            bench.record(group, f"{row}: {temperature} start after kill -9", broker.name, number, values)
        finally:
            running.kill()


def _drop_caches():
    try:
        os.sync()
        pathlib.Path("/proc/sys/vm/drop_caches").write_text("3")
        return True
    except OSError:
        return False


def _size_mib(directory):
    return sum(path.stat().st_blocks * 512 for path in pathlib.Path(directory).rglob("*") if path.is_file()) / 2**20
