"""The documentation says what is there: columns, maps, fields, commands, flags, files."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from PIL import Image

import axonflow
from axonflow.analysis import Analysis
from axonflow.cli import app
from axonflow.export import FORMATS
from axonflow.fiber.table import COLUMNS

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
COMMANDS: dict[str, Any] = getattr(typer.main.get_command(app), "commands")  # noqa: B009  # of typer's own click
FLAGS = {name: {flag for option in command.params for flag in option.opts} for name, command in COMMANDS.items()}
OTHERS = {"--help", "--index-url"}
"""Flags of other programs that the pages name."""


def rows(page: str, *columns: int) -> list[tuple[str, ...]]:
    """Return columns of all tables of a page, without code marks."""
    lines = [line for line in (ROOT / page).read_text().splitlines() if line.startswith("| `")]
    cells = [[cell.strip(" `") for cell in line.strip("|").split(" | ")] for line in lines]
    return [tuple(row[i] for i in columns) for row in cells]


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Analysis:
    """A run on a small slide with its own masks."""
    folder = tmp_path_factory.mktemp("docs")
    y, x = np.mgrid[:96, :96] - 48
    radius = np.hypot(y, x)
    Image.fromarray(np.where(radius < 20, 255, np.where(radius < 30, 127, 0)).astype(np.uint8)).save(folder / "l.png")
    return axonflow.run(folder / "l.png", labels=folder / "l.png", pixel_size=0.1, cell=5.0, workers=1)


def test_the_columns_are_listed() -> None:
    listed = rows("docs/reference/columns.md", 0, 1, 2, 3)
    assert listed == [(column.name, column.unit, column.dtype, column.meaning) for column in COLUMNS]


def test_the_maps_are_listed(result: Analysis) -> None:
    listed = {row for row in rows("docs/reference/store.md", 0, 1) if row[0] in result.maps}
    assert listed == {(str(name), values.attrs["units"]) for name, values in result.maps.data_vars.items()}


def test_the_fields_of_the_record_are_listed(result: Analysis) -> None:
    listed = {row[0] for row in rows("docs/reference/store.md", 0)}
    record = result.record
    fields = {name for name in record if name not in {"slide", "labels"}}
    fields |= {f"{part}.{name}" for part in ("slide", "labels") for name in record[part]}
    fields |= {f"stages.*.{name}" for summary in record["stages"].values() for name in summary}
    assert fields == {name for name in listed if name.partition(".")[0] in record}


@pytest.mark.parametrize("page", ["README.md", "docs/reference/store.md"])
def test_what_a_store_holds_is_listed(result: Analysis, page: str) -> None:
    text = (ROOT / page).read_text()
    listing = set(re.findall(r"[├└]── (?:(\S+?)/?)(?:  (?=run\.log)|\s)", text)) | {"s1", "run.log"}
    unlisted = {path.name for path in result.store.iterdir()} - {name.partition("/")[0] for name in listing}
    assert unlisted <= {"zarr.json"}
    assert {f"labels/{path.parent.name}" for path in result.store.glob("labels/*/s0")} <= listing


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "docs/explanation/shape.md"])
def test_every_part_of_the_package_has_its_place(page: str) -> None:
    blocks = "".join(re.findall(r"^```\n.*?^```", (ROOT / page).read_text(), re.MULTILINE | re.DOTALL))
    parts = {path.stem for path in (ROOT / "axonflow").glob("[!_]*") if path.suffix in {"", ".py"}}
    assert parts <= set(re.findall(r"\w+", blocks))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_and_flags_exist(page: Path) -> None:
    text = page.read_text()
    known = set().union(*FLAGS.values()) | OTHERS
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", text)) <= known
    blocks = "".join(re.findall(r"^```\n.*?^```", text, re.MULTILINE | re.DOTALL))
    for line in re.findall(r"^axonflow .+$", blocks, re.MULTILINE) + re.findall(r"`(axonflow [^`]+)`", text):
        command, *words = shlex.split(line)[1:]
        assert command in COMMANDS, line
        assert {word for word in words if word.startswith("--")} <= FLAGS[command] | OTHERS, line
        if "--format" in words:
            assert words[words.index("--format") + 1] in FORMATS


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)", page.read_text()):
        assert target.startswith("https://") or (page.parent / target).exists(), target
