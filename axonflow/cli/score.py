"""How good a result is: score, for one image and its truth."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import replace
from math import isinf, isnan, nan
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from axonflow.cli.terminal import app, console, listing, warn_unproved
from axonflow.errors import InputError
from axonflow.kernel.files import new_file
from axonflow.kernel.text import to_cell
from axonflow.kernel.words import listed

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from axonflow.kernel.classes import Classes, Labels
    from axonflow.kernel.units import PixelSize
    from axonflow.results.analysis import Analysis
    from axonflow.slide import StoredImage
    from axonflow.training.score import Scores

    Shape = tuple[int, int]

__all__: list[str] = []

_OF_MYELIN = ("accuracy", "mean_iou", "dice_myelin", "iou_myelin", "mvf", "gratio")
"""What is not scored where the truth holds no myelin, by how the columns begin."""


@app.command()
def score(
    prediction: Annotated[
        Path, typer.Argument(help="The store of a finished run, or a label image.", show_default=False)
    ],
    truth: Annotated[
        Path,
        typer.Argument(
            help="The same slide drawn: 0 background, 127 myelin, 255 axon, or 0, 1, 2; or a mask of its axons.",
            show_default=False,
        ),
    ],
    pixel_size: Annotated[
        str | None,
        typer.Option("--pixel-size", help="Side of TRUTH's pixel in µm, or height,width; overrides store and file."),
    ] = None,
    uaxon_mask: Annotated[
        Path | None,
        typer.Option("--uaxon-mask", help="A mask of TRUTH's axons without myelin, if the store's classes have them."),
    ] = None,
    csv_file: Annotated[
        Path | None, typer.Option("--csv", help="A file for all scores, as a table of one row.")
    ] = None,
) -> None:
    """Score a result against the truth.

    Example: [bold]axonflow score slide.ome.zarr truth.png --csv scores.csv[/bold]
    """
    from axonflow.kernel.classes import AXON_MYELIN
    from axonflow.kernel.grid import Box
    from axonflow.kernel.kinds import PIXEL_SIZE
    from axonflow.kernel.setting import Setting
    from axonflow.results.analysis import open_store
    from axonflow.results.learnt import Learnt, learnt_by
    from axonflow.slide import open_stored
    from axonflow.stages.labels import open_labels
    from axonflow.training.score import score as scores_of

    given = None if pixel_size is None else Setting(PIXEL_SIZE, "").read(pixel_size, "--pixel-size")
    known: PixelSize | None
    learnt: Learnt | None = None
    result: Analysis | None
    if (truth / "run.json").exists():
        raise InputError(f"A label image was expected as TRUTH, the store {truth} came; give the store first.")
    drawn = open_stored(truth)
    if prediction.is_dir():
        result = open_store(prediction)
        classes = result.classes
        true = open_labels(drawn, classes).read(Box.whole(drawn.shape))
        if uaxon_mask is not None:
            true = _with_unmyelinated(true, uaxon_mask, classes, prediction)
        true = result.above_bar(true)
        found, known = _found(result, drawn, true.shape)
        warn_unproved(result)
        learnt = learnt_by(result, prediction.absolute(), truth.absolute())
    else:
        image, classes, result = open_stored(prediction), AXON_MYELIN, None
        if uaxon_mask is not None:
            raise _no_unmyelinated(prediction, "a label image tells axons and myelin alone")
        if image.shape != drawn.shape:
            raise _other_size(drawn, prediction, image.shape)
        found = open_labels(image, classes).read(Box.whole(image.shape))
        known = drawn.slide.pixel_size or image.slide.pixel_size
        true = open_labels(drawn, classes).read(Box.whole(drawn.shape))
    without = _OF_MYELIN if _lacks_myelin(found, true, classes) else ()
    if without:
        myelin, axon = ((found[true == classes.axon] == of).mean() for of in (classes.myelin, classes.axon))
        bare = {} if classes.unmyelinated is None else {classes.unmyelinated: found == classes.unmyelinated}
        found = classes.from_masks(found == classes.axon, found < 0, bare)
    if undrawn := _lacks_unmyelinated(found, true, classes):
        found = classes.from_masks(found == classes.axon, found == classes.myelin)
    scores = scores_of(found, true, given or known, classes=classes)
    if csv_file is not None:
        row = scores.row()
        unscored = {name for name in row if name.startswith(without)}
        if undrawn and scores.unmyelinated is not None:
            unscored |= {*scores.unmyelinated.row()}
        row |= dict.fromkeys(unscored, nan)
        files = {"prediction": to_cell(str(prediction)), "truth": to_cell(str(truth))}
        _write(csv_file, {**files, **row, "trained_on": " ".join(learnt.same) if learnt else ""})
    for part in _tables(replace(scores, unmyelinated=None) if undrawn else scores, without):
        console.print(part, soft_wrap=isinstance(part, str), highlight=False)
    if result is not None:
        console.print(_compared(result, undrawn=undrawn), soft_wrap=True, highlight=False)
    if learnt:
        console.print(learnt.told, soft_wrap=True, highlight=False)
    if without:
        console.print(
            f"{truth} holds no myelin, the prediction does: what myelin decides is not scored. Give labels of both to "
            "score it.",
            soft_wrap=True,
        )
        if myelin > axon:
            console.print(
                f"What is taken for its axons is {myelin:.0%} myelin and {axon:.0%} axon of the prediction. Is it a "
                "mask of the myelin? Give one of the axons, or labels of both.",
                style="yellow",
                soft_wrap=True,
            )
    if undrawn:
        console.print(
            f"{truth} holds no unmyelinated axons, the prediction does: they are not scored, and count as background. "
            "Give labels with all classes, or --uaxon-mask, to score them.",
            soft_wrap=True,
        )
    if not (true > 0).any():
        console.print(f"Nothing is drawn in {truth}; is it the right image?", soft_wrap=True)
    if csv_file is not None:
        console.print(f"written: {csv_file}", soft_wrap=True)


def _with_unmyelinated(true: Labels, mask: Path, classes: Classes, prediction: Path) -> Labels:
    """Return a truth with axons without myelin drawn in, where neither axon nor myelin is, as a run reads its masks."""
    from axonflow.training.bids import read_mask

    if classes.unmyelinated is None:
        raise _no_unmyelinated(prediction, f"its classes are {', '.join(classes.names)}")
    drawn = read_mask(mask)
    if drawn.shape != true.shape:
        raise InputError(
            f"A mask of the truth's {true.shape[0]} × {true.shape[1]} px (height × width) was expected with "
            f"--uaxon-mask, {mask} has {drawn.shape[0]} × {drawn.shape[1]}; give the mask of the same image."
        )
    import numpy as np

    free = drawn & (true != classes.axon) & (true != classes.myelin)
    whole: Labels = np.where(free, np.uint8(classes.unmyelinated), true)
    return whole


def _no_unmyelinated(prediction: Path, why: str) -> InputError:
    return InputError(
        f"A store with axons without myelin was expected with --uaxon-mask, {prediction} has none: {why}. Leave it "
        "out, or run a network that finds them, or masks with --uaxon-mask."
    )


def _compared(result: Analysis, *, undrawn: bool = False) -> str:
    """Say which axons of a store are compared, and why they are not those that the run counts.

    Rules that judge an axon leave its pixels out, here as in the maps. Border and mask say where an axon counts, and
    not what it is: it was found, and a truth has no such rules.
    """
    from axonflow.fiber.rules import JUDGED

    which = "myelinated axons" if undrawn else "axons"
    said = [f"Compared are the {which} of the whole image, found and true."]
    placed, judged = ([rule for rule in result.left_out if (rule in JUDGED) is of] for of in (False, True))
    if placed:
        gone = listed(*(f"{result.left_out_in_words(rule)} ({rule})" for rule in placed))
        said.append(f"Among them are {gone}, which the run did not count: so its density is another.")
    if result.record["config"]["mask"] is not None:
        said.append("The run's mask is not looked at.")
    if judged:
        gone = listed(*(f"{result.left_out_in_words(rule)} ({rule})" for rule in judged))
        said.append(f"Background here, as in its maps, are {gone}, which its rules leave out.")
    if least := result.record["labels"].get("min_axon_area_um2"):
        said.append(f"What was found of less than {least:g} µm² is background, too; true axons of every size count.")
    return " ".join(said)


def _lacks_myelin(found: NDArray[np.uint8], true: NDArray[np.uint8], classes: Classes) -> bool:
    """Tell whether a truth has axons alone, as an axon mask does, and so cannot say anything of the myelin found."""
    return bool((true == classes.axon).any() and not (true == classes.myelin).any() and (found == classes.myelin).any())


def _lacks_unmyelinated(found: NDArray[np.uint8], true: NDArray[np.uint8], classes: Classes) -> bool:
    """Tell whether a truth draws something, but none of the axons without myelin that were found."""
    number = classes.unmyelinated
    return number is not None and bool((found == number).any() and not (true == number).any() and (true > 0).any())


def _found(result: Analysis, drawn: StoredImage, shape: Shape) -> tuple[NDArray[np.uint8], PixelSize]:
    """Return what a run found, as it counts, on the pixels of a truth of some shape, and their size."""
    import numpy as np

    from axonflow.kernel.grid import Box
    from axonflow.kernel.resample import Resampling, nearest_pixels
    from axonflow.kernel.units import PixelSize

    sizes = {part: PixelSize(*result.record[part]["pixel_size_um"]) for part in ("labels", "slide")}
    shapes: dict[str, Shape] = {part: (*result.record[part]["shape"],) for part in sizes}
    fitting = next((part for part, own in shapes.items() if own == shape), None)
    if fitting is None:
        raise _other_size(drawn, result.store, *dict.fromkeys(shapes.values()))
    found = result.counted.compute()
    span = Resampling(shapes["labels"], sizes["labels"], sizes[fitting]).span
    at = np.ix_(*nearest_pixels(Box.whole(shape), span, shapes["labels"]))
    return found[at], sizes[fitting]


def _other_size(drawn: StoredImage, path: Path, *shapes: Shape) -> InputError:
    words = " or ".join(f"{h} × {w}" for h, w in shapes)
    return InputError(
        f"A prediction of the truth's {drawn.shape[0]} × {drawn.shape[1]} px (height × width) was expected, "
        f"{path} has {words}; give the truth of the same slide, {drawn.path} is of another."
    )


def _write(path: Path, row: dict[str, str | float]) -> None:
    try:
        with new_file(path) as part, part.open("w", newline="", encoding="utf-8") as stream:
            table = csv.DictWriter(stream, row)
            table.writeheader()
            table.writerow(row)
    except OSError as error:
        raise InputError(
            f"A file that can be written was expected at {path}, but: {error.strerror}; give another with --csv."
        ) from error


def _tables(scores: Scores, without: tuple[str, ...]) -> Iterator[Table | str]:
    """Yield the scores as they are read: pixels, axons, tissue; without those whose columns begin so."""
    from axonflow.net.judged import QUANTITIES

    pixels, detection, matching = scores.pixels, scores.detection, scores.matching
    table = listing("pixels", "Dice", "IoU")
    for name, dice, iou in zip(pixels.classes.names, pixels.dice, pixels.iou, strict=True):
        if not (without and name != pixels.classes[pixels.classes.axon].name):
            table.add_row(name, _share(dice), _share(iou))
    if not without:
        table.add_row("mean", "", _share(pixels.mean_iou))
    yield table
    yield "" if without else f"accuracy {_share(pixels.accuracy)}\n"

    table = listing("axons", "precision", "sensitivity", "accuracy", "F1")
    table.add_row("by centroid", _share(detection.precision), _share(detection.sensitivity))
    overlap = (matching.precision, matching.recall, matching.accuracy, matching.f1)
    table.add_row("by overlap (IoU ≥ 0.5)", *map(_share, overlap))
    yield table
    yield f"found {scores.found.axons:,}, true {scores.truth.axons:,}\n"
    if (bare := scores.unmyelinated) is not None:
        table = listing("unmyelinated axons", "precision", "sensitivity", "accuracy", "F1")
        table.add_row("by centroid", _share(bare.detection.precision), _share(bare.detection.sensitivity))
        overlap = (bare.matching.precision, bare.matching.recall, bare.matching.accuracy, bare.matching.f1)
        table.add_row("by overlap (IoU ≥ 0.5)", *map(_share, overlap))
        yield table
        yield f"found {bare.found:,}, true {bare.true:,}\n"

    found, true, errors = scores.found.numbers(), scores.truth.numbers(), scores.found.relative_errors(scores.truth)
    table = listing("tissue", "found", "true", "error")
    for name, (words, unit) in QUANTITIES.items():
        if name not in without:
            table.add_row(words, _number(found[name], unit), _number(true[name], unit), _error(errors[name]))
    yield table
    if scores.truth.pixel_size is None:
        yield "The pixel size is not known: density and diameter are given with --pixel-size (µm per pixel)."


def _share(value: float) -> str:
    return "–" if isnan(value) else f"{value:.3f}"


def _number(value: float, unit: str) -> str:
    return "–" if isnan(value) else f"{value:,.0f} {unit}" if value >= 100 else f"{value:.3f} {unit}".rstrip()


def _error(value: float) -> str:
    said = f"{value:+.1%}".replace("%", " %")
    return "–" if isnan(value) else "∞" if isinf(value) else said.lstrip("+-") if float(said[:-2]) == 0 else said
