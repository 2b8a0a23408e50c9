"""Ten minutes at 70 % of the highest rate, second by second: what checkpoints, segment rolls and compaction do to it.

The highest rate is that which the broker keeps up with for a minute when messages come at fixed times, whatever it does: lower than
what the same producers make in a closed loop, where they wait for it and so come in large batches. Latencies count from the moment a send was
due. The machine's standstills are timed meanwhile, what the disk does to another program, and how much of the processors the host takes
away. Then it takes turns with the bare broker (`turns`), and the two run at once (`side_by_side`), for what this machine's stalls do to any
broker.
"""

import contextlib
import datetime
import json
import threading
import time

import clients
import pace
import runner
import side_by_side
import standstill
import stolen
import turns
import witness
from bench import BARE
from brokers import Bare, Holdfast
from counting import Counter
from progress import Progress
from summary import median

SHARE = 0.7
STEP, STEPS, STEP_SECONDS = 0.93, 12, 10  # each rate tried is so much of the one before
KEPT_UP_SECONDS = 60  # one that lasts for a few seconds has to last so long: with maintenance, and in the machine's slow moments
KEEPS_UP, BEHIND_US = 0.995, 100_000  # messages received of those due; p99 of a second in which it lags behind
LOAD = {"producers": 8, "consumers": 8, "size": 1024}
KEPT_RATE = 100
TRIES, TRY_SECONDS, SECONDS, WARMUP_SECONDS = 3, 20, 600, 5
DULL = ("connection.", "listener.", "lock.", "recovery.", "master.", "shutdown.")  # events that do not explain a slow second


