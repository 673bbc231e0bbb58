"""What any network leaves of a pixel: planes of a byte, written as images, and summed over blocks and over axons."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from axonflow.engine.stage import Result
from axonflow.fiber.probability import sum_pieces
from axonflow.kernel.classes import Classes
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
    classes : Classes
    colours : Colours
        Of the classes.
    """

    images: dict[int, Pyramid]
    traits: Blocks
    classes: Classes
    colours: Any

    @property
    def planes(self) -> int:
        """How many there are."""
        return max(FIRST_PROBABILITY, *(i + 1 for i in self.images))

    @property
    def disk(self) -> int:
        """What they take on disk at most, bytes: labels are compressed well, probabilities are noise."""
        h, w = self.images[CLASS].shape
        return h * w // 6 + (len(self.images) - 1) * h * w * 4 // 3

    def create(self) -> None:
        """Make all of them, empty."""
        for i, image in self.images.items():
            image.create(colours=self.colours if i == CLASS else None)
        self.traits.create()

    def write(self, planes: NDArray[np.uint8] | Mapping[int, NDArray[np.uint8]], box: Box) -> Result:
        """Write the planes of a box; return what :meth:`pieces` does."""
        for i, image in self.images.items():
            image.write(box, planes[i])
        self.traits.write(box, block_sums(planes[CONFIDENCE], planes[GREY]))
        return self.pieces(planes[CLASS], planes[CONFIDENCE], box)

    def rehearse(self) -> None:
        """Compile what :meth:`write` calls."""
        nothing = np.zeros((2, 2), np.uint8)
        block_sums(nothing, nothing)
        self.pieces(nothing, nothing, Box.whole(nothing.shape))

    def pieces(self, labels: NDArray[np.uint8], confidence: NDArray[np.uint8], box: Box) -> Result:
        """Return the sums of the confidence over each piece of an axon in a box, for the end of the stage to keep."""
        return sum_pieces(self.classes.kinds(labels), confidence, box, self.images[CLASS].shape)._asdict()


def outputs_of(layout: Layout, *, keep_probabilities: bool) -> Outputs:
    """Return where the planes of a layout go."""
    images = {CLASS: layout.semantic}
    if keep_probabilities:
        images |= {FIRST_PROBABILITY + i: probability for i, probability in enumerate(layout.probabilities)}
    return Outputs(images, layout.traits, layout.classes, layout.colours)
