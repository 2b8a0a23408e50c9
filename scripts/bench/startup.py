"""Start on an empty directory: exec to a port that answers, to the broker's own word, and memory after five idle seconds."""

import socket
import time

from progress import Progress

IDLE_SECONDS = 5
GUESS_SECONDS = 12


def run_group(bench, group):
    progress = Progress([(f"startup: {broker.name}", GUESS_SECONDS) for _ in range(bench.rounds) for broker in bench.brokers])
    for number in range(1, bench.rounds + 1):
        for broker in bench.brokers:
            progress.step(f"startup: {broker.name}")
            bench.quiet()
            with bench.fresh() as directory:
                bench.record(group, "empty directory", broker.name, number, _measure(broker, directory, 1 if bench.quick else IDLE_SECONDS))
    progress.finish()


def estimate(bench, _group):
    return bench.rounds * len(bench.brokers) * GUESS_SECONDS


def _measure(broker, directory, idle_seconds):
    running = broker.start(directory, wait=False)
    try:
        port_ms = _until_answering(running)
        ready_ms = running.wait_until_ready().ready_ms
        time.sleep(idle_seconds)
        return {"port_ms": port_ms, "ready_ms": ready_ms, "idle_rss_kib": running.memory_kib()["rss_kib"]}
    finally:
        running.end()


def _until_answering(running):
    while time.monotonic() - running.started < 60:
        try:
            socket.create_connection(("127.0.0.1", running.port), 1).close()
            return (time.monotonic() - running.started) * 1e3
        except OSError:
            time.sleep(0.0005)
    raise TimeoutError(f"{running.broker} does not answer on port {running.port}")
