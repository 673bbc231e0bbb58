"""How far to believe the numbers of a slide, and what was left out of them and why; in sentences."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from axonflow.fiber.kinds import MYELINATED, of_kind
from axonflow.fiber.tissue import DIAMETER, MYELIN_AREA
from axonflow.kernel.words import area, count, listed, number, outside, share
from axonflow.net.judged import QUANTITIES, read_judged
from axonflow.net.named import EMBEDDED
from axonflow.net.seams import STRAIGHT_PX
from axonflow.results.analysis import Analysis
from axonflow.results.headline import CUTS_SHOW
from axonflow.results.report.words import Fact

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["BORDER", "doubts", "expected_errors", "left_out"]

BORDER = "image_border_touching"
"""The column of the table of axons that is read here, beside those of the tissue."""

SAMPLED_PX = 4096
"""Of the levels of the labels, the finest of which no side is longer is looked at for axons that were left out."""


def expected_errors(result: Analysis) -> str:
    """Say how far off its network was on subjects it never saw, as its card's numbers have it; nothing if none has.

    Of a network that was adapted to the slide nobody has measured it.
    """
    made_by = result.record["model"]
    if "masks" in made_by or "adapted" in made_by or "path" not in made_by:
        return ""
    folder = EMBEDDED if made_by.get("embedded") else Path(made_by["path"]).parent
    judged = read_judged(folder / made_by["name"], made_by["sha256"])
    if judged is None or not judged.errors:
        return ""
    errors = judged.errors.items()
    off = (f"{share(mean)} in {QUANTITIES[name][0]} ({share(most)} at worst)" for name, (mean, most) in errors)
    were = "were" if judged.cross_validated else "was"
    return (
        f"How far it may be off: {judged.who} ({judged.on}) {were} off, by the mean of the subjects, by {listed(*off)}."
    )


def doubts(result: Analysis, axons: pd.DataFrame) -> Iterator[Fact]:
    """Yield what tells how good the numbers are."""
    mapped, seams = result.record["stages"]["map"], result.record["seams"]
    mended = result.record["stages"].get("segment", {}).get("mended")
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
        if (at := seams["neighbours_disagree"]) is not None:
            said = "of the pixels right beside a cut get another class from the square on its other side, at the worst"
            if at >= CUTS_SHOW and not mended:
                said += "; a large axon may end there in a straight line, and --halo mend computes it again"
            yield Fact("disagreement at the cuts", share(at), said)
    if mended and mended["seams"]:
        edges = mended["straight_edges"]
        said = (
            "cuts showed, and what lies beside them was computed again with all that the network can see; this changed "
            f"{share(mended['changed'])} of the pixels. Borders of at least {STRAIGHT_PX} px that run straight along a "
            f"cut: {edges['before']:,} before, {edges['now']:,} now; along lines where nothing is cut: "
            f"{edges['elsewhere']:,}"
        )
        yield Fact("cuts that were mended", _of(mended["again"], mended["seams"]), said)
    if compared := result.record["stages"].get("segment.fast"):
        said = f"of {compared['compared_px']:,} px that were computed in nnU-Net's own way, too, as it takes longer"
        yield Fact("pixels other than nnU-Net's", share(compared["disagrees"]), said)
    if axons.empty:
        return
    bare = int((axons[MYELIN_AREA] == 0).sum())
    said = "axons have no myelin of their own: it was missed, or there is none; no g-ratio counts them"
    yield Fact("axons whose myelin is missing", _of(bare, len(axons)), said)
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
        gone = count(result.left_out.get("mask", 0) if result.decided else result.axon_count - len(axons), "axon")
        said = f"and {gone} whose centroids lie there, by the mask {Path(config['mask']).name}"
        yield Fact("outside the mask", area(outside), said)
    yield from _by_rules(result, axons)
    smallest = result.record["labels"].get("min_axon_area_um2", config.get("min_axon_area_um2"))  # not there at first
    specks = result.record["stages"].get("label.survey", {}).get("too_small")  # likewise
    if smallest == 0:
        yield Fact("too small", "nothing", "axons of every size count")
    else:
        limit = "the network's limit" if smallest is None else f"{smallest:g} µm²"
        said = f"of all that is classed as axon (estimated) lies in objects smaller than {limit}, which are not counted"
        if specks is not None:
            said += f": {count(specks, 'object')}" + " of both kinds" * bool(result.kind_columns)
        yield Fact("too small", share(_too_small(result, result.classes.axon)), said)
    least, number_ = result.record["labels"].get("min_unmyelinated_area_um2"), result.classes.unmyelinated
    if least and number_ is not None:
        said = f"of what is classed as unmyelinated axon (estimated) lies in objects smaller than {least:g} µm²"
        yield Fact("too small, unmyelinated", share(_too_small(result, number_)), said)
    far = result.record["stages"]["measure"].get("myelin_px_beyond_reach")
    um2 = float(np.prod(result.record["labels"]["pixel_size_um"]))
    said = f"of myelin lies farther than {config['max_myelin_um']:g} µm from its axon; it counts in the MVF alone"
    yield Fact("myelin out of reach", area(far * um2 / 1e6) if far else "nothing", said)


_CUT = {
    "frame": "axons are cut by the slide's lower or right side and do not count, those cut by the upper or left "
    "side do (counting frame): were the tissue cut into pieces, each axon would count in one of them",
    "border": "axons do not count because their fiber touches the slide's border; large ones touch it more often, so "
    "density and mean diameter come out too small (--border frame does not have that)",
}
_JUDGED = {
    "area": "axons have areas",
    "diameter": "axons have diameters",
    "solidity": "axons have a solidity",
    "eccentricity": "axons have an eccentricity",
    "gratio": "axons have g-ratios",
    "probability": "axons have a mean probability of their class",
}


def _by_rules(result: Analysis, axons: pd.DataFrame) -> Iterator[Fact]:
    """Yield what each rule has left out, and what the counting frame does to the numbers."""
    for rule, words in _CUT.items():
        if result.left_out.get(rule, 0):
            said = words + (_without_frame(result, axons) if rule == "frame" else "")
            yield Fact("cut by the border", result.left_out_in_words(rule), said)
    for rule, bounds in result.record.get("rules", {}).items():
        if rule == "border":
            continue
        said = "axons have no myelin that was found" if rule == "myelin" else f"{_JUDGED[rule]} {outside(*bounds)}"
        said += ": they do not count, and neither do their pixels and those of their myelin"
        yield Fact(f"left out by {rule}", result.left_out_in_words(rule), said)


def _without_frame(result: Analysis, axons: pd.DataFrame) -> str:
    """Say what density and mean diameter would be if every axon counted that the border cuts."""
    if axons.empty:
        return ""
    cut = of_kind(result.left_out_by("frame", [DIAMETER, *result.kind_columns]), MYELINATED)[DIAMETER].to_numpy()
    here = of_kind(axons, MYELINATED)[DIAMETER].to_numpy()
    if not (len(cut) and len(here)):
        return ""
    mean = np.concatenate([here, cut]).mean() / here.mean() - 1
    return f"; if all counted, density would differ by {len(cut) / len(here):+.1%} and mean diameter by {mean:+.1%}"


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
