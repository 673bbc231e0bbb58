"""nnU-Net's windows cover what is not empty, and those that touch a box are all that it depends on."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from axonflow.kernel.grid import Box, Grid
from axonflow.net.nnunet.windows import Windows, importance

sides = st.integers(1, 60)


@given(
    st.tuples(sides, sides),
    st.tuples(sides, sides),
    st.tuples(st.integers(4, 40), st.integers(4, 40)),
    st.floats(0.3, 1),
    st.tuples(st.integers(15, 60), st.integers(15, 60)),
)
def test_a_box_is_covered_by_the_windows_that_touch_it(
    first: tuple[int, int], shape: tuple[int, int], patch: tuple[int, int], step: float, core: tuple[int, int]
) -> None:
    inside = Box(*first, first[0] + shape[0], first[1] + shape[1])
    windows = Windows(inside, patch, step)
    whole = (inside.y1 + 5, inside.x1 + 5)
    everywhere = list(windows.touching(inside))
    assert len(everywhere) == len(windows) == windows.count([inside])
    covered = np.zeros(whole, int)
    for box in Grid(whole, core):
        touching = list(windows.touching(box))
        assert touching == [window for window in everywhere if (window & box & inside).size]
        assert windows.count([box]) == len(touching)
        for window in touching:
            covered[(window & box & inside).slices] += 1
    assert (covered[inside.slices] > 0).all()
    assert covered.sum() == covered[inside.slices].sum()


@given(sides, st.integers(1, 40), st.floats(0.1, 1))
def test_windows_are_evenly_apart_and_end_with_the_box(side: int, patch: int, step: float) -> None:
    starts = np.array(Windows(Box(0, 0, side, 1), (patch, 1), step).starts(0))
    if side <= patch:
        assert starts.tolist() == [-((patch - side) // 2)]
        return
    assert starts[0] == 0
    assert starts[-1] == side - patch
    apart = np.diff(starts)
    assert apart.max() - apart.min() <= 1
    assert apart.max() <= np.ceil(patch * step)
    assert (side - patch) / max(len(starts) - 2, 1) > patch * step or len(starts) == 2


@given(st.tuples(st.integers(1, 70), st.integers(1, 70)))
def test_a_window_counts_most_at_its_centre_and_everywhere(patch: tuple[int, int]) -> None:
    counts = importance(patch)
    assert counts.shape == patch
    assert counts.dtype == np.float16
    assert counts.min() > 0
    assert counts[patch[0] // 2, patch[1] // 2] == counts.max() == 10
