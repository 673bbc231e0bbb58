"""Every table of every command fits 80 columns, and leaves nothing of a name out."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console
from rich.table import Table
from slides import command

from axonflow.cli import astih, batch, evaluate
from axonflow.cli.terminal import listing
from axonflow.results.summary import COLUMNS

LONG = "sub-rat7_sample-Maxo03img60_a-name-that-says-everything-there-is-to-say_SEM"
PACKAGE = Path(__file__).parents[2] / "axonflow"


def lines_of(table: Table) -> list[str]:
    file = io.StringIO()
    Console(file=file, width=80).print(table)
    return file.getvalue().splitlines()


def column(lines: list[str]) -> str:
    """Return what stands in the first column, put together."""
    return "".join(re.match(r"\S*", line)[0] for line in lines)  # type: ignore[index]


def fits(lines: list[str]) -> bool:
    return all(len(line) <= 80 for line in lines) and not any("…" in line for line in lines)


@pytest.mark.parametrize("columns", range(1, 10))
def test_a_long_name_goes_on_in_the_next_line(columns: int) -> None:
    table = listing("name", *(f"column {k}" for k in range(columns)))
    table.add_row(LONG, *("1,234.5" for _ in range(columns)))
    lines = lines_of(table)
    assert fits(lines)
    assert LONG in column(lines[1:]).replace("name", "") or LONG in "".join(line[:80].split(" ")[0] for line in lines)
    assert sum(line.count("1,234.5") for line in lines) == columns


@pytest.mark.parametrize("level", ["", "thoracic 4"])
def test_a_batch_fits(level: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    file = io.StringIO()
    monkeypatch.setattr(batch, "console", Console(file=file, width=80))
    done: dict[str, object] = {c.name: 12.345 if c.dtype != "str" else "" for c in COLUMNS}
    done |= {"axon_count": 1_234_568, "axon_density (mm^-2)": 1_234_568.4}
    row = done | {"slide": f"/data/{LONG}.tif", "level": level, "state": "done"}
    batch._show(pd.DataFrame([row, row | {"state": "failed"}]))
    lines = file.getvalue().splitlines()
    assert fits(lines)
    assert f"{LONG}.tif" in "".join(line.split(" ")[0] for line in lines)
    assert "1,234,568" in file.getvalue()


def test_an_evaluation_fits() -> None:
    for shown in evaluate._SHOWN:
        row = {"image": LONG, "subject": "sub-rat7"} | dict.fromkeys(shown, -12.3456)
        lines = lines_of(evaluate._table(pd.DataFrame([row]), shown, set()))
        assert fits(lines)
        assert LONG in "".join(line.split(" ")[0] for line in lines)


def test_the_scores_of_a_set_fit() -> None:
    frame = pd.DataFrame([{"image": LONG} | {f"measure_{k}": 0.12345 for k in range(7)}])
    lines = lines_of(astih._drawn(frame, "pixels"))
    assert fits(lines)
    assert LONG in "".join(line.split(" ")[0] for line in lines)


@pytest.mark.parametrize(
    "words",
    [("astih", "list"), ("astih", "models"), ("models", "list"), ("cluster", "list"), ("doctor",)],
    ids=" ".join,
)
def test_a_command_that_needs_nothing_fits(words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    ran = command(*words)
    sentences = r"https://|next |shipped |own |\w+ was trained on "
    table = [line for line in ran.out.splitlines() if not re.match(sentences, line)]
    assert ran.code == 0
    assert fits(table)


def test_no_command_makes_a_table_of_another_kind() -> None:
    for path in (PACKAGE / "cli").glob("*.py"):
        made = re.findall(r"\bTable(?:\.grid)?\(", path.read_text())
        assert len(made) == {"terminal.py": 1, "status.py": 1}.get(path.name, 0), path  # a store's own rows fold, too
