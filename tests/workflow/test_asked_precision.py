"""Which precision a run has: what is asked for, else what a store was begun in, else what the workers compute best."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from slides import picture, tissue, write_model, write_slide
from whole_numbers import random_integers

from axonflow.engine.profile import Profile
from axonflow.errors import InputError, ModelError
from axonflow.kernel.classes import WITH_UNMYELINATED
from axonflow.net.checkpoint import Checkpoint, embedded_models
from axonflow.net.exact import put_integers_into
from axonflow.net.precision import Precisions
from axonflow.results.analysis import open_store
from axonflow.stages.segmentation import Network
from axonflow.workflow.changes import changes_since
from axonflow.workflow.config import Config
from axonflow.workflow.job import Job, prepare, run_job
from axonflow.workflow.record import read_record


@pytest.fixture
def config(tmp_path: Path) -> Config:
    model = Checkpoint.find(write_model(tmp_path))
    model.with_integers(random_integers(model.shape, len(model.classes)))
    slide = write_slide(tmp_path / "slide.tif", picture(tissue((130, 100))))
    return Config(slide, tmp_path / "store", model=str(model.path), cell_um=6.0, chunk=64, precision="int8")


def precision(job: Job) -> str:
    assert isinstance(job.segmentation, Network)
    return job.segmentation.precision


def test_whole_numbers_are_asked_for_and_recorded_and_gone_on_with(config: Config) -> None:
    unasked = replace(config, precision=None)
    assert precision(prepare(unasked, lambda: Precisions("bfloat16"))) == "bfloat16"
    run_job(prepare(config), Profile.find("local").but(workers=1), until="segment")
    assert read_record(config.out)["model"]["precision"] == "int8"
    going_on = prepare(unasked, lambda: Precisions("bfloat16"))
    assert precision(going_on) == "int8"
    segment = next(stage for stage in going_on.stages if stage.name == "segment")
    assert going_on.journal.record(segment).complete
    assert precision(prepare(replace(config, precision="float32"))) == "float32"
    assert precision(prepare(unasked, lambda: Precisions("bfloat16"), fresh=True)) == "bfloat16"


def test_a_store_of_whole_numbers_is_made_anew_where_they_cannot_be(config: Config) -> None:
    run_job(prepare(config), Profile.find("local").but(workers=1), until="segment")
    unasked = replace(config, precision=None)
    assert (
        precision(prepare(replace(unasked, adapt_to_slide="on"), lambda: Precisions("float32", bytes=True)))
        == "float32"
    )
    other = config.out.parent / "other"
    other.mkdir()
    model = str(write_model(other))  # which has none
    assert precision(prepare(replace(unasked, model=model), lambda: Precisions("bfloat16", bytes=True))) == "bfloat16"


def test_other_whole_numbers_are_said(config: Config) -> None:
    job = prepare(config)
    run_job(job, Profile.find("local").but(workers=1))
    size, segmentation = job.layout.native.pixel_size, job.segmentation
    assert read_record(config.out)["model"]["integers"] == Checkpoint.find(str(config.model)).integers
    assert changes_since(config.out, replace(config, precision=None), size, segmentation) == []
    model = Checkpoint.find(str(config.model))
    model.with_integers(random_integers(model.shape, len(model.classes), seed=1))
    (said,) = changes_since(config.out, config, size, prepare(config).segmentation)
    assert said.startswith("other whole numbers of tiny64 (sha256 ")


def test_other_whole_numbers_are_other_labels(config: Config) -> None:
    def key() -> str:
        return next(stage.key for stage in prepare(config).stages if stage.name == "segment")

    before, model = key(), Checkpoint.find(str(config.model))
    model.with_integers(random_integers(model.shape, len(model.classes), seed=1))
    assert key() != before


def test_whole_numbers_mend_and_say_how_sure_they_were_in_any_chunks(config: Config) -> None:
    mended = replace(config, halo="mend", chunk=128)
    larger = replace(mended, out=config.out.with_name("larger"), chunk=192)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("axonflow.workflow.sources.MENDED_FROM", 0.0025)
        for each in (mended, larger):
            run_job(prepare(each), Profile.find("local").but(workers=1))
    ours, theirs = map(open_store, (mended.out, larger.out))
    assert ours.record["model"]["precision"] == "int8"
    assert ours.record["stages"]["segment"]["mended"]["again"] > 0
    assert ours.fibers["axon_probability"].notna().all()
    for name in ("semantic", "axons"):
        np.testing.assert_array_equal(ours.labels[name].compute(), theirs.labels[name].compute())
    pd.testing.assert_series_equal(ours.fibers["axon_probability"], theirs.fibers["axon_probability"])


def test_whole_numbers_tell_four_classes_apart_at_several_pixel_sizes(tmp_path: Path) -> None:
    model = Checkpoint.find(write_model(tmp_path, classes=WITH_UNMYELINATED))
    model = replace(model, working_um=(0.05, 0.1), slides_um=(0.03, 0.1))
    model.with_integers(random_integers(model.shape, len(model.classes), seed=6))
    for um in (0.1, 0.05):
        slide = write_slide(tmp_path / f"{um}.tif", picture(tissue((130, 100))), um)
        config = Config(slide, tmp_path / f"{um}", model=str(model.path), cell_um=6.0, chunk=64, precision="int8")
        run_job(prepare(config), Profile.find("local").but(workers=1))
        analysis = open_store(config.out)
        assert analysis.record["labels"]["pixel_size_um"] == [um, um]
        assert {0, 3} < set(np.unique(analysis.labels["semantic"].compute()))


@pytest.mark.parametrize("name", embedded_models())
def test_models_that_come_with_it_have_whole_numbers_of_their_layers(name: str) -> None:
    model = Checkpoint.find(name)
    put_integers_into(model.network(), model.integer_network(), torch.device("cpu"))


def test_what_cannot_be_is_refused_with_the_way_on(config: Config) -> None:
    with pytest.raises(InputError, match=r"--adapt-to-slide on: .* leave --precision out"):
        prepare(replace(config, adapt_to_slide="on"))
    model = Checkpoint.find(str(config.model))
    model.integers_path.write_bytes(model.integers_path.read_bytes()[:-1])
    with pytest.raises(ModelError, match="its sha256 is"):
        prepare(config)
    model.integers_path.unlink()
    with pytest.raises(ModelError, match=r"give another --precision"):
        prepare(config)
    model.save(model.network(), model.folder)
    with pytest.raises(ModelError, match=r"has none; make it .* axonflow models quantise"):
        prepare(config)
    assert precision(prepare(replace(config, precision=None), lambda: Precisions("float32"))) == "float32"


def test_the_chunk_of_a_store_is_kept_by_the_same_network_where_its_halo_fits(config: Config, tmp_path: Path) -> None:
    run_job(prepare(config))
    again = replace(config, chunk=None)
    assert prepare(again).layout.chunk == config.chunk
    assert prepare(replace(again, precision="float32")).layout.chunk == config.chunk
    wide, other = replace(again, halo=100), write_model(tmp_path / "other", 128)
    for changed in (wide, replace(again, model=str(other), precision=None)):
        assert prepare(changed).layout.chunk == prepare(changed, fresh=True).layout.chunk != config.chunk
