from __future__ import annotations

from itertools import pairwise

import numpy as np
import oracles
import pandas as pd
import pytest
from cores import assign_cores, measure_cores
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from strategies import chunked_tissues, generators, masks

from axonflow.errors import InputError
from axonflow.fiber.maps import Cells, centroid_pixels, tissue_maps
from axonflow.fiber.tissue import tissue
from axonflow.kernel.classes import AXON_MYELIN
from axonflow.kernel.grid import Box
from axonflow.kernel.tally import Tally
from axonflow.kernel.units import PixelSize


@st.composite
def cases(draw: st.DrawFn) -> tuple[NDArray[np.uint8], NDArray[np.bool_], list[Box], Cells]:
    semantic, boxes = draw(chunked_tissues())
    size = draw(st.sampled_from((PixelSize.square(0.1), PixelSize(0.13, 0.07))))
    cells = Cells(semantic.shape, size, draw(st.floats(0.2, 3)))
    return semantic, draw(masks(semantic.shape)), boxes, cells


@settings(max_examples=80)
@given(cases())
def test_any_chunking_maps_what_a_plain_loop_over_the_cells_finds(
    case: tuple[NDArray[np.uint8], NDArray[np.bool_], list[Box], Cells],
) -> None:
    semantic, covered, boxes, cells = case
    whole = [Box.whole(semantic.shape)]
    axons = oracles.axon_labels(semantic == 2, 3)
    counted = AXON_MYELIN.counted(semantic, axons)
    table = measure_cores(axons, assign_cores(axons, semantic == 1, 3, whole), whole, cells.pixel_size)
    rows, columns = centroid_pixels(table)
    counts = covered[rows, columns]
    areas, alone = (
        Tally.merge(cells.count(counted[b.slices], AXON_MYELIN, covered[b.slices], b) for b in parts)
        for parts in (boxes, whole)
    )
    np.testing.assert_array_equal(areas.key, alone.key)
    np.testing.assert_array_equal(areas.total, alone.total)
    maps = tissue_maps(cells, areas, lambda: [table[counts]])

    um = cells.pixel_size
    edges = [
        [k for k in (round(i * cells.side_um / side) for i in range(1000)) if k < n] + [n]
        for n, side in zip(semantic.shape, (um.y, um.x), strict=True)
    ]
    for i, (y0, y1) in enumerate(pairwise(edges[0])):
        for j, (x0, x1) in enumerate(pairwise(edges[1])):
            cell = maps.isel(y=i, x=j)
            part = np.s_[y0:y1, x0:x1]
            n = np.count_nonzero(covered[part])
            axon = np.count_nonzero(covered[part] & (axons[part] > 0))
            myelin = np.count_nonzero(covered[part] & (semantic[part] == 1))
            here = table[counts & (y0 <= rows) & (rows < y1) & (x0 <= columns) & (columns < x1)]
            sheathed = here[here["myelin_area (um^2)"] > 0]
            nan = float("nan")
            expected = {
                "axon_count": len(here) if n else nan,
                "axon_density": len(here) / (n * um.area_um2 / 1e6) if n else nan,
                "avf": axon / n if n else nan,
                "mvf": myelin / n if n else nan,
                "fvf": (axon + myelin) / n if n else nan,
                "gratio_aggregate": np.sqrt(1 / (1 + myelin / axon)) if axon else nan,
                "axon_diameter_mean": here["axon_diam (um)"].mean() if len(here) else nan,
                "axon_diameter_std": here["axon_diam (um)"].std(ddof=0) if len(here) else nan,
                "gratio_mean": sheathed["gratio"].mean() if len(sheathed) else nan,
                "covered_area": n * um.area_um2 / 1e6,
                "covered_fraction": n / (whole_side(cells, 0, i) * whole_side(cells, 1, j)),
            }
            assert {name: float(cell[name]) for name in cell.data_vars} == pytest.approx(
                expected, rel=1e-12, abs=1e-9, nan_ok=True
            )
            assert (float(cell.y), float(cell.x)) == pytest.approx(((y0 + y1) / 2 * um.y, (x0 + x1) / 2 * um.x))


def whole_side(cells: Cells, axis: int, k: int) -> int:
    """The side, px, that cell k would have if the slide had no end."""
    um = (cells.pixel_size.y, cells.pixel_size.x)[axis]
    return round((k + 1) * cells.side_um / um) - round(k * cells.side_um / um)


@settings(max_examples=60)
@given(st.integers(1, 400), st.integers(1, 400), st.floats(0.13, 30))
def test_a_cell_of_which_all_is_there_and_counts_is_covered_wholly_and_a_rest_in_part(
    h: int, w: int, side_um: float
) -> None:
    cells = Cells((h, w), PixelSize(0.13, 0.07), side_um)
    for axis in (0, 1):
        there, whole = np.diff(cells.edges(axis)), cells.sides(axis)
        assert there.shape == whole.shape
        np.testing.assert_array_equal(there[:-1], whole[:-1])
        assert 0 < there[-1] <= whole[-1]


def test_everything_has_a_unit_and_a_name() -> None:
    cells = Cells((10, 10), PixelSize.square(1.0), 5)
    no_axons = pd.DataFrame(
        {name: [] for name in ("x0 (px)", "y0 (px)", "axon_diam (um)", "myelin_area (um^2)", "gratio")}
    )
    maps = tissue_maps(cells, Tally.empty(3), lambda: [no_axons])
    assert maps.sizes == {"y": 2, "x": 2}
    assert all(set(variable.attrs) == {"units", "long_name"} for variable in maps.variables.values())
    assert np.isnan(maps["axon_count"]).all()
    assert (maps["covered_fraction"] == 0).all()


def test_cells_are_whole_pixels_and_end_with_the_slide() -> None:
    cells = Cells((1234, 40), PixelSize.square(0.18), 50)
    assert cells.edges(0).tolist() == [0, 278, 556, 833, 1111, 1234]
    assert cells.edges(1).tolist() == [0, 40]
    assert cells.counts == (5, 1)


def test_a_slide_of_whole_cells_has_no_cell_of_nothing() -> None:
    assert Cells((100, 50), PixelSize.square(1.0), 50).counts == (2, 1)


@pytest.mark.parametrize("side_um", [0.05, 0.0, -1.0, float("nan")])
def test_cells_smaller_than_a_pixel_are_refused(side_um: float) -> None:
    with pytest.raises(InputError, match="at least one pixel"):
        Cells((10, 10), PixelSize(0.1, 0.05), side_um)


@settings(max_examples=60)
@given(st.lists(st.integers(1, 30), max_size=6), generators)
def test_the_parts_in_which_the_table_comes_decide_nothing(sizes: list[int], rng: np.random.Generator) -> None:
    n, k = sum(sizes), 5
    part, pixels = rng.integers(0, k, n), rng.integers(0, 99, (k, 3))
    table = pd.DataFrame(
        {"axon_diam (um)": rng.random(n), "myelin_area (um^2)": rng.integers(0, 2, n), "gratio": rng.random(n)}
    )
    cuts = [0, *np.cumsum(sizes).tolist()]
    whole = tissue(pixels, lambda: [(part, table)], PixelSize.square(0.1))
    in_parts = tissue(pixels, lambda: [(part[a:b], table[a:b]) for a, b in pairwise(cuts)], PixelSize.square(0.1))
    for value, alike in zip(whole, in_parts, strict=True):
        np.testing.assert_array_equal(value, alike)
