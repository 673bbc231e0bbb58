"""A model scored as ASTIH scores its own: on the test split, in the images' own pixels, with ASTIH's columns.

Dice and IoU of each class of each image, and how many objects were found at an IoU of 0.5 or more. ASTIH's objects are
fibers, axons with their myelin, which a watershed parts; beside them stand the axons alone, and both over a range of
thresholds.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from axonflow.astih.sets import DataSet
from axonflow.astih.split import images_of_test_split
from axonflow.errors import InputError
from axonflow.fiber.columns import for_csv
from axonflow.kernel.files import make_folder, write_file
from axonflow.net.checkpoint import Checkpoint
from axonflow.training.bids import LabelledImage
from axonflow.training.evaluate import Compared, compare
from axonflow.training.matching import axon_ids, fiber_ids, matchings
from axonflow.training.score import pixel_scores

__all__ = ["Evaluation", "evaluate_set"]

_RATIOS = ("precision", "recall", "accuracy", "f1")
_COUNTS = ("TP", "FP", "FN")

THRESHOLDS = tuple(round(0.3 + 0.05 * step, 2) for step in range(14))
"""Least overlaps of the sweep, 0.3 to 0.95: those of ASTIH's figure."""

ASTIH_THRESHOLD = 0.5
"""Least overlap of ASTIH's table."""


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What ASTIH's evaluation says of a model.

    Attributes
    ----------
    data_set : DataSet
    model : str
    pixels : DataFrame
        dataset, image, class, DiceMetric, MeanIoU: one row per image and class that is drawn on it.
    sweep : DataFrame
        dataset, image, object, threshold, TP, FP, FN, precision, recall, accuracy, f1: one row per image, object
        (fiber or axon) and threshold.
    seen : tuple of str
        Subjects that the model learned from: what is said of them is no test.
    told : bool
        Whether the model says from which subjects it learned.
    """

    data_set: DataSet
    model: str
    pixels: pd.DataFrame
    sweep: pd.DataFrame
    seen: tuple[str, ...]
    told: bool = True

    @property
    def doubt(self) -> str:
        """Why the scores may be no test; nothing if the model learned from none of the subjects."""
        if self.seen:
            learned = ", ".join(self.seen)
            return f"the model learned from {learned}, so these scores say little about images that it has not seen"
        return "" if self.told else "the model does not say from which subjects it learned"

    def objects(self, kind: str) -> pd.DataFrame:
        """Return the table of fibers or of axons at ASTIH's threshold, one row per image."""
        chosen = self.sweep[(self.sweep["object"] == kind) & (self.sweep["threshold"] == ASTIH_THRESHOLD)]
        return chosen.drop(columns=["object", "threshold"]).reset_index(drop=True)

    @property
    def summary(self) -> pd.DataFrame:
        """The objects of all images by object and threshold: counts added up, ratios averaged."""
        rules = dict.fromkeys(_COUNTS, "sum") | dict.fromkeys(_RATIOS, "mean")
        return self.sweep.groupby(["dataset", "object", "threshold"], sort=False).agg(rules).reset_index()

    @property
    def markdown(self) -> str:
        """All of it as a page."""
        parts = [
            f"# {self.model} on the test split of {self.data_set.name}",
            f"{self.data_set.content}. DANDI {self.data_set.dandi}/{self.data_set.version}, test split: "
            f"{self.data_set.test_split}.",
        ]
        if self.doubt:
            parts.append(f"**{'Not' if self.seen else 'Perhaps not'} a test:** {self.doubt}.")
        parts += ["## Pixels", _table(self.pixels)]
        parts += ["## Fibers, matched at IoU ≥ 0.5, as ASTIH does", _table(self.objects("fiber"))]
        parts += ["## Axons alone, matched at IoU ≥ 0.5", _table(self.objects("axon"))]
        parts += ["## All images, by least IoU", "Counts added up, ratios averaged.", _table(self.summary)]
        return "\n\n".join(parts) + "\n"

    def write(self, folder: Path) -> tuple[Path, ...]:
        """Write the tables and a page of all of them into a folder; return their paths.

        ``metrics.csv`` and ``det_metrics.csv`` are ASTIH's, by name and columns; ``det_metrics_axons.csv`` is the
        latter of axons alone, ``det_sweep.csv`` both over the thresholds, and ``scores.md`` the page.
        """
        tables = {
            "metrics.csv": self.pixels,
            "det_metrics.csv": self.objects("fiber"),
            "det_metrics_axons.csv": self.objects("axon"),
            "det_sweep.csv": self.sweep,
        }
        marked = {"learned_from": " ".join(self.seen)} if self.seen else {}
        for name, table in tables.items():
            write_file(folder / name, for_csv(table.assign(**marked)).to_csv(index=False).encode())
        write_file(folder / "scores.md", self.markdown.encode())
        return tuple(folder / name for name in (*tables, "scores.md"))


