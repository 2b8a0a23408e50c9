#!/usr/bin/env python3
"""Proves from outside a broker that every acknowledged send was covered by a completed, synchronous write.

    scripts/bench/proof.py [--holdfast target/release/holdfast] [--messages 2000] [--keep DIR]

Starts a broker on a temporary directory under strace, sends from 8 producers one message at a time, then with 16
unanswered, then in transactions of 20, each to a queue of its own, and judges the trace: a message is covered when its
body stands, in a batch that a successor would find, in a write to the journal through O_DSYNC (or one that a sync
followed) that had returned before the write of its answer began; between the two the broker must have looked at its
lock. It prints one JSON object, with the syncs and bytes per message that were counted on the way, and ends with 0 only
if there were answers and every one was covered.

That it can fail, without changing the broker: strace can pretend writes that never happen.

    scripts/bench/proof.py --strace-option=--inject=pwrite64:retval=4096:when=300+

Not proven here: that the disk keeps what it said it has, and acknowledgements of consumers. The broker is slow under
strace, so nothing here is a figure of speed.
"""

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from proof_judge import Judge  # noqa: E402
from proof_wire import Unreadable  # noqa: E402

NOT_PROVEN, USAGE, UNAVAILABLE = 1, 64, 69
# Every call through which the broker moves messages, answers and looks at its lock.
CALLS = ("openat,close,accept,accept4,recvfrom,recvmsg,read,readv,sendto,sendmsg,write,writev,pwrite64,pwritev,"
         "pwritev2,fdatasync,fsync,statx,newfstatat,pread64")
# Longer than any batch of this load; the zeros that a new segment is filled with are not worth more.
STRING_LIMIT = 256 * 1024
START_LIMIT, LOAD_LIMIT, STOP_LIMIT = 15, 40, 15


class Unavailable(Exception):
    """Something that is needed is not there or did not work."""


class Broker:
    """A broker under strace. Ended, whatever happens, at the end of the `with`."""

    def __init__(self, args, work):
        self.data, self.trace, self.log = (os.path.join(work, name) for name in ("data", "trace", "log"))
        command = ["strace", "-f", "-ttt", "-yy", "-s", str(STRING_LIMIT), "-o", self.trace, "-e", f"trace={CALLS}",
                   *args.strace_option, "--", args.holdfast, "broker", "--name", "proof", "--data", self.data,
                   "--listen", "tcp://127.0.0.1:0", "--log-format", "json", *args.broker_option]
        with open(self.log, "wb") as log:
            # A group of its own: strace leaves signals to the broker, so both can be told at once.
            self.process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self._signal(signal.SIGKILL)
        self.process.wait()

    def url(self):
        """Waits until the broker is master; where it listens."""
        deadline = time.monotonic() + START_LIMIT
        while time.monotonic() < deadline and self.process.poll() is None:
            with open(self.log, encoding="utf-8", errors="replace") as log:
                text = log.read()
            port = re.search(r'"listener\.bound".*?127\.0\.0\.1:([1-9]\d*)"', text)
            if port and '"master.ready"' in text:
                return f"tcp://127.0.0.1:{port.group(1)}"
            time.sleep(0.02)
        what = f"was not master after {START_LIMIT} s" if self.process.poll() is None else "ended at once"
        raise Unavailable(f"the broker {what}:\n{self.last_words()}")

    def stop(self):
        """Ends it cleanly, so that the trace is whole."""
        self._signal(signal.SIGTERM)
        try:
            self.process.wait(STOP_LIMIT)
        except subprocess.TimeoutExpired:
            raise Unavailable(f"the broker did not stop within {STOP_LIMIT} s") from None

    def last_words(self):
        """The end of its log."""
        with open(self.log, encoding="utf-8", errors="replace") as log:
            return log.read()[-1000:]

    def _signal(self, number):
        try:
            os.killpg(self.process.pid, number)
        except ProcessLookupError:
            pass


def send(args, url):
    """Runs the load; how many messages the clients say were answered."""
    if subprocess.run([args.holdfast, "bench", "--help"], capture_output=True, check=False).returncode == 0:
        load = bench_commands(args, url)
    else:
        load = send_commands(args, url)
    return sum(run_all(commands) for commands in load)


def bench_commands(args, url):
    """One run after the other, each in a process of its own."""
    def one(queue, producers, *more):
        return [[args.holdfast, "bench", "--url", url, "--queue", queue, "--producers", str(producers),
                 "--consumers", "0", "--size", str(args.size), "--messages", str(args.messages), "--json", *more]]

    return [one("one-by-one", args.producers), one("pipelined", args.producers, "--window", "16"),
            one("transacted", 2, "--transaction", str(args.transaction))]


