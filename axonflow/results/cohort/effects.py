"""Values of animals → means of groups, and how far two groups lie apart. An animal is one value, however many axons.

Axons of one animal are no independent samples of a group: a test over them finds a difference between any two animals.
So everything here is over animals, and intervals come of drawing animals, with replacement, within each group
(bootstrap, bias-corrected and accelerated; Efron 1987).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import exp, lgamma, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["COVERAGE", "FEWEST", "FEWEST_FOR_G", "RESAMPLES", "Effect", "Interval", "compare", "hedges_g"]

Floats = NDArray[np.float64]

FEWEST = 3
"""Animals that each group has to have for an interval: what two can be drawn as says nothing."""

FEWEST_FOR_G = 5
"""Likewise for Hedges' g: of fewer, many draws are of animals nearly alike, and g, divided by their spread, is huge."""

RESAMPLES = 9_999
SEED = 20_240_403
"""Of what is drawn, so that equal values have equal intervals."""

CONFIDENCE = 0.95

COVERAGE = {3: 79, 4: 85, 5: 87, 6: 88, 7: 91, 8: 91, 9: 91}
"""How many of 100 such intervals hold the true difference, by the animals of the smaller group.

Measured on 2,000 pairs of groups of one size, with normal values. Of 10 animals each it is 92.
"""


@dataclass(frozen=True, slots=True)
class Interval:
    """From where to where; NaN if there is none."""

    low: float = float("nan")
    high: float = float("nan")


@dataclass(frozen=True, slots=True)
class Effect:
    """How far a second group lies from a first.

    Attributes
    ----------
    n : (int, int)
        Animals of each.
    means : (float, float)
        Of their values.
    difference : float
        The second mean less the first.
    difference_interval : Interval
    g : float
        The difference in standard deviations (:func:`hedges_g`); NaN where animals do not differ within groups.
    g_interval : Interval
    note : str
        Why there is no interval, or how far to trust it; empty if there is nothing to say.
    """

    n: tuple[int, int]
    means: tuple[float, float]
    difference: float
    difference_interval: Interval
    g: float
    g_interval: Interval
    note: str = ""


def hedges_g(first: Floats, second: Floats, axis: int = -1) -> Any:
    """Return the difference of two means in standard deviations, without the bias of small groups.

    Parameters
    ----------
    first, second : (…, n) and (…, m) float64
        n + m is at least 3.
    axis : int

    Notes
    -----
    g = J(ν) · (mean of the second − mean of the first) / s, with the pooled standard deviation s, ν = n + m − 2 and
    J(ν) = Γ(ν/2) / (√(ν/2) · Γ((ν − 1)/2)) (Hedges 1981).
    """
    n, m = first.shape[axis], second.shape[axis]
    freedom = n + m - 2
    squares = sum(((values - values.mean(axis, keepdims=True)) ** 2).sum(axis) for values in (first, second))
    correction = exp(lgamma(freedom / 2) - lgamma((freedom - 1) / 2)) / sqrt(freedom / 2) if freedom > 1 else np.nan
    with np.errstate(divide="ignore", invalid="ignore"):
        return correction * (second.mean(axis) - first.mean(axis)) / np.sqrt(squares / freedom)


def compare(first: Sequence[float], second: Sequence[float]) -> Effect:
    """Compare two groups by the values of their animals.

    Parameters
    ----------
    first, second : sequence of float
        One value an animal, at least one each; the order of the animals within a group does not matter.
    """
    a, b = (np.sort(np.asarray(values, np.float64)) for values in (first, second))
    n = (len(a), len(b))
    difference = float(b.mean() - a.mean())
    g = float(hedges_g(a, b)) if sum(n) > 3 else float("nan")
    spread = max(np.ptp(a), np.ptp(b)) > 1e-12 * max(np.abs(a).max(), np.abs(b).max())  # else rounding alone
    found: dict[str, Any] = {"n": n, "means": (float(a.mean()), float(b.mean())), "difference": difference}
    if not spread:
        note = "no interval: the animals of a group do not differ" if min(n) > 1 else _too_few(n)
        return Effect(**found, difference_interval=Interval(), g=float("nan"), g_interval=Interval(), note=note)
    if min(n) < FEWEST:
        return Effect(**found, difference_interval=Interval(), g=g, g_interval=Interval(), note=_too_few(n))
    of_difference = _interval(a, b, _difference)
    of_g = _interval(a, b, hedges_g) if min(n) >= FEWEST_FOR_G else Interval()
    notes = []
    if min(n) in COVERAGE:
        notes.append(
            f"too narrow, as {min(n)} animals are few: about {COVERAGE[min(n)]} of 100 such intervals hold the true "
            "difference, not 95"
        )
    if min(n) < FEWEST_FOR_G:
        notes.append(f"no interval for g, for which {FEWEST_FOR_G} animals in each group are the fewest")
    elif not np.isfinite(of_g.low):
        notes.append("no interval for g, as too many animals of a group are alike")
    return Effect(**found, difference_interval=of_difference, g=g, g_interval=of_g, note="; ".join(notes))


def _too_few(n: tuple[int, int]) -> str:
    return f"no interval: {n[0]} and {n[1]} animals, and {FEWEST} in each group are the fewest"


def _difference(first: Floats, second: Floats, axis: int = -1) -> Any:
    return second.mean(axis) - first.mean(axis)


def _interval(a: Floats, b: Floats, statistic: Callable[..., Any]) -> Interval:
    from scipy import stats

    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # of draws that have no spread; what comes of them is looked at below
        low, high = stats.bootstrap(
            (a, b),
            statistic,
            n_resamples=RESAMPLES,
            confidence_level=CONFIDENCE,
            method="BCa",
            vectorized=True,
            axis=-1,
            random_state=np.random.default_rng(SEED),
        ).confidence_interval
    return Interval(float(low), float(high)) if np.isfinite([low, high]).all() else Interval()
