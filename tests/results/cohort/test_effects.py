"""Effect sizes are those of scipy; intervals are drawn over animals, and say how far to trust them."""

from __future__ import annotations

from math import gamma, sqrt
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from axonflow.results.cohort.effects import COVERAGE, FEWEST, FEWEST_FOR_G, RESAMPLES, SEED, compare, hedges_g

VALUES = st.lists(st.integers(-1000, 1000).map(lambda value: value / 8), min_size=2, max_size=9)


def normal(n: int, mean: float, seed: int) -> Any:
    return np.random.default_rng(seed).normal(mean, 1, n)


@given(first=VALUES, second=VALUES)
def test_g_is_the_statistic_of_a_t_test_in_standard_deviations(first: list[float], second: list[float]) -> None:
    n, m = len(first), len(second)
    if np.ptp(first) + np.ptp(second) == 0:
        assert np.isnan(compare(first, second).g)
        return
    line = stats.linregress([0] * n + [1] * m, [*first, *second])  # whose slope is tested as a difference of means
    t, freedom = line.slope / line.stderr, n + m - 2
    correction = gamma(freedom / 2) / (sqrt(freedom / 2) * gamma((freedom - 1) / 2))
    assert float(hedges_g(np.array(first), np.array(second))) == pytest.approx(correction * t * sqrt(1 / n + 1 / m))


@pytest.mark.parametrize(("n", "m"), [(3, 3), (4, 7), (9, 5), (12, 12)])
def test_intervals_are_those_of_scipy(n: int, m: int) -> None:
    first, second = np.sort(normal(n, 10, 0)), np.sort(normal(m, 11, 1))

    def difference(a: Any, b: Any, axis: int) -> Any:
        return np.mean(b, axis=axis) - np.mean(a, axis=axis)

    expected = stats.bootstrap(
        (first, second), difference, n_resamples=RESAMPLES, method="BCa", random_state=np.random.default_rng(SEED)
    ).confidence_interval
    found = compare([*first], [*second])
    assert (found.difference_interval.low, found.difference_interval.high) == pytest.approx(expected)
    assert found.difference_interval.low <= found.difference <= found.difference_interval.high
    assert found.means == pytest.approx((first.mean(), second.mean()))
    assert np.isfinite(found.g_interval.low) == (min(n, m) >= FEWEST_FOR_G)
    assert ("no interval for g" in found.note) == (min(n, m) < FEWEST_FOR_G)


@given(first=VALUES, second=VALUES, seed=st.integers(0, 99))
def test_the_order_of_animals_says_nothing(first: list[float], second: list[float], seed: int) -> None:
    random = np.random.default_rng(seed)
    assert str(compare([*random.permutation(first)], [*random.permutation(second)])) == str(compare(first, second))


@given(n=st.integers(1, 5), m=st.integers(1, 5))
def test_few_animals_have_no_interval_and_are_told_so(n: int, m: int) -> None:
    found = compare([*normal(n, 0, n)], [*normal(m, 3, 10 + m)])
    assert np.isfinite(found.difference)
    assert np.isfinite(found.difference_interval.low) == (min(n, m) >= FEWEST)
    if min(n, m) < FEWEST:
        assert f"{n} and {m} animals, and {FEWEST} in each group are the fewest" in found.note
    else:
        assert f"about {COVERAGE[min(n, m)]} of 100" in found.note


def test_animals_that_do_not_differ_have_no_interval() -> None:
    found = compare([0.1, 0.1, 0.1], [0.3] * 5)
    assert found.difference == pytest.approx(0.2)
    assert found.note == "no interval: the animals of a group do not differ"
    assert np.isnan([found.g, found.difference_interval.low, found.g_interval.high]).all()


@pytest.mark.parametrize("n", [3, 6])
def test_as_many_intervals_hold_the_truth_as_the_note_says(n: int) -> None:
    random, held, of = np.random.default_rng(n), 0, 150
    for _ in range(of):
        found = compare([*random.normal(0, 1, n)], [*random.normal(1, 1, n)]).difference_interval
        held += found.low <= 1 <= found.high
    assert held / of == pytest.approx(COVERAGE[n] / 100, abs=0.07)
