"""The doctor says what is there and what to do for what is not, and never fails."""

from __future__ import annotations

import importlib.metadata
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from screens import MAIN, on_terminal
from slides import command

from axonflow.cli import diagnosis as doctor
from axonflow.cli.diagnosis import Finding, diagnose
from axonflow.kernel import compiled
from axonflow.net import device, machine, precision
from axonflow.net.machine import Card

PARTS = ["system", "processor", "precision", "memory", "scratch", "loops", "GPU", "stores", "slides", "queue"]
PARTS += ["profiles", "browser", "versions"]


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder as the only one in which commands are looked for."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def install(path: Path, name: str, script: str = "exit 0") -> None:
    (path / name).write_text(f"#!/bin/sh\n{script}\n")
    (path / name).chmod(0o755)


def found(part: str) -> list[Finding]:
    """Ask about one part alone."""
    return list(doctor._PARTS[part]())


@pytest.mark.parametrize("columns", [60, 140])
def test_everything_is_one_table_that_fits(columns: int) -> None:
    shown = on_terminal(columns, MAIN, "doctor")
    assert shown[0].split() == ["part", "found"]
    named = [line.split()[0] for line in shown[1:] if not line.startswith(" ")]
    assert [name for name in named if name != "optional"] == PARTS
    assert len({line.index(line.split()[1]) for line in shown if not line.startswith(" ")}) == 1
    said = " ".join(" ".join(shown).split())
    assert f"in {precision.best_precision()}" in said
    assert f"numpy {importlib.metadata.version('numpy')}" in said


def test_a_machine_without_anything_is_told_what_to_install(path: Path) -> None:
    ran = command("doctor")
    assert ran.code == 0
    assert ran.err == ""
    said = " ".join(ran.out.split())
    assert "none of Slurm, PBS, LSF, SGE" in said
    assert "apt install chromium" in said


@pytest.mark.parametrize(
    ("system", "here", "asked"),
    [("Slurm", "sbatch", "sinfo"), ("PBS", "pbsnodes", "qstat"), ("LSF", "bsub", "bqueues"), ("SGE", "qconf", "qconf")],
)
def test_queueing_systems_are_asked(path: Path, system: str, here: str, asked: str) -> None:
    install(path, here)
    install(path, asked, "echo long; echo short*; echo long")
    [finding] = found("queue")
    assert finding.found.startswith(f"{system} answers")
    assert finding.advice == ""
    assert ("partitions long, short*" in finding.found) is (system == "Slurm")
    install(path, asked, "echo 'no way' >&2; exit 1")
    [finding] = found("queue")
    assert finding.found == f"{system}: {here} is here, but {asked} does not answer: no way"
    assert finding.advice


def test_a_command_that_hangs_is_not_waited_for(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "PATIENCE_S", 0.2)
    install(path, "sbatch")
    install(path, "sinfo", "while :; do :; done")
    [finding] = found("queue")
    assert finding.found.endswith("nothing came within 0.2 s")


def test_a_command_that_has_gone_is_an_answer(path: Path) -> None:
    install(path, "sbatch")  # without sinfo
    [finding] = found("queue")
    assert "No such file" in finding.found


@pytest.mark.parametrize("name", doctor.BROWSERS)
def test_a_browser_is_found(path: Path, name: str) -> None:
    install(path, name, "echo 'Chromium 156'")
    assert found("browser") == [Finding("browser", f"Chromium 156, {path / name}")]


def test_profiles_of_a_site_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    [finding] = found("profiles")
    assert finding.found.startswith("none of this site")
    (tmp_path / "axonflow" / "cluster").mkdir(parents=True)
    (tmp_path / "axonflow" / "cluster" / "ours.toml").write_text('extends = "slurm"\n')
    [finding] = found("profiles")
    assert finding.found.startswith(f"ours in {tmp_path / 'axonflow' / 'cluster'}, and ")
    assert "slurm" in finding.found


