"""The application every command hangs on, and how it ends: a message and an exit code, never a traceback.

Exit codes: 0 done, 1 failed on the way, 2 refused, 130 interrupted; after 1 and 130 the same command continues.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterable
from importlib.metadata import version
from typing import TYPE_CHECKING, Annotated, Any

import typer
import typer.core
from rich.console import Console
from rich.table import Table
from rich.text import Text

from axonflow.cli.interrupt import Interrupts
from axonflow.errors import AxonflowError, InputError
from axonflow.kernel.caches import prepare_caches
from axonflow.kernel.lock import do_without_hdf5_locks
from axonflow.kernel.refused import refused

if TYPE_CHECKING:
    from axonflow.results.analysis import Analysis
    from axonflow.workflow.sense import Given

__all__ = ["app", "console", "listing", "replace_what_cannot_be_shown", "say", "warn", "warn_unproved"]


class _ExitCodes(typer.core.TyperGroup):
    """Turns what a command raises into a message and an exit code; wrong usage is click's own, 2."""

    def invoke(self, ctx: Any) -> object:
        prepare_caches()
        do_without_hdf5_locks()
        try:
            with Interrupts():
                return super().invoke(ctx)
        except AxonflowError as error:
            say(Text.assemble(("axonflow:", "bold red"), f" {error}"), errors)
            sys.exit(2 if isinstance(error, InputError) else 1)
        except BrokenPipeError:
            raise  # whoever read what is printed has left; click knows
        except OSError as error:
            say(Text.assemble(("axonflow:", "bold red"), f" {refused(error, self._flag(ctx))}."), errors)
            sys.exit(1)
        except KeyboardInterrupt:
            errors.print("axonflow: interrupted; run the same command again to continue.")
            sys.exit(130)

    def _flag(self, ctx: Any) -> str:
        """Return the flag by which the command that was called takes another place to write to, if it has one."""
        command = self.commands.get(ctx.invoked_subcommand or "")
        return "--out" if command is not None and any("--out" in option.opts for option in command.params) else ""


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"axonflow {version('axonflow-histology')}")
        raise typer.Exit


app = typer.Typer(
    name="axonflow",
    cls=_ExitCodes,
    help="Whole-slide axon and myelin analysis: from a gigapixel slide to 50 × 50 µm maps.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
# What is printed holds names of files, in which brackets and colons are no markup.
console = Console(markup=False, emoji=False)
errors = Console(stderr=True, markup=False, emoji=False)


def listing(*columns: str, show_header: bool = True) -> Table:
    """Return an empty table of these columns, which fits 80 columns: what is too long goes on in the next line.

    Nothing of a cell is left out. The first column holds names; all others are as wide as they need, if there is room.
    """
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), show_header=show_header)
    for i, column in enumerate(columns):
        table.add_column(column, overflow="fold", min_width=8 if i == 0 and len(columns) > 2 else None)
    return table


def replace_what_cannot_be_shown() -> None:
    """Have a terminal that knows fewer characters show another in their place; a file's name may hold any byte."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def say(sentence: str | Text, console: Console = console, indent: int = 8) -> None:
    """Print a sentence: broken between words where a terminal's line ends, and a line as it is anywhere else.

    Parameters
    ----------
    sentence : str or Text
    console : rich.console.Console
    indent : int
        Columns by which all lines but the first are indented.
    """
    # With FORCE_COLOR rich takes any file for a terminal; who reads a file looks for whole lines.
    if not (console.is_terminal and console.file.isatty()):
        console.print(sentence, highlight=False, soft_wrap=True)
        return
    text = Text(sentence) if isinstance(sentence, str) else sentence
    for k, line in enumerate(text.wrap(console, max(console.width - indent, 20))):
        console.print(Text(" " * indent if k else "") + line, highlight=False, soft_wrap=True)


def warn(warnings: Iterable[Given]) -> None:
    """Print what does not look right."""
    for given in warnings:
        say(Text.assemble(("warning", "bold yellow"), f" {given.id}: {given.message}"))


def warn_unproved(*results: Analysis) -> None:
    """Print of which stores nothing tells whether they are as they were written."""
    for result in results:
        if len(results) > 1 and result.unproved:
            say(f"of {result.store}:")
        warn(result.unproved)


@app.callback()
def _options(
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """Whole-slide axon and myelin analysis: from a gigapixel slide to 50 × 50 µm maps."""
