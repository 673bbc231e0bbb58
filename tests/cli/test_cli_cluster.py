"""Who does the work is said on the command line: profiles, job scripts, a cluster by hand, a driver that is a job."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import typer
from distributed import Client
from hypothesis import given
from hypothesis import strategies as st
from slides import command, picture, tissue, write_labels, write_slide

from axonflow.cli import app
from axonflow.cli import cluster as cluster_commands
from axonflow.cli.options import CLUSTER, ENGINE, SETTINGS, as_flags, profile_of
from axonflow.engine import certificates
from axonflow.engine.fleet import WITHOUT_SPANS
from axonflow.engine.jobs import worker_script
from axonflow.engine.profile import PROFILES, Profile, profile_names

RUN = next(made for name, made in vars(typer.main.get_command(app))["commands"].items() if name == "run")


@pytest.fixture
def slide(tmp_path: Path) -> Path:
    """A slide with its labels beside it, in a folder with a blank."""
    folder = tmp_path / "my slides"
    folder.mkdir()
    classes = tissue((220, 290), 4)
    write_labels(folder / "labels.png", classes)
    return write_slide(folder / "slide.tif", picture(classes))


@pytest.fixture
def sbatch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that what is submitted ends up in."""
    program, queued = tmp_path / "bin" / "sbatch", tmp_path / "queued"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\ncat "$1" >"{queued}"\necho Submitted batch job 42\n')
    program.chmod(0o700)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    return queued


def stub(folder: Path, name: str = "axonflow") -> dict[str, str]:
    """Return an environment in which a program prints its arguments, a line each."""
    program = folder / name
    program.write_text("#!/bin/sh\nprintf '%s\\n' \"$@\"\n")
    program.chmod(0o700)
    return {"PATH": f"{folder}:/usr/bin:/bin"}


def test_profiles_are_listed() -> None:
    ran = command("cluster", "list")
    assert ran.code == 0
    assert set(profile_names()) <= set(ran.out.split())
    assert str(PROFILES) in ran.out


def test_a_script_is_shown_as_it_is() -> None:
    flags = ["--partition", "long", "--account", "lab", "--walltime", "03:00:00", "--cores", 2, "--memory", 7.5]
    flags += ["--prologue", "module load a", "--prologue", "b", "--directive=--qos=high", "--interface", "ib0"]
    expected = Profile.find("slurm").but(
        partition="long",
        account="lab",
        walltime="03:00:00",
        cores=2,
        memory=7.5,
        prologue=["module load a", "b"],
        directives=["--qos=high"],
        interface="ib0",
        gpus=1,
    )
    ran = command("cluster", "show", "slurm", "--gpus", 1, *flags)
    assert ran.out == worker_script(expected)
    both = command("cluster", "show", "slurm", "--gpus", 1, "--beside", 2, *flags)
    assert both.out.startswith(ran.out)
    assert both.out.endswith(worker_script(expected, gpu=False))


@pytest.mark.parametrize("name", ["local", "nix"])
def test_what_has_no_script(name: str) -> None:
    ran = command("cluster", "show", name)
    assert ran.code == 2
    assert name in ran.err


GIVEN: dict[str, st.SearchStrategy[Any]] = {
    "out": st.just("some where"),
    "pixel_size": st.just("0.1,0.2"),
    "cell_um": st.floats(1, 99),
    "keep_probabilities": st.booleans(),
    "cluster": st.sampled_from(profile_names()),
    "workers": st.integers(1, 99),
    "adapt": st.just("1:5"),
    "memory": st.floats(0.5, 99),
    "prologue": st.lists(st.text("ab $'\"-=", min_size=1), max_size=2),
    "directives": st.lists(st.sampled_from(["--qos=high", "-C a&b", "x"]), max_size=2),
    "fresh": st.booleans(),
}


@given(st.fixed_dictionaries({}, optional=GIVEN))
def test_another_process_is_told_the_same(given: dict[str, Any]) -> None:
    words = as_flags(given, SETTINGS, ENGINE)
    read = RUN.make_context("run", [*words, "--", "--slide.tif"]).params
    assert str(read.pop("slide")) == "--slide.tif"
    said, meant = ({name: value for name, value in words.items() if value} for words in (read, given))
    assert {name: str(value) for name, value in said.items()} == {name: str(value) for name, value in meant.items()}
    assert profile_of(read) == profile_of(given)


