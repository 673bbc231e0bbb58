from __future__ import annotations

import numpy as np
import oracles
import pytest
from cores import label_cores
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from strategies import Mask, chunked_kinds, chunked_masks, masks

from axonflow.fiber.axons import Pieces, join, number_axons, survey
from axonflow.kernel.grid import Box, Grid


@settings(max_examples=300)
@given(chunked_masks(), st.sampled_from((0, 1, 2, 5, 30)))
def test_any_chunking_labels_as_scipy_does_the_whole(case: tuple[Mask, list[Box]], smallest_area: int) -> None:
    mask, boxes = case
    np.testing.assert_array_equal(label_cores(mask, boxes, smallest_area), oracles.axon_labels(mask, smallest_area))


@settings(max_examples=300)
@given(chunked_kinds(), st.sampled_from((0, 2, 5)), st.sampled_from((0, 1, 3, 30)))
def test_any_chunking_labels_two_kinds_as_scipy_does_each_alone(
    case: tuple[NDArray[np.uint8], list[Box]], smallest_area: int, smallest_without: int
) -> None:
    kinds, boxes = case
    np.testing.assert_array_equal(
        label_cores(kinds, boxes, smallest_area, smallest_without),
        oracles.labels_of_kinds(kinds, smallest_area, smallest_without),
    )


@given(chunked_masks())
def test_a_journal_of_one_kind_holds_what_it_held_before_there_were_two(case: tuple[Mask, list[Box]]) -> None:
    mask, boxes = case
    for box in boxes:
        pieces = survey(mask[box.slices].astype(np.uint8), box, mask.shape)
        assert list(pieces.arrays()) == ["first", "area", "top", "bottom", "left", "right"]
        assert Pieces.from_arrays(pieces.arrays()).kind.tolist() == [1] * len(pieces.first)


@settings(max_examples=60)
@given(masks(), st.integers(1, 9))
def test_a_grid_of_equal_cores_labels_as_scipy_does_the_whole(mask: Mask, core: int) -> None:
    np.testing.assert_array_equal(label_cores(mask, list(Grid(mask.shape, (core, core)))), oracles.axon_labels(mask))


@pytest.mark.parametrize("flipped", [False, True])
def test_four_cores_that_meet_in_a_corner_share_an_axon_across_it(flipped: bool) -> None:
    mask = np.eye(2, dtype=np.bool_)[:, ::-1] if flipped else np.eye(2, dtype=np.bool_)
    np.testing.assert_array_equal(label_cores(mask, list(Grid((2, 2), (1, 1)))), mask.astype(np.uint32))


def test_ids_have_no_gap_where_small_axons_are_left_out() -> None:
    mask = np.zeros((3, 12), np.bool_)
    mask[1, [0, 2, 3, 5, 7, 8, 9]] = True
    assert label_cores(mask, list(Grid(mask.shape, (2, 3))), 2)[1].tolist() == [0, 0, 1, 1, 0, 0, 0, 2, 2, 2, 0, 0]


def test_pieces_are_placed_in_the_slide() -> None:
    pieces = survey(np.array([[0, 1], [1, 1]], np.uint8), Box(10, 20, 12, 22), (100, 1000))
    assert (pieces.first.tolist(), pieces.area.tolist()) == ([10_021], [3])
    assert (pieces.top.tolist(), pieces.left.tolist()) == ([0, 1], [0, 1])


def test_raster_indices_pass_32_bits() -> None:
    far = Box(99_999, 99_999, 100_000, 100_000)
    first = survey(np.ones((1, 1), np.uint8), far, (100_000, 100_000)).first
    assert first.tolist() == [99_999 * 100_000 + 99_999]


def test_a_slide_without_cores_of_axons_has_tables_of_background_only() -> None:
    shape = (4, 6)
    pieces = [(box, survey(np.zeros(box.shape, np.uint8), box, shape)) for box in Grid(shape, (2, 2))]
    tables = dict(number_axons(pieces, join(pieces)))
    assert len(tables) == 6
    assert all(table.tolist() == [0] and table.dtype == np.uint32 for table in tables.values())
