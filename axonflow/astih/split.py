"""Who trains and who tests: a downloaded data set laid out as two BIDS folders, by subject.

``train`` and ``test`` hold the images that have masks, all masks of theirs, and the files that describe them. They are
hard links where the disk can, so that a split takes no room.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from axonflow.astih.sets import DataSet
from axonflow.errors import InputError
from axonflow.kernel.documents import read_json
from axonflow.kernel.files import new_file
from axonflow.training.bids import LabelledImage, labelled_images

__all__ = ["images_of_test_split", "make_splits"]


def make_splits(data_set: DataSet, folder: Path) -> dict[str, int]:
    """Lay out ``folder/train`` and ``folder/test`` from what was downloaded into a folder.

    Parameters
    ----------
    data_set : DataSet
    folder : Path

    Returns
    -------
    dict
        The number of images in each.

    Raises
    ------
    InputError
        If the data set is not there, or lacks a test subject.
    """
    source = folder / data_set.dandi
    images = _listed(data_set, source, folder)
    if data_set.test_archive:
        tests = folder / data_set.test_archive.name
        sides = {"train": (source, images), "test": (tests, _listed(data_set, tests, folder))}
    else:
        testing = tuple(image for image in images if image.subject in data_set.test_subjects)
        if missing := set(data_set.test_subjects) - {image.subject for image in testing}:
            raise InputError(
                f"The test subjects {', '.join(data_set.test_subjects)} of {data_set.name} were expected in {source}, "
                f"{', '.join(sorted(missing))} are missing; {_what_to_run(data_set, folder)}"
            )
        sides = {
            "train": (source, tuple(image for image in images if image not in testing)),
            "test": (source, testing),
        }
    for side, (top, chosen) in sides.items():
        for file in _belonging(top, chosen):
            _place(top / file, folder / side / file)
    return {side: len(chosen) for side, (_, chosen) in sides.items()}


def images_of_test_split(data_set: DataSet, folder: Path) -> tuple[LabelledImage, ...]:
    """List the images of the official test split.

    Parameters
    ----------
    data_set : DataSet
    folder : Path
        With the splits of :func:`make_splits`, or any BIDS folder with the test subjects in it.

    Raises
    ------
    InputError
        If there are none.
    """
    top = folder / "test" if (folder / "test").is_dir() else folder
    images = _listed(data_set, top, folder)
    if data_set.test_archive is None:
        images = tuple(image for image in images if image.subject in data_set.test_subjects)
    elif top == folder and _name(top) != data_set.test_archive.repository.rpartition("/")[2]:
        images = ()  # its mice have the same names in both splits: only the folder tells
    if not images:
        raise InputError(
            f"Images of the test split of {data_set.name} ({data_set.test_split}) were expected in {top}, none came; "
            f"{_what_to_run(data_set, folder)}"
        )
    return images


def _listed(data_set: DataSet, top: Path, folder: Path) -> tuple[LabelledImage, ...]:
    if not top.is_dir():
        raise InputError(f"{data_set.name} was expected in {top}, nothing is there; {_what_to_run(data_set, folder)}")
    return labelled_images(top)


def _what_to_run(data_set: DataSet, folder: Path) -> str:
    return f"fetch it with: axonflow astih download {data_set.name} {folder} --make-splits"


def _name(top: Path) -> str | None:
    """Return the name that a BIDS folder gives itself."""
    try:
        return str(read_json(top / "dataset_description.json")["Name"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _belonging(top: Path, images: Sequence[LabelledImage]) -> Iterator[Path]:
    """Yield the files, relative to the top, that are these images, their masks, or describe them or all images."""
    names, subjects = ({getattr(image, part) for image in images} for part in ("name", "subject"))
    for path in sorted(path for path in top.rglob("*") if path.is_file()):
        file = path.relative_to(top)
        if any(part.startswith(".") or part.endswith(".dandidownload") for part in file.parts):
            continue
        subject = next((part for part in file.parts[:-1] if part.startswith("sub-")), None)
        described = file.suffix in {".json", ".tsv"} and subject in subjects
        if subject is None or described or file.stem.partition("_seg-")[0] in names:
            yield file


def _place(source: Path, target: Path) -> None:
    if target.exists() and target.samefile(source):
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with new_file(target, durable=False) as part:  # it is placed again whenever it is not the source's
        try:
            os.link(source, part)
        except OSError:  # another disk, or one without links
            shutil.copy2(source, part)