def test_every_flag_of_a_cluster_changes_a_profile() -> None:
    changes = {
        "workers": 3, "adapt": "1:2", "partition": "a", "account": "b", "walltime": "00:10:00", "cores": 5,
        "memory": 6.0, "gpus": 1, "beside": 7, "prologue": ["c"], "directives": ["d"], "interface": "e",
        "scratch": "f", "dashboard": ":1",
    }  # fmt: skip
    assert {"cluster", *changes} == set(CLUSTER)
    for name, value in changes.items():
        assert profile_of({"cluster": "slurm", name: value}) == Profile.find("slurm").but(**{name: value})
        assert profile_of({"cluster": "slurm", name: value}) != Profile.find("slurm")
    assert profile_of({}) == Profile.find("local")


@pytest.fixture
def ended() -> Iterator[list[subprocess.Popen[bytes]]]:
    """Processes that are ended with the test."""
    processes: list[subprocess.Popen[bytes]] = []
    yield processes
    for process in reversed(processes):
        process.send_signal(signal.SIGTERM)
    for process in processes:
        process.wait(timeout=60)


def test_a_cluster_by_hand(tmp_path: Path, ended: list[subprocess.Popen[bytes]]) -> None:
    folder = tmp_path / "my fleet"
    axonflow = [sys.executable, "-m", "axonflow", "cluster"]
    sizes = ["--gpus", "1", "--cores", "3", "--memory", "0.75", "--lifetime", "00:30:00"]
    with (tmp_path / "log").open("wb") as log:
        for words in (["worker", str(folder), *sizes], ["scheduler", str(folder)]):  # the worker waits
            process = subprocess.Popen([*axonflow, *words], stdout=log, stderr=log)
            ended.append(process)
    until = time.monotonic() + 100
    while certificates.noted(folder) is None:
        assert time.monotonic() < until, (tmp_path / "log").read_text()
        time.sleep(0.1)
    address, security = certificates.scheduler(str(folder))
    assert address.startswith("tls://")
    assert folder.stat().st_mode & 0o777 == 0o700
    with Client(address, security=security, timeout="60s") as client:
        client.wait_for_workers(1, timeout=100)
        assert client.submit(sum, [1, 2], resources={"GPU": 1}).result() == 3
        kept = client.run_on_scheduler(lambda dask_scheduler: type(dask_scheduler.extensions["spans"]).__module__)
        assert kept == WITHOUT_SPANS
        (worker,) = client.scheduler_info()["workers"].values()
        assert (worker["nthreads"], worker["memory_limit"], worker["resources"]) == (3, 3 * 2**28, {"GPU": 1})
        port, listening = worker["services"]["dashboard"], psutil.net_connections("tcp")
        assert {at.laddr.ip for at in listening if at.status == "LISTEN" and at.laddr.port == port} == {"127.0.0.1"}


def test_a_worker_without_a_scheduler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_commands, "WAIT_S", 0.1)
    ran = command("cluster", "worker", tmp_path)
    assert ran.code == 1
    assert "axonflow cluster scheduler" in ran.err.replace("\n", " ")


