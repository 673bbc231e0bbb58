import pickle
import resource
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from axonflow.errors import InputError, StoreError
from axonflow.kernel.grid import Box, Grid
from axonflow.kernel.units import PixelSize
from axonflow.ngff import Pyramid

UM = PixelSize(0.1, 0.12)


def noise(shape: tuple[int, int], dtype: str, seed: int = 0) -> NDArray[np.generic]:
    random = np.random.default_rng(seed)
    if dtype == "float32":
        return random.normal(size=shape).astype(np.float32)
    return random.integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


def whole_image_levels(pixels: NDArray[Any], kind: str, count: int) -> list[NDArray[Any]]:
    """All levels of an image that fits in memory."""
    levels = [pixels]
    while len(levels) < count:
        if kind == "labels":
            pixels = pixels[::2, ::2]
        else:
            even = np.pad(pixels, [(0, side % 2) for side in pixels.shape], mode="edge")
            if even.dtype.kind == "f":
                pixels = (even[::2, ::2] + even[1::2, ::2] + (even[::2, 1::2] + even[1::2, 1::2])) / np.float32(4)
            else:
                fine = even.astype(np.int64)
                total = fine[::2, ::2] + fine[1::2, ::2] + fine[::2, 1::2] + fine[1::2, 1::2]
                pixels = ((total + 2) >> 2).astype(pixels.dtype)
        levels.append(pixels)
    return levels


def assert_levels(pyramid: Pyramid, pixels: NDArray[Any]) -> None:
    for level, wanted in enumerate(whole_image_levels(pixels, pyramid.kind, pyramid.count)):
        np.testing.assert_array_equal(pyramid.read(Box.whole(wanted.shape), level), wanted, f"level {level}")


@st.composite
def pyramids(draw: st.DrawFn) -> Pyramid:
    """A pyramid without a place: long and thin, so that many levels cost few pixels."""
    shard = draw(st.sampled_from([64, 96, 128, 1024]))
    long, short = draw(st.integers(1, 2600)), draw(st.integers(1, 200))
    shape = draw(st.sampled_from([(long, short), (short, long)]))
    count = draw(st.sampled_from([0, 0, 1, 5, 7]))
    if draw(st.booleans()):
        dtype = draw(st.sampled_from(["uint8", "uint16", "float32"]))
        return Pyramid(Path("any"), shape, dtype, UM, shard=shard, count=count)
    dtype = draw(st.sampled_from(["uint8", "uint32"]))
    return Pyramid(Path("labels/any"), shape, dtype, UM, shard=shard, kind="labels", count=count)


@st.composite
def partitions(draw: st.DrawFn, grid: Grid) -> list[Box]:
    """Whole cores, gathered into boxes by random cuts, in random order."""

    def cut(y0: int, x0: int, y1: int, x1: int) -> Iterator[Box]:
        rows, columns = y1 - y0, x1 - x0
        if rows + columns > 2 and draw(st.booleans()):
            at = draw(st.integers(1, rows + columns - 2))
            if at < rows:
                yield from (*cut(y0, x0, y0 + at, x1), *cut(y0 + at, x0, y1, x1))
            else:
                at -= rows - 1
                yield from (*cut(y0, x0, y1, x0 + at), *cut(y0, x0 + at, y1, x1))
            return
        (high, wide), whole = grid.core, Box.whole(grid.shape)
        yield Box(y0 * high, x0 * wide, y1 * high, x1 * wide) & whole

    return draw(st.permutations(list(cut(0, 0, *grid.counts))))


@settings(max_examples=40)
@given(pyramids(), st.data())
def test_any_partition_in_any_order_gives_the_levels_of_the_whole_image(pyramid: Pyramid, data: st.DataObject) -> None:
    pixels = noise(pyramid.shape, pyramid.dtype)
    with tempfile.TemporaryDirectory() as folder:
        pyramid = replace(pyramid, path=Path(folder) / "labels" / "any")
        pyramid.create()
        for box in data.draw(partitions(pyramid.round_grid(0))):
            pyramid.write(box, pixels[box.slices])
        for number in pyramid.rounds():
            for box in data.draw(partitions(pyramid.round_grid(number))):
                pyramid.write_round(number, box)
        assert_levels(pyramid, pixels)


