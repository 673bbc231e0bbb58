"""Scores equal those of scikit-learn, MONAI, stardist and AxonDeepSeg's rule; where nothing is to be scored, NaN."""

from __future__ import annotations

import tracemalloc
from math import inf, isnan, nan
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from oracles import axon_labels, axondeepseg_fibers
from scipy import ndimage
from skimage import measure
from strategies import generators, masks, shapes

from axonflow.errors import InputError
from axonflow.kernel.classes import AXON_MYELIN, WITH_UNMYELINATED
from axonflow.kernel.units import PixelSize
from axonflow.net.judged import QUANTITIES
from axonflow.training.matching import (
    Detection,
    Matching,
    axon_ids,
    centroids,
    detection,
    fiber_ids,
    matching,
    matchings,
)
from axonflow.training.score import pixel_scores, quantities, score, without_small_axons

Classes = NDArray[np.uint8]
Pair = tuple[Classes, Classes]

SIZE = PixelSize(0.1, 0.25)


def tissue_of(axon: NDArray[np.bool_], myelin: NDArray[np.bool_]) -> Classes:
    return np.where(axon, 2, myelin).astype(np.uint8)


def square(side: int, *, value: int = 2, at: int = 2) -> Classes:
    """One square object in an image of 12 × 12 px."""
    classes = np.zeros((12, 12), np.uint8)
    classes[at : at + side, at : at + side] = value
    return classes


NOTHING, MYELIN, AXON = square(0), square(5, value=1), square(5)
EDGES = [(found, true) for found in (NOTHING, MYELIN, AXON) for true in (NOTHING, MYELIN, AXON)]
"""No axon in either, in one, in both; classes that are missing from one or both."""


@st.composite
def pairs(draw: st.DrawFn) -> Pair:
    """A segmentation and its truth: the same but for a shift and some noise, or any two."""
    shape = draw(shapes)
    truth = tissue_of(draw(masks(shape)), draw(masks(shape)))
    if draw(st.booleans()):
        return tissue_of(draw(masks(shape)), draw(masks(shape))), truth
    random = draw(generators)
    found = np.roll(truth, draw(st.tuples(st.integers(-2, 2), st.integers(-2, 2))), (0, 1))
    noise = random.random(shape) < draw(st.sampled_from((0, 0.01, 0.2)))
    return np.where(noise, random.integers(0, 3, shape), found).astype(np.uint8), truth


