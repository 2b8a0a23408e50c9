"""The table of what is measured, and of what is to be reached: data, no code that runs anything.

A Row is one workload under one client against several brokers. `options` go to JmsBench (stock client) or `holdfast bench` (own
client) as they stand; `fill` are the options of an own-client run that fills the queue first. A Goal names a row, one of
its measures and the limit. Rows of the groups takeover, startup, backlog, steady, disk and proof are measured by modules of those
names, and only their goals stand here.
"""

import dataclasses
from dataclasses import dataclass, field

EVERYBODY = ("holdfast", "activemq", "artemis")
PAIR = ("holdfast", "activemq")
OURS = ("holdfast",)

GROUPS = {
    "disk": "The disk alone",
    "send": "Persistent sends, stock client",
    "own": "Own client, which costs a tenth of the stock client's CPU",
    "transacted": "Transacted sends, stock client",
    "nonpersistent": "Non-persistent, stock client",
    "drain": "Draining a backlog, stock client",
    "pair": "Persistent producers and consumers together, stock client",
    "latency": "Latency of a persistent send, stock client",
    "takeover": "Takeover: from the end of the master to the client's next acknowledged send",
    "startup": "Start on an empty directory",
    "slowdisk": "Slow disks: each sync made slower by a delay, own client",
    "scale": "Many queues, many connections, large messages, own client",
    "backlog": "Big backlogs",
    "steady": "Ten minutes at 70 % load",
    "proof": "Every acknowledged send was covered by a completed sync",
}


@dataclass(frozen=True)
class Row:
    group: str
    name: str
    client: str  # stock or own
    verb: str  # of JmsBench; the own client has none
    options: dict
    brokers: tuple = EVERYBODY
    fill: dict | None = None
    sync_delay_us: int = 0  # of Holdfast, and of the bare broker
    bare: bool = False  # whether the bare broker stands beside them: the least that any broker could do
    sleepers: bool = False  # whether Holdfast with processors that sleep, and ActiveMQ with some that do not, stand beside them
    echo: bool = False  # whether a broker without a disk does as well: what is left then is the client's own round
    guess: dict = field(default_factory=dict)  # a guess per broker, for the time left
    judged: bool = True  # whether lost or duplicate messages fail the run


def _stock(group, name, verb, brokers=EVERYBODY, bare=False, echo=False, sleepers=False, guess=None, **options):
    return Row(group, name, "stock", verb, {"warmup": 2, "size": 1024, **options}, brokers, bare=bare, echo=echo, sleepers=sleepers, guess=guess or {})


def _own(group, name, brokers=EVERYBODY, fill=None, sync_delay_us=0, bare=False, guess=None, judged=True, **options):
    named = {key.replace("_", "-"): value for key, value in options.items()}
    return Row(group, name, "own", "", named, brokers, fill, sync_delay_us, bare, guess=guess or {}, judged=judged)


def _fill(messages):
    return {"producers": 4, "consumers": 0, "transaction": 200, "messages": messages, "warmup": "0s"}


_SLOW = [("0.3 ms", 300), ("1 ms", 1000), ("5 ms", 5000)]

ROWS = [
    _stock("send", "1 producer", "send", bare=True, echo=True, sleepers=True, producers=1, seconds=5),
    _stock("send", "8 producers", "send", producers=8, seconds=5),
    _stock("send", "32 producers", "send", sleepers=True, producers=32, seconds=5),
    _stock("transacted", "1 producer, 100 per commit", "send", sleepers=True, producers=1, transaction=100, messages=200_000),
    _stock("nonpersistent", "1 to 1", "pair", PAIR, producers=1, consumers=1, messages=400_000, persistent="false"),
    _stock("nonpersistent", "4 to 4", "pair", PAIR, producers=4, consumers=4, messages=400_000, persistent="false"),
    _stock("drain", "60,000 queued", "drain", fill=60_000, messages=60_000),
    _stock("drain", "600,000 queued", "drain", bare=True, fill=600_000, messages=600_000,
           guess={"holdfast": 35, "activemq": 160, "artemis": 120}),
    _stock("pair", "4 to 4", "pair", producers=4, consumers=4, messages=60_000),
    _stock("latency", "1 producer, 20,000 messages", "send", producers=1, messages=20_000),
    _own("own", "1 producer", producers=1, consumers=0, duration="5s", warmup="2s"),
    _own("own", "32 producers", producers=32, consumers=0, duration="5s", warmup="2s"),
    _own("own", "64 producers", producers=64, consumers=0, duration="5s", warmup="2s"),
    _own("own", "1 producer, window 256", producers=1, consumers=0, window=256, duration="5s", warmup="2s"),
    _own("own", "1 producer, 100 per commit", producers=1, consumers=0, transaction=100, duration="5s", warmup="2s"),
    _own("own", "non-persistent 4 to 4, 16 B", producers=4, consumers=4, non_persistent=True, size=16, duration="5s", warmup="2s"),
    _own("own", "drain of 60,000", producers=0, consumers=1, messages=60_000, warmup="0s", fill=_fill(60_000)),
    *[row for label, delay in _SLOW for row in (
        _own("slowdisk", f"{label}, 64 producers", OURS, sync_delay_us=delay, bare=True, producers=64, consumers=0, duration="5s", warmup="2s"),
        _own("slowdisk", f"{label}, 1 producer", OURS, sync_delay_us=delay, producers=1, consumers=0, duration="5s", warmup="2s"),
        _own("slowdisk", f"{label}, 8 producers, 100 per commit", OURS, sync_delay_us=delay, producers=8, consumers=0,
             transaction=100, duration="5s", warmup="2s"),
    )],
    *[_own("slowdisk", f"1 ms, 64 producers on {label}", OURS, sync_delay_us=1000, bare=True, producers=64, connections=count, consumers=0,
           duration="5s", warmup="2s") for label, count in (("8 connections", 8), ("1 connection", 1))],
    _own("scale", "20,000 queues, 20 producers", OURS, queues=20_000, producers=20, consumers=0, duration="15s", warmup="5s"),
    _own("scale", "20,000 queues, 20 producers, 20 consumers", OURS, queues=20_000, producers=20, consumers=20, duration="15s", warmup="5s"),
    _own("scale", "5,000 connections, 5,000 messages/s", OURS, producers=5000, consumers=4, rate=5000, duration="15s", warmup="5s"),
    _own("scale", "10 MB messages, 1 to 1", OURS, producers=1, consumers=1, size="10MB", messages=100, warmup="0s", prefetch=4),
]


