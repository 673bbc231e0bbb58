"""What cannot be right of a run is said: every warning there is, when it is given, in which words, and what to do.

The report, the record, the terminal, Python and the reference page of the documentation all take them from this table.
A rule looks at the :class:`~axonflow.workflow.evidence.Evidence` of a run; what is not known yet gives no warning.
:data:`UNPROVED` alone is of no run: it is given of a copy that came without its journal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from axonflow.fiber.maps import FEWEST_CELLS
from axonflow.kernel.words import listed
from axonflow.slide.scale import AGREE
from axonflow.stages.annotation import OVERLAP
from axonflow.workflow.choice import LARGEST_SCALE
from axonflow.workflow.evidence import Evidence
from axonflow.workflow.signs.plausible import SPECK_PX

__all__ = ["RULES", "UNPROVED", "Given", "Rule", "judge", "read_warnings"]

Numbers = Mapping[str, Any]

LARGEST_AVF = 0.9
DIAMETER_UM = (0.2, 20.0)
DENSITY_MM2 = (1e3, 5e6)
"""Manual masks of mouse corpus callosum in fields of 3 µm hold up to 2.5 million axons per mm²."""

CLIPPED, COLOURED, BETWEEN, BEYOND, UNFAMILIAR = 1 / 3, 0.2, 0.02, 0.05, 0.5
"""Shares from which on: of pixels in one extreme grey, and in colour; of a mask between its values; of myelin out of
reach; of cells unlike the training."""

COVERED = 0.9
"""Share of the myelin under axons from which on these are not right; where fibers are drawn as myelin, it is a half."""

FEWEST_PER_CELL = 20
"""Axons a cell from which on its numbers are more than chance: a count of 20 is uncertain by a fifth or more."""

BLANK = 0.01
"""Share of the slide in blocks of one grey."""

RAGGED, FEWEST_AXONS = 0.87, 5
"""Solidity of axons below which, and number of axons from which on, they are thought to be none."""

UNRELATED = 0.6
"""Standard deviations of the slide's greys by which those under myelin and under axons differ at least, if masks are of
the slide; see :func:`axonflow.workflow.signs.contrast.myelin_against_axon`."""

CONTESTED = 0.2
"""Share of the axons without myelin that are drawn as axon or myelin, too, from which on the mask is doubted."""

BARE = 0.5
"""Share of the axons without myelin from which on they are thought to be of another class."""

SPECKS = 0.02
"""Share of the axons from which on specks make the density, and the mean diameter, another."""

THICK_UM = 3.0
"""Diameter above which axons without myelin are no such: C fibers of nerves have 0.2 to 1.5 µm."""

SWAPPED = 0.1
"""Share of the myelin that axons enclose, from which on the two are thought to be exchanged."""

LOST = (
    "The network has lost its way: are bright and dark as it knows them, and is the pixel size right? Do not use the "
    "numbers before you have compared the outlines with the tissue."
)

PROPORTIONS = 0.05
"""By how much height / width of a drawing may differ from the slide's, beside the rounding to whole pixels."""


@dataclass(frozen=True, slots=True)
class Given:
    """A warning that was given.

    Attributes
    ----------
    id : str
        The rule's.
    message : str
        What was seen, and what to do.
    values : Mapping
        The numbers behind it, as JSON values.
    """

    id: str
    message: str
    values: Numbers = field(default_factory=dict, hash=False)

    def __str__(self) -> str:
        return f"{self.message} [{self.id}]"

    def to_json(self) -> dict[str, Any]:
        """Return what the record holds."""
        return {"id": self.id, "message": self.message, "values": dict(self.values)}


UNPROVED = Given(
    "unproved",
    "The store has no journal: damaged or missing files are not noticed, and the numbers may be wrong. If it is a "
    "copy, copy its folder .axonflow, too.",
)