@st.composite
def patchworks(draw: st.DrawFn) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Two images of few ids, some of them missing, that overlap in many ways."""
    random, side, most = draw(generators), draw(st.integers(1, 7)), draw(st.integers(1, 9))
    first = random.integers(0, most + 1, (side, side)).repeat(2, 0).repeat(2, 1)
    other = np.where(random.random(first.shape) < 0.5, first, random.integers(0, most + 1, first.shape))
    return first.astype(np.int32), other.astype(np.int32)


def one_hot(classes: Classes) -> Any:
    import torch  # here, and the references likewise: collecting the tests should not load them

    return torch.from_numpy(np.stack([classes == number for number in range(3)])[None].astype(np.float64))


def by_axondeepseg(found: NDArray[np.bool_], truth: NDArray[np.bool_]) -> tuple[int, int, int]:
    """The rule in words: sets of coordinates, object by object."""
    candidates = {
        tuple(int(mean) for mean in axon.centroid)
        for axon in measure.regionprops(measure.label(found))
        if axon.area > 2
    }
    true_axons = [set(map(tuple, axon.coords.tolist())) for axon in measure.regionprops(measure.label(truth))]
    hits = sum(bool(axon & candidates) for axon in true_axons)
    return hits, len(candidates - set().union(*true_axons)), len(true_axons)


@settings(max_examples=60)
@given(pairs())
def test_pixel_scores_are_scikit_learns(pair: Pair) -> None:
    from sklearn import metrics

    found, truth = pair
    scores = pixel_scores(found, truth)
    flat = truth.ravel(), found.ravel()
    labels = [0, 1, 2]
    assert np.array_equal(scores.confusion, metrics.confusion_matrix(*flat, labels=labels))
    assert scores.accuracy == pytest.approx(metrics.accuracy_score(*flat), abs=1e-6)
    dice = metrics.f1_score(*flat, labels=labels, average=None, zero_division=nan)
    np.testing.assert_allclose(scores.dice, dice, atol=1e-6)
    here = [number for number in labels if (found == number).any() or (truth == number).any()]
    iou = metrics.jaccard_score(*flat, labels=here, average=None, zero_division=0)
    np.testing.assert_allclose([scores.iou[number] for number in here], iou, atol=1e-6)
    assert [isnan(value) for value in scores.iou] == [number not in here for number in labels]
    assert scores.mean_iou == pytest.approx(metrics.jaccard_score(*flat, average="macro", zero_division=0), abs=1e-6)


@settings(max_examples=60)
@given(pairs())
@example(EDGES[0])
@example(EDGES[1])
@example(EDGES[6])
@example(EDGES[8])
def test_dice_and_iou_are_monais(pair: Pair) -> None:
    from monai.metrics import DiceMetric, compute_dice, compute_iou

    found, truth = map(one_hot, pair)
    scores = pixel_scores(*pair)
    for ours, theirs in ((scores.dice, compute_dice), (scores.iou, compute_iou)):
        if_true, if_any = (theirs(found, truth, ignore_empty=skip)[0].numpy() for skip in (True, False))
        for number in range(3):
            in_truth, in_found = ((each == number).any() for each in (pair[1], pair[0]))
            # MONAI leaves out what is not in the truth, or calls it 1 where it was not found either.
            expected = if_any[number] if in_truth or in_found else if_true[number]
            assert ours[number] == pytest.approx(expected, abs=1e-6, nan_ok=True)
            assert isnan(expected) == (not in_truth and not in_found)
    mean = float(DiceMetric()(found[:, 1:], truth[:, 1:]).nanmean())
    known = [scores.dice[number] for number in (1, 2) if (pair[1] == number).any()]
    assert (sum(known) / len(known) if known else nan) == pytest.approx(mean, abs=1e-6, nan_ok=True)


@settings(max_examples=80)
@given(pairs())
def test_detection_is_axondeepsegs(pair: Pair) -> None:
    found, truth = pair
    counted = detection(axon_ids(found), axon_ids(truth))
    expected = by_axondeepseg(found == 2, truth == 2)
    assert (counted.true_positives, counted.false_positives, counted.true_axons) == expected


@settings(max_examples=40)
@given(pairs())
def test_axons_are_numbered_as_everywhere(pair: Pair) -> None:
    assert np.array_equal(axon_ids(pair[0]), axon_labels(pair[0] == 2))


def equals_stardist(found: NDArray[np.int32], true: NDArray[np.int32], iou: float) -> None:
    from stardist.matching import matching as by_stardist

    ours, theirs = matching(found, true, iou), by_stardist(true, found, thresh=iou)
    assert (ours.true_positives, ours.false_positives, ours.false_negatives) == (theirs.tp, theirs.fp, theirs.fn)
    for name in ("precision", "recall", "accuracy", "f1"):
        assert getattr(ours, name) == pytest.approx(getattr(theirs, name), abs=1e-6)


@settings(max_examples=60)
@given(pairs())
@example(EDGES[0])
@example(EDGES[2])
@example(EDGES[6])
@example(EDGES[8])
def test_matching_is_stardists(pair: Pair) -> None:
    equals_stardist(axon_ids(pair[0]), axon_ids(pair[1]), 0.5)


@settings(max_examples=150)
@given(patchworks(), st.sampled_from((0.05, 0.1, 0.2, 0.25, 1 / 3, 0.4, 0.5, 0.6, 0.75, 0.9, 1.0)))
def test_matching_is_stardists_where_several_could_be_paired(
    ids: tuple[NDArray[np.int32], NDArray[np.int32]], iou: float
) -> None:
    equals_stardist(*ids, iou)


def test_the_most_pairs_are_found_not_the_first() -> None:
    """Found 1 overlaps both true axons, most the one that found 2 has alone."""
    found, true = np.array([[1, 1, 1, 1, 2]]), np.array([[1, 2, 2, 2, 2]])
    assert matching(found, true, 0.2) == Matching(2, 0, 0)


@given(generators, st.integers(1, 3))
def test_unmyelinated_axons_are_scored_as_the_others_are(rng: np.random.Generator, grain: int) -> None:
    """With the two classes exchanged, the scores of the one are those of the other."""
    found, true = (np.kron(rng.integers(0, 4, (12, 15)), np.ones((grain, grain))).astype(np.uint8) for _ in range(2))
    exchange = np.array([0, 1, 3, 2], np.uint8)
    one, other = (
        score(found, true, classes=WITH_UNMYELINATED),
        score(exchange[found], exchange[true], classes=WITH_UNMYELINATED),
    )
    assert one.unmyelinated is not None
    assert (one.unmyelinated.detection, one.unmyelinated.matching) == (other.detection, other.matching)
    assert (one.unmyelinated.found, one.unmyelinated.true) == (other.found.axons, other.truth.axons)
    assert score(np.minimum(found, 2), np.minimum(true, 2)).unmyelinated is None


def test_halves_share_one_partner() -> None:
    """Both halves overlap the whole by exactly the threshold, and one of them gets it."""
    assert matching(np.array([[1, 1, 2, 2]]), np.array([[1, 1, 1, 1]])) == Matching(1, 1, 0)


def test_matching_needs_no_table_of_all_pairs() -> None:
    n = 40_000  # a table of 1 byte per pair would take 1.6 GB
    ids = np.arange(1, n + 1, dtype=np.int32).reshape(200, 200)
    tracemalloc.start()
    matched = matching(ids, np.roll(ids, 1, 0))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert matched == Matching(n, 0, 0)
    assert peak < 50 * 2**20


@pytest.mark.parametrize(("found", "true"), EDGES)
def test_no_axons_are_no_success(found: Classes, true: Classes) -> None:
    scores = score(found, true, SIZE)
    row = scores.row()
    has_found, has_true = (bool((classes == 2).any()) for classes in (found, true))
    if has_found and has_true:
        assert row["sensitivity"] == row["precision"] == row["instance_f1"] == row["dice_axon"] == 1
        return
    assert row["instance_precision"] == row["instance_recall"] == row["instance_accuracy"] == row["instance_f1"] == 0
    assert isnan(row["sensitivity"]) if not has_true else row["sensitivity"] == 0
    assert isnan(row["precision"]) if not has_found else row["precision"] == 0
    for name in ("density_error", "avf_error"):
        if has_true:
            assert row[name] == -1
        else:
            assert row[name] == inf if has_found else isnan(row[name])
    assert isnan(row["gratio_error"])
    assert isnan(row["diameter_error"])
    assert isnan(row["dice_axon"]) if not has_found and not has_true else row["dice_axon"] == 0


def test_objects_that_share_a_centroid_count_once() -> None:
    truth, found = square(1, at=0), square(7)
    found[3:8, 3:8] = 0
    found[4:7, 4:7] = 2  # a square in a ring
    assert axon_ids(found).max() == 2
    assert detection(axon_ids(found), axon_ids(truth)) == Detection(0, 1, 1)
    assert detection(axon_ids(found), axon_ids(square(7))) == Detection(1, 0, 1)


@pytest.mark.parametrize(("length", "expected"), [(2, Detection(0, 0, 1)), (3, Detection(1, 0, 1))])
def test_an_object_of_two_pixels_has_no_centroid(length: int, expected: Detection) -> None:
    found = np.zeros((12, 12), np.uint8)
    found[4, 4 : 4 + length] = 2
    assert detection(axon_ids(found), axon_ids(square(7))) == expected


def test_centroids_are_whole_pixels() -> None:
    ids = np.array([[0, 3, 3, 3], [1, 0, 0, 3], [1, 1, 0, 3]])
    found, at = centroids(ids)
    assert found.tolist() == [1, 3]
    assert at.tolist() == [[1, 0], [0, 2]]


@settings(max_examples=60)
@given(pairs())
def test_quantities_are_scikit_images(pair: Pair) -> None:
    classes, _ = pair
    of = quantities(classes, axon_ids(classes), SIZE)
    axons = measure.regionprops(measure.label(classes == 2))
    avf, mvf = (classes == 2).mean(), (classes == 1).mean()
    assert of.density_mm2 == pytest.approx(len(axons) / (classes.size * 0.1 * 0.25e-6))
    assert (of.avf, of.mvf) == pytest.approx((avf, mvf))
    if not axons:
        assert isnan(of.gratio)
        assert isnan(of.axon_diameter_um)
        return
    assert of.gratio == pytest.approx((1 / (1 + mvf / avf)) ** 0.5)
    mean_px = np.mean([axon.equivalent_diameter_area for axon in axons])
    assert of.axon_diameter_um == pytest.approx(mean_px * (0.1 * 0.25) ** 0.5)


@settings(max_examples=60)
@given(pairs())
def test_errors_are_relative_and_need_no_pixel_size(pair: Pair) -> None:
    known, unknown = (score(*pair, size).row() for size in (SIZE, None))
    assert list(known) == list(unknown)
    for name in QUANTITIES:
        found, true, error = (known[f"{name}_{part}"] for part in ("found", "true", "error"))
        expected = (found - true) / true if true else (nan if found == 0 else inf)
        assert error == pytest.approx(expected, nan_ok=True)
        assert unknown[f"{name}_error"] == pytest.approx(error, nan_ok=True)
    for name in ("density_found", "density_true", "diameter_found", "diameter_true"):
        assert isnan(unknown[name])


@settings(max_examples=60)
@given(pairs(), st.sampled_from((0, 1, 2, 3, 6, 20)))
def test_small_axons_become_background(pair: Pair, smallest_px: int) -> None:
    classes, _ = pair
    size = PixelSize(0.1, 0.3)
    kept = without_small_axons(classes, size, smallest_px * size.area_um2 * (1 - 1e-9))
    expected = axon_labels(classes == 2, smallest_px) > 0
    assert np.array_equal(kept, np.where(classes == 2, 2 * expected, classes))


@pytest.mark.parametrize(
    ("found", "truth", "words"),
    [
        (np.zeros((3, 4), np.uint8), np.zeros((4, 3), np.uint8), "of one size"),
        (np.zeros((0, 3), np.uint8), np.zeros((0, 3), np.uint8), "of one size"),
        (np.full((3, 4), 255, np.uint8), np.zeros((3, 4), np.uint8), "255 came"),
    ],
)
def test_what_cannot_be_scored_is_refused(found: Classes, truth: Classes, words: str) -> None:
    with pytest.raises(InputError, match=words):
        score(found, truth)


@pytest.mark.parametrize("compare", [detection, matching])
def test_ids_of_other_sizes_are_refused(compare: Any) -> None:
    with pytest.raises(InputError, match="of one size"):
        compare(np.zeros((3, 4), np.int32), np.zeros((4, 3), np.int32))


@pytest.mark.parametrize("iou", [0.0, -0.1, 1.01, nan])
def test_a_threshold_is_a_share(iou: float) -> None:
    with pytest.raises(InputError, match="above 0 and up to 1"):
        matching(np.ones((2, 2), np.int32), np.ones((2, 2), np.int32), iou)


@given(labels=st.integers(0, 2**32 - 1), cut=st.sampled_from([0.2, 0.5]))
def test_fibers_are_parted_as_axondeepseg_parts_them(labels: int, cut: float) -> None:
    random = np.random.default_rng(labels)
    depth = ndimage.gaussian_filter(random.random((60, 70)), 3)
    axon, myelin = depth > np.quantile(depth, 1 - cut / 2), depth > np.quantile(depth, 1 - cut)
    drawn = AXON_MYELIN.from_masks(axon, myelin)
    ids = axon_ids(drawn)
    expected = axondeepseg_fibers(ids.astype(np.uint32), drawn == AXON_MYELIN.myelin)
    np.testing.assert_array_equal(fiber_ids(drawn, ids), expected)


@given(seed=st.integers(0, 2**32 - 1))
def test_several_thresholds_are_as_each_alone(seed: int) -> None:
    random = np.random.default_rng(seed)
    found, true = (ndimage.label(random.random((40, 40)) > 0.6)[0] for _ in range(2))
    thresholds = (0.05, 0.2, 0.5, 0.9)
    assert matchings(found, true, thresholds) == tuple(matching(found, true, each) for each in thresholds)
