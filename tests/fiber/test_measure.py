from __future__ import annotations

import numpy as np
import oracles
from cores import count_cores
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from skimage import measure
from strategies import chunked_tissues

from axonflow.fiber.measure import BOUNDS, SUMS, count_objects
from axonflow.fiber.morphometry import perimeters
from axonflow.kernel.grid import Box
from axonflow.kernel.tally import Tally

Case = tuple[NDArray[np.uint8], list[Box]]


def assert_same(a: Tally, b: Tally) -> None:
    for name in Tally.__slots__:
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))


@settings(max_examples=150)
@given(chunked_tissues(), st.integers(0, 3))
def test_any_chunking_and_order_counts_alike(case: Case, extra_halo: int) -> None:
    semantic, boxes = case
    fibers = oracles.grown(oracles.axon_labels(semantic == 2), semantic == 1, 4)  # these touch one another
    whole = count_cores(fibers, [Box.whole(fibers.shape)])
    assert_same(count_cores(fibers, boxes, extra_halo), whole)

    objects = measure.regionprops(fibers.astype(np.int32))
    assert whole.key.tolist() == [o.label for o in objects]
    y, x = ([o.coords[:, axis] for o in objects] for axis in (0, 1))
    sums = [[len(b), b.sum(), a.sum(), (b * b).sum(), (a * a).sum(), (b * a).sum()] for a, b in zip(x, y, strict=True)]
    np.testing.assert_array_equal(whole.total[:, :6], np.array(sums, np.int64).reshape(-1, 6))
    np.testing.assert_array_equal(np.c_[whole.low, whole.high], np.array([o.bbox for o in objects]).reshape(-1, 4))
    np.testing.assert_allclose(perimeters(whole), [o.perimeter for o in objects], rtol=1e-12)


def test_an_empty_core_counts_nothing() -> None:
    tally = count_objects(np.zeros((3, 3), np.uint32), Box(0, 0, 3, 3), Box(0, 0, 3, 3), (3, 3))
    assert tally.total.shape == (0, len(SUMS))
    assert tally.low.shape == tally.high.shape == (0, len(BOUNDS))


def test_ids_may_be_as_large_as_their_type() -> None:
    labels = np.array([[2**32 - 1, 2**32 - 2]], np.uint32)
    assert count_objects(labels, Box(0, 0, 1, 2), Box(0, 0, 1, 2), (1, 2)).key.tolist() == [2**32 - 2, 2**32 - 1]
