"""The command that prints what :mod:`axonflow.cli.diagnosis` finds: doctor."""

from __future__ import annotations

from rich.text import Text

from axonflow.cli.terminal import app, console, listing

__all__: list[str] = []


@app.command()
def doctor() -> None:
    """Say what this machine can do, and what to install for what is missing.

    Example: [bold]axonflow doctor[/bold]
    """
    from axonflow.cli.diagnosis import diagnose

    table = listing("part", "found")
    last = ""
    with console.status("looking around"):  # draws on a terminal alone
        for finding in diagnose():
            said = Text(finding.found)
            if finding.advice:
                said.append(f"\n→ {finding.advice}", "yellow")
            table.add_row(Text("" if finding.part == last else finding.part, "bold"), said)
            last = finding.part
    console.print(table)
