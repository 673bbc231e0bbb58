"""A patch is what its ranges allow: nothing of the image is lost, nothing is invented."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage

from axonflow.training.augment import patch
from axonflow.training.recipe import Augmentation

STILL = Augmentation(
    shift=0, scale=1, rotation=(0, 0), elastic=(0, 0), flip=0, blur=0, gamma=1, uneven=0, contrast=0, brightness=0
)
"""Nothing changes."""

ALL = Augmentation(scale=1.4, gamma=1.5, uneven=0.3, contrast=0.35, brightness=0.35, noise=0.3)

Image = NDArray[np.float32]
Classes = NDArray[np.uint8]
seeds = st.integers(0, 2**32)
few = settings(max_examples=25)


def noise(shape: tuple[int, int], seed: int = 0) -> tuple[Image, Classes]:
    random = np.random.default_rng(seed)
    return random.normal(size=shape).astype(np.float32), random.integers(0, 3, shape, dtype=np.uint8)


def ramps(side: int, centre: tuple[float, float] = (0, 0)) -> tuple[Image, Image]:
    """Images whose values are y and x: what a patch of them holds is where each of its pixels came from."""
    y, x = np.mgrid[:side, :side].astype(np.float32)
    return y - np.float32(centre[0]), x - np.float32(centre[1])


def origins(ranges: Augmentation, seed: int, side: int = 32, whole: int = 801) -> tuple[Image, Image]:
    """Where each pixel of a patch lies in a large image."""
    labels = np.zeros((whole, whole), np.uint8)
    y, x = (patch(ramp, labels, side, ranges, np.random.default_rng(seed))[0] for ramp in ramps(whole))
    return y, x


def affine(y: Image, x: Image) -> NDArray[np.float64]:
    """How a patch was turned and scaled: the derivative of where its pixels came from."""
    return np.array([[np.diff(v, axis=a).mean() for a in (0, 1)] for v in (y, x)], np.float64)


def far_from_the_edge(y: Image, x: Image, whole: int = 801, margin: int = 80) -> bool:
    return bool(min(y.min(), x.min()) > margin and max(y.max(), x.max()) < whole - margin)


@few
@given(seeds, st.sampled_from([16, 32, 64]), st.tuples(st.integers(9, 90), st.integers(9, 90)))
def test_without_ranges_a_patch_is_the_images_pixels(seed: int, side: int, shape: tuple[int, int]) -> None:
    image, labels = noise(shape, seed)
    grey, classes = patch(image, labels, side, STILL, np.random.default_rng(seed))
    y, x = np.random.default_rng(seed).integers(0, shape)
    pad = side * 8
    around = np.s_[y - side // 2 + pad :, x - side // 2 + pad :]
    for ours, whole in ((grey, image), (classes, labels)):
        mirrored = np.pad(whole, pad, mode="reflect")[around][:side, :side]
        np.testing.assert_array_equal(ours, mirrored)


@few
@given(seeds)
def test_a_patch_follows_from_its_random_numbers(seed: int) -> None:
    image, labels = noise((70, 60))
    one, two = (patch(image, labels, 32, ALL, np.random.default_rng(seed)) for _ in range(2))
    np.testing.assert_array_equal(one[0], two[0])
    np.testing.assert_array_equal(one[1], two[1])
    assert one[0].dtype == np.float32
    assert one[1].dtype == np.uint8
    assert one[0].shape == one[1].shape == (32, 32)
    assert np.isfinite(one[0]).all()


@few
@given(seeds)
def test_image_and_labels_move_together(seed: int) -> None:
    labels = np.kron(np.random.default_rng(1).integers(0, 3, (12, 12)), np.ones((16, 16))).astype(np.uint8)
    ranges = replace(Augmentation(), blur=0)
    grey, classes = patch(labels.astype(np.float32), labels, 64, ranges, np.random.default_rng(seed))
    inside = ndimage.maximum_filter(classes, 5) == ndimage.minimum_filter(classes, 5)
    assert inside.mean() > 0.3
    inside[[0, -1]] = inside[:, [0, -1]] = False  # what lies beyond is not seen
    np.testing.assert_allclose(grey[inside], classes[inside], atol=1e-5)


@few
@given(seeds, st.booleans())
def test_a_pattern_keeps_its_shares_and_no_class_is_invented(seed: int, all_at_once: bool) -> None:
    labels = np.kron(np.indices((40, 40)).sum(axis=0) % 2 * 2, np.ones((8, 8))).astype(np.uint8)
    ranges = Augmentation() if all_at_once else replace(STILL, flip=0.5, rotation=(0, 360))
    _, classes = patch(labels.astype(np.float32), labels, 128, ranges, np.random.default_rng(seed))
    shares = np.bincount(classes.ravel(), minlength=3) / classes.size
    assert shares[1] == 0
    assert shares[2] == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("flip", [0.0, 1.0])
def test_a_flip_is_one(flip: float) -> None:
    image, labels = noise((64, 64))
    seed = next(n for n in range(99_999) if (np.random.default_rng(n).integers(0, (64, 64)) == 32).all())
    grey, classes = patch(image, labels, 64, replace(STILL, flip=flip), np.random.default_rng(seed))
    turned = np.s_[::-1, ::-1] if flip else np.s_[:, :]
    np.testing.assert_array_equal(grey, image[turned])
    np.testing.assert_array_equal(classes, labels[turned])


def test_flips_are_half_of_all() -> None:
    found = [np.sign(np.diag(affine(*origins(replace(STILL, flip=0.5), seed, 16, 81)))) for seed in range(200)]
    assert 60 < sum(pair[0] < 0 for pair in found) < 140
    assert 60 < sum(pair[1] < 0 for pair in found) < 140


@few
@given(seeds, st.floats(1, 1.5))
def test_scale_and_rotation_stay_in_their_ranges(seed: int, scale: float) -> None:
    y, x = origins(replace(STILL, scale=scale, rotation=(5, 89)), seed)
    if not far_from_the_edge(y, x):
        return
    turn = affine(y, x)
    zoom = 1 / np.sqrt(np.linalg.det(turn))
    assert 1 / scale - 1e-3 <= zoom <= scale + 1e-3
    angle = np.rad2deg(np.arctan2(turn[1, 0], turn[0, 0]))
    assert 4.9 <= angle <= 89.1
    np.testing.assert_allclose(turn @ turn.T * zoom**2, np.eye(2), atol=1e-3)  # neither sheared nor stretched


def test_scale_is_drawn_evenly_from_its_range() -> None:
    zooms = []
    for seed in range(300):
        y, x = origins(replace(STILL, scale=1.5), seed, 16, 401)
        if far_from_the_edge(y, x, 401, 20):
            zooms.append(1 / affine(y, x)[0, 0])
    quarter = (1.5 - 1 / 1.5) / 4
    counts = np.histogram(zooms, 1 / 1.5 + quarter * np.arange(5))[0]
    assert counts.sum() == len(zooms) > 200
    assert counts.min() > len(zooms) / 8


@few
@given(seeds)
def test_a_shift_is_at_most_its_share(seed: int) -> None:
    y, x = origins(replace(STILL, shift=0.1), seed)
    still = origins(STILL, seed)
    if far_from_the_edge(y, x):
        for ours, theirs in zip((y, x), still, strict=True):
            moved = ours - theirs
            np.testing.assert_allclose(moved, moved[0, 0], atol=1e-3)
            assert np.abs(moved).max() <= 3.2 + 1e-3


@few
@given(seeds, st.floats(1, 8))
def test_elastic_displacement_is_smooth_and_small(seed: int, factor: float) -> None:
    y, x = origins(replace(STILL, elastic=(factor, factor)), seed, 128)
    still = origins(STILL, seed, 128)
    if far_from_the_edge(y, x):
        for ours, theirs in zip((y, x), still, strict=True):
            moved = ours - theirs
            assert 0.08 * factor < moved.std() < 0.25 * factor
            assert np.abs(moved).max() < factor
            assert np.abs(np.diff(moved, axis=0)).max() < 0.15 * factor


def test_elastic_displacement_has_the_papers_amplitude() -> None:
    factor, side = 8.0, 256
    ours = []
    for seed in range(12):
        y, x = origins(replace(STILL, elastic=(factor, factor)), seed, side)
        if far_from_the_edge(y, x, margin=20):
            ours.append((y - origins(STILL, seed, side)[0]).std())
    random = np.random.default_rng(0)
    blocks = random.uniform(-1, 1, (side // 4, side // 4)).repeat(4, 0).repeat(4, 1)
    paper = ndimage.gaussian_filter(blocks, 4, mode="constant") * factor
    assert len(ours) > 2
    assert np.mean(ours) == pytest.approx(paper.std(), rel=0.1)


@few
@given(seeds)
def test_a_blur_only_smooths(seed: int) -> None:
    image, labels = noise((64, 64), seed)
    grey, _ = patch(image, labels, 64, replace(STILL, blur=1.5), np.random.default_rng(seed))
    sharp, _ = patch(image, labels, 64, STILL, np.random.default_rng(seed))
    assert grey.std() <= sharp.std() * (1 + 1e-6)
    assert abs(grey.mean() - sharp.mean()) < 0.1


@pytest.mark.parametrize(
    ("name", "probability"), [("blur", "blur_probability"), ("noise", "noise_probability")], ids=["blur", "noise"]
)
def test_what_is_improbable_is_rare(name: str, probability: str) -> None:
    image, labels = noise((32, 32))
    for chance, low, high in ((0.0, 0, 0), (0.5, 25, 75), (1.0, 90, 100)):
        ranges = replace(STILL, **{name: 4.0, probability: chance})  # type: ignore[arg-type]  # two floats
        changed = 0
        for seed in range(100):
            grey, _ = patch(image, labels, 32, ranges, np.random.default_rng(seed))
            sharp, _ = patch(image, labels, 32, STILL, np.random.default_rng(seed))
            changed += not np.array_equal(grey, sharp)
        assert low <= changed <= high


@few
@given(seeds, st.floats(1.01, 3))
def test_the_curve_is_monotone_and_keeps_the_range(seed: int, gamma: float) -> None:
    image = np.linspace(-(3**0.5), 3**0.5, 64 * 64, dtype=np.float32).reshape(64, 64)
    grey, _ = patch(image, np.zeros((64, 64), np.uint8), 64, replace(STILL, gamma=gamma), np.random.default_rng(seed))
    sharp, _ = patch(image, np.zeros((64, 64), np.uint8), 64, STILL, np.random.default_rng(seed))
    order = np.argsort(sharp.ravel(), kind="stable")
    assert (np.diff(grey.ravel()[order]) >= 0).all()
    level, was = (np.clip(values / 12**0.5 + 0.5, 0, 1) for values in (grey, sharp))
    assert (level >= was**gamma - 1e-5).all()
    assert (level <= was ** (1 / gamma) + 1e-5).all()


@few
@given(seeds, st.floats(0, 1), st.floats(0, 2))
def test_contrast_and_brightness_are_one_line(seed: int, contrast: float, brightness: float) -> None:
    image, labels = noise((64, 64), 1)
    ranges = replace(STILL, contrast=contrast, brightness=brightness)
    grey, _ = patch(image, labels, 64, ranges, np.random.default_rng(seed))
    sharp, _ = patch(image, labels, 64, STILL, np.random.default_rng(seed))
    gain, offset = np.polyfit(sharp.ravel().astype(np.float64), grey.ravel().astype(np.float64), 1)
    np.testing.assert_allclose(grey, gain * sharp + offset, atol=1e-4)
    assert 1 - contrast - 1e-5 <= gain <= 1 + contrast + 1e-5
    assert abs(offset) <= brightness + 1e-5


@few
@given(seeds)
def test_uneven_light_is_slow_and_within_its_range(seed: int) -> None:
    flat = np.ones((64, 64), np.float32)
    grey, _ = patch(flat, flat.astype(np.uint8), 64, replace(STILL, uneven=0.3), np.random.default_rng(seed))
    assert np.abs(grey - 1).max() <= 0.6 + 1e-6  # gain and offset of one
    assert np.abs(np.diff(grey, axis=0)).max() <= 2 * 0.6 * 4 / 64 + 1e-6
    assert grey.std() > 0


@few
@given(seeds)
def test_noise_is_noise(seed: int) -> None:
    flat = np.zeros((64, 64), np.float32)
    ranges = replace(STILL, noise=0.3)
    grey, classes = patch(flat, flat.astype(np.uint8), 64, ranges, np.random.default_rng(seed))
    assert grey.std() < 0.33
    assert abs(grey.mean()) < 5 * 0.3 / 64
    assert not classes.any()
