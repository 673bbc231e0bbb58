"""A model scored on labelled images: each is run as any slide would be, and held against what a person drew."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from axonflow.engine.profile import Profile
from axonflow.errors import InputError, ModelError
from axonflow.kernel.grid import Box
from axonflow.kernel.resample import Resampling, nearest_pixels
from axonflow.kernel.units import PixelSize
from axonflow.net.checkpoint import Checkpoint
from axonflow.results.analysis import Analysis, open_store
from axonflow.training.bids import LabelledImage, labelled_images, read_labels
from axonflow.training.score import score
from axonflow.workflow.config import Config
from axonflow.workflow.job import prepare, run_job

__all__ = ["Compared", "compare", "evaluate", "held_out_by", "select"]


@dataclass(frozen=True, eq=False)
class Compared:
    """What a model made of an image beside what a person drew, on one pixel grid.

    Attributes
    ----------
    image : LabelledImage
    analysis : Analysis
        The finished run.
    found, truth : (h, w) uint8
        Numbers of the model's classes. Axons that the run left out as too small are background in ``found``, as they
        are in its maps.
    pixel_size : PixelSize
        Of the grid.
    """

    image: LabelledImage
    analysis: Analysis
    found: NDArray[np.uint8]
    truth: NDArray[np.uint8]
    pixel_size: PixelSize


def select(folder: Path, subjects: Sequence[str] | None) -> tuple[LabelledImage, ...]:
    """List the labelled images of a BIDS folder, of some subjects or of all.

    Raises
    ------
    InputError
        If a subject has none.
    """
    images = labelled_images(folder)
    if subjects is None:
        return images
    known = sorted({image.subject for image in images})
    if missing := sorted(set(subjects) - set(known)):
        raise InputError(f"Subjects among {', '.join(known)} were expected, {', '.join(missing)} came.")
    return tuple(image for image in images if image.subject in subjects)


def compare(
    model: str | Path, image: LabelledImage, out: Path, *, native: bool = False, workers: int | None = None
) -> Compared:
    """Run a model on an image, and bring the result and the image's labels to one grid.

    Parameters
    ----------
    model : str or Path
        Name of an embedded model, or path of one.
    image : LabelledImage
    out : Path
        Folder of the stores; one that is there is continued.
    native : bool
        Whether the grid is the image's own, to which classes are brought by the nearest pixel, or the model's, to which
        labels are brought by the largest share.
    workers : int, optional
        Processes; one per core if None.

    Raises
    ------
    InputError
        If the labels have not the image's shape.
    """
    store = out / f"{image.name}.ome.zarr"
    job = prepare(Config(image.image, store, pixel_size=image.pixel_size, model=str(model)))
    run_job(job, Profile.find("local").but(workers=workers))
    analysis = open_store(store)
    found = analysis.counted.compute()
    truth = analysis.above_bar(read_labels(image, analysis.classes))
    if truth.shape != job.slide.shape:
        raise InputError(
            f"Masks of the image's {job.slide.shape[0]} × {job.slide.shape[1]} px (height × width) were expected for "
            f"{image.image}, {image.axon} has {truth.shape[0]} × {truth.shape[1]}; give the masks of this image."
        )
    work = PixelSize(*analysis.record["labels"]["pixel_size_um"])
    if native:
        span = Resampling(found.shape, work, image.pixel_size).span
        found = found[np.ix_(*nearest_pixels(Box.whole(truth.shape), span, found.shape))]
    elif truth.shape != found.shape:
        resampling = Resampling((truth.shape[0], truth.shape[1]), image.pixel_size, work)
        truth = resampling.classes(truth, len(analysis.classes))
    return Compared(image, analysis, found, truth, image.pixel_size if native else work)


def held_out_by(model: str, models: Sequence[str], images: Iterable[LabelledImage]) -> dict[str, str]:
    """Find the network that never saw a subject, for each subject that a model learned from.

    Parameters
    ----------
    model : str
        Name or path of the one whose scores are wanted.
    models : sequence of str
        Those of a cross-validation of its recipe: each was trained without some of the subjects.
    images : iterable of LabelledImage

    Returns
    -------
    dict of str to str
        One of ``models`` for each subject.

    Raises
    ------
    ModelError
        If a subject was held out by none of them or by several, or if one was trained by another recipe.
    """
    judged, *found = (Checkpoint.find(each) for each in (model, *models))
    recipe = _recipe(judged)
    if unlike := [name for name, each in zip(models, found, strict=True) if _recipe(each) != recipe]:
        raise ModelError(
            f"Networks of the recipe of {model} were expected, {unlike[0]} was trained by another; train it with the "
            "same --recipe."
        )
    chosen = {}
    for subject in sorted({image.subject for image in images} & {*judged.trained_on.get("subjects", ())}):
        without = [
            name for name, each in zip(models, found, strict=True) if subject not in each.trained_on.get("subjects", ())
        ]
        if len(without) != 1:
            raise ModelError(
                f"One of {', '.join(models)} was expected to have been trained without {subject}, "
                f"{' and '.join(without) or 'none'} was; train one with axonflow train --validate {subject}."
            )
        chosen[subject] = without[0]
    return chosen


def _recipe(model: Checkpoint) -> dict[str, object]:
    """Return how a model was trained, but for where its numbers began."""
    return {name: value for name, value in model.trained_on.get("recipe", {}).items() if name != "seed"}


def evaluate(
    model: str | Path | Callable[[LabelledImage], str | Path],
    images: Iterable[LabelledImage],
    out: Path,
    *,
    native: bool = False,
    workers: int | None = None,
    watch: Callable[[Compared], None] | None = None,
) -> pd.DataFrame:
    """Score a model on labelled images.

    Parameters
    ----------
    model : str, Path or callable
        As for :func:`compare`; or what tells it for each image, as in a cross-validation.
    out, native, workers
        As for :func:`compare`.
    images : iterable of LabelledImage
    watch : callable, optional
        Called with each comparison.

    Returns
    -------
    DataFrame
        One row per image: subject, image, and the columns of :meth:`axonflow.training.score.Scores.row`.
    """
    rows = []
    for image in images:
        compared = compare(model(image) if callable(model) else model, image, out, native=native, workers=workers)
        if watch:
            watch(compared)
        scores = score(compared.found, compared.truth, compared.pixel_size, classes=compared.analysis.classes)
        rows.append({"subject": image.subject, "image": image.name} | scores.row())
    return pd.DataFrame(rows)
