"""Labelled images in BIDS microscopy layout, read whole and brought to a model's pixel size.

``sub-X/micr/sub-X_sample-Y_MOD.png`` with ``PixelSize`` (µm) in the JSON beside it, which several samples may share;
labels in ``derivatives/labels/sub-X/micr/*_seg-{axon,myelin}-manual.png``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from axonflow.errors import InputError
from axonflow.grid import Box
from axonflow.net.normalise import grey_codes, histogram, lookup_table
from axonflow.resample import Resampling
from axonflow.units import PixelSize

__all__ = ["Sample", "read_samples"]


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One labelled image at a model's pixel size.

    Attributes
    ----------
    subject, name : str
        As in the file's name: ``sub-rat1`` and ``sub-rat1_sample-data1_SEM``.
    image : (h, w) float32
        Normalised by the whole image's histogram.
    labels : (h, w) uint8
        0 background, 1 myelin, 2 axon.
    """

    subject: str
    name: str
    image: NDArray[np.float32]
    labels: NDArray[np.uint8]


def read_samples(folder: Path, pixel_size: PixelSize, *, invert: bool = False) -> list[Sample]:
    """Read every labelled image of a BIDS microscopy folder.

    Parameters
    ----------
    folder : Path
        The data set's top folder.
    pixel_size : PixelSize
        The model's; images and labels are resampled to it.
    invert : bool
        Whether bright and dark are exchanged (TEM).

    Returns
    -------
    list of Sample
        In the order of their names.

    Raises
    ------
    InputError
        If the folder holds no labelled image, or an image has no pixel size.
    """
    samples = []
    for path in sorted(folder.glob("sub-*/micr/sub-*.png")):
        truth = folder / "derivatives" / "labels" / path.parts[-3] / "micr"
        masks = [truth / f"{path.stem}_seg-{kind}-manual.png" for kind in ("axon", "myelin")]
        if all(mask.exists() for mask in masks):
            samples.append(_read(path, masks[0], masks[1], pixel_size, invert=invert))
    if not samples:
        raise InputError(
            f"Labelled images were expected in {folder} (sub-*/micr/*.png with derivatives/labels/…), none came; "
            "give the top folder of a BIDS microscopy data set."
        )
    return samples


def _read(path: Path, axon: Path, myelin: Path, pixel_size: PixelSize, *, invert: bool) -> Sample:
    pixels = np.asarray(Image.open(path).convert("L"))
    resampling = Resampling((pixels.shape[0], pixels.shape[1]), _pixel_size(path), pixel_size)
    whole = Box.whole(resampling.out_shape)
    table = lookup_table(histogram(pixels), invert=invert)
    image = np.rint(resampling(pixels, whole)).astype(np.uint8)
    # Masks are resampled as probabilities and decided afterwards: interpolating class numbers invents myelin
    # between axon and background.
    axons, sheaths = (np.asarray(Image.open(mask).convert("L")) > 64 for mask in (axon, myelin))
    shares = [resampling(mask.astype(np.float32), whole) for mask in (~(axons | sheaths), sheaths & ~axons, axons)]
    return Sample(path.parts[-3], path.stem, table[grey_codes(image)], np.argmax(shares, axis=0).astype(np.uint8))


def _pixel_size(path: Path) -> PixelSize:
    subject = path.stem.split("_")[0]
    modality = path.stem.split("_")[-1]
    for sidecar in (path.with_suffix(".json"), path.with_name(f"{subject}_{modality}.json")):
        if sidecar.exists():
            sides = json.loads(sidecar.read_text())["PixelSize"]
            return PixelSize(float(sides[0]), float(sides[1]))
    raise InputError(f"A JSON file with PixelSize was expected beside {path}, none was found; add one.")
