"""Cells end where the slide does, and only those of which enough is there decide the colours."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from axonflow.fiber.maps import FEWEST_CELLS, Cells, is_whole, tissue_maps
from axonflow.kernel.classes import AXON_MYELIN
from axonflow.kernel.grid import Box
from axonflow.kernel.units import PixelSize
from axonflow.results.cells import colour_range, edges_um, few, numbered, shown, with_bounds


def maps_of(cells: Cells, covered: np.ndarray[tuple[int, int], np.dtype[np.bool_]] | None = None) -> xr.Dataset:
    """Maps of nothing but axon."""
    import pandas as pd

    whole = np.ones(cells.shape, bool) if covered is None else covered
    pixels = cells.count(np.full(cells.shape, 2, np.uint8), AXON_MYELIN, whole, Box.whole(cells.shape))
    none = pd.DataFrame({name: [] for name in ("x0 (px)", "y0 (px)", "axon_diam (um)", "myelin_area (um^2)", "gratio")})
    return tissue_maps(cells, pixels, lambda: [none])


@settings(max_examples=60)
@given(st.integers(1, 300), st.integers(1, 300), st.floats(0.13, 40))
def test_edges_are_those_of_the_pixels(h: int, w: int, side_um: float) -> None:
    cells = Cells((h, w), PixelSize(0.13, 0.07), side_um)
    maps = maps_of(cells)
    for axis, name, um in ((0, "y", 0.13), (1, "x", 0.07)):
        np.testing.assert_allclose(edges_um(maps, name), cells.edges(axis) * um, atol=1e-9)


def test_a_rest_is_whole_enough_from_half_of_a_cell_on_and_a_mask_counts_alike() -> None:
    cells = Cells((100, 149), PixelSize.square(1.0), 50)
    assert is_whole(maps_of(cells))[:, -1].tolist() == [True, True]  # 49 of 50
    assert is_whole(maps_of(Cells((100, 124), PixelSize.square(1.0), 50)))[:, -1].tolist() == [False, False]
    assert is_whole(maps_of(Cells((100, 125), PixelSize.square(1.0), 50)))[:, -1].tolist() == [True, True]
    covered = np.ones((100, 149), bool)
    covered[:26, :50] = False
    assert is_whole(maps_of(cells, covered))[:, 0].tolist() == [False, True]


@settings(max_examples=80)
@given(st.lists(st.floats(0, 1, width=32), min_size=1, max_size=250), st.floats(0, 9))
def test_an_arrow_points_where_a_whole_cell_is_cut_off_and_rests_decide_nothing(
    values: list[float], rest: float
) -> None:
    """Whatever a rest holds, limits and arrows are those of whole cells."""
    n = len(values)
    maps = xr.Dataset(
        {
            "avf": (("y", "x"), [[*values, rest]], {"units": "1"}),
            "mvf": (("y", "x"), np.full((1, n + 1), 0.1)),
            "covered_area": (("y", "x"), [[1.0] * n + [0.49]]),
        },
        attrs={"cell_side_um": 1000.0},
    )
    low, high, beyond = colour_range([maps], "avf")
    alone = colour_range([maps.isel(x=slice(0, n))], "avf")
    assert (low, high, beyond) == alone
    drawn = shown(maps, "avf")[:, :n]
    assert bool((drawn < low).any()) == (beyond in ("min", "both"))
    assert bool((drawn > high).any()) == (beyond in ("max", "both"))
    assert low in values
    assert high in values
    if n <= 100:
        assert (low, high, beyond) == (min(values), max(values), "neither")


@settings(max_examples=60)
@given(st.integers(1, 200), st.integers(1, 200), st.integers(20, 90))
def test_what_is_said_before_a_run_of_whole_cells_is_what_its_maps_have(h: int, w: int, side_px: int) -> None:
    cells = Cells((h, w), PixelSize.square(0.5), 0.5 * side_px)
    maps = maps_of(cells)
    sides = [np.diff(np.r_[np.arange(0, n, side_px), n]) for n in (h, w)]
    half = np.outer(*sides) * 2 >= side_px**2
    assert cells.whole == (half.sum() or half.size) == numbered(maps).sum()
    assert few(maps) == (cells.whole < FEWEST_CELLS)


def test_netcdf_tells_where_each_cell_begins_and_ends(tmp_path: Path) -> None:
    maps = maps_of(Cells((100, 108), PixelSize.square(1.0), 50))
    with_bounds(maps).to_netcdf(tmp_path / "maps.nc", engine="h5netcdf")
    with xr.open_dataset(tmp_path / "maps.nc", engine="h5netcdf", decode_coords="all") as read:
        assert read["x"].attrs.get("bounds", read["x"].encoding.get("bounds")) == "x_bounds"
        assert read["x_bounds"].to_numpy().tolist() == [[0, 50], [50, 100], [100, 108]]
        assert set(read.data_vars) == set(maps.data_vars)


def test_maps_of_earlier_versions_are_judged_by_their_area() -> None:
    maps = maps_of(Cells((100, 108), PixelSize.square(1.0), 50))
    assert maps["covered_fraction"].to_numpy()[0].tolist() == pytest.approx([1, 1, 0.16])
    earlier = maps.assign(covered_fraction=maps["covered_fraction"] * 0 + 1)
    np.testing.assert_array_equal(is_whole(earlier), is_whole(maps))
