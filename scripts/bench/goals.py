"""Judges the goals of workloads.py by what was measured, and says for each one missed whether physics forbade it here.

The floors that are known: the raw disk of the same minutes (a lone synchronous producer cannot send faster than the disk
makes one write durable, nor faster than that plus its own round with a broker that answers at once), the client's own CPU (with
a broker that costs nothing, N cores still carry only N / CPU per message), the busiest thread of a client that has one
connection, the times in which the whole machine stood still, the seconds in which its host took the processors away, and the bare
broker (tests/bench/bare_broker.rs) where it was measured beside. What the disk did to a witness is none: it may have waited behind the broker's own writes.
"""

from dataclasses import dataclass

import pace
from machine import QUIET_SHARE
from side_by_side import ROW as SIDE_BY_SIDE
from summary import median, percentile
from tables import group_runs, measures, number
from workloads import EVERYBODY, GOALS

# Where more is worse, by measure; for everything else more is better.
LESS_IS_BETTER = {
    "latency_us.p50": "p50, us", "latency_us.p99": "p99, us", "latency_us.p99.9": "p99.9, us", "cpu_us": "broker CPU, us/message",
    "hwm_kib": "highest RSS, KiB", "pause_ms": "takeover, ms", "ready_ms": "start to ready, ms", "idle_rss_kib": "idle RSS, KiB",
    "first_message_ms": "time to first message, ms", "syncs_per_message": "syncs per message",
}

# By how the name of a measure ends.
UNITS = {"per_second": "/s", "_ms": " ms", "_us": " us", "_kib": " MiB"}


@dataclass
class Verdict:
    goal: object
    value: float | None
    reached: bool | None  # None: not measured
    why: str

    @property
    def word(self):
        return {True: "yes", False: "no", None: "not measured"}[self.reached]


def judge(data, goals=GOALS):
    return [_judge(data, goal) for goal in goals]


def _judge(data, goal):
    value = _value(data, goal)
    if value is None:
        return Verdict(goal, None, None, "")
    reached = value >= goal.limit if goal.at_least else value <= goal.limit
    return Verdict(goal, value, reached, "" if reached else _why(data, goal))


def _value(data, goal):
    runs = group_runs(data, goal.group)
    ours = _statistic(runs.get((goal.row, "holdfast"), []), goal)
    if ours is None:
        return None
    if goal.against:
        theirs = median(measures(runs.get((goal.row, goal.against), []), goal.measure))
        return ours / theirs if theirs else None
    if goal.beyond:
        other = _statistic(runs.get((goal.beyond, "holdfast"), []), goal)
        return None if other is None else ours - other
    return ours


def _statistic(runs, goal):
    found = measures(runs, goal.measure)
    return percentile(found, 99) if goal.statistic == "p99" else median(found)


