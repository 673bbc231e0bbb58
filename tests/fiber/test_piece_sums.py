"""Sums of confidence over pieces of axons, core by core, are those over the axons of the whole image."""

from __future__ import annotations

import numpy as np
from cores import label_cores
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from strategies import chunked_kinds

from axonflow.fiber.measure import HALO, SUMS, count_objects
from axonflow.fiber.probability import beside, sum_pieces
from axonflow.kernel.grid import Box
from axonflow.kernel.tally import Tally


@given(chunked_kinds(), st.integers(0, 99), st.integers(0, 9))
def test_the_sums_are_those_of_the_whole_image(
    cut: tuple[NDArray[np.uint8], list[Box]], seed: int, smallest: int
) -> None:
    kinds, boxes = cut
    confidence = np.random.default_rng(seed).integers(0, 256, kinds.shape, np.uint8)
    axons = label_cores(kinds, boxes, smallest, smallest // 2)
    parts = []
    for box in boxes:
        window = box.grow(HALO, kinds.shape)
        counted = count_objects(axons[window.slices], box, window, kinds.shape)
        first, sums = sum_pieces(kinds[box.slices], confidence[box.slices], box, kinds.shape)
        parts.append(beside(counted, axons.ravel()[first].astype(np.int64), sums))
    merged = Tally.merge(parts)
    expected = np.bincount(axons.ravel(), confidence.ravel(), axons.max(initial=0) + 1)
    np.testing.assert_array_equal(merged.total[:, -1], expected[merged.key])
    assert merged.total.shape[1] == len(SUMS) + 1
    assert len(merged.key) == axons.max(initial=0)
