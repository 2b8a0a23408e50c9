"""The pace of a run, second by second: the middle one, the worst, and in which of them the host took processors away.

The last second is cut off by the end and left out everywhere.
"""

import machine
import stolen
from summary import median

LATEST = 10


def judge(series):
    """The middle and the worst second, and how far apart they are."""
    shares = of_median(series)
    if not shares:
        return {}
    received = series["received"][:-1]
    return {"median_second": median(received), "worst_second": min(received), "worst_of_median": min(shares)}


def of_median(series):
    """Of each second, what came through in shares of the median: sent or received, whichever is less."""
    sides = [series[side][:-1] for side in ("received", "sent")]
    if not all(sides):
        return []
    return [min(pair) for pair in zip(*([count / max(1, median(side)) for count in side] for side in sides))]


def taken_away(seen, run):
    """The share of the processors that the host took: in all, in the seconds with the latest messages, and second by second."""
    late = run["series"]["send_p99_us"][:-1]
    series = stolen.by_second(seen, run["measured_from"], len(late))
    known = [(late_us, share) for late_us, share in zip(late, series) if share is not None]
    latest = [share for _, share in sorted(known, reverse=True)[:LATEST]]
    return {"share": round(stolen.share(seen), 4), "latest_seconds": round(sum(latest) / max(1, len(latest)), 4), "series": series}


def apart(run):
    """(share of the median, share of the processors that the host took) of each second, those of a quiet machine first: two lists."""
    pairs = list(zip(of_median(run["series"]), run["stolen"]["series"]))
    is_busy = lambda pair: (pair[1] or 0) >= machine.QUIET_SHARE
    return [pair for pair in pairs if not is_busy(pair)], [pair for pair in pairs if is_busy(pair)]
