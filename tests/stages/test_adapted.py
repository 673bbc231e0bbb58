"""A slide's own statistics are the same however it is cut and whoever measures them; only tissue has a say in them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nnunet_models import plan_of, write_nnunet
from numpy.typing import NDArray
from slides import analyse, command, contents, picture, processes, tissue, write_labels, write_model, write_slide

from axonflow.engine.fleet import open_pool
from axonflow.errors import InputError
from axonflow.kernel.grid import Box
from axonflow.net.adaptation import adapted_statistics
from axonflow.net.lattice import Lattice
from axonflow.net.normalise import histogram, lookup_table
from axonflow.net.statistics import Statistics
from axonflow.stages.adapted import PLACES, WEIGHT, WINDOWS, places, structure, telling
from axonflow.stages.segmentation import Network
from axonflow.workflow.config import Config
from axonflow.workflow.job import Job, prepare, run_job
from axonflow.workflow.record import read_record

SHAPE = (130, 200)
PIXELS = picture(tissue(SHAPE))


@pytest.fixture(scope="module")
def adapted(tmp_path_factory: pytest.TempPathFactory) -> Config:
    """A finished store of a slide of 3 × 4 windows, in chunks of 64 px."""
    folder = tmp_path_factory.mktemp("adapted")
    slide, model = write_slide(folder / "slide.tif", PIXELS), str(write_model(folder))
    config = Config(slide, folder / "store", model=model, cell_um=6.0, chunk=64, adapt_to_slide="on")
    analyse(config)
    return config


def kept(config: Config) -> bytes:
    return prepare(config).layout.statistics.read_bytes()


def keys(job: Job) -> dict[str, str]:
    return {stage.name: stage.key for stage in job.stages}


def test_neither_chunks_nor_a_fleet_decide_anything(
    adapted: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = replace(adapted, out=tmp_path / "store", chunk=256)
    with open_pool(processes(monkeypatch), tmp_path / "pool") as pool:
        run_job(prepare(other), pool=pool)
    assert kept(other) == kept(adapted)
    assert contents(other.out) == contents(adapted.out)


KILLED = """
import os, signal, sys
from pathlib import Path
from axonflow.engine.events import StageDone
from axonflow.engine.profile import Profile
from axonflow.workflow.config import Config
from axonflow.workflow.job import prepare, run_job

def note(event):
    if isinstance(event, StageDone) and event.stage.name == "segment.adapt":
        os.kill(os.getpid(), signal.SIGKILL)

