"""What a page shows of maps: yes and no in two colours, ends that no rest of a cell decides, names in words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from viewed import write_viewed_store

from axonflow.fiber.rules import counts
from axonflow.kernel.grid import Box
from axonflow.results.analysis import Analysis, open_store
from axonflow.results.cells import colour_range
from axonflow.results.viewer import _checked
from axonflow.results.viewer.layers import View, legends, view_state
from axonflow.results.viewer.scene import YES_NO, Scene


@pytest.fixture(scope="module")
def analysis(tmp_path_factory: pytest.TempPathFactory) -> Analysis:
    return open_store(write_viewed_store(tmp_path_factory.mktemp("scene")))


@pytest.fixture
def doubted(analysis: Analysis) -> Scene:
    """As if a network had been at work."""
    judged = open_store(Path(analysis.store))
    maps = judged.maps
    maps["unfamiliar"] = (
        (maps["avf"] > float(maps["avf"].median())).astype(float).assign_attrs(units="1", long_name="x")
    )
    return Scene(judged)


def test_yes_and_no_have_two_colours_and_two_words(doubted: Scene) -> None:
    scaled = doubted.scaled["unfamiliar"]
    assert scaled.words == YES_NO["unfamiliar"]
    assert (scaled.low, scaled.high) == (0.0, 1.0)
    assert legends([doubted])[scaled.title] == {"patches": dict(scaled.words)}
    state = view_state([doubted], [("store", "made")], View())
    (layer,) = [layer for layer in state["layers"] if layer["name"] == scaled.title]
    assert "shaderControls" not in layer
    assert "invlerp" not in layer["shader"]


def test_the_ends_of_colours_are_those_of_the_figures(analysis: Analysis) -> None:
    scene = Scene(analysis)
    for name in ("avf", "axon_density", "gratio_aggregate"):
        low, high, _ = colour_range([analysis.maps], name)
        assert (scene.scaled[name].low, scene.scaled[name].high) == pytest.approx((low, high), rel=5e-3)


def test_the_key_says_how_many_axons_are_not_painted(analysis: Analysis) -> None:
    assert all("note" not in explained for name, explained in legends([Scene(analysis)]).items() if "map" not in name)
    judged = open_store(analysis.store)
    judged.fibers.loc[:2, "left_out"] = "area"
    out = ~counts(judged.fibers)
    assert out.sum() == 3
    scene = Scene(judged)
    explained = legends([scene])
    for name in ("gratio", "diameter"):
        assert explained[scene.scaled[name].title]["note"] == "not painted: 3 axons left out"
        shown = scene.scaled[name].image.values(0, Box.whole(scene.labels.shape))
        ids = np.unique(scene.labels.read(Box.whole(scene.labels.shape))[np.isfinite(shown)])
        assert set(ids) == set(judged.fibers["axon_id"][~out])
    assert "note" not in explained["axons and myelin"]


def test_a_range_of_one_value_still_has_two_ends(analysis: Analysis) -> None:
    maps = open_store(analysis.store)
    maps.maps["avf"][:] = 0.25
    scaled = Scene(maps).scaled["avf"]
    assert (scaled.low, scaled.high) == (0.0, 0.25)


def test_a_place_is_seen_no_coarser_than_the_slide_is(analysis: Analysis) -> None:
    assert 0 < Scene(analysis).near <= 0.1
    assert np.isfinite(Scene(analysis).near)


@pytest.mark.parametrize("room", [(760, 640), (1600, 1136), (300, 900)])
def test_an_axon_fills_a_fair_part_of_the_view_and_its_fiber_is_in_it(
    analysis: Analysis, room: tuple[int, int]
) -> None:
    scene = Scene(analysis)
    pixel, near = scene.labels.pixel_size.y, 0
    for _, row in scene.fibers.iterrows():
        shown_um = min(room) * scene.close_up(row, room)
        edges = {axis: [row[f"bbox_{end}_{axis}"] * pixel for end in ("min", "max")] for axis in "yx"}
        for axis, (first, last) in edges.items():
            middle = row[f"{axis}0 (um)"]
            assert middle - shown_um / 2 < first < last < middle + shown_um / 2
        closest = shown_um <= min(room) * pixel / 24 * (1 + 1e-9)
        large = row["axon_diam (um)"] >= shown_um / 6 * (1 - 1e-9)
        off = max(abs(edge - row[f"{axis}0 (um)"]) for axis, ends in edges.items() for edge in ends)
        assert closest or large or off == pytest.approx(0.45 * shown_um)
        near += not closest
    assert near  # not all are so small that their pixels decide


def test_an_axon_is_shown_as_large_in_any_view(analysis: Analysis) -> None:
    scene = Scene(analysis)
    axon = int(scene.fibers.sort_values("axon_diam (um)")["axon_id"].iloc[-1])
    small, twice, beside = (
        _checked(scenes, View(axon=axon, room=room)).um_per_px or 0
        for scenes, room in (([scene], (760, 640)), ([scene], (1520, 1280)), ([scene, scene], (1280, 640)))
    )
    assert 0 < twice == pytest.approx(small / 2)
    assert beside == pytest.approx(small)
