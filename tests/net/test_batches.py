"""Who shares a batch, how large it is and what fails in between changes nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from cards import Card
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor

from axonflow.errors import DeviceError
from axonflow.net.batches import MOST, SHARE, Batches
from axonflow.net.device import Processor

Windows = list[NDArray[np.uint16]]


def windows(count: int, shape: tuple[int, int] = (3, 4)) -> Windows:
    return list(np.random.default_rng(count).integers(0, 65536, (count, *shape), dtype=np.uint16))


def itself(window: NDArray[np.uint16]) -> NDArray[np.uint16]:
    return window


def work(codes: Tensor) -> Tensor:
    return torch.stack([codes * 3, codes ^ 5], dim=1)


def through(card: Card, batches: Batches, some: Windows) -> list[NDArray[Any]]:
    def on_card(codes: Tensor) -> Tensor:
        card.compute(codes)
        return work(codes)

    return list(batches.through(on_card, itself, some))


@settings(max_examples=150)
@given(st.integers(0, 30), st.integers(1, 12), st.integers(0, 100), st.integers(1, 20), st.lists(st.booleans()))
def test_any_memory_gives_what_one_by_one_gives(
    count: int, fits: int, free: int, takes: int, moody: list[bool]
) -> None:
    card = Card(fits=fits, free=free, takes=takes, moody=moody)
    some = windows(count)
    came = through(card, Batches(card), some)
    expected = [work(torch.from_numpy(window[None].astype(np.int32)))[0].numpy() for window in some]
    assert len(came) == count
    for one, other in zip(came, expected, strict=True):
        np.testing.assert_array_equal(one, other)
    assert all(size <= min(fits, MOST) and size & (size - 1) == 0 for size in card.batches)
    assert card.batches == sorted(card.batches, reverse=True)


@pytest.mark.parametrize(
    ("free", "takes", "expected"), [(100, 5, 8), (100, 7, 4), (100, 30, 1), (0, 5, 1), (10**9, 1, 8)]
)
def test_a_batch_is_what_fits_into_the_share_that_is_free(free: int, takes: int, expected: int) -> None:
    card = Card(free=free, takes=takes)
    batches = Batches(card)
    through(card, batches, windows(1))
    assert batches.at_once == {(3, 4): expected}
    assert expected == 1 or expected * takes <= free * SHARE
    assert expected == MOST or 2 * expected * takes > free * SHARE


def test_every_batch_is_filled_up() -> None:
    seen: list[NDArray[Any]] = []

    def note(codes: Tensor) -> Tensor:
        card.compute(codes)
        seen.append(codes.numpy().copy())
        return work(codes)

    card, some = Card(takes=125), windows(6)
    assert len(list(Batches(card).through(note, itself, some))) == 6
    assert [len(batch) for batch in seen] == [1, 4, 4]
    np.testing.assert_array_equal(seen[1], some[:4])
    np.testing.assert_array_equal(seen[2], [some[4], some[5], some[5], some[5]])


def test_what_was_found_out_holds_for_later_windows_of_the_shape_alone() -> None:
    card = Card(fits=2)
    batches = Batches(card)
    through(card, batches, windows(9))
    assert (batches.at_once, card.forgot) == ({(3, 4): 2}, 2)
    before = card.uploads
    through(card, batches, windows(4))
    assert card.uploads == before + 2
    card.takes = 500
    through(card, batches, windows(1, (5, 5)))
    assert batches.at_once == {(3, 4): 2, (5, 5): 1}


def test_the_next_batch_is_started_before_the_last_is_waited_for() -> None:
    card = Card(takes=250)
    through(card, Batches(card), windows(6))
    assert card.batches == [2, 2, 2]
    assert card.waited == [2, 3, 3]


def test_a_card_without_memory_for_one_window_is_refused() -> None:
    card = Card(fits=0, free=3 * 2**20)
    with pytest.raises(DeviceError, match=r"one window of 3 × 4 px.*3 MiB are free.*Tried to allocate.*CUDA_VISIBLE"):
        through(card, Batches(card), windows(3))


def test_memory_that_goes_later_is_an_error_with_the_last_window() -> None:
    card = Card(fits=4)
    batches = Batches(card)
    through(card, batches, windows(4))
    card.fits = 0
    with pytest.raises(DeviceError):
        through(card, batches, windows(4))
    assert batches.at_once == {(3, 4): 1}


def test_other_errors_pass() -> None:
    def fail(codes: Tensor) -> Tensor:
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    with pytest.raises(RuntimeError, match="multiplied"):
        list(Batches(Card()).through(fail, itself, windows(2)))


def test_the_processor_computes_one_by_one() -> None:
    sizes = []

    def note(codes: Tensor) -> Tensor:
        sizes.append(len(codes))
        return work(codes)

    assert len(list(Batches(Processor()).through(note, itself, windows(5)))) == 5
    assert sizes == [1] * 5
