"""The raw floor under every persistent message: what one durable 4 KiB write costs on this disk, by fio.

Two ways: append and fdatasync (what a plain journal does), and overwriting zero-filled blocks with O_DIRECT and O_DSYNC (what
preallocation allows). The processors do not sleep meanwhile, as they do not under Holdfast. One thread, one write at a time. It does not measure throughput of large writes. And without fio: how late
durable writes at fixed times are on this disk, when nothing else goes on; no broker's answers can be earlier.
"""

import json
import mmap
import os
import pathlib
import subprocess
import time

import machine

BLOCK = 4096
APPEND_ROOM = "2g"
OVERWRITE_BYTES = 32 << 20
PERCENTILES = {"p50": "50.000000", "p90": "90.000000", "p99": "99.000000", "p99.9": "99.900000"}


def floors(directory, seconds=2):
    """{"append_fdatasync": {...}, "direct_dsync": {...}}: writes per second and microseconds per write."""
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / "floor.dat"
    try:
        with machine.awake():
            append = _fio(path, seconds, ["--fdatasync=1", f"--size={APPEND_ROOM}", "--fallocate=none", "--file_append=1"])
            path.unlink(missing_ok=True)
            _zero_fill(path)
            direct = _fio(path, seconds, ["--direct=1", "--sync=dsync", f"--size={OVERWRITE_BYTES}", "--overwrite=1"])
    finally:
        path.unlink(missing_ok=True)
    return {"append_fdatasync": _with_sync(append), "direct_dsync": _plain(direct)}


def paced(directory, per_second, bytes_each, seconds):
    """Microseconds from when each write was due until it was durable, in their order; whole blocks with O_DIRECT and O_DSYNC, round and round."""
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    path, size = directory / "paced.dat", -(-bytes_each // BLOCK) * BLOCK
    _zero_fill(path)
    file, late, offset = os.open(path, os.O_WRONLY | os.O_DIRECT | os.O_DSYNC), [], 0
    try:
        with machine.awake(), mmap.mmap(-1, size) as block:
            began = time.monotonic()
            for number in range(per_second * seconds):
                due = began + number / per_second
                time.sleep(max(0, due - time.monotonic()))
                os.pwrite(file, block, offset)
                offset = offset + size if offset + 2 * size <= OVERWRITE_BYTES else 0
                late.append((time.monotonic() - due) * 1e6)
    finally:
        os.close(file)
        path.unlink()
    return late


def _zero_fill(path):
    with open(path, "wb") as file:
        for _ in range(OVERWRITE_BYTES >> 20):
            file.write(bytes(1 << 20))
        file.flush()
        os.fsync(file.fileno())


def _fio(path, seconds, more):
    command = ["fio", "--name=floor", f"--filename={path}", "--rw=write", f"--bs={BLOCK}", "--ioengine=psync", "--numjobs=1",
               f"--runtime={seconds}s", "--time_based", "--output-format=json", *more]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60 + 10 * seconds)
    return json.loads(done.stdout[done.stdout.index("{"):])["jobs"][0]


def _plain(job):
    return _figures(job["write"]["iops"], job["write"]["clat_ns"]["percentile"], 0)


def _with_sync(job):
    """fio times the write and the sync apart; the write into the page cache is added as its mean."""
    return _figures(job["write"]["iops"], job["sync"]["lat_ns"]["percentile"], job["write"]["lat_ns"]["mean"])


def _figures(per_second, percentiles, added_ns):
    return {"per_second": round(per_second, 1), **{name: round((percentiles[key] + added_ns) / 1e3, 1) for name, key in PERCENTILES.items()}}
