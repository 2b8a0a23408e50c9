"""Judges a trace of a broker: was every message that it answered durable before the answer, and was the lock checked
in between?

An answer is judged by the moment at which the write of it began, a message by the moment from which a successor would
find it (`proof_journal`). A message is found by its whole body in one record, so every body must be its own; two
messages with one body are a fault of the load and fail the proof. Doubt counts against the broker.
"""

import bisect

from proof_journal import Journal
from proof_wire import Connection, Unreadable
from trace import events

ACCEPTS = ("accept", "accept4")
READS = ("recvfrom", "read", "recvmsg", "readv")
SENDS = ("sendto", "write", "sendmsg", "writev")
STATS = ("statx", "newfstatat", "stat", "lstat")
# Shorter bodies could stand in a record by chance.
SHORTEST_BODY = 16
SHOWN = 10


class Judge:
    """Follows one broker on the data directory `data`, an absolute path without symbolic links."""

    def __init__(self, data):
        self.lock = data.rstrip("/") + "/lock"
        self.journal = Journal(data.rstrip("/") + "/journal", self._durable)
        self.connections = {}
        self.waiting = []  # received and not durable, oldest first
        self.bodies = {}
        self.shared_bodies = []
        self.answers = []
        self.lock_checks = []

    def run(self, lines):
        """Takes the whole trace and returns the report."""
        for kind, call in events(lines):
            if kind == "begin":
                self._begin(call)
            else:
                self._end(call)
        self.lock_checks.sort()
        return report(self)

    def _begin(self, call):
        self.journal.begin(call)
        if call.name == "close":
            self.connections.pop(call.fd()[0], None)

    def _end(self, call):
        self.journal.end(call)
        fd, what = call.fd()
        if call.name in ACCEPTS:
            if call.ret is not None and call.ret >= 0:
                self.connections[call.ret] = Connection(self._received)
        elif fd in self.connections:
            self._moved(call, self.connections[fd])
        elif self._checks_lock(call, what):
            self.lock_checks.append((call.begin, call.end))

    def _moved(self, call, connection):
        if call.name not in READS + SENDS or call.error:
            return
        if call.is_cut() or call.injected:
            raise Unreadable(f"line {call.begin // 2}: {call.name} on a socket was not traced whole")
        # No result was seen, so the peer may have got all of it.
        data = call.data() if call.ret is None else call.data()[:call.ret]
        if not data:
            return
        if call.name in READS:
            connection.received(call.end, data)
        else:
            self.answers.extend(connection.sent(call.begin, data))

    def _checks_lock(self, call, what):
        if call.ret is None or call.ret < 0 or call.injected:
            return False
        if call.name in STATS:
            return call.text() == self.lock
        # On a network file system the lock file is read past the cache instead.
        return call.name in ("pread64", "read") and what == self.lock and call.ret > 0

    def _received(self, message):
        known = self.bodies.setdefault(message.content, message)
        if known is not message and known.identity == message.identity:
            return known
        if known is not message or len(message.content) < SHORTEST_BODY:
            self.shared_bodies.append(message)
        else:
            self.waiting.append(message)
        return message

    def _durable(self, sync, record):
        for place, message in enumerate(self.waiting):
            if message.content in record:
                message.durable = sync.place
                sync.messages.append(message)
                del self.waiting[place]
                return

    def is_lock_checked(self, after, before):
        """Whether a check of the lock began after the one place and ended before the other."""
        first = bisect.bisect_right(self.lock_checks, after, key=lambda check: check[0])
        for begin, end in self.lock_checks[first:]:
            if begin >= before:
                return False
            if end < before:
                return True
        return False


def report(judge):
    """What was found, ready to be printed as JSON."""
    answered, uncovered, unverified = 0, [], []
    queues = {}  # messages, syncs, bytes
    for answer in judge.answers:
        for message in answer.messages:
            answered += 1
            queues.setdefault(message.queue, [0, 0, 0])[0] += 1
            fault = fault_of(answer, message)
            if fault:
                uncovered.append(fault)
            elif not judge.is_lock_checked(message.durable, answer.begin):
                unverified.append(name_of(message))
    syncs = [sync for sync in judge.journal.syncs if sync.messages]
    for sync in syncs:
        # Exact as long as one queue is used after the other.
        figures = queues.setdefault(sync.messages[0].queue, [0, 0, 0])
        figures[1] += 1
        figures[2] += sync.bytes
    for message in judge.shared_bodies:
        uncovered.append({"message": name_of(message), "why": "its body is not its own, so it proves nothing"})
    return {
        "proven": answered > 0 and not uncovered and not unverified,
        "answered": answered,
        "covered": answered - sum("answer_line" in fault for fault in uncovered),
        "uncovered_count": len(uncovered),
        "uncovered": uncovered[:SHOWN],
        "answers": len(judge.answers),
        "syncs": len(syncs),
        "syncs_per_message": ratio(len(syncs), answered),
        "bytes_written_per_message": ratio(sum(sync.bytes for sync in syncs), answered),
        "other_syncs": judge.journal.other_syncs + len(judge.journal.syncs) - len(syncs),
        "lock_checks": {"made": len(judge.lock_checks), "unverified_count": len(unverified),
                        "unverified": unverified[:SHOWN]},
        "by_queue": {queue: {"answered": messages, "syncs": count, "syncs_per_message": ratio(count, messages),
                             "bytes_written_per_message": ratio(size, messages)}
                     for queue, (messages, count, size) in queues.items()},
        "doubts": judge.journal.doubts[:SHOWN],
    }


def fault_of(answer, message):
    """Why the answer came too early for this message, or None."""
    if message.durable is not None and message.durable < answer.begin:
        return None
    why = "never durable" if message.durable is None else f"durable only from line {message.durable // 2}"
    return {"message": name_of(message), "answer_line": answer.begin // 2, "why": why}


def name_of(message):
    """As ActiveMQ writes a message id: connection, session, producer, sequence."""
    if not message.identity or not message.identity[2]:
        return "a message without id"
    _, _text, producer, sequence, _broker_sequence = message.identity
    _, connection, value, session = producer
    return f"{connection}:{session}:{value}:{sequence}"


def ratio(part, whole):
    return round(part / whole, 4) if whole else None
