"""A training from a folder of images to a model that runs; stopped anywhere, it ends as if it had not been."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from slides import picture, tissue, write_sample
from typer.testing import CliRunner

import axonflow
from axonflow.cli import app
from axonflow.errors import InputError, ModelError, StoreError
from axonflow.kernel.grid import Box
from axonflow.kernel.units import PixelSize
from axonflow.net.architecture import TEM
from axonflow.net.checkpoint import Checkpoint
from axonflow.net.device import Processor
from axonflow.net.lattice import Lattice
from axonflow.net.predict import Predictor
from axonflow.net.unet import UNet
from axonflow.training.curve import Point
from axonflow.training.events import StepDone, TrainingBegun, TrainingEvent
from axonflow.training.recipe import Augmentation, Recipe
from axonflow.training.train import Training, prepare_training, split, train

RECIPE = Recipe(patches=12, batch=2, side=32, momentum_period=6, average=0.5, dice=0.5, sampling="subject")
TOML = """
[train]
patches = 12
batch = 2
side = 32
momentum_period = 6
average = 0.5
dice = 0.5
sampling = "subject"
"""
SUBJECTS = ("sub-a", "sub-b", "sub-c", "sub-d")


class Notes:
    """The events of a training, noted; something is done at one step."""

    def __init__(self, at: int = -1, then: Callable[[], None] = lambda: None) -> None:
        self.begun: list[tuple[int, int]] = []
        self.points: list[Point] = []
        self._at, self._then = at, then

    def note(self, event: TrainingEvent) -> None:
        match event:
            case TrainingBegun(done, steps):
                self.begun.append((done, steps))
            case StepDone(point):
                self.points.append(point)
                if point.step == self._at:
                    self._then()


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def curve(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "curve.jsonl").read_text().splitlines()]


def weights(folder: Path) -> bytes:
    return (folder / "model.safetensors").read_bytes()


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    """Trainings are the same to the bit at one number of threads, which other tests of this process may change."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four mice at 0.01 µm, the first with two images."""
    top = tmp_path_factory.mktemp("mice")
    (top / "dataset_description.json").write_text('{"Name": "Four mice"}')
    (top / "TEM.json").write_text('{"PixelSize": [0.01, 0.01]}')
    for i, (subject, part) in enumerate([*((name, 1) for name in SUBJECTS), ("sub-a", 2)]):
        write_sample(top, f"{subject}_sample-{part}_TEM", tissue((96, 80), i), seed=i)
    return top


@pytest.fixture(scope="module")
def training(dataset: Path) -> Training:
    return prepare_training(dataset, arch="tem", recipe=RECIPE, validate=["sub-c"])