@dataclass(frozen=True, slots=True)
class Rule:
    """One warning.

    Attributes
    ----------
    id : str
        Stable: other programs may look for it.
    when : str
        The condition, in words.
    says : str
        What was seen; a format string of the values.
    advice : str
        What to do; likewise.
    sees : callable
        Returns the values of each warning that the evidence gives.
    of_network : str
        What to do in its place if a network made the labels.
    """

    id: str
    when: str
    says: str
    advice: str
    sees: Callable[[Evidence], Iterable[Numbers]]
    of_network: str = ""

    def given(self, evidence: Evidence) -> Iterable[Given]:
        """Yield the warnings that the evidence gives."""
        advice = self.of_network if self.of_network and evidence.model else self.advice
        for values in self.sees(evidence):
            yield Given(self.id, f"{self.says.format(**values)} {advice.format(**values)}", values)


def judge(evidence: Evidence) -> tuple[Given, ...]:
    """Return all warnings that the evidence gives, in the order of the table."""
    return tuple(given for rule in RULES for given in rule.given(evidence))


def read_warnings(record: Mapping[str, Any]) -> tuple[Given, ...]:
    """Return the warnings that a store's record holds; none of a store that an earlier version has made."""
    return tuple(Given(said["id"], said["message"], said["values"]) for said in record.get("warnings", ()))


def _if(condition: bool, **values: Any) -> Iterable[Numbers]:
    return [values] if condition else []


def _pixel_size(e: Evidence) -> Iterable[Numbers]:
    if e.stated_um is None:
        return ()
    factor = max(max(a / b, b / a) for a, b in zip(e.pixel_um, e.stated_um, strict=True))
    return _if(factor > 1 + AGREE, given_um=e.pixel_um[0], stated_um=e.stated_um[0], factor=factor, source=e.stated_by)


def _proportions(e: Evidence) -> Iterable[Numbers]:
    h, w = e.shape
    for fit in e.drawings:
        if fit.shape is None:
            continue
        rows, columns = fit.shape
        allowed = PROPORTIONS + 1 / rows + 1 / columns  # a thumbnail's sides are rounded to whole pixels
        if abs(rows * w / (columns * h) - 1) > allowed:
            yield {"path": str(fit.path), "rows": rows, "columns": columns, "height": h, "width": w}


def _overlaps(e: Evidence) -> Iterable[Numbers]:
    for fit in e.drawings:
        if fit.overlaps:
            worst = sorted(fit.overlaps, key=lambda each: -each.share)
            which = [f"{each.share:.0%} of {each.region} belongs to {each.before}" for each in worst]
            shares = [{"region": each.region, "before": each.before, "share": each.share} for each in worst]
            yield {"path": str(fit.path), "which": _some(tuple(which)), "shares": shares}


def _outside(value: float | None, bounds: tuple[float, float], **values: Any) -> Iterable[Numbers]:
    return _if(value is not None and not bounds[0] <= value <= bounds[1], value=value, **values)


def _cells(e: Evidence) -> Iterable[Numbers]:
    each = round(e.density_mm2 * e.fitting_um**2 / 1e6) if e.axons and e.density_mm2 else FEWEST_PER_CELL
    smaller = f", or smaller cells: --cell {e.fitting_um:g}."
    if each < FEWEST_PER_CELL:
        smaller = f"; smaller cells, as of --cell {e.fitting_um:g}, hold too few axons to differ by more than chance."
    elif e.fitting_um < e.judged_um:
        smaller += f" In cells of less than {e.judged_um:g} µm nothing says where tissue is unlike the training images."
    values = {"cells": e.cells, "side_um": e.cell_um, "fits": e.fitting_um, "smaller": smaller}
    return _if(e.cells is not None and 0 < e.cells < FEWEST_CELLS, **values)


def _unmeasured(e: Evidence) -> Iterable[Numbers]:
    if (found := e.unmeasured) is None or not (found["tiles"] or found["not_finite_px"]):
        return
    parts = [f"{found['tiles']:,} of its tiles cannot be decoded"] if found["tiles"] else []
    parts += [f"{found['not_finite_px']:,} pixels are no finite numbers"] if found["not_finite_px"] else []
    first = ""
    if found["bad_tiles"]:
        bad = found["bad_tiles"][0]
        y, x = bad["y_um"][0], bad["x_um"][0]
        first = (
            f" The first tile is that in row {bad['row']}, column {bad['column']}, at y = {y:.1f} µm, x = {x:.1f} µm."
        )
    yield {
        "tiles": found["tiles"],
        "not_finite_px": found["not_finite_px"],
        "share": found["share"],
        "why": listed(*parts),
        "first": first,
        "touching": e.touching,
    }


