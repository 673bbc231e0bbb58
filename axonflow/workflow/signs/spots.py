"""A slide's shape → up to nine windows of it that are looked at where looking at all of it would take too long."""

from __future__ import annotations

from collections.abc import Iterator

from axonflow.kernel.grid import Box

__all__ = ["spots"]

_SIDE, _ACROSS = 2048, 3
"""Windows are much wider than a fiber; what their edges cut open is little beside the rest."""


def spots(shape: tuple[int, int]) -> Iterator[Box]:
    """Yield windows spread evenly over an image, from corner to corner, in raster order; all of a small one."""
    rows, columns = (sorted({max(side - _SIDE, 0) * k // (_ACROSS - 1) for k in range(_ACROSS)}) for side in shape)
    for y in rows:
        for x in columns:
            yield Box(y, x, min(y + _SIDE, shape[0]), min(x + _SIDE, shape[1]))
