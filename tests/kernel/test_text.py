"""No cell of a table runs anything in a spreadsheet, and every text is read back as it was."""

from __future__ import annotations

import ast
import csv
import io
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from axonflow.fiber.columns import for_csv
from axonflow.kernel.text import from_cell, to_cell

PACKAGE = Path(__file__).parents[2] / "axonflow"
FORMULAS = ["=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(1)", "\t=1", "'=1", "''-a"]
texts = st.text(st.sampled_from("'=+-@\t\ra1 é,\n\""), max_size=6) | st.text(max_size=6)


@given(texts)
def test_every_text_comes_back_and_none_begins_a_formula(text: str) -> None:
    cell = to_cell(text)
    assert from_cell(cell) == text
    assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))


@given(texts)
def test_what_is_no_formula_is_left_as_it_is(text: str) -> None:
    if not text.lstrip("'").startswith(("=", "+", "-", "@", "\t", "\r")):
        assert to_cell(text) == from_cell(text) == text


@pytest.mark.parametrize("dtype", ["object", "string", "category"])
def test_a_table_keeps_all_but_such_text(dtype: str) -> None:
    names = pd.Series(["plain", None, *FORMULAS], dtype=dtype)
    numbers = pd.Series([-1.5, float("nan"), *range(-7, 0)])
    table = pd.DataFrame(
        {"name": names, "n": numbers, "whole": pd.array([1, None, *range(7)], "Int64"), "yes": numbers > 0}
    )
    content = for_csv(table).to_csv(index=False)
    rows = list(csv.DictReader(io.StringIO(content, newline="")))
    assert [from_cell(row["name"]) for row in rows] == ["plain", "", *FORMULAS]
    assert [row["name"] for row in rows][2:] == [f"'{text}" for text in FORMULAS]
    assert rows[0]["n"] == "-1.5"
    pd.testing.assert_frame_equal(table[["n", "whole", "yes"]], for_csv(table)[["n", "whole", "yes"]])


def test_the_names_of_columns_are_no_formulas_either() -> None:
    table = pd.DataFrame({name: [1.0] for name in ["plain", *FORMULAS]})
    written = next(csv.reader(io.StringIO(for_csv(table).to_csv(index=False), newline="")))
    assert written == ["plain", *(f"'{text}" for text in FORMULAS)]
    assert [from_cell(name) for name in written] == list(table)


def test_every_csv_file_is_written_so() -> None:
    """Whoever writes one asks for it: of a DataFrame by for_csv, of rows by to_cell."""
    writers = {}
    for path in PACKAGE.rglob("*.py"):
        text = path.read_text()
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                if node.func.attr == "to_csv":
                    of = node.func.value
                    safe = isinstance(of, ast.Call) and isinstance(of.func, ast.Name) and of.func.id == "for_csv"
                    writers[f"{path.name}:{node.lineno}"] = safe
                elif node.func.attr in {"DictWriter", "writer"}:
                    writers[f"{path.name}:{node.lineno}"] = "to_cell(" in text
    assert len(writers) >= 6
    assert [place.partition(":")[0] for place, safe in writers.items() if not safe] == [
        "table.py"
    ]  # AxonDeepSeg's: numbers alone
