"""Ten minutes at 70 % of the highest rate, second by second: what checkpoints, segment rolls and compaction do to it.

The highest rate is measured first with the same producers and consumers. Latencies count from the moment a send was due.
"""

import contextlib
import datetime
import json
import threading
import time

import clients
import runner
from brokers import Holdfast
from counting import Counter
from progress import Progress
from summary import median

SHARE = 0.7
LOAD = {"producers": 8, "consumers": 8, "size": 1024}
KEPT_RATE = 100
TRIES, TRY_SECONDS, SECONDS, WARMUP_SECONDS = 3, 20, 600, 5
DULL = ("connection.", "listener.", "lock.", "recovery.", "master.", "shutdown.")  # events that do not explain a slow second


def run_group(bench, group):
    seconds = 4 if bench.quick else SECONDS
    progress = Progress([("steady: highest rate", TRY_SECONDS + 10)] * TRIES + [("steady: the long run", seconds + 15)])
    broker = Holdfast(bench.binary, ["--log-level", "info,store=debug"])
    try:
        rates = []
        for number in range(1, TRIES + 1):
            progress.step("steady: highest rate")
            rates.append(_try(bench, group, broker, number))
        progress.step("steady: the long run")
        _long_run(bench, group, broker, int(median(rates) * SHARE), seconds)
    except runner.ERRORS as error:
        bench.failed(group, "70 % load", broker.name, 1, error)
    progress.finish()


def estimate(bench, _group):
    return 20 if bench.quick else TRIES * (TRY_SECONDS + 10) + SECONDS + 15


def _try(bench, group, broker, number):
    bench.quiet()
    seconds = 1 if bench.quick else TRY_SECONDS
    with bench.fresh() as directory, bench.serving(broker, directory) as running:
        result = clients.own(bench.binary, running.url, {**LOAD, "duration": f"{seconds}s", "warmup": "1s"}, Counter(running))
        bench.record(group, "highest rate", broker.name, number, runner.values(result, running.memory_kib()))
        return result["per_second"]


def _long_run(bench, group, broker, rate, seconds):
    bench.quiet()
    with bench.fresh() as directory, bench.serving(broker, directory) as running, _kept(bench, running.url, seconds):
        began = time.time()
        result = clients.own(bench.binary, running.url, {**LOAD, "rate": rate, "duration": f"{seconds}s", "warmup": f"{WARMUP_SECONDS}s"}, Counter(running))
        values = runner.values(result, running.memory_kib())
        series = result["said"]["series"]
        marks = list(_marks(running.said(), began + WARMUP_SECONDS))
    bench.record(group, "70 % load", broker.name, 1, {**values, **judge(series), "rate": rate, "series": series, "marks": marks})


@contextlib.contextmanager
def _kept(bench, url, seconds):
    """Messages that nobody consumes, a few in every segment: without them no segment would ever need compaction."""
    load = {"queue": "kept", "producers": 1, "consumers": 0, "rate": KEPT_RATE, "size": 1024, "duration": f"{seconds + WARMUP_SECONDS}s", "warmup": "0s"}
    thread = threading.Thread(target=clients.own, args=(bench.binary, url, load), daemon=True)
    thread.start()
    yield
    thread.join()


def judge(series):
    """The middle and the worst second, and how far apart they are; the last second is cut off by the end and left out."""
    received, sent = series["received"][:-1], series["sent"][:-1]
    if not received or not sent:
        return {}
    return {"median_second": median(received), "worst_second": min(received),
            "worst_of_median": min(min(received) / max(1, median(received)), min(sent) / max(1, median(sent)))}


def _marks(log, origin):
    """(second, event) of whatever the broker said during the run that may explain a slow second."""
    for line in log.splitlines():
        if not line.startswith("{"):
            continue
        event = json.loads(line)
        name = event.get("event", "")
        second = datetime.datetime.fromisoformat(event["timestamp"].replace("Z", "+00:00")).timestamp() - origin
        if name and second >= 0 and not name.startswith(DULL):
            yield [round(second, 1), name]
