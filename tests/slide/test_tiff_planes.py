"""Which image of a TIFF is read: the only one, a scanner's scan, or the one that is asked for."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

from axonflow.errors import SlideError
from axonflow.kernel.grid import Box
from axonflow.slide import open_slide

RANDOM = np.random.default_rng(3)
STACK = RANDOM.integers(0, 256, (6, 48, 64), np.uint8)
SCAN = RANDOM.integers(0, 256, (96, 128, 3), np.uint8)
RGB_TILES: dict[str, Any] = {"photometric": "rgb", "tile": (32, 32), "metadata": None, "compression": "zlib"}


def read(path: Path, series: int | None = None) -> NDArray[Any]:
    slide = open_slide(path, series=series)
    return slide.read(Box.whole(slide.shape))


def scanned(pixels: NDArray[Any]) -> NDArray[Any]:
    return (pixels.astype(np.uint32) @ np.array([19595, 38470, 7471], np.uint32) + 2**15 >> 16).astype(np.uint8)


STACKS: dict[str, dict[str, Any]] = {
    "pages": {"photometric": "minisblack"},
    "pages of tiles": {"photometric": "minisblack", "tile": (16, 16)},
    "pages of strips": {"photometric": "minisblack", "compression": "zlib", "rowsperstrip": 7},
    "other writers' pages": {"photometric": "minisblack", "metadata": None},
    "OME channels": {"ome": True, "photometric": "minisblack", "metadata": {"axes": "CYX"}},
    "OME z": {"ome": True, "photometric": "minisblack", "metadata": {"axes": "ZYX"}, "compression": "zlib"},
    "ImageJ": {"imagej": True, "metadata": {"axes": "ZYX"}},
    "a volume without directories": {"photometric": "minisblack", "metadata": {"axes": "ZYX"}, "contiguous": True},
}


@pytest.mark.parametrize("name", STACKS)
def test_a_stack_wants_a_choice(tmp_path: Path, name: str) -> None:
    path = tmp_path / "stack.tif"
    options = dict(STACKS[name])
    if options.pop("contiguous", False):
        with tifffile.TiffWriter(path) as writer:
            writer.write(STACK, **options, truncate=True)
    else:
        tifffile.imwrite(path, STACK, **options)
    with pytest.raises(SlideError, match="holds 6 images") as caught:
        open_slide(path)
    assert "--series" in str(caught.value)
    assert sum(line.startswith("  ") for line in str(caught.value).splitlines()) == 6
    for number, plane in enumerate(STACK):
        np.testing.assert_array_equal(read(path, number), plane)
    slide = open_slide(path, series=4)
    assert len(slide.series_found) == 6
    assert slide.series_found[4] == f"4: {slide.series}"
    assert "5 of 6" in slide.series


@pytest.mark.parametrize("series", [-1, 6, 99])
def test_a_series_that_is_not_there(tmp_path: Path, series: int) -> None:
    tifffile.imwrite(tmp_path / "stack.tif", STACK, photometric="minisblack")
    with pytest.raises(SlideError, match=f"--series {series} came"):
        open_slide(tmp_path / "stack.tif", series=series)


def test_a_long_list_is_cut(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "stack.tif", np.zeros((100, 16, 16), np.uint8), photometric="minisblack")
    with pytest.raises(SlideError, match="and 80 more") as caught:
        open_slide(tmp_path / "stack.tif")
    assert len(str(caught.value).splitlines()) == 22


def test_two_images_of_different_size(tmp_path: Path) -> None:
    path = tmp_path / "two.tif"
    with tifffile.TiffWriter(path) as writer:
        writer.write(STACK[0], metadata=None)
        writer.write(STACK[1, :41, :53], metadata=None)
    with pytest.raises(SlideError, match="holds 2 images"):
        open_slide(path)
    np.testing.assert_array_equal(read(path, 1), STACK[1, :41, :53])


def test_two_ome_images_have_names(tmp_path: Path) -> None:
    path = tmp_path / "two.ome.tif"
    with tifffile.TiffWriter(path, ome=True) as writer:
        for number, name in enumerate(("left", "right")):
            writer.write(
                STACK[number], photometric="minisblack", metadata={"Name": name, "PhysicalSizeX": 0.1 + number}
            )
    left, right = (open_slide(path, series=number) for number in range(2))
    assert (left.series.split(",")[0], right.series.split(",")[0]) == ("left", "right")
    assert left.identity != right.identity
    assert right.pixel_size is not None
    assert right.pixel_size.x == 1.1
    np.testing.assert_array_equal(read(path, 1), STACK[1])


@pytest.mark.parametrize("subifds", [True, False])
def test_levels_of_a_pyramid_are_no_choice(tmp_path: Path, subifds: bool) -> None:
    path = tmp_path / "pyramid.tif"
    with tifffile.TiffWriter(path) as writer:
        writer.write(SCAN, **RGB_TILES, subifds=2 if subifds else None)
        writer.write(SCAN[::2, ::2], **RGB_TILES, subfiletype=1)
        writer.write(SCAN[::4, ::4], **RGB_TILES, subfiletype=1)
    assert len(open_slide(path).series_found) == 1
    np.testing.assert_array_equal(read(path), scanned(SCAN))


def test_a_reduced_picture_is_no_choice(tmp_path: Path) -> None:
    path = tmp_path / "thumbnail.tif"
    with tifffile.TiffWriter(path) as writer:
        writer.write(STACK[0], metadata=None)
        writer.write(STACK[1, :10, :17], metadata=None, subfiletype=1)
    np.testing.assert_array_equal(read(path), STACK[0])


def test_samples_without_a_colour_are_channels(tmp_path: Path) -> None:
    for planarconfig, pixels in (("contig", SCAN[..., [0, 1, 2, 0, 1]]), ("separate", STACK[:5])):
        path = tmp_path / f"{planarconfig}.tif"
        for options in ({}, {"tile": (32, 32), "compression": "zlib"}):
            tifffile.imwrite(path, pixels, photometric="minisblack", planarconfig=planarconfig, **options)
            with pytest.raises(SlideError, match="sample 5 of 5"):
                open_slide(path)
            expected = pixels[..., 1] if planarconfig == "contig" else pixels[1]
            np.testing.assert_array_equal(read(path, 1), expected)


def test_ome_over_two_files(tmp_path: Path) -> None:
    """The plane of the other file is read; when that file is gone, this one's planes are."""
    names = ["a.ome.tif", "b.ome.tif"]
    planes = "".join(
        f'<TiffData FirstC="{c}" IFD="0" PlaneCount="1"><UUID FileName="{name}">urn:uuid:0000000{c}</UUID></TiffData>'
        for c, name in enumerate(names)
    )
    for c, name in enumerate(names):
        xml = (
            '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" '
            f'UUID="urn:uuid:0000000{c}"><Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYCZT" '
            'Type="uint8" SizeX="64" SizeY="48" SizeC="2" SizeZ="1" SizeT="1">'
            f'<Channel ID="c0"/><Channel ID="c1"/>{planes}</Pixels></Image></OME>'
        )
        tifffile.imwrite(tmp_path / name, STACK[c], description=xml, metadata=None)
    for c in range(2):
        np.testing.assert_array_equal(read(tmp_path / "a.ome.tif", c), STACK[c])
    (tmp_path / "b.ome.tif").unlink()
    np.testing.assert_array_equal(read(tmp_path / "a.ome.tif", 0), STACK[0])
    with pytest.raises(SlideError, match="missing beside it"):
        open_slide(tmp_path / "a.ome.tif", series=1)


