"""Which myelin belongs to which axon: the nearest one, on a path that never leaves the myelin.

Every axon grows through the myelin by one pixel at a time, up, down, left and right, all at once; where two arrive
in the same round the smaller id wins. A pixel's fiber is thus the axon at the smallest city-block *geodesic*
distance. Myelin that no axon reaches belongs to none. After ``reach`` rounds the growth ends, so that a pixel depends
on nothing farther away than that: the reach is the halo.
"""

from __future__ import annotations

from math import ceil, sqrt

import numpy as np
from numpy.typing import NDArray

from axonflow.fiber.compiled import compiled
from axonflow.grid import Box
from axonflow.units import PixelSize

__all__ = ["assign", "cut_off", "reach_px"]


def reach_px(thickness_um: float, pixel_size: PixelSize) -> int:
    """Return the rounds that cross myelin of a given thickness in any direction.

    A step goes along an axis, so the diagonal of a sheath takes √2 times as many: ⌈√2 · thickness / smaller side⌉.
    """
    return ceil(sqrt(2) * thickness_um / min(pixel_size.y, pixel_size.x))


def assign(axons: NDArray[np.uint32], myelin: NDArray[np.bool_], reach: int) -> NDArray[np.uint32]:
    """Give every myelin pixel to the axon that reaches it first.

    Parameters
    ----------
    axons : (h, w) uint32
        Ids of axons; 0 is none.
    myelin : (h, w) bool
        Pixels that may be entered.
    reach : int
        Rounds of growth, px. A core is right when its window has a halo of as many pixels.

    Returns
    -------
    (h, w) uint32
        Ids of fibers: each axon and its myelin; 0 is none.
    """
    fibers = axons.copy()
    if reach > 0:
        _grow(axons, fibers, myelin & (axons == 0), reach)
    return fibers


def cut_off(fibers: NDArray[np.uint32], myelin: NDArray[np.bool_], core: Box, window: Box) -> int:
    """Count the myelin pixels of a core that the next round would have given to a fiber.

    Anything but 0 says that some myelin is thicker than the reach.

    Parameters
    ----------
    fibers : (h, w) uint32
        What :func:`assign` returned for a window with a halo of reach + 1.
    myelin : (h, w) bool
        The myelin it was given.
    core, window : Box
        The part to count in, and the part that both arrays show.
    """
    taken = np.pad(fibers > 0, 1)
    beside = taken[:-2, 1:-1] | taken[2:, 1:-1] | taken[1:-1, :-2] | taken[1:-1, 2:]
    return int(np.count_nonzero((myelin & (fibers == 0) & beside)[core.relative_to(window).slices]))


@compiled
def _grow(axons: NDArray[np.uint32], fibers: NDArray[np.uint32], free: NDArray[np.bool_], reach: int) -> None:
    """Let ``fibers`` grow into the ``free`` pixels, in place; every free pixel enters the queue at most once."""
    h, w = axons.shape
    state = free.view(np.uint8)  # 1 is free, 2 was taken in this round and may still change hands, 0 is settled
    queue = np.empty(np.count_nonzero(free), np.int64)
    last = 0
    for y in range(h):
        for x in range(w):
            if state[y, x] == 0:
                continue
            smallest = np.uint32(0)
            for v, u in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
                if 0 <= v < h and 0 <= u < w:
                    axon = axons[v, u]
                    if axon > 0 and (smallest == 0 or axon < smallest):
                        smallest = axon
            if smallest > 0:
                fibers[y, x] = smallest
                queue[last] = y * w + x
                last += 1
    first = 0
    for _ in range(1, reach):
        end = last
        for i in range(first, end):
            state[queue[i] // w, queue[i] % w] = 0
        for i in range(first, end):
            y, x = queue[i] // w, queue[i] % w
            fiber = fibers[y, x]
            for v, u in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
                if 0 <= v < h and 0 <= u < w:
                    if state[v, u] == 1:
                        state[v, u] = 2
                        fibers[v, u] = fiber
                        queue[last] = v * w + u
                        last += 1
                    elif state[v, u] == 2 and fiber < fibers[v, u]:
                        fibers[v, u] = fiber
        first = end
        if first == last:
            break
