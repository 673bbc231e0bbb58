"""What grey the tiles of a TIFF have that were left out of it."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from axonflow.slide.luminance import Luminance
from axonflow.slide.tiff_planes import SCANNERS

__all__ = ["missing_grey"]

_GDAL_NODATA, _XMP = 42113, 700


def missing_grey(page: Any, luminance: Luminance, kind: str) -> int:
    """Return the grey of tiles that are not in the file.

    Parameters
    ----------
    page : tifffile.TiffPage
    luminance : Luminance
    kind : str
        Of its series, by tifffile's word.

    Returns
    -------
    int
        White where a slide scanner saw colours, which it does in bright field, or what Ventana calls white; what GDAL
        calls no data; else 0.
    """
    if kind in SCANNERS and len(luminance.samples) > 1 and page.dtype.kind == "u":
        return _ventana_white(page) if kind == "bif" else int(np.iinfo(page.dtype).max)
    try:
        said = int(float(page.tags.valueof(_GDAL_NODATA, default="0")))
    except (OverflowError, TypeError, ValueError):
        return 0
    if page.dtype.kind != "u" or luminance.palette is not None or luminance.white is not None:
        return 0
    return said if 0 <= said <= np.iinfo(page.dtype).max else 0


def _ventana_white(page: Any) -> int:
    white = int(np.iinfo(page.dtype).max)
    for each in page.parent.pages:
        said = bytes(each.tags.valueof(_XMP, default=b""))
        if (match := re.search(rb'ScanWhitePoint\s*=\s*"(\d{1,5})"', said)) and int(match[1]) <= white:
            return int(match[1])
    return white
