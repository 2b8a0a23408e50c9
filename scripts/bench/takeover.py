"""Takeover: how long the stock client waits for its next acknowledged send after the master's end, and where that time goes.

Holdfast runs under scripts/chaos.sh, which also judges that nothing was lost; its kept logs give the steps. ActiveMQ runs as a
master and a slave on one directory under the same client (tests/interop/java/Chaos.java), one kill a round, because each takes
seconds. Every kill is a run of its own in the results.
"""

import datetime
import json
import pathlib
import re
import subprocess
import time

from brokers import ActiveMq
from process import Failed, Group, Process
from progress import Progress

# With how many messages of 1 KiB queued beside the clients' own.
SCENARIOS = [("SIGKILL", "KILL", 0), ("SIGTERM", "TERM", 0), ("SIGKILL, 1 GB queued", "KILL", 1_000_000), ("SIGKILL, 10 GB queued", "KILL", 10_000_000)]
POLLS = [("activemq", 10_000), ("activemq, poll 1 s", 1_000)]
SECONDS, EVERY = 60, 3
FILL_PER_SECOND = 200_000
QUICK_SECONDS, QUICK_BACKLOG = 8, 10_000
LONG_SECONDS = 180  # the client of ActiveMQ's takeover goes on until its pause is over, at most half of this
HICCUP_MS = 100  # no JVM starts serving in less; a shorter pause across the kill was the client's own
SLACK_MS = 5  # a pause that began this long after the kill, by another process' clock reading, is still the kill's


def run_group(bench, group):
    seconds = QUICK_SECONDS if bench.quick else SECONDS
    peers = POLLS if bench.among(("activemq",)) else []
    round_steps = [(f"takeover: {name}", seconds + 15 + backlog / FILL_PER_SECOND) for name, _, backlog in SCENARIOS]
    round_steps += [(f"takeover: {name}", 40) for name, _ in peers]
    progress = Progress(round_steps * bench.rounds)
    for number in range(1, bench.rounds + 1):
        for name, signal, backlog in SCENARIOS:
            progress.step(f"takeover: {name}")
            bench.quiet()
            _holdfast(bench, group, name, signal, min(backlog, QUICK_BACKLOG) if bench.quick else backlog, seconds, number)
        for name, poll in peers:
            progress.step(f"takeover: {name}")
            bench.quiet()
            _activemq(bench, group, name, poll, number)
    progress.finish()


def estimate(bench, _group):
    seconds = QUICK_SECONDS if bench.quick else SECONDS
    return bench.rounds * (sum(seconds + 15 + backlog / FILL_PER_SECOND for _, _, backlog in SCENARIOS) + 40 * len(POLLS))


# Holdfast

def _holdfast(bench, group, row, signal, backlog, seconds, number):
    command = ["scripts/chaos.sh", "--brokers", "2", "--seconds", str(seconds), "--every", str(EVERY), "--signal", signal, "--keep"]
    command += ["--backlog", str(backlog)] if backlog else []
    with bench.fresh() as directory:
        output = directory / "output"
        chaos = Group(command, output, {"HOLDFAST": str(bench.binary), "CHAOS_DIR": str(directory)})
        try:
            code = chaos.child.wait(seconds * 3 + 300)
            kept = re.search(r"^kept (\S+)$", chaos.said(), re.M)
            if code != 0 or not kept:
                raise Failed(chaos.tail())
            for values in pauses(pathlib.Path(kept[1])):
                bench.record(group, row, "holdfast", number, values)
        except (Failed, OSError, subprocess.TimeoutExpired) as error:
            bench.failed(group, row, "holdfast", number, error)
        finally:
            chaos.kill()


