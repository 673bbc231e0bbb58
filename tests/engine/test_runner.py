"""Stages run to the same bytes by every pool, lose nothing when a task fails, and are redone when they change."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage
from slides import processes

from axonflow.engine.events import Event, StageDone
from axonflow.engine.fleet import open_pool
from axonflow.engine.journal import Journal, set_aside
from axonflow.engine.pool import LocalPool, Pool
from axonflow.engine.runner import _covered, run_stages
from axonflow.engine.stage import Overlap, Result, Stage
from axonflow.errors import RunError, SlideError
from axonflow.kernel.files import write_file
from axonflow.kernel.grid import Box, Grid

turn = threading.Lock()  # Python's parser, which reads an array's header, fails at times in two threads at once


def load(path: Path, mode: Literal["r", "r+"] = "r") -> NDArray[Any]:
    with turn:
        return np.asanyarray(np.load(path, mmap_mode=mode))


def double(source: Path, target: Path, broken: Path, box: Box) -> Result:
    if broken.exists() and (box.y0, box.x0) == tuple(load(broken)):
        raise ValueError("no")
    out = load(target, "r+")
    assert isinstance(out, np.memmap)
    out[box.slices] = load(source)[box.slices] * 2
    out.flush()
    return {"sum": out[box.slices].sum()}


def write_upon(path: Path, letter: str, first: bool, results: Iterable[tuple[Box, Result]]) -> None:
    write_file(path, (b"" if first else path.read_bytes().rstrip(letter.encode())) + letter.encode())


def create(target: Path, shape: tuple[int, int]) -> None:
    np.save(target, np.zeros(shape, np.int64))


def total(target: Path, results: Iterable[tuple[Box, Result]]) -> None:
    np.save(target, [result["sum"] for _, result in results])


def doubling(folder: Path, shape: tuple[int, int], core: int, batch: int = 2) -> Stage:
    np.save(folder / "in.npy", np.arange(shape[0] * shape[1]).reshape(shape))
    return Stage(
        name="double",
        revision=1,
        parameters={},
        after=(),
        shape=shape,
        batches=tuple(Grid(shape, (core, core)).batches(batch)),
        task=partial(double, folder / "in.npy", folder / "out.npy", folder / "broken.npy"),
        prepare=partial(create, folder / "out.npy", shape),
        finish=partial(total, folder / "sums.npy"),
    )


@pytest.fixture(scope="module", params=["synchronous", "threads", "distributed"])
def pool(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pool]:
    if request.param == "distributed":
        with (
            pytest.MonkeyPatch.context() as patch,
            open_pool(processes(patch), tmp_path_factory.mktemp("pool")) as opened,
        ):
            yield opened
    else:
        yield LocalPool(1 if request.param == "synchronous" else 3)


def test_every_pool_gives_the_same(pool: Pool, tmp_path: Path) -> None:
    stage = doubling(tmp_path, (37, 53), 8)
    run_stages([stage], Journal(tmp_path / "journal"), pool)
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), np.load(tmp_path / "in.npy") * 2)
    boxes = [box for batch in stage.batches for box in batch]
    expected = [np.load(tmp_path / "out.npy")[box.slices].sum() for box in boxes]
    np.testing.assert_array_equal(np.load(tmp_path / "sums.npy"), expected)


def test_a_failed_task_loses_only_its_batch_and_the_next_run_continues(pool: Pool, tmp_path: Path) -> None:
    stage = doubling(tmp_path, (40, 40), 8)
    journal = Journal(tmp_path / "journal")
    np.save(tmp_path / "broken.npy", (32, 32))
    with pytest.raises(RunError, match=r"double.*ValueError"):
        run_stages([stage], journal, pool)
    record = journal.record(stage)
    assert record.begun
    assert not record.complete
    (tmp_path / "broken.npy").unlink()
    np.save(tmp_path / "in.npy", np.zeros((40, 40), np.int64))  # what is recorded is not computed again
    done = set(range(len(stage.batches))) - set(record.missing())
    run_stages([stage], journal, pool)
    out = np.load(tmp_path / "out.npy")
    for i, batch in enumerate(stage.batches):
        for box in batch:
            assert bool(out[box.slices].any()) == (i in done)


def test_errors_of_the_user_pass_as_they_are(tmp_path: Path) -> None:
    def refuse(box: Box) -> Result:
        raise SlideError("damaged")

    with pytest.raises(SlideError, match="damaged"):
        run_stages([replace(doubling(tmp_path, (8, 8), 8), task=refuse)], Journal(tmp_path), LocalPool())


def test_a_changed_stage_is_redone_with_all_after_it_and_nothing_else(tmp_path: Path) -> None:
    journal, done = Journal(tmp_path / "journal"), list[str]()

    def note(event: Event) -> None:
        if isinstance(event, StageDone):
            done.append(event.stage.name)

    first = doubling(tmp_path, (16, 16), 8)
    chain = [first]
    for name in ("second", "third"):
        chain.append(replace(first, name=name, after=(chain[-1],)))
    run_stages(chain, journal, LocalPool(), note)
    run_stages(chain, journal, LocalPool(), note)
    assert done == ["double", "second", "third"]
    changed = replace(chain[1], parameters={"a": 1})
    run_stages([first, changed, replace(chain[2], after=(changed,))], journal, LocalPool(), note)
    assert done[3:] == ["second", "third"]
    run_stages(chain, journal, LocalPool(), note)  # back again: the outputs have been overwritten meanwhile
    assert done[5:] == ["second", "third"]


def smooth(halo: int, shape: tuple[int, int], pixels: NDArray[Any], box: Box) -> NDArray[Any]:
    window = box.grow(halo, shape)
    assert pixels.shape == window.shape
    out: NDArray[Any] = ndimage.minimum_filter(pixels, 2 * halo + 1, mode="nearest")[box.relative_to(window).slices]
    return out[None]


def keep(target: Path, planes: NDArray[Any], box: Box) -> Result:
    out = np.load(target, mmap_mode="r+")
    out[box.slices] = planes[0]
    out.flush()
    return {}


@settings(max_examples=25)
@given(st.integers(1, 40), st.integers(1, 60), st.integers(4, 20), st.integers(0, 4), st.integers(1, 4))
def test_overlap_gives_every_core_its_whole_window(
    tmp_path_factory: pytest.TempPathFactory, h: int, w: int, core: int, halo: int, batch: int
) -> None:
    folder = tmp_path_factory.mktemp("overlap")
    pixels = np.random.default_rng(h * w).integers(0, 99, (h, w))
    np.save(folder / "in.npy", pixels)
    stage = Stage(
        name="smooth",
        revision=1,
        parameters={},
        after=(),
        shape=(h, w),
        batches=tuple(Grid((h, w), (core, core), smallest=halo).batches(batch)),
        task=partial(keep, folder / "out.npy"),
        prepare=partial(create, folder / "out.npy", (h, w)),
        overlap=Overlap(partial(np.load, folder / "in.npy"), halo, 1, "int64", partial(smooth, halo, (h, w))),
    )
    run_stages([stage], Journal(folder / "journal"), LocalPool())
    expected = ndimage.minimum_filter(pixels, 2 * halo + 1, mode="nearest")
    np.testing.assert_array_equal(np.load(folder / "out.npy"), expected)


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("can't start new thread"),
        ImportError("libparquet.so: failed to map segment from shared object"),
    ],
)
def test_a_lack_of_memory_is_called_that(tmp_path: Path, error: Exception) -> None:
    def fail(*_: object) -> Result:
        raise error

    stage = replace(doubling(tmp_path, (4, 4), 4), task=fail, prepare=None)
    with pytest.raises(RunError, match="ran out of memory: use a smaller --chunk, or fewer --workers"):
        run_stages([stage], Journal(tmp_path / "journal"), LocalPool())


@pytest.mark.parametrize("lost", ["done.*", "00000000.*"])
def test_what_is_written_upon_a_file_is_written_again_after_it(lost: str, tmp_path: Path) -> None:
    """As the table of axons, which one stage writes and others complete."""
    path, journal = tmp_path / "table", Journal(tmp_path / ".axonflow" / "journal")
    stages: list[Stage] = []
    for letter in "abc":
        stage = replace(doubling(tmp_path, (8, 8), 8), name=letter, after=tuple(stages))
        stages.append(replace(stage, finish=partial(write_upon, path, letter, letter == "a")))
    run_stages(stages, journal, LocalPool())
    assert path.read_text() == "abc"
    entry = next(journal.record(stages[0]).folder.glob(lost))
    set_aside([entry, *entry.parent.glob("done.*.json")])
    done: list[str] = []
    run_stages(stages, journal, LocalPool(), lambda e: done.append(e.stage.name) if isinstance(e, StageDone) else None)
    assert path.read_text() == "abc"
    assert done == ["a", "b", "c"]


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 9)), max_size=9))
def test_what_a_worker_does_at_the_same_time_counts_once(spans: list[tuple[int, int]]) -> None:
    seconds = {second for begin, length in spans for second in range(begin, begin + length)}
    assert _covered([(begin, begin + length) for begin, length in spans]) == len(seconds)
