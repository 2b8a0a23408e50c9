"""Runs the rows of a group: rounds outside, rows inside, brokers in turn innermost (A B C A B C ...).

Each run has a broker process and a directory of its own. Beside each row of each round the raw disk is measured, so that a
figure can be held against the floor of the same minute. A run that fails is recorded as failed and the others go on.
"""

import json

import clients
import disk
import machine
import workloads
from bench import BARE
from brokers import Asleep, AwakeActiveMq, Bare, Echo, Holdfast
from counting import Counter
from machine import Busy
from process import Failed
from progress import Progress

FLOOR_SECONDS = 1
GUESS_SECONDS = 24
ERRORS = (Failed, OSError, json.JSONDecodeError, KeyError)


def run_group(bench, group):
    rows = _rows(bench, group)
    progress = Progress([step for _ in range(bench.rounds) for row in rows for step in _steps(bench, row)])
    for number in range(1, bench.rounds + 1):
        for row in rows:
            progress.step(f"{group}: {row.name}: disk floor")
            _measure_floor(bench, row, number)
            for broker in _brokers(bench, row):
                progress.step(f"{group}: {row.name}: {broker.name}")
                _run(bench, row, broker, number)
    progress.finish()


def _rows(bench, group):
    return [row for row in workloads.rows_of(group, bench.quick) if not bench.rows or row.name in bench.rows]


def _brokers(bench, row):
    slow = row.sync_delay_us > 0
    brokers = [Holdfast(bench.binary, ["--sync-delay", f"{row.sync_delay_us}us"])] if slow else bench.among(row.brokers)
    bare = [Bare(BARE, row.sync_delay_us, stocks=row.client == "stock")] if row.bare else []
    return [*brokers, *_sleepers(bench, row, brokers), *bare, *([Echo(BARE)] if row.echo else [])]


def _sleepers(bench, row, brokers):
    if not row.sleepers or not machine.may_keep_awake():
        return []
    beside = {"holdfast": Asleep(bench.binary), "activemq": AwakeActiveMq()}
    return [beside[broker.name] for broker in brokers if broker.name in beside]


def _steps(bench, row):
    yield f"{row.group}: {row.name}: disk floor", 3 * FLOOR_SECONDS
    for broker in _brokers(bench, row):
        yield f"{row.group}: {row.name}: {broker.name}", 4 if bench.quick else row.guess.get(broker.name, GUESS_SECONDS)


def estimate(bench, group):
    return bench.rounds * sum(seconds for row in _rows(bench, group) for _, seconds in _steps(bench, row))


def _measure_floor(bench, row, number):
    bench.quiet()
    with bench.fresh() as directory:
        floors = disk.floors(directory, 1 if bench.quick else FLOOR_SECONDS)
    bench.record(row.group, row.name, "disk", number, floors)


def _run(bench, row, broker, number):
    bench.quiet()
    try:
        with bench.fresh() as directory, bench.serving(broker, directory) as running:
            result = _drive(bench, row, running)
            memory = running.memory_kib()
    except Busy:
        raise
    except ERRORS as error:
        bench.failed(row.group, row.name, broker.name, number, error)
        return
    bench.record(row.group, row.name, broker.name, number, values(result, memory))


def _drive(bench, row, running):
    counter = Counter(running)
    if row.client == "stock":
        return clients.stock(running.url, row.verb, row.options, counter)
    if row.fill:
        clients.own(bench.binary, running.url, row.fill)
    return clients.own(bench.binary, running.url, row.options, counter, row.judged)


def values(result, memory):
    """What is kept of a run: everything per message, and the counts it came from."""
    messages = result["messages"]
    per_message = lambda amount, factor: None if amount is None or not messages else amount * factor / messages
    said = result.get("said")
    return {
        "messages": result["messages"],
        "seconds": result["seconds"],
        "per_second": result["per_second"],
        "latency_us": result["latency_us"],
        "cpu_us": per_message(result.get("cpu_seconds"), 1e6),
        "client_us": per_message(result["client_cpu_seconds"], 1e6),
        "thread_us": per_message(result.get("busiest_thread_seconds"), 1e6),
        "syncs_per_message": per_message(result.get("syncs"), 1),
        "sync_calls": result.get("sync_calls"),
        **memory,
        **({"said": {key: value for key, value in said.items() if key not in ("series", "send_latency_counts")}} if said else {}),
    }

