"""How far to believe the numbers of a slide, and what was left out of them and why; in sentences."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from axonflow.fiber.tissue import MYELIN_AREA
from axonflow.kernel.words import area, count, number, share
from axonflow.results.analysis import Analysis
from axonflow.results.report.words import Fact

__all__ = ["BORDER", "doubts", "left_out"]

BORDER = "image_border_touching"
"""The column of the table of axons that is read here, beside those of the tissue."""

SAMPLED_PX = 4096
"""Of the levels of the labels, the finest of which no side is longer is looked at for axons that were left out."""


def doubts(result: Analysis, axons: pd.DataFrame) -> Iterator[Fact]:
    """Yield what tells how good the numbers are."""
    mapped, seams = result.record["stages"]["map"], result.record["seams"]
    if mapped.get("confidence") is not None:
        said = "the mean probability that the network gave to the class it chose; 1 is certainty"
        yield Fact("confidence", number(mapped["confidence"], ".3f"), said)
    unfamiliar, judged = _unfamiliar(result)
    if judged:
        which = f"of {count(judged, 'cell')} that could be judged"
        said = f"{which}: brighter, darker, coarser, finer or less sure than any training image"
        yield Fact("cells unlike the training images", count(unfamiliar), said)
    if seams and seams["exact_halo_disagrees"] is not None:
        pairs = count(seams["seams_sampled"], "pair")
        said = (
            "of the pixels would get another class if the network saw more around each square that it looks at "
            f"(--halo exact); measured on {pairs} of neighbouring squares"
        )
        yield Fact("pixels that depend on the cutting", share(seams["exact_halo_disagrees"]), said)
        said = "of the pixels right beside a cut get another class from the square on its other side, at the worst"
        yield Fact("disagreement at the cuts", share(seams["neighbours_disagree"]), said)
    if compared := result.record["stages"].get("segment.fast"):
        said = f"of {compared['compared_px']:,} px that were computed in nnU-Net's own way, too, as it takes longer"
        yield Fact("pixels other than nnU-Net's", share(compared["disagrees"]), said)
    if axons.empty:
        return
    bare = int((axons[MYELIN_AREA] == 0).sum())
    said = "axons have no myelin of their own: unmyelinated, or their myelin was missed; no g-ratio counts them"
    yield Fact("axons without myelin", _of(bare, len(axons)), said)
    cut = int(axons[BORDER].sum())
    said = "fibers touch the slide's border, which may cut them: they count, and may look too small"
    yield Fact("fibers at the border", _of(cut, len(axons)), said)


def left_out(result: Analysis, axons: pd.DataFrame) -> Iterator[Fact]:
    """Yield what does not count, and why."""
    config, maps = result.record["config"], result.maps
    if config["mask"] is None:
        yield Fact("outside a mask", "nothing", "no mask was given: the whole slide counts")
    else:
        slide = result.record["slide"]
        whole = float(np.prod(slide["shape"]) * np.prod(slide["pixel_size_um"])) / 1e6
        outside = max(whole - float(maps["covered_area"].sum()), 0.0)
        gone = count(result.axon_count - len(axons), "axon")
        said = f"and {gone} whose centroids lie there, by the mask {Path(config['mask']).name}"
        yield Fact("outside the mask", area(outside), said)
    smallest = result.record["labels"].get("min_axon_area_um2", config["min_axon_area_um2"])  # not there at first
    if smallest == 0:
        yield Fact("too small", "nothing", "axons of every size count")
    else:
        limit = "the network's limit" if smallest is None else f"{smallest:g} µm²"
        said = f"of all that is classed as axon (estimated) lies in objects smaller than {limit}, which are not counted"
        yield Fact("too small", share(_too_small(result, result.classes.axon)), said)
    least, number_ = result.record["labels"].get("min_unmyelinated_area_um2"), result.classes.unmyelinated
    if least and number_ is not None:
        said = f"of what is classed as unmyelinated axon (estimated) lies in objects smaller than {least:g} µm²"
        yield Fact("too small, unmyelinated", share(_too_small(result, number_)), said)
    far = result.record["stages"]["measure"].get("myelin_px_beyond_reach")
    um2 = float(np.prod(result.record["labels"]["pixel_size_um"]))
    said = f"of myelin lies farther than {config['max_myelin_um']:g} µm from its axon; it counts in the MVF alone"
    yield Fact("myelin out of reach", area(far * um2 / 1e6) if far else "nothing", said)


def _unfamiliar(result: Analysis) -> tuple[int, int]:
    """Return the number of unfamiliar cells, and of those that were judged."""
    if "unfamiliar" not in result.maps:
        return 0, 0
    cells = result.maps["unfamiliar"]
    return int(cells.sum()), int(cells.count())


def _too_small(result: Analysis, of_class: int) -> float:
    """Return the share of the pixels of a class of axons that were left out, from one coarse level of the labels.

    Levels of labels are samples: each pixel of one is a pixel of the level below.
    """
    from axonflow.results.figures.overlay import coarse

    labels, ids = (coarse(result.pyramid(name), SAMPLED_PX) for name in ("semantic", "axons"))
    axon = labels == of_class
    return float(result.classes.left_out(labels, ids)[axon].mean()) if axon.any() else 0.0


def _of(part: int, whole: int) -> str:
    return f"{part:,} of {whole:,} ({share(part / whole)})"
