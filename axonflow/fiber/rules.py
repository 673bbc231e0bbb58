"""Which axons count: one decision for counts, maps, regions, report, viewer and exports.

The table keeps every axon. A column names the rule that leaves it out, and is empty where it counts. There are two
kinds of rules. Some judge the axon itself (its size, its shape, its myelin, how sure the network was of it): what they
leave out is not wanted as a fiber, so its pixels and those of its myelin are no part of the volume fractions either.
The others say where one counts: the mask, and the slide's border. What these leave out is tissue like any other, so its
pixels stay.

The counting frame is the unbiased frame of stereology (Gundersen 1977, J. Microsc. 111, 219): of the axons that the
border cuts, those on two sides count and those on the two others do not. Of all frames that tile a plane, each axon
then counts in exactly one, that which holds the lower right corner of its bounding box. So the density is right
whatever the size of the axons.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from axonflow.fiber.columns import Column
from axonflow.fiber.kinds import KIND, MYELINATED
from axonflow.fiber.probability import PROBABILITY

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "JUDGED",
    "LEFT_OUT",
    "LEFT_OUT_OF_MASKS",
    "READ",
    "RULES",
    "Border",
    "Rules",
    "counts",
    "judged",
    "left_out",
]

Border = Literal["frame", "inside", "all"]

AREA, DIAMETER, SOLIDITY, ECCENTRICITY, GRATIO, MYELIN, TOUCHING = (
    "axon_area (um^2)",
    "axon_diam (um)",
    "solidity",
    "eccentricity",
    "gratio",
    "myelin_area (um^2)",
    "image_border_touching",
)
READ = (AREA, DIAMETER, SOLIDITY, ECCENTRICITY, GRATIO, MYELIN, TOUCHING)
"""The columns of every table that rules look at."""

OF_NETWORK = "probability"
"""The rule that can judge only what a network found."""

JUDGED = ("area", "diameter", "solidity", "eccentricity", "myelin", "gratio", OF_NETWORK)
"""Rules that judge an axon, in the order in which they are asked."""

RULES = (*JUDGED, "mask", "border", "frame")
"""All rules by the names that the column has, in this order: the first that leaves an axon out is named."""


def _naming(rules: Sequence[str]) -> Column:
    meaning = f"rule that leaves it out: {', '.join(rules[:-1])} or {rules[-1]}; missing if it counts"
    return Column("left_out", "", meaning, "str")


LEFT_OUT = _naming(RULES)
"""A column of a table in which it was decided which axons count."""

LEFT_OUT_OF_MASKS = _naming([rule for rule in RULES if rule != OF_NETWORK])
"""The same where no network found the axons."""


@dataclass(frozen=True, slots=True)
class Rules:
    """Which axons are left out; of those with myelin alone if a rule judges them.

    Attributes
    ----------
    border : str
        ``"frame"`` leaves out axons that the slide's lower or right side cuts, ``"inside"`` those whose fiber touches
        any side, ``"all"`` none.
    area_um2, diameter_um, solidity, eccentricity, gratio, probability : (float, float)
        Least and greatest value that counts. The g-ratio is judged only of axons that have myelin, the probability only
        of those that a network found.
    need_myelin : bool
        Whether axons of which no myelin was found are left out.
    """

    border: Border = "frame"
    area_um2: tuple[float, float] = (0.0, inf)
    diameter_um: tuple[float, float] = (0.0, inf)
    solidity: tuple[float, float] = (0.0, inf)
    eccentricity: tuple[float, float] = (0.0, inf)
    gratio: tuple[float, float] = (0.0, inf)
    need_myelin: bool = False
    probability: tuple[float, float] = (0.0, inf)

    @property
    def judges(self) -> bool:
        """Whether any rule judges an axon."""
        return any(self.judging.values())

    @property
    def judging(self) -> dict[str, Any]:
        """The bounds of the rules that judge an axon, by the rules' names, as JSON; None where nothing is bounded."""
        ranges = {name: _bounds(getattr(self, field)) for name, field in _RANGES.items()}
        return {name: self.need_myelin or None if name == "myelin" else ranges[name] for name in JUDGED}

    def to_json(self) -> dict[str, Any]:
        """Return the rules that hold: their bounds by their names, and what is done at the border."""
        return {"border": self.border} | {name: bounds for name, bounds in self.judging.items() if bounds}


_RANGES = {
    "area": "area_um2",
    "diameter": "diameter_um",
    "solidity": "solidity",
    "eccentricity": "eccentricity",
    "gratio": "gratio",
    OF_NETWORK: "probability",
}
_COLUMNS = {
    "area": AREA,
    "diameter": DIAMETER,
    "solidity": SOLIDITY,
    "eccentricity": ECCENTRICITY,
    "gratio": GRATIO,
    OF_NETWORK: PROBABILITY.name,
}


def left_out(
    table: pd.DataFrame, rules: Rules, outside: NDArray[np.bool_], cut: NDArray[np.bool_]
) -> NDArray[np.object_]:
    """Decide which axons count.

    Parameters
    ----------
    table : DataFrame
        n rows of the table with the columns :data:`READ`, its kind if it tells kinds apart, and
        :data:`~axonflow.fiber.probability.PROBABILITY` if a network found the axons.
    rules : Rules
    outside : (n,) bool
        Whether the pixel of an axon's centroid does not count.
    cut : (n,) bool
        Whether a pixel of the axon, its myelin not, lies in the slide's last row or column.

    Returns
    -------
    (n,) object
        The first of :data:`RULES` that leaves the axon out; None if it counts.
    """
    found = np.full(len(table), None, object)
    reasons = dict(_judgements(table, rules))
    reasons |= {
        "mask": outside,
        "border": table[TOUCHING].to_numpy(bool) & (rules.border == "inside"),
        "frame": cut & (rules.border == "frame"),
    }
    for name in reversed(RULES):
        found[reasons[name]] = name
    return found


def counts(table: pd.DataFrame) -> NDArray[np.bool_]:
    """Return which rows of a table count; all of a table in which nothing was decided."""
    return table[LEFT_OUT.name].isna().to_numpy() if LEFT_OUT.name in table else np.ones(len(table), np.bool_)


def judged(table: pd.DataFrame) -> NDArray[np.bool_]:
    """Return which rows of a table are left out by a rule that judges the axon, so that its pixels do not count."""
    if LEFT_OUT.name not in table:
        return np.zeros(len(table), np.bool_)
    return table[LEFT_OUT.name].isin(JUDGED).to_numpy()


def _judgements(table: pd.DataFrame, rules: Rules) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    sheathed = table[MYELIN].to_numpy() > 0  # of an axon without myelin, as of a class without, it may be missing
    own = (table[KIND.name] == MYELINATED).to_numpy() if KIND.name in table else np.ones(len(table), np.bool_)
    yield "myelin", own & ~sheathed & rules.need_myelin
    for name, field in _RANGES.items():
        low, high = getattr(rules, field)
        values = table[_COLUMNS[name]].to_numpy() if _COLUMNS[name] in table else np.full(len(table), low)
        yield name, own & (sheathed | (name != "gratio")) & ~((values >= low) & (values <= high))


def _bounds(pair: tuple[float, float]) -> list[float | None] | None:
    low, high = None if pair[0] == 0 else pair[0], None if pair[1] == inf else pair[1]
    return None if low is high is None else [low, high]
