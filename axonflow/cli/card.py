"""A model's card on a terminal: what it says in short, and the whole of it, at any width."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.markdown import Markdown, MarkdownElement, TableElement
from rich.table import Table
from rich.text import Text

from axonflow.cli.terminal import listing

if TYPE_CHECKING:
    from axonflow.net.checkpoint import Checkpoint
    from axonflow.net.judged import Judged

__all__ = ["Card", "summary"]

SHORT = 5
"""Letters of a name that is never replaced by a number."""

WIDEST = 100
"""Columns of a terminal that a summary fills at most; longer lines are hard to read."""


def summary(model: Checkpoint, network: str, pixel_size: str) -> Iterator[RenderableType]:
    """Yield what a model is, what it learned from, and the numbers of its card in two short tables.

    Parameters
    ----------
    model : Checkpoint
    network, pixel_size : str
        In words.
    """
    from axonflow.net.judged import read_judged

    learned = model.trained_on
    facts = {
        "network": network,
        "pixel size": pixel_size,
        "smallest axon": f"{model.smallest_axon_um2:g} µm²",
        "classes": ", ".join(each.name for each in model.classes),
        "learned from": str(learned.get("data", "unknown")),
        "subjects": ", ".join(learned.get("subjects", ())),
        "computes in": "whole numbers (int8) on processors, float16 on GPUs" if model.integers else "",
        "sha256": f"{model.sha256[:16]}…",
    }
    about = listing("", "", show_header=False)
    about.columns[0].style, about.columns[0].no_wrap, about.columns[1].max_width = "bold", True, WIDEST
    about.add_row("model", model.name)
    for name, said in facts.items():
        if said:
            about.add_row(name, said)
    if notice := learned.get("notice"):
        about.add_row("notice", str(notice))
    yield about
    yield ""
    judged = read_judged(model.folder / model.name, model.sha256)
    if judged is not None:
        yield Text(f"Judged: {judged.who} ({judged.on}).")
        yield ""
        yield from _judged(judged)


def _judged(judged: Judged) -> Iterator[RenderableType]:
    """Yield the scores, and how far off the numbers of the maps were."""
    from axonflow.net.judged import QUANTITIES, SCORES

    for head, ends, rows in (
        (
            "score, 1 is best",
            ("mean", "worst subject"),
            [(SCORES[name], *(f"{value:.3f}" for value in values)) for name, values in judged.scores.items()],
        ),
        (
            "size of the error",
            ("mean", "worst subject"),
            [(QUANTITIES[name][0], *(f"{value:.1%}" for value in values)) for name, values in judged.errors.items()],
        ),
    ):
        table = listing(f"{head:<30}", *ends)
        for column in table.columns[1:]:
            column.justify = "right"
        for row in rows:
            table.add_row(*row)
        yield table
        yield ""


class _WholeTable(TableElement):
    """A table in which what is too long goes on in the next line; Rich's own ends it with an ellipsis.

    Where the names in front would be cut into pieces they are numbers, which are explained below.
    """

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for part in super().__rich_console__(console, options):
            if not isinstance(part, Table):
                yield part
                continue
            for column in part.columns:
                column.overflow = "fold"
            names = [str(cell) for cell in part.columns[0].cells] if len(part.columns) > 2 else []
            if not names or part.__rich_measure__(console, options.update(width=10_000)).maximum <= options.max_width:
                yield part
                continue
            part.box, part.padding, part.pad_edge = None, (0, 1, 0, 0), False
            short = [name if len(name) <= SHORT else str(i) for i, name in enumerate(names, 1)]
            part.columns[0]._cells = [*short]
            words = [" ".join(map(str, [each.header, *each.cells])).split() for each in part.columns]
            longest = [max(map(len, each), default=1) for each in words]
            if sum(longest) + len(longest) <= options.max_width:  # then no word is cut into pieces
                for column, letters in zip(part.columns, longest, strict=True):
                    column.width = letters
            yield part
            yield from (Text(f"{each:>5} {name}") for each, name in zip(short, names, strict=True) if each != name)
            yield Text("")


class Card(Markdown):
    """Markdown for a terminal of any width."""

    elements: ClassVar[dict[str, type[MarkdownElement]]] = {**Markdown.elements, "table_open": _WholeTable}
