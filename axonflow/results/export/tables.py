"""The tables, for spreadsheets and for programs that read AxonDeepSeg's."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Literal

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
    """Write the columns of AxonDeepSeg as it does, of the axons that count."""
    from axonflow.fiber.table import write_ads_csv

    write_ads_csv(analysis.counted_fibers(), path)


def write_uaxons(analysis: Analysis, path: Path) -> None:
    """Write AxonDeepSeg's columns of the axons without myelin."""
    from axonflow.fiber.table import write_ads_unmyelinated

    write_ads_unmyelinated(analysis.counted_fibers(), path)


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
