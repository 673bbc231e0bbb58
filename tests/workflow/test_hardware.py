"""The precision is that of the workers: what the driver has decides only where it works itself, or stands for a job."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from distributed import LocalCluster
from slides import command, picture, tissue, write_model, write_slide

from axonflow.engine.fleet.joined import ask_workers
from axonflow.engine.profile import Profile
from axonflow.errors import FleetError, InputError
from axonflow.net.checkpoint import Precision
from axonflow.net.precision import Precisions, best_precision
from axonflow.workflow import hardware
from axonflow.workflow.batch import open_batch
from axonflow.workflow.config import Config
from axonflow.workflow.hardware import precisions_of_workers, with_gpus
from axonflow.workflow.job import prepare
from axonflow.workflow.manifest import list_slides

JOINED = Profile.find("tcp://host:1")
PROCESSORS = (Precisions("float32"), Precisions("bfloat16", bytes=True))
FLOAT16 = Precisions("float16")
PLAIN: dict[str, Any] = {
    "host": "127.0.0.1",
    "protocol": "tcp://",
    "dashboard_address": "127.0.0.1:0",
    "processes": False,
    "silence_logs": 50,
}


@pytest.fixture(params=[(gpu, processor) for gpu in (True, False) for processor in PROCESSORS], ids=str)
def driver(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> tuple[bool, Precisions]:
    """What the driver's machine has: a GPU or not, and what its processor is best in."""
    gpu, processor = request.param
    monkeypatch.setattr(hardware, "has_gpu", lambda: gpu)
    monkeypatch.setattr(hardware, "processor_precisions", lambda: processor)
    monkeypatch.setattr(hardware, "best_precisions", lambda: FLOAT16 if gpu else processor)
    monkeypatch.setattr(hardware, "visible_gpus", lambda: ["0", "1"] if gpu else [])
    return gpu, processor


def answers(monkeypatch: pytest.MonkeyPatch, *said: Precisions) -> None:
    monkeypatch.setattr(hardware, "ask_workers", lambda *_: list(said))


@pytest.mark.parametrize("name", ["slurm", "pbs", "lsf", "sge"])
def test_jobs_compute_in_what_they_ask_for(name: str, driver: tuple[bool, Precisions]) -> None:
    assert precisions_of_workers(Profile.find(name)) == driver[1]
    assert precisions_of_workers(Profile.find(name).but(gpus=1)) == FLOAT16


@pytest.mark.parametrize("name", ["local", "local-gpu"])
def test_workers_of_this_machine_compute_in_what_it_has(name: str, driver: tuple[bool, Precisions]) -> None:
    gpu, processor = driver
    assert precisions_of_workers(Profile.find(name).but(workers=3)) == (FLOAT16 if gpu else processor)


@pytest.mark.usefixtures("driver")
@pytest.mark.parametrize("said", [FLOAT16, *PROCESSORS], ids=str)
def test_workers_of_a_scheduler_are_asked(said: Precisions, monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, said, said)
    assert precisions_of_workers(JOINED) == said


@pytest.mark.usefixtures("driver")
@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ([FLOAT16, Precisions("bfloat16", bytes=True)], Precisions("float32")),
        ([Precisions("bfloat16"), Precisions("bfloat16", bytes=True)], Precisions("bfloat16")),
        ([Precisions("float32", bytes=True), Precisions("bfloat16", bytes=True)], Precisions("float32", bytes=True)),
    ],
)
def test_workers_that_differ_compute_in_what_all_of_them_can(
    said: list[Precisions], expected: Precisions, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers(monkeypatch, *said)
    assert precisions_of_workers(JOINED) == expected


def test_for_workers_that_have_not_come_the_drivers_processor_stands(
    driver: tuple[bool, Precisions], monkeypatch: pytest.MonkeyPatch
) -> None:
    answers(monkeypatch)
    assert precisions_of_workers(JOINED) == driver[1]


def test_processes_share_out_the_gpus_and_threads_take_turns(driver: tuple[bool, Precisions]) -> None:
    local = Profile.find("local")
    assert with_gpus(local.but(workers=6)) == replace(local.but(workers=6), gpus=int(driver[0]))
    for profile in (local.but(workers=4), Profile.find("slurm"), JOINED, Profile.find("local-gpu")):
        assert with_gpus(profile) == profile


@pytest.mark.parametrize("declared", [False, True])
def test_only_those_who_will_apply_the_network_are_asked(declared: bool) -> None:
    with LocalCluster(n_workers=0, **PLAIN) as cluster:
        profile = Profile.find(cluster.scheduler_address)
        assert ask_workers(profile, lambda: 1) == []
        for i, gpu in enumerate((declared, declared, False)):
            options = cluster.new_spec["options"] | {"nthreads": 1, "resources": {"GPU": 1} if gpu else {}}
            cluster.worker_spec[i] = cluster.new_spec | {"options": options}
        cluster.scale(3)
        cluster.wait_for_workers(3, timeout=60)
        assert ask_workers(profile, lambda: 1) == [1] * (2 if declared else 3)


@pytest.fixture
def slide(tmp_path: Path) -> Path:
    write_model(tmp_path)
    return write_slide(tmp_path / "slide.tif", picture(tissue((64, 64))))


def test_a_run_of_a_joined_scheduler_is_in_its_workers_precision(slide: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other: Precision = "float32" if best_precision() == "bfloat16" else "bfloat16"
    monkeypatch.setattr(hardware, "best_precisions", lambda: Precisions(other))  # which the workers, threads here, find
    monkeypatch.setattr(hardware, "processor_precisions", lambda: FLOAT16)  # the driver's, which nobody should ask
    with LocalCluster(n_workers=1, **PLAIN) as cluster:
        words = ("segment", slide, "--model", slide.with_name("tiny64.json"), "--cluster", cluster.scheduler_address)
        ran = command(*words)
    assert ran.code == 0, ran.err
    record = json.loads((slide.parent / "slide.ome.zarr" / "run.json").read_text())
    assert record["model"]["precision"] == other


def test_a_batch_asks_once_and_who_does_not_answer_is_no_fault_of_a_slide(slide: Path) -> None:
    other = slide.with_name("other.tif")
    other.write_bytes(slide.read_bytes())
    settings = {"model": str(slide.with_name("tiny64.json"))}
    asked: list[str] = []

    def somebody() -> Precisions:
        asked.append("somebody")
        return Precisions("bfloat16")

    def nobody() -> Precisions:
        asked.append("nobody")
        raise InputError("nobody is there")

    listed = list_slides([str(slide), str(other)])
    assert all(entry.job for entry in open_batch(listed, settings, slide.parent / "stores", somebody))
    with pytest.raises(InputError, match="nobody is there"):
        open_batch(listed, settings, slide.parent / "stores", nobody)
    assert asked == ["somebody", "nobody"]


def test_nobody_is_asked_for_a_network_that_has_begun(slide: Path) -> None:
    def nobody() -> Precisions:
        raise FleetError("nobody was to be asked")

    model = str(slide.with_name("tiny64.json"))
    assert command("segment", slide, "--model", model, "--workers", 1).code == 0
    config = Config(slide, slide.parent / "slide.ome.zarr", model=model)
    assert prepare(config, nobody).stages
    with pytest.raises(FleetError):
        prepare(replace(config, out=slide.parent / "another"), nobody)
