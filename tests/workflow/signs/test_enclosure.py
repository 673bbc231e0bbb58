"""Holes are those that scipy fills."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage
from strategies import masks

from axonflow.workflow.signs.enclosure import holes


@given(ring=st.one_of(masks(), masks().map(lambda mask: ~mask)))
def test_holes_are_what_scipy_fills(ring: NDArray[np.bool_]) -> None:
    np.testing.assert_array_equal(holes(ring), ndimage.binary_fill_holes(ring) & ~ring)
