"""The g-ratio: of a fiber, and of a piece of tissue.

Both are the same quantity. Each keeps its own order of operations, since tables and maps hold it to the last bit.
"""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

__all__ = ["aggregate_gratio", "gratio"]

Areas = TypeVar("Areas", NDArray[Any], float)


def gratio(axon: Areas, fiber: Areas) -> Areas:
    """Return the diameter of an axon over that of its fiber: √(axon area / fiber area); 1 without myelin.

    Parameters
    ----------
    axon, fiber : (n,) array or float
        Areas in one unit; a fiber is an axon with its myelin.
    """
    ratio: Areas = np.sqrt(axon / fiber)
    return ratio


def aggregate_gratio(avf: Areas, mvf: Areas) -> Areas:
    """Return the g-ratio of tissue: √(1 / (1 + MVF / AVF)) (Stikov et al. 2015); NaN where nothing is axon.

    Parameters
    ----------
    avf, mvf : (n,) array or float
        Fractions of the area that are axon and myelin.
    """
    axon: Any = np.where(avf == 0, np.nan, avf)
    ratio: Areas = np.sqrt(1 / (1 + mvf / axon))
    return ratio