def send_commands(args, url):
    """For a broker without `bench`: a process for every producer, whose bodies name it, so that each is its own."""
    def all_of(queue, producers, *more):
        count = str(-(-args.messages // producers))
        return [[args.holdfast, "send", queue, "--url", url, "--count", count, "--body",
                 f"{queue} {producer} {{n}} ".ljust(args.size, "."), *more] for producer in range(producers)]

    return [all_of("one-by-one", args.producers), all_of("transacted", 2, "--transaction", str(args.transaction))]


def run_all(commands):
    """Runs them side by side; the sum of the messages they sent."""
    pipe = subprocess.PIPE
    running = [subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) for command in commands]
    sent, deadline = 0, time.monotonic() + LOAD_LIMIT
    try:
        for client in running:
            out, err = client.communicate(timeout=max(0.1, deadline - time.monotonic()))
            found = re.search(r'^sent=(\d+)|"sent": *(\d+)', out, re.M)
            if client.returncode != 0 or not found:
                raise Unavailable(f"a client ended with {client.returncode}: {(err or out)[-500:]}")
            sent += int(found.group(1) or found.group(2))
    except subprocess.TimeoutExpired:
        raise Unavailable(f"the load did not end within {LOAD_LIMIT} s") from None
    finally:
        for client in running:
            if client.poll() is None:
                client.kill()
                client.wait()
    return sent


def prove(args, work):
    """One broker, one load, one report."""
    trouble = None
    with Broker(args, work) as broker:
        url = broker.url()
        try:
            sent = send(args, url)
        except Unavailable as error:
            # A broker that failed under the load may still have answered too early: that is worth more than the cause.
            sent, trouble = 0, str(error)
        broker.stop()
    with open(broker.trace, encoding="latin-1") as trace:
        report = Judge(broker.data).run(trace)
    report["sent"] = sent
    if trouble:
        report["trouble"] = trouble
    if report["answered"] < sent:
        report["trouble"] = f"the clients had {sent} messages answered, the trace shows {report['answered']}"
    if "trouble" in report:
        report["proven"] = False
    return report


def arguments():
    parser = argparse.ArgumentParser(description="Proves that every acknowledged send was covered by a completed sync.")
    parser.add_argument("--holdfast", default="target/release/holdfast", help="the binary [%(default)s]")
    parser.add_argument("--messages", type=int, default=2000, help="of each way of sending [%(default)s]")
    parser.add_argument("--producers", type=int, default=8, help="of messages without a transaction [%(default)s]")
    parser.add_argument("--transaction", type=int, default=20, help="messages of a transaction [%(default)s]")
    parser.add_argument("--size", type=int, default=1024, help="bytes of a body [%(default)s]")
    parser.add_argument("--dir", help="folder of the temporary data directory: it decides which disk is proven")
    parser.add_argument("--keep", metavar="DIR", help="leave the trace, the log and the data in this new folder")
    parser.add_argument("--broker-option", action="append", default=[], help="handed to the broker; may be repeated")
    parser.add_argument("--strace-option", action="append", default=[], help="handed to strace; may be repeated")
    parser.error = lambda text: parser.exit(USAGE, f"proof.py: {text}\n")
    return parser.parse_args()


def main():
    args = arguments()
    if not shutil.which("strace"):
        print("proof.py: strace is not installed: apt-get install strace", file=sys.stderr)
        return UNAVAILABLE
    if not shutil.which(args.holdfast):
        print(f"proof.py: no broker at {args.holdfast}: cargo build --release", file=sys.stderr)
        return UNAVAILABLE
    if args.keep:
        os.makedirs(args.keep)
    # strace prints real paths.
    work = os.path.realpath(args.keep or tempfile.mkdtemp(prefix="holdfast-proof.", dir=args.dir))
    try:
        report = prove(args, work)
    except Unavailable as error:
        print(f"proof.py: {error}", file=sys.stderr)
        return UNAVAILABLE
    except Unreadable as error:
        report = {"proven": False, "trouble": str(error)}
    finally:
        if not args.keep:
            shutil.rmtree(work, ignore_errors=True)
    print(json.dumps(report, indent=1))
    return 0 if report["proven"] else NOT_PROVEN


if __name__ == "__main__":
    sys.exit(main())
