"""OME-Zarr that others wrote: both editions, every arrangement of axes a slide can have, and what is refused."""

from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from axonflow.errors import SlideError
from axonflow.kernel.grid import Box
from axonflow.slide import open_slide

Edition = Literal["0.4", "0.5"]
EDITIONS: tuple[Edition, ...] = ("0.4", "0.5")
RANDOM = np.random.default_rng(13)
PIXELS = RANDOM.integers(0, 2**16, (70, 90), np.uint16)
COLOUR = RANDOM.integers(0, 256, (70, 90, 3), np.uint8)


def write(
    folder: Path,
    pixels: NDArray[Any],
    axes: str = "yx",
    edition: Edition = "0.5",
    *,
    unit: str | None = "micrometer",
    scale: tuple[float, float] = (0.2, 0.1),
    whole_scale: list[float] | None = None,
    shards: tuple[int, ...] | None = None,
    version: str | None = None,
) -> Path:
    """Write an image of two levels."""
    group = zarr.create_group(str(folder), zarr_format=2 if edition == "0.4" else 3, overwrite=True)
    chunks = (*(1,) * (pixels.ndim - 2), 32, 16)
    for name, level in (("fine", pixels), ("coarse", pixels[..., ::2, ::2])):
        options: dict[str, Any] = {"shards": shards} if shards else {}
        array = group.create_array(name, shape=level.shape, dtype=level.dtype, chunks=chunks, **options)
        array[...] = level
    kinds = {"t": "time", "c": "channel"}
    listed = [{"name": axis, "type": kinds.get(axis, "space")} for axis in axes]
    for axis in listed[-2:]:
        axis.update({"unit": unit} if unit else {})
    ones = [1.0] * (len(axes) - 2)
    datasets = [
        {
            "path": name,
            "coordinateTransformations": [{"type": "scale", "scale": [*ones, *(side * by for side in scale)]}],
        }
        for name, by in (("fine", 1), ("coarse", 2))
    ]
    multiscale: dict[str, Any] = {"axes": listed, "datasets": datasets, "name": "cord"}
    if whole_scale:
        multiscale["coordinateTransformations"] = [{"type": "scale", "scale": whole_scale}]
    version = version or edition
    if edition == "0.4":
        group.attrs["multiscales"] = [{**multiscale, "version": version}]
    else:
        group.attrs["ome"] = {"version": version, "multiscales": [multiscale]}
    return folder


@pytest.mark.parametrize("edition", EDITIONS)
@pytest.mark.parametrize("axes", ["yx", "cyx", "zyx", "czyx", "tczyx"])
def test_any_arrangement_of_axes(tmp_path: Path, axes: str, edition: Edition) -> None:
    path = write(tmp_path / "slide.ome.zarr", PIXELS.reshape((1,) * (len(axes) - 2) + PIXELS.shape), axes, edition)
    slide = pickle.loads(pickle.dumps(open_slide(path)))
    assert slide.format == f"OME-Zarr {edition}"
    assert slide.shape == PIXELS.shape
    assert slide.grain == (32, 16)
    assert slide.dtype == np.uint16
    assert slide.series_found == ("0: cord",)
    assert slide.pixel_size is not None
    assert (slide.pixel_size.y, slide.pixel_size.x) == (0.2, 0.1)
    assert slide.pixel_size_source == "OME-Zarr metadata"
    np.testing.assert_array_equal(slide.read(Box(3, 5, 66, 90)), PIXELS[3:66, 5:90])


@pytest.mark.parametrize("edition", EDITIONS)
@pytest.mark.parametrize("axes", ["cyx", "czyx", "tczyx"])
def test_three_channels_are_colours(tmp_path: Path, axes: str, edition: Edition) -> None:
    pixels = np.moveaxis(COLOUR, -1, 0).reshape([{"c": 3, "y": 70, "x": 90}.get(axis, 1) for axis in axes])
    slide = open_slide(write(tmp_path / "slide.zarr", pixels, axes, edition))
    assert slide.channels == "RGB"
    expected = np.asarray(Image.fromarray(COLOUR).convert("L"))
    np.testing.assert_array_equal(slide.read(Box.whole(slide.shape)), expected)


