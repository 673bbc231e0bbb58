"""Where semantic labels come from: a network, or masks that the user has."""

from __future__ import annotations

from dataclasses import dataclass

from axonflow.kernel.classes import AXON_MYELIN, WITH_UNMYELINATED, Classes
from axonflow.net.checkpoint import Checkpoint, Precision
from axonflow.stages.own_masks import OwnMasks

__all__ = ["Masks", "Network"]


@dataclass(frozen=True, slots=True)
class Network:
    """Semantic labels come from a network.

    Attributes
    ----------
    checkpoint : Checkpoint
    halo : int
        What each core of the lattice sees on its sides, px.
    precision : Precision
        Of the convolutions.
    keep_probabilities : bool
    """

    checkpoint: Checkpoint
    halo: int
    precision: Precision
    keep_probabilities: bool

    @property
    def classes(self) -> Classes:
        """What the labels tell apart."""
        return self.checkpoint.classes


@dataclass(frozen=True, slots=True)
class Masks:
    """Semantic labels come from masks that the user has.

    Attributes
    ----------
    images : (labels,), (axons, myelin) or (axons, myelin, axons without myelin)
    """

    images: OwnMasks

    @property
    def classes(self) -> Classes:
        """What the labels tell apart."""
        if len(self.images) == 1:
            return self.images[0].classes
        return AXON_MYELIN if len(self.images) == 2 else WITH_UNMYELINATED
