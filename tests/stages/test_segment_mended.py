"""Labels are made again beside seams that show, the same in any chunks and after any stop, and nowhere else."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from shutil import copyfile
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from slides import LOCAL, analyse, command, contents, picture, processes, tissue, write_model, write_slide

import axonflow
from axonflow.engine.fleet import open_pool
from axonflow.engine.plan import Plan
from axonflow.engine.pool import LocalPool
from axonflow.kernel.grid import Box
from axonflow.net.device import Processor
from axonflow.net.familiarity import block_sums
from axonflow.net.lattice import Lattice
from axonflow.net.normalise import grey_codes, grey_table, histogram, lookup_table
from axonflow.net.precision import Precisions
from axonflow.net.predict import Predictor
from axonflow.ngff import Blocks, Pyramid
from axonflow.results.check import check
from axonflow.results.report.trust import doubts
from axonflow.stages.segmentation import Network
from axonflow.workflow.config import Config
from axonflow.workflow.estimate import estimate_seconds
from axonflow.workflow.job import prepare, run_job
from axonflow.workflow.record import read_record

SHAPE = (150, 170)
SOME = 0.0025
"""A share that some of the seams reach."""


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Config:
    """A slide of 3 × 3 windows of a network nobody trained, segmented as usual."""
    folder = tmp_path_factory.mktemp("mended")
    slide, model = write_slide(folder / "slide.tif", picture(tissue(SHAPE))), str(write_model(folder))
    config = Config(
        slide, folder / "plain", model=model, keep_probabilities=True, cell_um=6.0, chunk=128, precision="bfloat16"
    )
    analyse(config)
    return config


@pytest.fixture(scope="module")
def mended(plain: Config) -> Config:
    """The same, mended where windows disagree."""
    config = replace(plain, out=plain.out.with_name("mended"), halo="mend")
    with mending_from(SOME):
        analyse(config)
    return config


@contextmanager
def mending_from(share: float) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("axonflow.workflow.sources.MENDED_FROM", share)
        yield


def noted(config: Config) -> dict[str, Any]:
    """Return what the record says of what was mended."""
    found: dict[str, Any] = read_record(config.out)["stages"]["segment"]["mended"]
    return found


def labels(config: Config) -> NDArray[np.uint8]:
    return np.asarray(Pyramid.open(config.out / "labels" / "semantic").array(0)[:])


@pytest.mark.parametrize(("chunk", "threads"), [(64, 3), (192, 1), (256, 1)])
def test_neither_chunks_nor_threads_decide_anything(
    plain: Config, mended: Config, tmp_path: Path, chunk: int, threads: int
) -> None:
    config = replace(mended, out=tmp_path / "store", chunk=chunk)
    with mending_from(SOME):
        run_job(prepare(config), pool=LocalPool(threads))
    assert contents(config.out) == contents(mended.out) != contents(plain.out)
    assert noted(config) == noted(mended)
    assert 0 < noted(mended)["again"] < noted(mended)["seams"] == 12
    assert 0 < noted(mended)["changed"] == np.mean(labels(mended) != labels(plain))


def test_other_processes_decide_nothing(mended: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = replace(mended, out=tmp_path / "store", chunk=64)
    with mending_from(SOME), open_pool(processes(monkeypatch), tmp_path / "pool") as pool:
        run_job(prepare(config), pool=pool)
    assert contents(config.out) == contents(mended.out)


def test_above_all_shares_labels_are_those_without(plain: Config, tmp_path: Path) -> None:
    config = replace(plain, out=tmp_path / "store", halo="mend")
    with mending_from(1.01):
        analyse(config)
    assert contents(config.out) == contents(plain.out)
    assert noted(config)["again"] == noted(config)["changed"] == 0


def test_below_all_shares_every_seam_is_made_again_by_windows_that_see_all(plain: Config, tmp_path: Path) -> None:
    config = replace(plain, out=tmp_path / "store", halo="mend")
    with mending_from(0.0):
        analyse(config)
    assert noted(config)["again"] == noted(config)["seams"]

    job, whole = prepare(config), Box.whole(SHAPE)
    network = job.segmentation
    assert isinstance(network, Network)
    pixels = job.layout.slide.read(whole)
    table = lookup_table(histogram(pixels))

    def over(halo: int) -> Predictor:
        return Predictor(network.checkpoint, Lattice(SHAPE, 64, halo, 16), network.precision, Processor())

    expected, exact = over(25).predict(pixels, whole, whole, table), over(network.checkpoint.shape.radius)
    beside = [Box(y, x - 32, min(y + 64, SHAPE[0]), min(x + 32, SHAPE[1])) for y in (0, 64, 128) for x in (64, 128)]
    beside += [Box(y - 32, x, min(y + 32, SHAPE[0]), min(x + 64, SHAPE[1])) for y in (64, 128) for x in (0, 64, 128)]
    for place in beside:
        exact.each([(place,)], lambda _: (pixels, whole), table, len(expected), lambda at, new: put(expected, at, new))
    np.testing.assert_array_equal(labels(config), expected[0])
    for name, plane in zip(("background", "myelin", "axon"), expected[2:], strict=True):
        kept = np.asarray(Pyramid.open(config.out / "probabilities" / name).array(0)[0])
        np.testing.assert_array_equal(kept, plane)
    sums = block_sums(expected[1], grey_table(histogram(pixels))[grey_codes(pixels)])
    np.testing.assert_array_equal(Blocks.open(config.out / "traits").array()[:], sums)

    seen = exact.predict(pixels, whole, whole, table)[0]  # the windows of --halo exact are others: last bits differ
    inside = np.ones(SHAPE, bool)
    for place in beside:
        inside[place.slices] = False
    assert np.mean(labels(config)[~inside] != seen[~inside]) < 1e-3
    np.testing.assert_array_equal(labels(config)[inside], labels(plain)[inside])


def put(planes: NDArray[np.uint8], place: Box, new: NDArray[np.uint8]) -> None:
    planes[:, *place.slices] = new


class Stopped(BaseException):
    """The power is gone, or the process killed."""


@pytest.mark.parametrize("step", range(2, 26, 3))
def test_a_run_that_is_stopped_anywhere_goes_on_to_the_same_bytes(mended: Config, tmp_path: Path, step: int) -> None:
    config, left = replace(mended, out=tmp_path / "store", keep_probabilities=False), step

    def counted(write: Callable[..., None]) -> Callable[..., None]:
        def stopping(*given: object) -> None:
            nonlocal left
            left -= 1
            if left == 0:
                raise Stopped
            write(*given)

        return stopping

    with mending_from(SOME):
        with pytest.MonkeyPatch.context() as patch:
            for kind in (Pyramid, Blocks):
                patch.setattr(kind, "write", counted(kind.write))
            with pytest.raises(Stopped):
                analyse(config)
        with mending_from(0.2):  # another share at first: what was made with it must go
            analyse(config, until="segment")
        analyse(config)
    expected = {name: digest for name, digest in contents(mended.out).items() if "probabilities" not in name}
    assert contents(config.out) == expected
    assert check(config.out).sound


def test_a_first_pass_that_was_begun_keeps_its_model_and_precision(mended: Config, tmp_path: Path) -> None:
    config = replace(mended, out=tmp_path / "store")
    with mending_from(SOME), pytest.MonkeyPatch.context() as patch:
        patch.setattr("axonflow.stages.segment_mended.Seams.compared", stopped)
        with pytest.raises(Stopped):
            analyse(config)
        job = prepare(replace(config, model=None), lambda: Precisions("float32"))
    begun = prepare(mended).segmentation
    assert isinstance(begun, Network)
    assert isinstance(job.segmentation, Network)
    assert (job.segmentation.checkpoint, job.segmentation.precision) == (begun.checkpoint, begun.precision)


def stopped(*_: object) -> None:
    raise Stopped


def test_the_setting_changes_to_and_fro(plain: Config, mended: Config, tmp_path: Path) -> None:
    config = replace(plain, out=tmp_path / "store")
    other = replace(config, halo="mend")
    later = ["label.survey", "label", "measure", "measure.rules", "measure.regions", "map"]
    with mending_from(SOME):
        analyse(config)
        assert analyse(other) == ["segment.first", "segment", "segment.seams", *later]
        assert contents(config.out) == contents(mended.out)
        assert check(config.out).sound
        assert analyse(config) == ["segment", "segment.seams", *later]
        assert contents(config.out) == contents(plain.out)
        assert check(config.out).sound
        assert analyse(other) == ["segment", "segment.seams", *later]  # the first look is there
        assert contents(config.out) == contents(mended.out)
        assert analyse(other) == []


def test_a_network_that_is_adapted_is_mended_too(plain: Config, tmp_path: Path) -> None:
    found = []
    with mending_from(SOME / 5):  # of its seams half reach that
        for chunk in (64, 256):
            config = replace(plain, out=tmp_path / str(chunk), chunk=chunk, halo="mend", adapt_to_slide="on")
            analyse(config)
            found.append((contents(config.out), noted(config)))
    assert found[0] == found[1]
    assert found[0][1]["again"] > 0


def test_it_is_written_down_and_told(mended: Config) -> None:
    record = read_record(mended.out)
    assert record["config"]["halo"] == "mend"
    assert (record["model"]["halo_px"], record["model"]["mended_from"]) == (25, SOME)
    assert record["seams"]["exact_halo_disagrees"] < 0.1
    again, seams = noted(mended)["again"], noted(mended)["seams"]
    said = [fact for fact in doubts(axonflow.open(mended.out), pd.DataFrame()) if fact.name == "cuts that were mended"]
    assert [fact.value.split(" (")[0] for fact in said] == [f"{again} of {seams}"]
    ran = command("info", mended.out)
    assert f"{again} of {seams} seams" in ran.out


def test_what_sees_all_already_is_not_mended(plain: Config, tmp_path: Path) -> None:
    model = json.loads(Path(str(plain.model)).read_text())
    wide = tmp_path / "wide.json"
    wide.write_text(json.dumps(model | {"name": "wide", "halo_px": 144}))
    copyfile(Path(str(plain.model)).with_suffix(".safetensors"), wide.with_suffix(".safetensors"))
    names = [
        stage.name
        for stage in prepare(replace(plain, out=tmp_path / "s", model=str(wide), halo="mend", chunk=192)).stages
    ]
    assert "segment" in names
    assert "segment.first" not in names


def test_a_plan_counts_both_passes(plain: Config, mended: Config, tmp_path: Path) -> None:
    job = prepare(replace(mended, out=tmp_path / "store", keep_probabilities=False))
    costs = {step.name: step for step in Plan.of(job.stages, job.journal, job.config.out, LOCAL).steps}
    usual = prepare(replace(plain, out=tmp_path / "store", keep_probabilities=False))
    once = {step.name: step for step in Plan.of(usual.stages, usual.journal, usual.config.out, LOCAL).steps}
    assert costs["segment.first"].disk > costs["segment"].disk == once["segment"].disk
    assert estimate_seconds(job, job.journal, 1) > 0
