"""OME-Zarr that others wrote: both editions, every arrangement of axes a slide can have, and what is refused."""

from __future__ import annotations

import json
import os
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


def name_channels(path: Path, edition: Edition, labels: list[str], colours: list[str]) -> None:
    group = zarr.open_group(str(path), mode="a")
    channels = [{"label": label, "color": colour} for label, colour in zip(labels, colours, strict=True)]
    if edition == "0.4":
        group.attrs["omero"] = {"channels": [*channels]}
    else:
        ome: Any = group.attrs["ome"]
        group.attrs["ome"] = {**ome, "omero": {"channels": channels}}


RGB = ["FF0000", "00FF00", "0000FF"]


@pytest.mark.parametrize("edition", EDITIONS)
@pytest.mark.parametrize(
    ("labels", "colours"),
    [
        (["DAPI", "MBP", "NF200"], ["0000FF", "00FF00", "FF0000"]),
        (["DAPI", "MBP", "NF200"], RGB),
        (["0", "1", "2"], ["FFFFFF"] * 3),
        (["", "", ""], ["0000FF", "00FF00", "FF0000"]),
    ],
)
def test_dyes_are_not_mixed(tmp_path: Path, edition: Edition, labels: list[str], colours: list[str]) -> None:
    pixels = np.moveaxis(COLOUR, -1, 0)
    path = write(tmp_path / "slide.zarr", pixels[None, :, None], "tczyx", edition)
    name_channels(path, edition, labels, colours)
    with pytest.raises(SlideError, match="--channel N") as caught:
        open_slide(path)
    assert all(f"{number}: {label or 'unnamed'}" in str(caught.value) for number, label in enumerate(labels))
    identities = set()
    for number in range(3):
        slide = open_slide(path, channel=number)
        np.testing.assert_array_equal(slide.read(Box.whole(slide.shape)), pixels[number])
        assert labels[number] in slide.series
        identities.add(slide.identity)
    assert len(identities) == 3
    for number in (3, -1):
        with pytest.raises(SlideError, match="has 3 channels"):
            open_slide(path, channel=number)


@pytest.mark.parametrize("edition", EDITIONS)
@pytest.mark.parametrize("labels", [["R", "G", "B"], ["red", "Green", "BLUE"], ["0", "1", "2"], ["Channel 0"] * 3])
def test_red_green_and_blue_are_mixed(tmp_path: Path, edition: Edition, labels: list[str]) -> None:
    path = write(tmp_path / "slide.zarr", np.moveaxis(COLOUR, -1, 0), "cyx", edition)
    plain = open_slide(path)
    name_channels(path, edition, labels, RGB)
    slide = open_slide(path)
    expected = np.asarray(Image.fromarray(COLOUR).convert("L"))
    for each in (plain, slide):
        assert each.channels == "RGB"
        np.testing.assert_array_equal(each.read(Box.whole(each.shape)), expected)
    green = open_slide(path, channel=1)
    np.testing.assert_array_equal(green.read(Box.whole(green.shape)), COLOUR[..., 1])


def test_other_formats_have_no_channels_to_choose(tmp_path: Path) -> None:
    Image.fromarray(COLOUR).save(tmp_path / "a.png")
    Image.fromarray(COLOUR).save(tmp_path / "a.tif")
    for name in ("a.png", "a.tif"):
        with pytest.raises(SlideError, match="--series N"):
            open_slide(tmp_path / name, channel=1)


@pytest.mark.parametrize("edition", EDITIONS)
@pytest.mark.parametrize("kind", ["link", "pipe", "folder", "linked folder"])
@pytest.mark.parametrize("sampled", [True, False])
def test_what_is_no_file_of_pixels_is_refused(
    tmp_path: Path, edition: Edition, kind: str, sampled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the slide is opened if the chunk is among its samples, else when it is read; nothing waits for a pipe."""
    path = write(tmp_path / "slide.zarr", PIXELS, edition=edition)
    chunk = path / "fine" / ("1.1" if edition == "0.4" else "c/1/1")
    if kind == "linked folder":
        if edition == "0.4":
            pytest.skip("its chunks lie in no folder")
        chunk = chunk.parent
    kept = chunk.rename(tmp_path / "kept")
    if kind.startswith("link"):
        chunk.symlink_to(kept)
    elif kind == "pipe":
        os.mkfifo(chunk)
    else:
        chunk.mkdir()
    if not sampled:
        monkeypatch.setattr("axonflow.slide.ome_zarr._SAMPLED_CHUNKS", 2)
    said = f"a {kind.split()[0].removesuffix('ed')} is there"
    if sampled:
        with pytest.raises(SlideError, match=said):
            open_slide(path)
        return
    slide = open_slide(path)
    np.testing.assert_array_equal(slide.read(Box(0, 0, 32, 90)), PIXELS[:32])
    with pytest.raises(SlideError, match=said):
        slide.read(Box.whole(slide.shape))


@pytest.mark.parametrize("edition", EDITIONS)
@pytest.mark.parametrize("way", ["above", "absolute", "link"])
def test_a_level_outside_of_the_store_is_refused(tmp_path: Path, edition: Edition, way: str) -> None:
    path, other = (write(tmp_path / name, PIXELS, edition=edition) for name in ("slide.zarr", "other.zarr"))
    named = {"above": "../other.zarr/fine", "absolute": str(other / "fine"), "link": "elsewhere"}[way]
    (path / "elsewhere").symlink_to(other / "fine")
    metadata = path / (".zattrs" if edition == "0.4" else "zarr.json")
    metadata.write_text(metadata.read_text().replace('"fine"', json.dumps(named)))
    with pytest.raises(SlideError, match="lies elsewhere"):
        open_slide(path)


@pytest.mark.parametrize("axes", ["xy", "qyx", "yxc"])
def test_other_axes(tmp_path: Path, axes: str) -> None:
    path = write(tmp_path / "slide.zarr", np.zeros((3,) * len(axes), np.uint8), axes)
    with pytest.raises(SlideError, match=f"axes {axes}"):
        open_slide(path)


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int32, np.uint32])
def test_integers_of_every_range(tmp_path: Path, dtype: type[np.integer[Any]]) -> None:
    pixels = np.linspace(np.iinfo(dtype).min, np.iinfo(dtype).max, PIXELS.size).astype(dtype).reshape(PIXELS.shape)
    slide = open_slide(write(tmp_path / "slide.zarr", pixels))
    np.testing.assert_array_equal(slide.read(Box.whole(slide.shape)), pixels.astype(np.float32))


@pytest.mark.parametrize("dtype", [np.int64, np.uint64])
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
    with pytest.raises(SlideError, match=r"row 1, column 1 of level 0 \(y \[32, 64\) × x \[16, 32\)"):
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
