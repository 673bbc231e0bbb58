"""In the figures of animals every animal is a point, and equal values give equal files."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from axonflow.results.figures import Apart, Panel, draw_animals, draw_effects
from axonflow.results.figures.animals import _look
from axonflow.results.figures.style import new_figure, save

MANY = tuple(f"group {i} with a rather long name" for i in range(9))
VERY_MANY = tuple(f"group {i}" for i in range(150))


def points(path: Path) -> int:
    """Count what stands in white outlines: the points of groups, and not the ticks of axes."""
    return len(re.findall(r'<use [^>]*style="[^"]*stroke: #ffffff', path.read_text()))


@pytest.mark.parametrize("groups", [("all",), ("WT", "KO"), MANY, VERY_MANY[:30], VERY_MANY])
@pytest.mark.parametrize("categories", [1, 12])
def test_every_animal_is_a_point(tmp_path: Path, groups: tuple[str, ...], categories: int) -> None:
    random = np.random.default_rng(categories)
    values = {
        f"tract number {i}": {
            group: [*random.normal(1e4, 1e3, 1 + (i + j) % 5), np.nan] for j, group in enumerate(groups)
        }
        for i in range(categories)
    }
    panels = [
        Panel("axons per mm²", values),
        Panel("a measure of which nobody has a value", {name: {} for name in values}),
    ]
    one, two = tmp_path / "one.svg", tmp_path / "two.svg"
    draw_animals(panels, groups, [one], categories="tracts")
    draw_animals(panels, groups, [two], categories="tracts")
    assert points(one) == sum(len(known) - 1 for of in values.values() for known in of.values())
    assert one.read_bytes() == two.read_bytes()


def test_up_to_49_groups_look_different() -> None:
    assert len({_look(i) for i in range(49)}) == 49


@pytest.mark.parametrize("sides", [(9_000.0, 20.0), (20.0, 9_000.0)])
def test_a_figure_of_very_much_is_drawn_with_fewer_dots(tmp_path: Path, sides: tuple[float, float]) -> None:
    """Beyond 65,535 px along a side nothing would be drawn at all."""
    figure = new_figure(*sides)
    figure.subplots()
    save(figure, [tmp_path / "large.png"])
    with Image.open(tmp_path / "large.png") as drawn:
        assert 65_000 < max(drawn.size) < 2**16


def test_effects_without_an_interval_are_drawn(tmp_path: Path) -> None:
    nan = float("nan")
    found = [
        Apart("AVF", 3.0, -2.0, 8.0, "+0.1 [−0.1, +0.3]", "+0.4"),
        Apart("MVF", -1.0, nan, nan, "−0.1", "−0.1"),
        Apart("g-ratio", nan, nan, nan, "–", "–"),
    ]
    for name in ("one", "two"):
        draw_effects({"KO compared with WT": found, "het compared with WT": found}, [tmp_path / f"{name}.svg"])
    assert points(tmp_path / "one.svg") == 4
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()


def test_names_are_text_whatever_signs_are_in_them(tmp_path: Path) -> None:
    odd = "dose $x^{2$ and \\frac{"
    draw_animals(
        [Panel("axons per mm²", {odd: {"$5": [1.0, 2.0]}})], ("$5",), [tmp_path / "a.svg"], categories="tracts"
    )
    assert (tmp_path / "a.svg").stat().st_size