def _why(data, goal):
    runs = group_runs(data, goal.group)
    ours, disk = runs.get((goal.row, "holdfast"), []), runs.get((goal.row, "disk"), [])
    wanted = goal.limit
    if goal.against:
        wanted *= median(measures(runs[goal.row, goal.against], goal.measure))
    floor = {name: median([run["direct_dsync"][name] for run in disk]) for name in ("per_second", "p50", "p99")} if disk else {}
    if goal.measure == "per_second":
        bound, thread = client_bound(data, ours), thread_bound(goal, ours)
        if floor and goal.row.startswith("1 producer") and "," not in goal.row and floor["per_second"] < wanted:
            return f"the disk alone makes {number(floor['per_second'], 0)} writes/s durable, {number(wanted, 0)} are wanted"
        lone = lone_bound(floor, runs.get((goal.row, "echo"), []))
        if lone and lone < wanted:
            return f"the client's own round and one write of the disk, one after the other, allow {number(lone, 0)}/s, {number(wanted, 0)} are wanted: that is the floor"
        if bound and bound < wanted:
            return f"a broker that costs nothing would reach {number(bound, 0)}/s, {number(wanted, 0)} are wanted: the client's CPU is the floor"
        if thread and thread < wanted:
            return f"the busiest thread of the one consumer can take {number(thread, 0)}/s, {number(wanted, 0)} are wanted: that is the floor"
    if goal.measure == "latency_us.p99" and floor and floor["p99"] > wanted:
        return f"p99 of the disk alone is {amount(goal, floor['p99'])}"
    row = goal.beside or goal.row
    raw = measures(runs.get((row, "raw disk"), []), goal.measure)
    quickest = min([*measures(runs.get((row, "holdfast"), []), goal.measure), *measures(runs.get((row, "bare"), []), goal.measure)], default=0)
    if raw and not goal.at_least and wanted < min(raw) <= quickest:
        return f"durable writes to the disk alone never had less than {amount(goal, min(raw))} in the minutes beside it: that is the floor"
    if goal.measure == "worst_of_median" and "stolen" in ours[-1]:
        return _unquiet(goal, ours[-1], runs.get((SIDE_BY_SIDE, "holdfast"), []), runs.get((SIDE_BY_SIDE, "bare"), []))
    stood = measures(runs.get((goal.row, "standstill"), []), goal.measure)
    if stood and not goal.at_least and min(stood) > wanted:
        return f"the whole machine stood still so often and long during the run that no broker could have had less than {amount(goal, min(stood))}: that is the floor"
    bare = measures(runs.get((row, "bare"), []), goal.measure)
    if not bare:
        return "no floor forbids it"
    if goal.beside:
        return _in_turn(goal, runs[row, "holdfast"], runs[row, "bare"])
    together = _together(data, goal, runs)
    if together and together < wanted:
        return f"the client's CPU and that of a broker that only reads, syncs and answers allow {number(together, 0)}/s, {number(wanted, 0)} are wanted: that is the floor"
    best_of, is_short = (max, lambda value, of: value < of) if goal.at_least else (min, lambda value, of: value > of)
    best, own = best_of(bare), best_of(measures(ours, goal.measure))
    beaten = is_short(best, own)
    forbids = is_short(best, wanted) and not beaten
    against = f", {amount(goal, wanted)} are wanted" if goal.against else ""
    alone = f", durable writes to the disk alone {amount(goal, min(raw))} to {amount(goal, max(raw))}" if raw else ""
    alone += f", the machine's standstills alone would make {amount(goal, min(stood))}" if stood else ""
    alone += f", a run of ours {amount(goal, own)}" if beaten else ""
    verdict = "that is the floor" if forbids else "no floor forbids it"
    return f"a broker that only reads, syncs and answers had {amount(goal, median(bare))}, at best {amount(goal, best)}, in the minutes beside it{alone}{against}: {verdict}"


def _in_turn(goal, ours, bare):
    """The bare broker is the floor where it missed the goal, too, and ours was the later one in about half of the turns at most: rare stalls
    of the machine fall on either, what happens in most turns is ours."""
    own, least = (measures(runs, goal.measure) for runs in (ours, bare))
    pairs = list(zip(ours[0]["turns_us"], bare[0]["turns_us"]))
    later = sum(mine > its for mine, its in pairs)
    forbids = least[0] > goal.limit and later <= (len(pairs) + 1) // 2
    return (f"in turn with ours a broker that only reads, syncs and answers had {amount(goal, least[0])}, ours there {amount(goal, own[0])}, "
            f"the later one in {later} of {len(pairs)} turns: {'that is the floor' if forbids else 'no floor forbids it'}")


