"""A phantom is the same however it is drawn, and its truth is what was drawn."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from axonflow.errors import InputError
from axonflow.kernel.grid import Box
from axonflow.phantom import Phantom, write

EIGHT = np.ones((3, 3))


@settings(max_examples=40)
@given(st.tuples(st.integers(1, 400), st.integers(1, 400)), st.integers(0, 5), st.data())
def test_any_box_is_that_part_of_the_whole(shape: tuple[int, int], seed: int, data: st.DataObject) -> None:
    phantom, whole = Phantom(shape, seed), Box.whole(shape)
    y0, x0 = (data.draw(st.integers(0, side - 1)) for side in shape)
    y1, x1 = data.draw(st.integers(y0 + 1, shape[0])), data.draw(st.integers(x0 + 1, shape[1]))
    box = Box(y0, x0, y1, x1)
    np.testing.assert_array_equal(phantom.classes(box), phantom.classes(whole)[box.slices])
    np.testing.assert_array_equal(phantom.image(box), phantom.image(whole)[box.slices])


@pytest.mark.parametrize(
    "phantom",
    [
        Phantom((1, 1)),
        Phantom((7, 300), 1),
        Phantom((700, 900), 2),
        Phantom((611, 1203), 3),
        Phantom((1500, 1500), 4, largest_um=90.0),
    ],
    ids=str,
)
def test_truth_is_that_of_the_whole_image(phantom: Phantom) -> None:
    truth, classes = phantom.truth(), phantom.classes(Box.whole(phantom.shape))
    labels, n = ndimage.label(classes == 2, EIGHT)
    assert len(truth) == n
    index = np.arange(1, n + 1)
    np.testing.assert_array_equal(truth["axon_px"], np.bincount(labels.ravel(), minlength=n + 1)[1:])
    for name, grid in zip(("y0 (px)", "x0 (px)"), np.indices(phantom.shape), strict=True):
        if n:
            np.testing.assert_allclose(truth[name], ndimage.mean(grid, labels, index), rtol=1e-12)
    for row, box in zip(truth.itertuples(), ndimage.find_objects(labels), strict=True):
        assert (row.min_y, row.min_x, row.max_y, row.max_x) == (
            box[0].start, box[1].start, box[0].stop, box[1].stop,
        )  # fmt: skip
    fibers, _ = ndimage.label(classes > 0, EIGHT)
    if n:
        owner = np.asarray(ndimage.maximum(fibers, labels, index), int)
        assert len(set(owner)) == n  # no two fibers touch
        np.testing.assert_array_equal(truth["fiber_px"], np.bincount(fibers.ravel())[owner])


def test_some_axons_are_larger_than_a_chunk() -> None:
    truth = Phantom((3000, 3000), 1, largest_um=90.0).truth()
    assert (truth["max_y"] - truth["min_y"]).max() > 512


@pytest.mark.parametrize("chunk", [64, 256, 512, 1000, 1024, 4096])
def test_axons_cross_every_grid_of_chunks(chunk: int) -> None:
    truth = Phantom((600, 4 * chunk), 1).truth()
    assert ((truth["max_x"] - 1) // chunk > truth["min_x"] // chunk).any()


def test_axons_are_cut_by_every_side() -> None:
    truth = Phantom((1000, 1000), 1).truth()
    for side, end in (("min_y", 0), ("min_x", 0), ("max_y", 1000), ("max_x", 1000)):
        assert (truth[side] == end).any()


def test_it_is_as_tissue_is() -> None:
    phantom = Phantom((3000, 3000))
    classes, truth = phantom.classes(Box.whole(phantom.shape)), phantom.truth()
    diameter = np.sqrt(4 * truth["axon_px"] / np.pi) * 0.1
    assert 0.18 < np.mean(classes == 2) < 0.35
    assert 0.25 < np.mean(classes == 1) < 0.40
    assert 28e3 < len(truth) / (0.3**2) < 104e3
    assert 1.4 < diameter.mean() < 3.0
    gratio = np.sqrt(truth["axon_px"] / truth["fiber_px"])
    assert 0.55 < gratio.mean() < 0.72
    image = phantom.image(Box.whole(phantom.shape))
    grey = [image[classes == k].mean() for k in range(3)]
    assert grey[1] > grey[0] + 40 > grey[2] + 60


def test_it_is_the_same_everywhere() -> None:
    drawn = Phantom((64, 80), 7).image(Box(0, 0, 64, 80))
    assert hashlib.sha256(drawn.tobytes()).hexdigest()[:16] == "f4cd2891e2cd4b10"


def test_files(tmp_path: Path) -> None:
    phantom, ticks = Phantom((700, 1100), 2), []
    write(tmp_path / "p.tif", phantom, tmp_path / "truth", progress=lambda *at: ticks.append(at))
    whole = Box.whole(phantom.shape)
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "p.tif"), phantom.image(whole))
    classes = phantom.classes(whole)
    labels = tifffile.imread(tmp_path / "truth" / "labels.tif")
    np.testing.assert_array_equal(labels, np.array([0, 127, 255])[classes])
    axons = pd.read_parquet(tmp_path / "truth" / "axons.parquet")
    pd.testing.assert_frame_equal(axons, phantom.truth())
    with xr.open_dataset(tmp_path / "truth" / "maps.nc") as maps:
        assert maps.sizes == {"y": 2, "x": 3}
        assert int(maps["axon_count"].sum()) == len(axons)
        for name, k in (("myelin_px", 1), ("axon_px", 2)):
            assert int(maps[name][1, 0]) == np.count_nonzero(classes[500:, :500] == k)
    assert ticks == [(i, 4) for i in range(1, 5)]


def test_refusals(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="1 × 1"):
        Phantom((0, 5))
    with pytest.raises(InputError, match="larger than"):
        Phantom((5, 5), largest_um=1.0)
    with pytest.raises(InputError, match="can be written"):
        write(tmp_path / "no" / "p.tif", Phantom((5, 5)))
