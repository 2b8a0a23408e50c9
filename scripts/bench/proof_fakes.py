"""Traces made by hand, to try the proof on: bytes as client, broker and store make them, lines as strace prints them.

Only as true to the formats as the proof looks. A trace begins with a connected client and an open segment.
"""

import struct
import zlib

from proof_judge import Judge

DATA = "/d"
SEGMENT = f"{DATA}/journal/1-1.seg"
SOCKET, JOURNAL = "13<TCP:[127.0.0.1:1->127.0.0.1:2]>", f"12<{SEGMENT}>"
CLIENT, COMMITTER = 1, 7


# Bytes as the client, the broker and the store make them.

def frame(kind, *parts):
    body = bytes([kind]) + b"".join(parts)
    return struct.pack(">i", len(body)) + body


def string(text):
    return b"\x01" + struct.pack(">H", len(text)) + text.encode()


def wire_format(version=12, tight=False, cache=False):
    properties = struct.pack(">i", 4)
    for key, value in (("TightEncodingEnabled", tight), ("CacheEnabled", cache)):
        properties += string(key)[1:] + bytes([1, value])
    properties += string("MaxFrameSize")[1:] + b"\x06" + struct.pack(">q", 1 << 20)
    properties += string("Host")[1:] + b"\x09" + string("h")[1:]
    return frame(1, b"ActiveMQ", struct.pack(">i", version), b"\x01", struct.pack(">i", len(properties)), properties)


def producer(number):
    return b"\x01\x7b" + string("ID:c") + struct.pack(">qq", number, 1)


def transaction(number):
    return b"\x01\x6f" + struct.pack(">q", number) + b"\x01\x78" + string("ID:c")


def message(command, text, wants_answer=True, persistent=True, under=None):
    identity = b"\x01\x6e\x00" + producer(1) + struct.pack(">qq", command, 0)
    return frame(28, struct.pack(">iB", command, wants_answer), producer(1), b"\x01\x64" + string("q"),
                 transaction(under) if under else b"\x00", b"\x00", identity, b"\x00", b"\x00", struct.pack(">i", 0),
                 b"\x00", bytes([persistent]), struct.pack(">qBBq", 0, 4, 0, 0), b"\x00",
                 b"\x01", struct.pack(">i", len(body(text))), body(text), b"\x00" * 9)


def end_of_transaction(command, number, what=2):
    return frame(7, struct.pack(">iB", command, 1), b"\x01\x78" + string("ID:c"), transaction(number), bytes([what]))


def response(command, kind=30):
    return frame(kind, struct.pack(">iBi", 0, 0, command))


def body(text):
    return f"body of {text}".ljust(40, ".").encode()


def record(text, kind=4, before=b""):
    fields = before + bytes([kind]) + struct.pack("<IQHBI", 1, 1, 0, 0, 0) + b"stored " + body(text)
    return struct.pack("<I", len(fields)) + fields


def short_record(*parts):
    fields = b"".join(parts)
    return struct.pack("<I", len(fields)) + fields


class Batches:
    """Makes batches that follow one another."""

    def __init__(self):
        self.number, self.crc = 0, 0

    def next(self, *records):
        self.number += 1
        inner = b"".join(records)
        rest = struct.pack("<IIQQQII", len(inner), self.crc, 1, self.number, 0, len(records), 0) + inner
        self.crc = zlib.crc32(rest)
        batch = b"HFB1" + struct.pack("<I", self.crc) + rest
        return batch + bytes(-len(batch) % 4096)


# Lines as strace prints them.

def quoted(data):
    plain = {ord('"'): '\\"', ord("\\"): "\\\\", 10: "\\n"}
    return '"' + "".join(plain.get(byte) or (chr(byte) if 32 <= byte < 127 else f"\\{byte:03o}") for byte in data) + '"'


class Trace:
    """A trace that grows call by call."""

    def __init__(self, flags="O_RDWR|O_DSYNC|O_DIRECT|O_CLOEXEC", client=None, broker=None):
        self.lines, self.batches = [], Batches()
        self.call(COMMITTER, f'openat(AT_FDCWD</>, "{SEGMENT}", {flags}', JOURNAL)
        self.call(CLIENT, "accept4(14<TCP:[127.0.0.1:1]>, NULL, NULL, SOCK_CLOEXEC", SOCKET)
        self.send(broker or wire_format(tight=True), CLIENT)
        self.receive(client or wire_format())

    def call(self, pid, begin, ret):
        self.lines.append(f"{pid} 1.000001 {begin}) = {ret}")

    def begin(self, pid, begin):
        self.lines.append(f"{pid} 1.000001 {begin} <unfinished ...>")

    def end(self, pid, name, ret, rest=""):
        self.lines.append(f"{pid} 1.000002 <... {name} resumed>{rest}) = {ret}")

    def receive(self, *frames):
        data = b"".join(frames)
        self.call(CLIENT, f"recvfrom({SOCKET}, {quoted(data)}, 32768, 0, NULL, NULL", len(data))

    def send(self, data, pid=COMMITTER, taken=None):
        self.call(pid, f"sendto({SOCKET}, {quoted(data)}, {len(data)}, MSG_NOSIGNAL, NULL, 0",
                  len(data) if taken is None else taken)

    def write_begin(self, data, fd=JOURNAL):
        return f"pwrite64({fd}, {quoted(data)}, {len(data)}, 4096"

    def write(self, *records, ret=None, data=None):
        data = data or self.batches.next(*records)
        self.call(COMMITTER, self.write_begin(data), len(data) if ret is None else ret)

    def look_at_lock(self):
        self.call(COMMITTER, f'statx(AT_FDCWD</>, "{DATA}/lock", 0, STATX_ALL, {{stx_mask=STATX_ALL}}', 0)

    def commit(self, *records):
        self.write(*records)
        self.look_at_lock()

    def judge(self):
        """The report on it."""
        return Judge(DATA).run(self.lines)
