"""What a model has beyond its weights: the smallest axon, what is familiar, and a network of whole numbers.

All are chosen on the images it was trained on, and on no other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from axonflow.errors import InputError, ModelError
from axonflow.kernel.classes import AXON_MYELIN, Classes, Labels
from axonflow.kernel.grid import Box
from axonflow.kernel.units import PixelSize
from axonflow.net.checkpoint import Checkpoint
from axonflow.net.coarseness import coarseness_range, square_coarseness
from axonflow.net.familiarity import block_sums, familiar_ranges, square_traits
from axonflow.net.integers import IntegerNetwork
from axonflow.net.lattice import Lattice
from axonflow.net.normalise import grey_codes
from axonflow.net.precision import best_precision
from axonflow.net.predict import Predictor
from axonflow.net.quantise import quantised
from axonflow.net.unet import UNet
from axonflow.training.bids import labelled_images
from axonflow.training.dataset import Sample, read_sample
from axonflow.training.matching import axon_ids, detection
from axonflow.training.score import without_small_axons

__all__ = ["calibrate", "choose_smallest_axon", "integers_of", "predict", "quantise"]

_SMALLEST_PX = (0, 5, 10, 15, 20, 25, 30, 40, 50, 75, 100, 150, 200, 300, 500, 750, 1000, 1500, 2000, 3000, 5000)
_SMALLEST_UM2 = 0.5
"""The areas to choose the smallest axon's from: these numbers of pixels, as far as they are not more than this."""


def predict(checkpoint: Checkpoint, sample: Sample) -> NDArray[np.uint8]:
    """Predict an image over the lattice, as a run does.

    Returns
    -------
    (2, h, w) uint8
        Classes, and their probabilities in 255ths.
    """
    shape = sample.labels.shape
    whole = Box.whole((shape[0], shape[1]))
    lattice = Lattice(whole.shape, checkpoint.lattice_px, checkpoint.halo_px, checkpoint.shape.stride)
    predictor = Predictor(checkpoint, lattice, best_precision())
    return predictor.predict(sample.grey, whole, whole, sample.table)[:2]


def calibrate(
    contract: Checkpoint, network: UNet, samples: Sequence[Sample], resized: Sequence[Sample] = ()
) -> Checkpoint:
    """Fill in what the training images decide.

    Parameters
    ----------
    contract : Checkpoint
    network : UNet
        Its network.
    samples : sequence of Sample
        The images it was trained on.
    resized : sequence of Sample
        The same at its other working sizes, which are familiar to it too.

    Returns
    -------
    Checkpoint
        The contract with ``smallest_axon_um2``, ``familiar`` and ``coarseness``.
    """
    with TemporaryDirectory() as folder:
        saved = contract.save(network, Path(folder))
        planes = [predict(saved, sample) for sample in (*samples, *resized)]
    smallest = choose_smallest_axon(
        [labels for labels, _ in planes[: len(samples)]],
        [sample.labels for sample in samples],
        contract.pixel_size,
        contract.classes,
    )
    shown = [
        (block_sums(confidence, sample.tones[grey_codes(sample.grey)]), (confidence.shape[0], confidence.shape[1]))
        for (_, confidence), sample in zip(planes, (*samples, *resized), strict=True)
    ]
    return replace(
        contract,
        smallest_axon_um2=smallest,
        familiar=familiar_ranges(square_traits(sums, shape).reshape(-1, 4) for sums, shape in shown),
        coarseness=coarseness_range(
            square_coarseness(sums, shape, np.ones(sums.shape[1:], np.bool_)) for sums, shape in shown
        ),
    )


