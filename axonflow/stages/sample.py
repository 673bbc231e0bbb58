"""What values an image of a mask holds, judged from a part of it that its size alone decides.

A small image is seen whole. Of a larger one a grid of tiles is, the same for every way of cutting the work.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from axonflow.errors import InputError
from axonflow.kernel.grid import Box, Grid

__all__ = ["Read", "Seen", "TooManyValuesError", "has_third_mode", "places", "see", "touch", "values_are_objects"]

Read = Callable[[Box], NDArray[Any]]
"""Reads the numbers in a box."""


class TooManyValuesError(InputError):
    """An image has more different values than any mask."""


_TILE = 512
_ACROSS = 8
_WHOLE_PX = 2**24
_MOST = 2**20
"""More different values than these are no mask's."""


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """The values of the pixels that were looked at.

    Attributes
    ----------
    values : (n,) array
        Each once, in order.
    counts : (n,) int64
        Pixels that have it.
    """

    values: NDArray[Any]
    counts: NDArray[np.int64]

    @property
    def total(self) -> int:
        """Pixels that were looked at."""
        return int(self.counts.sum())

    def within(self, low: float, high: float) -> int:
        """Return how many pixels have a value in [low, high]."""
        inside = (self.values >= low) & (self.values <= high)
        return int(self.counts[inside].sum())

    @property
    def words(self) -> str:
        """The values in words, the most frequent first."""
        order = np.argsort(-self.counts, kind="stable")[:6]
        some = ", ".join(f"{self.values[k]} ({self.counts[k] / self.total:.1%})" for k in order)
        return some + (f" and {len(self.values) - 6:,} more values" if len(self.values) > 6 else "")


def places(shape: tuple[int, int]) -> Iterator[Box]:
    """Yield the tiles that are looked at: all of a small image, else 8 × 8 spread evenly."""
    if shape[0] * shape[1] <= _WHOLE_PX:
        yield from Grid(shape, (_TILE, _TILE))
        return
    rows, columns = (dict.fromkeys(max(side - _TILE, 0) * k // (_ACROSS - 1) for k in range(_ACROSS)) for side in shape)
    for y in rows:
        for x in columns:
            yield Box(y, x, min(y + _TILE, shape[0]), min(x + _TILE, shape[1]))


def see(shape: tuple[int, int], read: Read) -> Seen:
    """Look at the values of an image.

    Raises
    ------
    TooManyValuesError
        If there are more different ones than any mask has.
    """
    found: dict[float, int] = {}
    dtype: np.dtype[Any] = np.dtype(np.uint8)
    for box in places(shape):
        pixels = read(box)
        dtype = pixels.dtype
        values, counts = np.unique(pixels, return_counts=True)
        for value, count in zip(values.tolist(), counts.tolist(), strict=True):
            found[value] = found.get(value, 0) + count
        if len(found) > _MOST:
            raise TooManyValuesError(f"A mask was expected, more than {_MOST:,} different values came; give a mask.")
    order = sorted(found)
    return Seen(np.array(order, dtype), np.array([found[value] for value in order], np.int64))


def has_third_mode(values: NDArray[Any], counts: NDArray[np.int64], reach: float) -> bool:
    """Tell whether half of some stray pixels are about alike, as another class is and soft edges are not.

    Parameters
    ----------
    values : (n,) or (n, k) array
        What is far from all that was expected, greys or colours.
    counts : (n,) int64
        Pixels that have it.
    reach : float
        How far pixels that are alike may be from the most frequent one.
    """
    if not len(counts):
        return False
    away = np.abs(values.astype(np.float64) - values[np.argmax(counts)])
    alike = away <= reach if away.ndim == 1 else (away <= reach).all(axis=1)
    return bool(2 * counts[alike].sum() > counts.sum())


def values_are_objects(shape: tuple[int, int], read: Read) -> bool:
    """Tell whether each value but 0 is about one connected object, as ids are, and greys and classes are not."""
    from skimage.measure import label  # a tenth of a second, which plain masks and networks do without

    values = pieces = 0
    for box in places(shape):
        known, number = np.unique(read(box), return_inverse=True)
        piece = label(number.reshape(box.shape), background=-1, connectivity=2)
        _, first = np.unique(piece, return_index=True)
        drawn = known[number.ravel()[first]] != 0
        values += int(np.count_nonzero(known))
        pieces += int(np.count_nonzero(drawn))
        if pieces > 2 * values + 50:
            return False
    return 0 < pieces <= 2 * values


def touch(shape: tuple[int, int], read: Read) -> bool:
    """Tell whether pixels of different values that are not 0 lie side by side for the larger part of a border."""
    within = across = 0
    for box in places(shape):
        pixels = read(box)
        for a, b in ((pixels[1:], pixels[:-1]), (pixels[:, 1:], pixels[:, :-1])):
            differ = a != b
            across += int(np.count_nonzero(differ & (a != 0) & (b != 0)))
            within += int(np.count_nonzero(differ))
    return within > 0 and across > within / 4
