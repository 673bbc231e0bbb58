"""Which axons are shown near by: those that differ most, with the reason, and those that differ least."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.measure import regionprops

from axonflow.results.report.examples import HOW_MANY, SMOOTH, TOLD_FROM_PX, doubtful_and_typical


def axons(n: int = 200, seed: int = 0) -> pd.DataFrame:
    """Ordinary ones."""
    random = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "axon_id": np.arange(1, n + 1),
            "axon_area (um^2)": np.full(n, 5.0),
            "axon_diam (um)": random.lognormal(0.5, 0.2, n),
            "gratio": random.normal(0.65, 0.02, n),
            "myelin_area (um^2)": random.uniform(1, 2, n),
            "solidity": random.uniform(0.93, 0.97, n),
            "image_border_touching": np.zeros(n, bool),
        }
    )


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("gratio", 0.98, "high g-ratio"),
        ("gratio", 0.2, "low g-ratio"),
        ("axon_diam (um)", 60.0, "very thick"),
        ("axon_diam (um)", 0.02, "very thin"),
        ("solidity", 0.3, "ragged outline"),
        ("myelin_area (um^2)", 0.0, "no myelin"),
    ],
)
def test_what_is_unlike_the_others_is_doubtful_and_says_why(column: str, value: float, reason: str) -> None:
    table = axons()
    table.loc[77, column] = value
    doubtful, typical = doubtful_and_typical(table, None, 0.01)
    assert doubtful[0].row == 77
    assert doubtful[0].why[0] == reason
    assert 77 not in {each.row for each in typical}


@pytest.mark.parametrize(("area_px", "told"), [(30, False), (119, False), (120, True), (5000, True)])
def test_an_outline_is_ragged_only_where_there_are_pixels_enough_to_tell(area_px: int, told: bool) -> None:
    table = axons()
    table.loc[77, ["solidity", "axon_area (um^2)"]] = 0.8, area_px * 0.01
    doubtful, _ = doubtful_and_typical(table, None, 0.01)
    assert ("ragged outline" in {why for each in doubtful if each.row == 77 for why in each.why}) == told


@settings(max_examples=200)
@given(st.floats(120, 900), st.floats(1, 2), st.floats(0, np.pi), st.floats(-0.5, 0.5), st.floats(-0.5, 0.5))
def test_no_smooth_outline_of_enough_pixels_can_be_called_ragged(
    area: float, longer: float, turned: float, y0: float, x0: float
) -> None:
    """Oracle: discs and ellipses as pixels show them, by scikit-image's solidity."""
    wide, narrow = (np.sqrt(area / np.pi * ratio) for ratio in (longer, 1 / longer))
    n = int(wide) + 2
    y, x = np.mgrid[-n : n + 1, -n : n + 1] - np.array([y0, x0]).reshape(2, 1, 1)
    along, across = np.cos(turned) * x + np.sin(turned) * y, np.cos(turned) * y - np.sin(turned) * x
    inside = (along / wide) ** 2 + (across / narrow) ** 2 <= 1
    (found,) = regionprops(inside.astype(np.uint8))
    assert found.area < TOLD_FROM_PX or found.solidity >= SMOOTH


def test_a_smooth_outline_of_few_pixels_would_be_called_ragged() -> None:
    y, x = np.mgrid[-9:10, -9:10]
    solidities = [
        regionprops((((y - dy) ** 2 + (x - dx) ** 2) <= area / np.pi).astype(np.uint8))[0].solidity
        for area in range(25, 60)
        for dy in np.arange(0, 0.5, 0.1)
        for dx in np.arange(0, 0.5, 0.1)
    ]
    assert min(solidities) < SMOOTH


def test_what_the_network_was_less_sure_of_is_doubtful() -> None:
    table, sure = axons(), np.random.default_rng(1).normal(0.95, 0.003, 200)
    sure[5] = 0.6
    sure[9] = np.nan
    doubtful, _ = doubtful_and_typical(table, sure, 0.01)
    assert doubtful[0].row == 5
    assert doubtful[0].why[0] == "network less sure"


@given(st.integers(0, 60), st.integers(0, 99), st.booleans())
def test_choices_are_distinct_and_rest_on_no_order(n: int, seed: int, alike: bool) -> None:
    table = axons(n, seed)
    if alike and n:
        table = table.assign(**{name: table[name].iloc[0] for name in table.columns[1:]})
    shuffled = table.sample(frac=1, random_state=seed)
    found, again = (
        [
            [int(rows["axon_id"].iloc[each.row]) for each in examples]
            for examples in doubtful_and_typical(rows, None, 0.01)
        ]
        for rows in (table, shuffled)
    )
    assert found == again
    doubtful, typical = found
    assert len(doubtful) == min(-(-n // 4), HOW_MANY)
    assert len(typical) == min(n - len(doubtful), HOW_MANY)
    assert not set(doubtful) & set(typical)


def test_typical_ones_have_myelin_and_all_of_them_is_in_the_picture() -> None:
    table = axons(60)
    table.loc[:20, "myelin_area (um^2)"] = 0.0
    table.loc[21:40, "image_border_touching"] = True
    _, typical = doubtful_and_typical(table, None, 0.01)
    assert {each.row for each in typical} <= set(range(41, 60))
