"""Any name of a file is printed as it is, on any terminal; none reaches a script or a record that cannot hold it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import typer
from slides import command, picture, tissue, write_labels, write_slide

import axonflow
from axonflow.cli import app
from axonflow.engine.jobs import driver_job
from axonflow.engine.profile import Profile
from axonflow.errors import InputError

CLASSES = tissue((150, 170))
MARKED = "x[/red][bold][/bold][link=a]:smile:[b]c[/]"
WORD = "x[bold]:smile:[b]c"
UNFIT = ["a\nb", "a\rb", "a\tb", "a\x1b[31mb", "a\x7fb", "a\u2028b", os.fsdecode(b"a\xe4b")]


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("given")
    return write_slide(folder / "slide.tif", picture(CLASSES)), write_labels(folder / "labels.png", CLASSES)


def all_commands(group: Any, *above: str) -> Iterator[tuple[str, ...]]:
    """Yield the words of every command."""
    for name, known in group.commands.items():
        if hasattr(known, "commands"):
            yield from all_commands(known, *above, name)
        else:
            yield (*above, name)


@pytest.fixture
def marked(given: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, waiting_jobs: Path) -> Path:
    """A slide whose path, and a profile whose name, is markup all over."""
    monkeypatch.setenv("COLUMNS", "1000")  # nothing is folded
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    profiles = tmp_path / "config" / "axonflow" / "cluster"
    profiles.mkdir(parents=True)
    (profiles / f"{WORD}.toml").write_text('extends = "slurm"\n')
    slide = tmp_path / f"{MARKED}.tif"
    slide.parent.mkdir(parents=True)
    shutil.copy(given[0], slide)
    return slide


def test_markup_in_names_is_printed_as_it_is(marked: Path, given: tuple[Path, Path], tmp_path: Path) -> None:
    """By every command where it works, and by every command where it does not."""
    store, batch, none = marked.with_suffix(".ome.zarr"), tmp_path / f"{MARKED} batch", tmp_path / f"none{MARKED}"
    own = ("--labels", given[1], "--workers", 1)
    works: dict[tuple[str, ...], tuple[object, ...]] = {
        **{(group,): (marked, *own) for group in ("convert", "segment", "label", "measure", "map", "run")},
        ("info",): (store,),
        ("status",): (store,),
        ("check",): (store,),
        ("report",): (store,),
        ("figure",): (store, "--out", tmp_path / f"{MARKED} figure"),
        ("export",): (store, "--format", "csv"),
        ("batch",): (marked, "--out", batch, *own),
        ("submit",): (marked, "--cluster", WORD, "--labels", given[1], "--out", tmp_path / f"{MARKED} submitted"),
        ("score",): (store, given[1], "--csv", tmp_path / f"{WORD}.csv"),
        ("phantom",): (tmp_path / f"{MARKED} phantom.tif", "--size", 256),
    }
    fails: dict[tuple[str, ...], tuple[object, ...]] = {
        **{(group,): (none, *own) for group in ("convert", "segment", "label", "measure", "map", "run", "plan")},
        ("info",): (none,),
        ("status",): (none,),
        ("check",): (none,),
        ("report",): (none,),
        ("export",): (none, "--format", MARKED),
        ("batch",): (none, "--out", batch, *own),
        ("submit",): (none, "--cluster", "slurm", *own),
        ("phantom",): (given[1] / MARKED, "--size", 256),
        ("view",): (none,),
        ("score",): (none, none),
        ("evaluate",): (MARKED, none),
        ("train",): (none, "--arch", MARKED),
        ("cluster", "show"): (MARKED,),
        ("cluster", "scheduler"): (none, f"--{WORD}"),
        ("cluster", "worker"): (none, "--lifetime", MARKED),
        ("models", "show"): (MARKED,),
        ("models", "path"): (MARKED,),
        ("models", "export"): (MARKED,),
        ("models", "import"): (none,),
        ("models", "fetch"): (MARKED,),
        ("models", "remove"): (MARKED,),
        ("models", "quantise"): (MARKED, none),
        ("astih", "download"): (MARKED, none),
        ("astih", "evaluate"): (MARKED, "sem", "--data", none),
        ("astih", "models", "download"): (MARKED, none),
    }
    lists: dict[tuple[str, ...], tuple[object, ...]] = {
        ("cluster", "list"): (),
        ("doctor",): (),
    }  # this site's profiles
    silent = {("models", "list"), ("astih", "list")}  # of what comes with axonflow
    assert {*works, *fails, *lists, *silent} == set(all_commands(typer.main.get_command(app)))
    wrong: list[object] = []
    for codes, cases in (({0}, works), ({1, 2}, fails), ({0}, lists)):
        for words, arguments in cases.items():
            ran = command(*words, *arguments)
            said = ran.out + ran.err
            if ran.code not in codes or not any(name in said for name in (MARKED, WORD)):
                wrong.append((words, ran.code, said[-500:]))
    for refused in ((MARKED,), ("run", f"--{WORD}"), ("run", marked, "--workers", MARKED), ("run", marked, MARKED)):
        ran = command(*refused)
        if ran.code != 2 or not any(name in ran.err for name in (MARKED, WORD)):
            wrong.append((refused, ran.code, ran.err))
    assert not wrong


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
