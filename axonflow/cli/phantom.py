"""A synthetic slide whose truth is known: phantom."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from axonflow.cli.terminal import app, console

__all__: list[str] = []


class Look(StrEnum):
    """What is drawn."""

    cord = "cord"
    grid = "grid"


@app.command()
def phantom(
    out: Annotated[Path, typer.Argument(help="The TIFF file to write.", show_default=False)],
    size: Annotated[
        int, typer.Option("--size", help="Width, px. A cord's slide is four fifths as high, a grid's as high.", min=1)
    ] = 20_000,
    seed: Annotated[int, typer.Option("--seed", help="Another seed draws another slide.")] = 0,
    look: Annotated[
        Look,
        typer.Option("--look", help="A rat's cervical cord, or a grid of ellipses for simple arithmetic."),
    ] = Look.cord,
    truth: Annotated[
        Path | None, typer.Option("--truth", help="A folder for the true masks, axons, maps and outlines of tracts.")
    ] = None,
) -> None:
    """Draw a synthetic slide whose truth is known: the cross-section of a rat's cervical cord, as large as the slide.

    Example: [bold]axonflow phantom phantom.tif --size 6000 --truth truth[/bold]
    """
    from rich.progress import Progress

    from axonflow.phantom import Cord, Phantom, write

    drawn = Cord((round(0.8 * size) or 1, size), seed) if look is Look.cord else Phantom((size, size), seed)

    with Progress(console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("drawing")
        write(
            out,
            drawn,
            truth,
            progress=lambda done, total: progress.update(task, completed=done, total=total),
        )
    console.print(f"written: {out}" + (f", with its truth in {truth}" if truth else ""), soft_wrap=True)
