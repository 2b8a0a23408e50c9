"""The two load generators, behind one function each: the stock ActiveMQ client (JmsBench) and `holdfast bench`.

Both give {"messages", "seconds", "per_second", "latency_us", "client_cpu_seconds"} and whatever else they said under "said". The
stock client waits for a word before it starts measuring, so `counter` covers exactly the measured stretch. The own client has no
such stop: there `counter` and `messages` cover the warm-up too, while `per_second` and `latency_us` leave it out.
"""

import json
import os
import subprocess
import tempfile
import threading
import time

from process import Failed, many_files, track, untrack

HEAP = ["-Xms256m", "-Xmx1g"]
LIMIT_SECONDS = 1800  # a run that takes longer hangs


def stock(url, verb, options, counter=None):
    command = ["java", *HEAP, "-cp", os.environ["BENCH_JMS_PATH"], "JmsBench", verb, f"url={url}", *(f"{key}={value}" for key, value in options.items())]
    with tempfile.TemporaryFile("w+") as errors:
        child = track(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True))
        limit = threading.Timer(LIMIT_SECONDS, child.kill)
        limit.start()
        try:
            if "ready" not in child.stdout.readline():
                raise Failed(f"JmsBench {verb} did not get ready: {_all(errors)}")
            if counter:
                counter.start()
            child.stdin.write("go\n")
            child.stdin.flush()
            line = child.stdout.readline()
            counted = counter.stop() if counter else {}
            child.stdin.close()
            child.wait()
        finally:
            limit.cancel()
            child.kill()
            child.wait()
            untrack(child)
        if not line.strip():
            raise Failed(f"JmsBench {verb} failed: {_all(errors)}")
    return _moved(json.loads(line) | counted, command)


def own(binary, url, options, counter=None, judged=True):
    """Options without a value are given as True. Exit code 65 (lost, duplicate, out of order) is a failure unless not judged."""
    command = [str(binary), "bench", "--url", url, "--json"]
    for key, value in options.items():
        command += [f"--{key}"] if value is True else [f"--{key}", str(value)]
    if counter:
        counter.start()
    began = time.monotonic()
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        child = track(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=errors, preexec_fn=many_files))
        limit = threading.Timer(LIMIT_SECONDS, child.kill)
        limit.start()
        try:
            _, status, used = os.wait4(child.pid, 0)
            child.returncode = os.waitstatus_to_exitcode(status)
        finally:
            limit.cancel()
            untrack(child)
        counted = counter.stop() if counter else {}
        text = _all(output).strip()
        if child.returncode not in ((0,) if judged else (0, 65)):
            raise Failed(f"{' '.join(command)} ended with {child.returncode}: {_all(errors)[-400:]} {text[-400:]}")
    said = json.loads(text.splitlines()[-1])
    return {**_moved(_figures(said, options), command), "wall_seconds": time.monotonic() - began, "client_cpu_seconds": used.ru_utime + used.ru_stime, **counted, "said": said}


def _moved(result, command):
    """A run that moved nothing measured nothing, however quickly."""
    if not result["messages"]:
        raise Failed(f"{' '.join(command)} moved no message")
    return result


def _figures(said, options):
    """A filling run is judged by its sends, a draining one and a pair by what arrived (foreign: sent by an earlier run)."""
    receives = options.get("consumers", 1) != 0
    moved = said["received"] + said["foreign"] if receives else said["sent"]
    return {"messages": moved, "seconds": said["seconds"], "latency_us": said["send_latency_us"],
            "per_second": said["receive_per_second"] if receives else said["send_per_second"]}


def _all(file):
    file.seek(0)
    return file.read()