@pytest.fixture(scope="module")
def sharded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("sharded") / "slide.zarr", PIXELS[None], "cyx", shards=(1, 64, 64))


@given(
    rows=st.lists(st.integers(0, 70), min_size=2, max_size=2, unique=True).map(sorted),
    columns=st.lists(st.integers(0, 90), min_size=2, max_size=2, unique=True).map(sorted),
)
@settings(max_examples=40)
def test_any_box_of_a_sharded_array(sharded: Path, rows: list[int], columns: list[int]) -> None:
    slide = open_slide(sharded)
    assert slide.grain == (32, 16)
    box = Box(rows[0], columns[0], rows[1], columns[1])
    np.testing.assert_array_equal(slide.read(box), PIXELS[box.slices])


@pytest.mark.parametrize("dtype", [">u2", "|b1", "<f2", ">f4", "<f8", "|u1"])
def test_numbers(tmp_path: Path, dtype: str) -> None:
    pixels = (PIXELS >> 8).astype(dtype)
    slide = open_slide(write(tmp_path / "slide.zarr", pixels, edition="0.4"))
    kind = {"u": np.dtype(dtype).newbyteorder("="), "b": np.uint8, "f": np.float32}[np.dtype(dtype).kind]
    read = slide.read(Box.whole(slide.shape))
    assert read.dtype == slide.dtype == kind
    np.testing.assert_array_equal(read, pixels * np.uint8(255) if dtype == "|b1" else pixels)


@pytest.mark.parametrize(
    ("unit", "um"), [("nanometer", 1e-3), ("micrometer", 1.0), ("millimeter", 1e3), ("angstrom", 1e-4)]
)
def test_units(tmp_path: Path, unit: str, um: float) -> None:
    slide = open_slide(write(tmp_path / "slide.zarr", PIXELS, unit=unit, scale=(0.5 / um, 0.25 / um)))
    assert slide.pixel_size is not None
    assert [slide.pixel_size.y, slide.pixel_size.x] == pytest.approx([0.5, 0.25])


def test_the_scale_of_all_levels_counts_too(tmp_path: Path) -> None:
    slide = open_slide(write(tmp_path / "slide.zarr", PIXELS, scale=(1.0, 1.0), whole_scale=[0.3, 0.4]))
    assert slide.pixel_size is not None
    assert (slide.pixel_size.y, slide.pixel_size.x) == (0.3, 0.4)


def test_no_unit_no_pixel_size(tmp_path: Path) -> None:
    slide = open_slide(write(tmp_path / "slide.zarr", PIXELS, unit=None))
    assert slide.pixel_size is None
    assert slide.pixel_size_source == "unknown"


@pytest.mark.parametrize(
    ("axes", "shape"), [("cyx", (2, 9, 9)), ("cyx", (4, 9, 9)), ("zyx", (3, 9, 9)), ("tyx", (2, 9, 9))]
)
def test_several_planes(tmp_path: Path, axes: str, shape: tuple[int, ...]) -> None:
    path = write(tmp_path / "slide.zarr", np.zeros(shape, np.uint8), axes)
    with pytest.raises(SlideError, match=f"{shape[0]} (channels|planes along {axes[0]})"):
        open_slide(path)


@pytest.mark.parametrize("axes", ["xy", "qyx", "yxc"])
def test_other_axes(tmp_path: Path, axes: str) -> None:
    path = write(tmp_path / "slide.zarr", np.zeros((3,) * len(axes), np.uint8), axes)
    with pytest.raises(SlideError, match=f"axes {axes}"):
        open_slide(path)


@pytest.mark.parametrize("dtype", [np.int32, np.uint32, np.int16])
def test_other_numbers(tmp_path: Path, dtype: type[np.generic]) -> None:
    with pytest.raises(SlideError, match=np.dtype(dtype).name):
        open_slide(write(tmp_path / "slide.zarr", PIXELS.astype(dtype)))


def test_other_editions(tmp_path: Path) -> None:
    with pytest.raises(SlideError, match=r"OME-Zarr 0\.6"):
        open_slide(write(tmp_path / "slide.zarr", PIXELS, version="0.6"))


