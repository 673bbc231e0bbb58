"""Where a slide was not measured, since it could not be read there, on the pixels of the labels; and what still counts.

The conversion writes these places beside the slide, pixel by pixel. A pixel of the labels is among them if any pixel of
the slide that it rests on is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from axonflow.kernel.grid import Box
from axonflow.kernel.resample import Resampling
from axonflow.stages.annotation import Coverage, Fit
from axonflow.stages.layout import Layout

__all__ = ["WhereMeasured", "touched", "unmeasured"]


def unmeasured(layout: Layout, box: Box) -> NDArray[np.bool_]:
    """Return which pixels of the labels in a box rest on a pixel of the slide that was not measured."""
    if not layout.resamples:
        here: NDArray[np.bool_] = layout.unmeasured.read(box) != 0
        return here
    resampling = Resampling(layout.native.shape, layout.native.pixel_size, layout.work.pixel_size)
    share: NDArray[np.bool_] = resampling(layout.unmeasured.read(resampling.needs(box)), box) > 0
    return share


def touched(layout: Layout, labels: NDArray[np.uint32], box: Box) -> NDArray[np.uint32]:
    """Return the ids that have a pixel in a place that was not measured, or beside one, corners included.

    Parameters
    ----------
    layout : Layout
    labels : (h, w) uint32
        Ids in the box; 0 is none.
    box : Box
    """
    around = box.grow(1, layout.work.shape)
    seen = np.zeros((box.shape[0] + 2, box.shape[1] + 2), bool)
    frame = Box(box.y0 - 1, box.x0 - 1, box.y1 + 1, box.x1 + 1)
    seen[around.relative_to(frame).slices] = unmeasured(layout, around)
    if not seen.any():
        return np.zeros(0, np.uint32)
    rows = seen[:-2] | seen[1:-1] | seen[2:]
    near = rows[:, :-2] | rows[:, 1:-1] | rows[:, 2:]
    ids: NDArray[np.uint32] = np.unique(labels[near])
    return ids[ids > 0]


@dataclass(frozen=True, slots=True)
class WhereMeasured:
    """What counts of what was drawn, or of the whole slide: only what was measured.

    Attributes
    ----------
    drawn : Coverage
    layout : Layout
    """

    drawn: Coverage
    layout: Layout

    @property
    def fit(self) -> Fit | None:
        """How the drawing fits the slide."""
        return self.drawn.fit

    @property
    def identity(self) -> str:
        """What tells it from others; what was measured follows from the slide."""
        return f"{self.drawn.identity} where measured"

    @property
    def notes(self) -> tuple[str, ...]:
        """Of the drawing."""
        return self.drawn.notes

    def cover(self, box: Box) -> NDArray[np.bool_]:
        """Return whether each pixel of a box counts."""
        covered: NDArray[np.bool_] = self.drawn.cover(box) & ~unmeasured(self.layout, box)
        return covered
