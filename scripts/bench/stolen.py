"""What share of this machine's processors its host took away ("steal"), second by second, while something ran.

A slow second in which the host took much is the host's, at least in part. From a machine that does nothing nothing is taken, so one that looks
quiet beforehand says nothing about it. Part of it may be what the host itself needs for our writes.
"""

import threading
import time

import machine

STEP = 1


class Meter:
    """Watches from its start until its end."""

    def __init__(self):
        self.seen, self.over = [_sample()], threading.Event()
        self.thread = threading.Thread(target=self._watch, daemon=True)
        self.thread.start()

    def _watch(self):
        while not self.over.wait(STEP):
            self.seen.append(_sample())

    def end(self):
        """What was seen: each time (when, in seconds since 1970; ticks taken away; ticks in all), counted since the system started."""
        self.over.set()
        self.thread.join()
        return [*self.seen, _sample()]


def share(seen):
    """The share taken away in all that time."""
    (_, stolen, total), (_, stolen_last, total_last) = seen[0], seen[-1]
    return (stolen_last - stolen) / max(1, total_last - total)


def by_second(seen, origin, count):
    """The share taken away in each of so many seconds; None for one that was not watched to its end."""
    bounds = [_until(seen, origin + second) for second in range(count + 1)]
    return [round(share([before, after]), 3) if before and after else None for before, after in zip(bounds, bounds[1:])]


def _until(seen, moment):
    """What had been counted by then, between two samples in proportion."""
    for before, after in zip(seen, seen[1:]):
        if before[0] <= moment <= after[0] and before[0] < after[0]:
            part = (moment - before[0]) / (after[0] - before[0])
            return moment, *(one + part * (other - one) for one, other in zip(before[1:], after[1:]))
    return None


def _sample():
    ticks = machine.cpu_ticks()
    return time.time(), ticks[-1], sum(ticks)
