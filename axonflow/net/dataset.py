"""Labelled images, read whole and brought to a model's pixel size."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from axonflow.bids import LabelledImage, labelled_images, read_grey, read_labels
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
    return [_read(image, pixel_size, invert=invert) for image in labelled_images(folder)]


def _read(image: LabelledImage, pixel_size: PixelSize, *, invert: bool) -> Sample:
    pixels, labels = read_grey(image.image), read_labels(image)
    resampling = Resampling((pixels.shape[0], pixels.shape[1]), image.pixel_size, pixel_size)
    whole = Box.whole(resampling.out_shape)
    table = lookup_table(histogram(pixels), invert=invert)
    grey = np.rint(resampling(pixels, whole)).astype(np.uint8)
    # Classes are resampled as probabilities and decided afterwards: interpolating their numbers invents myelin
    # between axon and background.
    shares = [resampling((labels == number).astype(np.float32), whole) for number in range(3)]
    return Sample(image.subject, image.name, table[grey_codes(grey)], np.argmax(shares, axis=0).astype(np.uint8))
