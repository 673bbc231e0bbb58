"""Growth over pixels that are not square is Dijkstra's on the whole image, however it was cut."""

from __future__ import annotations

import numpy as np
import oracles
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra
from strategies import chunked_tissues

from axonflow.fiber.geodesic import UNIT, assign_by_length, steps_of
from axonflow.fiber.myelin import assign
from axonflow.kernel.grid import Box
from axonflow.kernel.units import PixelSize

Case = tuple[NDArray[np.uint8], list[Box]]


def nearest(
    axons: NDArray[np.uint32], myelin: NDArray[np.bool_], longest: int, steps: tuple[int, int]
) -> NDArray[np.uint32]:
    """Give each pixel to the axon nearest along the myelin, by scipy's shortest paths from each axon."""
    free = (myelin & (axons == 0)).ravel()
    number = np.arange(axons.size).reshape(axons.shape)
    starts, ends, lengths = [], [], []
    for (a, b), length in (((number[1:], number[:-1]), steps[0]), ((number[:, 1:], number[:, :-1]), steps[1])):
        for source, target in ((a.ravel(), b.ravel()), (b.ravel(), a.ravel())):
            enter = free[target]
            starts.append(source[enter])
            ends.append(target[enter])
            lengths.append(np.full(np.count_nonzero(enter), length))
    edges = (np.concatenate(starts), np.concatenate(ends))
    graph = coo_array((np.concatenate(lengths), edges), (axons.size, axons.size)).tocsr()
    fibers, ways = axons.ravel().copy(), np.full(axons.size, np.inf)
    for axon in np.unique(axons[axons > 0]):
        way = dijkstra(graph, indices=np.flatnonzero(axons.ravel() == axon), min_only=True)
        closer = free & (way <= longest) & (way < ways)
        fibers[closer], ways[closer] = axon, way[closer]
    return fibers.reshape(axons.shape)


@settings(max_examples=60)
@given(chunked_tissues(), st.integers(0, 9), st.sampled_from([(256, 1024), (700, 256), (256, 257), (384, 256)]))
def test_any_chunking_grows_as_dijkstra_on_the_whole(case: Case, reach: int, steps: tuple[int, int]) -> None:
    semantic, boxes = case
    axons, myelin = oracles.axon_labels(semantic == 2), semantic == 1
    expected = nearest(axons, myelin, reach * UNIT, steps)
    cut = np.zeros_like(axons)
    for box in boxes:
        window = box.grow(reach, axons.shape)
        grown = axons[window.slices].copy()
        assign_by_length(grown, myelin[window.slices], reach, steps)
        cut[box.slices] = grown[box.relative_to(window).slices]
    np.testing.assert_array_equal(cut, expected)
    assign_by_length(axons, myelin, reach, steps)
    np.testing.assert_array_equal(axons, expected)


@settings(max_examples=60)
@given(chunked_tissues(), st.integers(0, 9))
def test_square_pixels_grow_as_in_rounds(case: Case, reach: int) -> None:
    axons, myelin = oracles.axon_labels(case[0] == 2), case[0] == 1
    by_rounds = axons.copy()
    assign(by_rounds, myelin, reach)
    assign_by_length(axons, myelin, reach, (UNIT, UNIT))
    np.testing.assert_array_equal(axons, by_rounds)


@pytest.mark.parametrize(("size", "reach"), [((0.1, 0.4), 20), ((0.4, 0.1), 20), ((0.1, 0.25), 20)])
def test_growth_ends_at_as_many_um_along_both_axes(size: tuple[float, float], reach: int) -> None:
    fibers = np.zeros((99, 99), np.uint32)
    fibers[49, 49] = 1
    steps = steps_of(PixelSize(*size))
    assert steps is not None
    assign_by_length(fibers, fibers == 0, reach, steps)
    along = [np.count_nonzero(fibers[:, 49]) // 2 * size[0], np.count_nonzero(fibers[49]) // 2 * size[1]]
    assert along == pytest.approx([reach * 0.1] * 2)


@pytest.mark.parametrize("size", [(0.1, 0.1), (0.1, 0.1005), (0.2, 0.1995)])
def test_what_counts_as_square(size: tuple[float, float]) -> None:
    assert steps_of(PixelSize(*size)) is None
