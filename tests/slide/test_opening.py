"""What holds for every format: paths, identity, laziness."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image

from axonflow.errors import SlideError
from axonflow.kernel.grid import Box
from axonflow.slide import open_slide
from axonflow.slide.identity import sample_of

PIXELS = np.random.default_rng(17).integers(0, 256, (90, 70), np.uint8)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(SlideError, match="does not exist"):
        open_slide(tmp_path / "slide.tif")


@pytest.mark.parametrize("name", ["slide.czi", "slide.xyz", "slide"])
def test_an_unknown_format(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"ZISRAWFILE")
    with pytest.raises(SlideError, match=r"none of these by its name.*OME-TIFF"):
        open_slide(tmp_path / name)


@pytest.mark.parametrize(("content", "name"), [("PNG", "slide.tif"), ("TIFF", "slide.png")])
def test_a_name_that_misleads(tmp_path: Path, content: str, name: str) -> None:
    Image.fromarray(PIXELS).save(tmp_path / name, content)
    with pytest.raises(SlideError, match="rename it after its format"):
        open_slide(tmp_path / name)


def test_paths_are_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker's current folder is another."""
    tifffile.imwrite(tmp_path / "slide.tif", PIXELS, tile=(32, 32))
    monkeypatch.chdir(tmp_path)
    slide = open_slide("slide.tif")
    monkeypatch.chdir("/")
    assert slide.path == tmp_path / "slide.tif"
    np.testing.assert_array_equal(slide.read(Box(0, 0, 90, 70)), PIXELS)


@pytest.mark.parametrize("suffix", ["tif", "png"])
def test_identity_is_of_the_content(tmp_path: Path, suffix: str) -> None:
    def save(path: Path, pixels: NDArray[np.uint8]) -> None:
        Image.fromarray(pixels).save(path)

    path, copy = tmp_path / f"slide.{suffix}", tmp_path / f"copy.{suffix}"
    save(path, PIXELS)
    before = open_slide(path).identity
    assert len(before) == 64
    shutil.copyfile(path, copy)
    os.utime(copy, (1, 1))
    assert open_slide(copy).identity == before
    changed = PIXELS.copy()
    changed[45, 35] ^= 1
    save(path, changed)
    assert open_slide(path).identity != before


def test_a_sample_covers_a_large_file(tmp_path: Path) -> None:
    """Every end and every sample counts; what lies between need not."""
    path = tmp_path / "large"
    size = 64 << 20
    with path.open("wb") as stream:
        stream.truncate(size)
    before = sample_of(path)
    inner = size - (2 << 20)
    places = [0, (1 << 20) - 1, size - (1 << 20), size - 1]
    places += [(1 << 20) + (inner - (1 << 16)) * k // 15 for k in range(16)]
    seen = {before}
    for place in places:
        with path.open("r+b") as stream:
            stream.seek(place)
            stream.write(b"\1")
        seen.add(sample_of(path))
        with path.open("r+b") as stream:
            stream.seek(place)
            stream.write(b"\0")
    assert sample_of(path) == before
    assert len(seen) == 21


def test_no_whole_file_is_read(tmp_path: Path) -> None:
    """A sparse image of 16 GiB opens, and a box of it is read, in a few MiB."""
    path = tmp_path / "slide.tif"
    tifffile.imwrite(path, shape=(1 << 17, 1 << 17), dtype=np.uint8, bigtiff=True)
    tracemalloc.start()
    try:
        slide = open_slide(path)
        assert slide.read(Box(100_000, 100_000, 100_100, 100_100)).sum() == 0
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()


def test_nothing_is_said_but_the_error(tmp_path: Path) -> None:
    """tifffile would report the same damage to the terminal once more."""
    path = tmp_path / "slide.tif"
    tifffile.imwrite(path, PIXELS, rowsperstrip=8, compression="zlib", metadata=None)
    with tifffile.TiffFile(path, mode="r+") as tiff:
        tiff.pages.first.tags["RowsPerStrip"].overwrite(3)
    code = f"import axonflow.slide as s\ntry: s.open_slide({str(path)!r})\nexcept ValueError: print('refused')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "refused\n"
    assert done.stderr == ""
