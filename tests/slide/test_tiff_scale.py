"""Each source of a pixel size is read, in the order of belief, and no 72 dpi is believed."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from axonflow.kernel.units import PixelSize
from axonflow.slide import Slide, open_slide
from axonflow.slide.scale import Claim, believe

PIXELS = np.arange(64 * 48, dtype=np.uint16).reshape(64, 48)


def slide_with(folder: Path, **options: object) -> Slide:
    tifffile.imwrite(folder / "slide.tif", PIXELS, **options)
    return open_slide(folder / "slide.tif")


def assert_size(slide: Slide, y_um: float, x_um: float, source: str) -> None:
    assert slide.pixel_size is not None, slide.pixel_size_source
    assert [slide.pixel_size.y, slide.pixel_size.x] == pytest.approx([y_um, x_um])
    assert slide.pixel_size_source == source


def tag(code: int, text: bytes) -> tuple[int, int, int, bytes, bool]:
    return code, 2, len(text), text, True


@pytest.mark.parametrize(
    ("unit", "um"), [("µm", 1.0), ("nm", 1e-3), ("mm", 1e3), ("cm", 1e4), ("Å", 1e-4), ("inch", 25_400.0), ("m", 1e6)]
)
def test_ome(tmp_path: Path, unit: str, um: float) -> None:
    sizes = {
        axis: {f"PhysicalSize{axis}": side / um, f"PhysicalSize{axis}Unit": unit}
        for axis, side in (("Y", 0.2), ("X", 0.1))
    }
    slide = slide_with(tmp_path, ome=True, metadata={"axes": "YX", **sizes["Y"], **sizes["X"]})
    assert_size(slide, 0.2, 0.1, "OME metadata")


def test_ome_with_one_side_means_square_pixels(tmp_path: Path) -> None:
    slide = slide_with(tmp_path, ome=True, metadata={"axes": "YX", "PhysicalSizeX": 0.1})
    assert_size(slide, 0.1, 0.1, "OME metadata")


def test_ome_in_pixels_says_nothing(tmp_path: Path) -> None:
    metadata = {"axes": "YX", "PhysicalSizeX": 1.0, "PhysicalSizeXUnit": "pixel"}
    assert slide_with(tmp_path, ome=True, metadata=metadata).pixel_size is None


@pytest.mark.parametrize(
    ("unit", "um"),
    [
        ("micron", 1.0),
        ("um", 1.0),
        ("\\u00B5m", 1.0),
        ("microns", 1.0),
        ("nm", 1e-3),
        ("mm", 1e3),
        ("cm", 1e4),
        ("inch", 25_400.0),
    ],
)
def test_imagej(tmp_path: Path, unit: str, um: float) -> None:
    slide = slide_with(tmp_path, imagej=True, resolution=(um / 0.1, um / 0.25), metadata={"unit": unit})
    assert_size(slide, 0.25, 0.1, "ImageJ")


def test_imagej_micro_sign_in_latin1(tmp_path: Path) -> None:
    description = "ImageJ=1.53t\nunit=µm\n".encode("latin-1") + b"\0"
    slide = slide_with(
        tmp_path, metadata=None, resolution=(4, 5), resolutionunit="none", extratags=[tag(270, description)]
    )
    assert_size(slide, 0.2, 0.25, "ImageJ")


@pytest.mark.parametrize("unit", ["pixel", ""])
def test_imagej_without_a_length_says_nothing(tmp_path: Path, unit: str) -> None:
    assert slide_with(tmp_path, imagej=True, resolution=(2, 2), metadata={"unit": unit}).pixel_size is None


@pytest.mark.parametrize(
    ("unit", "um"), [("inch", 25_400.0), ("centimeter", 1e4), ("millimeter", 1e3), ("micrometer", 1.0)]
)
def test_baseline_resolution(tmp_path: Path, unit: str, um: float) -> None:
    slide = slide_with(tmp_path, resolution=(um / 0.5, um / 0.25), resolutionunit=unit)
    assert_size(slide, 0.25, 0.5, "TIFF resolution")


def test_baseline_resolution_without_a_unit_says_nothing(tmp_path: Path) -> None:
    slide = slide_with(tmp_path, resolution=(2, 2), resolutionunit="none")
    assert slide.pixel_size is None
    assert slide.pixel_size_source == "unknown"


@pytest.mark.parametrize("dpi", [72, 96, 300])
def test_resolution_of_a_print_is_not_believed(tmp_path: Path, dpi: int) -> None:
    slide = slide_with(tmp_path, resolution=(dpi, dpi), resolutionunit="inch")
    assert slide.pixel_size is None
    assert slide.pixel_size_source.startswith("unknown (not believed: TIFF resolution: ")
    assert f"{25_400 / dpi:.6g}" in slide.pixel_size_source


def test_resolution_of_zero_says_nothing(tmp_path: Path) -> None:
    slide = slide_with(tmp_path, resolution=((0, 1), (0, 1)), resolutionunit="inch")
    assert slide.pixel_size is None


@pytest.mark.parametrize(("stated", "um"), [("12.5 nm", 0.0125), ("1.25 µm", 1.25)])
@pytest.mark.parametrize("key", ["AP_IMAGE_PIXEL_SIZE\r\nImage Pixel Size", "AP_PIXEL_SIZE\r\nPixel Size"])
def test_zeiss(tmp_path: Path, key: str, stated: str, um: float) -> None:
    header = f"0\r\n0\r\n{key} = {stated}\r\nDP_SEM\r\nx = y\r\n".encode("cp1252")
    slide = slide_with(tmp_path, metadata=None, extratags=[tag(34118, header)], resolution=(72, 72), resolutionunit=2)
    assert_size(slide, um, um, "Zeiss SEM")


@pytest.mark.parametrize("code", [34680, 34682])
def test_fei(tmp_path: Path, code: int) -> None:
    header = b"[User]\r\nDate=1\r\n[Scan]\r\nPixelWidth=2.5e-09\r\nPixelHeight=5e-09\r\n"
    slide = slide_with(tmp_path, metadata=None, extratags=[tag(code, header)])
    assert_size(slide, 0.005, 0.0025, "FEI scan")


def test_aperio(tmp_path: Path) -> None:
    words = "Aperio Image Library v10|AppMag = 40|MPP = 0.2525|Left = 1"
    slide = slide_with(tmp_path, metadata=None, description=words)
    assert_size(slide, 0.2525, 0.2525, "Aperio MPP")


@pytest.mark.parametrize("source", ["Aperio Image Library|MPP = ?", "ImageJ=1.5\nunit", "<OME", "<OME>"])
def test_a_source_that_makes_no_sense_says_nothing(tmp_path: Path, source: str) -> None:
    slide = slide_with(tmp_path, metadata=None, description=source, resolution=(20_000, 20_000), resolutionunit=3)
    assert_size(slide, 0.5, 0.5, "TIFF resolution")


def test_an_unbelievable_source_gives_way_to_the_next(tmp_path: Path) -> None:
    words = "Aperio Image Library v10|MPP = 0.0"
    slide = slide_with(tmp_path, metadata=None, description=words, resolution=(20_000, 20_000), resolutionunit=3)
    assert_size(slide, 0.5, 0.5, "TIFF resolution (not believed: Aperio MPP: 0 × 0 µm)")


def test_ome_counts_more_than_the_baseline_tags(tmp_path: Path) -> None:
    metadata = {"axes": "YX", "PhysicalSizeX": 0.1, "PhysicalSizeY": 0.1}
    slide = slide_with(tmp_path, ome=True, metadata=metadata, resolution=(20_000, 20_000), resolutionunit=3)
    assert_size(slide, 0.1, 0.1, "OME metadata (0.1 × 0.1 µm was taken; TIFF resolution disagrees: 0.5 × 0.5 µm)")


@given(first=st.floats(0.01, 1), ratio=st.floats(0.5, 2))
def test_sources_that_disagree_are_both_named(first: float, ratio: float) -> None:
    size, source = believe((Claim("first", first, first), Claim("second", first * ratio, first * ratio)))
    assert size == PixelSize.square(first)
    disagree = abs(first * ratio / first - 1) > 0.05
    assert ("second disagrees" in source) == disagree
    assert (source == "first") == (not disagree)


@given(nm=st.floats(20, 4000).map(lambda nm: float(f"{nm:.4g}")), small=st.booleans())
def test_a_unit_that_was_mistaken_suggests_the_flag(nm: float, small: bool) -> None:
    """Unless a printer's resolution is as much."""
    um = nm * 1e-6 if small else nm
    size, source = believe((Claim("TIFF resolution", um, um),))
    if PixelSize.plausible(um):
        assert size == PixelSize.square(um)
    elif small or not any(abs(um / (25_400 / dpi) - 1) < 0.011 for dpi in range(70, 2500)):
        assert size is None
        assert f"--pixel-size {nm * 1e-3:.6g} is right" in source


