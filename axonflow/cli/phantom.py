"""A synthetic slide whose truth is known: phantom."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from axonflow.cli.terminal import app, console

__all__: list[str] = []


@app.command()
def phantom(
    out: Annotated[Path, typer.Argument(help="The TIFF file to write.", show_default=False)],
    size: Annotated[int, typer.Option("--size", help="Side, px.", min=1)] = 20_000,
    seed: Annotated[int, typer.Option("--seed", help="Another seed draws another slide.")] = 0,
    truth: Annotated[Path | None, typer.Option("--truth", help="A folder for the true masks, axons and maps.")] = None,
) -> None:
    """Draw a synthetic slide whose truth is known.

    Example: [bold]axonflow phantom phantom.tif --size 4000 --truth truth[/bold]
    """
    from rich.progress import Progress

    from axonflow.phantom import Phantom, write

    with Progress(console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("drawing")
        write(
            out,
            Phantom(shape=(size, size), seed=seed),
            truth,
            progress=lambda done, total: progress.update(task, completed=done, total=total),
        )
    console.print(f"written: {out}" + (f", with its truth in {truth}" if truth else ""), soft_wrap=True)
