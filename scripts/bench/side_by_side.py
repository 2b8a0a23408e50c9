"""Two brokers at once on one disk, each with half of the load: what the machine does in a second falls on both.

Minutes of a shared host differ by more than two brokers do, the same second does not. But each also waits for what the other asks of the
disk and the processors, so this tells who is the later one and is no floor of its own.
"""

import concurrent.futures
import contextlib

import pace
import runner

ROW = "70 % load, side by side"
SECONDS, OVERHEAD_SECONDS = 600, 15
LATE_US = 10_000


def estimate(bench):
    return _seconds(bench) + OVERHEAD_SECONDS


def measure(bench, group, contenders):
    """Contenders are (broker, send), as in `turns`."""
    with contextlib.ExitStack() as stack:
        sides = [(stack.enter_context(bench.serving(broker, stack.enter_context(bench.fresh()))), send) for broker, send in contenders]
        bench.quiet()
        with concurrent.futures.ThreadPoolExecutor() as pool:
            results = list(pool.map(lambda side: side[1](side[0], _seconds(bench)), sides))
        each = [result["said"]["series"] for result in results]
        late = late_seconds(*(series["send_p99_us"][:-1] for series in each))
        for (running, _), result, series, seconds in zip(sides, results, each, late):
            values = {**runner.values(result, running.memory_kib()), **pace.judge(series), "series": series, "late_seconds": seconds}
            bench.record(group, ROW, running.broker, 1, values)


def late_seconds(one, other):
    """Of each of two, the seconds whose p99 was late: in how many of them both were, and in how many it alone."""
    pairs = [(mine > LATE_US, its > LATE_US) for mine, its in zip(one, other)]
    both = sum(mine and its for mine, its in pairs)
    return [{"both": both, "alone": sum(pair[side] for pair in pairs) - both} for side in (0, 1)]


def _seconds(bench):
    return 2 if bench.quick else SECONDS