def test_what_jeol_writes(tmp_path: Path) -> None:
    slide = slide_with(tmp_path, resolution=(1e4 / 93.75, 1e4 / 93.75), resolutionunit="centimeter")
    assert slide.pixel_size is None
    assert "a thousand times too large? then --pixel-size 0.09375 is right" in slide.pixel_size_source


@pytest.mark.parametrize("dpi", [72, 96, 150, 300, 600])
def test_what_printers_mean_suggests_nothing(tmp_path: Path, dpi: int) -> None:
    for unit, per in (("inch", dpi), ("centimeter", round(dpi / 2.54, 2))):
        assert "--pixel-size" not in slide_with(tmp_path, resolution=(per, per), resolutionunit=unit).pixel_size_source


@pytest.mark.parametrize("stated", ["0.2525", "0,2525", "2,525e-1"])
def test_decimal_commas(tmp_path: Path, stated: str) -> None:
    words = f"Aperio Image Library v10|AppMag = 40|MPP = {stated}|Left = 1"
    assert_size(slide_with(tmp_path, metadata=None, description=words), 0.2525, 0.2525, "Aperio MPP")
    header = f"0\r\n0\r\nAP_PIXEL_SIZE\r\nPixel Size = {stated} µm\r\n".encode("cp1252")
    assert_size(slide_with(tmp_path, metadata=None, extratags=[tag(34118, header)]), 0.2525, 0.2525, "Zeiss SEM")


