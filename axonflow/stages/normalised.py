"""What a network is given of a slide: its greys as they are normalised, and the statistics that it was adapted to."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from axonflow.kernel.documents import read_json
from axonflow.net.normalise import Codes, grey_table, lookup_table
from axonflow.net.statistics import Statistics
from axonflow.stages.convert import greys_file, read_greys
from axonflow.stages.layout import Layout
from axonflow.stages.segmentation import Network

__all__ = ["Normalisation", "normalisation_of", "statistics_of"]


class Normalisation(NamedTuple):
    """The slide's grey codes; per code, the network's input and the grey level it stands for."""

    codes: Codes
    table: NDArray[np.float32]
    grey: NDArray[np.uint8]


@lru_cache(maxsize=4)
def _tables(layout: Layout, invert: bool, _time: int) -> Normalisation:
    greys = read_greys(layout)
    return Normalisation(
        greys.codes, lookup_table(greys.counts, invert=invert), grey_table(greys.counts, invert=invert)
    )


def normalisation_of(layout: Layout, network: Network) -> Normalisation:
    """Return how the greys of a slide are normalised for a network."""
    # A worker may outlive a change of the slide: the file's time tells one histogram from the next.
    return _tables(layout, network.checkpoint.invert, greys_file(layout).stat().st_mtime_ns)


@lru_cache(maxsize=4)
def _statistics(layout: Layout, _time: int) -> Statistics:
    return Statistics.from_json(read_json(layout.statistics)["layers"])


def statistics_of(layout: Layout, network: Network) -> Statistics | None:
    """Return the statistics that a network was adapted to; None if it goes by those of its training."""
    return _statistics(layout, layout.statistics.stat().st_mtime_ns) if network.adapted else None