def test_aperio(tmp_path: Path) -> None:
    path = tmp_path / "slide.svs"
    words = "Aperio Image Library v12|AppMag = 20|MPP = 0.4990"
    with tifffile.TiffWriter(path) as writer:
        writer.write(SCAN, **RGB_TILES, description=words)
        writer.write(SCAN[::8, ::8], photometric="rgb", metadata=None, description="Aperio thumbnail")
        writer.write(SCAN[::4, ::4], **RGB_TILES, description="Aperio level")
        writer.write(SCAN[:9, :12], photometric="rgb", metadata=None, subfiletype=1, description="Aperio label 9x12")
        writer.write(SCAN[:12, :9], photometric="rgb", metadata=None, subfiletype=9, description="Aperio macro 12x9")
    slide = open_slide(path)
    assert slide.format == "Aperio SVS"
    assert slide.series.startswith("Baseline")
    assert len(slide.series_found) == 1
    assert slide.pixel_size_source == "Aperio MPP"
    np.testing.assert_array_equal(read(path), scanned(SCAN))


def test_philips(tmp_path: Path) -> None:
    def level(mm: float) -> str:
        return (
            '<DataObject ObjectType="PixelDataRepresentation"><Attribute Name="DICOM_PIXEL_SPACING">'
            f"&quot;{mm}&quot; &quot;{mm * 2}&quot;</Attribute></DataObject>"
        )

    levels = level(2.5e-4) + level(5e-4)
    xml = f'<?xml version="1.0" ?><DataObject ObjectType="DPUfsImport"><Array>{levels}</Array></DataObject>'
    path = tmp_path / "slide.tiff"
    with tifffile.TiffWriter(path) as writer:
        writer.write(SCAN, **RGB_TILES, description=xml, software="Philips DP v1.0")
        writer.write(SCAN[::2, ::2], **RGB_TILES, subfiletype=1)
        writer.write(SCAN[:9, :12], photometric="rgb", metadata=None, description="Label")
    slide = open_slide(path)
    assert slide.format == "Philips TIFF"
    assert slide.pixel_size is not None
    assert [slide.pixel_size.y, slide.pixel_size.x] == pytest.approx([0.25, 0.5])
    assert slide.pixel_size_source == "Philips pixel spacing"
    np.testing.assert_array_equal(read(path), scanned(SCAN))


