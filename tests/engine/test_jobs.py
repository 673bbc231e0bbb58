"""A profile said to each queueing system; the scripts are read back by the programs that they are written for."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from distributed import Client
from distributed.cli.dask_worker import main as dask_worker
from hypothesis import given
from hypothesis import strategies as st

from axonflow.engine import certificates, jobs
from axonflow.engine.profile import Profile
from axonflow.errors import FleetError, InputError

SYSTEMS = ["slurm", "pbs", "lsf", "sge"]
MARK = {"slurm": "#SBATCH ", "pbs": "#PBS ", "lsf": "#BSUB ", "sge": "#$ "}
ASKED = {
    "slurm": ["-J axonflow", "-p long", "-A lab", "-n 1", "--cpus-per-task=3", "--mem=5632M", "-t 01:30:00"],
    "pbs": ["-N axonflow", "-q long", "-A lab", "-l select=1:ncpus=3:mem=5632mb", "-l walltime=01:30:00", "-j oe"],
    "lsf": ["-J axonflow", "-q long", '-P "lab"', "-n 3", '-R "span[hosts=1]"', "-M 5905581", "-W 01:30"],
    "sge": ["-N axonflow", "-q long", "-P lab", "-l mem_free=5632M", "-l h_rt=01:30:00", "-pe smp 3", "-j y"],
}
GPU = {
    "slurm": "--gres=gpu:1",
    "pbs": "-l select=1:ncpus=3:ngpus=1:mem=5632mb",
    "lsf": '-gpu "num=1"',
    "sge": "-l gpu=1",
}
ANSWER = {
    "slurm": ("sbatch", "Submitted batch job 42", "axonflow-42.log"),
    "pbs": ("qsub", "42.server", "axonflow.o42"),
    "lsf": ("bsub", "Job <42> is submitted to queue <long>.", "axonflow-42.log"),
    "sge": ("qsub", 'Your job 42 ("axonflow") has been submitted', "axonflow.o42"),
}


def profile(system: str, **more: Any) -> Profile:
    return Profile.find(system).but(
        partition="long", account="lab", cores=3, memory=5.5, walltime="01:30:00", directives=["-x y"], **more
    )


def header(script: str, system: str) -> list[str]:
    """Return the directives of a script, which stand before the first command."""
    lines = script.splitlines()[1:]
    first = next(i for i, line in enumerate(lines) if line and not line.startswith("#"))
    assert not any(line.startswith(MARK[system]) for line in lines[first:])
    return [line.removeprefix(MARK[system]) for line in lines[:first] if line]


@pytest.fixture
def echo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Python that says how it was called, in a folder with a blank, as the one that submits."""
    folder = tmp_path / "my programs"
    folder.mkdir()
    program = folder / "python"
    program.write_text(
        f"#!{sys.executable}\nimport json, os, sys\n"
        "print(json.dumps({'words': sys.argv[1:], 'folder': os.getcwd(), 'environment': dict(os.environ)}))\n"
    )
    program.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(program))
    return program


def run(script: str, **environment: str) -> Any:
    done = subprocess.run(["bash"], input=script, capture_output=True, text=True, check=True, env=environment)
    return json.loads(done.stdout)


@pytest.mark.parametrize("system", SYSTEMS)
def test_what_a_worker_asks_for(system: str) -> None:
    asked = header(jobs.worker_script(profile(system)), system)
    assert set(ASKED[system]) <= set(asked)
    assert asked[-1] == "-x y"  # last, so that it counts if it says otherwise
    assert any(line.startswith("-o STORE/.axonflow/jobs/") for line in asked)
    assert not any("gpu" in line for line in asked)


@pytest.mark.parametrize("system", SYSTEMS)
def test_what_a_worker_with_a_gpu_asks_for(system: str) -> None:
    with_gpu, without = (header(jobs.worker_script(profile(system, gpus=n)), system) for n in (1, 0))
    assert set(with_gpu) - set(without) == {GPU[system]}


