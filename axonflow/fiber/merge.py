"""All that is measured of axons and fibers, from core to slide: one row of cores after the other.

An object that does not reach the last row of pixels of a row of cores is complete, because objects are connected. So
memory holds one row of cores and the objects that continue below it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from axonflow.fiber.hull import Hulls, convex_areas, hulls
from axonflow.fiber.measure import count_objects
from axonflow.fiber.objects import find_objects
from axonflow.kernel.grid import Box
from axonflow.kernel.tally import Ints, Tally

__all__ = ["Measured", "Objects", "complete"]


@dataclass(frozen=True, slots=True, eq=False)
class Objects:
    """What was measured of axons, or of fibers, in one part of a slide.

    Attributes
    ----------
    tally : Tally
        As :func:`axonflow.fiber.measure.count_objects` has it.
    closed : Tally
        Pixels in the convex hulls of those that end inside a core.
    open : Hulls
        The hulls of the others, which may grow.
    """

    tally: Tally
    closed: Tally
    open: Hulls

    @classmethod
    def of(cls, labels: NDArray[np.uint32], core: Box, window: Box, shape: tuple[int, int]) -> Objects:
        """Measure the objects of a core; parameters as for :func:`axonflow.fiber.measure.count_objects`."""
        found = find_objects(labels, core.relative_to(window))
        closed, open_ = hulls(labels, core, window, found).inside(core)
        areas = Tally.of(closed.key, convex_areas(closed)[:, None])
        return cls(count_objects(labels, core, window, shape, found), areas, open_)

    @classmethod
    def merge(cls, parts: Iterable[Objects]) -> Objects:
        """Merge parts; their order does not matter, and there is at least one."""
        parts = tuple(parts)
        return cls(
            Tally.merge(part.tally for part in parts),
            Tally.merge(part.closed for part in parts),
            Hulls.merge(part.open for part in parts),
        )

    def split(self, key: int) -> tuple[Objects, Objects]:
        """Part those of smaller ids from the others."""
        pairs = self.tally.split(key), self.closed.split(key), self.open.split(key)
        before, after = zip(*pairs, strict=True)
        return Objects(*before), Objects(*after)

    @property
    def hull_areas(self) -> Ints:
        """Pixels in the convex hull of each object, in the order of ``tally.key``: (k,) int64."""
        key = np.concatenate([self.closed.key, self.open.key])
        return np.concatenate([self.closed.total[:, 0], convex_areas(self.open)])[np.argsort(key)]

    def arrays(self, prefix: str) -> dict[str, Any]:
        """Return the attributes as named arrays, to be written to a journal."""
        parts = (getattr(self, part).arrays(f"{prefix}.{part}") for part in self.__slots__)
        return {name: array for arrays in parts for name, array in arrays.items()}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], prefix: str) -> Objects:
        """Build Objects from what :meth:`arrays` returned."""
        tally, closed = (Tally.from_arrays(arrays, f"{prefix}.{part}") for part in ("tally", "closed"))
        return cls(tally, closed, Hulls.from_arrays(arrays, f"{prefix}.open"))


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """What was measured of the axons and of the fibers in one part of a slide.

    Attributes
    ----------
    axons, fibers : Objects
    """

    axons: Objects
    fibers: Objects

    @classmethod
    def merge(cls, parts: Iterable[Measured]) -> Measured:
        """Merge parts; their order does not matter, and there is at least one."""
        parts = tuple(parts)
        return cls(Objects.merge(part.axons for part in parts), Objects.merge(part.fibers for part in parts))

    def split(self, key: int) -> tuple[Measured, Measured]:
        """Part those of smaller ids from the others."""
        pairs = self.axons.split(key), self.fibers.split(key)
        before, after = zip(*pairs, strict=True)
        return Measured(*before), Measured(*after)

    def arrays(self) -> dict[str, Any]:
        """Return the attributes as named arrays, to be written to a journal."""
        return {name: array for kind in self.__slots__ for name, array in getattr(self, kind).arrays(kind).items()}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Measured:
        """Build it from what :meth:`arrays` returned."""
        return cls(*(Objects.from_arrays(arrays, kind) for kind in cls.__slots__))


def complete(cores: Iterable[tuple[Box, Measured]], rows: int) -> Iterator[Measured]:
    """Merge cores to the slide, and pass on the axons by their ids, so many at a time.

    Parameters
    ----------
    cores : iterable of (Box, Measured)
        Every core of a grid whose rows and columns run through the slide, in raster order.
    rows : int
        Axons to be passed on at once; whatever the cores, the k-th part has the ids k · rows + 1 to (k + 1) · rows.

    Yields
    ------
    Measured
        At least one; the last has fewer axons, or none.
    """
    left: list[Measured] = []
    following = 1
    for end, row in groupby(cores, key=lambda core: core[0].y1):
        whole = Measured.merge([*left, *(part for _, part in row)])
        fibers = whole.fibers.tally
        # Ids have no gap, and who begins further down has a greater one: the first that goes on holds up the others.
        waits = (fibers.high[:, 0] == end) | (fibers.key != following + np.arange(len(fibers.key)))
        ready = following + int(np.argmax(np.r_[waits, True]))
        while ready - following > rows:
            following += rows
            part, whole = whole.split(following)
            yield part
        left = [whole]
    (whole,) = left
    while len(whole.fibers.tally.key) > rows:
        following += rows
        part, whole = whole.split(following)
        yield part
    yield whole
