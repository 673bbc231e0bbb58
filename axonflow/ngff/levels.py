"""Which levels a pyramid has, how each is cut into shards, and in which rounds they are written.

A task that owns a core of level 0 also owns every shard it touches in the next levels, up to where a shard would
become too small a file. The levels beyond are built in further rounds, each from the last level of the round
before, again in cores of the same side: the memory of a task does not grow with the slide.
"""

from __future__ import annotations

from dataclasses import dataclass

from axonflow.errors import InputError
from axonflow.kernel.grid import Box, Grid

__all__ = ["Levels"]

LARGEST_TOP = 512
"""Where the number of levels is free, the last is the first whose larger side does not exceed this, px."""

LARGEST_CHUNK = 512
"""Side of a chunk, px, where the shard's side allows it."""

SMALLEST_SHARD = 256
"""A round ends before a shard would become smaller than this, px."""


@dataclass(frozen=True, slots=True)
class Levels:
    """The levels of an image, each half of the one before, rounded up.

    Parameters
    ----------
    shape : (int, int)
        Height and width of level 0, px.
    shard : int
        Side of a shard of level 0, px; even. The side of a core at the bottom of every round.
    count : int
        Number of levels; 0 for as many as it takes until the larger side is at most 512 px.

    Raises
    ------
    InputError
        If a side is below 1, or the shard's side is odd.
    """

    shape: tuple[int, int]
    shard: int
    count: int = 0

    def __post_init__(self) -> None:
        if min(self.shape) < 1:
            raise InputError(f"An image of at least 1 × 1 px was expected, {self.shape[0]} × {self.shape[1]} px came.")
        if self.shard < 2 or self.shard % 2:
            raise InputError(
                f"An even side of the shards was expected, {self.shard} px came; "
                "give an even one, best a power of two such as 4096."
            )
        if self.count < 1:
            halvings = (-(-max(self.shape) // LARGEST_TOP) - 1).bit_length()
            object.__setattr__(self, "count", halvings + 1)

    @property
    def shapes(self) -> tuple[tuple[int, int], ...]:
        """Height and width of every level, px."""
        return tuple(self.shape_of(level) for level in range(self.count))

    @property
    def span(self) -> int:
        """Number of levels that one round adds; at least 1.

        As often as a core can be halved exactly and stays at least 256 px wide.
        """
        span = 1
        while self.shard % 2 ** (span + 1) == 0 and self.shard >> (span + 1) >= SMALLEST_SHARD:
            span += 1
        return span

    def shape_of(self, level: int) -> tuple[int, int]:
        """Return height and width of a level, px: ⌈side / 2^level⌉."""
        h, w = self.shape
        return -(-h // 2**level), -(-w // 2**level)

    def shard_of(self, level: int) -> int:
        """Return the side of a level's shards, px: the core of its round, halved as often as the level is above."""
        return self.shard if level == 0 else self.shard >> ((level - 1) % self.span + 1)

    def chunk_of(self, level: int) -> int:
        """Return the side of a level's chunks, px: the largest whole part of a shard that is at most 512."""
        shard = self.shard_of(level)
        parts = -(-shard // LARGEST_CHUNK)
        while shard % parts:
            parts += 1
        return shard // parts

    @property
    def rounds(self) -> tuple[int, ...]:
        """The rounds after the first (number 0, which writes level 0 and ``span`` more), in their order."""
        return tuple(range(1, -(-(self.count - 1) // self.span)))

    def bottom(self, number: int) -> int:
        """Return the level that a round starts from."""
        if number not in (0, *self.rounds):
            raise InputError(f"A round from 0 to {len(self.rounds)} was expected, {number} came.")
        return number * self.span

    def above(self, number: int) -> range:
        """Return the levels that a round computes from its bottom one."""
        bottom = self.bottom(number)
        return range(bottom + 1, min(bottom + self.span, self.count - 1) + 1)

    def grid(self, number: int) -> Grid:
        """Return the cores of a round, in pixels of its bottom level."""
        return Grid(self.shape_of(self.bottom(number)), (self.shard, self.shard))

    def check(self, number: int, box: Box) -> None:
        """Refuse a box of a round's bottom level that does not own every shard it would write.

        Two tasks that write parts of one shard overwrite each other's pixels without an error.

        Raises
        ------
        InputError
            If the box is empty, leaves the level, or begins or ends inside a shard.
        """
        shape = self.shape_of(self.bottom(number))
        whole = all(
            0 <= first < last and first % self.shard == 0 and (last == side or (last < side and last % self.shard == 0))
            for first, last, side in ((box.y0, box.y1, shape[0]), (box.x0, box.x1, shape[1]))
        )
        if not whole:
            raise InputError(
                f"A box of whole shards of {self.shard} px inside {shape[0]} × {shape[1]} px was expected, {box} came; "
                f"cut the image along the grid of round {number}."
            )