@pytest.mark.parametrize("system", SYSTEMS)
def test_one_beside_those_with_a_gpu_is_a_core_and_its_memory(system: str) -> None:
    beside = header(jobs.worker_script(profile(system, gpus=1), gpu=False), system)
    alone = header(jobs.worker_script(profile(system).but(cores=1, memory=5.5 / 3)), system)
    assert beside == alone


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_cluster_with_defaults_is_asked_for_nothing_of_its_own(system: str) -> None:
    words = " ".join(header(jobs.worker_script(Profile.find(system)), system)).split()
    assert not {"-p", "-q", "-A", "-P", "-pe", "-gpu"}.intersection(words)


@pytest.mark.parametrize("gpu", [False, True])
@pytest.mark.parametrize("system", SYSTEMS)
def test_how_a_worker_is_started(
    system: str, gpu: bool, echo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "my slides"
    here.mkdir()
    monkeypatch.chdir(here)
    lines = ["export SITE='a b'", "export PATH=$PATH:/site"]
    wanted = profile(system, gpus=int(gpu), prologue=lines, scratch="$NODE/of mine", interface="ib0")
    called = run(jobs.worker_script(wanted), NODE="/node", PATH="/usr/bin:/bin")
    with certificates.made(here / "STORE" / ".axonflow" / "certificates"):  # dask looks whether they are there
        assert called["words"][:2] == ["-m", "distributed.cli.dask_worker"]
        read = dask_worker.make_context("dask worker", called["words"][2:]).params
    certificate = str(here / "STORE" / ".axonflow" / "certificates" / "certificate.pem")
    expected = {
        "scheduler": "tls://HOST:PORT",
        "protocol": "tls://",
        "tls_ca_file": certificate,
        "tls_cert": certificate,
        "tls_key": certificate.replace("certificate.pem", "key.pem"),
        "nthreads": 3 if gpu else 1,
        "resources": "GPU=1" if gpu else None,
        "memory_limit": "5.50GiB",
        "local_directory": "/node/of mine",
        "interface": "ib0",
        "lifetime": "4800s",  # an hour and a half less twice five minutes
        "lifetime_stagger": "300s",
        "lifetime_restart": None,
        "death_timeout": "120",
        "dashboard_address": "127.0.0.1:0",
        "nanny": True,
    }
    assert {name: read[name] for name in expected} == expected
    assert called["folder"] == str(here)
    libraries = {called["environment"][f"{name}_NUM_THREADS"] for name in ("OMP", "MKL", "OPENBLAS", "NUMBA")}
    assert libraries == {"1" if gpu else "3"}
    assert called["environment"].get("CUDA_VISIBLE_DEVICES") == (None if gpu else "")
    assert called["environment"]["SITE"] == "a b"
    assert called["environment"]["PATH"].endswith(":/site")


@given(st.integers(60, 10**7), st.booleans())
def test_workers_leave_before_the_walltime(walltime_s: int, gpu: bool) -> None:
    clock = f"{walltime_s // 3600}:{walltime_s // 60 % 60:02}:{walltime_s % 60:02}"
    words = jobs.worker_arguments(Profile.find("slurm").but(walltime=clock, gpus=int(gpu)), gpu=gpu)
    lifetime, stagger = (
        int(words[words.index(flag) + 1].removesuffix("s")) for flag in ("--lifetime", "--lifetime-stagger")
    )
    latest = lifetime + stagger
    assert 0.9 * walltime_s - 1 <= latest + 2 <= walltime_s or latest == walltime_s - 300
    assert lifetime - stagger >= 0.6 * walltime_s


@pytest.mark.parametrize("gpu", [False, True])
def test_arguments_are_those_of_a_job(gpu: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    wanted = profile("slurm", gpus=int(gpu), scratch="/tmp", interface="lo")
    by_hand = dask_worker.make_context("dask worker", ["a:1", *jobs.worker_arguments(wanted, gpu=gpu)]).params
    words = shlex.split(jobs.worker_script(wanted).splitlines()[-1])[3:]
    with certificates.made(tmp_path / "STORE" / ".axonflow" / "certificates"):
        as_job = dask_worker.make_context("dask worker", words).params
    apart = {"scheduler", "name", "protocol", "tls_ca_file", "tls_cert", "tls_key", "n_workers", "memory_limit"}
    assert {name: value for name, value in by_hand.items() if name not in apart} == {
        name: value for name, value in as_job.items() if name not in apart
    }
    assert by_hand["n_workers"] == "1"
    assert int(by_hand["memory_limit"]) == wanted.memory


def test_a_worker_on_this_machine_has_no_end() -> None:
    assert "--lifetime" not in jobs.worker_arguments(Profile.find("local"), gpu=False)


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_job_of_a_driver(system: str, echo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    small = profile(system, gpus=1, prologue=["export SITE=1"]).but(
        driver_cores=1, driver_memory=2, driver_walltime="30:00:00"
    )
    job = jobs.driver_job(small, [sys.executable, "run", "my slide.tif", "--mask=$HOME"], tmp_path / "jobs")
    script = job.job_script()
    asked = " ".join(header(script, system))
    assert "gpu" not in asked
    assert "30:00" in asked
    assert {"slurm": "--mem=2048M", "pbs": "mem=2048mb", "lsf": "-M 2147484", "sge": "mem_free=2048M"}[system] in asked
    assert {"slurm": "-p", "pbs": "-q", "lsf": "-q", "sge": "-q"}[system] + " long" in asked
    called = run(script, PATH="/usr/bin:/bin", HOME="/home/somebody")
    assert called["words"] == ["run", "my slide.tif", "--mask=$HOME"]
    assert called["folder"] == str(tmp_path)
    assert called["environment"]["SITE"] == "1"


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_job_is_submitted(system: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name, answer, log = ANSWER[system]
    program, queued = tmp_path / name, tmp_path / "queued"
    program.write_text(f'#!/bin/sh\ncat "${{1:-/dev/stdin}}" >{shlex.quote(str(queued))}\necho {shlex.quote(answer)}\n')
    program.chmod(0o700)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    job = jobs.driver_job(profile(system), ["true"], tmp_path / "my jobs")
    assert jobs.submit(job) == "42"
    assert queued.read_text() == job.job_script()
    assert job.output == tmp_path / "my jobs" / log
    assert job.output.parent.is_dir()


def test_a_job_that_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "sbatch"
    program.write_text("#!/bin/sh\necho 'error: invalid partition specified: nix' >&2\nexit 1\n")
    program.chmod(0o700)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(FleetError, match="sbatch answers: error: invalid partition specified: nix"):
        jobs.submit(jobs.driver_job(profile("slurm"), ["true"], tmp_path))
    program.unlink()
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FleetError, match="No such file or directory: 'sbatch'"):
        jobs.submit(jobs.driver_job(profile("slurm"), ["true"], tmp_path))


def test_a_profile_without_jobs() -> None:
    for name in ("local", "tcp://a:1"):
        with pytest.raises(InputError, match="cluster list"):
            jobs.worker_script(Profile.find(name))
        with pytest.raises(InputError, match="cluster list"):
            jobs.driver_job(Profile.find(name), ["true"], Path())


def test_a_script_is_only_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for system in SYSTEMS:
        jobs.worker_script(profile(system))
        jobs.driver_job(profile(system), ["true"], tmp_path / "jobs")
    assert not list(tmp_path.iterdir())


@pytest.mark.slurm
def test_workers_of_a_real_slurm(tmp_path: Path) -> None:
    private = tmp_path / "my slide.ome.zarr" / ".axonflow"
    size = Profile.find("slurm").but(memory=1, walltime="00:10:00", prologue=["export SITE='of ours'"])
    with certificates.made(private / "certificates") as folder:
        options = jobs.job_options(size, folder, gpu=False)
        with jobs.cluster_class(size)(**options) as cluster, Client(cluster) as client:
            cluster.scale(1)
            client.wait_for_workers(1, timeout=120)
            assert client.submit(lambda: __import__("os").environ["SITE"]).result() == "of ours"
            (worker,) = client.scheduler_info()["workers"].values()
            (job,) = cluster.workers.values()
            assert worker["id"].startswith("tls://") or cluster.scheduler_address.startswith("tls://")
            assert worker["memory_limit"] == 2**30
            assert worker["nthreads"] == 1
        assert "Registered to:" in (private / "jobs" / f"axonflow-{job.job_id}.log").read_text()
    assert not folder.exists()