slide, out, model = sys.argv[1:]
config = Config(Path(slide), Path(out), model=model, cell_um=6.0, chunk=128, adapt_to_slide="on")
run_job(prepare(config), Profile.find("local").but(workers=1), on_event=note)
"""


def test_a_fleet_goes_on_after_a_kill_with_what_was_measured(
    adapted: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = replace(adapted, out=tmp_path / "store", chunk=128)
    words = [sys.executable, "-c", KILLED, str(config.slide), str(config.out), str(config.model)]
    assert subprocess.run(words, env=dict(os.environ), check=False).returncode == -signal.SIGKILL
    job = prepare(config)
    done = [stage.name for stage in job.stages if job.journal.record(stage).complete]
    assert done == ["convert", "segment.adapt"]
    measured = job.layout.statistics.stat().st_mtime_ns
    with open_pool(processes(monkeypatch), tmp_path / "pool") as pool:
        run_job(job, pool=pool)
    assert job.layout.statistics.stat().st_mtime_ns == measured
    assert kept(config) == kept(adapted)
    assert contents(config.out) == contents(adapted.out)


def test_they_are_those_of_the_windows_that_are_named(adapted: Config) -> None:
    job, content = prepare(adapted), json.loads(kept(adapted))
    network = job.segmentation
    assert isinstance(network, Network)
    table, lattice = lookup_table(histogram(PIXELS)), Lattice(SHAPE, 64, 0, 16)
    windows = [lattice.window(Box(*each), PIXELS, Box.whole(SHAPE))[0] for each in content["windows"]]
    found = adapted_statistics(network.checkpoint, network.precision, np.stack([table[w] for w in windows]), WEIGHT)
    assert Statistics.from_json(content["layers"]) == found
    assert (len(windows), content["weight"]) == (WINDOWS, WEIGHT)


def test_without_it_nothing_is_another(adapted: Config) -> None:
    anew = replace(adapted, out=adapted.out / "no")
    on, unset, off = (prepare(each) for each in (anew, *(replace(anew, adapt_to_slide=word) for word in (None, "off"))))
    assert keys(unset) == keys(off)
    assert "segment.adapt" not in keys(off)
    assert {name for name, key in keys(on).items() if key != keys(off).get(name)} == {
        "segment.adapt",
        *(stage.name for stage in on.stages if stage.name in {"segment", "segment.seams"}),
        *(stage.name for stage in on.stages if any(s.name == "segment" and stage.rests_on(s) for s in on.stages)),
    }
    assert "adapt_to_slide" not in unset.config.to_json()


def test_going_back_and_forth_brings_the_old_bytes(adapted: Config) -> None:
    before = contents(adapted.out)
    assert "segment" in analyse(replace(adapted, adapt_to_slide="off"))
    assert contents(adapted.out)["labels/semantic/s0"] != before["labels/semantic/s0"]
    assert "adapted" not in read_record(adapted.out)["model"]
    assert analyse(adapted)[0] == "segment"  # what was measured is there still
    assert contents(adapted.out) == before


def test_it_is_said_wherever_a_network_is_named(adapted: Config) -> None:
    record = read_record(adapted.out)
    assert record["model"]["adapted"] == {"weight": WEIGHT}
    assert record["stages"]["segment.adapt"]["windows"] == json.loads(kept(adapted))["windows"]
    said = " ".join(command("info", adapted.out).out.split())
    assert f"adapted to the slide: statistics of {WINDOWS} windows of its own weigh {WEIGHT:g}" in said
    assert command("report", adapted.out).code == 0
    page = (adapted.out / "report.html").read_text()
    assert "adapted to the statistics of this slide" in page
    assert f"from {WINDOWS} windows" in page
    words = ("--model", adapted.model, "--chunk", 64, "--adapt-to-slide", "on")
    planned = command("plan", adapted.slide, "--out", adapted.out / "no", *words)
    assert planned.code == 0
    assert ", adapted to the slide" in planned.out
    assert "adapting" in planned.out


def test_what_has_no_batch_norm_is_refused(tmp_path: Path) -> None:
    slide = write_slide(tmp_path / "slide.tif", PIXELS)
    model = str(write_nnunet(tmp_path / "nnunet", plan_of()))
    with pytest.raises(InputError, match=r"--adapt-to-slide on was expected .* leave it out"):
        prepare(Config(slide, tmp_path / "out", model=model, adapt_to_slide="on"))
    prepare(Config(slide, tmp_path / "out", model=model, adapt_to_slide="off"))
    labels = write_labels(tmp_path / "labels.png", tissue(SHAPE))
    ran = command("run", slide, "--out", tmp_path / "out", "--labels", labels, "--adapt-to-slide", "on")
    assert ran.code == 2
    assert "Either own masks or --adapt-to-slide was expected" in ran.err


def test_a_blank_slide_has_nothing_to_say(tmp_path: Path) -> None:
    slide = write_slide(tmp_path / "slide.tif", np.full((130, 70), 9, np.uint8))
    plain = Config(slide, tmp_path / "plain", model=str(write_model(tmp_path)))
    on = replace(plain, out=tmp_path / "on", adapt_to_slide="on")
    for config in (plain, on):
        analyse(config)
    assert json.loads(kept(on))["windows"] == []
    assert contents(on.out) == contents(plain.out)


sides = st.integers(1, 9000)


@given(st.tuples(sides, sides), st.sampled_from((64, 512)), st.just(16))
def test_places_are_whole_cores_inside_the_slide(shape: tuple[int, int], core: int, stride: int) -> None:
    found = places(shape, core, stride)
    assert 1 <= len(found) <= PLACES
    assert found == sorted(set(found))
    for place in found:
        assert place.shape == tuple(min(core, side) for side in shape)
        assert place & Box.whole(shape) == place
        assert place.y0 % stride == place.x0 % stride == 0
    rows, columns = (-(-side // core) for side in shape)
    if rows * columns <= PLACES:  # all is looked at, but for what a stride leaves over
        seen = np.zeros(shape, bool)
        for place in found:
            seen[place.slices] = True
        assert seen[: shape[0] - stride + 1, : shape[1] - stride + 1].all()


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=PLACES))
def test_those_have_a_say_that_have_half_of_what_the_best_have(found: list[float]) -> None:
    told = telling(found)
    assert told == sorted(set(told))
    best = sorted(found, reverse=True)[min((len(found) - 1) // 2, 2)]
    worthy = [i for i, each in enumerate(found) if each > 0 and 2 * each >= best]
    assert set(told) <= set(worthy)
    assert len(told) == min(len(worthy), WINDOWS)


def resin(shape: tuple[int, int], grey: float, noise: float) -> NDArray[np.float64]:
    return np.random.default_rng(1).normal(grey, noise, shape)


@given(
    st.integers(0, 99),
    st.floats(0, 8),
    st.floats(0, 255),
    st.floats(0.3, 200),
    st.sampled_from(("uint8", "uint16", "float32")),
)
def test_resin_is_silent_beside_tissue(seed: int, noise: float, grey: float, contrast: float, dtype: str) -> None:
    side = 128
    windows = [picture(tissue((side, side), seed + k), "float32", seed + k) * 100.0 for k in range(3)]
    windows += [resin((side, side), grey, noise) for _ in range(6)]
    padded = windows[0].copy()
    padded[:, : side * 3 // 4] = 0
    scale = 1.0 if dtype == "uint8" else contrast
    largest = 255 if dtype == "uint8" else None
    found = [structure(np.clip(each * scale, 0, largest).astype(dtype)) for each in (*windows, padded)]
    assert set(telling(found)) == {0, 1, 2}
