"""The page of performance says what was measured."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT))  # benchmarks/ is no part of the package


def test_the_page_is_made_of_the_results() -> None:
    from benchmarks.page import PAGE, page, results

    assert PAGE.read_text(encoding="utf-8") == page(results()), "run: python -m benchmarks.page"


@pytest.mark.parametrize(
    ("value", "written"),
    [(0, "0"), (0.1234, "0.123"), (2.5e-5, "2.5e-05"), (98.76, "98.8"), (1234.5, "1,234"), (-38.51, "-38.5")],
)
def test_numbers_keep_three_digits(value: float, written: str) -> None:
    from benchmarks.page import figure

    assert figure(value) == written