def _unquiet(goal, run, ours, bare):
    """A slow second is the machine's where the host took more of the processors than a quiet one may have in use, unless ours had such seconds
    beside a bare broker that had none."""
    quiet, busy = pace.apart(run)
    slow = [host for share, host in busy if share < goal.limit]
    own, least = (measures(runs, goal.measure) for runs in (ours, bare))
    alone = bool(own and least) and own[0] < goal.limit <= least[0]
    worst = min((share for share, _ in quiet), default=0)
    forbids = worst >= goal.limit and not alone
    beside = f"; at once with ours a broker that only reads, syncs and answers had {number(least[0], 2)}, ours there {number(own[0], 2)}" if own and least else ""
    taken = f"in {len(slow)} slow seconds the host took {min(slow):.0%} to {max(slow):.0%} of the processors away, " if slow else ""
    return (f"{taken}in the {len(quiet)} of {len(quiet) + len(busy)} seconds in which it took less than {QUIET_SHARE:.0%} the worst had {number(worst, 2)}"
            f"{beside}: {'that is the floor' if forbids else 'no floor forbids it'}")


def _together(data, goal, runs):
    """Messages per second if the client cost what it does with us, and the broker no more than the bare one."""
    if goal.measure != "per_second":
        return None
    client = median(measures(runs.get((goal.row, "holdfast"), []), "client_us"))
    bare = median(measures(runs.get((goal.row, "bare"), []), "cpu_us"))
    return data["machine"]["cores"] * 1e6 / (client + bare) if client and bare and data["machine"].get("cores") else None


def lone_bound(floor, echo):
    """Messages per second of one producer that waits, with a broker that takes no time and a disk at its quickest."""
    rate = median(measures(echo, "per_second"))
    return 1e6 / (1e6 / rate + floor["p50"]) if rate and floor else None


def client_bound(data, runs):
    """Messages per second if the broker cost nothing, by the client's CPU per message."""
    cost = median(measures(runs, "client_us"))
    return data["machine"]["cores"] * 1e6 / cost if cost and data["machine"].get("cores") else None


def thread_bound(goal, runs):
    """Messages per second that the busiest thread of a client with one connection can take; only draining has just one."""
    cost = median(measures(runs, "thread_us")) if goal.group == "drain" else None
    return 1e6 / cost if cost else None


def goals_table(verdicts):
    lines = [["workload", "goal", "measured", "reached", "why not"]]
    for verdict in verdicts:
        goal = verdict.goal
        measured = f"{number(verdict.value, 2)}x" if goal.against and verdict.value is not None else amount(goal, verdict.value)
        lines.append([f"{goal.group}: {goal.row}", goal.text, measured, verdict.word, verdict.why])
    return lines


def amount(goal, value):
    """A figure of the goal's measure, with its unit."""
    measure = goal.measure.partition(".")[0]
    unit = next((unit for ending, unit in UNITS.items() if measure.endswith(ending)), "")
    value = value / 1024 if value is not None and measure.endswith("_kib") else value
    return number(value, 2 if (value or 0) < 10 else 0) + (unit if value is not None else "")


def losses(data):
    """Every measure of every row in which another broker's median is better than ours."""
    lines = [["workload", "measure", "holdfast", "better", "ranges overlap"]]
    for group in data["groups"]:
        runs = group_runs(data, group)
        for row in dict.fromkeys(row for row, _ in runs):
            for measure, label in {"per_second": "messages/s", **LESS_IS_BETTER}.items():
                ours = measures(runs.get((row, "holdfast"), []), measure)
                for broker in EVERYBODY[1:]:
                    theirs = measures(runs.get((row, broker), []), measure)
                    if ours and theirs and _worse(ours, theirs, measure):
                        overlap = min(ours) <= max(theirs) and min(theirs) <= max(ours)
                        digits = 3 if measure == "syncs_per_message" else 1 if median(ours) < 100 else 0
                        lines.append([f"{group}: {row}", label, number(median(ours), digits), f"{broker} {number(median(theirs), digits)}", "yes" if overlap else "no"])
    return lines


def _worse(ours, theirs, measure):
    return median(ours) > median(theirs) if measure in LESS_IS_BETTER else median(ours) < median(theirs)