def test_a_missing_package_is_named_with_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    there = importlib.metadata.version

    def version(name: str) -> str:
        if name in {"zarr", "dandi"}:
            raise importlib.metadata.PackageNotFoundError(name)
        return there(name)

    wanted = ["zarr>=3.1", "dask[array]>=2025.1", 'dandi>=0.76; extra == "astih"', 'rich; extra == "other"']
    monkeypatch.setattr(doctor, "version", version)
    monkeypatch.setattr(doctor, "requires", lambda _name: wanted)
    versions, optional = found("versions")
    assert versions.advice == "pip install zarr"
    assert f"dask {there('dask')}" in versions.found
    assert f"rich {there('rich')}" in versions.found
    assert optional == Finding("optional", "no dandi, for downloading the ASTIH data sets", "pip install dandi")


def test_gpus_are_named_with_their_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    cards = [Card("NVIDIA H100", 70 * 2**30, 80 * 2**30), Card("GPU 1", fault="CUDA error: ECC")]
    monkeypatch.setattr(machine, "cards", lambda: cards)
    monkeypatch.setattr(device, "works", lambda: None)
    first, second = found("GPU")
    assert first == Finding("GPU", "NVIDIA H100: 70.0 GiB free of 80.0 GiB")
    assert second == Finding("GPU", "GPU 1: CUDA error: ECC", "look at nvidia-smi")
    monkeypatch.setattr(device, "works", lambda: "a matrix product is wrong")
    assert "does not compute: a matrix product is wrong" in found("GPU")[-1].found


@pytest.mark.parametrize(
    ("cuda", "said", "advice"), [(None, "without CUDA", "pip install a torch"), ("13.0", "cannot use it", "driver")]
)
def test_a_gpu_that_torch_cannot_use_is_told_apart_from_none(
    path: Path, monkeypatch: pytest.MonkeyPatch, cuda: str | None, said: str, advice: str
) -> None:
    monkeypatch.setattr(machine, "cards", list)
    monkeypatch.setattr(machine, "cuda_version", lambda: cuda)
    monkeypatch.setattr(device, "works", lambda: None)
    assert found("GPU") == [Finding("GPU", "none; networks are computed by the processor")]
    monkeypatch.setattr(device, "works", lambda: "one was expected")
    [finding] = found("GPU")
    assert finding.found == "none that works: one was expected"
    assert "CUDA_VISIBLE_DEVICES" in finding.advice
    install(path, "nvidia-smi", "echo 'GPU 0: NVIDIA T4 (UUID: GPU-1)'")
    [finding] = found("GPU")
    assert finding.found.startswith("GPU 0: NVIDIA T4")
    assert said in finding.found
    assert advice in finding.advice


def test_a_slow_precision_is_advised_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "best_precisions", lambda: precision.Precisions("float32"))
    assert "several times as fast" in found("processor")[1].advice


def test_cores_of_a_job_are_told_apart_from_those_of_its_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dask.system.CPU_COUNT", 3)
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    assert "3 of 64 cores may be used" in found("processor")[0].found


def test_what_is_broken_is_a_finding_and_the_rest_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> Iterator[Finding]:
        yield Finding("GPU", "one")
        raise ImportError("libcuda.so")

    parts = {"GPU": broken, "system": doctor._PARTS["system"]}
    monkeypatch.setattr(doctor, "_PARTS", parts)
    findings = list(diagnose())
    assert [finding.part for finding in findings] == ["GPU", "GPU", "system"]
    assert findings[1].found == "cannot be asked: ImportError: libcuda.so"
    assert command("doctor").code == 0


def test_a_codec_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imagecodecs.LERC.available", False)
    slides = found("stores")[1]
    assert "lerc" not in slides.found
    assert slides.advice.startswith("for lerc: pip install")


def test_it_says_where_compiled_loops_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    assert found("loops") == [Finding("loops", f"compiled loops are kept in {tmp_path}")]
    monkeypatch.setattr(compiled, "kept_in", lambda: None)
    assert "NUMBA_CACHE_DIR" in found("loops")[0].advice
