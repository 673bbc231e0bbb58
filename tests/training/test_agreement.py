"""The Bland–Altman figure shows each image once, its bias and its limits of agreement."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from axonflow.errors import InputError
from axonflow.net.judged import QUANTITIES
from axonflow.training.agreement import draw_bland_altman

NAMES = {f"{name}_{part}" for name in QUANTITIES for part in ("found", "true")}


def table(images: int) -> pd.DataFrame:
    random = np.random.default_rng(5)
    return pd.DataFrame({name: random.uniform(0.5, 2, images) for name in sorted(NAMES)})


def levels(axes: Axes) -> list[float]:
    """Where the horizontal lines of a panel lie, without the one at 0."""
    heights = [float(np.asarray(line.get_ydata())[0]) for line in axes.lines]
    assert heights.pop(0) == 0
    return heights


@pytest.mark.parametrize("images", [1, 2, 9])
def test_points_bias_and_limits(tmp_path: Path, drawn: list[Figure], images: int) -> None:
    scores = table(images)
    draw_bland_altman(scores, tmp_path / "agreement.png", dpi=40)
    for axes, (name, (words, unit)) in zip(drawn[0].axes, QUANTITIES.items(), strict=False):
        found, true = scores[f"{name}_found"], scores[f"{name}_true"]
        points = np.asarray(axes.collections[0].get_offsets())
        np.testing.assert_allclose(points, np.stack([(found + true) / 2, found - true], axis=1))
        mean, sd = (found - true).mean(), (found - true).std()
        expected = [mean] if images == 1 else [mean, mean - 1.96 * sd, mean + 1.96 * sd]
        assert levels(axes) == pytest.approx(expected)
        low, high = axes.get_ylim()
        assert low < min(*expected, *(found - true), 0)
        assert high > max(*expected, *(found - true), 0)
        assert axes.get_title() == words
        assert all(label.endswith(f"({unit})") == bool(unit) for label in (axes.get_xlabel(), axes.get_ylabel()))
    with Image.open(tmp_path / "agreement.png") as image:
        assert image.size == (420, 256)


def test_each_line_is_named_once(tmp_path: Path, drawn: list[Figure]) -> None:
    draw_bland_altman(table(3), tmp_path / "agreement.svg")
    legend = drawn[0].axes[-1].get_legend()
    assert legend is not None
    names = [text.get_text() for text in legend.get_texts()]
    assert names == ["no difference", "bias", "limits of agreement, bias ± 1.96 SD", "an image"]


def test_what_is_not_known_is_no_point(tmp_path: Path, drawn: list[Figure]) -> None:
    scores = table(4)
    scores["density_found"] = np.nan
    scores.loc[1, "gratio_found"] = np.nan
    draw_bland_altman(scores, tmp_path / "agreement.pdf")
    density, gratio = drawn[0].axes[0], drawn[0].axes[3]
    assert [text.get_text() for text in density.texts] == ["not known"]
    assert not density.collections
    assert len(np.asarray(gratio.collections[0].get_offsets())) == 3
    kept = scores.drop(index=1)
    assert levels(gratio)[0] == pytest.approx((kept["gratio_found"] - kept["gratio_true"]).mean())


def test_perfect_agreement_is_drawn(tmp_path: Path, drawn: list[Figure]) -> None:
    scores = pd.DataFrame(0.0, index=range(2), columns=sorted(NAMES))
    draw_bland_altman(scores, tmp_path / "agreement.png", dpi=40)
    assert levels(drawn[0].axes[0]) == [0, 0, 0]


def test_no_image_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="at least one image"):
        draw_bland_altman(table(0), tmp_path / "agreement.png")
