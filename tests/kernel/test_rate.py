"""A rate is that of the last minute, steady between batches, and lower when the next is overdue."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from axonflow.kernel.rate import RateMeter, duration, rate


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@given(
    gap=st.integers(1, 500),
    pixels=st.integers(1, 10**9),
    batches=st.integers(1, 200),
    wait=st.floats(0, 1),
    before=st.integers(0, 10**6),
)
def test_steady_work_has_its_rate(gap: int, pixels: int, batches: int, wait: float, before: int) -> None:
    clock = Clock()
    meter = RateMeter(before, before + 1000 * pixels, clock)
    for _ in range(batches):
        clock.now += gap
        meter.advance(pixels)
    clock.now += wait * gap  # the next batch is not overdue
    assert meter.rate == pytest.approx(pixels / gap)
    assert meter.remaining_s == pytest.approx((1000 - batches) * gap)
    assert meter.done == before + batches * pixels


def test_the_rate_is_that_of_the_last_minute() -> None:
    clock = Clock()
    meter = RateMeter(0, 10**9, clock)
    for pixels in [1000] * 30 + [10] * 31:
        clock.now += 2
        meter.advance(pixels)
    assert meter.rate == pytest.approx(5)


def test_batches_longer_than_a_minute_have_a_rate() -> None:
    clock = Clock()
    meter = RateMeter(0, 10**9, clock)
    for _ in range(3):
        clock.now += 300
        meter.advance(600)
        assert meter.rate == pytest.approx(2)
    clock.now += 1200
    assert meter.rate == pytest.approx(0.5)  # the last 600 px, in the 1200 s that the next has taken so far


def test_nothing_is_said_before_anything_ended() -> None:
    clock = Clock()
    meter = RateMeter(5, 10, clock)
    clock.now += 100
    assert meter.rate is None
    assert meter.remaining_s is None
    assert meter.share == 0.5
    assert RateMeter(0, 0).share == 1


def test_all_at_once_is_no_rate() -> None:
    clock = Clock()
    meter = RateMeter(0, 10, clock)
    meter.advance(10)
    assert meter.rate is None


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0.0 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (3569, "59 min"),
        (3599, "1 h"),
        (3660, "1 h 1 min"),
        (86399, "1 d"),
        (86400 * 2 + 3600 * 4, "2 d 4 h"),
    ],
)
def test_durations_in_words(seconds: float, said: str) -> None:
    assert duration(seconds) == said


def test_rates_in_words() -> None:
    assert [rate(pixels) for pixels in (1.44e6, 51_000, 1_500)] == ["1.4 Mpx/s", "51 kpx/s", "1.5 kpx/s"]
