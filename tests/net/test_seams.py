"""Windows are compared at every seam, by what both predict of the same pixels; straight edges are counted."""

from __future__ import annotations

from itertools import groupby

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from axonflow.kernel.grid import Box, Grid
from axonflow.net.lattice import Lattice
from axonflow.net.seams import ACROSS, DOWN, STRAIGHT_PX, Seams, straight_edges

SIDES = st.tuples(st.integers(1, 150), st.integers(1, 150))


@settings(max_examples=100)
@given(SIDES, st.sampled_from([16, 32, 48]), st.integers(1, 40), st.integers(1, 3), st.integers(0, 2**32 - 1))
def test_windows_are_compared_where_both_look(
    shape: tuple[int, int], core: int, halo: int, cores_in_chunk: int, seed: int
) -> None:
    random = np.random.default_rng(seed)
    seams = Seams.of(Lattice(shape, core, halo, stride=16))
    depth = seams.depth
    assert 0 < depth <= halo
    # Each window has an opinion of its own of the whole slide, of which it hands out no more than it may.
    said = {each: random.integers(0, 3, shape, dtype=np.uint8) for each in seams.lattice.cores(Box.whole(shape))}
    labels, beyond = np.zeros(shape, np.uint8), np.zeros((2, *shape), np.uint8)
    for each, opinion in said.items():
        around = np.pad(opinion, depth, constant_values=9)[each.y0 : each.y1 + 2 * depth, each.x0 : each.x1 + 2 * depth]
        labels[each.slices] = opinion[each.slices]
        beyond[:, *each.slices] = seams.folded(around, each)
    expected = {}
    for one in said:
        for other in said:
            right = one.x1 == other.x0 and one.y0 == other.y0
            below = one.y1 == other.y0 and one.x0 == other.x0
            if right:
                near, beside = min(depth, shape[1] - other.x0), min(seams.reach, shape[1] - other.x0)
                looked = Box(one.y0, other.x0 - near, one.y1, other.x0 + near)
                place = Box(one.y0, other.x0 - seams.reach, one.y1, other.x0 + beside)
            elif below:
                near, beside = min(depth, shape[0] - other.y0), min(seams.reach, shape[0] - other.y0)
                looked = Box(other.y0 - near, one.x0, other.y0 + near, one.x1)
                place = Box(other.y0 - seams.reach, one.x0, other.y0 + beside, one.x1)
            if right or below:
                expected[DOWN if below else ACROSS, place] = np.mean(
                    said[one][looked.slices] != said[other][looked.slices]
                )
    seen: dict[tuple[int, Box], float] = {}
    own: list[tuple[int, Box]] = []
    for box in Grid(shape, (core * cores_in_chunk,) * 2, smallest=halo):
        have = box.grow(depth, shape)
        compared = seams.compared(box, labels[have.slices], beyond[:, *have.slices], have)
        for direction, found in zip((ACROSS, DOWN), compared, strict=True):
            for seam in found:
                assert (seam.beside & box).size > 0
                np.testing.assert_allclose(seam.disagreement, seen.setdefault((direction, seam.beside), seam[1]))
                own += [(direction, seam.beside)] if seam.own else []
    assert seen.keys() == expected.keys()
    for name, share in expected.items():
        np.testing.assert_allclose(seen[name], share)
    assert sorted(own) == sorted(expected)


def runs(one: NDArray[np.uint8], other: NDArray[np.uint8], ends: list[int]) -> int:
    """Count straight edges pixel by pixel."""
    parts = np.split(one != other, ends)
    lengths = [len(list(run)) for part in parts for differs, run in groupby(part.tolist()) if differs]
    return sum(length >= STRAIGHT_PX for length in lengths)


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 40)), min_size=1, max_size=9), st.data())
def test_straight_edges_are_runs_that_end_at_corners(stretches: list[tuple[bool, int]], data: st.DataObject) -> None:
    differs = np.concatenate([np.full(length, kind) for kind, length in stretches])
    one = data.draw(st.integers(0, 2)) * np.ones(len(differs), np.uint8)
    other = np.where(differs, 2 - one + (one == 1), one).astype(np.uint8)
    ends = sorted(data.draw(st.sets(st.integers(1, max(len(differs) - 1, 1)), max_size=3)))
    found = straight_edges(one, other, np.array([end for end in ends if end < len(differs)], np.int64))
    assert found == runs(one, other, [end for end in ends if end < len(differs)])


@given(SIDES, st.sampled_from([16, 32, 48]), st.integers(0, 2**32 - 1))
def test_lines_inside_a_box_are_its_seams_and_the_middles_of_cores(
    shape: tuple[int, int], core: int, seed: int
) -> None:
    labels = np.repeat(np.random.default_rng(seed).integers(0, 2, (-(-shape[0] // 20), shape[1]), np.uint8), 20, 0)
    labels = np.ascontiguousarray(labels[: shape[0]])
    ends = [[*range(core, side, core)] for side in shape]
    on_seams = in_cores = 0
    for lines, across, along in ((labels, ends[1], ends[0]), (labels.T, ends[0], ends[1])):
        on_seams += sum(runs(lines[:, at - 1], lines[:, at], along) for at in across)
        in_cores += sum(runs(lines[:, at - core // 2 - 1], lines[:, at - core // 2], along) for at in across)
    seams = Seams.of(Lattice(shape, core, 25, stride=16))
    assert seams.straight(Box.whole(shape), labels) == (on_seams, in_cores)
