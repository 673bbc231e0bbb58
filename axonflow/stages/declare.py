"""All stages of a run, declared in order.

``convert → (resample) → segment → label → measure → map``
"""

from __future__ import annotations

from axonflow.engine.stage import Stage
from axonflow.fiber.rules import Rules
from axonflow.slide import Slide
from axonflow.stages.adapted import adapt
from axonflow.stages.annotation import Coverage, Regions
from axonflow.stages.bounds import bounds
from axonflow.stages.convert import GREYS, OnBadTile, convert
from axonflow.stages.label import label_axons
from axonflow.stages.layout import Layout
from axonflow.stages.map import map_cells
from axonflow.stages.measure import AxonShape, measure
from axonflow.stages.own_masks import own_masks
from axonflow.stages.region import describe_regions
from axonflow.stages.resample import resample
from axonflow.stages.rules import apply_rules
from axonflow.stages.segment import segment
from axonflow.stages.segment_mended import segment_mended
from axonflow.stages.segment_nnunet import segment_by_nnunet
from axonflow.stages.segmentation import Masks, Network, NnUNet

__all__ = ["GROUPS", "declare"]

GROUPS = ("convert", "resample", "segment", "label", "measure", "map")
"""The stages as the user sees them."""


def declare(
    layout: Layout,
    slide: Slide,
    segmentation: Network | Masks,
    *,
    min_axon_area_um2: float,
    min_unmyelinated_area_um2: float,
    max_myelin_um: float,
    axon_shape: AxonShape = "circle",
    cell_um: float,
    rules: Rules,
    coverage: Coverage,
    regions: Regions | None,
    on_bad_tile: OnBadTile = "stop",
) -> tuple[Stage, ...]:
    """Declare every stage of a run, in the order in which they run."""
    stages = [*convert(layout, slide, on_bad_tile)]
    if layout.resamples:
        stages += resample(layout, stages[0])
    if isinstance(segmentation, Masks):
        segmented = own_masks(layout, segmentation.images)
    else:
        pixels = next(stage for stage in reversed(stages) if stage.name in {"convert", "resample"})
        counted = (stage for stage in stages if stage.name == GREYS)
        if isinstance(segmentation, NnUNet):
            stages.append(bounds(layout, segmentation, (pixels, *counted)))
            segmented = segment_by_nnunet(layout, segmentation, stages[-1])
        else:
            seen = (pixels, *counted)
            if segmentation.adapted:
                stages.append(adapt(layout, segmentation, seen))
                seen = (*seen, stages[-1])
            declared = segment if segmentation.mended_from is None else segment_mended
            segmented = declared(layout, segmentation, seen)
    classes = next(stage for stage in segmented if stage.name == "segment")
    labelled = label_axons(layout, min_axon_area_um2, min_unmyelinated_area_um2, classes)
    gaps = stages[0] if on_bad_tile == "fill" else None
    by_network = isinstance(segmentation, Network)
    measured = measure(layout, max_myelin_um, labelled[1], gaps, axon_shape, by_network=by_network)
    decided = apply_rules(layout, rules, coverage, measured[0])
    described = describe_regions(layout, regions, rules, coverage, decided)
    familiar = segmentation.checkpoint.familiar if isinstance(segmentation, Network) else None
    maps = map_cells(layout, cell_um, rules, coverage, familiar, decided)
    return (*stages, *segmented, *labelled, *measured, decided, described, *maps)
