"""What is read of tifffile's objects beyond what its documentation promises."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from canary import relied_on

PAGE = (
    *(
        "bitspersample",
        "compression",
        "databytecounts",
        "dataoffsets",
        "decode",
        "description",
        "dtype",
        "extrasamples",
    ),
    *("imagelength", "imagewidth", "imagej_description", "init_decode", "is_final", "is_imagej", "is_mask", "is_ndpi"),
    *("is_reduced", "is_svs", "is_tiled", "is_virtual", "jpegheader", "jpegtables", "keyframe", "nbytes", "offset"),
    *("parent", "photometric", "planarconfig", "rowsperstrip", "sampleformat", "samplesperpixel", "shaped", "tags"),
    *("tilelength", "tilewidth"),
)
FILE = (
    *("byteorder", "filehandle", "is_bif", "is_bigtiff", "is_ome", "is_philips", "is_scn", "ome_metadata", "pages"),
    *("philips_metadata", "scn_metadata", "series"),
)
SERIES = ("axes", "dataoffset", "keyframe", "kind", "name", "shape")


@pytest.fixture(scope="module")
def tiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three pages in compressed tiles, the second of which has no part in a series' shape."""
    path = tmp_path_factory.mktemp("tiff") / "tiled.tif"
    with tifffile.TiffWriter(path) as tiff:
        for page in pages():
            tiff.write(page, tile=(16, 16), compression="zlib", metadata=None)
    return path


def pages() -> np.ndarray[Any, Any]:
    return np.random.default_rng(0).integers(0, 99, (3, 40, 50), np.uint8)


def test_tifffile_has_the_attributes_that_are_read(tiled: Path) -> None:
    with tifffile.TiffFile(tiled) as tiff:
        for owner, names, where in (
            (tiff, FILE, "tiff.py, tiff_planes.py and tiff_scale.py"),
            (tiff.series[0], SERIES, "tiff_planes.py"),
            (tiff.pages.first, PAGE, "tiff.py, tiff_reader.py, tiff_planes.py and tiff_colour.py"),
        ):
            what = f"{type(owner).__name__} has {', '.join(names)}"
            with relied_on("tifffile", what, f"axonflow/slide/: {where}"):
                missing = [name for name in names if name not in {*dir(owner), *vars(type(owner))}]
                assert not missing, f"without {', '.join(missing)}"


def test_tifffile_builds_a_page_where_its_file_stands(tiled: Path) -> None:
    with (
        relied_on(
            "tifffile",
            "TiffPage(tiff, 1) reads the directory at which the file handle stands, and the last dimension but one of "
            "page.shaped is the width",
            "axonflow/slide/tiff_reader.py: Directory",
        ),
        tifffile.TiffFile(tiled) as tiff,
    ):
        wanted = [page.offset for page in tiff.pages]
        for ifd, pixels in zip(wanted, pages(), strict=True):
            tiff.filehandle.seek(ifd)
            page = tifffile.TiffPage(tiff, 1)
            assert page.offset == ifd
            assert page.shaped == (1, 1, 40, 50, 1)
            np.testing.assert_array_equal(page.asarray(), pixels)


def test_tifffile_decodes_segments_whose_places_lie_in_arrays(tiled: Path) -> None:
    with (
        relied_on(
            "tifffile",
            "page.dataoffsets and page.databytecounts may be replaced by arrays, their tags removed, and "
            "page.decode(data, index, jpegtables=, jpegheader=) returns the segment as (depth, height, width, samples) "
            "first; page.decode(None, 0) decodes nothing, or raises for a codec that is not there",
            "axonflow/slide/tiff_reader.py: Directory and _segment; tiff.py: _reader",
        ),
        tifffile.TiffFile(tiled) as tiff,
    ):
        page = tiff.pages.first
        page.init_decode()
        page.decode(None, 0)
        for name in ("dataoffsets", "databytecounts"):
            setattr(page, name, np.array(getattr(page, name), np.uint64))
        for tag in ("TileOffsets", "TileByteCounts"):
            del page.tags[tag]
        tiff.filehandle.set_lock(True)
        out = np.zeros((48, 64), np.uint8)
        for index in range(12):
            with tiff.filehandle.lock:
                tiff.filehandle.seek(int(page.dataoffsets[index]))
                data = tiff.filehandle.read(int(page.databytecounts[index]))
            segment = page.decode(data, index, jpegtables=page.jpegtables, jpegheader=page.jpegheader)[0]
            row, column = divmod(index, 4)
            part = out[row * 16 : row * 16 + segment.shape[1], column * 16 : column * 16 + segment.shape[2]]
            part[:] = segment[0, ..., 0]
        np.testing.assert_array_equal(out[:40, :50], pages()[0])


def test_tifffile_knows_where_pages_without_a_directory_lie(tmp_path: Path) -> None:
    path = tmp_path / "hyperstack.tif"
    tifffile.imwrite(path, pages()[:, None], imagej=True, metadata={"axes": "ZCYX"})
    with (
        relied_on(
            "tifffile",
            "the pages of a contiguous series have their dataoffsets[0], or the series a dataoffset from which they "
            "follow one another, each of keyframe.nbytes; axes and shape name them",
            "axonflow/slide/tiff_planes.py: _planes and _place",
        ),
        tifffile.TiffFile(path) as tiff,
    ):
        series = tiff.series[0]
        assert [(a, n) for a, n in zip(series.axes, series.shape, strict=True) if n > 1] == [
            ("Z", 3), ("Y", 40), ("X", 50)
        ]  # fmt: skip
        assert series.keyframe.is_final
        content = path.read_bytes()
        for index, pixels in enumerate(pages()):
            offset = series.dataoffset + index * series.keyframe.nbytes
            assert content[offset : offset + pixels.nbytes] == pixels.tobytes()
            if len(series) == 3 and series[index].is_virtual:
                assert series[index].dataoffsets[0] == offset
