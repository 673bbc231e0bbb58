"""Training is deterministic, survives a kill, and learns; on a few tiny patches."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from axonflow.errors import InputError
from axonflow.net.architecture import TEM
from axonflow.net.augment import Augmentation
from axonflow.net.dataset import Sample, read_samples
from axonflow.net.train import Recipe, train
from axonflow.units import PixelSize

RECIPE = Recipe(patches=8, batch=2, side=32, seed=1)


class KilledError(Exception):
    pass


@pytest.fixture(scope="module")
def sample() -> Sample:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, (12, 12)).repeat(8, 0).repeat(8, 1).astype(np.uint8)
    return Sample("sub-1", "sub-1_x", (labels - 1 + rng.normal(0, 0.1, labels.shape)).astype(np.float32), labels)


def test_a_killed_training_ends_as_an_undisturbed_one(sample: Sample, tmp_path: Path) -> None:
    losses: list[float] = []

    def kill(step: int, loss: float) -> None:
        if step == 2:
            raise KilledError

    whole = train(TEM, [sample], RECIPE, tmp_path / "a", watch=lambda _, loss: losses.append(loss), dtype=torch.float32)
    with pytest.raises(KilledError):
        train(TEM, [sample], RECIPE, tmp_path / "b", save_every=1, watch=kill, dtype=torch.float32)
    resumed = train(TEM, [sample], RECIPE, tmp_path / "b", save_every=1, dtype=torch.float32)
    for ours, theirs in zip(whole.state_dict().values(), resumed.state_dict().values(), strict=True):
        assert torch.equal(ours, theirs)
    assert len(losses) == 4
    assert np.isfinite(losses).all()


def test_patches_are_deterministic_and_keep_their_labels(sample: Sample) -> None:
    calm = Augmentation(contrast=0, brightness=0, blur=0)
    grey, labels = calm.patch(sample.image, sample.labels, 64, np.random.default_rng(5))
    again, _ = calm.patch(sample.image, sample.labels, 64, np.random.default_rng(5))
    np.testing.assert_array_equal(grey, again)
    # Far from edges between classes the grey value still tells the class.
    assert np.mean(np.rint(grey) + 1 == labels) > 0.7


def test_bids_folder(tmp_path: Path) -> None:
    micr, truth = tmp_path / "sub-a" / "micr", tmp_path / "derivatives" / "labels" / "sub-a" / "micr"
    micr.mkdir(parents=True)
    truth.mkdir(parents=True)
    with pytest.raises(InputError, match="none came"):
        read_samples(tmp_path, PixelSize.square(0.1))
    axon = np.zeros((40, 60), np.uint8)
    axon[10:20, 10:30] = 255
    myelin = np.zeros_like(axon)
    myelin[5:25, 5:35] = 128
    myelin[axon > 0] = 0
    Image.fromarray(axon).save(micr / "sub-a_sample-1_SEM.png")
    (micr / "sub-a_SEM.json").write_text('{"PixelSize": [0.2, 0.2]}')
    Image.merge("LA", (Image.fromarray(axon), Image.new("L", (60, 40), 255))).save(
        truth / "sub-a_sample-1_SEM_seg-axon-manual.png"
    )
    Image.fromarray(myelin).save(truth / "sub-a_sample-1_SEM_seg-myelin-manual.png")
    (sample,) = read_samples(tmp_path, PixelSize.square(0.1))
    assert (sample.subject, sample.name, sample.labels.shape) == ("sub-a", "sub-a_sample-1_SEM", (80, 120))
    np.testing.assert_array_equal(np.unique(sample.labels), [0, 1, 2])
    assert np.count_nonzero(sample.labels == 2) == 4 * np.count_nonzero(axon)


def test_real_images_are_read(real_data: Path) -> None:
    samples = read_samples(real_data / "sem", PixelSize.square(0.1))
    assert len(samples) == 9
    for sample in samples:
        assert 0.15 < np.mean(sample.labels == 2) < 0.4
        assert 0.2 < np.mean(sample.labels == 1) < 0.45