@pytest.fixture(scope="module")
def undisturbed(training: Training, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("undisturbed")
    train(training, out, workers=0, validate_every=4)
    return out


def test_what_is_learnt_from_is_not_what_is_held_out(training: Training) -> None:
    assert {sample.subject for sample in training.samples} == {"sub-a", "sub-b", "sub-d"}
    assert {sample.subject for sample in training.held_out} == {"sub-c"}
    assert (len(training.samples), training.data) == (4, "Four mice")
    assert (training.pixel_size, training.invert) == (PixelSize.square(0.01), True)
    assert training.notes == ()


def test_the_model_states_what_it_is(training: Training, undisturbed: Path) -> None:
    model = Checkpoint.find(undisturbed / "model.json")
    assert (model.architecture, model.pixel_size_um, model.invert) == ("tem", 0.01, True)
    assert (model.lattice_px, model.halo_px) == (512, 25)
    assert 0 <= model.smallest_axon_um2 <= 0.5
    made = model.trained_on
    assert (made["data"], made["subjects"]) == ("Four mice", ["sub-a", "sub-b", "sub-d"])
    assert (made["held_out"], made["steps"], made["start"]) == (["sub-c"], 6, None)
    assert Recipe.from_table(made["recipe"]) == RECIPE
    assert made["versions"]["torch"] == version("torch")
    assert sum(p.numel() for p in model.network().parameters()) == 1_552_387


def test_it_ends_with_a_network_of_whole_numbers(training: Training, undisturbed: Path) -> None:
    model, sample = Checkpoint.find(undisturbed / "model.json"), training.samples[0]
    whole = Box.whole((sample.labels.shape[0], sample.labels.shape[1]))
    lattice = Lattice(whole.shape, model.lattice_px, model.halo_px, model.shape.stride)
    table = sample.table
    true, ours = (
        Predictor(model, lattice, precision, Processor()).probabilities(whole, sample.grey, whole, table)[0]
        for precision in ("float32", "int8")
    )
    assert np.abs(true - ours).mean() < 0.05 * true.std()


def test_the_model_runs(undisturbed: Path, tmp_path: Path) -> None:
    Image.fromarray(picture(tissue((96, 80)))).save(tmp_path / "slide.png")
    result = axonflow.run(
        tmp_path / "slide.png",
        model=str(undisturbed / "model.json"),
        pixel_size=0.01,
        cell=0.4,
        min_axon_area=0.0,
        workers=1,
    )
    semantic = result.labels["semantic"].compute()
    assert semantic.shape == (96, 80)
    assert result.record["complete"]


def test_the_curve_tells_of_every_step_and_of_the_held_out(undisturbed: Path) -> None:
    rows = curve(undisturbed)
    assert [row["step"] for row in rows] == [1, 2, 3, 4, 5, 6]
    assert all(np.isfinite(row["loss"]) for row in rows)
    assert [row["step"] for row in rows if "accuracy" in row] == [4, 6]
    for name in ("accuracy", "dice_background", "dice_myelin", "dice_axon"):
        assert 0 <= rows[-1][name] <= 1


def test_validation_is_what_a_run_would_have_shown(training: Training, undisturbed: Path, tmp_path: Path) -> None:
    (sample,) = training.held_out
    Image.fromarray(sample.grey).save(tmp_path / "slide.png")
    model = str(undisturbed / "model.json")
    result = axonflow.run(tmp_path / "slide.png", model=model, pixel_size=0.01, cell=0.4, workers=1)
    found = result.labels["semantic"].compute()
    assert curve(undisturbed)[-1]["accuracy"] == pytest.approx(np.mean(found == sample.labels), abs=1e-6)


@pytest.mark.parametrize("workers", [0, 2])
def test_interrupted_and_continued_it_ends_the_same(
    training: Training, undisturbed: Path, tmp_path: Path, workers: int
) -> None:
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        train(training, tmp_path, workers=workers, validate_every=4, on_event=Notes(3, interrupt).note)
    assert signal.getsignal(signal.SIGINT) == before
    assert not (tmp_path / "model.json").exists()
    again = Notes()
    train(training, tmp_path, workers=0, validate_every=4, on_event=again.note)
    assert again.begun == [(3, 6)]
    assert weights(tmp_path) == weights(undisturbed)
    assert (tmp_path / "model.json").read_text() == (undisturbed / "model.json").read_text()
    assert curve(tmp_path) == curve(undisturbed)


KILLED = """
import os, signal, sys
from pathlib import Path
import torch
from axonflow.training.events import StepDone
from axonflow.training.recipe import Recipe
from axonflow.training.train import prepare_training, train

dataset, out, toml, at, how = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]), sys.argv[5]
save, saves = torch.save, [0]

def kill(event):
    if how == "between" and isinstance(event, StepDone) and event.point.step == at:
        os.kill(os.getpid(), signal.SIGKILL)

def torn(content, file):
    saves[0] += 1
    if how == "saving" and saves[0] == at:
        file.write(b"half of a state"); file.flush()
        os.kill(os.getpid(), signal.SIGKILL)
    save(content, file)

torch.save = torn
training = prepare_training(dataset, arch="tem", recipe=Recipe.read(toml), validate=["sub-c"])
train(training, out, workers=1, save_every=2, validate_every=4, on_event=kill)
"""


@pytest.mark.parametrize(("at", "how", "left"), [(5, "between", 4), (2, "saving", 2)], ids=["a step", "a save"])
def test_killed_it_ends_the_same(
    dataset: Path, training: Training, undisturbed: Path, tmp_path: Path, at: int, how: str, left: int
) -> None:
    (tmp_path / "tiny.toml").write_text(TOML)
    out = tmp_path / "out"
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(dataset), str(out), str(tmp_path / "tiny.toml"), str(at), how],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        check=False,
        timeout=120,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    again = Notes()
    train(training, out, workers=0, validate_every=4, on_event=again.note)
    assert again.begun == [(left, 6)]
    assert weights(out) == weights(undisturbed)
    assert curve(out) == curve(undisturbed)


