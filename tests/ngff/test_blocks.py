"""Sums over blocks are kept as they were given, whole shards at a time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from axonflow.errors import InputError, StoreError
from axonflow.kernel.grid import Box, Grid
from axonflow.ngff import Blocks

NAMES = ("a", "b")


@settings(max_examples=20)
@given(st.data())
def test_what_is_written_core_by_core_is_read_in_any_box(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    shape = data.draw(st.tuples(st.integers(1, 200), st.integers(1, 200)))
    blocks = Blocks(tmp_path_factory.mktemp("blocks") / "traits", shape, NAMES, 16, 64)
    h, w = (-(-side // 16) for side in shape)
    sums = np.random.default_rng(0).integers(0, 2**32, (2, h, w), np.uint32)
    blocks.create()
    for box in data.draw(st.permutations(list(Grid(shape, (64, 128))))):
        blocks.write(box, sums[(slice(None), *box.coarser(16).slices)])
    assert Blocks.open(blocks.path) == blocks
    np.testing.assert_array_equal(blocks.read(Box.whole(shape)), sums)
    y, x = data.draw(st.tuples(st.integers(0, h - 1), st.integers(0, w - 1)))
    np.testing.assert_array_equal(blocks.read(Box(16 * y, 16 * x, *shape)), sums[:, y:, x:])


def test_it_says_what_it_holds(tmp_path: Path) -> None:
    Blocks(tmp_path / "traits", (100, 130), NAMES, 16, 64).create()
    array = zarr.open_array(tmp_path / "traits", mode="r")
    assert dict(array.attrs) == {"sums": ["a", "b"], "block_px": 16, "image_shape_px": [100, 130]}
    assert (array.shape, array.dtype, array.chunks) == ((2, 7, 9), np.dtype("uint32"), (2, 4, 4))
    assert array.metadata.dimension_names == ("sum", "y", "x")  # type: ignore[union-attr]  # of Zarr 3


def test_creating_removes_what_was_there(tmp_path: Path) -> None:
    blocks = Blocks(tmp_path / "traits", (64, 64), NAMES, 16, 64)
    blocks.create()
    blocks.write(Box(0, 0, 64, 64), np.ones((2, 4, 4), np.uint32))
    blocks.create()
    assert not blocks.read(Box(0, 0, 64, 64)).any()


def test_a_chunk_that_a_power_cut_left_half_written_is_written_anew(tmp_path: Path) -> None:
    blocks = Blocks(tmp_path / "traits", (100, 64), NAMES, 16, 64)
    blocks.create()
    box = Box(64, 0, 100, 64)  # at the edge, where a chunk is larger than what is written
    (tmp_path / "traits" / "c" / "0" / "1").mkdir(parents=True)
    (tmp_path / "traits" / "c" / "0" / "1" / "0").write_bytes(b"half")
    blocks.write(box, np.ones((2, 3, 4), np.uint32))
    assert blocks.read(box).all()


@pytest.mark.parametrize("box", [Box(0, 0, 64, 32), Box(16, 0, 80, 64), Box(0, 0, 64, 200)])
def test_a_box_that_does_not_own_its_shards_is_refused(tmp_path: Path, box: Box) -> None:
    blocks = Blocks(tmp_path / "traits", (128, 128), NAMES, 16, 64)
    blocks.create()
    with pytest.raises(InputError, match="whole shards"):
        blocks.write(box, np.ones((2, *box.coarser(16).shape), np.uint32))


def test_other_arrays_are_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="segment the slide again"):
        Blocks.open(tmp_path / "none")
    zarr.create_array(tmp_path / "other", shape=(2, 8, 8), chunks=(2, 4, 4), dtype="uint32", zarr_format=3)
    with pytest.raises(StoreError, match="KeyError"):
        Blocks.open(tmp_path / "other")
    Blocks(tmp_path / "traits", (100, 130), NAMES, 16, 64).create()
    with pytest.raises(StoreError, match=r"in chunks of .* came"):
        Blocks(tmp_path / "traits", (100, 130), NAMES, 16, 128).array()