@pytest.mark.parametrize(("kind", "dtype"), [("image", "uint16"), ("labels", "uint32")])
def test_neighbours_written_at_the_same_time_keep_every_pixel(kind: str, dtype: str, tmp_path: Path) -> None:
    pixels = noise((900, 700), dtype)
    path = tmp_path / "labels" / "any"
    pyramid = Pyramid(path, (900, 700), dtype, UM, shard=128, kind="image" if kind == "image" else "labels")
    pyramid.create()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda box: pyramid.write(box, pixels[box.slices]), pyramid.round_grid(0)))
        for number in pyramid.rounds():
            list(pool.map(lambda box, number=number: pyramid.write_round(number, box), pyramid.round_grid(number)))
    assert_levels(pyramid, pixels)


@pytest.fixture
def pyramid(tmp_path: Path) -> Pyramid:
    """A slide of two levels, written."""
    pyramid = Pyramid(tmp_path / "slide.ome.zarr", (600, 300), "uint8", UM, (0.05, 0.06), 128)
    pyramid.create()
    pyramid.write(Box.whole(pyramid.shape), noise(pyramid.shape, "uint8"))
    return pyramid


def test_a_box_that_shares_a_shard_is_refused_before_a_pixel_is_written(pyramid: Pyramid) -> None:
    before = pyramid.read(Box.whole(pyramid.shape))
    box = Box(0, 0, 128, 64)
    with pytest.raises(InputError, match=r"whole shards of 128 px inside 600 × 300 px was expected, y \[0, 128\)"):
        pyramid.write(box, np.zeros(box.shape, np.uint8))
    np.testing.assert_array_equal(pyramid.read(Box.whole(pyramid.shape)), before)


@pytest.mark.parametrize("pixels", [np.zeros((128, 127), np.uint8), np.zeros((128, 128), np.uint16)])
def test_pixels_that_do_not_fit_are_refused(pyramid: Pyramid, pixels: NDArray[np.generic]) -> None:
    with pytest.raises(InputError, match=r"\(128, 128\) pixels of uint8 were expected"):
        pyramid.write(Box(0, 0, 128, 128), pixels)


@pytest.mark.parametrize("box", [Box(0, 0, 301, 10), Box(-1, 0, 5, 5), Box(0, 140, 10, 151)], ids=str)
def test_a_box_outside_the_level_is_not_read(pyramid: Pyramid, box: Box) -> None:
    with pytest.raises(InputError, match="was expected at level 1"):
        pyramid.read(box, level=1)


def test_a_part_of_a_level_can_be_read(pyramid: Pyramid) -> None:
    half = whole_image_levels(noise((600, 300), "uint8"), "image", 2)[1]
    np.testing.assert_array_equal(pyramid.read(Box(101, 7, 203, 150), level=1), half[101:203, 7:150])


def test_the_value_is_read_back_from_the_store(pyramid: Pyramid) -> None:
    labels = Pyramid(
        pyramid.path / "labels" / "axons", (90, 3000), "uint64", PixelSize.square(0.1), (1.5, -2.0), 1024, "labels", 7
    )
    labels.create(colours={1: (0, 0, 255, 255)})
    assert Pyramid.open(pyramid.path) == pyramid
    assert Pyramid.open(labels.path) == labels


def test_the_value_can_be_sent_to_another_process(pyramid: Pyramid) -> None:
    pyramid.array(0)
    sent = pickle.dumps(pyramid)
    assert pickle.loads(sent) == pyramid
    assert len(sent) < 1000


def test_arrays_are_stored_in_whole_shards_and_carry_their_axes(tmp_path: Path) -> None:
    pyramid = Pyramid(tmp_path / "slide.ome.zarr", (600, 300), "uint8", UM, shard=2048)
    pyramid.create()
    bottom, top = pyramid.array(0), pyramid.array(1)
    assert (bottom.shape, bottom.chunks, bottom.shards) == ((1, 600, 300), (1, 512, 512), (1, 2048, 2048))
    assert (top.shape, top.chunks, top.shards) == ((1, 300, 150), (1, 512, 512), (1, 1024, 1024))
    assert bottom.metadata.to_dict()["dimension_names"] == ("c", "y", "x")
    files = [file for file in (pyramid.path / "s0").rglob("*") if file.is_file()]
    pyramid.write(Box.whole(pyramid.shape), noise(pyramid.shape, "uint8"))
    assert len([file for file in (pyramid.path / "s0").rglob("*") if file.is_file()]) == len(files) + 1


