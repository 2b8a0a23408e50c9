"""What clients asked and the broker answered, from the bytes on its sockets.

Reads OpenWire 12 in its loose form without cache, which is what Holdfast's own client negotiates; anything else is
refused by name instead of being misread. Only what a proof needs is decoded: messages up to their body, the ends of
transactions, and responses. ProducerAck is flow control and promises nothing, so it is not an answer.
"""

import bisect
import struct

VERSION = 12
WIRE_FORMAT_INFO, TRANSACTION_INFO, RESPONSE, EXCEPTION_RESPONSE = 1, 7, 30, 31
MESSAGES = range(23, 30)
RESPONSES = (30, 32, 33, 34)
COMMITS, ROLLBACK = (2, 3), 4

# Fields of what is nested in the commands that are read: s string, l long, i int, b bytes, n nested.
SHAPES = {100: "s", 101: "s", 102: "s", 103: "s", 110: "snll", 111: "ln", 112: "ibb", 120: "s", 121: "sl", 122: "sll",
          123: "sll"}


class Unreadable(Exception):
    """The conversation is not in the form that is read here, or was not traced whole."""


class Message:
    """One persistent message as it was sent. `durable` is the place in the trace from which on it is durable, None
    before."""

    def __init__(self, identity, queue, content):
        self.identity, self.queue, self.content = identity, queue, content
        self.durable = None


class Answer:
    """A positive response: what it promises to be safe, and the place where the write of it began."""

    def __init__(self, begin, messages):
        self.begin, self.messages = begin, messages


class Fields:
    """Reads one frame field by field."""

    def __init__(self, frame):
        self.frame, self.at = frame, 0

    def take(self, count):
        piece = self.frame[self.at:self.at + count]
        if count < 0 or len(piece) != count:
            raise Unreadable(f"frame of {len(self.frame)} bytes ends inside a field at {self.at}")
        self.at += count
        return piece

    def number(self, shape):
        return struct.unpack(">" + shape, self.take(struct.calcsize(shape)))[0]

    def flag(self):
        return self.number("B") != 0

    def string(self):
        return self.take(self.number("H")).decode("utf-8", "replace") if self.flag() else None

    def blob(self):
        return self.take(self.number("i")) if self.flag() else None

    def nested(self):
        """None, or a tuple that begins with the type."""
        if not self.flag():
            return None
        kind = self.number("B")
        if kind not in SHAPES:
            raise Unreadable(f"nested structure of type {kind}")
        read = {"s": self.string, "l": lambda: self.number("q"), "i": lambda: self.number("i"), "b": self.blob,
                "n": self.nested}
        return (kind, *(read[field]() for field in SHAPES[kind]))


class Stream:
    """One direction of a socket, cut into frames."""

    def __init__(self):
        self.bytes, self.start, self.marks = bytearray(), 0, []

    def feed(self, place, data):
        """Adds bytes that moved by the call at `place`; yields (place of its first byte, frame) for whole frames."""
        self.marks.append((self.start + len(self.bytes), place))
        self.bytes += data
        while len(self.bytes) >= 4:
            size = int.from_bytes(self.bytes[:4], "big")
            if len(self.bytes) < 4 + size:
                return
            frame = bytes(self.bytes[4:4 + size])
            first = bisect.bisect_right(self.marks, self.start, key=lambda mark: mark[0]) - 1
            yield self.marks[first][1], frame
            del self.bytes[:4 + size]
            del self.marks[:first]
            self.start += 4 + size


class Connection:
    """One client's conversation with the broker. `on_message` is told every persistent message and returns the one to
    judge: an earlier one when this is the same, sent again."""

    def __init__(self, on_message):
        self.incoming, self.outgoing = Stream(), Stream()
        self.on_message = on_message
        self.formats = []
        self.asked = {}
        self.open_transactions = {}

    def received(self, place, data):
        """Bytes that the broker read."""
        for _, frame in self.incoming.feed(place, data):
            kind, fields = self._open(frame)
            if kind in MESSAGES:
                self._message(fields)
            elif kind == TRANSACTION_INFO:
                self._transaction(fields)

    def sent(self, place, data):
        """Bytes that the broker wrote by a call that began at `place`; yields the answers in them."""
        for begin, frame in self.outgoing.feed(place, data):
            kind, fields = self._open(frame)
            if kind not in RESPONSES and kind != EXCEPTION_RESPONSE:
                continue
            _command, _wants_answer = fields.number("i"), fields.flag()
            messages = self.asked.pop(fields.number("i"), [])
            if kind != EXCEPTION_RESPONSE and messages:
                yield Answer(begin, messages)

    def _open(self, frame):
        fields = Fields(frame)
        kind = fields.number("B") if frame else 0
        if kind == WIRE_FORMAT_INFO:
            self.formats.append(wire_format(fields))
            if len(self.formats) == 2:
                check_formats(*self.formats)
        elif kind != 0 and len(self.formats) < 2:
            raise Unreadable(f"command of type {kind} before both sides introduced themselves")
        return kind, fields

    def _message(self, fields):
        command, wants_answer = fields.number("i"), fields.flag()
        _producer, destination, transaction, _original, identity, _original_transaction = (
            fields.nested() for _ in range(6))
        fields.string(), fields.number("i"), fields.string()  # group, its sequence, correlation id
        persistent = fields.flag()
        fields.number("q"), fields.number("B"), fields.nested(), fields.number("q"), fields.string()
        if not persistent:
            return
        queue = destination[1] if destination else None
        message = self.on_message(Message(identity, queue, fields.blob() or b""))
        if transaction:
            self.open_transactions.setdefault(transaction, []).append(message)
        elif wants_answer:
            self.asked[command] = [message]

    def _transaction(self, fields):
        command, wants_answer = fields.number("i"), fields.flag()
        _connection, transaction, what = fields.nested(), fields.nested(), fields.number("B")
        if what in COMMITS:
            messages = self.open_transactions.pop(transaction, [])
            if wants_answer:
                self.asked[command] = messages
        elif what == ROLLBACK:
            self.open_transactions.pop(transaction, None)


def wire_format(fields):
    """Version and switches of a WireFormatInfo whose type byte has been read."""
    fields.take(8)
    switches = {"Version": fields.number("i")}
    properties = Fields(fields.blob() or b"\xff\xff\xff\xff")
    sizes = {0: 0, 1: 1, 2: 1, 3: 2, 4: 2, 5: 4, 6: 8, 7: 8, 8: 4}
    for _ in range(properties.number("i")):
        key = properties.take(properties.number("H")).decode("utf-8", "replace")
        kind = properties.number("B")
        if kind not in sizes and kind != 9:
            raise Unreadable(f"property {key} of the handshake has type {kind}")
        value = properties.take(properties.number("H") if kind == 9 else sizes[kind])
        switches[key] = value == b"\x01" if kind == 1 else value
    return switches


def check_formats(one, other):
    """Refuses what cannot be read. A switch is on when both sides want it."""
    version = min(one["Version"], other["Version"])
    if version != VERSION:
        raise Unreadable(f"OpenWire {version} was negotiated, only {VERSION} is read")
    for switch in ("TightEncodingEnabled", "CacheEnabled", "SizePrefixDisabled"):
        if one.get(switch) is True and other.get(switch) is True:
            raise Unreadable(f"{switch} was negotiated: use a client that does not offer it")