def test_asked_to_end_a_command_says_how_to_go_on(dataset: Path, tmp_path: Path) -> None:
    (tmp_path / "long.toml").write_text(TOML.replace("patches = 12", "patches = 20000"))
    out = tmp_path / "out"
    command = [sys.executable, "-c", "from axonflow.cli import main; main()", "train", str(dataset), "--arch", "tem"]
    command += ["--recipe", str(tmp_path / "long.toml"), "--out", str(out), "--workers", "1", "--validate", "none"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    deadline = time.monotonic() + 100
    while not ((out / "curve.jsonl").exists() and curve(out)) and time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does, the loading worker included
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "run the same command again to continue" in errors
    assert torch.load(out / "state.pt", weights_only=True)["step"] == len(curve(out)) < 10_000


def test_a_finished_training_is_not_done_again(training: Training, undisturbed: Path) -> None:
    before = {path.name: path.stat().st_mtime_ns for path in undisturbed.iterdir() if path.name != "lock"}
    again = Notes()
    model = train(training, undisturbed, on_event=again.note)
    assert model.trained_on["steps"] == 6
    assert (again.begun, again.points) == ([(6, 6)], [])
    changed = {name for name, time_ns in before.items() if (undisturbed / name).stat().st_mtime_ns != time_ns}
    assert changed <= {"training.json"}


def test_another_training_is_refused_unless_fresh(
    dataset: Path, training: Training, undisturbed: Path, tmp_path: Path
) -> None:
    train(training, tmp_path, workers=0)
    others = {
        "recipe.rate 0.001 there, 0.002 here": replace(training, recipe=replace(RECIPE, rate=2e-3)),
        "data.held_out": prepare_training(dataset, arch="tem", recipe=RECIPE, validate=["sub-d"]),
        "data.sha256": replace(training, samples=(*training.samples[:-1], training.samples[0])),
        "architecture tem there, sem here": prepare_training(dataset, arch="sem", recipe=RECIPE, pixel_size_um=0.01),
    }
    for message, other in others.items():
        with pytest.raises(StoreError, match=message):
            train(other, tmp_path)
    assert weights(tmp_path) == weights(undisturbed)
    short = replace(training, recipe=replace(RECIPE, patches=2))
    train(short, tmp_path, workers=0, fresh=True)
    assert [row["step"] for row in curve(tmp_path)] == [1]
    assert weights(tmp_path) != weights(undisturbed)
    with pytest.raises(StoreError, match=r"recipe\.patches 2 there, 12 here"):
        train(training, tmp_path)


def test_folders_of_others_are_refused(training: Training, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("")
    with pytest.raises(StoreError, match="other files are"):
        train(training, tmp_path, fresh=True)
    with pytest.raises(StoreError, match="a file is"):
        train(training, tmp_path / "thesis.txt")
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_one_at_a_time(training: Training, tmp_path: Path) -> None:
    def second() -> None:
        with pytest.raises(StoreError, match="Another training is writing"):
            train(training, tmp_path, workers=0)
        interrupt()

    with pytest.raises(KeyboardInterrupt):
        train(training, tmp_path, workers=0, on_event=Notes(1, second).note)


def test_finetuning_starts_from_the_models_weights(dataset: Path, undisturbed: Path, tmp_path: Path) -> None:
    model = undisturbed / "model.json"
    tuned = prepare_training(
        dataset, start=model, recipe=replace(RECIPE, rate=1e-9, average=0.0, patches=2), validate=[]
    )
    assert (tuned.architecture, tuned.pixel_size, tuned.invert) == (TEM, PixelSize.square(0.01), True)
    made = train(tuned, tmp_path, workers=0)
    assert made.trained_on["start"]["sha256"] == Checkpoint.find(model).sha256
    theirs = dict(Checkpoint.find(model).network().named_parameters())
    for name, values in made.network().named_parameters():
        torch.testing.assert_close(values, theirs[name], atol=1e-6, rtol=0)
    assert prepare_training(dataset, start=model).recipe == Recipe.read("finetune")
    with pytest.raises(ModelError, match="'tem' was expected to start from, 'sem' is 'sem'"):
        prepare_training(dataset, arch="tem", start="sem")


names = st.lists(st.text("abcdef", min_size=1, max_size=3), min_size=1, max_size=12, unique=True)


@settings(max_examples=60)
@given(names, st.one_of(st.none(), st.floats(0.01, 0.99)), st.integers(0, 99))
def test_a_split_is_of_whole_subjects(subjects: list[str], share: float | None, seed: int) -> None:
    if share is not None and max(round(share * len(subjects)), 1) >= len(subjects):
        with pytest.raises(InputError, match="all are held out"):
            split(subjects, share, seed)
        return
    learnt, held_out = split(subjects, share, seed)
    assert sorted(learnt + held_out) == sorted(subjects)
    assert learnt
    assert (learnt, held_out) == split(subjects, share, seed)
    wanted = share or (0.2 if len(subjects) >= 3 else 0)
    assert len(held_out) == (max(round(wanted * len(subjects)), 1) if wanted else 0)


def test_shares_hold_out_each_subject_sometimes() -> None:
    assert {split(SUBJECTS, 0.25, seed)[1] for seed in range(40)} == {(name,) for name in SUBJECTS}


@pytest.mark.parametrize(
    ("validate", "message"),
    [
        (["sub-z"], "among sub-a, sub-b, sub-c, sub-d; sub-z came"),
        (list(SUBJECTS), "--validate none"),
        (1.5, "between 0 and 1"),
    ],
)
def test_splits_that_cannot_be_are_refused(dataset: Path, validate: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        prepare_training(dataset, arch="tem", recipe=RECIPE, validate=validate)


def test_other_refusals(dataset: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--arch sem or --arch tem"):
        prepare_training(dataset)
    with pytest.raises(ModelError, match="'sem' or 'tem' was expected, 'unet'"):
        prepare_training(dataset, arch="unet")
    with pytest.raises(InputError, match="Labelled images were expected"):
        prepare_training(tmp_path, arch="tem")
    with pytest.raises(ModelError, match="embedded"):
        prepare_training(dataset, start="nobody")


def test_small_images_are_noted_and_mirrored(dataset: Path, tmp_path: Path) -> None:
    recipe = replace(RECIPE, side=176, patches=2)
    training = prepare_training(dataset, arch="tem", recipe=recipe, validate=[])
    assert len(training.notes) == 1 + 5
    assert "96 × 80 px" in training.notes[1]
    assert train(training, tmp_path, workers=0).trained_on["held_out"] == []
    assert all("accuracy" not in row for row in curve(tmp_path))


def test_the_command_trains_and_names_the_model(dataset: Path, tmp_path: Path) -> None:
    (tmp_path / "tiny.toml").write_text(TOML)
    out = tmp_path / "mice"
    args = ["train", str(dataset), "--arch", "tem", "--recipe", str(tmp_path / "tiny.toml"), "--out", str(out)]
    args += ["--validate", "sub-b, sub-c", "--workers", "0", "--patches", "4", "--seed", "5", "--validate-every", "1"]
    done = CliRunner().invoke(app, args)
    assert done.exit_code == 0, done.output
    assert "3 images of sub-a, sub-d" in done.output
    assert "2 images of sub-b, sub-c" in done.output
    assert "step 2: accuracy" in done.output
    assert f"--model {out / 'mice.json'}" in done.output
    recipe = Checkpoint.find(out / "mice.json").trained_on["recipe"]
    assert (recipe["patches"], recipe["seed"], recipe["side"]) == (4, 5, 32)
    again = CliRunner().invoke(app, args)
    assert "This training is done, with 2 steps" in again.output
    refused = CliRunner().invoke(app, [*args, "--seed", "6"])
    assert refused.exit_code == 2


def test_the_toml_of_these_tests_is_their_recipe() -> None:
    assert Recipe.from_table(tomllib.loads(TOML)["train"]) == RECIPE
    assert RECIPE.augmentation == Augmentation()
    assert sum(p.numel() for p in UNet(TEM).parameters()) == 1_552_387