def evaluate_set(
    data_set: DataSet,
    model: str,
    folder: Path,
    out: Path,
    *,
    allow_seen: bool = False,
    workers: int | None = None,
    shown: Callable[[Sequence[LabelledImage]], Iterable[LabelledImage]] = iter,
) -> Evaluation:
    """Score a model on the official test split of a data set.

    Parameters
    ----------
    data_set : DataSet
    model : str
        Name of an embedded model, or path of one.
    folder : Path
        What was given to the download, or any BIDS folder with the test subjects in it.
    out : Path
        Where the stores of the images are kept, and the tables are written.
    allow_seen : bool
        Score subjects that the model learned from, and say so in the result, instead of refusing them.
    workers : int, optional
        Processes; one per core if None.
    shown : callable
        Hands the images on one by one, as a progress bar does.

    Raises
    ------
    InputError
        If the folder holds no test image, or the model learned from a test subject.
    """
    images = images_of_test_split(data_set, folder)
    checkpoint = Checkpoint.find(model)
    seen = _seen(images, checkpoint.trained_on.get("subjects", ()))
    if seen and not allow_seen:
        raise InputError(
            f"A model that has not seen the test split of {data_set.name} was expected, {checkpoint.name} learned from "
            f"{', '.join(seen)} (its data: {checkpoint.trained_on.get('data', 'not named')}), so that its scores there "
            "would say nothing about new images; give another model, or --allow-seen to score it all the same."
        )
    make_folder(out)
    pixels, sweep = [], []
    for image in shown(images):
        compared = compare(model, image, out, native=True, workers=workers)
        named = {"dataset": data_set.name, "image": image.image.name}
        pixels += [named | row for row in _of_pixels(compared)]
        sweep += [named | row for row in _of_objects(compared)]
    told = "subjects" in checkpoint.trained_on
    return Evaluation(data_set, checkpoint.name, pd.DataFrame(pixels), pd.DataFrame(sweep), seen, told)


def _of_pixels(compared: Compared) -> Iterator[dict[str, object]]:
    """Yield Dice and IoU of each class that somebody drew, or that is found."""
    classes = compared.analysis.classes
    scores = pixel_scores(compared.found, compared.truth, classes)
    for each in classes.legend:
        if (dice := scores.dice[each.number]) == dice or each.role in {"axon", "myelin"}:
            yield {"class": each.name, "DiceMetric": dice, "MeanIoU": scores.iou[each.number]}


def _of_objects(compared: Compared) -> Iterator[dict[str, object]]:
    """Yield how many fibers and axons were found, by threshold."""
    classes = compared.analysis.classes
    axons = [axon_ids(labels, classes) for labels in (compared.found, compared.truth)]
    fibers = [
        fiber_ids(labels, ids, classes) for labels, ids in zip((compared.found, compared.truth), axons, strict=True)
    ]
    for kind, (found, true) in {"fiber": fibers, "axon": axons}.items():
        for threshold, pairs in zip(THRESHOLDS, matchings(found, true, THRESHOLDS), strict=True):
            counts = (pairs.true_positives, pairs.false_positives, pairs.false_negatives)
            ratios = {name: getattr(pairs, name) for name in _RATIOS}
            yield {"object": kind, "threshold": threshold} | dict(zip(_COUNTS, counts, strict=True)) | ratios


def _seen(images: Sequence[LabelledImage], learned_from: Collection[str]) -> tuple[str, ...]:
    return tuple(sorted({image.subject for image in images} & set(learned_from)))


def _table(frame: pd.DataFrame) -> str:
    """Write a table in Markdown; ratios with three digits, and a dash where there is none."""
    rows = [list(frame.columns), ["---"] * len(frame.columns)]
    rows += [[_text(value) for value in row] for row in frame.itertuples(index=False)]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def _text(value: object) -> str:
    if isinstance(value, float):
        return "–" if value != value else f"{value:.3f}"
    return str(value)
