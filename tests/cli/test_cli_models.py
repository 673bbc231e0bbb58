"""The models at hand can be listed, shown and found."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from axonflow.cli import app
from axonflow.net.checkpoint import EMBEDDED, Checkpoint

NAMES = sorted(path.stem for path in EMBEDDED.glob("*.json"))


def say(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["models", *arguments])
    assert result.exit_code == 0, result.output
    return result.output


def test_all_are_listed() -> None:
    listing = say("list")
    assert NAMES
    assert all(name in listing for name in NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_one_is_shown_with_what_it_learned_from(name: str) -> None:
    shown = " ".join(say("show", name).split())
    assert Checkpoint.find(name).sha256[:12] in shown
    for subject in Checkpoint.find(name).trained_on["subjects"]:
        assert subject in shown


@pytest.mark.parametrize("name", NAMES)
def test_one_is_found_by_its_path(name: str) -> None:
    path = Path(say("path", name).strip())
    assert Checkpoint.find(path).sha256 == Checkpoint.find(name).sha256


def test_one_that_is_not_there_is_refused_with_those_that_are() -> None:
    result = CliRunner().invoke(app, ["models", "show", "human"])
    assert result.exit_code == 2
    assert "sem" in result.output
