"""How many rows were scanned, in the words of electron microscopes' TIFFs: what lies below them is an info bar."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from axonflow.slide.slide import InfoBar, tallest_bar

__all__ = ["stated_bar"]


def stated_bar(page: Any) -> InfoBar | None:
    """Return the info bar that follows from what a page says; None if it says nothing of one.

    Parameters
    ----------
    page : tifffile.TiffPage
        Its pixels as they were saved by the microscope: an image that was scaled or cut since is not understood.
    """
    height, width = page.imagelength, page.imagewidth
    for source in (_fei, _zeiss):
        try:
            for rows, columns, words in source(page):
                if columns == width and 0 < height - rows <= tallest_bar(height):
                    return InfoBar(height - rows, words)
        except (AttributeError, LookupError, TypeError, ValueError):
            continue
    return None


def _fei(page: Any) -> Iterator[tuple[int, int, str]]:
    for code in (34680, 34682):
        image = (page.tags.valueof(code) or {}).get("Image", {})
        if "ResolutionX" in image and "ResolutionY" in image:
            yield int(image["ResolutionY"]), int(image["ResolutionX"]), f"FEI tag {code}: ResolutionY"


def _zeiss(page: Any) -> Iterator[tuple[int, int, str]]:
    stored = (page.tags.valueof(34118) or {}).get("dp_image_store")
    if stored:
        columns, rows = str(stored[1]).split("*")
        yield int(rows), int(columns), "Zeiss tag 34118: Store resolution"
