"""Every single run, on disk as soon as it is over: target/bench/results.json.

Shape: {"machine", "versions", "groups": {group: {"began", "ended", "rounds", "machine", "runs": [...]}}}. A run is {"row", "broker",
"round", "at", "values"} or has "error" instead of values. The disk floors measured beside the runs are runs of the broker "disk".
Medians are made by the report, so that nothing measured is thrown away. Measuring a group again replaces it, and
each says on which machine that was: "machine" is only the last one.
"""

import datetime
import json
import os
import pathlib


class Results:
    def __init__(self, path):
        self.path = pathlib.Path(path)
        self.data = {"machine": {}, "versions": {}, "groups": {}}
        if self.path.exists():
            self.data = json.loads(self.path.read_text())

    def describe(self, machine, versions):
        self.data["machine"] = machine
        self.data["versions"].update(versions)
        self._save()

    def begin(self, group, rounds):
        self.data["groups"][group] = {"began": now(), "ended": None, "rounds": rounds, "machine": self.data["machine"], "runs": []}  # not saved yet: a busy machine must not cost the last results

    def add(self, group, row, broker, number, values=None, error=None):
        run = {"row": row, "broker": broker, "round": number, "at": now()}
        run.update({"values": values} if error is None else {"error": error})
        self.data["groups"][group]["runs"].append(run)
        self._save()

    def end(self, group):
        self.data["groups"][group]["ended"] = now()
        self._save()

    def _save(self):
        """Whole or not at all: a run that is killed leaves the last complete file."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        half = self.path.with_suffix(".part")
        half.write_text(as_json(self.data))
        os.replace(half, self.path)


def as_json(data):
    """One line per run, so that a difference between two files can be read."""
    groups = []
    for name, about in data["groups"].items():
        head = json.dumps({key: value for key, value in about.items() if key != "runs"})[1:-1]
        runs = ",\n".join("   " + json.dumps(run) for run in about["runs"])
        groups.append(f'  {json.dumps(name)}: {{{head}, "runs": [\n{runs}\n  ]}}')
    rest = ",\n".join(f" {json.dumps(key)}: {json.dumps(value)}" for key, value in data.items() if key != "groups")
    return f'{{\n{rest},\n "groups": {{\n' + ",\n".join(groups) + "\n }\n}\n"


def now():
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