def test_a_scanner_leaves_out_tiles_without_tissue(tmp_path: Path) -> None:
    """Others have to leave out both of its numbers: else a missing tile is damage (see test_tiff_damage)."""
    path = tmp_path / "slide.svs"
    tifffile.imwrite(path, SCAN, **RGB_TILES, description="Aperio Image Library v12|MPP = 0.5")
    with tifffile.TiffFile(path, mode="r+") as tiff:
        tag = tiff.pages.first.tags["TileByteCounts"]
        tag.overwrite([0, *tag.value[1:]])
    pixels = read(path)
    assert (pixels[:32, :32] == 255).all()
    np.testing.assert_array_equal(pixels[32:], scanned(SCAN)[32:])


def leave_out(path: Path, page: int = 0, tiles: int = 1) -> None:
    """Leave the first tiles out of a file, as GDAL does."""
    with tifffile.TiffFile(path, mode="r+") as tiff:
        for tag in ("TileOffsets", "TileByteCounts"):
            found = tiff.pages[page].tags[tag]
            found.overwrite([0] * tiles + list(found.value[tiles:]))


@pytest.mark.parametrize(
    ("nodata", "dtype", "grey"),
    [(None, "u1", 0), ("200", "u1", 200), ("900", "u1", 0), ("900", "u2", 900), ("nan", "u1", 0), ("-5", "i2", 0)],
)
def test_anyone_may_leave_out_tiles(tmp_path: Path, nodata: str | None, dtype: str, grey: int) -> None:
    path, pixels = tmp_path / "slide.tif", STACK[0].astype(dtype)
    tags = [] if nodata is None else [(42113, 2, None, nodata, True)]
    tifffile.imwrite(path, pixels, tile=(16, 16), compression="zlib", metadata=None, extratags=tags)
    leave_out(path)
    found = read(path)
    assert (found[:16, :16] == grey).all()
    np.testing.assert_array_equal(found[16:], pixels[16:])
    leave_out(path, tiles=len(pixels) // 16 * (pixels.shape[1] // 16))
    with pytest.raises(SlideError, match="are missing"):
        open_slide(path)


@pytest.mark.parametrize(("said", "grey"), [('ScanWhitePoint="235"', 235), ("", 255), ('ScanWhitePoint="999"', 255)])
def test_what_ventana_calls_white(tmp_path: Path, said: str, grey: int) -> None:
    path = tmp_path / "slide.bif"
    xmp = (700, 1, None, f"<Metadata><iScan {said} ScanRes='0.25'/></Metadata>".encode(), True)
    with tifffile.TiffWriter(path, bigtiff=True) as writer:
        writer.write(SCAN[:9, :12], photometric="rgb", metadata=None, description="Label Image", extratags=[xmp])
        writer.write(SCAN, **RGB_TILES, description="level=0 mag=40 quality=95")
    leave_out(path, page=1)
    assert (read(path)[:32, :32] == grey).all()


@pytest.mark.parametrize("axis", "ZCT")
@pytest.mark.parametrize("said", ["ome", "imagej", "shaped"])
def test_more_planes_than_a_file_can_have_are_not_listed(tmp_path: Path, axis: str, said: str) -> None:
    path, many = tmp_path / "stack.tif", 3_000_000_000
    sizes = " ".join(f'Size{each}="{many if each == axis else 1}"' for each in "ZCT")
    words = {
        "ome": (
            '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0"><Pixels ID="Pixels:0" '
            f'DimensionOrder="XYCZT" Type="uint8" SizeX="64" SizeY="48" {sizes}><Channel ID="c"/><TiffData/></Pixels>'
            "</Image></OME>"
        ),
        "imagej": f"ImageJ=1.53t\nimages={many}\nslices={many}\n",
        "shaped": f'{{"shape": [{many}, 48, 64]}}',
    }[said]
    tifffile.imwrite(path, STACK[0], description=words, metadata=None)
    with pytest.raises(SlideError, match=r"lists 3,000,000,000 planes, but has pages for \d+"):
        open_slide(path)


OME = (
    '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0"><Pixels ID="Pixels:0" '
    'DimensionOrder="XYCZT" Type="uint8" SizeX="{x}" SizeY="{y}" SizeZ="1" SizeC="1" SizeT="1"><Channel ID="c"/>{data}'
    "</Pixels></Image></OME>"
)


@pytest.mark.parametrize(
    ("x", "y", "data"),
    [
        (2**53, 48, "<TiffData/>"),
        (64, 2**53, "<TiffData/>"),
        (2**31, 2**31, "<TiffData/>"),
        (64, 48, '<TiffData IFD="0" PlaneCount="2147483648"/>'),
        (64, 48, '<TiffData IFD="0" NumPlanes="2147483648"/>'),
        (64, 48, '<TiffData IFD="9223372036854775807" PlaneCount="1"/>'),
        (64, 48, '<TiffData FirstZ="2147483648"/>'),
        (64, 48, '<TiffData IFD="0"/>' * 10_000),
    ],
    ids=["SizeX", "SizeY", "both", "PlaneCount", "NumPlanes", "IFD", "FirstZ", "many"],
)
def test_whatever_says_too_many_planes_is_refused(tmp_path: Path, x: int, y: int, data: str) -> None:
    path = tmp_path / "one.ome.tif"
    tifffile.imwrite(path, STACK[0], description=OME.format(x=x, y=y, data=data), metadata=None)
    with pytest.raises(SlideError, match=r"lists [\d,]+ planes, but has pages for \d+"):
        open_slide(path)


def test_a_small_page_before_the_image_is_no_damage(tmp_path: Path) -> None:
    path = tmp_path / "thumbnail.ome.tif"
    ome = OME.format(x=2048, y=2048, data='<TiffData IFD="1" PlaneCount="1"/>')
    with tifffile.TiffWriter(path) as writer:
        writer.write(np.zeros((16, 16), np.uint8), description=ome, metadata=None)
        writer.write(np.zeros((2048, 2048), np.uint8), metadata=None, compression="zlib")
    assert open_slide(path).shape == (2048, 2048)


def test_leica(tmp_path: Path) -> None:
    def image(number: int, size: tuple[int, int], nm: tuple[int, int]) -> str:
        return (
            f'<image name="image_{number}"><pixels sizeX="{size[1]}" sizeY="{size[0]}"><dimension ifd="{number}" r="0" '
            f'sizeX="{size[1]}" sizeY="{size[0]}"/></pixels><view sizeX="{nm[1]}" sizeY="{nm[0]}"/></image>'
        )

    images = image(0, (24, 32), (96_000, 128_000)) + image(1, (96, 128), (48_000, 64_000))
    xml = (
        '<?xml version="1.0"?><scn xmlns="http://www.leica-microsystems.com/scn/2010/10/01">'
        f'<collection sizeX="128000" sizeY="96000">{images}</collection></scn>'
    )
    path = tmp_path / "slide.scn"
    with tifffile.TiffWriter(path, bigtiff=True) as writer:
        writer.write(SCAN[::4, ::4], **RGB_TILES, description=xml)
        writer.write(SCAN, **RGB_TILES)
    slide = open_slide(path)
    assert slide.format == "Leica SCN"
    assert slide.series.startswith("image_1")
    assert len(slide.series_found) == 1
    assert slide.pixel_size is not None
    assert slide.pixel_size.x == pytest.approx(0.5)
    np.testing.assert_array_equal(read(path), scanned(SCAN))


def test_ventana(tmp_path: Path) -> None:
    path = tmp_path / "slide.bif"
    xmp = (700, 1, None, b'<?xml version="1.0"?><Metadata><iScan Magnification="40" ScanRes="0.25"/></Metadata>', True)
    with tifffile.TiffWriter(path, bigtiff=True) as writer:
        writer.write(SCAN[:9, :12], photometric="rgb", metadata=None, description="Label Image", extratags=[xmp])
        writer.write(SCAN, **RGB_TILES, description="level=0 mag=40 quality=95")
        writer.write(SCAN[::2, ::2], **RGB_TILES, description="level=1 mag=20 quality=95")
    slide = open_slide(path)
    assert slide.format == "Ventana BIF"
    assert "not stitched" in slide.series
    assert slide.pixel_size_source == "Ventana ScanRes"
    np.testing.assert_array_equal(read(path), scanned(SCAN))


def test_qptiff(tmp_path: Path) -> None:
    path = tmp_path / "slide.qptiff"
    with tifffile.TiffWriter(path, bigtiff=True) as writer:
        options = {**RGB_TILES, "software": "PerkinElmer-QPI", "resolutionunit": "centimeter"}
        writer.write(SCAN, **options, resolution=(2e4, 2e4))
        writer.write(SCAN[::8, ::8], photometric="rgb", metadata=None)
        writer.write(SCAN[::2, ::2], **options)
    slide = open_slide(path)
    assert slide.format == "QPTIFF"
    assert slide.pixel_size is not None
    assert slide.pixel_size.y == pytest.approx(0.5)
    np.testing.assert_array_equal(read(path), scanned(SCAN))


def test_hamamatsu(tmp_path: Path) -> None:
    """An NDPI is a TIFF with 8-byte positions in the places of 4-byte ones, and their high halves behind each list."""
    pixels = STACK[0]
    make = b"Hamamatsu\0"
    start = 12
    tags = [
        (256, 4, 1, pixels.shape[1]),
        (257, 4, 1, pixels.shape[0]),
        (258, 3, 1, 8),
        (259, 3, 1, 1),
        (262, 3, 1, 1),
        (271, 2, len(make), start),
        (273, 4, 1, start + 32),
        (277, 3, 1, 1),
        (278, 4, 1, pixels.shape[0]),
        (279, 4, 1, pixels.size),
        (282, 5, 1, start + 16),
        (283, 5, 1, start + 24),
        (296, 3, 1, 3),
        (65420, 4, 1, 1),
    ]
    resolution = struct.pack("<4I", 40_000, 1, 20_000, 1)
    head = struct.pack("<2sHQ", b"II", 42, start + 32 + pixels.size)
    listed = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    ifd = struct.pack("<H", len(tags)) + listed + struct.pack("<Q", 0) + bytes(4 * len(tags))
    path = tmp_path / "slide.ndpi"
    path.write_bytes(head + make.ljust(16, b"\0") + resolution + pixels.tobytes() + ifd)
    slide = open_slide(path)
    assert slide.format == "NDPI"
    assert slide.pixel_size is not None
    assert [slide.pixel_size.y, slide.pixel_size.x] == pytest.approx([0.5, 0.25])
    assert slide.pixel_size_source == "NDPI resolution"
    np.testing.assert_array_equal(read(path), pixels)
