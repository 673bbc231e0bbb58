"""Bad tiles are named, and read around, whatever box is asked for."""

from __future__ import annotations

import errno
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import zarr
from damaged_slides import WAYS, damaged_tiff, tile_box, without_tiles
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from slides import picture, tissue, write_slide

from axonflow.errors import SlideError
from axonflow.kernel.grid import Box
from axonflow.slide import Slide, open_slide

SHAPE = (150, 200)
PIXELS = picture(tissue(SHAPE))
BAD = [1, 6]
GOOD = without_tiles(SHAPE, BAD)


@pytest.mark.parametrize("way", WAYS)
def test_a_tiff_is_read_around_its_bad_tiles(tmp_path: Path, way: str) -> None:
    path = damaged_tiff(tmp_path / "slide.tif", PIXELS, way, BAD)
    with pytest.raises(SlideError, match=r"tile in row 0, column 1 of level 0 .*x = 6\.4 to 12\.8 µm"):
        open_slide(path).read(Box.whole(SHAPE))
    slide = open_slide(path, incomplete=True)
    found = slide.read_what_is_there(Box.whole(SHAPE))
    assert {(bad.row, bad.column, bad.box) for bad in found.bad} == {
        (0, 1, tile_box(SHAPE, 1)),
        (1, 2, tile_box(SHAPE, 6)),
    }
    np.testing.assert_array_equal(found.unmeasured, ~GOOD)
    if way != "nonsense in JPEG":
        np.testing.assert_array_equal(found.pixels, np.where(GOOD, PIXELS, 0))
    assert not found.pixels[~GOOD].any()


@pytest.fixture(scope="module")
def damaged(tmp_path_factory: pytest.TempPathFactory) -> Slide:
    path = damaged_tiff(tmp_path_factory.mktemp("bad") / "slide.tif", PIXELS, "nonsense in deflate", BAD)
    return open_slide(path, incomplete=True)


@given(st.data())
@settings(max_examples=50)
def test_what_is_left_out_does_not_depend_on_the_box(damaged: Slide, data: st.DataObject) -> None:
    y0, x0 = data.draw(st.integers(0, SHAPE[0] - 1)), data.draw(st.integers(0, SHAPE[1] - 1))
    box = Box(y0, x0, data.draw(st.integers(y0 + 1, SHAPE[0])), data.draw(st.integers(x0 + 1, SHAPE[1])))
    found = damaged.read_what_is_there(box)
    np.testing.assert_array_equal(found.unmeasured, ~GOOD[box.slices])
    np.testing.assert_array_equal(found.pixels, np.where(GOOD, PIXELS, 0)[box.slices])


@pytest.mark.parametrize("options", [{"compression": "zlib"}, {}, {"tile": None, "rowsperstrip": 16}])
@pytest.mark.parametrize("bytes_left", [0.6, 0.95])
def test_a_truncated_file(tmp_path: Path, options: dict[str, Any], bytes_left: float) -> None:
    path = write_slide(tmp_path / "slide.tif", PIXELS, **({"compression": None} | options))
    data = path.read_bytes()
    path.write_bytes(data[: int(bytes_left * len(data))])
    with pytest.raises(SlideError, match=r"truncated: it has \d+ bytes.* the first of which is the tile in row \d+"):
        open_slide(path)
    found = open_slide(path, incomplete=True).read_what_is_there(Box.whole(SHAPE))
    assert found.unmeasured.any()
    assert not found.unmeasured.all()
    np.testing.assert_array_equal(found.pixels, np.where(found.unmeasured, 0, PIXELS))


def test_a_byte_count_is_not_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hole makes the file large enough for what the count says."""
    path = damaged_tiff(tmp_path / "slide.tif", PIXELS, "4 GB", BAD)
    with path.open("r+b") as file:
        file.truncate(2**33)
    asked: list[int] = []
    read = tifffile.FileHandle.read

    def noted(self: tifffile.FileHandle, size: int = -1, /) -> bytes:
        asked.append(size)
        return bytes(read(self, size))

    monkeypatch.setattr(tifffile.FileHandle, "read", noted)
    slide = open_slide(path)
    asked.clear()
    slide.read_what_is_there(Box.whole(SHAPE))
    assert 0 < max(asked) < 2**21


@pytest.mark.parametrize("sharded", [False, True])
def test_an_ome_zarr(tmp_path: Path, sharded: bool) -> None:
    group = zarr.open_group(tmp_path / "slide.zarr", mode="w", zarr_format=3)
    axes: Any = [{"name": name, "type": "space", "unit": "micrometer"} for name in "yx"]
    scale = [{"type": "scale", "scale": [0.1, 0.1]}]
    levels = [{"path": "0", "coordinateTransformations": scale}]
    described: Any = {"version": "0.5", "multiscales": [{"axes": axes, "datasets": levels}]}
    group.attrs["ome"] = described
    shards = (128, 128) if sharded else None
    group.create_array("0", data=PIXELS, chunks=(64, 64), shards=shards)
    chunk = tmp_path / "slide.zarr" / "0" / "c" / "0" / "1"
    chunk.write_bytes(b"nonsense" * 9)
    slide = open_slide(tmp_path / "slide.zarr")
    with pytest.raises(SlideError, match=r"tile in row 0, column \d of level 0 .* µm"):
        slide.read(Box.whole(SHAPE))
    found = slide.read_what_is_there(Box.whole(SHAPE))
    bad = np.zeros(SHAPE, bool)
    bad[(slice(0, 128), slice(128, None)) if sharded else (slice(0, 64), slice(64, 128))] = True
    np.testing.assert_array_equal(found.unmeasured, bad)
    np.testing.assert_array_equal(found.pixels, np.where(bad, 0, PIXELS))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_pixels_that_are_no_numbers(tmp_path: Path, value: float) -> None:
    pixels = picture(tissue(SHAPE), "float32")
    odd = np.random.default_rng(1).random(SHAPE) < 0.1
    pixels[odd] = value
    slide = open_slide(write_slide(tmp_path / "slide.tif", pixels))
    found = slide.read_what_is_there(Box.whole(SHAPE))
    assert not found.bad
    np.testing.assert_array_equal(found.unmeasured, odd)
    np.testing.assert_array_equal(found.pixels, np.where(odd, 0, pixels))


@dataclass(frozen=True)
class Failing:
    """Reads nothing."""

    error: Exception

    def read(self, _: Box) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
        raise self.error


@pytest.mark.parametrize("error", [OSError(errno.ENOENT, "gone"), OSError(errno.EACCES, "refused"), MemoryError()])
def test_a_fault_of_the_machine_is_no_damage(damaged: Slide, error: Exception) -> None:
    with pytest.raises(MemoryError if isinstance(error, MemoryError) else SlideError):
        replace(damaged, reader=Failing(error)).read_what_is_there(Box.whole(SHAPE))


def test_a_picture_of_one_piece_is_refused(tmp_path: Path) -> None:
    Image.fromarray(PIXELS).save(tmp_path / "slide.png")
    data = (tmp_path / "slide.png").read_bytes()
    (tmp_path / "slide.png").write_bytes(data[: len(data) // 2])
    with pytest.raises(SlideError, match="cannot be read in the box"):
        open_slide(tmp_path / "slide.png").read_what_is_there(Box(0, 0, 10, 10))
