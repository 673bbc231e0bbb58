"""Any name of a file is printed as it is, on any terminal; none reaches a script or a record that cannot hold it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from slides import command, picture, tissue, write_labels, write_slide

import axonflow
from axonflow.engine.jobs import driver_job
from axonflow.engine.profile import Profile
from axonflow.errors import InputError

CLASSES = tissue((150, 170))
MARKED = ["x[/red]", "[bold]", "[/bold]", "[link]", ":smile:", "a[b]c"]
UNFIT = ["a\nb", "a\rb", "a\tb", "a\x1b[31mb", "a\x7fb", "a\u2028b", os.fsdecode(b"a\xe4b")]


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("given")
    return write_slide(folder / "slide.tif", picture(CLASSES)), write_labels(folder / "labels.png", CLASSES)


@pytest.mark.parametrize("name", MARKED)
def test_markup_in_names_is_printed_as_it_is(name: str, given: tuple[Path, Path], tmp_path: Path) -> None:
    slide, labels = tmp_path / f"{name}.tif", given[1]
    slide.parent.mkdir(exist_ok=True)
    shutil.copy(given[0], slide)
    store = tmp_path / f"{name}.ome.zarr"
    for arguments in (
        ("run", slide, "--labels", labels, "--workers", 1),
        ("convert", slide, "--labels", labels, "--workers", 1),
        ("info", store),
        ("status", store),
        ("report", store),
        ("export", store, "--format", "csv"),
    ):
        ran = command(*arguments)
        assert ran.code == 0, ran.err
        assert name in ran.out
    refused = command("info", tmp_path / f"none{name}.tif")
    assert refused.code == 2
    assert name in refused.err


@pytest.mark.parametrize("name", UNFIT)
def test_names_that_no_record_or_script_can_hold_are_refused(
    name: str, given: tuple[Path, Path], tmp_path: Path
) -> None:
    slide, labels = given
    odd = tmp_path / f"{name}.tif"
    shutil.copy(slide, odd)
    out = tmp_path / "out"
    for arguments in (
        ("run", odd, "--labels", labels, "--out", out),
        ("run", slide, "--labels", labels, "--out", tmp_path / name),
        ("submit", odd, "--cluster", "slurm", "--labels", labels, "--out", out),
        ("submit", slide, odd, "--cluster", "slurm", "--labels", labels, "--out", out),
        ("batch", odd, "--out", out, "--labels", labels),
        ("batch", slide, "--out", tmp_path / name, "--labels", labels),
        ("submit", slide, slide, "--cluster", "slurm", "--labels", labels, "--out", tmp_path / name),
    ):
        ran = command(*arguments)
        assert ran.code == 2, ran.err
        assert "without control characters" in ran.err
    with pytest.raises(InputError, match="without control characters"):
        axonflow.run(odd, out, labels=labels)
    with pytest.raises(InputError, match="without control characters"):
        driver_job(Profile.find("slurm"), ["run", str(odd)], tmp_path)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_a_terminal_with_few_characters_shows_others_instead(
    encoding: str, given: tuple[Path, Path], tmp_path: Path
) -> None:
    slide = tmp_path / "Rückenmark µ.tif"
    shutil.copy(given[0], slide)
    env = os.environ | {"PYTHONIOENCODING": encoding, "PYTHONPATH": os.pathsep.join(sys.path)}
    odd = tmp_path / os.fsdecode(b"\xe4.tif")
    analysed = ["run", str(slide), "--labels", str(given[1]), "--workers", "1"]
    for arguments, code in ((analysed, 0), (["info", str(odd)], 2)):
        ran = subprocess.run(
            [sys.executable, "-m", "axonflow", *map(os.fsencode, arguments)],
            env=env, capture_output=True, check=False, timeout=300,
        )  # fmt: skip
        assert ran.returncode == code, ran.stderr
        assert b"Traceback" not in ran.stderr


def test_the_version_is_that_of_the_installation() -> None:
    ran = command("--version")
    assert (ran.code, ran.out.split()) == (0, ["axonflow", version("axonflow-histology")])
