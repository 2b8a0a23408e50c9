"""What is running now, and about how long it still takes: one line per step on standard error.

The guess for a step starts from the table and becomes the mean of what that step took before.
"""

import sys
import time


class Progress:
    def __init__(self, steps):
        """`steps` are (label, seconds guessed); labels repeat over rounds."""
        self.left = list(steps)
        self.total = len(self.left)
        self.taken = {}
        self.began = None

    def step(self, label):
        self.finish()
        number = self.total - len(self.left) + 1
        print(f"[{number}/{self.total}] {label} (about {_words(self._remaining())} left)", file=sys.stderr, flush=True)
        self.began = label, time.monotonic()

    def finish(self):
        if self.began:
            label, since = self.began
            self.taken.setdefault(label, []).append(time.monotonic() - since)
            self.left = self.left[1:]
            self.began = None

    def _remaining(self):
        def guess(label, seconds):
            taken = self.taken.get(label)
            return sum(taken) / len(taken) if taken else seconds
        return sum(guess(*step) for step in self.left)


def _words(seconds):
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"
