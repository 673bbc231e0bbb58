from __future__ import annotations

from functools import reduce
from operator import add

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hn

from axonflow.kernel.tally import FAR, Tally

int64 = st.integers(-(2**63), 2**63 - 1)
near = st.integers(-FAR, FAR)


@st.composite
def tallies(draw: st.DrawFn, sums: int = 2, extremes: int = 1) -> Tally:
    n = draw(st.integers(0, 12))
    return Tally.of(
        draw(hn.arrays(np.int64, n, elements=st.integers(0, 6))),
        draw(hn.arrays(np.int64, (n, sums), elements=int64)),
        draw(hn.arrays(np.int64, (n, extremes), elements=near)),
        draw(hn.arrays(np.int64, (n, extremes), elements=near)),
    )


def assert_equal(a: Tally, b: Tally) -> None:
    for name in Tally.__slots__:
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name), strict=True)


@given(st.lists(st.tuples(st.integers(-5, 5), st.integers(-(10**6), 10**6), near), max_size=30))
def test_rows_of_a_key_are_gathered(rows: list[tuple[int, int, int]]) -> None:
    key, total, extreme = (np.array([row[i] for row in rows], np.int64) for i in range(3))
    tally = Tally.of(key, total[:, None], extreme[:, None], extreme[:, None])
    assert tally.key.tolist() == sorted(set(key.tolist()))
    for i, k in enumerate(tally.key):
        mine = key == k
        assert tally.total[i, 0] == total[mine].sum()
        assert (tally.low[i, 0], tally.high[i, 0]) == (extreme[mine].min(), extreme[mine].max())


@given(st.lists(tallies(), min_size=1, max_size=5), st.randoms(use_true_random=False))
def test_parts_merge_in_any_order_and_grouping(parts: list[Tally], random: object) -> None:
    """Also where sums wrap around."""
    whole = Tally.merge(parts)
    assert_equal(reduce(add, parts), whole)
    random.shuffle(parts)  # type: ignore[attr-defined]  # hypothesis hands out a random.Random
    assert_equal(Tally.merge(parts), whole)
    assert_equal(Tally.merge([Tally.merge(parts[:2]), *parts[2:]]), whole)


@given(tallies())
def test_empty_is_neutral(tally: Tally) -> None:
    empty = Tally.empty(2, 1)
    assert_equal(tally + empty, tally)
    assert_equal(empty + tally, tally)


@given(tallies())
def test_arrays_bring_it_back(tally: Tally) -> None:
    arrays = tally.arrays("t") | Tally.empty(1).arrays("other")
    assert_equal(Tally.from_arrays(arrays, "t"), tally)


def test_extremes_may_be_left_out() -> None:
    tally = Tally.of(np.array([3, 1, 3]), np.array([[1], [2], [4]]))
    assert tally.key.tolist() == [1, 3]
    assert tally.total.tolist() == [[2], [5]]
    assert tally.low.shape == tally.high.shape == (2, 0)
