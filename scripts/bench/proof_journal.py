"""What the broker made durable in its journal, and from when on.

Bytes count when a successor would find them (store/FORMAT.md): they were written whole, by a call that had returned,
through a descriptor opened with O_DSYNC or before a completed sync of it; they are a batch with a good checksum; and
every batch before it in the chain counts already. A failed or partial write or sync proves nothing, and neither does
one that strace only pretended. Spilled transactions count from the batch with their commit.
"""

import re
import struct
import zlib

BLOCK = 4096
HEAD = struct.Struct("<4sIIIQQQII")
MESSAGE, STAGED, STAGED_COMMIT, STAGED_ROLLBACK = 4, 10, 11, 12
WRITES = ("pwrite64", "pwritev", "pwritev2", "write", "writev")
SYNCS = ("fdatasync", "fsync")
_OPEN_FLAGS = re.compile(r'", ([A-Z_|0-9x]+)')


class File:
    """An open file, of the journal or not: a write says itself where it goes."""

    def __init__(self, synchronous):
        self.synchronous = synchronous
        self.unsynced = []


class Sync:
    """One completed synchronous write, or a sync and the writes before it."""

    def __init__(self, place):
        self.place, self.bytes, self.batches, self.messages = place, 0, 0, []


class Journal:
    """Follows the calls on the files under `folder`. `on_durable(sync, record)` is told every message record when it
    begins to count."""

    def __init__(self, folder, on_durable):
        self.folder, self.on_durable = folder.rstrip("/") + "/", on_durable
        self.files = {}
        self.syncs = []
        self.other_syncs = 0
        self.doubts = []
        self._syncing = {}
        self._last = (0, 0)  # number and crc of the newest batch that counts
        self._ahead = {}
        self._staged = {}

    def begin(self, call):
        """A call begins."""
        fd, _ = call.fd()
        if call.name == "close":
            # The number is free for another thread before the end of the close is seen.
            self.files.pop(fd, None)
        elif call.name in SYNCS and fd in self.files:
            file = self.files[fd]
            self._syncing[call], file.unsynced = file.unsynced, []

    def end(self, call):
        """A call ended."""
        if call.name in ("openat", "open", "openat2"):
            self._opened(call)
        elif call.name in SYNCS:
            self._synced(call)
        elif call.name in WRITES:
            self._written(call)

    def _opened(self, call):
        if call.ret is not None and call.ret >= 0:
            flags = _OPEN_FLAGS.search(call.args)
            names = flags.group(1).split("|") if flags else []
            self.files[call.ret] = File("O_DSYNC" in names or "O_SYNC" in names)

    def _written(self, call):
        fd, path = call.fd()
        file = self.files.get(fd)
        if file is None or not path.startswith(self.folder) or call.starts_with_zeros():
            return
        if call.injected or call.is_cut() or call.ret != call.requested():
            self._doubt(call, f"a write of {call.requested()} bytes ended with {call.ret}"
                              + (", pretended by strace" if call.injected else "")
                              + (", and was traced in part" if call.is_cut() else ""))
        elif file.synchronous or "RWF_DSYNC" in call.args or "RWF_SYNC" in call.args:
            self._durable(call.end, [call.data()])
        else:
            file.unsynced.append(call.data())

    def _synced(self, call):
        writes = self._syncing.pop(call, [])
        if call.ret != 0 or call.injected:
            # What it was to cover is not covered by any later sync either: the kernel may have let go of it.
            if writes:
                self._doubt(call, f"a sync of {len(writes)} writes ended with {call.ret}")
        elif writes:
            self._durable(call.end, writes)
        else:
            self.other_syncs += 1

    def _durable(self, place, writes):
        sync = Sync(place)
        for data in writes:
            sync.bytes += len(data)
            for batch in batches(data):
                sync.batches += 1
                self._ahead[batch.number] = batch
        if sync.batches:
            self.syncs.append(sync)
            self._advance(sync)
        else:
            self.other_syncs += 1

    def _advance(self, sync):
        while True:
            number, crc = self._last
            batch = self._ahead.get(number + 1)
            if batch is None or batch.previous != crc:
                return
            del self._ahead[batch.number]
            self._last = (batch.number, batch.crc)
            for record in batch.records:
                self._apply(sync, record)

    def _apply(self, sync, record):
        kind = record[0]
        if kind == MESSAGE:
            self.on_durable(sync, record)
        elif kind == STAGED:
            self._staged.setdefault(record[1:9], []).append(record[9:])
        elif kind in (STAGED_COMMIT, STAGED_ROLLBACK):
            for staged in self._staged.pop(record[1:9], []):
                if kind == STAGED_COMMIT and staged[0] == MESSAGE:
                    self.on_durable(sync, staged)

    def _doubt(self, call, what):
        self.doubts.append(f"line {call.begin // 2}: {what}")


class Batch:
    """One batch with a good checksum. Records begin with their type byte."""

    def __init__(self, number, previous, crc, records):
        self.number, self.previous, self.crc, self.records = number, previous, crc, records


def batches(data):
    """Yields the batches in one write, up to the first bytes that are none."""
    at = BLOCK if data.startswith(b"HOLDFSEG") else 0
    while at + HEAD.size <= len(data):
        magic, crc, length, previous, _epoch, number, _clock, count, _zero = HEAD.unpack_from(data, at)
        end = at + HEAD.size + length
        if magic != b"HFB1" or length == 0 or end > len(data) or zlib.crc32(data[at + 8:end]) != crc:
            return
        records = split(data[at + HEAD.size:end])
        if len(records) != count:
            return
        yield Batch(number, previous, crc, records)
        at = -(-end // BLOCK) * BLOCK


def split(body):
    """The records of a batch."""
    records, at = [], 0
    while at + 5 <= len(body):
        length = int.from_bytes(body[at:at + 4], "little")
        if length == 0 or at + 4 + length > len(body):
            break
        records.append(body[at + 4:at + 4 + length])
        at += 4 + length
    return records
