"""Which precision a run has: what is asked for, else what a store was begun in, else what the workers compute best."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from slides import picture, tissue, write_model, write_slide
from whole_numbers import random_integers

from axonflow.engine.profile import Profile
from axonflow.errors import InputError, ModelError
from axonflow.net.checkpoint import Checkpoint
from axonflow.stages.segmentation import Network
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
    assert precision(prepare(unasked, lambda: "bfloat16")) == "bfloat16"
    run_job(prepare(config), Profile.find("local").but(workers=1), until="segment")
    assert read_record(config.out)["model"]["precision"] == "int8"
    going_on = prepare(unasked, lambda: "bfloat16")
    assert precision(going_on) == "int8"
    segment = next(stage for stage in going_on.stages if stage.name == "segment")
    assert going_on.journal.record(segment).complete
    assert precision(prepare(replace(config, precision="float32"))) == "float32"
    assert precision(prepare(unasked, lambda: "bfloat16", fresh=True)) == "bfloat16"


def test_other_whole_numbers_are_other_labels(config: Config) -> None:
    def key() -> str:
        return next(stage.key for stage in prepare(config).stages if stage.name == "segment")

    before, model = key(), Checkpoint.find(str(config.model))
    model.with_integers(random_integers(model.shape, len(model.classes), seed=1))
    assert key() != before


def test_what_cannot_be_is_refused_with_the_way_on(config: Config) -> None:
    with pytest.raises(InputError, match=r"--adapt-to-slide on: .* leave --precision out"):
        prepare(replace(config, adapt_to_slide="on"))
    model = Checkpoint.find(str(config.model))
    model.integers_path.write_bytes(model.integers_path.read_bytes()[:-1])
    with pytest.raises(ModelError, match="its sha256 is"):
        prepare(config)
    model.integers_path.unlink()
    with pytest.raises(ModelError, match=r"leave --precision out"):
        prepare(config)
    model.save(model.network(), model.folder)
    with pytest.raises(ModelError, match=r"has none; make it .* axonflow models quantise"):
        prepare(config)
    assert precision(prepare(replace(config, precision=None), lambda: "float32")) == "float32"
