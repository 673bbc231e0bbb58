"""PNG and JPEG come as Pillow decodes them, at sizes at which Pillow itself would refuse."""

from __future__ import annotations

import pickle
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from axonflow.errors import SlideError
from axonflow.kernel.grid import Box
from axonflow.slide import open_slide
from axonflow.slide.picture import LARGEST_PX

RANDOM = np.random.default_rng(11)
GREY = RANDOM.integers(0, 256, (60, 83), np.uint8)
GREY16 = RANDOM.integers(0, 2**16, (60, 83), np.uint16)
COLOUR = Image.fromarray(RANDOM.integers(0, 256, (60, 83, 3), np.uint8))
OPACITY = Image.fromarray(RANDOM.integers(0, 256, (60, 83), np.uint8))


def with_alpha(image: Image.Image) -> Image.Image:
    image = image.copy()
    image.putalpha(OPACITY)
    return image


BITS = Image.fromarray(GREY).point([0] * 128 + [1] * 128, "1")
PICTURES = {
    "L": (Image.fromarray(GREY), GREY, "grey"),
    "I;16": (Image.fromarray(GREY16), GREY16, "grey"),
    "LA": (with_alpha(Image.fromarray(GREY)), GREY, "LA"),
    "RGB": (COLOUR, np.asarray(COLOUR.convert("L")), "RGB"),
    "RGBA": (with_alpha(COLOUR), np.asarray(COLOUR.convert("L")), "RGBA"),
    "P": (COLOUR.quantize(16), np.asarray(COLOUR.quantize(16).convert("RGB").convert("L")), "RGB"),
    "1": (BITS, np.asarray(BITS.convert("L")), "grey"),
}


@pytest.mark.parametrize("mode", PICTURES)
def test_png(tmp_path: Path, mode: str) -> None:
    image, expected, channels = PICTURES[mode]
    image.save(tmp_path / "slide.png")
    slide = open_slide(tmp_path / "slide.png")
    assert slide.format == "PNG"
    assert slide.shape == slide.grain == (60, 83)
    assert slide.dtype == expected.dtype
    assert slide.channels == channels
    assert slide.pixel_size is None
    pixels = pickle.loads(pickle.dumps(slide)).read(Box(5, 7, 41, 80))
    assert pixels.dtype == slide.dtype
    np.testing.assert_array_equal(pixels, expected[5:41, 7:80])
    assert np.unique(expected).size > 1


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_jpeg(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "slide.JPG"
    COLOUR.convert(mode).save(path, "JPEG")
    slide = open_slide(path)
    assert slide.format == "JPEG"
    with Image.open(path) as image:
        expected = np.asarray(image.convert("RGB").convert("L"))
    np.testing.assert_array_equal(slide.read(Box.whole(slide.shape)), expected)


def test_what_is_read_is_a_copy(tmp_path: Path) -> None:
    PICTURES["L"][0].save(tmp_path / "slide.png")
    slide = open_slide(tmp_path / "slide.png")
    slide.read(Box(0, 0, 60, 83))[:] = 0
    np.testing.assert_array_equal(slide.read(Box(0, 0, 60, 83)), GREY)


def test_resolution(tmp_path: Path) -> None:
    PICTURES["L"][0].save(tmp_path / "slide.png", dpi=(50_800, 101_600))
    slide = open_slide(tmp_path / "slide.png")
    assert slide.pixel_size_source == "PNG pHYs"
    assert slide.pixel_size is not None
    assert [slide.pixel_size.y, slide.pixel_size.x] == pytest.approx([0.25, 0.5], rel=1e-4)


@pytest.mark.parametrize("suffix", ["png", "jpeg"])
def test_resolution_of_a_screen(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"slide.{suffix}"
    PICTURES["L"][0].save(path, dpi=(72, 72))
    slide = open_slide(path)
    assert slide.pixel_size is None
    assert "not believed" in slide.pixel_size_source


def empty_png(height: int, width: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


def test_a_large_picture_is_no_bomb(tmp_path: Path) -> None:
    """Pillow warns above 89 million pixels and refuses twice that."""
    path = tmp_path / "slide.png"
    path.write_bytes(empty_png(20_000, 20_000))
    assert open_slide(path).shape == (20_000, 20_000)


def test_too_large_a_picture(tmp_path: Path) -> None:
    path = tmp_path / "slide.png"
    path.write_bytes(empty_png(30_000, 20_000))
    with pytest.raises(SlideError, match=f"600000000 pixels.*at most {LARGEST_PX}.*tiled TIFF"):
        open_slide(path)


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_truncated(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"slide.{suffix}"
    PICTURES["RGB"][0].save(path)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    slide = open_slide(path)
    with pytest.raises(SlideError, match=r"y \[0, 10\)"):
        slide.read(Box(0, 0, 10, 10))


@pytest.mark.parametrize("content", [b"text", b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"])
def test_not_a_picture(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "slide.png"
    path.write_bytes(content)
    with pytest.raises(SlideError, match=r"slide\.png"):
        open_slide(path)


def test_there_is_one_image(tmp_path: Path) -> None:
    PICTURES["L"][0].save(tmp_path / "slide.png")
    assert open_slide(tmp_path / "slide.png", series=0).series_found == ("0: 60 × 83 px",)
    with pytest.raises(SlideError, match="holds 1 image, --series 1 came"):
        open_slide(tmp_path / "slide.png", series=1)
