"""The model of a run: named, begun with, or nearest by pixel size; one that is far is refused before any work."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from slides import LOCAL, command, picture, tissue, write_model, write_slide

from axonflow.errors import ModelError
from axonflow.kernel.units import PixelSize
from axonflow.net.checkpoint import Checkpoint, embedded_models
from axonflow.workflow.choice import LARGEST_SCALE, choose_model, nearest, scale
from axonflow.workflow.config import Config
from axonflow.workflow.job import prepare, run_job

SIDES = st.floats(0.0006, 4.9)


@given(SIDES)
@example(0.0390625)  # nearer to the largest that tem takes than to sem's, and farther from what tem works at
def test_the_nearest_model_is_the_nearest_by_its_ratio(side: float) -> None:
    size = PixelSize.square(side)
    away = {}
    for name in embedded_models():
        model = Checkpoint.find(name)
        least, largest = model.slides_um or (model.pixel_size_um, model.pixel_size_um)
        away[name] = abs(np.log(min(max(side, least), largest) / side))  # within what it was made for, it is 0
    assert away[nearest(size).name] == pytest.approx(min(away.values()))


@given(SIDES, st.sampled_from([None, *embedded_models()]))
def test_every_model_that_is_far_is_refused_with_one_that_fits(side: float, named: str | None) -> None:
    size = PixelSize.square(side)
    model = nearest(size) if named is None else Checkpoint.find(named)
    if scale(model, size) <= LARGEST_SCALE:
        choice = choose_model(named, size, None)
        assert (choice.model, choice.called, choice.by_pixel_size) == (model, model.name, named is None)
        return
    with pytest.raises(ModelError, match="within 3 times the slide's pixel size") as refused:
        choose_model(named, size, None)
    best = nearest(size)
    fits = scale(best, size) <= LARGEST_SCALE
    assert (f"--model {best.name}" in str(refused.value)) == fits


@pytest.mark.parametrize(("side", "name"), [(0.005, "tem"), (0.1, "sem")])
def test_the_first_lines_say_which_model_and_why(tmp_path: Path, side: float, name: str) -> None:
    slide = write_slide(tmp_path / "slide.tif", picture(tissue((100, 120))), side)
    ran = command("plan", slide, "--out", tmp_path / "out", "--workers", 1)
    assert ran.code == 0, ran.err
    assert f"model   {name} at " in ran.out
    assert f"chosen by the slide's pixel size of {side:g} µm" in ran.out
    named = command("plan", slide, "--out", tmp_path / "out", "--workers", 1, "--model", name)
    assert "chosen" not in named.out


def test_a_far_model_leaves_nothing_behind(tmp_path: Path) -> None:
    slide = write_slide(tmp_path / "slide.tif", picture(tissue((100, 120))), 0.005)
    ran = command("run", slide, "--out", tmp_path / "out", "--model", "sem")
    assert ran.code == 2
    assert "use --model tem" in ran.err
    assert not (tmp_path / "out").exists()


def test_a_store_goes_on_with_the_model_it_was_begun_with(tmp_path: Path) -> None:
    """Stores of the first version were begun with sem whatever the pixel size, and say so in their record."""
    slide = write_slide(tmp_path / "slide.tif", picture(tissue((300, 320))), 0.03)
    config = Config(slide, tmp_path / "out", cell_um=2.0)
    assert prepare(config).config.model == "tem"
    run_job(prepare(Config(slide, tmp_path / "out", model="tem", cell_um=2.0)), LOCAL, until="segment")
    record = tmp_path / "out" / "run.json"
    content = json.loads(record.read_text())
    content["model"] |= {"name": "sem"}  # as if the labels had been begun with the other one
    content["config"] |= {"model": "sem"}
    record.write_text(json.dumps(content))
    for later in ("run.json", "record.sha256"):
        (tmp_path / "out" / ".axonflow" / later).unlink()
    job = prepare(config)
    assert (job.config.model, job.chosen) == ("sem", False)
    assert scale(Checkpoint.find("sem"), PixelSize.square(0.03)) > LARGEST_SCALE
    assert prepare(config, fresh=True).config.model == "tem"
    with pytest.raises(ModelError):
        prepare(Config(slide, tmp_path / "other", model="sem"))


def test_a_model_of_ones_own_is_held_to_the_same(tmp_path: Path) -> None:
    slide = write_slide(tmp_path / "slide.tif", picture(tissue((100, 120))), 0.1)
    model = write_model(tmp_path, pixel_size_um=0.5)
    with pytest.raises(ModelError, match=r"'tiny64' works at 0.5 µm, 5 times larger; use --model sem"):
        prepare(Config(slide, tmp_path / "out", model=str(model)))


def test_a_store_of_another_pixel_size_excuses_no_model(tmp_path: Path) -> None:
    slide = write_slide(tmp_path / "slide.tif", picture(tissue((100, 120))), 0.01)
    assert command("segment", slide, "--out", tmp_path / "out", "--workers", 1).code == 0
    again = command("segment", slide, "--out", tmp_path / "out", "--workers", 1, "--model", "tem", "--pixel-size", 0.1)
    assert again.code == 2
    assert "use --model sem" in again.err


def test_a_network_whose_weights_are_others_since_is_named(tmp_path: Path) -> None:
    slide = write_slide(tmp_path / "slide.tif", picture(tissue((100, 120))), 0.1)
    model = write_model(tmp_path)
    words = ("run", slide, "--out", tmp_path / "out", "--workers", 1, "--cell", 5, "--model", model)
    assert command(*words).code == 0
    before = Checkpoint.find(model)
    net = before.network()
    net.load_state_dict({name: weights * 1.01 for name, weights in net.state_dict().items()})
    after = before.save(net, tmp_path)
    ran = command("run", tmp_path / "out", "--workers", 1)
    assert ran.code == 0, ran.err
    said = f"other weights of tiny64 (sha256 {before.sha256[:12]}…, now {after.sha256[:12]}…)"
    assert said in " ".join(ran.out.split())
