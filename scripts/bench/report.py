"""Puts BENCHMARKS.md and benchmarks/ together from the results: the template's words, tables, plots and every single run.

It measures nothing and invents nothing: a group that was not run is named as missing.
"""

import pathlib
import sys

import goals
import plot
import results
import tables
import workloads
from summary import spread

ROOT = pathlib.Path(__file__).resolve().parents[2]
TEMPLATE = pathlib.Path(__file__).with_name("template.md")
# What the bars of a group show, where it is not messages per second.
BAR_MEASURES = {"takeover": ("pause_ms", "milliseconds from kill to acknowledged send"), "startup": ("ready_ms", "milliseconds to ready")}


def text(data, group):
    """What the terminal sees when a group is done."""
    parts = [tables.as_text(table) for table in _tables(data, group) if len(table) > 1]
    verdicts = [verdict for verdict in goals.judge(data) if verdict.goal.group == group]
    parts += [tables.as_text(goals.goals_table(verdicts))] if verdicts else []
    return "\n\n".join([f"== {group}: {workloads.GROUPS[group]}", *parts]) + "\n"


def write(data, root=ROOT):
    """Writes everything; 65 when there is nothing to write."""
    measured = [group for group in workloads.GROUPS if data["groups"].get(group, {}).get("runs")]
    if not measured:
        print("bench.sh: nothing is measured yet; run scripts/bench.sh first", file=sys.stderr)
        return 65
    folder = root / "benchmarks"
    folder.mkdir(exist_ok=True)
    for old in folder.glob("*.svg"):
        old.unlink()
    plots = {group: _plots(data, group, folder) for group in measured}
    (folder / "results.json").write_text(results.as_json(data))
    (root / "BENCHMARKS.md").write_text(markdown(data, measured, plots))
    print(f"wrote {root / 'BENCHMARKS.md'} and {folder}", file=sys.stderr)
    return 0


def markdown(data, measured, plots):
    missing = [group for group in workloads.GROUPS if group not in measured]
    losses = goals.losses(data)
    words = {
        "DATE": ", ".join(sorted({data["groups"][group]["began"][:10] for group in measured})),
        "MACHINE": _machines(data, measured),
        "VERSIONS": "\n".join(f"- {name}: {version}" for name, version in data["versions"].items()),
        "MISSING": f"Not measured in this run: {', '.join(missing)}." if missing else "",
        "GOALS": tables.as_markdown(goals.goals_table(goals.judge(data))),
        "GROUPS": "\n\n".join(_section(data, group, plots[group]) for group in measured),
        "LOSSES": tables.as_markdown(losses) if len(losses) > 1 else "In no row that was measured.",
        "FAILURES": _failures(data),
    }
    page = TEMPLATE.read_text()
    for name, value in words.items():
        page = page.replace(f"@{name}@", value)
    return page


def _machines(data, measured):
    """The machine, or each with the groups measured on it."""
    groups = {}
    for group in measured:
        facts = data["groups"][group].get("machine", data["machine"])
        groups.setdefault(_facts({name: value for name, value in facts.items() if name != "free_gib"}), []).append(group)
    if len(groups) == 1:
        return next(iter(groups))
    return "\n\n".join(f"Of {', '.join(names)}:\n\n{facts}" for facts, names in groups.items())


def _facts(facts):
    return "\n".join(f"- {name.replace('_', ' ')}: {value}" for name, value in facts.items())


def _section(data, group, plots):
    about = data["groups"][group]
    rounds = "one long run" if group == "steady" else f"{about['rounds']} rounds"
    parts = [f"## {workloads.GROUPS[group]}", f"`scripts/bench.sh {group}`, {rounds}, began {about['began']}."
             + ("" if about["ended"] else " It was cut off before its end.")]
    parts += [f"![{group}](benchmarks/{name})" for name in plots]
    parts += [tables.as_markdown(table) for table in _tables(data, group) if len(table) > 1]
    slope = tables.replay_slope(data) if group == "takeover" else None
    if slope:
        parts.append(f"Of these steps only the replay grows with anything: {slope[0]:.2f} ms per MiB of journal behind the last checkpoint, plus {slope[1]:.2f} ms "
                     f"(least squares over {slope[2]} takeovers).")
    return "\n\n".join(parts)


def _tables(data, group):
    return [tables.main_table(data, group), tables.figures_table(data, group),
            *([tables.step_table(data)] if group == "takeover" else []), tables.floor_table(data, group)]


def _failures(data):
    lines = [f"- {group}: {run['row']}, {run['broker']}, round {run['round']}: {run['error'].splitlines()[0] if run['error'] else ''}"
             for group, about in data["groups"].items() for run in about["runs"] if "error" in run]
    return "\n".join(lines) or "None."


def _plots(data, group, folder):
    written = []
    for name, drawing in _drawings(data, group):
        if drawing:
            (folder / name).write_text(drawing)
            written.append(name)
    return written


def _drawings(data, group):
    measure, unit = BAR_MEASURES.get(group, ("per_second", "messages per second"))
    rows = {}
    for (row, broker), values in tables.group_runs(data, group).items():
        found = spread(tables.measures(values, measure)) if broker != "disk" else None
        if found:
            rows.setdefault(row, []).append((broker, *found))
        if broker == "holdfast" and group == "steady" and "marks" in values[-1]:
            series, marks = values[-1]["series"], values[-1]["marks"]
            yield "steady.svg", plot.lines(f"{row}: messages", "messages per second", {key: series[key][:-1] for key in ("sent", "received")}, marks)
            yield "steady-p99.svg", plot.lines(f"{row}: p99 of each second", "microseconds", {"send p99": series["send_p99_us"][:-1]}, marks)
    if group != "steady":
        yield f"{group}.svg", plot.bars(workloads.GROUPS[group], unit, list(rows.items()))
