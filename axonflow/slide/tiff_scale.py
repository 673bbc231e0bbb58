"""What a TIFF says about its pixel size: every source, the most trusted first."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from axonflow.slide.scale import UNITS_UM, Claim, read_decimal

__all__ = ["tiff_claims"]

_RESOLUTION_UNITS_UM = {2: 25_400.0, 3: 1e4, 4: 1e3, 5: 1.0}


def tiff_claims(tiff: Any, page: Any, series: int) -> tuple[Claim, ...]:
    """Collect what is said about a page of an open file.

    Parameters
    ----------
    tiff : tifffile.TiffFile
    page : tifffile.TiffPage
        The page that is read.
    series : int
        Its series.

    Returns
    -------
    tuple of Claim
        In the order of belief: OME, scanners, ImageJ, electron microscopes, baseline tags. A source that cannot be
        understood says nothing.
    """
    found: list[Claim] = []
    for source in (
        _ome,
        _aperio,
        _philips,
        _leica,
        _ventana,
        _imagej,
        _zeiss,
        _fei,
        _gatan,
        _olympus,
        _jeol,
        _baseline,
    ):
        try:
            found += source(tiff, page, series)
        except (ArithmeticError, AttributeError, ElementTree.ParseError, LookupError, OSError, TypeError, ValueError):
            continue
    return tuple(found)


def _ome(tiff: Any, page: Any, series: int) -> Iterator[Claim]:  # noqa: ARG001
    if not tiff.is_ome:
        return
    root = ElementTree.fromstring(tiff.ome_metadata)
    images = list(root.iterfind("{*}Image"))
    if (companion := root.find("{*}BinaryOnly")) is not None:  # all that is said of this file stands in another
        image = _in_companion(Path(tiff.filehandle.path), companion)
    elif len(images) != len(tiff.series):  # images without pixels are no series
        images = [image for image in images if image.get("Name") == tiff.series[series].name]
        image = images[0] if len(images) == 1 else None
    else:
        image = images[series]
    pixels = None if image is None else image.find("{*}Pixels")
    if pixels is None:
        return
    sides = {axis: pixels.get(f"PhysicalSize{axis}") for axis in "YX"}
    units = {axis: UNITS_UM[pixels.get(f"PhysicalSize{axis}Unit", "µm").lower()] for axis in "YX"}
    known = [read_decimal(side) * units[axis] for axis, side in sides.items() if side is not None]
    if known:
        yield Claim("OME metadata", known[0], known[-1])


def _in_companion(file: Path, binary_only: ElementTree.Element) -> ElementTree.Element | None:
    """Return the only image of a companion.ome that has pixels in a file; None if it lies elsewhere than beside it."""
    companion = file.with_name(binary_only.attrib["MetadataFile"])
    if companion.resolve().parent != file.resolve().parent:
        return None
    images = ElementTree.fromstring(companion.read_bytes()).iterfind("{*}Image")
    mine = [each for each in images if any(u.get("FileName") == file.name for u in each.iterfind(".//{*}UUID"))]
    return mine[0] if len(mine) == 1 else None


def _aperio(tiff: Any, page: Any, series: int) -> Iterator[Claim]:  # noqa: ARG001
    if page.is_svs and (match := re.search(r"\|\s*MPP\s*=\s*([\d.,eE+-]+)", page.description)):
        side = read_decimal(match[1])
        yield Claim("Aperio MPP", side, side)


def _philips(tiff: Any, page: Any, series: int) -> Iterator[Claim]:  # noqa: ARG001
    if not tiff.is_philips:
        return
    levels = ".//*/DataObject[@ObjectType='PixelDataRepresentation']/Attribute[@Name='DICOM_PIXEL_SPACING']"
    spacing = ElementTree.fromstring(tiff.philips_metadata).findtext(levels)
    if spacing:
        y_mm, x_mm = (read_decimal(side) for side in spacing.replace('"', "").split())
        yield Claim("Philips pixel spacing", y_mm * 1e3, x_mm * 1e3)


def _leica(tiff: Any, page: Any, series: int) -> Iterator[Claim]:  # noqa: ARG001
    if not tiff.is_scn:
        return
    image = ElementTree.fromstring(tiff.scn_metadata).findall("{*}collection/{*}image")[series]
    view, pixels = image.find("{*}view"), image.find("{*}pixels")
    if view is not None and pixels is not None:
        y_nm, x_nm = (float(view.attrib[side]) / float(pixels.attrib[side]) for side in ("sizeY", "sizeX"))
        yield Claim("Leica SCN view", y_nm * 1e-3, x_nm * 1e-3)


def _ventana(tiff: Any, page: Any, series: int) -> Iterator[Claim]:  # noqa: ARG001
    if not tiff.is_bif:
        return
    for each in tiff.pages:
        if match := re.search(rb'ScanRes\s*=\s*"([\d.,]+)"', bytes(each.tags.valueof(700, default=b""))):
            side = read_decimal(match[1].decode())
            yield Claim("Ventana ScanRes", side, side)
            return


def _imagej(tiff: Any, page: Any, series: int) -> Iterator[Claim]:  # noqa: ARG001
    first = tiff.pages.first
    if not first.is_imagej:
        return
    stated = dict(line.split("=", 1) for line in first.imagej_description.splitlines() if "=" in line)
    yield from _per_unit("ImageJ", first, UNITS_UM[stated["unit"].strip().lower()])


def _zeiss(tiff: Any, page: Any, series: int) -> Iterator[Claim]:  # noqa: ARG001
    settings = page.tags.valueof(34118) or {}
    for key in ("ap_image_pixel_size", "ap_pixel_size"):
        _, *words = settings.get(key, ("",))
        if len(words) == 1:  # with a comma it was taken for text
            words = str(words[0]).split()
        if len(words) == 2:
            side = read_decimal(words[0]) * UNITS_UM[words[1].lower()]
            yield Claim("Zeiss SEM", side, side)


def _fei(tiff: Any, page: Any, series: int) -> Iterator[Claim]:  # noqa: ARG001
    for code in (34680, 34682):
        scan = (page.tags.valueof(code) or {}).get("Scan", {})
        if "PixelWidth" in scan and "PixelHeight" in scan:
            yield Claim("FEI scan", read_decimal(scan["PixelHeight"]) * 1e6, read_decimal(scan["PixelWidth"]) * 1e6)


def _gatan(tiff: Any, page: Any, series: int) -> Iterator[Claim]:  # noqa: ARG001
    """Read what DigitalMicrograph saves; which of its tags is which axis is not documented, so both must be alike."""
    (unit, other_unit), (side, other) = (
        [page.tags.valueof(code) for code in codes] for codes in ((65003, 65004), (65009, 65010))
    )
    if unit == other_unit and side == other:
        um = read_decimal(side) * UNITS_UM[unit.strip("\0 ").lower()]
        yield Claim("Gatan calibration", um, um)


def _olympus(tiff: Any, page: Any, series: int) -> Iterator[Claim]:  # noqa: ARG001
    for code in (33471, 33560):
        said = page.tags.valueof(code) or {}
        if "pixelsizex" in said and "pixelsizey" in said:
            yield Claim("Olympus SIS", read_decimal(said["pixelsizey"]) * 1e6, read_decimal(said["pixelsizex"]) * 1e6)


def _jeol(tiff: Any, page: Any, series: int) -> Iterator[Claim]:  # noqa: ARG001
    """Read a JEOL TEM's image: its resolution is that of the camera, so the magnification divides it."""
    if page.tags.valueof(271) != "JEOL Ltd.":
        return
    said = ElementTree.fromstring(page.description.strip("\1\0 \r\n\t"))
    report = said if said.tag == "TemReporter" else said.find(".//TemReporter")
    if report is None or report.findtext("Eos/EosMode") != "eosTEM":
        return
    if report.findtext("ImageFormingSystem/ModeString") == "MAG":
        magnification = read_decimal(report.findtext("ImageFormingSystem/SelectorValue"))
        unit_um = _RESOLUTION_UNITS_UM[int(page.tags.valueof(296, default=2))]
        yield from _per_unit("JEOL magnification", page, unit_um / magnification)


def _baseline(tiff: Any, page: Any, series: int) -> Iterator[Claim]:  # noqa: ARG001
    unit_um = _RESOLUTION_UNITS_UM[int(page.tags.valueof(296, default=2))]
    yield from _per_unit("NDPI resolution" if page.is_ndpi else "TIFF resolution", page, unit_um)


def _per_unit(source: str, page: Any, unit_um: float) -> Iterator[Claim]:
    """Read XResolution and YResolution as pixels per unit of length."""
    (x_px, x_units), (y_px, y_units) = (page.tags.valueof(code) for code in (282, 283))
    yield Claim(source, unit_um * y_units / y_px, unit_um * x_units / x_px)
