"""What whoever reads an exported table of axons must know of it."""

from __future__ import annotations

from collections.abc import Iterator

from axonflow.kernel.units import PixelSize
from axonflow.kernel.words import count
from axonflow.results.analysis import Analysis

__all__ = ["notes"]

_ON_LABELS = ("anndata", "csv", "parquet", "spatialdata", "xlsx")
"""Tables that are as the store has them; AxonDeepSeg's places are made those of the slide."""


def notes(analysis: Analysis, format_: str, *, unmyelinated: bool = False) -> Iterator[str]:
    """Yield sentences on the pixels that places count in, rows that do not count, and g-ratios without meaning."""
    if format_ in _ON_LABELS and not analysis.on_slide_pixels:
        labels, slide = (PixelSize(*analysis.record[part]["pixel_size_um"]) for part in ("labels", "slide"))
        yield f"Places in px count pixels of the labels, {labels}, not of the slide, {slide}; in µm they are of both."
    gone = sum(analysis.left_out.values())
    if format_ in _ON_LABELS and gone:
        yield f"{count(gone, 'row is', 'rows are')} of axons that were left out: left_out says by which rule."
    if format_ == "ads-csv" and gone:
        yield f"{count(gone, 'axon that does not count has', 'axons that do not count have')} no row."
    if format_ in {"ads-csv", *_ON_LABELS} and not unmyelinated and (bare := analysis.missing_myelin):
        told = "leave out those whose myelin_area is 0 before you take means"
        yield f"The g-ratio of {count(bare, 'axon')} without any myelin is 1 by definition: {told}."