def run_group(bench, group):
    seconds = 4 if bench.quick else SECONDS
    steps = [("steady: highest rate", TRY_SECONDS + 10)] * TRIES + [("steady: a rate it keeps up with", STEP_SECONDS + 15)] * STEPS
    progress = Progress([*steps, ("steady: the long run", seconds + 45), ("steady: in turn", turns.estimate(bench)),
                         ("steady: side by side", side_by_side.estimate(bench))])
    broker = Holdfast(bench.binary, ["--log-level", "info,store=debug"])
    try:
        rates = []
        for number in range(1, TRIES + 1):
            progress.step("steady: highest rate")
            rates.append(_try(bench, group, broker, number))
        highest = _highest(bench, group, broker, int(median(rates)), progress)
        progress.step("steady: the long run")
        rate = int(highest * SHARE)
        with bench.fresh() as directory:
            watch = _Watch(directory)
            run = _long_run(bench, broker, rate, seconds, watch)
        bench.record(group, "70 % load", broker.name, 1, {**run, "stolen": pace.taken_away(watch.stolen, run)})
        watch.record(bench, group, run)
        progress.step("steady: in turn")
        turns.measure(bench, group, _contenders(bench, broker, rate), rate * LOAD["size"])
        progress.step("steady: side by side")
        side_by_side.measure(bench, group, _contenders(bench, broker, rate // 2))
    except runner.ERRORS as error:
        bench.failed(group, "70 % load", broker.name, 1, error)
    progress.finish()


def estimate(bench, _group):
    tries = TRIES * (TRY_SECONDS + 10) + STEPS * (STEP_SECONDS + 15) + KEPT_UP_SECONDS + 15
    return 30 if bench.quick else tries + SECONDS + 45 + turns.estimate(bench) + side_by_side.estimate(bench)


def _try(bench, group, broker, number):
    bench.quiet()
    seconds = 1 if bench.quick else TRY_SECONDS
    with bench.fresh() as directory, bench.serving(broker, directory) as running:
        result = clients.own(bench.binary, running.url, {**LOAD, "duration": f"{seconds}s", "warmup": "1s"}, Counter(running))
        bench.record(group, "closed loop", broker.name, number, runner.values(result, running.memory_kib()))
        return result["per_second"]


def _highest(bench, group, broker, rate, progress):
    """The highest rate it keeps up with, at most `rate`."""
    for _ in range(STEPS):
        progress.step("steady: a rate it keeps up with")
        run = _long_run(bench, broker, rate, 2 if bench.quick else STEP_SECONDS)
        if keeps_up(run["series"], rate):
            run = _long_run(bench, broker, rate, 2 if bench.quick else KEPT_UP_SECONDS)
            if keeps_up(run["series"], rate):
                break
        rate = int(rate * STEP)
    else:
        raise runner.Failed(f"it keeps up with no rate down to {run['rate']}/s")
    bench.record(group, "highest rate", broker.name, 1, {key: run[key] for key in run if key not in ("series", "marks")})
    return rate


def keeps_up(series, rate):
    """Whether the messages came through as fast as they were due, and in every second."""
    received, late = series["received"][:-1], series["send_p99_us"][:-1]
    return bool(received) and sum(received) >= KEEPS_UP * rate * len(received) and max(late) < BEHIND_US


class _Watch:
    """Times the machine's standstills meanwhile, and the disk's stalls, and counts what the host takes away."""

    def __init__(self, directory):
        self.directory, self.stood, self.writes, self.stolen, self.watched = directory, None, None, [], 0

    def __enter__(self):
        self.meters = standstill.Meter(self.directory), witness.Meter(self.directory), stolen.Meter()

    def __exit__(self, *_):
        self.stood, self.watched = self.meters[0].end()
        self.writes, self.stolen = self.meters[1].end(), self.meters[2].end()

    def record(self, bench, group, run):
        if self.stood is not None:
            late = {"p99.99": round(standstill.latency_us(self.stood, self.watched, 0.9999), 1)}
            found = [[round(value, 4) for value in one] for one in self.stood]
            bench.record(group, "70 % load", "standstill", 1, {"latency_us": late, "standstills": found})
        if self.writes:
            bench.record(group, "70 % load", "witness", 1, witnessed(self.writes, self.watched, run))


def witnessed(writes, seconds, run):
    """What the disk's stalls alone make of a percentile, and what they leave of our worst second."""
    received = run["series"]["received"][:-1]
    worst = received.index(min(received)) if received else 0
    most = witness.could_send(writes, run["measured_from"] + worst, LOAD["producers"])
    left = {"worst_of_median": most / run["rate"]} if most else {}
    stalls = [[round(began - run["measured_from"], 3), round(took, 4)] for began, took in writes if took >= witness.STALL]
    return {"latency_us": {"p99.99": round(witness.stalls_us(writes, seconds, 0.9999), 1)}, **left, "stalls": stalls}


def _long_run(bench, broker, rate, seconds, watch=None):
    bench.quiet()
    with bench.fresh() as directory, bench.serving(broker, directory) as running, _kept(bench, running.url, seconds):
        began = time.time()
        with watch or contextlib.nullcontext():
            result = _send(bench, running, rate, seconds)
        values = runner.values(result, running.memory_kib())
        series = result["said"]["series"]
        log = running.said()
        marks, writes = list(_marks(log, began + WARMUP_SECONDS)), list(_long_writes(log, began + WARMUP_SECONDS))
    return {**values, **pace.judge(series), "rate": rate, "measured_from": began + WARMUP_SECONDS, "series": series, "marks": marks, "long_writes": writes}


def _contenders(bench, broker, rate):
    return [(broker, _loaded(bench, rate, kept=True)), (Bare(BARE), _loaded(bench, rate, kept=False))]


def _loaded(bench, rate, kept):
    """Loads a broker for some seconds; the bare one keeps nothing, so that it is spared that."""
    def send(running, seconds):
        with _kept(bench, running.url, seconds) if kept else contextlib.nullcontext():
            return _send(bench, running, rate, seconds)
    return send


def _send(bench, running, rate, seconds):
    options = {**LOAD, "rate": rate, "duration": f"{seconds}s", "warmup": f"{WARMUP_SECONDS}s"}
    return clients.own(bench.binary, running.url, options, Counter(running))


@contextlib.contextmanager
def _kept(bench, url, seconds):
    """Messages that nobody consumes, a few in every segment: without them no segment would ever need compaction."""
    load = {"queue": "kept", "producers": 1, "consumers": 0, "rate": KEPT_RATE, "size": 1024, "duration": f"{seconds + WARMUP_SECONDS}s", "warmup": "0s"}
    thread = threading.Thread(target=clients.own, args=(bench.binary, url, load), daemon=True)
    thread.start()
    yield
    thread.join()


def _marks(log, origin):
    """(second, event) of whatever the broker said during the run that may explain a slow second."""
    for second, event in _events(log, origin):
        if not event["event"].startswith(DULL):
            yield [round(second, 1), event["event"]]


def _long_writes(log, origin):
    """(second, milliseconds) of the durable writes that took long, by the broker's own clock."""
    for second, event in _events(log, origin):
        if event["event"] in ("write.noted", "store.slow"):
            yield [round(second, 2), event["ms"]]


def _events(log, origin):
    for line in log.splitlines():
        event = json.loads(line) if line.startswith("{") else {}
        if event.get("event"):
            second = datetime.datetime.fromisoformat(event["timestamp"].replace("Z", "+00:00")).timestamp() - origin
            if second >= 0:
                yield second, event
