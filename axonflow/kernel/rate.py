"""How fast work proceeds and how long it still takes: measured over the last minute, and in words."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

__all__ = ["RateMeter", "duration", "rate"]

WINDOW_S = 60.0
"""Over which a rate is taken, or since the batch before if that is longer ago."""


class RateMeter:
    """What is done of so many pixels, and how fast that grows.

    Parameters
    ----------
    done, total : int
        Pixels done before, and in all.
    clock : callable
        Seconds that never go backwards.
    """

    def __init__(self, done: int, total: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.done, self.total, self._clock = done, total, clock
        self._marks = deque([(clock(), done)])

    def advance(self, pixels: int) -> None:
        """Take note that so many pixels more are done, now."""
        now = self._clock()
        self.done += pixels
        self._marks.append((now, self.done))
        while len(self._marks) > 2 and self._marks[1][0] <= now - WINDOW_S:
            self._marks.popleft()

    @property
    def share(self) -> float:
        """What is done, 0 to 1."""
        return self.done / self.total if self.total else 1.0

    @property
    def rate(self) -> float | None:
        """Pixels per second; None until a batch has ended.

        It is steady between two batches, and falls when the next is overdue.
        """
        (since, before), (last, done) = self._marks[0], self._marks[-1]
        elapsed = max(last - since, self._clock() - last)
        return (done - before) / elapsed if len(self._marks) > 1 and elapsed else None

    @property
    def remaining_s(self) -> float | None:
        """Seconds until all is done at this rate; None while there is none."""
        rate = self.rate
        return (self.total - self.done) / rate if rate else None


def rate(pixels_per_s: float) -> str:
    """Say a rate: ``1.4 Mpx/s``."""
    return f"{pixels_per_s / 1e6:.1f} Mpx/s" if pixels_per_s >= 1e5 else f"{pixels_per_s / 1e3:.3g} kpx/s"


def duration(seconds: float) -> str:
    """Say a time in two units at most: ``3.2 s``, ``45 s``, ``12 min``, ``3 h 20 min``, ``2 d 4 h``."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    if seconds < 59.5:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, hours = divmod(round(seconds / 3600), 24)
    return f"{days} d {hours} h" if hours else f"{days} d"
