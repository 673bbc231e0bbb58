"""A model scored as ASTIH scores its own: on the test split, in the images' own pixels, with ASTIH's columns.

Two tables, as its ``evaluate_models.py`` writes them: Dice and IoU of each class of each image, and how many objects
were found at an IoU of 0.5 or more. The objects are axons here and fibers (axons with their myelin) in ASTIH.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
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
from axonflow.training.evaluate import evaluate

__all__ = ["Evaluation", "evaluate_set"]

_SCORED = ("axon", "myelin")
_RATIOS = ("precision", "recall", "accuracy", "f1")
_COUNTS = ("TP", "FP", "FN")


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What ASTIH's evaluation says of a model.

    Attributes
    ----------
    data_set : DataSet
    model : str
    pixels : DataFrame
        dataset, image, class, DiceMetric, MeanIoU: one row per image and class.
    objects : DataFrame
        dataset, image, TP, FP, FN, precision, recall, accuracy, f1: one row per image.
    seen : tuple of str
        Subjects that the model learned from: what is said of them is no test.
    """

    data_set: DataSet
    model: str
    pixels: pd.DataFrame
    objects: pd.DataFrame
    seen: tuple[str, ...]

    @property
    def summary(self) -> pd.DataFrame:
        """The objects of all images, one row: counts added up, ratios averaged."""
        rules = dict.fromkeys(_COUNTS, "sum") | dict.fromkeys(_RATIOS, "mean")
        return self.objects.groupby("dataset").agg(rules).reset_index()

    @property
    def markdown(self) -> str:
        """All of it as a page."""
        parts = [
            f"# {self.model} on the test split of {self.data_set.name}",
            f"{self.data_set.content}. DANDI {self.data_set.dandi}/{self.data_set.version}, test split: "
            f"{self.data_set.test_split}.",
        ]
        if self.seen:
            parts.append(
                f"**Not a test:** the model learned from {', '.join(self.seen)}, so these scores say little about "
                "images that it has not seen."
            )
        parts += ["## Pixels", _table(self.pixels), "## Axons, matched at IoU ≥ 0.5", _table(self.objects)]
        return "\n\n".join([*parts, "All images: counts added up, ratios averaged.", _table(self.summary)]) + "\n"

    def write(self, folder: Path) -> tuple[Path, ...]:
        """Write ``metrics.csv``, ``det_metrics.csv`` (ASTIH's names) and ``scores.md``; return their paths."""
        pixels, objects, page = (folder / name for name in ("metrics.csv", "det_metrics.csv", "scores.md"))
        write_file(pixels, for_csv(self.pixels).to_csv(index=False).encode())
        write_file(objects, for_csv(self.objects).to_csv(index=False).encode())
        write_file(page, self.markdown.encode())
        return pixels, objects, page


def evaluate_set(
    data_set: DataSet, model: str, folder: Path, out: Path, *, allow_seen: bool = False, workers: int | None = None
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
    scores = evaluate(model, images, out, native=True, workers=workers)
    rows = scores.to_dict("records")
    files = [image.image.name for image in images]
    return Evaluation(
        data_set,
        checkpoint.name,
        pd.DataFrame(
            {
                "dataset": data_set.name,
                "image": file,
                "class": kind,
                "DiceMetric": row[f"dice_{kind}"],
                "MeanIoU": row[f"iou_{kind}"],
            }
            for file, row in zip(files, rows, strict=True)
            for kind in _SCORED
        ),
        pd.DataFrame(
            {"dataset": data_set.name, "image": file}
            | {
                "TP": int(row["axons_paired"]),
                "FP": int(row["axons_found"] - row["axons_paired"]),
                "FN": int(row["axons_true"] - row["axons_paired"]),
            }
            | {ratio: row[f"instance_{ratio}"] for ratio in _RATIOS}
            for file, row in zip(files, rows, strict=True)
        ),
        seen,
    )


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
