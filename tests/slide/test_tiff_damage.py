"""A damaged or unreadable TIFF is refused with one message, before any pixel is read where its directory shows it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from axonflow.errors import SlideError
from axonflow.kernel.grid import Box
from axonflow.slide import open_slide

PIXELS = np.random.default_rng(5).integers(0, 2**16, (100, 120), np.uint16)
LAYOUTS: list[dict[str, Any]] = [
    {},
    {"rowsperstrip": 10},
    {"rowsperstrip": 10, "compression": "zlib"},
    {"tile": (32, 32)},
    {"tile": (32, 32), "compression": "zlib"},
    {"compression": "zlib"},
    {"bigtiff": True, "tile": (16, 16)},
]


@pytest.mark.parametrize("options", LAYOUTS)
@pytest.mark.parametrize("kept", [0.95, 0.6])
def test_truncated(tmp_path: Path, options: dict[str, Any], kept: float) -> None:
    path = tmp_path / "slide.tif"
    tifffile.imwrite(path, PIXELS, **options)
    data = path.read_bytes()
    path.write_bytes(data[: int(kept * len(data))])
    with pytest.raises(SlideError, match=r"truncated: it has \d+ bytes"):
        open_slide(path)


@given(kept=st.integers(0, 2000), options=st.sampled_from(LAYOUTS))
@settings(max_examples=100)
def test_truncated_in_its_header(tmp_path_factory: pytest.TempPathFactory, kept: int, options: dict[str, Any]) -> None:
    path = tmp_path_factory.mktemp("cut") / "slide.tif"
    tifffile.imwrite(path, PIXELS, **options)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(SlideError, match="slide"):
        open_slide(path)


@given(at=st.integers(8, 400), value=st.integers(0, 255))
@settings(max_examples=200)
def test_no_other_error_whatever_byte_is_wrong(tmp_path_factory: pytest.TempPathFactory, at: int, value: int) -> None:
    path = tmp_path_factory.mktemp("spoilt") / "slide.tif"
    tifffile.imwrite(path, PIXELS, tile=(32, 32), compression="zlib", resolution=(3, 3))
    data = bytearray(path.read_bytes())
    data[at] = value
    path.write_bytes(data)
    try:
        slide = open_slide(path)
        slide.read(Box.whole(slide.shape) & Box(0, 0, 100, 100))
    except SlideError:
        pass


@pytest.mark.parametrize("tag", ["TileByteCounts", "TileOffsets"])
def test_missing_tiles(tmp_path: Path, tag: str) -> None:
    path = tmp_path / "slide.tif"
    tifffile.imwrite(path, PIXELS, tile=(32, 32), compression="zlib")
    with tifffile.TiffFile(path, mode="r+") as tiff:
        found = tiff.pages.first.tags[tag]
        found.overwrite([0, 0, *found.value[2:]])
    with pytest.raises(SlideError, match=r"2 of the 16 tiles of .* are missing"):
        open_slide(path)


def test_a_damaged_tile_names_its_box(tmp_path: Path) -> None:
    path = tmp_path / "slide.tif"
    tifffile.imwrite(path, PIXELS, tile=(32, 32), compression="zlib")
    with tifffile.TiffFile(path) as tiff:
        offset = tiff.pages.first.dataoffsets[5]
    with path.open("r+b") as stream:
        stream.seek(offset)
        stream.write(b"nonsense")
    slide = open_slide(path)
    np.testing.assert_array_equal(slide.read(Box(0, 0, 32, 120)), PIXELS[:32])
    with pytest.raises(SlideError, match=r"row 1, column 1 of level 0 \(y \[32, 64\) × x \[32, 64\)") as caught:
        slide.read(Box(30, 30, 40, 60))
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("options", [{}, {"tile": (32, 32), "compression": "zlib"}])
def test_a_file_that_went_away(tmp_path: Path, options: dict[str, Any]) -> None:
    path = tmp_path / "slide.tif"
    tifffile.imwrite(path, PIXELS, **options)
    slide = open_slide(path)
    path.unlink()
    with pytest.raises(SlideError, match=r"y \[0, 9\)"):
        slide.read(Box(0, 0, 9, 9))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_pixels_that_are_no_numbers(tmp_path: Path, value: float, dtype: type[np.floating[Any]]) -> None:
    path = tmp_path / "slide.tif"
    pixels = np.zeros((40, 40), dtype)
    pixels[10, 10:13] = value
    tifffile.imwrite(path, pixels)
    slide = open_slide(path)
    assert (slide.read(Box(0, 0, 10, 40)) == 0).all()
    with pytest.raises(SlideError, match=r"3 of the 400 in the box y \[5, 15\)"):
        slide.read(Box(5, 0, 15, 40))


def test_a_float64_beyond_float32(tmp_path: Path) -> None:
    path = tmp_path / "slide.tif"
    tifffile.imwrite(path, np.full((4, 4), 1e300))
    with pytest.raises(SlideError, match="16 of the 16"):
        open_slide(path).read(Box(0, 0, 4, 4))


@pytest.mark.parametrize("dtype", [np.int64, np.uint64, np.complex64])
@pytest.mark.parametrize("options", [{}, {"tile": (16, 16), "compression": "zlib"}])
def test_other_numbers(tmp_path: Path, dtype: type[np.generic], options: dict[str, Any]) -> None:
    path = tmp_path / "slide.tif"
    tifffile.imwrite(path, np.zeros((20, 20), dtype), **options)
    with pytest.raises(SlideError, match=np.dtype(dtype).name) as caught:
        open_slide(path)
    assert str(path) in str(caught.value)


def overwrite(path: Path, name: str, value: int) -> None:
    with tifffile.TiffFile(path, mode="r+") as tiff:
        tiff.pages.first.tags[name].overwrite(value)


@pytest.mark.parametrize("side", ["ImageWidth", "ImageLength"])
def test_no_pixels(tmp_path: Path, side: str) -> None:
    path = tmp_path / "slide.tif"
    tifffile.imwrite(path, PIXELS, metadata=None)
    overwrite(path, side, 0)
    with pytest.raises(SlideError):
        open_slide(path)


@pytest.mark.parametrize("scheme", [9999, 34661, 65000])
def test_unknown_compression(tmp_path: Path, scheme: int) -> None:
    path = tmp_path / "slide.tif"
    tifffile.imwrite(path, PIXELS, tile=(32, 32), compression="zlib")
    overwrite(path, "Compression", scheme)
    with pytest.raises(SlideError, match=r"compressed in a way that cannot be read .*deflate"):
        open_slide(path)


def test_cmyk(tmp_path: Path) -> None:
    path = tmp_path / "slide.tif"
    tifffile.imwrite(path, np.zeros((20, 20, 4), np.uint8), photometric="separated")
    with pytest.raises(SlideError, match="SEPARATED with 4 samples"):
        open_slide(path)


def test_a_strip_that_does_not_fit(tmp_path: Path) -> None:
    """The directory is believed: nothing of that size is written."""
    path = tmp_path / "slide.tif"
    tifffile.imwrite(path, np.zeros((32, 32), np.uint8), compression="zlib", metadata=None)
    for name in ("ImageWidth", "ImageLength", "RowsPerStrip"):
        overwrite(path, name, 40_000)
    with pytest.raises(SlideError, match=r"strips of 40000 × 40000 px, 1\.5 GiB each.*tiled"):
        open_slide(path)


def test_text_named_tif(tmp_path: Path) -> None:
    path = tmp_path / "slide.tif"
    path.write_text("not an image")
    with pytest.raises(SlideError, match="begins with b'not '"):
        open_slide(path)


def test_an_empty_file(tmp_path: Path) -> None:
    path = tmp_path / "slide.tif"
    path.touch()
    with pytest.raises(SlideError, match="begins with b''"):
        open_slide(path)
