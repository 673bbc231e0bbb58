"""Sums, minima and maxima per key: the commutative monoid behind seams and maps.

All are integers, so a Tally merged in any order, from any chunking, is the same to the bit; floating-point sums
are not. Sums may wrap modulo 2⁶⁴: what is derived from them is first shifted to an object's own corner in the same
arithmetic, which restores every value that itself fits in 63 bits.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["FAR", "Ints", "Tally"]

Ints = NDArray[np.int64]

FAR = 2**62
"""The neutral element of a minimum; its negative is that of a maximum."""


@dataclass(frozen=True, slots=True, eq=False)
class Tally:
    """What was counted of every key in one part of a slide.

    Attributes
    ----------
    key : (k,) int64
        An axon's id, a grey value or the index of a map's cell; strictly increasing.
    total : (k, s) int64
        Sums over pixels: added on merge.
    low, high : (k, m) int64
        Minima and maxima: the smaller and the larger is kept on merge.
    """

    key: Ints
    total: Ints
    low: Ints
    high: Ints

    @classmethod
    def empty(cls, sums: int, extremes: int = 0) -> Tally:
        """Return the neutral element of the merge for ``sums`` sums and ``extremes`` minima and maxima."""
        return cls(*(np.zeros(shape, np.int64) for shape in ((0,), (0, sums), (0, extremes), (0, extremes))))

    @classmethod
    def of(cls, key: Ints, total: Ints, low: Ints | None = None, high: Ints | None = None) -> Tally:
        """Gather rows whose keys may repeat, in any order.

        Parameters
        ----------
        key : (n,) int64
        total : (n, s) int64
        low, high : (n, m) int64, optional
            Nothing (m = 0) when left out.
        """
        none = np.zeros((len(key), 0), np.int64)
        low, high = none if low is None else low, none if high is None else high
        if len(key) == 0:
            return cls(key, total, low, high)
        order = np.argsort(key, kind="stable")
        ranked = key[order]
        first = np.flatnonzero(np.r_[True, ranked[1:] != ranked[:-1]])
        return cls(
            ranked[first],
            np.add.reduceat(total[order], first, axis=0),
            np.minimum.reduceat(low[order], first, axis=0),
            np.maximum.reduceat(high[order], first, axis=0),
        )

    @classmethod
    def merge(cls, parts: Iterable[Tally]) -> Tally:
        """Merge parts; their order does not matter, and there is at least one."""
        parts = tuple(parts)
        return cls.of(*(np.concatenate([getattr(part, name) for part in parts]) for name in cls.__slots__))

    def __add__(self, other: Tally) -> Tally:
        return Tally.merge((self, other))

    def split(self, key: int) -> tuple[Tally, Tally]:
        """Part the rows of smaller keys from the others."""
        at = int(np.searchsorted(self.key, key))
        before, after = [
            [getattr(self, name)[rows] for name in self.__slots__] for rows in (slice(at), slice(at, None))
        ]
        return Tally(*before), Tally(*after)

    def arrays(self, prefix: str) -> dict[str, Ints]:
        """Return the attributes as named arrays, to be written to a journal."""
        return {f"{prefix}.{name}": getattr(self, name) for name in self.__slots__}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Ints], prefix: str) -> Tally:
        """Build a Tally from what :meth:`arrays` returned."""
        return cls(*(arrays[f"{prefix}.{name}"] for name in cls.__slots__))
