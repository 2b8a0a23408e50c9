"""From single runs to tables: one line per row and broker, with medians and spreads, as text or Markdown.

A table is a list of lists of strings whose first line is the header; how it is drawn is decided last. Missing figures are '-', never 0.
"""

from summary import fitted_line, median, percentile, ratio, spread

PEER = "activemq"
MIB = 1024

# Measures that are not columns of the main table: key, what it is, how it is written.
FIGURES = [
    ("pause_ms", "kill to next acknowledged send, ms", 1),
    ("port_ms", "exec to port answering, ms", 1),
    ("ready_ms", "exec to ready, ms", 1),
    ("idle_rss_kib", "idle RSS, MiB", 1),
    ("first_message_ms", "connect to first message, ms", 1),
    ("disk_mib", "disk used, MiB", 0),
    ("median_second", "median second, messages/s", 0),
    ("worst_second", "worst second, messages/s", 0),
    ("worst_of_median", "worst second / median", 2),
    ("rate", "offered, messages/s", 0),
    ("latency_us.p99.99", "p99.99, us", 0),
    ("passed", "passed (1 is yes)", 0),
]
STEPS = [
    ("before_ms", "kill noticed: kernel ends the process, lock is granted"),
    ("lock_ms", "epoch raised, holder written and synced"),
    ("index_ms", "index opened as of its checkpoint"),
    ("replay_ms", "journal replayed behind it"),
    ("seal_ms", "old end sealed, new segment made"),
    ("listen_ms", "listeners bound"),
    ("total_ms", "all of the broker's steps (they overlap)"),
    ("client_ms", "ready to the client's next acknowledged send"),
]
HEADER = ["workload", "broker", "messages/s (min - max)", "p50 / p99 / p99.9 us", "broker CPU us/msg", "client CPU us/msg", "RSS MiB", "syncs/msg",
          f"x {PEER}"]


def group_runs(data, group):
    """{(row, broker): [values]} in the order they were first measured."""
    found = {}
    for run in data["groups"].get(group, {}).get("runs", []):
        if "values" in run:
            found.setdefault((run["row"], run["broker"]), []).append(run["values"])
    return found


def measures(runs, key):
    """All values of a measure; 'latency_us.p99.9' looks inside."""
    outer, _, inner = key.partition(".")
    found = []
    for values in runs:
        value = values.get(outer)
        if inner and isinstance(value, dict):
            value = value.get(inner)
        if isinstance(value, (int, float)):
            found.append(value)
    return found


def main_table(data, group):
    """Rows that moved messages; the header alone when there are none."""
    runs, lines = group_runs(data, group), [HEADER]
    for (row, broker), values in runs.items():
        rates = measures(values, "per_second")
        if not rates or broker == "disk":
            continue
        peers = measures(runs.get((row, PEER), []), "per_second")
        lines.append([
            row, broker, _range(spread(rates), 0), _latency(values), number(median(measures(values, "cpu_us")), 1),
            number(median(measures(values, "client_us")), 1), number(_mib(median(measures(values, "hwm_kib"))), 0), _syncs(values),
            "1" if broker == PEER else number(ratio(median(rates), median(peers)), 2)])
    return lines


def figures_table(data, group):
    """Whatever else was measured: row, broker, figure, median, spread, p99 where there are enough of them."""
    lines = [["what", "broker", "figure", "median (min - max)", "p99", "runs"]]
    for (row, broker), values in group_runs(data, group).items():
        for key, label, digits in FIGURES:
            if key == "latency_us.p99.99" and group != "steady":
                continue
            found = [_mib(value) if key.endswith("_kib") else value for value in measures(values, key)]
            if found:
                lines.append([row, broker, label, _range(spread(found), digits), number(percentile(found, 99), digits) if len(found) >= 20 else "-", str(len(found))])
    return lines


def floor_table(data, group):
    """The raw disk beside the rows of a group."""
    lines = [["beside", "way", "writes/s (min - max)", "p50 / p99 / p99.9 us"]]
    for (row, broker), values in group_runs(data, group).items():
        for way in ("append_fdatasync", "direct_dsync"):
            found = [entry[way] for entry in values if way in entry] if broker == "disk" else []
            if found:
                percentiles = " / ".join(number(median([entry[name] for entry in found]), 0) for name in ("p50", "p99", "p99.9"))
                lines.append([row, way.replace("_", " + "), _range(spread([entry["per_second"] for entry in found]), 0), percentiles])
    return lines


def step_table(data):
    """Where the milliseconds of a takeover go: medians, one column per scenario."""
    scenarios = {row: [values["steps"] for values in runs if "steps" in values] for (row, broker), runs in group_runs(data, "takeover").items() if broker == "holdfast"}
    scenarios = {row: steps for row, steps in scenarios.items() if steps}
    lines = [["step, ms (median)", *scenarios]]
    if scenarios:
        lines += [[f"{label} (`{key}`)", *(number(median(measures(steps, key)), 2) for steps in scenarios.values())] for key, label in STEPS]
        lines.append(["journal replayed, MiB", *(number(median(measures(steps, "replayed_mib")), 2) for steps in scenarios.values())])
        lines.append(["records replayed", *(number(median(measures(steps, "replayed_records")), 0) for steps in scenarios.values())])
    return lines


def replay_slope(data):
    """(ms per MiB, ms at nothing, takeovers) fitted over all takeovers, or None."""
    points = [(values["steps"]["replayed_mib"], values["steps"]["replay_ms"])
              for runs in group_runs(data, "takeover").values() for values in runs
              if "replayed_mib" in values.get("steps", {}) and "replay_ms" in values["steps"]]
    line = fitted_line(points)
    return (*line, len(points)) if line else None


def number(value, digits):
    return "-" if value is None else f"{value:,.{digits}f}"


def as_text(lines):
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines)


def as_markdown(lines):
    drawn = ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines]
    return "\n".join([drawn[0], "|" + "---|" * len(lines[0]), *drawn[1:]])


def _range(found, digits):
    if found is None:
        return "-"
    middle, least, most = found
    return number(middle, digits) if least == most else f"{number(middle, digits)} ({number(least, digits)} - {number(most, digits)})"


def _latency(values):
    found = [median(measures(values, f"latency_us.{name}")) for name in ("p50", "p99", "p99.9")]
    return "-" if found[0] is None else " / ".join(number(value, 0) for value in found)


def _syncs(values):
    found = measures(values, "syncs_per_message")
    return number(median(found), 3) if found else "not counted"


def _mib(kib):
    return None if kib is None else kib / MIB