def test_create_removes_the_old_levels_and_nothing_else(pyramid: Pyramid) -> None:
    labels = Pyramid(pyramid.path / "labels" / "axons", (300, 150), "uint32", UM, shard=128, kind="labels")
    labels.create()
    ids = noise(labels.shape, "uint32")
    labels.write(Box.whole(labels.shape), ids)
    for name in ("tables/fibers.parquet", ".axonflow/journal", "s0.txt", "shots/s1"):
        (pyramid.path / name).parent.mkdir(exist_ok=True)
        (pyramid.path / name).write_text("kept")

    smaller = replace(pyramid, shape=(200, 100), dtype="uint16", count=0)
    smaller.create()

    assert Pyramid.open(pyramid.path) == smaller
    assert not (pyramid.path / "s1").exists()
    with pytest.raises(StoreError, match="its file is gone"):
        smaller.read(Box.whole(smaller.shape))
    np.testing.assert_array_equal(labels.read(Box.whole(labels.shape)), ids)
    for name in ("tables/fibers.parquet", ".axonflow/journal", "s0.txt", "shots/s1"):
        assert (pyramid.path / name).read_text() == "kept"


def test_a_value_of_an_older_store_is_refused(pyramid: Pyramid) -> None:
    pyramid.array(0)
    replace(pyramid, shape=(599, 300)).create()
    with pytest.raises(StoreError, match=r"shape \(1, 600, 300\), uint8, .* was expected"):
        pyramid.read(Box(0, 0, 1, 1))


def test_the_labels_of_a_slide_are_listed(pyramid: Pyramid) -> None:
    for name in ("semantic", "axons", "semantic"):
        Pyramid(pyramid.path / "labels" / name, (10, 10), "uint8", UM, kind="labels").create()
    index = zarr.open_group(pyramid.path / "labels", mode="r").attrs.asdict()
    assert index == {"ome": {"version": "0.5", "labels": ["axons", "semantic"]}}


def test_a_store_that_is_none_is_refused(pyramid: Pyramid, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    zarr.create_group(tmp_path / "bare", zarr_format=3)
    zarr.create_group(tmp_path / "odd", zarr_format=3, attributes={"ome": {"multiscales": [{"datasets": []}]}})
    for name in ("missing", "empty", "bare", "odd", "slide.ome.zarr/s0"):
        with pytest.raises(StoreError, match="was expected at"):
            Pyramid.open(tmp_path / name)


def test_a_store_with_a_missing_level_is_refused(pyramid: Pyramid) -> None:
    (pyramid.path / "s1" / "zarr.json").unlink()
    fresh = replace(pyramid, path=pyramid.path.parent / "moved.ome.zarr")
    pyramid.path.rename(fresh.path)
    with pytest.raises(StoreError, match="convert the slide again"):
        Pyramid.open(fresh.path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dtype": "int16"}, "uint8, uint16, float32 were expected"),
        ({"dtype": "uint32"}, "uint8, uint16, float32 were expected"),
        ({"dtype": "float32", "kind": "labels"}, "uint8, uint16, uint32, uint64 were expected"),
        ({"kind": "labels"}, "STORE/labels/NAME"),
        ({"shard": 63}, "even side"),
        ({"shape": (0, 5)}, "at least 1 × 1 px"),
    ],
)
def test_what_cannot_be_stored_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        replace(Pyramid(Path("slide.ome.zarr"), (5, 5), "uint8", UM, shard=64), **change)


def test_labels_have_no_window(tmp_path: Path) -> None:
    labels = Pyramid(tmp_path / "labels" / "axons", (5, 5), "uint8", UM, kind="labels")
    with pytest.raises(InputError, match="no window of grey values"):
        labels.set_window(0, 1)


def test_the_window_is_rewritten_and_all_else_stays(pyramid: Pyramid) -> None:
    before = zarr.open_group(pyramid.path, mode="r").attrs.asdict()
    pyramid.set_window(10, 90)
    after: Any = zarr.open_group(pyramid.path, mode="r").attrs.asdict()
    assert after != before
    window = after["ome"]["omero"]["channels"][0]["window"]
    assert window == {"min": 0, "max": 255, "start": 10, "end": 90}
    window.update(start=0, end=255)
    assert after == before


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Make the system refuse to write larger files, as it does on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_what_the_file_system_says_is_heard_and_the_old_shard_stays_whole(pyramid: Pyramid) -> None:
    before = pyramid.read(Box.whole(pyramid.shape))
    with largest_file(5000), pytest.raises(OSError, match="File too large"):
        pyramid.write(Box.whole(pyramid.shape), noise(pyramid.shape, "uint8", seed=1))
    np.testing.assert_array_equal(pyramid.read(Box.whole(pyramid.shape)), before)
    assert not list(pyramid.path.rglob("*.partial"))
