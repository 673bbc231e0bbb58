"""One g-ratio, whoever asks: of a fiber, of tissue, of a whole image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from axonflow.fiber.gratio import aggregate_gratio, gratio
from axonflow.training.score import Quantities

px = st.integers(1, 10**9)


@given(px, st.integers(0, 10**9))
def test_all_agree(axon: int, myelin: int) -> None:
    expected = pytest.approx((axon / (axon + myelin)) ** 0.5, rel=1e-12)
    whole = axon + myelin
    assert gratio(float(axon), float(whole)) == expected
    assert aggregate_gratio(axon / whole, myelin / whole) == expected
    assert Quantities(1, axon, myelin, whole, 1.0, None).gratio == expected


def test_without_an_axon_there_is_none_and_without_myelin_it_is_1() -> None:
    found = aggregate_gratio(np.array([0.0, 0.2, np.nan]), np.array([0.3, 0.0, 0.1]))
    np.testing.assert_array_equal(found, [np.nan, 1, np.nan])
    assert np.isnan(aggregate_gratio(0.0, 0.0))


def test_nobody_else_writes_its_formula() -> None:
    package = Path(__file__).parents[2] / "axonflow"
    named = [path for path in package.rglob("*.py") if "gratio" in path.read_text()]
    assert [path.name for path in named if "** 0.5" in path.read_text()] == []
