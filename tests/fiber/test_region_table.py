from __future__ import annotations

from pathlib import Path

import numpy as np
import oracles
import pandas as pd
from cores import assign_cores, measure_cores
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pyarrow import parquet
from strategies import chunked_tissues, generators, masks

from axonflow.fiber.maps import centroid_pixels
from axonflow.fiber.region_table import (
    DIAMETER_EDGES_UM,
    REGION_COLUMNS,
    count_regions,
    read_regions,
    region_table,
    spread_histogram,
    write_regions,
)
from axonflow.kernel.classes import AXON_MYELIN
from axonflow.kernel.grid import Box
from axonflow.kernel.tally import Ints, Tally
from axonflow.kernel.units import PixelSize

SIZE = PixelSize(0.2, 0.15)


def table_of(regions: Ints, diameters: list[float]) -> pd.DataFrame:
    """Return the table of axons that lie in these regions, of which each has a pixel."""
    axons = pd.DataFrame({"axon_diam (um)": diameters, "myelin_area (um^2)": 0.0, "gratio": 1.0})
    key = np.unique(regions[regions > 0])
    areas = Tally.of(key, np.ones((len(key), 3), np.int64))
    return region_table(areas, [str(k) for k in key], lambda: [(regions, axons)], SIZE)


@settings(max_examples=60)
@given(st.data(), chunked_tissues(), generators)
def test_any_chunking_counts_what_is_in_the_whole_image(
    data: st.DataObject, case: tuple[NDArray[np.uint8], list[Box]], rng: np.random.Generator
) -> None:
    semantic, boxes = case
    covered = data.draw(masks(semantic.shape))
    regions = np.where(data.draw(masks(semantic.shape)), rng.choice([2, 3, 70_000], semantic.shape), 0)
    regions = regions.astype(np.uint32)
    axons = oracles.axon_labels(semantic == 2, 2)
    counted = AXON_MYELIN.counted(semantic, axons)
    whole = [Box.whole(semantic.shape)]
    table = measure_cores(axons, assign_cores(axons, semantic == 1, 3, whole), whole, SIZE)
    region = np.where(covered, regions, 0)[centroid_pixels(table)].astype(np.int64)
    found = Tally.merge(
        count_regions(regions[box.slices], counted[box.slices], AXON_MYELIN, covered[box.slices]) for box in boxes
    )
    names = [str(key) for key in found.key]
    described = region_table(found, names, lambda: [(region, table)], SIZE).set_index("region")
    assert found.key.tolist() == np.unique(regions[regions > 0]).tolist()
    for number in found.key.tolist():
        row, here = described.loc[str(number)], (regions == number) & covered
        inside = table["axon_diam (um)"][region == number]
        assert row["axon_count"] == len(inside)
        n = np.count_nonzero(here)
        np.testing.assert_allclose(row["area (mm^2)"], n * SIZE.area_um2 / 1e6)
        shares = [np.count_nonzero(here & part) / n if n else np.nan for part in (axons > 0, semantic == 1)]
        np.testing.assert_array_equal(row[["avf", "mvf"]].astype(float), shares)
        expected = np.percentile(inside, (5, 50, 95)) if len(inside) else [np.nan] * 3
        found_so = row[[f"axon_diam_p{q} (um)" for q in (5, 50, 95)]].astype(float)
        np.testing.assert_array_equal(found_so, expected)
        assert row["axon_diam_histogram"].sum() == len(inside)


def test_a_bin_holds_its_lower_edge_and_the_last_has_no_upper_one() -> None:
    table = table_of(np.array([1, 1, 1, 1, 0, 1]), [0.0, 0.25, 9.99, 10.0, 1.0, 500.0])
    histogram = table["axon_diam_histogram"][0]
    assert len(histogram) == len(DIAMETER_EDGES_UM)
    assert {k: n for k, n in enumerate(histogram) if n} == {0: 1, 1: 1, 39: 1, 40: 2}


def test_no_region_makes_an_empty_table(tmp_path: Path) -> None:
    table = table_of(np.array([0]), [1.0])
    write_regions(table, tmp_path / "r.parquet")
    assert len(read_regions(tmp_path / "r.parquet")) == len(table) == 0
    assert len(spread_histogram(table)) == 0


def test_parquet_keeps_values_units_and_meanings(tmp_path: Path) -> None:
    table = table_of(np.array([3, 3, 9]), [1.0, 2.0, 3.0])
    write_regions(table, tmp_path / "r.parquet")
    read = read_regions(tmp_path / "r.parquet")
    pd.testing.assert_frame_equal(spread_histogram(read), spread_histogram(table), check_exact=True)
    for column, field in zip(REGION_COLUMNS, parquet.read_schema(tmp_path / "r.parquet"), strict=True):
        assert (field.name, field.metadata[b"unit"]) == (column.name, column.unit.encode())
