"""The slide's greys under own masks → whether the masks are of this slide: myelin and axon differ in it then."""

from __future__ import annotations

from math import sqrt

import numpy as np

from axonflow.stages.layout import Layout
from axonflow.workflow.signs.spots import spots

__all__ = ["myelin_against_axon"]

_FEWEST_PX = 200
"""Of either class, for their means to tell anything."""


def myelin_against_axon(layout: Layout) -> float | None:
    """Compare the greys under myelin and under axons, in some windows.

    Returns
    -------
    float or None
        (mean grey under myelin − mean grey under axons) / standard deviation of all greys. None if there is too little
        of either, or only one grey.

    Notes
    -----
    The labelled images of ASTIH's SEM1 (9) and TEM2 (12) have magnitudes of 1.1 to 2.1 under their own masks; under
    those of each other, or of themselves turned or mirrored (267 pairs), 0.55 at most.
    """
    sums, counts, all_sums = np.zeros(2), np.zeros(2, np.int64), np.zeros(3)
    for box in spots(layout.work.shape):
        labels, grey = layout.semantic.read(box), layout.input.read(box).astype(np.float64)
        if not np.isfinite(grey).all():
            grey = np.nan_to_num(grey, posinf=0, neginf=0)
        for k, number in enumerate((layout.classes.myelin, layout.classes.axon)):
            under = labels == number
            counts[k] += np.count_nonzero(under)
            sums[k] += grey[under].sum()
        all_sums += grey.size, grey.sum(), (grey * grey).sum()
    n, total, squares = all_sums
    variance = squares / n - (total / n) ** 2
    if counts.min() < _FEWEST_PX or variance <= 1e-9 * squares / n:
        return None
    myelin, axon = sums / counts
    return float((myelin - axon) / sqrt(variance))
