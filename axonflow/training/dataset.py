"""Labelled images at a model's pixel size, and the patches that are drawn from them.

A patch is a function of the seed, the step and its place in the batch. So it depends neither on how many processes
draw patches, nor on where a training was interrupted.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from axonflow.errors import InputError
from axonflow.kernel.classes import AXON_MYELIN, UNMYELINATED, Classes
from axonflow.kernel.grid import Box
from axonflow.kernel.resample import Resampling
from axonflow.kernel.tally import Tally
from axonflow.kernel.units import PixelSize
from axonflow.net.normalise import grey_codes, grey_table, histogram, lookup_table
from axonflow.training.augment import patch
from axonflow.training.bids import LabelledImage, drawn_classes, labelled_images, read_grey, read_labels
from axonflow.training.recipe import Recipe, Sampling

__all__ = ["NEITHER", "Patches", "Sample", "batches", "default_workers", "likelihoods", "read_sample", "read_samples"]

Batch = tuple[Tensor, Tensor]
"""(n, 1, side, side) float32 images, and their classes, (n, side, side) int64."""

NEITHER = 255
"""In a patch's classes: neither axon nor myelin, and which of the others nobody drew."""


@dataclass(frozen=True, eq=False)
class Sample:
    """One labelled image at a model's pixel size.

    Attributes
    ----------
    subject, name : str
        As in the file's name: ``sub-rat1`` and ``sub-rat1_sample-data1_SEM``.
    grey : (h, w) uint8
        As a run would hand it to the network.
    greys : Tally
        Histogram of the image as it was read.
    invert : bool
        Whether bright and dark are exchanged.
    labels : (h, w) uint8
        Numbers of the data set's classes.
    undrawn : bool
        Whether axons without myelin are a class that nobody drew on this image: they are background in ``labels``.
    """

    subject: str
    name: str
    grey: NDArray[np.uint8]
    greys: Tally
    invert: bool
    labels: NDArray[np.uint8]
    undrawn: bool = False

    @cached_property
    def table(self) -> NDArray[np.float32]:
        """Normalised value of each grey code, (65536,)."""
        return lookup_table(self.greys, invert=self.invert)

    @cached_property
    def tones(self) -> NDArray[np.uint8]:
        """The same as a grey level of 0 to 255, (65536,)."""
        return grey_table(self.greys, invert=self.invert)

    @cached_property
    def image(self) -> NDArray[np.float32]:
        """The normalised image, (h, w)."""
        image: NDArray[np.float32] = self.table[grey_codes(self.grey)]
        return image

    @cached_property
    def identity(self) -> str:
        """Sha256 of what is learnt from, in whole numbers: the greys and their classes."""
        return sha256(repr(self.grey.shape).encode() + self.grey.tobytes() + self.labels.tobytes()).hexdigest()


def read_sample(
    image: LabelledImage, pixel_size: PixelSize, classes: Classes = AXON_MYELIN, *, invert: bool = False
) -> Sample:
    """Read one labelled image at a pixel size.

    Raises
    ------
    InputError
        If its masks are of another size.
    """
    pixels, labels = read_grey(image.image), read_labels(image, classes)
    if pixels.shape != labels.shape:
        raise InputError(
            f"Masks of the image's size of {pixels.shape} px were expected for {image.name}, {labels.shape} px came; "
            "draw them on the image itself."
        )
    resampling = Resampling((pixels.shape[0], pixels.shape[1]), image.pixel_size, pixel_size)
    grey = np.rint(resampling(pixels, Box.whole(resampling.out_shape))).astype(np.uint8)
    labels = resampling.classes(labels, len(classes))
    undrawn = image.unmyelinated is None and classes.number_of(UNMYELINATED) is not None
    return Sample(image.subject, image.name, grey, histogram(pixels), invert, labels, undrawn)


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
        If the folder holds no labelled image, an image has no pixel size, or its masks are of another size.
    """
    images = labelled_images(folder)
    return [read_sample(image, pixel_size, drawn_classes(images), invert=invert) for image in images]


def likelihoods(samples: Sequence[Sample], sampling: Sampling) -> NDArray[np.float64]:
    """Return the probability with which each image is drawn, (n,)."""
    if sampling == "area":
        share = np.array([sample.labels.size for sample in samples], np.float64)
    else:
        share = np.ones(len(samples))
        if sampling == "subject":
            subjects = [sample.subject for sample in samples]
            share = 1 / np.array([subjects.count(subject) for subject in subjects])
    chances: NDArray[np.float64] = share / share.sum()
    return chances


class Patches(Dataset[tuple[NDArray[np.float32], NDArray[np.int64]]]):
    """All patches of a training, numbered from its start.

    Parameters
    ----------
    samples : sequence of Sample
    recipe : Recipe
    shown : sequence of sequence of Sample, optional
        The pixel sizes of each sample at which it is shown, each equally often; as it is if left out.
    """

    def __init__(
        self, samples: Sequence[Sample], recipe: Recipe, shown: Sequence[Sequence[Sample]] | None = None
    ) -> None:
        self.images = [[(each.image, _unsure(each)) for each in sizes] for sizes in shown or [[s] for s in samples]]
        self.likelihoods = likelihoods(samples, recipe.sampling)
        self.recipe = recipe

    def __len__(self) -> int:
        return self.recipe.steps * self.recipe.batch

    def __getitem__(self, number: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        random = np.random.default_rng([self.recipe.seed, *divmod(number, self.recipe.batch)])
        sizes = self.images[random.choice(len(self.images), p=self.likelihoods)]
        image, labels = sizes[random.integers(len(sizes))] if len(sizes) > 1 else sizes[0]
        grey, classes = patch(image, labels, self.recipe.side, self.recipe.augmentation, random)
        return grey[None], classes.astype(np.int64)


def default_workers() -> int:
    """Return how many processes draw patches: one per core but one, at most 8."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(max(cores - 1, 1), 8)


def batches(patches: Patches, first: int, workers: int) -> Iterator[Batch]:
    """Yield the batches of a training from a step on.

    Parameters
    ----------
    patches : Patches
    first : int
        The step whose batch comes first.
    workers : int
        Processes that draw patches; with 0 this one does, when it needs them.

    Yields
    ------
    image : (n, 1, side, side) float32 Tensor
    labels : (n, side, side) int64 Tensor
    """
    batch = patches.recipe.batch
    yield from DataLoader(
        patches,
        batch,
        sampler=range(first * batch, len(patches)),
        num_workers=workers,
        worker_init_fn=_leave_signals_to_the_parent,
        pin_memory=torch.cuda.is_available(),
        generator=torch.Generator(),  # of its own, so that none of the training's random numbers are used up
    )


def _leave_signals_to_the_parent(_worker: int) -> None:
    """Let this process live on when the training is asked to end; it first finishes its step."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def _unsure(sample: Sample) -> NDArray[np.uint8]:
    """Return the labels to learn: where an image was not drawn on, a class is not background for certain."""
    return np.where(sample.labels == 0, np.uint8(NEITHER), sample.labels) if sample.undrawn else sample.labels
