"""What is said of seams is the same whether windows are taken as they were computed before, or computed again."""

from __future__ import annotations

import pickle
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from numpy.typing import NDArray
from slides import contents, picture, processes, tissue, write_model, write_slide
from torch import Tensor

from axonflow.engine.events import BatchDone, Event, StageBegun, StageDone
from axonflow.engine.fleet import open_pool
from axonflow.engine.pool import LocalPool
from axonflow.kernel.grid import Box
from axonflow.net.lattice import Lattice
from axonflow.net.loaded import LoadedNetwork
from axonflow.stages.seam_sample import SeamSample
from axonflow.workflow.config import Config
from axonflow.workflow.job import Job, prepare, run_job

Taken = list[NDArray[np.uint8] | None]


@given(
    shape=st.tuples(st.integers(1, 2000), st.integers(1, 2000)),
    core=st.sampled_from([16, 32, 64]),
    halo=st.integers(1, 40),
)
def test_a_strip_lies_in_both_windows_and_on_both_sides_of_the_seam(
    shape: tuple[int, int], core: int, halo: int
) -> None:
    sample = SeamSample(Lattice(shape, core, min(halo, core), 16))
    assert len(sample.strips) == 2 * len(sample.pairs)
    assert len(sample.pairs) >= (shape[1] > core)
    for pair in sample.pairs:
        left, right = sample.lattice.cores(pair)
        strip = sample.strips[left]
        assert strip == sample.strips[right]
        assert (strip.y0, strip.y1) == (left.y0, left.y1)
        assert strip.x1 - right.x0 == right.x0 - strip.x0 == min(sample.lattice.halo, right.x1 - right.x0)
        assert strip == strip & pair


def test_what_is_sent_keeps_nothing() -> None:
    sample = SeamSample(Lattice((64, 128), 64, 16, 16))
    left, right = sample.strips
    sample.keep(left, np.ones((64, 32), np.uint8))
    sent: SeamSample = pickle.loads(pickle.dumps(sample))
    assert (sent.keeps, sent.take(left), sent.pairs) == (False, None, sample.pairs)
    assert sample.keeps
    assert sample.take(right) is None
    np.testing.assert_array_equal(sample.take(left), 1)
    assert sample.take(left) is None


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> Taken:
    """What was asked of samples."""
    taken: Taken = []
    take = SeamSample.take

    def noting(sample: SeamSample, core: Box) -> NDArray[np.uint8] | None:
        taken.append(take(sample, core))
        return taken[-1]

    monkeypatch.setattr(SeamSample, "take", noting)
    return taken


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Config:
    """A slide of 4 × 5 windows of a network nobody trained, the last ones narrower than their halo."""
    folder = tmp_path_factory.mktemp("slide")
    slide = write_slide(folder / "slide.tif", picture(tissue((210, 276))))
    return Config(slide, folder / "plain", model=str(write_model(folder)), cell_um=6.0, chunk=128)


@pytest.fixture(scope="module")
def plain(config: Config) -> Job:
    """A run that computes all windows for themselves."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("axonflow.stages.segment.SeamSample", partial(SeamSample, keeps=False))
        job = prepare(config)
    run_job(job, pool=LocalPool())
    return job


def said(job: Job) -> list[tuple[Box, dict[str, list[int]]]]:
    """What was found at each seam of the sample."""
    stage = next(stage for stage in job.stages if stage.name == "segment.seams")
    return [
        (box, {name: counts.tolist() for name, counts in result.items()})
        for box, result in job.journal.record(stage).results()
    ]


def assert_same(job: Job, plain: Job) -> None:
    assert said(job) == said(plain)
    assert contents(job.layout.store) == contents(plain.layout.store)


@pytest.mark.parametrize(("chunk", "threads"), [(64, 1), (64, 3), (128, 2), (320, 1)])
def test_neither_chunks_nor_threads_decide_anything(
    config: Config, plain: Job, tmp_path: Path, taken: Taken, chunk: int, threads: int
) -> None:
    job = prepare(replace(config, out=tmp_path / "store", chunk=chunk))
    run_job(job, pool=LocalPool(threads))
    assert_same(job, plain)
    assert len(taken) == 2 * len(said(job)) == 4
    assert not any(strip is None for strip in taken)
    assert sum(found["strip"][1] for _, found in said(job)) > 0


@pytest.mark.parametrize("settings", [{"halo": "exact"}, {"precision": "bfloat16"}, {"adapt_to_slide": "on"}], ids=str)
def test_nor_does_any_setting(config: Config, tmp_path: Path, taken: Taken, settings: dict[str, Any]) -> None:
    whole = prepare(replace(config, out=tmp_path / "whole", **{"chunk": 192} | settings))
    run_job(whole, pool=LocalPool())
    assert taken
    assert not any(strip is None for strip in taken)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("axonflow.stages.segment.SeamSample", partial(SeamSample, keeps=False))
        plain = prepare(replace(config, out=tmp_path / "plain", **{"chunk": 192} | settings))
    run_job(plain, pool=LocalPool())
    assert_same(whole, plain)


def test_nor_does_who_asks_where_a_processor_rounds_each_part_of_a_window_otherwise(
    config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = LoadedNetwork.planes

    def moody(self: LoadedNetwork, table: Tensor, inner: Box, count: int, codes: Tensor) -> Tensor:
        made = usual(self, table, inner, count, codes).clone()
        made[:, 0] = (made[:, 0] + inner.size) % 3
        return made

    monkeypatch.setattr(LoadedNetwork, "planes", moody)
    jobs = []
    for keeps in (True, False):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("axonflow.stages.segment.SeamSample", partial(SeamSample, keeps=keeps))
            jobs.append(prepare(replace(config, out=tmp_path / str(keeps))))
        run_job(jobs[-1], pool=LocalPool())
    assert_same(*jobs)


def test_other_processes_say_the_same(
    config: Config, plain: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = prepare(replace(config, out=tmp_path / "store", chunk=64))
    with open_pool(processes(monkeypatch), tmp_path / "pool") as pool:
        run_job(job, pool=pool)
    assert_same(job, plain)


@pytest.mark.parametrize("after", ["a batch", "the stage"])
def test_a_run_that_goes_on_says_the_same(config: Config, plain: Job, tmp_path: Path, taken: Taken, after: str) -> None:
    config = replace(config, out=tmp_path / "store", chunk=64)
    stage = ""

    def stop(event: Event) -> None:
        nonlocal stage
        if isinstance(event, StageBegun):
            stage = event.stage.name
        if stage == "segment" and isinstance(event, BatchDone if after == "a batch" else StageDone):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_job(prepare(config), pool=LocalPool(), on_event=stop)
    job = prepare(config)
    run_job(job, pool=LocalPool())
    assert_same(job, plain)
    lacking = sum(strip is None for strip in taken)
    assert lacking == len(taken) if after == "the stage" else 0 < lacking < len(taken)