def integers_of(network: UNet, samples: Sequence[Sample]) -> IntegerNetwork:
    """Choose the whole numbers of a network on some windows of the images it was trained on.

    Parameters
    ----------
    network : UNet
        Its float32 weights, on the processor.
    samples : sequence of Sample
        Of each as many windows are looked at, however large it is: what is bright in a small image alone must not be
        cut off. Of very many images only some are looked at.
    """
    if len(samples) > _WINDOWS:
        samples = [samples[k * len(samples) // _WINDOWS] for k in range(_WINDOWS)]
    windows = [window for sample in samples for window in _windows_of(sample, _WINDOWS // len(samples))]
    return quantised(network, np.stack(windows))


def quantise(checkpoint: Checkpoint, dataset: Path) -> tuple[Checkpoint, list[str]]:
    """Give a finished model a network of whole numbers, and write it beside the weights.

    Parameters
    ----------
    checkpoint : Checkpoint
    dataset : Path
        Top folder of the BIDS microscopy data set it was trained on; subjects that it has not seen are left out.

    Returns
    -------
    Checkpoint
        With the contract's new state.
    list of str
        The subjects on whose images the whole numbers were chosen.

    Raises
    ------
    ModelError, InputError
        If the model is nnU-Net's or comes with axonflow, or the data set holds nothing of what it was trained on.
    """
    checkpoint.shape  # noqa: B018  # of nnU-Net's models it says that they have none
    if checkpoint.embedded:
        raise ModelError(
            f"A model of yours was expected, {checkpoint.name!r} came, which comes with axonflow and with its whole "
            "numbers; copy its files to a folder and give the .json there."
        )
    subjects = checkpoint.trained_on.get("subjects", [])
    images = [image for image in labelled_images(dataset) if image.subject in subjects]
    if not images:
        raise InputError(
            f"Images of {', '.join(subjects) or 'subjects that the contract names'} were expected in {dataset}, none "
            f"is there; give the data set that {checkpoint.name!r} was trained on."
        )
    sizes = checkpoint.working_sizes
    classes, invert = checkpoint.classes, checkpoint.invert
    samples = [read_sample(image, size, classes, invert=invert) for image in images for size in sizes]
    integers = integers_of(checkpoint.network(), samples)
    return checkpoint.with_integers(integers), sorted({image.subject for image in images})


_WINDOWS, _SIDE = 54, 256
"""How many windows the whole numbers are chosen on, at most, and their sides, px."""


def _windows_of(sample: Sample, count: int) -> list[NDArray[np.float32]]:
    """Cut windows that lie evenly over an image; a smaller one is mirrored."""
    image = sample.image
    short = [(0, max(_SIDE - side, 0)) for side in image.shape]
    image = np.pad(image, short, "symmetric")
    rows, columns = (np.arange(0, side - _SIDE + 1, _SIDE) for side in image.shape)
    chosen = sorted({k * len(rows) * len(columns) // count for k in range(count)})
    at = (divmod(k, len(columns)) for k in chosen)
    return [image[rows[i] : rows[i] + _SIDE, columns[j] : columns[j] + _SIDE] for i, j in at]


def choose_smallest_axon(
    found: Sequence[Labels], truth: Sequence[Labels], pixel_size: PixelSize, classes: Classes = AXON_MYELIN
) -> float:
    """Choose below which area what was found is taken for noise.

    Parameters
    ----------
    found, truth : sequence of (h, w) uint8
        Labels of the training images.
    pixel_size : PixelSize
    classes : Classes
        What the labels mean.

    Returns
    -------
    float
        Of a few areas up to 0.5 µm², the one with the best F1 of detection by centroids, counted over all images; of
        equals the smallest. F1 = 2·TP / (TP + FP + true axons).
    """
    true_ids = [axon_ids(labels, classes) for labels in truth]
    areas = [px * pixel_size.area_um2 for px in _SMALLEST_PX]

    def f1(area_um2: float) -> float:
        counts = [
            detection(axon_ids(without_small_axons(labels, pixel_size, area_um2, classes), classes), ids)
            for labels, ids in zip(found, true_ids, strict=True)
        ]
        hit = sum(count.true_positives for count in counts)
        others = sum(count.false_positives + count.true_axons for count in counts)
        return 2 * hit / (hit + others) if hit else 0.0

    chosen: float = max((area for area in areas if area <= _SMALLEST_UM2 * 1.0001), key=f1)
    return round(chosen, 9)