def pauses(folder):
    """One record per kill: the longest pause of a producer, and the steps that it consists of."""
    kills = [int(line) for line in (folder / "kills").read_text().split()]
    gaps = read_gaps((folder / "client.log").read_text())
    events = sorted(_events(folder), key=lambda event: event["at_ms"])
    for index, kill in enumerate(kills):
        until = kills[index + 1] if index + 1 < len(kills) else kill + EVERY * 1000
        mine = [event for event in events if kill - 1 <= event["at_ms"] < until]
        pause = pause_across(_ready_at(mine, kill), until, gaps)
        if pause is None:
            continue  # the producers had ended before
        length, end = pause
        yield {"pause_ms": length, **_steps(max(kill, end - length), end, mine)}


def _ready_at(events, kill):
    """When the successor was ready: a master that was told to stop may serve on for some moments."""
    return next((event["at_ms"] for event in events if event.get("event") == "master.ready"), kill)


def read_gaps(text):
    """(milliseconds, end as unix milliseconds) of every pause the client noticed."""
    return [(float(length), int(end)) for length, end in re.findall(r"^gap ([\d.]+) ms until (\d+)$", text, re.M)]


def pause_across(moment, until, gaps):
    """The longest pause that spans or closely follows a moment."""
    mine = [(length, end) for length, end in gaps if moment <= end < until and end - length <= moment + SLACK_MS]
    return max(mine, default=None)


def _events(folder):
    for path in folder.glob("b*.log"):
        for line in path.read_text(errors="replace").splitlines():
            if line.startswith("{") and '"timestamp"' in line:
                event = json.loads(line)
                moment = datetime.datetime.fromisoformat(event["timestamp"].replace("Z", "+00:00"))
                yield {**event, "at_ms": moment.timestamp() * 1e3}


def _steps(kill, end, events):
    ready = next((event for event in events if event.get("event") == "master.ready"), None)
    finished = next((event for event in events if event.get("event") == "recovery.finished"), None)
    if not ready:
        return {}
    steps = {key: ready[key] for key in ready if key.endswith("_ms") and key not in ("at_ms",)}
    steps["before_ms"] = ready["at_ms"] - kill - ready.get("total_ms", 0)
    steps["client_ms"] = max(0.0, end - ready["at_ms"])
    if finished:
        steps |= {"replayed_mib": finished["bytes"] / 2**20, "replayed_records": finished["records"]}
    return {"steps": steps}


# ActiveMQ

def _activemq(bench, group, name, poll_ms, number):
    broker = ActiveMq(poll_ms)
    classes = subprocess.run(["scripts/java.sh", "debian"], capture_output=True, text=True, check=True).stdout.strip()
    with bench.fresh() as directory:
        master = broker.start(directory, name="bench", log="one.log")
        slave = client = None
        try:
            slave = broker.start(directory, wait=False, name="bench", log="two.log")
            client = Process(["java", "-cp", classes, "Chaos", f"failover:({master.url},{slave.url})", "chaos", str(LONG_SECONDS), "1024", "client", "1", "1"],
                             directory / "client.log")
            client.wait_for("gap ", 60)  # its first send, which loads half of the client's classes, never takes less than 10 ms
            time.sleep(4)  # until the slave waits for the lock and the client is warm
            kill = time.time() * 1e3
            master.kill()
            pause = _wait_for_pause(client, kill)
            bench.record(group, "SIGKILL", name, number, {"pause_ms": pause[0]})
        except (Failed, OSError, subprocess.SubprocessError) as error:
            bench.failed(group, "SIGKILL", name, number, error)
        finally:
            for process in (client, slave, master):
                if process:
                    process.kill()


def _wait_for_pause(client, kill):
    """Milliseconds and end of the pause; the client prints it when its next send is answered, and is ended then."""
    deadline = time.monotonic() + LONG_SECONDS / 2
    while time.monotonic() < deadline:
        pause = pause_across(kill, kill + LONG_SECONDS * 1e3, read_gaps(client.said()))
        if pause and pause[0] > HICCUP_MS:
            return pause
        time.sleep(0.1)
    raise Failed(f"no pause seen: {client.tail()}")
