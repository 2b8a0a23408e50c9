"""The brokers that are compared: how each is started on a directory, and when it serves.

Each answers `start(directory)` with a Running whose `url` clients connect to. Java brokers get a 1 GiB heap, what ActiveMQ's own start
script gives. None is tuned beyond what its own documentation tells everybody; see tests/bench/java.
"""

import os
import pathlib
import re
import socket
import subprocess
import zipfile

from process import Process

HEAP = ["-Xms512m", "-Xmx1g"]
BUILD = pathlib.Path("target/bench/build").resolve()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Running(Process):
    """A broker that serves; `ready_ms` is from its exec to its own word that it does."""

    def __init__(self, broker, command, log, port, ready):
        super().__init__(command, log)
        self.broker, self.port, self.url = broker, port, f"tcp://127.0.0.1:{port}"
        self.ready = ready
        self.ready_ms = None

    def wait_until_ready(self, seconds=120):
        try:
            self.ready_ms = self.wait_for(self.ready, seconds)
        except BaseException:
            self.kill()
            raise
        return self


class Holdfast:
    name = "holdfast"

    def __init__(self, binary, options=()):
        self.binary, self.options = str(binary), list(options)

    def start(self, directory, wait=True):
        port = free_port()
        command = [self.binary, "broker", "--name", "bench", "--data", f"{directory}/data", "--listen", f"tcp://127.0.0.1:{port}",
                   "--max-connections", "20000", "--log-format", "json", *self.options]
        running = Running(self.name, command, f"{directory}/broker.log", port, r'"master\.ready"')
        return running.wait_until_ready() if wait else running


class Asleep(Holdfast):
    """Holdfast where it may not keep the processors awake."""
    name = "holdfast, asleep"

    def __init__(self, binary):
        super().__init__(binary, ["--keep-awake", "never"])


class Bare:
    """Only what no broker can leave out (tests/bench/bare_broker.rs): a measured floor, not a peer."""
    name = "bare"

    def __init__(self, binary, sync_delay_us=0, stocks=False):
        self.binary, self.sync_delay_us, self.stocks = str(binary), sync_delay_us, stocks

    def start(self, directory):
        port = free_port()
        command = [self.binary, str(port), f"{directory}/data", str(self.sync_delay_us), *(["stock"] if self.stocks else [])]
        return Running(self.name, command, f"{directory}/broker.log", port, r"^ready").wait_until_ready()


class Echo:
    """The bare broker without a disk: it answers at once, so what a lone client's round takes is the client's own time."""
    name = "echo"

    def __init__(self, binary):
        self.binary = str(binary)

    def start(self, directory):
        port = free_port()
        return Running(self.name, [self.binary, str(port), "-", "0", "stock"], f"{directory}/broker.log", port, r"^ready").wait_until_ready()


class ActiveMq:
    name = "activemq"
    prefix = ()

    def __init__(self, lock_poll_ms=10_000):
        self.lock_poll_ms = lock_poll_ms

    @staticmethod
    def available():
        return "BENCH_JMS_PATH" in os.environ

    def start(self, directory, wait=True, name="bench", log="broker.log"):
        port = free_port()
        command = [*self.prefix, "java", *HEAP, "-cp", os.environ["BENCH_JMS_PATH"], "AmqBroker", name, str(port), f"{directory}/data", str(self.lock_poll_ms)]
        running = Running(self.name, command, f"{directory}/{log}", port, r" started ")
        return running.wait_until_ready() if wait else running


class AwakeActiveMq(ActiveMq):
    """ActiveMQ on processors that do not sleep as long as it runs: how much of Holdfast's lead is only that."""
    name = "activemq, awake"
    prefix = ("sh", "-c", 'exec 3>/dev/cpu_dma_latency && printf "\\0\\0\\0\\0" >&3 && exec "$@"', "sh")


class Artemis:
    name = "artemis"

    @staticmethod
    def available():
        return "BENCH_ARTEMIS_PATH" in os.environ

    def start(self, directory, wait=True):
        port = free_port()
        command = ["java", *HEAP, f"-Djava.library.path={_native_library()}", "-cp", os.environ["BENCH_ARTEMIS_PATH"],
                   "ArtemisBroker", str(port), f"{directory}/data"]
        running = Running(self.name, command, f"{directory}/broker.log", port, r" started ")
        return running.wait_until_ready() if wait else running


def _native_library():
    """Artemis' door to libaio lies inside a jar; the JVM wants a file."""
    folder = BUILD / "native"
    if not any(folder.glob("*.so")):
        folder.mkdir(parents=True, exist_ok=True)
        jar = next((BUILD / "jars").glob("activemq-artemis-native-*.jar"))
        with zipfile.ZipFile(jar) as archive:
            for name in archive.namelist():
                if name.endswith("64.so"):
                    (folder / pathlib.Path(name).name).write_bytes(archive.read(name))
    return folder


def versions(brokers, directory):
    """What each broker says of itself; Artemis names its journal only when it runs."""
    found = {}
    for broker in brokers:
        if broker.name == "holdfast":
            found["holdfast"] = subprocess.run([broker.binary, "--version"], capture_output=True, text=True).stdout.strip()
        elif broker.name == "activemq":
            found["activemq"] = f"{_jar_version('/usr/share/java', 'activemq-broker')} (Debian), KahaDB"
        else:
            running = broker.start(directory)
            kind = re.search(r"journal (\w+)", running.tail())[1]
            running.end()
            found["artemis"] = f"{_jar_version(BUILD / 'jars', 'artemis-server')} (Maven Central), journal {kind}"
    return found


def _jar_version(folder, name):
    for path in sorted(pathlib.Path(folder).glob(f"{name}-[0-9]*.jar")):
        return path.stem[len(name) + 1:]
    return "unknown"
