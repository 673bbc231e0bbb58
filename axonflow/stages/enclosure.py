"""Semantic labels → which of axon and myelin encloses the other; where masks were exchanged, it is the wrong one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from axonflow.kernel.grid import Box
from axonflow.stages.layout import Layout

__all__ = ["enclosed", "holes"]

_SIDE, _ACROSS = 2048, 3
"""Windows are much wider than a fiber; what their edges cut open counts for neither."""


def enclosed(layout: Layout) -> tuple[float, float]:
    """Look at up to nine windows of the labels.

    Returns
    -------
    float
        Share of the axon pixels that lie in holes of myelin.
    float
        Share of the myelin pixels that lie in holes of axon.
    """
    inside, total = np.zeros(2, np.int64), np.zeros(2, np.int64)
    rows, columns = (
        sorted({max(side - _SIDE, 0) * k // (_ACROSS - 1) for k in range(_ACROSS)}) for side in layout.work.shape
    )
    for y in rows:
        for x in columns:
            box = Box(y, x, min(y + _SIDE, layout.work.shape[0]), min(x + _SIDE, layout.work.shape[1]))
            labels = layout.semantic.read(box)
            axon, myelin = labels == layout.classes.axon, labels == layout.classes.myelin
            for k, (part, ring) in enumerate(((axon, myelin), (myelin, axon))):
                inside[k] += np.count_nonzero(holes(ring) & part)
                total[k] += np.count_nonzero(part)
    axons, sheaths = (inside / np.maximum(total, 1)).tolist()
    return axons, sheaths


def holes(ring: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which pixels a mask encloses: 4-connected parts of what it leaves that do not reach the image's edge.

    They are those that ``scipy.ndimage.binary_fill_holes`` fills, in half of its time.
    """
    from scipy import ndimage  # takes a tenth of a second, once, at the end

    parts, count = ndimage.label(~ring)
    closed = np.ones(count + 1, np.bool_)
    closed[0] = False
    for edge in (parts[0], parts[-1], parts[:, 0], parts[:, -1]):
        closed[edge] = False
    enclosed_px: NDArray[np.bool_] = closed[parts]
    return enclosed_px
