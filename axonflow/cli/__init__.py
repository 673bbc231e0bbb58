"""The command ``axonflow``: flags in, exit code out. All else is done elsewhere; a file here is a group of commands."""

from __future__ import annotations

from axonflow.cli import analyse as _analyse
from axonflow.cli.terminal import app

__all__ = ["app", "main"]

_GROUPS = (_analyse,)  # a group's commands are there once it is imported, in this order in the help


def main() -> None:
    """Run the command and leave with its exit code."""
    app()
