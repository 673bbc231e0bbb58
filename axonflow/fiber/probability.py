"""How sure the network was of each axon: the mean over its pixels of the probability that it gave to the axon's class.

Pixels of an axon are those of which its class is the likeliest, and all of them count: ids are given to no others, and
holes stay holes. So the greatest probability of a pixel, the network's confidence, is the one that is asked for.
Confidences are summed in 255ths, piece by piece of each core. Sums of integers are the same however the slide was cut.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from axonflow.fiber.axons import Kinds, components
from axonflow.fiber.columns import Column
from axonflow.fiber.measure import SUMS
from axonflow.fiber.runs import Columns
from axonflow.kernel.compiled import compiled
from axonflow.kernel.grid import Box
from axonflow.kernel.tally import Ints, Tally

if TYPE_CHECKING:
    import pandas as pd

    from axonflow.fiber.merge import Measured

__all__ = ["PROBABILITY", "PieceSums", "beside", "sum_pieces", "with_probability"]

PROBABILITY = Column(
    "axon_probability",
    "1",
    "mean over the axon's pixels of the probability that the network gave to its class; only of a network's labels",
)
"""A column of a table of axons that a network found."""


class PieceSums(NamedTuple):
    """What was summed of the pieces of axons in a part of a slide.

    Attributes
    ----------
    first : (n,) int64
        Raster index ``y · width + x``, in the slide, of each piece's first pixel.
    confidence : (n,) int64
        Sum over each piece, in 255ths.
    """

    first: Ints
    confidence: Ints


def sum_pieces(kinds: Kinds, confidence: NDArray[np.uint8], box: Box, shape: tuple[int, int]) -> PieceSums:
    """Sum the network's confidence over the pieces of axons in a core.

    Parameters
    ----------
    kinds : (h, w) uint8
        Which of the core's pixels are axon, and of which kind.
    confidence : (h, w) uint8
        Greatest probability of each pixel, in 255ths.
    box : Box
        The core.
    shape : (int, int)
        Height and width of the slide, px.
    """
    runs, piece, n = components(kinds)
    sums = PieceSums(np.full(n, -1), np.zeros(n, np.int64))
    _add_runs(runs.first, runs.begin, runs.end, piece, confidence, box.y0, box.x0, shape[1], *sums)
    return sums


def beside(objects: Tally, ids: Ints, confidence: Ints) -> Tally:
    """Return what was counted of axons with one sum more, the last: the confidence over their pieces.

    Parameters
    ----------
    objects : Tally
        Of :func:`axonflow.fiber.measure.count_objects`.
    ids : (n,) int
        Of the axon of each piece; among its keys, or 0 of what is too small to be one.
    confidence : (n,) int64
        Over each piece, in 255ths.
    """
    known = ids > 0
    total = np.zeros(len(objects.key), np.int64)
    np.add.at(total, np.searchsorted(objects.key, ids[known]), confidence[known])
    return Tally(objects.key, np.column_stack([objects.total, total]), objects.low, objects.high)


def with_probability(table: pd.DataFrame, measured: Measured) -> pd.DataFrame:
    """Return a table with :data:`PROBABILITY`.

    Parameters
    ----------
    table : DataFrame
        As :func:`axonflow.fiber.table.fiber_table` returned it.
    measured : Measured
        What it was given; of the axons with what :func:`beside` added.
    """
    total = measured.axons.tally.total
    return table.assign(**{PROBABILITY.name: total[:, -1] / (total[:, SUMS.index("pixels")] * 255)})


@compiled
def _add_runs(
    first: Ints,
    begin: Columns,
    end: Columns,
    piece: NDArray[np.int32],
    confidence: NDArray[np.uint8],
    top: int,
    left: int,
    width: int,
    index: Ints,
    total: Ints,
) -> None:
    """Add the confidence over every run to its piece, and write the raster index of each piece's first pixel."""
    for y in range(len(first) - 1):
        row = confidence[y]
        for i in range(first[y], first[y + 1]):
            k = piece[i] - 1
            if index[k] < 0:
                index[k] = np.int64(top + y) * width + left + begin[i]
            over = np.int64(0)
            for x in range(begin[i], end[i]):
                over += row[x]
            total[k] += over
