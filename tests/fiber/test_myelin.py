from __future__ import annotations

import numpy as np
import oracles
import pytest
from cores import assign_cores
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from strategies import chunked_tissues

from axonflow.fiber.myelin import assign, cut_off, reach_px
from axonflow.kernel.grid import Box
from axonflow.kernel.units import PixelSize

Case = tuple[NDArray[np.uint8], list[Box]]


@settings(max_examples=200)
@given(chunked_tissues(), st.integers(0, 12), st.sampled_from((0, 8)))
def test_any_chunking_grows_as_the_whole(case: Case, reach: int, smallest_area: int) -> None:
    semantic, boxes = case
    axons = oracles.axon_labels(semantic == 2, smallest_area)  # what is left out must not be entered
    myelin = semantic == 1
    expected = oracles.grown(axons, myelin, reach)
    np.testing.assert_array_equal(assign_cores(axons, myelin, reach, boxes), expected)
    assign(axons, myelin, reach)
    np.testing.assert_array_equal(axons, expected)


@settings(max_examples=60)
@given(chunked_tissues(), st.integers(0, 5))
def test_any_chunking_counts_what_the_next_round_would_take(case: Case, reach: int) -> None:
    semantic, boxes = case
    axons, myelin = oracles.axon_labels(semantic == 2), semantic == 1
    counted = 0
    for box in boxes:
        window = box.grow(reach + 1, axons.shape)
        fibers = axons[window.slices].copy()
        assign(fibers, myelin[window.slices], reach)
        counted += cut_off(fibers, myelin[window.slices], box, window)
    more, fewer = (np.count_nonzero(oracles.grown(axons, myelin, rounds)) for rounds in (reach + 1, reach))
    assert counted == more - fewer


def test_axons_keep_their_ids_even_where_myelin_is_said_to_be() -> None:
    axons = np.array([[1, 1, 2, 2]], np.uint32)
    assign(axons, np.ones((1, 4), np.bool_), 3)
    assert axons.tolist() == [[1, 1, 2, 2]]


def test_the_smaller_id_wins_where_two_meet() -> None:
    axons = np.array([[7, 0, 0, 0, 3]], np.uint32)
    assign(axons, axons == 0, 9)
    assert axons.tolist() == [[7, 7, 3, 3, 3]]


def test_a_part_of_an_image_grows_where_it_lies() -> None:
    axons = np.zeros((5, 5), np.uint32)
    part = axons[1:4, 1:4]
    part[1, 1] = 2
    assign(part, np.ones((3, 3), np.bool_), 9)
    assert axons.sum() == 2 * 9


@pytest.mark.parametrize(("thickness_um", "side_um", "expected"), [(4.0, 0.07, 81), (0.1, 0.1, 2), (0.0, 0.1, 0)])
def test_the_reach_crosses_a_sheath_in_any_direction(thickness_um: float, side_um: float, expected: int) -> None:
    assert reach_px(thickness_um, PixelSize(side_um, 2 * side_um)) == expected
    assert expected * side_um / np.sqrt(2) >= thickness_um - 1e-9