@pytest.mark.parametrize("edition", EDITIONS)
@pytest.mark.parametrize("listed", [True, False])
def test_bioformats2raw(tmp_path: Path, edition: Edition, listed: bool) -> None:
    path = tmp_path / "slide.zarr"
    layout = {"bioformats2raw.layout": 3}
    names = ["0", "1"]
    root = zarr.create_group(str(path), zarr_format=2 if edition == "0.4" else 3)
    root.attrs.update(layout if edition == "0.4" else {"ome": {"version": "0.5", **layout}})
    for number, name in enumerate(names):
        write(path / name, PIXELS + np.uint16(number), edition=edition)
    if listed:
        attributes: dict[str, Any] = {"series": names}
        group = zarr.create_group(str(path / "OME"), zarr_format=2 if edition == "0.4" else 3)
        group.attrs.update(attributes if edition == "0.4" else {"ome": {"version": "0.5", **attributes}})
    with pytest.raises(SlideError, match="holds 2 images"):
        open_slide(path)
    slide = open_slide(path, series=1)
    np.testing.assert_array_equal(slide.read(Box.whole(slide.shape)), PIXELS + np.uint16(1))
    shutil.rmtree(path / "1")
    if not listed:
        assert open_slide(path).shape == PIXELS.shape


def test_folders_that_are_no_image(tmp_path: Path) -> None:
    with pytest.raises(SlideError, match="no multiscales metadata"):
        open_slide(tmp_path)
    zarr.create_array(str(tmp_path / "array"), shape=(4, 4), dtype="u1")
    with pytest.raises(SlideError, match="no multiscales metadata"):
        open_slide(tmp_path / "array")
    group = zarr.create_group(str(tmp_path / "plate"), zarr_format=3)
    group.attrs["ome"] = {"version": "0.5", "plate": {}}
    with pytest.raises(SlideError, match="plate"):
        open_slide(tmp_path / "plate")


@pytest.mark.parametrize("edition", EDITIONS)
def test_metadata_that_makes_no_sense(tmp_path: Path, edition: Edition) -> None:
    path = write(tmp_path / "slide.zarr", PIXELS, edition=edition)
    file = path / ("zarr.json" if edition == "0.5" else ".zattrs")
    sound = file.read_text()
    for spoilt in ("{", "[]", sound.replace('"fine"', '"gone"'), sound.replace('"axes"', '"exes"')):
        file.write_text(spoilt)
        with pytest.raises(SlideError, match=r"slide\.zarr"):
            open_slide(path)


@pytest.mark.parametrize("edition", EDITIONS)
def test_a_damaged_chunk_names_its_box(tmp_path: Path, edition: Edition) -> None:
    path = write(tmp_path / "slide.zarr", PIXELS, edition=edition)
    chunk = path / "fine" / ("c/1/1" if edition == "0.5" else "1.1")
    slide = open_slide(path)
    chunk.write_bytes(b"nonsense")
    np.testing.assert_array_equal(slide.read(Box(0, 0, 32, 90)), PIXELS[:32])
    with pytest.raises(SlideError, match=r"y \[30, 40\) × x \[10, 20\)"):
        slide.read(Box(30, 10, 40, 20))


@pytest.mark.parametrize("edition", EDITIONS)
def test_identity_is_of_the_content(tmp_path: Path, edition: Edition) -> None:
    path = write(tmp_path / "slide.zarr", PIXELS, edition=edition)
    before = open_slide(path).identity
    shutil.copytree(path, tmp_path / "copy.zarr")
    assert open_slide(tmp_path / "copy.zarr").identity == before
    array = zarr.open_array(str(path / "fine"), mode="r+")
    array[69, 89] = int(PIXELS[69, 89]) ^ 1
    assert open_slide(path).identity != before


def test_identity_changes_with_the_scale_but_not_with_labels(tmp_path: Path) -> None:
    path = write(tmp_path / "slide.zarr", PIXELS)
    before = open_slide(path).identity
    zarr.open_group(str(path), mode="r+").create_group("labels")
    file = path / "zarr.json"
    document = json.loads(file.read_text())
    document["attributes"]["note"] = "seen"
    file.write_text(json.dumps(document))
    assert open_slide(path).identity == before
    assert open_slide(write(path, PIXELS, scale=(0.3, 0.3))).identity != before
