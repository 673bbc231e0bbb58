"""How Sphinx makes the site: it runs the tutorial for its pictures and takes the commands' reference from the code.

What the tutorial makes is kept in ``_build/tutorial`` until its text changes.
"""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

import typer
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from axonflow.cli import app as commands
from axonflow.engine.profile import Profile
from axonflow.kernel.setting import Setting, settings
from axonflow.net.checkpoint import Checkpoint
from axonflow.training.recipe import Augmentation, Recipe
from axonflow.workflow.config import Config
from axonflow.workflow.sense import RULES

project = "axonflow"
author = "The axonflow authors"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = "axonflow"
autodoc_typehints = "none"  # the docstrings say them, with units
autodoc_member_order = "bysource"
myst_heading_anchors = 3
napoleon_use_ivar = True
# Links that leave docs/, to the README for instance, lead somewhere in the repository: tests/docs/test_docs.py looks.
suppress_warnings = ["myst.xref_missing"]

DOCS = Path(__file__).parent


def run_tutorial(_: Sphinx) -> None:
    """Run the blocks of the tutorial in order, as a reader would, unless that was done."""
    text = (DOCS / "tutorial" / "first-maps.md").read_text()
    blocks = re.findall(r"^```(bash|python)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    folder = DOCS / "_build" / "tutorial"
    folder.mkdir(parents=True, exist_ok=True)
    done = folder / "done"
    if done.exists() and done.read_text() == repr(blocks):
        return
    done.unlink(missing_ok=True)
    path = f'export PATH="{Path(sys.executable).parent}:$PATH"\n'
    for language, block in blocks:
        command = ["bash", "-ec", path + block] if language == "bash" else [sys.executable, "-c", block]
        subprocess.run(command, cwd=folder, check=True)
    done.write_text(repr(blocks))


def describe(group: Any, *above: str) -> Iterator[str]:
    """Yield Markdown of every command below a group: its help, what it takes, its flags."""
    for name, command in group.commands.items():
        typed = (*above, name)
        yield f"## {' '.join(typed)}\n\n{plain(inspect.cleandoc(command.help or ''))}\n"
        if hasattr(command, "commands"):
            yield from describe(command, *typed)
            continue
        rows = []
        for parameter in command.params:
            option = parameter.param_type_name == "option"
            names = [*parameter.opts, *parameter.secondary_opts] if option else [parameter.name.upper()]
            default = getattr(parameter, "default", None)
            shown = f" Default: `{default}`." if option and isinstance(default, int | float | str) and default else ""
            rows.append(f"| {', '.join(f'`{n}`' for n in names)} | {plain(parameter.help or '')}{shown} |")
        if rows:
            yield "| | |\n|---|---|\n" + "\n".join(rows) + "\n"


def plain(text: str) -> str:
    """Return help for a terminal as Markdown: the command of an example is code, nothing else is markup."""
    code = re.sub(r"\[bold\](.*?)\[/bold\]", r"`\1`", text)
    return code.replace("|", "\\|").replace("<", "\\<")


def list_settings(cls: type) -> str:
    """Return a class of settings in Markdown: a table for each topic."""
    return "\n\n".join(
        (f"**{topic}**\n\n" if topic else "") + _table(dict(known), python=cls is Config)
        for topic, known in groupby(settings(cls).items(), lambda item: item[1].topic)
    )


def _table(known: Mapping[str, Setting], *, python: bool) -> str:
    columns: dict[str, list[str]] = {}
    for key, each in known.items():
        cells = {
            "file": f"`{key}`",
            "command line": f"`{each.flag}`" if each.flag else "",
            "Python": f"`{each.argument}`" if python else "",
            "values": each.kind.form + (f"; {each.bounds}" if each.bounds else ""),
            "if left out": "required" if each.required else each.fallback,
            "decides": ", ".join(stage.replace(".", " ") for stage in each.decides),
            "what it is": each.help,
        }
        for title, cell in cells.items():
            columns.setdefault(title, []).append(cell)
    filled = {title: cells for title, cells in columns.items() if any(cells)}
    rows = zip(*filled.values(), strict=True)
    return "\n".join(f"| {' | '.join(row)} |" for row in (filled, ["---"] * len(filled), *rows))


def list_warnings() -> str:
    """Return a table of all warnings, in Markdown."""
    rows = [("warning", "when", "what to do"), ("---",) * 3]
    for rule in RULES:
        advice = f"{rule.advice} Of a network's labels: {rule.of_network}" if rule.of_network else rule.advice
        rows.append(
            (
                f"`{rule.id}`",
                rule.when,
                advice.replace("{smaller}", ", or smaller cells.").replace("{", "").replace("}", ""),
            )
        )
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


class Warnings(SphinxDirective):
    """``{warnings}``: every warning that a run may give."""

    def run(self) -> list[nodes.Node]:
        """Return the table."""
        return self.parse_text_to_nodes(list_warnings())


class Settings(SphinxDirective):
    """``{settings} NAME``: the settings of a class, by their table."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the table."""
        cls = {each.__name__: each for each in (Config, Profile, Recipe, Augmentation, Checkpoint)}[self.arguments[0]]
        return self.parse_text_to_nodes(list_settings(cls))


class Commands(SphinxDirective):
    """``{commands}``: every command of axonflow."""

    def run(self) -> list[nodes.Node]:
        """Return the sections of all commands."""
        text = "\n".join(describe(typer.main.get_command(commands), "axonflow"))
        return self.parse_text_to_nodes(text, allow_section_headings=True)


def setup(app: Sphinx) -> None:
    """Hang all of it on Sphinx."""
    app.connect("builder-inited", run_tutorial)
    app.add_directive("commands", Commands)
    app.add_directive("settings", Settings)
    app.add_directive("warnings", Warnings)
