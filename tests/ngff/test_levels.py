from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from axonflow.errors import InputError
from axonflow.kernel.grid import Box
from axonflow.ngff.levels import Levels

levels = st.builds(
    Levels,
    st.tuples(st.integers(1, 20_000), st.integers(1, 20_000)),
    st.integers(1, 40).map(lambda n: 2 * n) | st.sampled_from([96, 256, 512, 768, 1024, 1536, 2048, 4096, 8192]),
    st.just(0) | st.integers(1, 20),
)


@given(levels)
def test_every_level_is_written_in_exactly_one_round(levels: Levels) -> None:
    written = [0, *(level for number in (0, *levels.rounds) for level in levels.above(number))]
    assert written == list(range(levels.count))


@given(levels)
def test_a_round_starts_from_a_level_that_earlier_rounds_have_written(levels: Levels) -> None:
    for number in levels.rounds:
        assert levels.bottom(number) == levels.above(number - 1)[-1]


@given(levels)
def test_free_levels_end_where_the_larger_side_is_at_most_512(levels: Levels) -> None:
    *finer, last = replace(levels, count=0).shapes
    assert max(last) <= 512
    assert all(max(shape) > 512 for shape in finer)


def test_the_number_of_levels_can_be_given() -> None:
    assert Levels((9, 4), 64, 6).shapes == ((9, 4), (5, 2), (3, 1), (2, 1), (1, 1), (1, 1))


@given(levels, st.data())
def test_a_core_owns_whole_shards_in_every_level_it_writes(levels: Levels, data: st.DataObject) -> None:
    number = data.draw(st.sampled_from((0, *levels.rounds)))
    grid = levels.grid(number)
    y = data.draw(st.integers(0, grid.counts[0] - 1)) * levels.shard
    x = data.draw(st.integers(0, grid.counts[1] - 1)) * levels.shard
    box = Box(y, x, y + levels.shard, x + levels.shard) & Box.whole(grid.shape)
    levels.check(number, box)
    for level in levels.above(number):
        box, side = box.coarser(2), levels.shard_of(level)
        assert (box.y0 % side, box.x0 % side) == (0, 0)
        for end, edge in zip((box.y1, box.x1), levels.shape_of(level), strict=True):
            assert end == edge or end % side == 0


@given(levels)
def test_shards_are_whole_chunks_of_at_most_512(levels: Levels) -> None:
    for level in range(levels.count):
        shard, chunk = levels.shard_of(level), levels.chunk_of(level)
        assert shard % chunk == 0
        assert chunk == max(side for side in range(1, 513) if shard % side == 0)


@pytest.mark.parametrize(("shard", "span"), [(4096, 4), (8192, 5), (3072, 3), (512, 1), (64, 1), (2, 1), (1030, 1)])
def test_a_round_ends_before_shards_become_small(shard: int, span: int) -> None:
    assert Levels((1, 1), shard).span == span


@pytest.mark.parametrize(
    "box",
    [
        Box(0, 0, 64, 32),  # half a shard
        Box(32, 0, 96, 64),  # across two
        Box(0, 0, 64, 0),  # nothing
        Box(0, 0, 64, 192),  # beyond the edge of 150 px
        Box(-64, 0, 64, 64),
        Box(64, 0, 0, 64),
    ],
    ids=str,
)
def test_a_box_that_does_not_own_its_shards_is_refused(box: Box) -> None:
    with pytest.raises(InputError, match="whole shards of 64 px"):
        Levels((200, 150), 64).check(0, box)


@pytest.mark.parametrize("box", [Box(0, 0, 64, 64), Box(64, 0, 192, 150), Box(192, 128, 200, 150)], ids=str)
def test_a_box_may_hold_many_shards_and_end_at_the_edge(box: Box) -> None:
    Levels((200, 150), 64).check(0, box)


def test_the_side_of_a_shard_is_even() -> None:
    with pytest.raises(InputError, match="even side of the shards was expected, 65 px came"):
        Levels((200, 150), 65)


def test_an_image_has_pixels() -> None:
    with pytest.raises(InputError, match="0 × 150 px came"):
        Levels((0, 150), 64)


def test_a_round_that_does_not_exist_is_refused() -> None:
    levels = Levels((2000, 10), 64)
    assert levels.rounds == (1,)
    with pytest.raises(InputError, match="from 0 to 1 was expected, 2 came"):
        levels.bottom(2)
