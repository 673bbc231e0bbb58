"""Names of regions on the picture of a slide: none over another, and none lost."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from axonflow.results.figures import draw_slide


def regions_of(grid: int, words: int) -> dict[str, np.ndarray[tuple[int, int], np.dtype[np.bool_]]]:
    """A square cut into a grid of squares, with names of so many words."""
    number = np.add.outer(np.arange(120) * grid // 120 * grid, np.arange(120) * grid // 120)
    return {" ".join(["region"] * words + [f"n{n}"]): number == n for n in range(grid * grid)}


@pytest.mark.parametrize("grid", [1, 2, 4, 7, 15])
@pytest.mark.parametrize("words", [0, 1, 4])
def test_no_name_lies_over_another_and_what_has_no_room_is_explained_below(
    grid: int, words: int, tmp_path: Path, drawn: list[Figure]
) -> None:
    regions = regions_of(grid, words)
    grey = np.random.default_rng(0).integers(0, 255, (60, 60)).astype(np.uint8)
    draw_slide(grey, (50.0, 50.0), None, regions, [tmp_path / "slide.png"])
    (figure,) = drawn
    figure.draw_without_rendering()  # at one resolution, after it was saved at another
    (axes,) = figure.axes
    texts = [text for text in axes.texts if "µm" not in text.get_text()]
    frames = [text.get_window_extent() for text in texts]
    assert all(not frame.count_overlaps(frames[:i]) for i, frame in enumerate(frames))
    assert all(axes.bbox.containsx(x) for frame in frames for x in (frame.x0, frame.x1))
    assert all(axes.bbox.containsy(y) for frame in frames for y in (frame.y0, frame.y1))
    key = re.split(r" +|\n", figure.get_supxlabel())  # in an entry are no-break spaces alone
    below = [each.replace("\N{NO-BREAK SPACE}", " ") for each in key if each]
    for number, name in enumerate(regions, 1):
        inside = [text for text in texts if " ".join(text.get_text().split()) in (name, str(number))]
        assert len(inside) <= 1
        if inside:
            assert (inside[0].get_text() == str(number)) == (f"{number} {name}" in below)
    assert len(texts) == grid * grid or grid > 7
    assert not below or axes.get_window_extent().y0 > figure.dpi * 0.2
