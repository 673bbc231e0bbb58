"""A pipeline is found by its name or path, and a command is given its own table or told that there is none."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from axonflow.errors import InputError
from axonflow.net.checkpoint import Checkpoint
from axonflow.workflow.config import Config
from axonflow.workflow.pipeline import PIPELINES, TABLES, pipeline_names, read_table
from axonflow.workflow.settings import read_pipeline


def write(folder: Path, text: str) -> Path:
    path = folder / "own.toml"
    path.write_text(text)
    return path


def test_the_named_pipelines_are_there() -> None:
    assert pipeline_names("run") == ["human-cord-sem", "mouse-splenium-tem", "rat-cord-sem"]
    assert {name for table in TABLES for name in pipeline_names(table)} == {path.stem for path in PIPELINES.iterdir()}


@pytest.mark.parametrize("name", pipeline_names("run"))
def test_a_named_pipeline_makes_a_run(name: str) -> None:
    settings = read_pipeline(name)
    config = Config(Path("slide.tif"), Path("out"), **settings)
    assert Checkpoint.find(str(config.model)).name == config.model
    assert settings["model"] in {"sem", "tem"}


def test_a_table_is_read_by_name_and_path(tmp_path: Path) -> None:
    assert read_table("paper", "train") == read_table(PIPELINES / "paper.toml", "train")
    path = write(tmp_path, "[run]\ncell_um = 20\n[train]\nbatch = 2\n")
    assert read_table(str(path), "run") == (path, {"cell_um": 20})
    assert read_table(path, "train") == (path, {"batch": 2})
    assert read_table(write(tmp_path, ""), "run") == (path, {})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[train]\nbatch = 2", r"\[run\] was expected .*own\.toml, \[train\] came.*human-cord-sem"),
        ("[ran]\ncell_um = 2", r"\[run\], \[train\] were expected .*, ran came"),
        ("run = 3", "table .*run = 3 came"),
        ("[run", "TOML was expected"),
        ("[run]\ncell = 2", r"own\.toml: .*cell_um, .*, cell came"),
        ("[run]\nslide = 'a.tif'", "slide came"),
        ("[run]\nout = 'a'", "out came"),
        ("[run]\ncell_um = 'wide'", r"own\.toml: cell_um was expected to be a number, 'wide' came"),
        ("[run]\nmask = 3", "mask was expected to be a path, 3 came"),
    ],
)
def test_refusals(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_pipeline(write(tmp_path, text))


def test_an_unknown_pipeline_is_refused_with_those_that_would_do() -> None:
    with pytest.raises(InputError, match=r"'rat' is none.*\(human-cord-sem, mouse-splenium-tem, rat-cord-sem\)"):
        read_pipeline("rat")


def test_paths_of_a_pipeline_lie_beside_it(tmp_path: Path) -> None:
    path = write(tmp_path, "[run]\nmask = 'white.png'\nlabels = '/somewhere/labels.png'\nmodel = 'mine.json'\n")
    assert read_pipeline(path) == {
        "mask": tmp_path / "white.png",
        "labels": Path("/somewhere/labels.png"),
        "model": str(tmp_path / "mine.json"),
    }


def test_the_wheel_is_told_to_hold_the_pipelines() -> None:
    root = Path(__file__).parents[2]
    build: dict[str, Any] = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
    places = build["targets"]["wheel"]["force-include"]
    assert {root / source for source, place in places.items() if place == "axonflow/pipelines"} == {PIPELINES}