def _scale(e: Evidence) -> Iterable[Numbers]:
    if e.coarseness is None or e.coarse_limits[0] <= e.coarseness <= e.coarse_limits[1]:
        return
    which, error = ("finer", "small") if e.coarseness < e.coarse_limits[0] else ("coarser", "large")
    low, high = e.coarse_limits
    yield {
        "value": e.coarseness,
        "low": low,
        "high": high,
        "which": which,
        "error": error,
        "pixel_um": e.pixel_um[0],
        "model": e.model,
    }


def _ragged(e: Evidence) -> Iterable[Numbers]:
    enough = (e.axons or 0) >= FEWEST_AXONS
    return _if(
        enough and e.solidity is not None and e.solidity < RAGGED,
        value=e.solidity,
        model=e.model,
        pixel_um=e.pixel_um[0],
    )


def _thick(e: Evidence) -> Iterable[Numbers]:
    if e.unmyelinated_um is None:
        return ()
    thicker = min(e.axons or 0, e.unmyelinated) >= FEWEST_AXONS and e.unmyelinated_um > (e.diameter_um or 0)
    beside = f", of those with myelin {e.diameter_um:.3g} µm" if thicker else ""
    return _if(thicker or e.unmyelinated_um > THICK_UM, value=e.unmyelinated_um, beside=beside, pixel_um=e.pixel_um[0])


def _specks(e: Evidence) -> Iterable[Numbers]:
    kinds = (
        (e.axons or 0, "axons", "--min-axon-area"),
        (e.unmyelinated, "axons without myelin", "--min-unmyelinated-area"),
    )
    for specks, (axons, which, flag) in zip(e.specks, kinds, strict=True):
        if specks > SPECKS * axons:
            smallest = (SPECK_PX + 0.5) * e.label_um2  # however it is rounded, it takes no larger ones along
            yield {"specks": specks, "axons": axons, "which": which, "flag": flag, "px": SPECK_PX, "um2": smallest}


def _blank(e: Evidence) -> Iterable[Numbers]:
    if e.blank is not None and e.blank["share"] > BLANK and (e.greys or 0) > 1:
        y, x = e.blank["first_um"]
        yield {"share": e.blank["share"], "grey": e.blank["grey"], "y_um": y, "x_um": x}


