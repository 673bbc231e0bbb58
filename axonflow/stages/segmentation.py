"""Where semantic labels come from: a network, or masks that the user has."""

from __future__ import annotations

from dataclasses import dataclass

from axonflow.engine.stage import Source
from axonflow.kernel.classes import AXON_MYELIN, WITH_UNMYELINATED, Classes
from axonflow.net.checkpoint import Checkpoint, Precision
from axonflow.net.nnunet.plan import NnUNetPlan
from axonflow.ngff.plane import Plane
from axonflow.stages.colours import Colours
from axonflow.stages.layout import Layout
from axonflow.stages.own_masks import OwnMasks

__all__ = ["Masks", "Network", "NnUNet"]


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
    adapted : bool
        Whether batch norm goes by the slide's own statistics, too.
    mended_from : float or None
        Share of the pixels right beside a seam, given different classes by its two windows, from which on what lies
        near the seam is computed again and sees all that can reach it. None if nothing is.
    """

    checkpoint: Checkpoint
    halo: int
    precision: Precision
    keep_probabilities: bool
    adapted: bool
    mended_from: float | None

    @property
    def classes(self) -> Classes:
        """What the labels tell apart."""
        return self.checkpoint.classes


@dataclass(frozen=True, slots=True)
class NnUNet(Network):
    """A network of nnU-Net, run as nnU-Net runs it, or faster.

    Attributes
    ----------
    plan : NnUNetPlan
        With the step and the mirror images of this run.
    exact : NnUNetPlan
        nnU-Net's own.
    stretched : bool
        Whether the greys of the slide are a mixture of its colours, which AxonDeepSeg stretches.
    colours : Colours or None
        What the network sees in the place of greys, if it sees three channels.
    """

    plan: NnUNetPlan
    exact: NnUNetPlan
    stretched: bool
    colours: Colours | None

    @property
    def approximates(self) -> bool:
        """Whether labels may be others than nnU-Net's."""
        return self.plan != self.exact or self.precision != "float32"

    def source(self, layout: Layout) -> Source:
        """Open what the network sees, where it is read."""
        return self.colours or Plane(layout.input)


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
