"""What a contract promises is chosen on the training images, from what a run would see of them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from slides import command, tissue, write_model, write_sample

import axonflow
from axonflow.kernel.units import PixelSize
from axonflow.net.checkpoint import Checkpoint
from axonflow.net.familiarity import familiar_ranges
from axonflow.training.calibrate import calibrate, choose_smallest_axon, integers_of, predict
from axonflow.training.dataset import read_samples


def test_the_smallest_axon_is_the_one_that_finds_best() -> None:
    truth = np.zeros((120, 120), np.uint8)
    found = np.zeros_like(truth)
    for y in range(10, 110, 20):
        truth[y : y + 10, 10:20] = found[y : y + 10, 10:20] = 2  # 100 px, all found
        found[y : y + 4, 60:64] = 2  # 16 px, none true
    square = PixelSize.square(0.1)
    assert choose_smallest_axon([found], [truth], square) == pytest.approx(20 * square.area_um2)
    assert choose_smallest_axon([truth], [truth], square) == 0
    assert choose_smallest_axon([found, found], [truth, truth], PixelSize.square(0.05)) == pytest.approx(20 * 0.0025)
    assert choose_smallest_axon([np.zeros_like(truth)], [truth], square) == 0


def test_what_is_familiar_is_what_runs_on_the_training_images_show(tmp_path: Path) -> None:
    (tmp_path / "SEM.json").write_text(json.dumps({"PixelSize": 0.08}))
    images = [write_sample(tmp_path, f"sub-{i}_sample-1_SEM", tissue((420, 700), i), seed=i) for i in range(2)]
    model = write_model(tmp_path / "model")
    contract = Checkpoint.find(model)
    samples = read_samples(tmp_path, contract.pixel_size)
    squares = []
    for image, sample in zip(images, samples, strict=True):
        run = axonflow.run(image, pixel_size=0.08, model=str(model), workers=1)
        np.testing.assert_array_equal(predict(contract, sample)[0], run.labels["semantic"].compute())
        squares.append(run.square_traits().reshape(-1, 4))
    calibrated = calibrate(contract, contract.network(), samples)
    assert calibrated.familiar == familiar_ranges(squares)
    assert calibrated.sha256 == contract.sha256


def test_a_finished_model_gets_whole_numbers_of_the_images_it_learnt_from(tmp_path: Path) -> None:
    (tmp_path / "SEM.json").write_text(json.dumps({"PixelSize": 0.1}))
    for i in range(2):
        write_sample(tmp_path, f"sub-{i}_sample-1_SEM", tissue((90, 120), i), seed=i)
    bare = Checkpoint.find(write_model(tmp_path / "model"))
    ran = command("models", "quantise", bare.path, tmp_path)
    assert ran.code == 2
    assert "Images of subjects that the contract names were expected" in ran.err
    model = replace(bare, trained_on={"subjects": ["sub-1", "sub-9"]}).with_integers(None)
    before = model.weights.read_bytes()
    ran = command("models", "quantise", model.path, tmp_path)
    assert ran.code == 0, ran.err
    assert ran.out.splitlines()[0].split() == ["chosen", "on", "sub-1"]
    found = Checkpoint.find(model.path)
    assert replace(found, integers="") == model
    (seen,) = (sample for sample in read_samples(tmp_path, model.pixel_size) if sample.subject == "sub-1")
    assert found.integer_network().to_bytes() == integers_of(model.network(), [seen]).to_bytes()
    assert model.weights.read_bytes() == before


def test_models_that_come_with_axonflow_keep_their_whole_numbers(tmp_path: Path) -> None:
    ran = command("models", "quantise", "sem", tmp_path)
    assert ran.code == 2
    assert "'sem' came, which comes with axonflow" in ran.err


def test_of_very_many_images_some_are_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "SEM.json").write_text(json.dumps({"PixelSize": 0.1}))
    write_sample(tmp_path, "sub-1_sample-1_SEM", tissue((90, 120)))
    (sample,) = read_samples(tmp_path, PixelSize.square(0.1))
    seen: list[int] = []
    monkeypatch.setattr("axonflow.training.calibrate.quantised", lambda _, windows: seen.append(len(windows)))
    network = Checkpoint.find(write_model(tmp_path / "model")).network()
    for count in (1, 54, 500):
        integers_of(network, [sample] * count)
    assert seen == [1, 54, 54]


def test_images_too_small_to_judge_leave_it_open_what_is_familiar(tmp_path: Path) -> None:
    (tmp_path / "SEM.json").write_text(json.dumps({"PixelSize": 0.1}))
    write_sample(tmp_path, "sub-1_sample-1_SEM", tissue((90, 120)))
    contract = Checkpoint.find(write_model(tmp_path / "model"))
    assert calibrate(contract, contract.network(), read_samples(tmp_path, contract.pixel_size)).familiar == {}
