"""The tables, for spreadsheets and for programs that read AxonDeepSeg's."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from axonflow.fiber.columns import for_csv
from axonflow.kernel.files import new_file
from axonflow.results.analysis import Analysis

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["copy_parquet", "write_ads", "write_csv", "write_regions_csv", "write_uaxons"]


_COMPRESSIONS: dict[str, Literal["gzip", "bz2", "zip", "xz", "zstd"]] = {
    ".gz": "gzip",
    ".bz2": "bz2",
    ".zip": "zip",
    ".xz": "xz",
    ".zst": "zstd",
}


def write_ads(analysis: Analysis, path: Path) -> None:
    """Write the columns of AxonDeepSeg as it does, of the axons that count; places in the slide's own pixels."""
    from axonflow.fiber.table import write_ads_csv

    write_ads_csv(_on_the_slide(analysis), path)


def write_uaxons(analysis: Analysis, path: Path) -> None:
    """Write AxonDeepSeg's columns of the axons without myelin; places likewise."""
    from axonflow.fiber.table import write_ads_unmyelinated

    write_ads_unmyelinated(_on_the_slide(analysis), path)


def _on_the_slide(analysis: Analysis) -> pd.DataFrame:
    """Return the axons that count with places in pixels of the slide, where the labels have pixels of their own.

    A bounding box becomes the smallest one of whole pixels of the slide that holds it.
    """
    fibers, slide, labels = analysis.counted_fibers(), analysis.record["slide"], analysis.record["labels"]
    if analysis.on_slide_pixels:
        return fibers
    moved = {}
    sides = zip("yx", slide["shape"], slide["pixel_size_um"], labels["pixel_size_um"], strict=True)
    for axis, length, pixel_um, label_um in sides:
        scale = label_um / pixel_um
        moved[f"{axis}0 (px)"] = (fibers[f"{axis}0 (px)"] + 0.5) * scale - 0.5
        for end, whole in (("min", np.floor), ("max", np.ceil)):
            name = f"bbox_{end}_{axis}"
            # One that ends with a pixel of the slide but for rounding ends there.
            places = whole(np.round(fibers[name].to_numpy() * scale, 6))
            moved[name] = np.clip(places, 0, length).astype(np.int64)
    return fibers.assign(**moved)


def write_csv(analysis: Analysis, path: Path) -> None:
    """Write all columns of all axons."""
    _write(analysis.fibers, path)


def copy_parquet(analysis: Analysis, path: Path) -> None:
    """Copy the table of axons, with its units."""
    with new_file(path) as part:
        shutil.copyfile(analysis.store / "tables" / "fibers.parquet", part)


def write_regions_csv(analysis: Analysis, path: Path) -> None:
    """Write the table of regions, each bin of its histogram as a column."""
    from axonflow.fiber.region_table import spread_histogram

    _write(spread_histogram(analysis.regions), path)


def _write(table: pd.DataFrame, path: Path) -> None:
    with new_file(path) as part:
        for_csv(table).to_csv(part, index=False, compression=_COMPRESSIONS.get(path.suffix.lower()))
