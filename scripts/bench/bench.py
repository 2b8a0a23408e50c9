"""What every group needs to measure: the brokers, a place on the disk, the results, and how big things are.

`fresh` gives a directory that is gone afterwards; `quiet` refuses a busy machine. It knows nothing about any workload.
"""

import contextlib
import pathlib
import shutil
import tempfile

import machine
from brokers import ActiveMq, Artemis, Holdfast

WORK = pathlib.Path("target/bench").resolve()
BARE = pathlib.Path("target/release/examples/bare-broker").resolve()


class Bench:
    def __init__(self, binary, rounds, quick, wanted, results, rows=()):
        self.rows = rows  # only rows of these names; none means all
        self.binary = pathlib.Path(binary).resolve()
        self.rounds, self.quick, self.results = rounds, quick, results
        everybody = [Holdfast(self.binary)] + [kind() for kind in (ActiveMq, Artemis) if kind.available()]
        self.brokers = [broker for broker in everybody if not wanted or broker.name in wanted]
        self.failures = []

    def among(self, names):
        return [broker for broker in self.brokers if broker.name in names]

    def quiet(self):
        if not self.quick:
            machine.wait_until_quiet()

    @contextlib.contextmanager
    def fresh(self):
        WORK.mkdir(parents=True, exist_ok=True)
        directory = pathlib.Path(tempfile.mkdtemp(prefix="run.", dir=WORK))
        try:
            yield directory
        finally:
            shutil.rmtree(directory, ignore_errors=True)

    @contextlib.contextmanager
    def serving(self, broker, directory):
        running = broker.start(directory)
        try:
            yield running
        finally:
            running.end()

    def record(self, group, row, broker, number, values):
        self.results.add(group, row, broker, number, values)

    def failed(self, group, row, broker, number, error):
        self.failures.append(f"{group}, {row}, {broker}: {error}")
        self.results.add(group, row, broker, number, error=str(error)[:1000])
