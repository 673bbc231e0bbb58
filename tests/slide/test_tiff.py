"""Any box of any TIFF is that box of the whole image, which tifffile and Pillow decode as the oracle."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from axonflow.kernel.grid import Box
from axonflow.slide import Slide, open_slide

SHAPE = (157, 203)
RANDOM = np.random.default_rng(7)
GREY8 = RANDOM.integers(0, 256, SHAPE, np.uint8)
GREY16 = RANDOM.integers(0, 2**16, SHAPE, np.uint16)
FLOAT = RANDOM.normal(size=SHAPE)
BITS = GREY8 > 90
COLOUR = RANDOM.integers(0, 256, (*SHAPE, 3), np.uint8)
COLOUR16 = RANDOM.integers(0, 2**16, (*SHAPE, 3), np.uint16)
OPAQUE = np.dstack([COLOUR, GREY8])
LUMINANCE = np.asarray(Image.fromarray(COLOUR).convert("L"))
LUMINANCE16 = (COLOUR16.astype(np.uint64) @ np.array([19595, 38470, 7471], np.uint64) + 2**15 >> 16).astype(np.uint16)


def planar(pixels: NDArray[Any]) -> NDArray[Any]:
    return np.ascontiguousarray(np.moveaxis(pixels, -1, 0))


# name: what is written, how, the luminance expected, the grain
LAYOUTS: dict[str, tuple[NDArray[Any], dict[str, Any], NDArray[Any], tuple[int, int]]] = {
    "mapped": (GREY8, {}, GREY8, (1, 1)),
    "mapped strips": (GREY16, {"rowsperstrip": 10}, GREY16, (1, 1)),
    "mapped big-endian": (GREY16, {"byteorder": ">"}, GREY16, (1, 1)),
    "mapped float64": (FLOAT, {}, FLOAT.astype(np.float32), (1, 1)),
    "mapped float16": (FLOAT.astype(np.float16), {}, FLOAT.astype(np.float16).astype(np.float32), (1, 1)),
    "mapped RGB": (COLOUR, {"photometric": "rgb"}, LUMINANCE, (1, 1)),
    "mapped planar": (planar(COLOUR), {"photometric": "rgb", "planarconfig": "separate"}, LUMINANCE, (1, 1)),
    "mapped inverted": (GREY8, {"photometric": "miniswhite"}, 255 - GREY8, (1, 1)),
    "inverted floats": (
        FLOAT.astype(np.float32),
        {"photometric": "miniswhite", "compression": "zlib", "tile": (16, 16)},
        -FLOAT.astype(np.float32),
        (16, 16),
    ),
    "grey and alpha": (
        np.dstack([GREY8, COLOUR[..., 0]]),
        {"photometric": "minisblack", "planarconfig": "contig", "extrasamples": ["unassalpha"]},
        GREY8,
        (1, 1),
    ),
    "tiles": (GREY8, {"tile": (32, 48)}, GREY8, (32, 48)),
    "tiles of one row of tiles": (GREY8, {"tile": (160, 16), "compression": "zlib"}, GREY8, (160, 16)),
    "tile larger than the image": (GREY16, {"tile": (256, 256), "compression": "zlib"}, GREY16, SHAPE),
    "deflate tiles": (GREY16, {"tile": (64, 32), "compression": "zlib", "predictor": True}, GREY16, (64, 32)),
    "deflate strips": (GREY16, {"rowsperstrip": 13, "compression": "zlib"}, GREY16, (13, SHAPE[1])),
    "deflate in one piece": (GREY8, {"rowsperstrip": 999, "compression": "zlib"}, GREY8, SHAPE),
    "LZW strips": (GREY8, {"rowsperstrip": 8, "compression": "lzw"}, GREY8, (8, SHAPE[1])),
    "PackBits": (GREY8, {"rowsperstrip": 8, "compression": "packbits"}, GREY8, (8, SHAPE[1])),
    "zstd BigTIFF": (GREY8, {"tile": (32, 32), "compression": "zstd", "bigtiff": True}, GREY8, (32, 32)),
    "predicted floats": (
        FLOAT.astype(np.float32),
        {"tile": (32, 32), "compression": "zlib", "predictor": 3},
        FLOAT.astype(np.float32),
        (32, 32),
    ),
    "big-endian tiles": (GREY16, {"tile": (32, 32), "byteorder": ">", "compression": "zlib"}, GREY16, (32, 32)),
    "RGB tiles": (COLOUR, {"photometric": "rgb", "tile": (32, 32), "compression": "zlib"}, LUMINANCE, (32, 32)),
    "RGB strips": (
        COLOUR16,
        {"photometric": "rgb", "rowsperstrip": 9, "compression": "zlib"},
        LUMINANCE16,
        (9, SHAPE[1]),
    ),
    "RGBA tiles": (
        OPAQUE,
        {"photometric": "rgb", "tile": (32, 32), "extrasamples": ["unassalpha"]},
        LUMINANCE,
        (32, 32),
    ),
    "planar tiles": (
        planar(COLOUR16),
        {"photometric": "rgb", "planarconfig": "separate", "tile": (32, 48), "compression": "zlib"},
        LUMINANCE16,
        (32, 48),
    ),
    "planar strips": (
        planar(COLOUR),
        {"photometric": "rgb", "planarconfig": "separate", "rowsperstrip": 11, "compression": "lzw"},
        LUMINANCE,
        (11, SHAPE[1]),
    ),
    "bits": (BITS, {"photometric": "minisblack"}, BITS * np.uint8(255), SHAPE),
    "bits, white is zero": (
        BITS,
        {"photometric": "miniswhite", "rowsperstrip": 16},
        ~BITS * np.uint8(255),
        (16, SHAPE[1]),
    ),
    "palette": (
        GREY8,
        {"photometric": "palette", "colormap": np.repeat(COLOUR[0, :1].T, 256, 1).astype(np.uint16) * 256},
        np.full(SHAPE, LUMINANCE[0, 0]),
        (1, 1),
    ),
    "palette tiles": (
        GREY8,
        {
            "photometric": "palette",
            "colormap": np.stack([np.arange(255, -1, -1, dtype=np.uint16) * 257] * 3),
            "tile": (32, 32),
            "compression": "zlib",
        },
        255 - GREY8,
        (32, 32),
    ),
    "12 bits": (GREY16 >> 4, {"bitspersample": 12, "rowsperstrip": 4}, GREY16 >> 4, (4, SHAPE[1])),
    "ImageJ": (GREY16, {"imagej": True}, GREY16, (1, 1)),
    "OME": (GREY8, {"ome": True, "tile": (64, 64), "compression": "zlib"}, GREY8, (64, 64)),
    "OME RGB": (COLOUR, {"ome": True, "photometric": "rgb", "tile": (64, 64)}, LUMINANCE, (64, 64)),
}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Slide]:
    folder = tmp_path_factory.mktemp("layouts")
    slides = {}
    for number, (name, (pixels, options, _, _)) in enumerate(LAYOUTS.items()):
        path = folder / f"{number}.tif"
        tifffile.imwrite(path, pixels, **options)
        slides[name] = open_slide(path)
    return slides


@st.composite
def boxes(draw: st.DrawFn, shape: tuple[int, int] = SHAPE) -> Box:
    y0, y1 = sorted(draw(st.lists(st.integers(0, shape[0]), min_size=2, max_size=2, unique=True)))
    x0, x1 = sorted(draw(st.lists(st.integers(0, shape[1]), min_size=2, max_size=2, unique=True)))
    return Box(y0, x0, y1, x1)


@pytest.mark.parametrize("name", LAYOUTS)
def test_whole_image(written: dict[str, Slide], name: str) -> None:
    slide, (_, _, expected, grain) = written[name], LAYOUTS[name]
    assert slide.shape == SHAPE
    assert slide.grain == grain
    assert slide.dtype == expected.dtype
    pixels = slide.read(Box.whole(SHAPE))
    assert type(pixels) is np.ndarray
    assert pixels.dtype == expected.dtype
    assert pixels.dtype.isnative
    np.testing.assert_array_equal(pixels, expected)


@given(box=boxes(), name=st.sampled_from(list(LAYOUTS)))
@settings(max_examples=300)
def test_any_box_is_a_part_of_the_whole(written: dict[str, Slide], box: Box, name: str) -> None:
    np.testing.assert_array_equal(written[name].read(box), LAYOUTS[name][2][box.slices])


@pytest.mark.parametrize("name", LAYOUTS)
def test_slides_survive_pickling(written: dict[str, Slide], name: str) -> None:
    slide = pickle.loads(pickle.dumps(written[name]))
    assert slide == written[name]
    box = Box(10, 20, 90, 100)
    np.testing.assert_array_equal(slide.read(box), LAYOUTS[name][2][box.slices])


@pytest.mark.parametrize("name", ["deflate tiles", "planar tiles", "deflate strips", "deflate in one piece", "mapped"])
def test_threads_share_a_slide(written: dict[str, Slide], name: str) -> None:
    corners = [(y, x) for y in range(0, 120, 17) for x in range(0, 160, 23)] * 4
    expected = LAYOUTS[name][2]
    with ThreadPoolExecutor(8) as pool:
        parts = pool.map(lambda at: written[name].read(Box(at[0], at[1], at[0] + 37, at[1] + 41)), corners)
        for (y, x), part in zip(corners, parts, strict=True):
            np.testing.assert_array_equal(part, expected[y : y + 37, x : x + 41])


@pytest.mark.parametrize("name", ["mapped", "deflate in one piece", "deflate tiles"])
def test_what_is_read_is_a_copy(written: dict[str, Slide], name: str) -> None:
    box = Box(0, 0, *SHAPE)
    written[name].read(box)[:] = 0
    np.testing.assert_array_equal(written[name].read(box), LAYOUTS[name][2])


def test_more_slides_than_are_kept_open(tmp_path: Path) -> None:
    """A file may not be closed under the thread that reads it."""
    slides = []
    for number in range(20):
        tifffile.imwrite(tmp_path / f"{number}.tif", GREY8 + np.uint8(number), tile=(16, 16), compression="zlib")
        slides.append(open_slide(tmp_path / f"{number}.tif"))
    order = RANDOM.integers(0, 20, 300)
    with ThreadPoolExecutor(8) as pool:
        parts = pool.map(lambda number: slides[number].read(Box(0, 0, 90, 90)), order)
        for number, part in zip(order, parts, strict=True):
            np.testing.assert_array_equal(part, GREY8[:90, :90] + np.uint8(number))


def test_a_box_outside_the_image_is_a_mistake(written: dict[str, Slide]) -> None:
    with pytest.raises(IndexError, match=r"x \[0, 203\)"):
        written["tiles"].read(Box(0, 0, 10, 204))


def test_only_the_tiles_touched_are_decoded(tmp_path: Path) -> None:
    """All tiles but the one asked for are spoilt."""
    path = tmp_path / "slide.tif"
    tifffile.imwrite(path, GREY8, tile=(32, 32), compression="zlib")
    with tifffile.TiffFile(path) as tiff:
        page = tiff.pages.first
        places = list(zip(page.dataoffsets, page.databytecounts, strict=True))
    with path.open("r+b") as stream:
        for number, (offset, size) in enumerate(places):
            if number != 8:
                stream.seek(offset)
                stream.write(bytes(size))
    box = Box(32, 32, 64, 64)
    np.testing.assert_array_equal(open_slide(path).read(box), GREY8[box.slices])


def test_lossy_jpeg_is_what_tifffile_decodes(tmp_path: Path) -> None:
    path = tmp_path / "slide.tif"
    smooth = np.dstack([np.add.outer(np.arange(128), np.arange(160)) // k for k in (2, 3, 4)]).astype(np.uint8)
    tifffile.imwrite(path, smooth, photometric="rgb", tile=(64, 64), compression="jpeg", compressionargs={"level": 90})
    expected = Image.fromarray(tifffile.imread(path)).convert("L")
    slide = open_slide(path)
    assert slide.channels == "RGB"
    np.testing.assert_array_equal(slide.read(Box.whole(slide.shape)), expected)


def test_a_rewritten_file_is_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "slide.tif"
    for pixels in (GREY8, GREY8 // 2, GREY8 // 3):
        tifffile.imwrite(path, pixels, compression="zlib", tile=(64, 64))
        np.testing.assert_array_equal(open_slide(path).read(Box.whole(SHAPE)), pixels)


@pytest.mark.parametrize("name", LAYOUTS)
def test_channels_in_words(written: dict[str, Slide], name: str) -> None:
    known = {"RGBA tiles": "RGBA", "grey and alpha": "LA"}
    colours = "RGB" if "RGB" in name or "planar" in name else "grey"
    assert written[name].channels == known.get(name, colours)


@pytest.mark.parametrize(
    ("name", "words"), [("tiles", "TIFF"), ("zstd BigTIFF", "BigTIFF"), ("OME", "OME-TIFF"), ("ImageJ", "ImageJ TIFF")]
)
def test_format_in_words(written: dict[str, Slide], name: str, words: str) -> None:
    assert written[name].format == words
