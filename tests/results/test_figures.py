"""Maps of one slide, and of several side by side: their ends, colours and scales, and what is left out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from batch_folders import Finished
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure

from axonflow.fiber.maps import CENTROID, NEEDED, Cells, is_whole, tissue_maps
from axonflow.kernel.classes import AXON_MYELIN
from axonflow.kernel.grid import Box
from axonflow.kernel.units import PixelSize
from axonflow.ngff.maps import read_maps
from axonflow.results.cells import colour_range, edges_um, few, has_tissue
from axonflow.results.figures import (
    DOUBT,
    FEWEST,
    PANELS,
    MapOf,
    Outlines,
    draw_levels,
    draw_maps,
    draw_profiles,
    medians_by_diameter,
)


def maps_of(masked_batch: Finished) -> list[xr.Dataset]:
    return [read_maps(Path(store) / "maps") for store in masked_batch.table["store"]]


def test_a_map_has_one_colour_scale_and_all_one_scale_of_length(
    masked_batch: Finished, tmp_path: Path, drawn: list[Figure]
) -> None:
    ours = maps_of(masked_batch)[:2]
    sure = [maps.assign(confidence=maps["avf"] * 0 + 0.9) for maps in ours[1:]]
    draw_levels([MapOf("C3", ours[0]), MapOf("C4", None), MapOf("C5", sure[0])], [tmp_path / "maps.png"], dpi=60)
    (figure,) = drawn
    rows = [figure.axes[i : i + 3] for i in range(0, len(figure.axes), 3)]  # two panels and their colour bar
    names = [name for name, _ in (*PANELS, DOUBT)]
    assert len(rows) == len(names)
    for (*panels, bar), name in zip(rows, names, strict=True):
        images = [image for panel in panels for image in panel.images]
        assert len(images) == (1 if name == "confidence" else 2)
        assert len({(image.norm.vmin, image.norm.vmax) for image in images}) == 1
        for image, maps in zip(images, ours if len(images) == 2 else sure, strict=True):
            blank = (name != "confidence") & ~has_tissue(maps)
            np.testing.assert_array_equal(
                np.ma.filled(np.ma.asarray(image.get_array()), np.nan), np.where(blank, np.nan, maps[name])
            )
        span = colour_range(ours if len(images) == 2 else sure, name)
        if span.low < span.high:
            assert (images[0].norm.vmin, images[0].norm.vmax) == (span.low, span.high)
        else:
            assert np.asarray(images[0].norm(np.array([span.low]))) == pytest.approx(0.5)
        assert bar.get_ylim() == (images[0].norm.vmin, images[0].norm.vmax)
        for panel in panels:
            pixels = panel.transData.transform([(0, 0), (10, 10)])
            assert abs(np.diff(pixels, axis=0)[0]) == pytest.approx(rows_scale(rows[0][0]))
    assert [panel.get_title() for panel in rows[0][:2]] == ["C3", "C5"]
    assert figure.texts[-1].get_text().splitlines()[0] == "left out: C4"
    for panel, maps in zip(rows[-1][:2], ours, strict=True):  # a scale bar, where it crosses no number of a cell
        assert len(panel.lines) == (not few(maps))


def rows_scale(panel: Any) -> list[float]:
    """Pixels of the figure per 10 µm, in both directions, of a panel."""
    (x0, y0), (x1, y1) = panel.transData.transform([(0, 0), (10, 10)])
    assert x1 - x0 == pytest.approx(y0 - y1)
    return [x1 - x0, y0 - y1]


def test_every_map_of_one_slide_is_drawn(masked_batch: Finished, tmp_path: Path, drawn: list[Figure]) -> None:
    for i, maps in enumerate(maps_of(masked_batch)):  # the last knows nothing of any cell
        draw_levels(
            [MapOf("a rather long name of a slide" * 2, maps)], [tmp_path / f"{i}.svg", tmp_path / f"{i}.png"], dpi=40
        )
        assert {path.name for path in tmp_path.glob(f"*{i}.*")} == {f"{i}.svg", f"{i}.png"}
    assert len(drawn) == 6


def mapped(shape: tuple[int, int], cell_um: float, blank: bool = True) -> xr.Dataset:
    """Maps of random tissue at 0.5 µm a pixel; the cell in the first row and column has none if it is to be blank."""
    cells = Cells(shape, PixelSize.square(0.5), cell_um)
    random = np.random.default_rng(1)
    classes = random.integers(0, 3, shape).astype(np.uint8)
    if blank:
        classes[: cells.edges(0)[1], : cells.edges(1)[1]] = 0
    axons = pd.DataFrame(
        {name: random.uniform(1, side - 1, 300) for name, side in zip(CENTROID, shape, strict=True)}
        | {name: random.uniform(0.3, 0.9, 300) for name in NEEDED if "px" not in name}
    )
    counted = cells.count(classes, AXON_MYELIN, np.ones(shape, bool), Box.whole(shape))
    return tissue_maps(cells, counted, lambda: [axons])


@pytest.mark.parametrize(("shape", "cell_um"), [((130, 250), 20.0), ((130, 90), 10.0), ((50, 61), 30.0)])
def test_maps_end_with_the_slide_and_a_cell_without_tissue_is_blank(
    shape: tuple[int, int], cell_um: float, tmp_path: Path, drawn: list[Figure]
) -> None:
    maps = mapped(shape, cell_um)
    draw_maps(maps, [tmp_path / "maps.svg"], Outlines(np.ones((5, 7), bool), {"dorsal": np.eye(9, dtype=bool)}))
    panels = [axes for axes in drawn[0].axes if axes.images and axes.get_title()]
    assert len(panels) == len(PANELS)
    for panel, (name, _) in zip(panels, PANELS, strict=True):
        assert panel.get_xlim() == pytest.approx((0, shape[1] * 0.5))
        assert panel.get_ylim() == pytest.approx((shape[0] * 0.5, 0))
        left, right, bottom, top = panel.images[0].get_extent()
        assert (left, top) == (0, 0)
        assert (right, bottom) == (maps.sizes["x"] * cell_um, maps.sizes["y"] * cell_um)
        assert np.isnan(np.ma.filled(np.ma.asarray(panel.images[0].get_array()), np.nan)[0, 0]), name
        assert panel.collections  # outlines


@pytest.mark.parametrize("n", [1, 2, 4])
def test_numbers_stand_in_few_cells_and_why_is_said(n: int, tmp_path: Path, drawn: list[Figure]) -> None:
    maps = mapped((100, 100 * n), 50.0, blank=False)
    draw_maps(maps, [tmp_path / "maps.svg"])
    panels = [axes for axes in drawn[0].axes if axes.images and axes.get_title()]
    bars = len(drawn[0].axes) - len(panels)
    assert bars == sum(np.unique(maps[name].to_numpy()).size > 1 for name, _ in PANELS)
    assert bars == 0 or n > 1
    fraction = next(axes for axes in panels if axes.get_title() == "axon volume fraction")
    written = [float(text.get_text()) for text in fraction.texts if "µm" not in text.get_text()]
    assert written == pytest.approx(maps["avf"].to_numpy().ravel(), rel=5e-3)
    assert drawn[0].get_supxlabel().startswith(f"{n} whole cell")


@pytest.mark.parametrize(
    ("shape", "cell_um"), [((130, 250), 20.0), ((130, 90), 13.0), ((50, 61), 30.0), ((40, 200), 20.0)]
)
def test_rests_of_cells_are_hatched_in_the_maps_of_one_slide_and_of_several(
    shape: tuple[int, int], cell_um: float, tmp_path: Path, drawn: list[Figure]
) -> None:
    maps = mapped(shape, cell_um)
    draw_maps(maps, [tmp_path / "maps.svg"])
    draw_levels([MapOf("a", maps), MapOf("b", mapped((130, 250), 20.0))], [tmp_path / "levels.svg"])
    down, along = edges_um(maps, "y"), edges_um(maps, "x")
    for figure in drawn:
        panel = figure.axes[0]
        veils = [each for each in panel.collections if each.get_hatch()]
        found = sorted(
            tuple(float(side) for side in path.get_extents().extents) for veil in veils for path in veil.get_paths()
        )
        rests = ~is_whole(maps) & np.isfinite(maps[PANELS[0][0]].to_numpy()) & has_tissue(maps)
        wanted = sorted((along[j], down[i], along[j + 1], down[i + 1]) for i, j in np.argwhere(rests))
        assert found == [pytest.approx(each) for each in wanted]
    alone, several = drawn
    hatched = any(each.get_hatch() for axes in alone.axes for each in axes.collections)
    assert ("hatched" in alone.get_supxlabel()) == hatched
    assert "hatched" in several.texts[-1].get_text()


def test_four_whole_cells_have_their_numbers_whatever_slivers_lie_beside_them(
    tmp_path: Path, drawn: list[Figure]
) -> None:
    maps = mapped((101, 101), 25.0, blank=False)
    assert maps["avf"].shape == (3, 3)
    draw_maps(maps, [tmp_path / "maps.svg"])
    fraction = next(axes for axes in drawn[0].axes if axes.get_title() == "axon volume fraction")
    written = [float(text.get_text()) for text in fraction.texts if "µm" not in text.get_text()]
    assert written == pytest.approx(maps["avf"].to_numpy()[:2, :2].ravel(), rel=5e-3)
    bars = [axes for axes in drawn[0].axes if not axes.images and axes.get_ylim()[0] < axes.get_ylim()[1]]
    assert bars
    assert "4 whole cells of 25 µm" in drawn[0].get_supxlabel()
    whole = maps["avf"].to_numpy()[:2, :2]
    norm = fraction.images[0].norm
    assert (norm.vmin, norm.vmax) == (whole.min(), whole.max())


def test_a_rest_is_dotted_in_the_profile_and_decides_no_height(tmp_path: Path, drawn: list[Figure]) -> None:
    maps = mapped((100, 106), 10.0)
    maps["axon_count"][:, -1] = 1000
    draw_profiles(maps, [tmp_path / "profile.svg"])
    (axes,) = drawn[0].axes
    patches: list[Any] = [*axes.patches]
    solid = [each.get_data() for each in patches if each.get_label() in ("down the slide (y)", "across the slide (x)")]
    down, across = (each.values for each in solid)
    assert np.isfinite(down).all()
    assert np.isfinite(across).tolist() == [True] * (len(across) - 1) + [False]
    assert axes.get_ylim()[1] == pytest.approx(1.08 * np.nanmax([*down, *across]))
    dotted = patches[2].get_data().values
    np.testing.assert_array_equal(dotted[:-1], across[:-1])
    assert dotted[-1] > axes.get_ylim()[1]


@settings(max_examples=40)
@given(st.integers(0, 400), st.floats(0.1, 3), st.integers(0, 2**32))
def test_medians_are_those_of_bins_that_hold_enough_axons(n: int, spread: float, seed: int) -> None:
    random = np.random.default_rng(seed)
    diameters, gratios = random.lognormal(0, spread, n), random.uniform(0, 1, n)
    at_um, medians, width = medians_by_diameter(diameters, gratios)
    assert width > 0
    assert len(medians) == len(at_um)
    assert len(medians) or n < FEWEST + max(1, n / 100)  # a few of the thickest may lie beyond
    assert (np.diff(at_um) > 0).all()
    order, first = np.argsort(diameters), 0
    for at, median in zip(at_um, medians, strict=True):  # of that many axons, from the thinnest on
        own = (order[first:end] for end in range(first + FEWEST, n + 1))
        group = next(each for each in own if np.median(diameters[each]) == at and np.median(gratios[each]) == median)
        first += len(group)
    assert not len(medians) or n - first <= max(1, n / 100)


def test_enough_cells_ask_for_no_smaller_ones(tmp_path: Path, drawn: list[Figure]) -> None:
    draw_maps(mapped((100, 500), 50.0), [tmp_path / "maps.svg"])
    assert not drawn[0].get_supxlabel()
    assert is_whole(mapped((100, 500), 50.0)).all()
