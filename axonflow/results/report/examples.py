"""Which axons a reader looks at first: the most doubtful of a slide, each with its reasons, and typical ones.

An axon is doubtful by how far it lies from the others of its slide. Equal tables give equal choices.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from axonflow.fiber.tissue import DIAMETER, GRATIO, MYELIN_AREA

__all__ = ["NEEDED", "Example", "doubtful_and_typical"]

ID, AREA, SOLIDITY, BORDER = "axon_id", "axon_area (um^2)", "solidity", "image_border_touching"
NEEDED = (ID, AREA, DIAMETER, GRATIO, MYELIN_AREA, SOLIDITY, BORDER)
"""The columns of the table that the choice is made by."""

HOW_MANY = 12
FAR = 3.0
"""Spreads from the median from which on a value is named as a reason for doubt; the spread is that of a normal
distribution of the same median absolute deviation."""

FARTHEST = 2.0
"""What a single reason counts at most, in units of :data:`FAR`."""

TOLD_FROM_PX, SMOOTH = 120, 0.9
"""Pixels of an axon from which on its outline can be called ragged, and the solidity below which it may be.

Pixels alone make the smoothest outline ragged: a disc of 30 px may have a solidity of 0.78. From 120 px on no disc, and
no ellipse up to twice as long as wide, is less solid than 0.9, wherever its centre lies.
"""

BARE = 1.5
"""What it counts that an axon has no myelin."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Example:
    """An axon to be looked at.

    Attributes
    ----------
    row : int
        Of the table.
    why : tuple of str
        What makes it doubtful, the strongest first; empty of a typical one.
    """

    row: int
    why: tuple[str, ...] = ()


def doubtful_and_typical(
    axons: pd.DataFrame, confidence: Floats | None, pixel_um2: float, how_many: int = HOW_MANY
) -> tuple[list[Example], list[Example]]:
    """Choose axons to be looked at.

    Parameters
    ----------
    axons : DataFrame
        Those that count, of one kind, with the columns of :data:`NEEDED`.
    confidence : (n,) float64, optional
        How sure the network was of each, or where each lies; None with own masks.
    pixel_um2 : float
        Area of a pixel of the labels, µm².
    how_many : int
        Of each, at most; and of the doubtful a quarter of all at most, since most of a few are as they should be.

    Returns
    -------
    doubtful : list of Example
        The most doubtful first. Doubt is the sum over its reasons: no myelin, a g-ratio or a diameter far from those of
        the others, low solidity, a network that was less sure. Low solidity is called a ragged outline only of an axon
        of pixels enough to tell.
    typical : list of Example
        Those nearest to the medians, of the axons with myelin that neither touch the border nor are among the former.
    """
    if axons.empty:
        return [], []
    bare = axons[MYELIN_AREA].to_numpy() == 0
    gratios = np.where(bare, np.nan, axons[GRATIO].to_numpy())
    solidity = axons[SOLIDITY].to_numpy()
    from_median = {
        "g-ratio": _spreads(gratios),
        "size": _spreads(np.log(axons[DIAMETER].to_numpy())),
        "outline": _spreads(solidity),
    }
    can_be_told = (axons[AREA].to_numpy() >= (TOLD_FROM_PX - 0.5) * pixel_um2) & (solidity < SMOOTH)
    reasons = {
        "no myelin": np.where(bare, BARE, 0.0),
        "low g-ratio": _beyond(-from_median["g-ratio"]),
        "high g-ratio": _beyond(from_median["g-ratio"]),
        "very thin": _beyond(-from_median["size"]),
        "very thick": _beyond(from_median["size"]),
        "ragged outline": _beyond(-from_median["outline"]),
    }
    if confidence is not None:
        reasons["network less sure"] = _beyond(-_spreads(confidence))
    strengths = np.stack(list(reasons.values()))
    ids = axons[ID].to_numpy()
    order = np.lexsort((ids, -np.round(strengths.sum(axis=0), 9)))
    told = strengths.copy()
    told[list(reasons).index("ragged outline"), ~can_be_told] = 0.0
    first = order[: min(how_many, -(-len(order) // 4))]
    doubtful = [Example(int(row), _named(list(reasons), told[:, row])) for row in first]
    away = np.sum([np.abs(np.nan_to_num(each)) for each in from_median.values()], axis=0)
    possible = ~bare & ~axons[BORDER].to_numpy(bool)
    possible[first] = False
    nearest = np.lexsort((ids, np.round(away, 9)))
    return doubtful, [Example(int(row)) for row in nearest[possible[nearest]][:how_many]]


def _spreads(values: Floats) -> Floats:
    """Return how many spreads each value lies above the median; 0 where it is not known, or all are alike."""
    known = np.isfinite(values)
    if not known.any():
        return np.zeros(len(values))
    middle = np.median(values[known])
    spread = 1.4826 * np.median(np.abs(values[known] - middle))
    away: Floats = np.where(known, values - middle, 0.0) / (spread or np.inf)
    return away


def _beyond(spreads: Floats) -> Floats:
    """Return how much a deviation in one direction counts."""
    counts: Floats = np.clip(spreads / FAR, 0.0, FARTHEST)
    return counts


def _named(names: list[str], strengths: Floats) -> tuple[str, ...]:
    """Name the reasons that count fully, or the strongest one."""
    order = np.argsort(-strengths, kind="stable")
    strong = [k for k in order if strengths[k] >= 1] or [order[0]] * bool(strengths.max() > 0)
    return tuple(names[k] for k in strong[:2])
