"""What is known of a run that may show it to be wrong: before it begins, and once its maps are there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import combinations
from math import ceil, sqrt
from typing import Any

import numpy as np

from axonflow.engine.journal import Journal, Record
from axonflow.engine.stage import Stage
from axonflow.errors import AxonflowError, StoreError
from axonflow.fiber.maps import Cells, fitting_side, is_whole
from axonflow.kernel.tally import Tally
from axonflow.kernel.units import PixelSize
from axonflow.net.coarseness import coarseness_limits
from axonflow.net.familiarity import JUDGED_PX, TRAITS, traits
from axonflow.net.familiarity import unfamiliar as outside
from axonflow.ngff.maps import read_maps
from axonflow.slide import Slide
from axonflow.slide.colour import coloured_share
from axonflow.stages.annotation import Coverage, Fit, Regions
from axonflow.stages.convert import read_greys
from axonflow.stages.layout import Layout
from axonflow.stages.segmentation import Masks, Network, NnUNet
from axonflow.workflow.choice import pixels_of, scale
from axonflow.workflow.config import Config
from axonflow.workflow.signs.coarse import coarseness
from axonflow.workflow.signs.contrast import myelin_against_axon
from axonflow.workflow.signs.enclosure import enclosed
from axonflow.workflow.signs.inverted import axons_upright_and_inverted
from axonflow.workflow.signs.plausible import plausibility
from axonflow.workflow.signs.unit import Doubt, doubted_units

__all__ = ["Evidence", "after", "before"]

FEW_AXONS = 0.12
"""AVF below which the network is asked whether the slide is inverted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What is known; None is not known (yet), or does not apply.

    Attributes
    ----------
    shape : (int, int)
        Of the slide, px.
    pixel_um, stated_um : (float, float)
        Height and width of its pixels; those that the file states, beside one that was given.
    pixel_size_source, stated_by : str
    twice : tuple of (str, str, str)
        What one file was given for, twice, and the file.
    alike : tuple of (str, str)
        Masks of one value, and what it means.
    drawings : tuple of Fit
        Of mask and regions.
    masked : bool
        Whether a mask says what counts.
    in_um : tuple of Doubt
        Outlines that were read in pixels, and look as if they were in µm.
    bar_rows : int
        Of an info bar that is kept.
    coloured : float
        Share of pixels in colour.
    model, model_um, scale
        Of a network: name, pixel size, and how many times larger or smaller that is than the slide's.
    cells, cell_um, fitting_um
        Number of cells of which at least half counts, their side, and a smaller one that gives more.
    judged_um : float
        Of a network that knows its training images: side of the smallest cell that is compared with them.
    label_um2 : float
        Area of a pixel of the labels.
    greys : int
        Number of greys, two or more being no further told apart.
    extreme : (float, str)
        Largest share of pixels in the darkest or brightest grey, and which of the two.
    between, beyond, avf, mvf, area_mm2, axons, diameter_um, density_mm2
        Of all that counts; axons without myelin are no part of it.
    unmyelinated : int
        How many of these count.
    one_label : str
        The only class that counts; empty if there are others.
    enclosed : (float, float)
        Share of axon enclosed by myelin, and of myelin by axon.
    inverted : (float, float)
        Share of axon in some windows as they are, and with bright and dark exchanged.
    contrast : float
        Of own masks: by how many standard deviations of the slide's greys those under myelin and under axons differ.
    contested : float
        Share of the mask of axons without myelin that is drawn as axon or myelin, too.
    covered : float
        Share of the mask of myelin that is drawn as axon, too.
    coarseness : float
        Median of some squares that count, of a network whose contract says what its training images have.
    coarse_limits : (float, float)
        Between what it lies if the slide is as coarse as they are.
    solidity : float
        Mean over the area of the axons that a network has found.
    bare : int
        Axons with no myelin, of those that should have some.
    unmyelinated_um : float
        Mean diameter of axons of the class without myelin.
    specks : (int, int)
        Axons of :data:`~axonflow.workflow.signs.plausible.SPECK_PX` pixels or fewer, and such without myelin.
    judged_px : int
        Pixels that count, of a network that says what is familiar.
    too_few : bool
        Whether they are too few to be judged.
    unfamiliar : float
        Share of what could be judged that is unfamiliar.
    unfamiliar_words, traits_words : str
    unmeasured, blank : Mapping
        What of the slide could not be read, and what of it is of one grey; as the record says it.
    touching : int
        Axons beside what could not be read.
    """

    shape: tuple[int, int]
    pixel_um: tuple[float, float]
    pixel_size_source: str
    stated_um: tuple[float, float] | None = None
    stated_by: str = ""
    twice: tuple[tuple[str, str, str], ...] = ()
    alike: tuple[tuple[str, str], ...] = ()
    drawings: tuple[Fit, ...] = ()
    masked: bool = False
    in_um: tuple[Doubt, ...] = ()
    bar_rows: int = 0
    coloured: float | None = None
    model: str = ""
    model_um: float | None = None
    scale: float | None = None
    model_sees_um: tuple[float, float] | None = None
    cells: int | None = None
    cell_um: float = 0.0
    fitting_um: float = 0.0
    judged_um: float = 0.0
    label_um2: float = 0.0
    greys: int | None = None
    extreme: tuple[float, str] | None = None
    between: float | None = None
    beyond: float | None = None
    avf: float | None = None
    mvf: float | None = None
    area_mm2: float | None = None
    axons: int | None = None
    unmyelinated: int = 0
    diameter_um: float | None = None
    density_mm2: float | None = None
    one_label: str = ""
    enclosed: tuple[float, float] | None = None
    inverted: tuple[float, float] | None = None
    contrast: float | None = None
    contested: float | None = None
    covered: float | None = None
    coarseness: float | None = None
    coarse_limits: tuple[float, float] = (0.0, 0.0)
    solidity: float | None = None
    bare: int = 0
    unmyelinated_um: float | None = None
    specks: tuple[int, int] = (0, 0)
    judged_px: int | None = None
    too_few: bool = False
    unfamiliar: float | None = None
    unfamiliar_words: str = ""
    traits_words: str = ""
    unmeasured: Mapping[str, Any] | None = None
    blank: Mapping[str, Any] | None = None
    touching: int = 0


def before(
    config: Config,
    slide: Slide,
    layout: Layout,
    segmentation: Network | Masks,
    coverage: Coverage,
    regions: Regions | None,
) -> Evidence:
    """Collect what is known before a run begins."""
    size = layout.native.pixel_size
    stated = None if slide.stated is None else (slide.stated[0].y, slide.stated[0].x)
    fits = tuple(drawn.fit for drawn in (coverage, regions) if drawn is not None and drawn.fit is not None)
    masks = segmentation.images if isinstance(segmentation, Masks) else ()
    alike = [(str(mask.image.path), mask.alike) for mask in masks if mask.alike]
    alike += [(str(fit.path), fit.alike) for fit in fits if fit.alike]
    cells = Cells(layout.work.shape, layout.work.pixel_size, config.cell_um)
    known = Evidence(
        shape=slide.shape,
        pixel_um=(size.y, size.x),
        pixel_size_source=slide.pixel_size_source,
        stated_um=stated,
        stated_by="" if slide.stated is None else slide.stated[1],
        twice=tuple(_twice(slide, segmentation, coverage, regions)),
        alike=tuple(alike),
        drawings=fits,
        masked=config.mask is not None,
        in_um=tuple(doubted_units(layout.native, coverage, regions, masks)),
        bar_rows=slide.bar.rows if slide.bar is not None and config.keep_bar else 0,
        cells=None if config.mask else cells.whole,
        cell_um=config.cell_um,
        label_um2=layout.work.pixel_size.area_um2,
        fitting_um=_fitting(layout.work.shape, (layout.work.pixel_size.y, layout.work.pixel_size.x)),
    )
    if isinstance(segmentation, Network):
        model = segmentation.checkpoint
        sees_colours = isinstance(segmentation, NnUNet) and segmentation.colours is not None
        known = replace(
            known,
            coloured=None if sees_colours else coloured_share(slide, config.series, config.channel),
            model=model.name,
            model_um=model.pixel_size_um if model.on_own_pixels else model.working_size(size).geometric_um,
            scale=scale(model, size),
            model_sees_um=pixels_of(model, size) if model.plan is not None else None,
            judged_um=_judged_side(layout.work.pixel_size) if model.familiar else 0.0,
        )
    return known


def _judged_side(size: PixelSize) -> float:
    return float(ceil(sqrt(JUDGED_PX * size.area_um2)))


def after(
    known: Evidence,
    layout: Layout,
    segmentation: Network | Masks,
    stages: Sequence[Stage],
    journal: Journal,
    coverage: Coverage,
) -> Evidence:
    """Add what the store of a finished run holds to what was known :func:`before`."""
    maps = read_maps(layout.maps)
    area = maps["covered_area"].to_numpy()
    counts, total = maps["axon_count"].fillna(0).to_numpy(), float(area.sum())
    axons = int(counts.sum())
    without = 0 if layout.classes.unmyelinated is None else int(maps["unmyelinated_count"].sum())
    cells = int(is_whole(maps).sum()) or int(np.count_nonzero(area))
    known = replace(known, area_mm2=total, axons=axons, unmyelinated=without, cells=cells)
    records = {stage.name: journal.record(stage) for stage in stages}
    known = replace(
        known,
        between=records["segment"].summary.get("between"),
        contested=records["segment"].summary.get("contested"),
        covered=records["segment"].summary.get("covered"),
        unmeasured=records["convert"].summary.get("unmeasured"),
        blank=records["convert"].summary.get("blank"),
        touching=records["measure"].summary.get("touch_unmeasured", 0),
    )
    if not total:
        return known
    avf, mvf = (float(np.nansum(maps[name].to_numpy() * area)) / total for name in ("avf", "mvf"))
    diameters = maps["axon_diameter_mean"].to_numpy()
    myelin_px = mvf * total * 1e6 / layout.work.pixel_size.area_um2
    inner, around = enclosed(layout)
    greys = read_greys(layout).counts.total[:, 0]
    known = replace(
        known,
        avf=avf,
        mvf=mvf,
        density_mm2=axons / total,
        diameter_um=float(np.nansum(diameters * counts)) / axons if axons else None,
        beyond=_beyond(records["measure"]) / myelin_px if myelin_px >= 1 else None,
        one_label=next((name for name, part in (("axon", avf), ("myelin", mvf)) if part > 1 - 1e-9), ""),
        enclosed=(inner, around),
        greys=min(len(greys), 2),
    )
    if isinstance(segmentation, Masks):
        known = replace(known, contrast=myelin_against_axon(layout))
    if axons or without:
        found = plausibility(layout, records["map"])
        known = replace(known, bare=found.bare, unmyelinated_um=found.unmyelinated_um, specks=found.specks)
        if isinstance(segmentation, Network):
            known = replace(known, solidity=found.solidity)
    if avf == mvf == 0 and not without:
        known = replace(known, one_label="background")
    if isinstance(segmentation, Network):
        ends = {"darkest": float(greys[0] / greys.sum()), "brightest": float(greys[-1] / greys.sum())}
        which = max(ends, key=lambda name: ends[name])
        known = replace(
            _doubted(_scaled(known, layout, segmentation, coverage), segmentation, records["map"]),
            extreme=(ends[which], which),
        )
        if avf < FEW_AXONS and len(greys) > 1 and not isinstance(segmentation, NnUNet):
            with suppress(AxonflowError):  # such as an accelerator that is in use; nothing depends on it
                known = replace(known, inverted=axons_upright_and_inverted(layout, segmentation))
    return known


def _beyond(measured: Record) -> int:
    """Return the pixels of myelin that are out of reach, as the stage noted."""
    count = measured.summary.get("myelin_px_beyond_reach")
    if type(count) is not int:
        raise StoreError(
            f"The myelin out of reach was expected to be noted in {measured.folder}, it is not; run again with --fresh."
        )
    return count


def _scaled(known: Evidence, layout: Layout, network: Network, coverage: Coverage) -> Evidence:
    """Add how coarse the slide is, beside the training images."""
    familiar = network.checkpoint.coarseness
    if familiar is None or not (squares := coarseness(layout, coverage)):
        return known
    limits = coarseness_limits(familiar, len(squares))
    return replace(known, coarseness=float(np.median(squares)), coarse_limits=limits)


def _doubted(known: Evidence, network: Network, mapped: Record) -> Evidence:
    """Add how much is unlike anything that the network was trained on."""
    familiar = network.checkpoint.familiar
    if not familiar:
        return known
    found = (Tally.from_arrays(result, "doubt") for _, result in mapped.results())
    cells = Tally.merge(found).total
    whole = cells.sum(axis=0)
    if (pixels := int(whole[4])) < JUDGED_PX:
        return replace(known, judged_px=pixels, too_few=True)
    flagged = outside(cells, familiar)
    judged = int(np.count_nonzero(~np.isnan(flagged)))
    if judged:
        unlike = int(np.nansum(flagged))
        share = unlike / judged
        words = "The one cell that can be judged looks" if judged == 1 else f"{unlike:,} of {judged:,} cells look"
        whole = cells[flagged == 1].sum(axis=0) if unlike else whole
    else:  # the cells are too small to be judged one by one
        share, words = float(outside(whole, familiar)), "All that counts looks"
    values = dict(zip(TRAITS, traits(whole).tolist(), strict=True))
    away = [
        f"{name} {values[name]:.3f}, familiar is {low:g} to {high:g}"
        for name, (low, high) in familiar.items()
        if not low <= values[name] <= high
    ]
    said = f" ({'; '.join(away)})" if away else ""
    return replace(known, judged_px=pixels, unfamiliar=share, unfamiliar_words=words, traits_words=said)


def _twice(
    slide: Slide, segmentation: Network | Masks, coverage: Coverage, regions: Regions | None
) -> Iterator[tuple[str, str, str]]:
    """Yield what has the content of another thing that it cannot be."""
    given = [("the slide", slide.identity, str(slide.path))]
    if isinstance(segmentation, Masks):
        images = [mask.image for mask in segmentation.images]
        names = ("--labels",) if len(images) == 1 else ("--axon-mask", "--myelin-mask", "--uaxon-mask")
        given += [(name, image.identity, str(image.path)) for name, image in zip(names, images, strict=False)]
    drawn = (("--mask", coverage.fit), ("--regions", regions.fit if regions else None))
    given += [(name, fit.identity, str(fit.path)) for name, fit in drawn if fit is not None and fit.identity]
    for (first, one, _), (second, other, path) in combinations(given, 2):
        if one == other and (first, second) != ("--mask", "--regions"):
            yield first, second, path


def _fitting(shape: tuple[int, int], pixel_um: tuple[float, float]) -> float:
    """Return the side of cells that fit a slide, but not less than a pixel."""
    height, width = (n * um for n, um in zip(shape, pixel_um, strict=True))
    return max(fitting_side(height, width), *pixel_um)
