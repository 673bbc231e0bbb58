"""An electron microscope's info bar is found by what the file says or by its look, and nothing else is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from slides import picture, tissue

from axonflow.kernel.grid import Box
from axonflow.slide import InfoBar, Slide, find_bar, open_slide, without_bar

SHAPE = (240, 320)
GREYS = picture(tissue(SHAPE))


def bar(rows: int, width: int = SHAPE[1], *, smooth: bool = False) -> NDArray[np.uint8]:
    """Draw white words on black: of two greys, as JEOL does, or with soft edges."""
    drawn = Image.new("L" if smooth else "1", (width, rows))
    pen = ImageDraw.Draw(drawn)
    for y in range(1, rows - 8, 11):
        pen.text((4, y), "HV 5.00 kV  det CBS  mag 1 000 x  WD 5.1 mm  ----- 20 um -----", fill=255)
    return np.asarray(drawn.convert("L"))


def fei(height: int, width: int) -> str:
    return f"[User]\r\nDate=1\r\n[Image]\r\nResolutionX={width}\r\nResolutionY={height}\r\n"


def zeiss(height: int, width: int) -> str:
    return f"0\r\n0\r\nDP_IMAGE_STORE\r\nStore resolution = {width} * {height}\r\n"


TAGS = {34680: fei, 34682: fei, 34118: zeiss}


def write(path: Path, pixels: NDArray[Any], code: int | None = None, said: str = "", **options: Any) -> Slide:
    tags = [(code, 2, len(said) + 1, said, True)] if code else []
    tifffile.imwrite(path, pixels, extratags=tags, metadata=None, **options)
    return open_slide(path)


@pytest.mark.parametrize("code", TAGS)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("rows", [1, 14, 40])
def test_what_the_file_says(tmp_path: Path, code: int, dtype: type[np.generic], rows: int) -> None:
    below = np.full((rows, SHAPE[1]), 77, np.uint8) if rows < 16 else bar(rows, smooth=True)
    slide = write(tmp_path / "a.tif", np.vstack([GREYS, below]).astype(dtype), code, TAGS[code](*SHAPE))
    found = find_bar(slide)
    assert found is not None
    assert found.rows == rows
    assert str(code) in found.source
    cut = without_bar(slide, found)
    assert cut.shape == SHAPE
    np.testing.assert_array_equal(cut.read(Box.whole(SHAPE)), GREYS)
    with pytest.raises(IndexError):
        cut.read(Box.whole(slide.shape))


@pytest.mark.parametrize("code", TAGS)
@pytest.mark.parametrize(
    "size", [(254, 320), (240, 160), (480, 640), (100, 320), (0, 320), (-1, 320), ("?", 320)], ids=str
)
def test_what_the_file_says_of_another_image_is_no_bar(tmp_path: Path, code: int, size: tuple[int, int]) -> None:
    """An image that was scaled or cut since, and one whose every row was scanned."""
    pixels = np.vstack([GREYS, bar(14, smooth=True)])
    assert find_bar(write(tmp_path / "a.tif", pixels, code, TAGS[code](*size))) is None


@pytest.mark.parametrize("name", ["a.tif", "a.png"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "RGB", "inverted"])
@given(rows=st.integers(20, 47))
@settings(max_examples=8)
def test_its_look(tmp_path_factory: pytest.TempPathFactory, name: str, dtype: str, rows: int) -> None:
    path = tmp_path_factory.mktemp("look") / name
    pixels: NDArray[Any] = np.vstack([np.clip(GREYS, 1, 254), bar(rows)])
    pixels = 255 - pixels if dtype == "inverted" else pixels
    pixels = pixels * np.uint16(257) if dtype == "uint16" else pixels
    pixels = np.dstack([pixels] * 3) if dtype == "RGB" else pixels
    if name == "a.png":
        Image.fromarray(pixels).save(path)
    else:
        tifffile.imwrite(path, pixels, compression="zlib")
    assert find_bar(open_slide(path)) == InfoBar(rows, "its look: rows of pure black and white")


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
def test_its_look_in_the_range_of_the_camera(tmp_path: Path, bits: int) -> None:
    """White is the largest value of as many bits as the camera has, whatever the file's samples could hold."""
    white = 2**bits - 1
    pixels = np.clip(GREYS, 1, 254).astype(np.uint16) * (white // 255)
    slide = write(tmp_path / "a.tif", np.vstack([pixels, (bar(30) > 0) * np.uint16(white)]))
    assert find_bar(slide) == InfoBar(30, "its look: rows of pure black and white")


NO_BARS: dict[str, NDArray[Any]] = {
    "tissue": GREYS,
    "a border of black": np.vstack([GREYS, np.zeros((40, SHAPE[1]), np.uint8)]),
    "a border of white": np.vstack([GREYS, np.full((40, SHAPE[1]), 255, np.uint8)]),
    "a mask": (tissue(SHAPE) == 2) * np.uint8(255),
    "labels": np.array([0, 127, 255], np.uint8)[tissue(SHAPE)],
    "a bar that is half the image": np.vstack([GREYS[:100], bar(100)]),
    "soft letters": np.vstack([GREYS, bar(40, smooth=True) // 2]),
    "floats": np.vstack([GREYS, bar(40)]).astype(np.float32),
    "few rows": np.vstack([np.clip(GREYS, 1, 254), bar(15)]),
    "a bar above": np.vstack([bar(40), np.clip(GREYS, 1, 254)]),
}


@pytest.mark.parametrize("kind", NO_BARS)
def test_what_does_not_look_like_one(tmp_path: Path, kind: str) -> None:
    assert find_bar(write(tmp_path / "a.tif", NO_BARS[kind])) is None


def test_a_damaged_last_row_is_said_when_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, GREYS, tile=(64, 64), compression="zlib")
    with tifffile.TiffFile(path) as tiff:
        offset = tiff.pages.first.dataoffsets[-1]
    with path.open("r+b") as stream:
        stream.seek(offset)
        stream.write(b"nonsense")
    assert find_bar(open_slide(path)) is None
