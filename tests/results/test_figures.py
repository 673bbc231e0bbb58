"""Maps of several slides side by side: their colours, their scales, and what is left out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from batch_folders import Finished
from matplotlib.figure import Figure

from axonflow.ngff.maps import read_maps
from axonflow.results.figures import DOUBT, PANELS, draw_levels


def maps_of(masked_batch: Finished) -> list[xr.Dataset]:
    return [read_maps(Path(store) / "maps") for store in masked_batch.table["store"]]


def test_a_map_has_one_colour_scale_and_all_one_scale_of_length(
    masked_batch: Finished, tmp_path: Path, drawn: list[Figure]
) -> None:
    ours = maps_of(masked_batch)[:2]
    sure = [maps.assign(confidence=maps["avf"] * 0 + 0.9) for maps in ours[1:]]
    draw_levels([("C3", ours[0]), ("C4", None), ("C5", sure[0])], [tmp_path / "maps.png"], dpi=60)
    (figure,) = drawn
    rows = [figure.axes[i : i + 3] for i in range(0, len(figure.axes), 3)]  # two panels and their colour bar
    names = [name for name, _ in (*PANELS, DOUBT)]
    assert len(rows) == len(names)
    for (*panels, bar), name in zip(rows, names, strict=True):
        images = [image for panel in panels for image in panel.images]
        assert len(images) == (1 if name == "confidence" else 2)
        assert len({id(image.norm) for image in images}) == 1
        for image, maps in zip(images, ours if len(images) == 2 else sure, strict=True):
            np.testing.assert_array_equal(np.ma.filled(np.ma.asarray(image.get_array()), np.nan), maps[name])
        values = np.concatenate([maps[name].to_numpy().ravel() for maps in (ours if len(images) == 2 else sure)])
        low, high = np.nanpercentile(values, (1, 99))
        assert images[0].norm.vmin == pytest.approx(low)
        assert images[0].norm.vmax == pytest.approx(high if high > low else low + 1)
        assert bar.get_ylim() == (images[0].norm.vmin, images[0].norm.vmax)
        for panel in panels:
            pixels = panel.transData.transform([(0, 0), (0.01, 0.01)])
            assert abs(np.diff(pixels, axis=0)[0]) == pytest.approx(rows_scale(rows[0][0]))
    assert [panel.get_title() for panel in rows[0][:2]] == ["C3", "C5"]
    assert [text.get_text() for text in figure.texts] == ["left out: C4"]
    assert all(len(panel.lines) == 1 for panel in rows[-1][:2])  # scale bars


def rows_scale(panel: Any) -> list[float]:
    """Pixels of the figure per 10 µm, in both directions, of a panel."""
    (x0, y0), (x1, y1) = panel.transData.transform([(0, 0), (0.01, 0.01)])
    assert x1 - x0 == pytest.approx(y0 - y1)
    return [x1 - x0, y0 - y1]


def test_every_map_of_one_slide_is_drawn(masked_batch: Finished, tmp_path: Path, drawn: list[Figure]) -> None:
    for i, maps in enumerate(maps_of(masked_batch)):  # the last knows nothing of any cell
        draw_levels(
            [("a rather long name of a slide" * 2, maps)], [tmp_path / f"{i}.svg", tmp_path / f"{i}.png"], dpi=40
        )
        assert {path.name for path in tmp_path.glob(f"*{i}.*")} == {f"{i}.svg", f"{i}.png"}
    assert len(drawn) == 6
