"""The documentation says what is there: columns, maps, fields, commands, flags, files."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from PIL import Image
from slides import write_model

import axonflow
from axonflow.cli import app
from axonflow.fiber.kinds import KIND
from axonflow.fiber.probability import PROBABILITY
from axonflow.fiber.region_table import REGION_COLUMNS, UNMYELINATED_COLUMNS
from axonflow.fiber.rules import LEFT_OUT
from axonflow.fiber.table import AXES, COLUMNS, REGION, TOUCHES
from axonflow.results.analysis import Analysis
from axonflow.results.export import FORMATS

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


def commands(group: Any, *above: str) -> Iterator[tuple[str, Any]]:
    """Yield all commands by what is typed for them, those of groups too."""
    for name, command in getattr(group, "commands", {}).items():
        yield " ".join((*above, name)), command
        yield from commands(command, *above, name)


COMMANDS = dict(commands(typer.main.get_command(app)))
FLAGS = {name: {flag for option in command.params for flag in option.opts} for name, command in COMMANDS.items()}
OTHERS = {"--constraint", "--gres", "--help", "--index-url", "--newest", "--no-cache-dir", "--qos", "--rm"}
"""Flags of other programs, and of scripts, that the pages name."""


def rows(page: str, *columns: int) -> list[tuple[str, ...]]:
    """Return columns of all tables of a page, without code marks."""
    lines = [line for line in (ROOT / page).read_text().splitlines() if line.startswith("| `")]
    cells = [[cell.strip(" `") for cell in line.strip("|").split(" | ")] for line in lines]
    return [tuple(row[i] for i in columns) for row in cells]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> tuple[Analysis, ...]:
    """A run on a small slide with its own masks, one by a network whose contract says all that it may, and one that has
    unmyelinated axons."""
    folder = tmp_path_factory.mktemp("docs")
    y, x = np.mgrid[:96, :96] - 48
    radius = np.hypot(y, x)
    slide, model = folder / "slide.png", write_model(folder)
    Image.fromarray(np.where(radius < 20, 255, np.where(radius < 30, 127, 0)).astype(np.uint8)).save(slide)
    model.write_text(json.dumps(json.loads(model.read_text()) | {"familiar": {"texture": [0, 1]}}))
    labels = folder / "labels.jpg"  # soft, so that the record says how it was read
    Image.open(slide).save(labels)
    given: dict[str, Any] = {"pixel_size": 0.1, "cell": 5.0, "on_bad_tile": "fill", "workers": 1}
    masks = axonflow.run(slide, folder / "masks", labels=labels, **given)
    of_networks: dict[str, Any] = {"model": str(model), "halo": "mend", "adapt_to_slide": "on"}
    network = axonflow.run(slide, folder / "network", pixel_size=0.12, cell=5.0, workers=1, **of_networks)
    Image.fromarray((radius < 20) + np.uint8(2) * (radius > 60)).save(folder / "numbers.png")
    kinds = "0=background,1=axon,2=unmyelinated,3=myelin"
    given |= {"labels": folder / "numbers.png", "classes": kinds}
    return masks, network, axonflow.run(slide, folder / "kinds", **given)


def test_the_columns_are_listed() -> None:
    listed = rows("docs/reference/columns.md", 0, 1, 2, 3)
    columns = (*COLUMNS, KIND, PROBABILITY, *AXES, TOUCHES, LEFT_OUT, REGION, *REGION_COLUMNS, *UNMYELINATED_COLUMNS)
    assert listed == [(column.name, column.unit, column.dtype, column.meaning) for column in columns]


def test_the_maps_are_listed(results: tuple[Analysis, ...]) -> None:
    maps = {str(name): values for result in results for name, values in result.maps.data_vars.items()}
    listed = rows("docs/reference/store.md", 0, 1, -1)
    units = {name: unit for name, unit, _ in listed if name in maps}
    assert units == {name: values.attrs["units"] for name, values in maps.items()}
    of_networks = set(results[1].maps) - set(results[0].maps)
    assert of_networks == {name for name, _, said in listed if name in maps and re.search("own masks|contract", said)}


def test_the_fields_of_the_record_are_listed(results: tuple[Analysis, ...]) -> None:
    listed = {row[0] for row in rows("docs/reference/store.md", 0)}
    fields = set()
    for record in (result.record for result in results):
        fields |= {name for name in record if name not in {"slide", "labels"}}
        fields |= {f"{part}.{name}" for part in ("slide", "labels") for name in record[part]}
        noted = {name for summary in record["stages"].values() for name in summary}
        fields |= {f"stages.*.{name}" for name in noted - set(record["seams"] or ())}
    assert fields == {name for name in listed if name.partition(".")[0] in results[0].record}


@pytest.mark.parametrize("page", ["README.md", "docs/reference/store.md"])
def test_what_a_store_holds_is_listed(results: tuple[Analysis, ...], page: str) -> None:
    text = (ROOT / page).read_text()
    listing = set(re.findall(r"[├└]── (?:(\S+?)/?)(?:  (?=run\.log)|\s)", text)) | {"s1", "run.log"}
    for result in results:
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
        words = shlex.split(line)[1:]
        command = next((name for n in (3, 2, 1) if (name := " ".join(words[:n])) in COMMANDS), None)
        assert command, line
        assert {word for word in words if word.startswith("--")} <= FLAGS[command] | OTHERS, line
        if command == "export" and "--format" in words:
            assert words[words.index("--format") + 1] in FORMATS


def test_results_are_read_as_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs the Python of the page from top to bottom, beside a store with regions."""
    y, x = np.mgrid[:420, :600] % 60 - 30
    radius = np.hypot(y, x)
    slide, tracts = tmp_path / "slide.png", tmp_path / "tracts.png"
    Image.fromarray(np.where(radius < 14, 255, np.where(radius < 22, 127, 0)).astype(np.uint8)).save(slide)
    Image.fromarray(np.array([[1, 2]], np.uint8)).save(tracts)
    axonflow.run(slide, labels=slide, regions=tracts, pixel_size=0.1, cell=5.0, workers=1)
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "docs/how-to/read-results.md").read_text()
    blocks = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert len(blocks) > 5
    names: dict[str, Any] = {}
    for block in blocks:
        exec(block, names)
    assert len(names["fibers"]) == 70
    assert names["density_mm2"] == pytest.approx(70 / (420 * 600 * 1e-8))
    assert names["avf"] == pytest.approx(names["shares"].compute()[2])
    assert names["fiber"].sum() == np.count_nonzero(radius[:60, :60] < 22)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)", page.read_text()):
        assert target.startswith("https://") or (page.parent / target).exists(), target