def test_decimal_commas_of_fei(tmp_path: Path) -> None:
    scan = b"[Scan]\r\nPixelWidth=2,5e-07\r\nPixelHeight=2,5e-07\r\n"
    assert_size(slide_with(tmp_path, metadata=None, extratags=[tag(34682, scan)]), 0.25, 0.25, "FEI scan")


@pytest.mark.parametrize(("unit", "um"), [("nm", 1e-3), ("µm", 1.0)])
def test_gatan(tmp_path: Path, unit: str, um: float) -> None:
    units = [tag(code, unit.encode("latin-1") + b"\0") for code in (65003, 65004)]
    sides = [(code, 12, 1, 0.25 / um, True) for code in (65009, 65010)]
    assert_size(slide_with(tmp_path, metadata=None, extratags=[*units, *sides]), 0.25, 0.25, "Gatan calibration")
    sides[1] = (65010, 12, 1, 0.5 / um, True)  # which axis is which is not known for certain
    assert slide_with(tmp_path, metadata=None, extratags=[*units, *sides]).pixel_size is None


@pytest.mark.parametrize("mode", ["MAG", "DIFF"])
def test_jeol_tem(tmp_path: Path, mode: str) -> None:
    words = (
        "<TemReporter><Eos><EosMode>eosTEM</EosMode></Eos><ImageFormingSystem>"
        f"<ModeString>{mode}</ModeString><SelectorValue>5000</SelectorValue></ImageFormingSystem></TemReporter>"
    )
    options = {"description": words, "resolution": (1e4 / 30, 1e4 / 30), "resolutionunit": "centimeter"}
    slide = slide_with(tmp_path, metadata=None, extratags=[tag(271, b"JEOL Ltd.\0")], **options)
    if mode == "MAG":
        assert_size(slide, 0.006, 0.006, "JEOL magnification")
    else:
        assert slide.pixel_size is None


def test_olympus(tmp_path: Path) -> None:
    """The structure is the one that tifffile reads: lengths in powers of ten of a metre."""
    general = struct.pack("<10xhdd8xd2x34s32s", -9, 250.0, 500.0, 1000.0, b"camera", b"TEM")
    path, size = tmp_path / "slide.tif", 68 + len(general)
    tifffile.imwrite(path, PIXELS, metadata=None, extratags=[(33560, 7, size, bytes(size), True)])
    with tifffile.TiffFile(path) as tiff:
        at = tiff.pages.first.tags.get(33560).valueoffset
    header = struct.pack("<4s6xhhhhh6x32sH", b"SIS0", 0, 0, 1, 0, 120, b"name", 1)
    with path.open("r+b") as stream:
        stream.seek(at)
        stream.write(header + struct.pack("<hhI", 1, 1, at + 68) + general)
    assert_size(open_slide(path), 0.5, 0.25, "Olympus SIS")


@pytest.mark.parametrize("named", ["a.companion.ome", "../a.companion.ome", "none.companion.ome"])
def test_companion(tmp_path: Path, named: str) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    pointer = f'<OME xmlns="o" UUID="urn:uuid:1"><BinaryOnly MetadataFile="{named}" UUID="urn:uuid:0"/></OME>'
    tifffile.imwrite(folder / "slide.ome.tif", PIXELS, description=pointer, metadata=None)
    images = "".join(
        f'<Image ID="Image:{k}"><Pixels ID="Pixels:{k}" PhysicalSizeX="{0.1 * (k + 1)}" PhysicalSizeY="0.2">'
        f'<TiffData IFD="0"><UUID FileName="{name}">urn:uuid:1</UUID></TiffData></Pixels></Image>'
        for k, name in enumerate(("other.ome.tif", "slide.ome.tif"))
    )
    for where in (tmp_path, folder):
        (where / "a.companion.ome").write_text(f'<OME xmlns="o">{images}</OME>')
    slide = open_slide(folder / "slide.ome.tif")
    if named == "a.companion.ome":
        assert_size(slide, 0.2, 0.2, "OME metadata")
    else:
        assert slide.pixel_size is None


def test_what_the_user_says_counts_most(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "slide.tif", PIXELS, resolution=(20_000, 20_000), resolutionunit=3)
    slide = open_slide(tmp_path / "slide.tif", pixel_size=PixelSize(0.07, 0.08))
    assert_size(slide, 0.07, 0.08, "--pixel-size")


def test_not_a_number_is_not_believed() -> None:
    claims = (Claim("first", float("nan"), 1.0), Claim("second", 1.0, float("inf")), Claim("third", 1.0, 2.0))
    size, source = believe(claims)
    assert size == PixelSize(1.0, 2.0)
    assert source == "third (not believed: first: nan × 1 µm; second: 1 × inf µm)"