def _some(names: tuple[str, ...]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


RULES = (
    Rule(
        "same-file",
        "the same file is given for two things, such as the slide for its mask",
        "One file, or the same content, was given for {first} and {second}: {path}.",
        "Give the file that belongs to each.",
        lambda e: ({"first": first, "second": second, "path": path} for first, second, path in e.twice),
    ),
    Rule(
        "one-value",
        "every pixel of a mask that was looked at is the same",
        "Every pixel of {path} that was looked at is {what}.",
        "Is it the right file?",
        lambda e: ({"path": path, "what": what} for path, what in e.alike),
    ),
    Rule(
        "mask-proportions",
        f"an image of a mask or of regions differs from the slide in height / width by more than {PROPORTIONS:.0%}",
        "{path} is {rows} × {columns} px (height × width), which are other proportions than the slide's {height} × "
        "{width} px; it was stretched over the whole slide.",
        "Give a drawing of the whole slide, of any resolution, or outlines as GeoJSON.",
        _proportions,
    ),
    Rule(
        "off-slide",
        "outlines of a mask or of regions lie off the slide (if all do, the run is refused)",
        "Off the slide lie these outlines of {path}: {names}.",
        "Are they of this slide? Is their unit right (--mask-unit, --regions-unit)?",
        lambda e: ({"path": str(fit.path), "names": _some(fit.off)} for fit in e.drawings if fit.off),
    ),
    Rule(
        "outlines-unit",
        "outlines that are read in pixels look as if they were in µm: they span much of the slide if so, and only a "
        "corner of it in pixels; or, of masks, in pixels they are thinner than axons are",
        "The outlines of {path} were read in pixels, and {seen}.",
        "If they are in µm, say so: {flag} um.",
        lambda e: ({"path": doubt.path, "seen": doubt.seen, "flag": doubt.flag} for doubt in e.in_um),
    ),
    Rule(
        "regions-overlap",
        f"outlines of a region lie in those of another by {OVERLAP:.0%} of its area or more",
        "Regions of {path} overlap, and the first in the file has the place: {which}.",
        "Draw or export what lies in another region before it, if it is to be described as a whole.",
        _overlaps,
    ),
    Rule(
        "left-out",
        "parts of a GeoJSON file are no regions",
        "Left out of {path}: {names}.",
        "Draw them as polygons if they are to count.",
        lambda e: ({"path": str(fit.path), "names": _some(fit.left_out)} for fit in e.drawings if fit.left_out),
    ),
    Rule(
        "soft-edges",
        f"more than {BETWEEN:.0%} of a mask's pixels lie between its two values, or far from those of labels",
        "{share:.1%} of the pixels of a mask have a value that could be read as either.",
        "Save masks without smoothing or JPEG compression, with two values.",
        lambda e: _if((e.between or 0) > BETWEEN, share=e.between),
    ),
    Rule(
        "masks-unrelated",
        f"greys under myelin and under axons differ by less than {UNRELATED:g} standard deviations of the slide's",
        "Under the masks, myelin is about as bright as axons: they differ by {value:.2f} standard deviations of the "
        "slide's greys, {least:g} or more would be expected.",
        "Are the masks of this slide, neither turned nor mirrored?",
        lambda e: _if(
            e.contrast is not None and abs(e.contrast) < UNRELATED,
            value=e.contrast and abs(e.contrast),
            least=UNRELATED,
        ),
    ),
    Rule(
        "myelin-covered",
        f"more than {COVERED:.0%} of what --myelin-mask draws is drawn as axon, too",
        "{share:.0%} of the myelin that is drawn is drawn as axon, too, and is taken for that.",
        "Is --axon-mask of axons alone, and not of whole fibers, and is it not inverted?",
        lambda e: _if((e.covered or 0) > COVERED, share=e.covered),
    ),
    Rule(
        "masks-contested",
        f"more than {CONTESTED:.0%} of what --uaxon-mask draws is drawn as axon or myelin, too",
        "{share:.0%} of the axons without myelin are drawn as axon or myelin, too, and are taken for that.",
        "Is --uaxon-mask of this slide, and not exchanged with --axon-mask? What is left of its axons are rests.",
        lambda e: _if((e.contested or 0) > CONTESTED, share=e.contested),
    ),
    Rule(
        "pixel-size-given",
        f"--pixel-size and the file disagree by more than {AGREE:.0%}",
        "The pixel size that was given, {given_um:.6g} µm, is not the file's, {stated_um:.6g} µm ({source}): a factor "
        "of {factor:.4g}.",
        "Every length and density depends on it; leave --pixel-size out if the file is right.",
        _pixel_size,
    ),
    Rule(
        "pixel-size-source",
        f"two sources of the pixel size disagree by more than {AGREE:.0%}, or one looks a thousandfold off",
        "The pixel size was taken from {source}.",
        "Every length and density depends on it; give it with --pixel-size if it is another.",
        lambda e: _if(
            any(word in e.pixel_size_source for word in ("disagrees", "a thousand times")), source=e.pixel_size_source
        ),
    ),
    Rule(
        "model-scale",
        f"the model works at pixels more than {LARGEST_SCALE:g} times larger or smaller than the slide's; only of a "
        "store whose labels were begun so, any other run is refused",
        "The model {model} works at {model_um:g} µm per pixel, the slide has {pixel_um:.4g} µm: a factor of "
        "{factor:.3g}.",
        "What it finds means nothing; start over with --fresh and a model that fits.",
        lambda e: _if(
            (e.scale or 1) > LARGEST_SCALE and e.model_sees_um is None,
            model=e.model,
            model_um=e.model_um,
            pixel_um=e.pixel_um[0],
            factor=e.scale,
        ),
    ),
    Rule(
        "nnunet-scale",
        f"a model of nnU-Net sees pixels more than {LARGEST_SCALE:g} times larger or smaller than those it is for, "
        "as far as these are known",
        "The model {model} is for pixels of {meant_um:.4g} µm, and sees pixels of {seen_um:.4g} µm: a factor of "
        "{factor:.3g}.",
        "Have the slide resampled for it: --working-pixel-size {meant_um:.4g}.",
        lambda e: (
            _if(
                e.scale > LARGEST_SCALE,
                model=e.model,
                meant_um=e.model_sees_um[0],
                seen_um=e.model_sees_um[1],
                factor=e.scale,
            )
            if e.model_sees_um is not None and e.scale is not None
            else ()
        ),
    ),
    Rule(
        "info-bar-kept",
        "the microscope's bar of text is analysed, too (--keep-bar)",
        "The info bar of {rows} px below the image is analysed as if it were tissue; its letters may count as axons.",
        "Leave --keep-bar out, unless what was taken for a bar is tissue.",
        lambda e: _if(bool(e.bar_rows), rows=e.bar_rows),
    ),
    Rule(
        "not-measured",
        "something of the slide could not be read, and the run went on (--on-bad-tile fill)",
        "{share:.3%} of the slide was not measured: {why}.{first}",
        "Maps leave these places out, and the table marks the {touching:,} axons that touch them (touches_unmeasured). "
        "Copy the slide again from its source if that is whole.",
        _unmeasured,
    ),
    Rule(
        "image-blank",
        f"more than {BLANK:.0%} of the slide are squares of 64 × 64 px in which every pixel is the same",
        "{share:.1%} of the slide are areas of one grey, most of them of {grey:g}, the first at y = {y_um:.1f} µm, "
        "x = {x_um:.1f} µm: empty, padded or saturated.",
        "They count as tissue without axons; leave them out with --mask if they are none.",
        _blank,
    ),
    Rule(
        "image-coloured",
        f"more than {COLOURED:.0%} of the pixels of a slide for a network are in colour",
        "The slide is a colour picture ({share:.0%} of its pixels are in colour), as of a stain such as H&E; its "
        "luminance alone is analysed.",
        "The networks that come along know electron microscopy alone; their numbers mean nothing here. Give a model "
        "that was trained on such pictures (--model), or masks (--axon-mask and --myelin-mask, or --labels).",
        lambda e: _if((e.coloured or 0) > COLOURED, share=e.coloured),
    ),
    Rule(
        "image-constant",
        "all pixels of the slide have one grey",
        "All pixels of the slide have the same grey.",
        "There is nothing to measure. Is it the right file? --series and --channel choose another of its images.",
        lambda e: _if(e.greys == 1),
    ),
    Rule(
        "image-saturated",
        f"more than {CLIPPED:.0%} of the pixels of a slide for a network have its darkest, or its brightest, grey",
        "{share:.0%} of the slide's pixels have its {which} grey: it is clipped, or much of it is empty.",
        "What is clipped cannot be told apart, and emptiness shifts the contrast of the tissue; scan it with less "
        "contrast, or crop it.",
        lambda e: _if(
            (e.greys or 0) > 1 and e.extreme is not None and e.extreme[0] > CLIPPED,
            share=e.extreme and e.extreme[0],
            which=e.extreme and e.extreme[1],
        ),
    ),
    Rule(
        "image-inverted",
        "the network finds few axons, and many more where bright and dark are exchanged",
        "With bright and dark exchanged, the network classes {inverted:.1%} of some windows as axon, as the slide is "
        "{upright:.1%}.",
        "Is the slide inverted? Myelin is bright for sem, dark for tem: invert its greys, or give another model. Or is "
        "the pixel size of {pixel_um:.4g} µm wrong? That, too, makes a network lose its way.",
        lambda e: (
            _if(
                e.inverted[1] > max(3 * e.inverted[0], 0.1),
                upright=e.inverted[0],
                inverted=e.inverted[1],
                pixel_um=e.pixel_um[0],
            )
            if e.inverted
            else ()
        ),
    ),
    Rule(
        "too-small-to-judge",
        "fewer pixels than 32,768 of the network's size count, so that nothing is known of how familiar the slide is",
        "What counts of the slide is {pixels:,} px at the network's pixel size, too little to tell whether the network "
        "was trained on the like.",
        "Its confidence says nothing then; compare the outlines with the tissue.",
        lambda e: _if(e.judged_px is not None and e.too_few, pixels=e.judged_px),
    ),
    Rule(
        "unfamiliar",
        f"more than {UNFAMILIAR:.0%} of the cells are unlike anything the network was trained on; where no cell is "
        "large enough to be judged, all that counts is judged together",
        "{which} unlike anything the network was trained on{traits}.",
        "Do not use the numbers before you have compared the outlines with the tissue. Is the pixel size right? Are "
        "bright and dark as the network knows them? A network that was trained on such slides would serve better.",
        lambda e: _if(
            (e.unfamiliar or 0) > UNFAMILIAR, share=e.unfamiliar, which=e.unfamiliar_words, traits=e.traits_words
        ),
    ),
    Rule(
        "scale-unfamiliar",
        "the slide is coarser or finer than the network's training images, as it is where its pixel size is wrong by a "
        "factor of 2 or more",
        "What the slide shows is {which} than what {model} was trained on: its coarseness is {value:.2f}, "
        "{low:.2f} to {high:.2f} would be familiar.",
        "Is the pixel size of {pixel_um:.4g} µm right? One that is too {error} makes a slide look so. If it is right, "
        "compare the outlines with the tissue.",
        _scale,
    ),
    Rule(
        "axons-ragged",
        f"what a network takes for axons, {FEWEST_AXONS} or more, has a mean solidity below {RAGGED:g}, by area",
        "The axons that {model} has found are ragged: their mean solidity is {value:.2f}, real axons have 0.9 or more.",
        "Compare the outlines with the tissue before you use a number. Is the pixel size of {pixel_um:.4g} µm right, "
        "and the model for such slides? --model names another.",
        _ragged,
    ),
    Rule(
        "nothing-counts",
        "the mask covers no pixel of the slide",
        "Nothing counts: the mask leaves out the whole slide.",
        "Look at the mask, and at its unit.",
        lambda e: _if(e.area_mm2 == 0),
    ),
    Rule(
        "no-axons",
        "no axon counts",
        "No axon counts: there is nothing to measure.",
        "Look at the slide, its mask and its pixel size, and at the network or the masks of axons.",
        lambda e: _if(e.axons == e.unmyelinated == 0 and bool(e.area_mm2)),
    ),
    Rule(
        "one-label",
        "every pixel that counts is of one class",
        "Every pixel that counts is {what}.",
        "Tissue has background, myelin and axons; is it the right slide, and the right model or file of labels?",
        lambda e: _if(bool(e.one_label), what=e.one_label),
    ),
    Rule(
        "avf-large",
        f"AVF above {LARGEST_AVF:g}",
        "The axon volume fraction is {avf:.3f}, which no tissue has.",
        "Are axons white and all else black in the mask, or does the mask of what counts hold axons alone?",
        lambda e: _if((e.avf or 0) > LARGEST_AVF, avf=e.avf, masked=" Or does --mask draw axons alone?" * e.masked),
        LOST + "{masked}",
    ),
    Rule(
        "axon-myelin-swapped",
        f"more than {SWAPPED:.0%} of the myelin lies in rings of axon, and more than axon in rings of myelin",
        "Axons enclose {myelin:.0%} of the myelin, and myelin {axon:.0%} of the axons: the two look exchanged.",
        "Exchange --axon-mask and --myelin-mask, or the values 127 (myelin) and 255 (axon) of the labels.",
        lambda e: (
            _if(e.enclosed[1] > max(e.enclosed[0], SWAPPED), axon=e.enclosed[0], myelin=e.enclosed[1])
            if e.enclosed
            else ()
        ),
        LOST,
    ),
    Rule(
        "no-myelin",
        "no axon that counts has any myelin",
        "None of the {axons:,} axons has any myelin, so there is no g-ratio of theirs.",
        "Are axons and their myelin drawn, or found, as such, each axon touching its sheath?",
        lambda e: _if(bool(e.axons) and e.bare == e.axons, axons=e.axons),
    ),
    Rule(
        "axons-bare",
        f"more than {BARE:.0%} of the axons that count have no myelin, though they are not of the class without",
        "{bare:,} of the {axons:,} axons have no myelin.",
        "Axons without are a class of their own (--uaxon-mask, or --labels with --classes); is it exchanged with that "
        "of the others, or is myelin missing?",
        lambda e: _if(bool(e.axons) and BARE * (e.axons or 0) < e.bare < (e.axons or 0), bare=e.bare, axons=e.axons),
    ),
    Rule(
        "unmyelinated-diameter",
        f"mean diameter of the axons without myelin above {THICK_UM:g} µm, or, of {FEWEST_AXONS} or more of either, "
        "above that of the axons with myelin",
        "The mean diameter of the axons without myelin is {value:.3g} µm{beside}; in tissue they are the thin ones.",
        "Is their mask the right one, with white axons, not exchanged with another, and the pixel size of "
        "{pixel_um:.4g} µm?",
        _thick,
    ),
    Rule(
        "myelin-out-of-reach",
        f"more than {BEYOND:.0%} of the myelin lies farther from an axon than --max-myelin",
        "{share:.0%} of the myelin lies farther from an axon than --max-myelin and belongs to none.",
        "Is the pixel size right? Raise --max-myelin if myelin is as thick as that.",
        lambda e: _if((e.beyond or 0) > BEYOND, share=e.beyond),
    ),
    Rule(
        "axons-specks",
        f"more than {SPECKS:.0%} of the axons that count have {SPECK_PX} pixels or fewer",
        "{specks:,} of the {axons:,} {which} have {px} pixels or fewer, and do not touch the border of the slide: too "
        "few to be measured, but they count, and take myelin from their neighbours.",
        "If they are specks of the drawing, leave them out: {flag} {um2:.3g}. If they are axons, the pixels are too "
        "large to measure them.",
        _specks,
    ),
    Rule(
        "axon-diameter",
        f"mean axon diameter outside {DIAMETER_UM[0]:g}–{DIAMETER_UM[1]:g} µm",
        "The mean axon diameter is {value:.3g} µm, which lies outside what nerves have "
        f"({DIAMETER_UM[0]:g}–{DIAMETER_UM[1]:g} µm).",
        "Is the pixel size right? It is {pixel_um:.4g} µm.",
        lambda e: _outside(e.diameter_um, DIAMETER_UM, pixel_um=e.pixel_um[0]),
    ),
    Rule(
        "axon-density",
        f"density outside {DENSITY_MM2[0]:,.0f}–{DENSITY_MM2[1]:,.0f} axons per mm²",
        "The density is {value:,.0f} axons per mm², which lies outside what tissue has "
        f"({DENSITY_MM2[0]:,.0f}–{DENSITY_MM2[1]:,.0f}).",
        "Is the pixel size right? It is {pixel_um:.4g} µm.",
        lambda e: _outside(e.density_mm2 if e.axons else None, DENSITY_MM2, pixel_um=e.pixel_um[0]),
    ),
    Rule(
        "few-cells",
        f"the maps have fewer than {FEWEST_CELLS} cells of which at least half counts",
        "The maps have fewer than 5 cells of which at least half counts: {cells}, with a side of {side_um:g} µm.",
        "Use the numbers of all that counts{smaller}",
        _cells,
    ),
)
"""All warnings, in the order in which they are said."""