@dataclass(frozen=True)
class Goal:
    group: str
    row: str
    measure: str  # a key of a run's values, with a dot for one inside
    limit: float
    at_least: bool = True
    statistic: str = "median"  # of Holdfast's runs; or p99
    against: str | None = None  # divide by this broker's median of the same row
    beyond: str | None = None  # subtract the same statistic of this row
    beside: str | None = None  # the row in which we and the floors took turns, where it is another
    text: str = ""


GOALS = [
    Goal("takeover", "SIGKILL", "pause_ms", 50, False, text="p50 <= 50 ms"),
    Goal("takeover", "SIGKILL", "pause_ms", 200, False, "p99", text="p99 <= 200 ms"),
    *[goal for row in ("SIGKILL, 1 GB queued", "SIGKILL, 10 GB queued") for goal in (
        Goal("takeover", row, "pause_ms", 100, False, beyond="SIGKILL", text="backlog adds <= 100 ms to p50"),
        Goal("takeover", row, "pause_ms", 300, False, "p99", text="p99 <= 300 ms, 100 more than without"),
    )],
    Goal("takeover", "SIGTERM", "pause_ms", 100, False, "p99", text="p99 <= 100 ms"),
    Goal("send", "1 producer", "per_second", 2, against="activemq", text=">= 2x ActiveMQ"),
    Goal("send", "32 producers", "per_second", 4, against="activemq", text=">= 4x ActiveMQ"),
    Goal("send", "32 producers", "cpu_us", 0.25, False, against="activemq", text="CPU <= 1/4 of ActiveMQ"),
    Goal("latency", "1 producer, 20,000 messages", "latency_us.p99", 1000, False, text="p99 <= 1 ms"),
    Goal("own", "32 producers", "per_second", 10, against="activemq", text=">= 10x ActiveMQ"),
    Goal("own", "non-persistent 4 to 4, 16 B", "per_second", 300_000, text=">= 300,000/s"),
    Goal("transacted", "1 producer, 100 per commit", "per_second", 4, against="activemq", text=">= 4x ActiveMQ"),
    Goal("transacted", "1 producer, 100 per commit", "cpu_us", 0.25, False, against="activemq", text="CPU <= 1/4 of ActiveMQ"),
    Goal("nonpersistent", "4 to 4", "per_second", 4, against="activemq", text=">= 4x ActiveMQ"),
    Goal("nonpersistent", "4 to 4", "cpu_us", 0.25, False, against="activemq", text="CPU <= 1/4 of ActiveMQ"),
    Goal("drain", "600,000 queued", "per_second", 8, against="activemq", text=">= 8x ActiveMQ"),
    Goal("pair", "4 to 4", "per_second", 1, against="activemq", text="not slower than ActiveMQ"),
    *[goal for row in ("1 ms, 64 producers", "1 ms, 64 producers on 8 connections", "1 ms, 64 producers on 1 connection") for goal in (
        Goal("slowdisk", row, "per_second", 30_000, text=">= 30,000/s"),
        Goal("slowdisk", row, "latency_us.p99", 4000, False, text="p99 <= 4 ms"),
    )],
    Goal("startup", "empty directory", "ready_ms", 30, False, text="<= 30 ms"),
    Goal("startup", "empty directory", "idle_rss_kib", 25 * 1000**2 / 1024, False, text="idle <= 25 MB"),
    Goal("backlog", "10,000,000 queued", "rss_kib", 400 * 1000**2 / 1024, False, text="<= 400 MB"),
    Goal("steady", "70 % load", "worst_of_median", 0.5, text="no second below half of the median"),
    Goal("steady", "70 % load", "latency_us.p99.99", 10_000, False, beside="70 % load, in turn", text="p99.99 <= 10 ms"),
    Goal("proof", "every send", "passed", 1, text="holds"),
]


def rows_of(group, quick=False):
    return [_small(row) if quick else row for row in ROWS if row.group == group]


def _small(row):
    """The same row, over in a second or two."""
    fill = row.fill and {**row.fill, "messages": 10_000}
    return dataclasses.replace(row, options={key: _smaller(row, key, value) for key, value in row.options.items()}, fill=fill, guess={})


def _smaller(row, key, value):
    if key == "messages":
        return 10_000 if row.fill else 10 if "size" in row.options and value <= 100 else max(1000, value // 60)
    if key == "fill":
        return max(1000, value // 60)
    if key == "warmup":
        return {"0s": "0s", 2: 0.5}.get(value, "200ms")
    if key in ("seconds", "duration"):
        return 1 if key == "seconds" else "1s"
    if key in ("queues", "rate") or (key == "producers" and value > 1000):
        return value // 20
    return value
