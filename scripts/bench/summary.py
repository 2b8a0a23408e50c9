"""Arithmetic on lists of numbers: medians, percentiles, ratios, slopes.

Everything is exact and takes plain lists; an empty list gives None, never a made-up zero. No input or output happens here.
"""


def median(values):
    """The middle value, or the mean of the two in the middle."""
    ordered = sorted(values)
    if not ordered:
        return None
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def percentile(values, percent):
    """The smallest value that at least `percent` of all do not exceed (nearest rank: always a value that occurred)."""
    ordered = sorted(values)
    if not ordered:
        return None
    rank = -(-len(ordered) * percent // 100)  # ceiling
    return ordered[max(0, min(len(ordered), int(rank)) - 1)]


def percentile_of_counts(counts, percent):
    """The same for (value, how many) pairs."""
    pairs = sorted(counts)
    total, passed = sum(count for _, count in pairs), 0
    for value, count in pairs:
        passed += count
        if passed * 100 >= total * percent:
            return value
    return None


def spread(values):
    """(median, least, greatest), or None."""
    return (median(values), min(values), max(values)) if values else None


def ratio(ours, theirs):
    """How many times theirs ours is, or None where there is nothing to compare with."""
    return ours / theirs if ours is not None and theirs else None


def fitted_line(points):
    """(slope, intercept) of the least-squares line through (x, y) points, or None when they have no spread in x."""
    if len(points) < 2:
        return None
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    spread_x = sum((x - mean_x) ** 2 for x, _ in points)
    if spread_x == 0:
        return None
    slope = sum((x - mean_x) * (y - mean_y) for x, y in points) / spread_x
    return slope, mean_y - slope * mean_x
