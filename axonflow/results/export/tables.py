"""The tables, for spreadsheets and for programs that read AxonDeepSeg's."""

from __future__ import annotations

import shutil
from pathlib import Path

from axonflow.results.analysis import Analysis

__all__ = ["copy_parquet", "write_ads", "write_csv", "write_regions_csv"]


def write_ads(analysis: Analysis, path: Path) -> None:
    """Write the columns of AxonDeepSeg as it does."""
    from axonflow.fiber.table import write_ads_csv

    write_ads_csv(analysis.fibers, path)


def write_csv(analysis: Analysis, path: Path) -> None:
    """Write all columns of all axons."""
    analysis.fibers.to_csv(path, index=False)


def copy_parquet(analysis: Analysis, path: Path) -> None:
    """Copy the table of axons, with its units."""
    shutil.copyfile(analysis.store / "tables" / "fibers.parquet", path)


def write_regions_csv(analysis: Analysis, path: Path) -> None:
    """Write the table of regions, each bin of its histogram as a column."""
    from axonflow.fiber.region_table import spread_histogram

    spread_histogram(analysis.regions).to_csv(path, index=False)
