"""Labelled images in a BIDS microscopy folder: which there are, of whom, and how large their pixels.

::

    sub-rat1/micr/sub-rat1_sample-data1_SEM.png                   the image
    sub-rat1/micr/sub-rat1_sample-data1_SEM.json                  PixelSize, µm; may be shared, see below
    derivatives/labels/sub-rat1/micr/…_SEM_seg-axon-manual.png    its masks
    derivatives/labels/sub-rat1/micr/…_SEM_seg-myelin-manual.png
    derivatives/labels/sub-rat1/micr/…_SEM_seg-uaxon-manual.png   axons without myelin; may be left out

A JSON file holds for every image below its folder whose name has all the parts of its own (BIDS' inheritance
principle); the most particular one counts.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from axonflow.errors import InputError
from axonflow.kernel.classes import AXON_MYELIN, UNMYELINATED, WITH_UNMYELINATED, Classes, Labels
from axonflow.kernel.documents import parse_json
from axonflow.kernel.grid import Box
from axonflow.kernel.text import read_text
from axonflow.kernel.units import PixelSize
from axonflow.slide import open_stored
from axonflow.slide.sidecar import sides_um
from axonflow.stages.masks import open_mask

__all__ = ["LabelledImage", "drawn_classes", "labelled_images", "read_grey", "read_labels", "read_mask"]

SUFFIXES = (".png", ".tif", ".tiff", ".jpg")


@dataclass(frozen=True, slots=True)
class LabelledImage:
    """One image with its masks.

    Attributes
    ----------
    subject, name : str
        ``sub-rat1`` and ``sub-rat1_sample-data1_SEM``.
    image, axon, myelin : Path
        The files.
    pixel_size : PixelSize
    unmyelinated : Path, optional
        The mask of axons without myelin; None if nobody drew them.
    """

    subject: str
    name: str
    image: Path
    axon: Path
    myelin: Path
    pixel_size: PixelSize
    unmyelinated: Path | None = None


def labelled_images(folder: Path) -> tuple[LabelledImage, ...]:
    """List the images of a BIDS microscopy folder that have masks of axons and myelin, in the order of their names.

    Raises
    ------
    InputError
        If there is none, or one has no pixel size.
    """
    found = []
    for image in sorted(path for path in folder.glob("sub-*/micr/sub-*") if path.suffix.lower() in SUFFIXES):
        truth = folder / "derivatives" / "labels" / image.parts[-3] / "micr"
        axon, myelin, without = (truth / f"{image.stem}_seg-{kind}-manual.png" for kind in ("axon", "myelin", "uaxon"))
        if axon.exists() and myelin.exists():
            size, drawn = _pixel_size(image, folder), without if without.exists() else None
            found.append(LabelledImage(image.parts[-3], image.stem, image, axon, myelin, size, drawn))
    if not found:
        raise InputError(
            f"Labelled images were expected in {folder} (sub-*/micr/*.png with derivatives/labels/…), none came; "
            "give the top folder of a BIDS microscopy data set."
        )
    return tuple(found)


def drawn_classes(images: Iterable[LabelledImage]) -> Classes:
    """Return the classes that images tell apart: axons without myelin are one if they are drawn on any."""
    return WITH_UNMYELINATED if any(image.unmyelinated for image in images) else AXON_MYELIN


def read_grey(path: Path) -> NDArray[np.uint8]:
    """Read an image as (h, w) uint8; colour becomes luminance, and transparency is ignored."""
    return np.asarray(_open(path).convert("L"))


def read_mask(path: Path) -> NDArray[np.bool_]:
    """Read a mask as (h, w) bool, as a run reads it.

    Raises
    ------
    InputError
        If what its values mean is not certain.
    """
    mask = open_mask(open_stored(path))
    return mask.drawn(Box.whole(mask.image.shape))


def read_labels(image: LabelledImage, classes: Classes = AXON_MYELIN) -> Labels:
    """Read the masks of an image as labels of these classes, (h, w) uint8.

    Axon where it is drawn, myelin where that is drawn besides; axons without myelin, if they are a class, where neither
    is.
    """
    axon, myelin = read_mask(image.axon), read_mask(image.myelin)
    if axon.shape != myelin.shape:
        raise InputError(
            f"Masks of one size were expected for {image.name}, axons of {axon.shape} px and myelin of {myelin.shape} "
            "px came; draw both on the same image."
        )
    number = classes.number_of(UNMYELINATED)
    if number is None or image.unmyelinated is None:
        return classes.from_masks(axon, myelin)
    without = read_mask(image.unmyelinated)
    if without.shape != axon.shape:
        raise InputError(
            f"Masks of one size were expected for {image.name}, axons of {axon.shape} px and axons without myelin of "
            f"{without.shape} px came; draw both on the same image."
        )
    return classes.from_masks(axon, myelin, {number: without})


def _open(path: Path) -> Image.Image:
    try:
        image = Image.open(path)
        image.load()
    except OSError as error:
        raise InputError(f"An image was expected in {path}, but it cannot be read: {error}.") from error
    return image


def _pixel_size(image: Path, top: Path) -> PixelSize:
    parts = set(image.stem.split("_"))
    modality = image.stem.rsplit("_", 1)[-1]
    for folder in (image.parent, image.parent.parent, top):
        sidecars = [path for path in folder.glob(f"*{modality}.json") if set(path.stem.split("_")) <= parts]
        for sidecar in sorted(sidecars, key=lambda path: -len(path.stem.split("_"))):
            try:
                said = parse_json(read_text(sidecar))
                if said.get("PixelSize") is not None:
                    return PixelSize(*sides_um(said))
            except (ValueError, TypeError, AttributeError, LookupError, RecursionError) as error:
                raise InputError(f"PixelSize in µm was expected in {sidecar}, it cannot be read: {error}.") from error
    raise InputError(
        f"A JSON file with PixelSize (µm) was expected for {image}, none was found; write {image.stem}.json beside it, "
        'with {"PixelSize": [0.1, 0.1]}.'
    )
