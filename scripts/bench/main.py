"""The command line of the benchmark: picks groups, runs them, has the report written. Started by scripts/bench.sh.

Exit codes: 0 everything asked for was measured, 1 a run failed, 64 usage, 75 the machine is not quiet.
"""

import argparse
import json
import pathlib
import subprocess
import sys

import backlog
import disk
import machine
import process
import report
import runner
import startup
import steady
import takeover
import workloads
from bench import WORK, Bench
from brokers import versions
from progress import Progress
from results import Results

RESULTS, QUICK_RESULTS = WORK / "results.json", WORK / "quick.json"
MODULES = {"takeover": takeover, "startup": startup, "backlog": backlog, "steady": steady}
DISK_SECONDS = 5


def main():
    arguments = _arguments()
    if arguments.list:
        return _list()
    if arguments.groups == ["report"]:
        return report.write(Results(RESULTS).data)
    unknown = [group for group in arguments.groups if group not in workloads.GROUPS]
    if unknown:
        print(f"bench.sh: unknown group {unknown[0]}; there are {' '.join(workloads.GROUPS)}, and report", file=sys.stderr)
        return 64
    process.guard()
    results = Results(QUICK_RESULTS if arguments.quick else RESULTS)
    bench = Bench(arguments.holdfast, 1 if arguments.quick else arguments.rounds, arguments.quick, arguments.brokers, results, arguments.row)
    try:
        return _measure(bench, arguments.groups or list(workloads.GROUPS))
    except machine.Busy as busy:
        print(f"bench.sh: {busy}; nothing is recorded on a busy machine", file=sys.stderr)
        return 75
    except KeyboardInterrupt:
        return 130


def _arguments():
    parser = argparse.ArgumentParser(prog="scripts/bench.sh", description="Measures Holdfast beside ActiveMQ and Artemis.")
    parser.add_argument("groups", nargs="*", metavar="GROUP", help="what to measure; none means everything; or: report")
    parser.add_argument("--rounds", type=int, default=5, help="runs of each broker and row (5)")
    parser.add_argument("--row", action="append", default=[], metavar="NAME", help="only rows of this name; may be repeated")
    parser.add_argument("--quick", action="store_true", help="one small round, for trying out; never reported")
    parser.add_argument("--holdfast", default="target/release/holdfast", metavar="BINARY")
    parser.add_argument("--brokers", type=lambda text: text.split(","), help="only these, of holdfast,activemq,artemis")
    parser.add_argument("--list", action="store_true", help="name groups, rows and goals")
    return parser.parse_args()


def _list():
    for group, title in workloads.GROUPS.items():
        print(f"{group}: {title}")
        for row in workloads.rows_of(group):
            print(f"    {row.name} ({row.client} client; {', '.join(row.brokers)})")
        for goal in workloads.GOALS:
            if goal.group == group:
                print(f"    goal: {goal.row}: {goal.text}")
    return 0


def _measure(bench, groups):
    results = bench.results
    with bench.fresh() as directory:
        results.describe(machine.facts(WORK), versions(bench.brokers, directory))
    for group in groups:
        seconds = _estimate(bench, group)
        print(f"== {group}: {workloads.GROUPS[group]} (about {max(1, round(seconds / 60))} min)", file=sys.stderr)
        results.begin(group, bench.rounds)
        _run(bench, group)
        results.end(group)
        print(report.text(results.data, group))
    for failure in bench.failures:
        print(f"failed: {failure}", file=sys.stderr)
    return 1 if bench.failures else 0


def _estimate(bench, group):
    if group in ("disk", "proof"):
        return 60
    return MODULES.get(group, runner).estimate(bench, group)


def _run(bench, group):
    if group == "disk":
        _disk(bench)
    elif group == "proof":
        _proof(bench)
    else:
        MODULES.get(group, runner).run_group(bench, group)


def _disk(bench):
    seconds = 1 if bench.quick else DISK_SECONDS
    progress = Progress([("disk", 2 * seconds + 3)] * bench.rounds)
    for number in range(1, bench.rounds + 1):
        progress.step("disk")
        bench.quiet()
        with bench.fresh() as directory:
            bench.record("disk", "4 KiB, one thread", "disk", number, disk.floors(directory, seconds))
    progress.finish()


def _proof(bench):
    """proof.py is a program of its own, because it also runs alone: 0 means proven, and it prints one JSON object."""
    command = [sys.executable, str(pathlib.Path(__file__).with_name("proof.py")), "--holdfast", str(bench.binary)]
    done = subprocess.run(command + (["--messages", "200"] if bench.quick else []), stdout=subprocess.PIPE, text=True)
    try:
        said = json.loads(done.stdout)
    except json.JSONDecodeError:
        said = {"output": done.stdout[-1000:]}
    bench.record("proof", "every send", "holdfast", 1, {"passed": 1 if done.returncode == 0 else 0, "said": said})
    if done.returncode != 0:
        bench.failures.append(f"proof: exit code {done.returncode}")


if __name__ == "__main__":
    sys.exit(main())
