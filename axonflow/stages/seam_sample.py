"""The seams that are looked at of all a lattice has, and what windows that were computed anyway show beside them.

That is kept for the stage that compares it, in this process alone. A sample that was sent to another process, as to a
worker, keeps nothing, and a run that goes on begins with an empty one: what is lacking is computed again, and is the
same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from axonflow.kernel.grid import Box, Grid
from axonflow.net.lattice import Lattice

__all__ = ["SeamSample"]

Strip = NDArray[np.uint8]

_MOST = 256
"""Strips that are kept, so that memory does not grow with the slide: 50 × 512 bytes each, of most models."""


@dataclass(frozen=True, eq=False)
class SeamSample:
    """A sample of the upright seams of a lattice.

    Parameters
    ----------
    lattice : Lattice
    keeps : bool
        Whether what is compared is compared in this process.
    """

    lattice: Lattice
    keeps: bool = True
    _kept: dict[Box, Strip] = field(default_factory=dict, init=False, repr=False)

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return SeamSample, (self.lattice, False)

    @cached_property
    def pairs(self) -> tuple[Box, ...]:
        """The two cores beside each seam, in raster order; no core is in two of them."""
        grid = Grid(self.lattice.shape, (self.lattice.core, self.lattice.core))
        every = [Box(row[0].y0, row[0].x0, row[1].y1, row[1].x1) for row in grid.batches(2) if len(row) == 2]
        wanted = max(min(len(every) // 16, 16), min(len(every), 2))
        return tuple(every[i] for i in np.linspace(0, len(every) - 1, wanted).astype(int))

    @cached_property
    def strips(self) -> dict[Box, Box]:
        """What lies within the halo of a seam, on both of its sides, by each of the two cores that see it."""
        return {core: self._strip(pair) for pair in self.pairs for core in self.lattice.cores(pair)}

    @cached_property
    def parts(self) -> dict[Box, Box]:
        """What is computed of the windows of these cores, whoever does it and for what: both the core and its strip.

        Of another part of a window a processor may round the last bits in another way.
        """
        return {
            core: Box(core.y0, min(core.x0, strip.x0), core.y1, max(core.x1, strip.x1))
            for core, strip in self.strips.items()
        }

    def _strip(self, pair: Box) -> Box:
        _, right = self.lattice.cores(pair)
        halo = min(self.lattice.halo, right.x1 - right.x0)
        return Box(pair.y0, right.x0 - halo, pair.y1, right.x0 + halo)

    def keep(self, core: Box, seen: Strip) -> None:
        """Keep the classes of a core's strip, if they are compared in this process and not much is kept already."""
        if self.keeps and len(self._kept) < _MOST:
            self._kept[core] = seen.copy()

    def take(self, core: Box) -> Strip | None:
        """Return what was kept of a core, which is kept no longer; None if nothing was."""
        return self._kept.pop(core, None)
