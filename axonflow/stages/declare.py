"""All stages of a run, declared in order.

``convert → (resample) → segment → label → measure → map``
"""

from __future__ import annotations

from dataclasses import dataclass

from axonflow.engine.stage import Stage
from axonflow.kernel.classes import AXON_MYELIN, Classes
from axonflow.net.checkpoint import Checkpoint, Precision
from axonflow.slide import Slide
from axonflow.stages.annotation import Coverage, Regions
from axonflow.stages.convert import convert
from axonflow.stages.label import label_axons
from axonflow.stages.layout import Layout
from axonflow.stages.map import map_cells
from axonflow.stages.measure import measure
from axonflow.stages.own_masks import own_masks
from axonflow.stages.region import describe_regions
from axonflow.stages.resample import resample
from axonflow.stages.segment import segment

__all__ = ["GROUPS", "Masks", "Network", "declare"]

GROUPS = ("convert", "resample", "segment", "label", "measure", "map")
"""The stages as the user sees them."""


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
    images : (labels,) or (axons, myelin)
    """

    images: tuple[Slide, ...]

    @property
    def classes(self) -> Classes:
        """What the labels tell apart."""
        return AXON_MYELIN


def declare(
    layout: Layout,
    slide: Slide,
    segmentation: Network | Masks,
    *,
    smallest_axon_um2: float,
    max_myelin_um: float,
    cell_um: float,
    coverage: Coverage,
    regions: Regions | None,
) -> tuple[Stage, ...]:
    """Declare every stage of a run, in the order in which they run."""
    stages = [*convert(layout, slide)]
    if layout.resamples:
        stages += resample(layout, stages[0])
    if isinstance(segmentation, Masks):
        segmented = own_masks(layout, segmentation.images)
    else:
        pixels = next(stage for stage in reversed(stages) if stage.name in {"convert", "resample"})
        segmented = segment(
            layout,
            segmentation.checkpoint,
            segmentation.halo,
            segmentation.precision,
            keep_probabilities=segmentation.keep_probabilities,
            after=pixels,
        )
    labelled = label_axons(layout, smallest_axon_um2, segmented[0])
    measured = measure(layout, max_myelin_um, labelled[1])
    described = describe_regions(layout, regions, coverage, measured[0])
    familiar = segmentation.checkpoint.familiar if isinstance(segmentation, Network) else None
    maps = map_cells(layout, cell_um, coverage, familiar, measured[0])
    return (*stages, *segmented, *labelled, *measured, described, *maps)