def test_a_driver_is_submitted(slide: Path, sbatch: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(slide.parent)
    flags = ["--labels", "labels.png", "--cell", 7, "--directive=--qos=high"]
    ran = command("submit", "slide.tif", "--cluster", "slurm", "--driver-walltime", "05:00:00", *flags)
    assert ran.code == 0, ran.err
    assert "42" in ran.out.split()
    private = slide.parent / "slide.ome.zarr" / ".axonflow"
    assert [path.name for path in private.iterdir() if path.is_file()] == ["submitted.json"]
    note = json.loads((private / "submitted.json").read_text())
    assert (note["job"], note["system"]) == ("42", "slurm")
    assert note["log"] == str(private / "jobs" / "axonflow-42.log")
    assert note["at"]
    assert note["host"]
    assert note["command"][:4] == [sys.executable, "-m", "axonflow", "run"]
    read = RUN.make_context("run", note["command"][4:]).params
    told = {name: str(value) if isinstance(value, Path) else value for name, value in read.items() if value}
    expected = {"labels": "labels.png", "cell_um": "7", "cluster": "slurm", "directives": ["--qos=high"]}
    assert told == expected | {"slide": "slide.tif"}
    assert {"#SBATCH -t 05:00:00", "#SBATCH --qos=high"} <= set(sbatch.read_text().splitlines())
    assert f"cd '{slide.parent}'" in sbatch.read_text()


def test_a_driver_of_several_slides_is_submitted(slide: Path, sbatch: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(slide.parent)
    (slide.parent / "other.tif").write_bytes(slide.read_bytes())
    slides = ["slide.tif", "other.tif"]
    ran = command("submit", *slides, "--cluster", "slurm", "--labels", "labels.png", "--out", "cords")
    assert ran.code == 0, ran.err
    notes = [json.loads(path.read_text()) for path in sorted(Path("cords").glob("*/.axonflow/submitted.json"))]
    assert len(notes) == 2
    assert notes[0] == notes[1]
    words = notes[0]["command"]
    assert words[3] == "batch"
    assert words[-3:] == ["--", *slides]
    assert "--out=cords" in words


@pytest.mark.parametrize("flags", [["--cluster", "local"], [], ["--cluster", "slurm", "--walltime", "1"]])
def test_what_cannot_be_submitted(slide: Path, sbatch: Path, flags: list[str]) -> None:
    assert command("submit", slide, *flags).code == 2
    assert command("submit", slide.with_name("none.tif"), "--cluster", "slurm").code == 2
    assert not sbatch.exists()
    assert not slide.with_name("slide.ome.zarr").exists()


def test_a_job_that_is_refused_leaves_no_note(slide: Path, sbatch: Path) -> None:
    refuses = sbatch.parent / "bin" / "sbatch"
    refuses.write_text("#!/bin/sh\necho invalid partition >&2; exit 1\n")
    ran = command("submit", slide, "--cluster", "slurm", "--labels", slide.with_name("labels.png"))
    assert ran.code == 1
    assert "invalid partition" in ran.err
    assert not list(slide.parent.rglob("submitted.json"))


def test_scripts_ask_for_options_that_there_are() -> None:
    flags = {flag for option in RUN.params for flag in option.opts}
    for name in ("driver.sh", "allocation.sbatch", "array.sbatch"):
        script = (PROFILES / name).read_text()
        subprocess.run(["bash", "-n"], input=script, text=True, check=True)
        for line in re.findall(r"axonflow run (.*)", script):
            assert set(re.findall(r"--[a-z-]+", line)) <= flags


def test_a_job_of_an_array_takes_its_slide(tmp_path: Path) -> None:
    (tmp_path / "slides.txt").write_text("a.tif\nmy b.tif\nc.tif\n")
    environment = stub(tmp_path) | {"SLURM_ARRAY_TASK_ID": "2", "SLURM_CPUS_PER_TASK": "3", "SLURM_MEM_PER_CPU": "1536"}
    script = [str(PROFILES / "array.sbatch"), "slides.txt", "--cell", "7", "--mask=a b"]
    ran = subprocess.run(["bash", *script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines() == [
        *("run", "my b.tif", "--workers", "3", "--memory", "1.5", "--cell", "7", "--mask=a b"),
    ]


def test_a_driver_goes_on_without_its_terminal(tmp_path: Path) -> None:
    script = ["bash", str(PROFILES / "driver.sh"), "my slide.tif", "--partition", "long"]
    ran = subprocess.run(script, cwd=tmp_path, env=stub(tmp_path), capture_output=True, text=True, check=True)
    assert "kill -INT" in ran.stdout
    (log,) = tmp_path.glob("axonflow-driver-*.log")
    until = time.monotonic() + 30
    while not log.read_text() and time.monotonic() < until:
        time.sleep(0.05)
    assert log.read_text().splitlines() == ["run", "--cluster", "slurm", "my slide.tif", "--partition", "long"]
