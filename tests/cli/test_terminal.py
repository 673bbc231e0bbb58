"""Sentences are broken between words on a terminal, and are one line each anywhere else."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console
from rich.text import Text

from axonflow.cli.card import Card
from axonflow.cli.terminal import say
from axonflow.net.checkpoint import Checkpoint, embedded_models

LONG = (
    "warning few-cells: The maps have fewer than 5 whole cells: 4, with a side of 50 µm. "
    "Choose smaller ones: --cell 10."
)


class _Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("width", [40, 80, 132])
@pytest.mark.parametrize("sentence", [LONG, Text.assemble(("warning", "bold"), LONG.removeprefix("warning"))])
def test_a_terminal_breaks_between_words(sentence: str | Text, width: int) -> None:
    screen = _Screen()
    say(sentence, Console(file=screen, width=width, force_terminal=True, color_system=None))
    first, *others = screen.getvalue().splitlines()
    assert all(len(line.rstrip()) <= width for line in (first, *others))
    assert all(re.match(r" {8}\S", line) for line in others)
    assert " ".join(screen.getvalue().split()) == LONG


@pytest.mark.parametrize("forced", [False, True])
def test_a_file_gets_a_line(forced: bool) -> None:
    """Even with FORCE_COLOR, with which any file looks like a terminal."""
    file = io.StringIO()
    say(LONG, Console(file=file, width=80, force_terminal=forced, color_system=None))
    assert file.getvalue() == LONG + "\n"


@pytest.mark.parametrize("model", embedded_models())
def test_a_card_leaves_nothing_of_a_name_out(model: str) -> None:
    file, checkpoint = io.StringIO(), Checkpoint.find(model)
    Console(file=file, width=80).print(Card(checkpoint.card.read_text()))
    assert "…" not in file.getvalue()
    assert max(map(len, file.getvalue().splitlines())) <= 80
    assert checkpoint.sha256[:50] in file.getvalue()
