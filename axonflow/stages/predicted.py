"""What any network leaves of a pixel: planes of a byte, written as images and as sums over blocks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from axonflow.engine.stage import Result
from axonflow.kernel.grid import Box
from axonflow.net.familiarity import block_sums
from axonflow.ngff import Blocks, Pyramid
from axonflow.stages.layout import Layout

__all__ = ["CLASS", "CONFIDENCE", "FIRST_PROBABILITY", "GREY", "Outputs", "outputs_of"]

GREY, CLASS, CONFIDENCE, FIRST_PROBABILITY = range(4)
"""Where each plane lies."""


class Outputs(NamedTuple):
    """Where the planes go.

    Attributes
    ----------
    images : dict of int to Pyramid
        By the plane that is written as it.
    traits : Blocks
    colours : Colours
        Of the classes.
    """

    images: dict[int, Pyramid]
    traits: Blocks
    colours: Any

    @property
    def planes(self) -> int:
        """How many there are."""
        return FIRST_PROBABILITY + len(self.images) - 1

    def create(self) -> None:
        """Make all of them, empty."""
        for i, image in self.images.items():
            image.create(colours=self.colours if i == CLASS else None)
        self.traits.create()

    def write(self, planes: NDArray[np.uint8], box: Box) -> Result:
        """Write the planes of a box."""
        self.keep({i: planes[i] for i in self.images}, block_sums(planes[CONFIDENCE], planes[GREY]), box)
        return {}

    def keep(self, planes: Mapping[int, NDArray[np.uint8]], sums: NDArray[np.uint32], box: Box) -> None:
        """Write those planes of a box that are images, and the sums over its blocks."""
        for i, image in self.images.items():
            image.write(box, planes[i])
        self.traits.write(box, sums)


def outputs_of(layout: Layout, *, keep_probabilities: bool) -> Outputs:
    """Return where the planes of a layout go."""
    images = {CLASS: layout.semantic}
    if keep_probabilities:
        images |= {FIRST_PROBABILITY + i: probability for i, probability in enumerate(layout.probabilities)}
    return Outputs(images, layout.traits, layout.colours)
