"""Maps for a paper: figure."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from axonflow.cli.terminal import app, console, warn_unproved

__all__: list[str] = []


@app.command()
def figure(
    stores: Annotated[list[Path], typer.Argument(help="Stores of finished runs, side by side.", show_default=False)],
    maps: Annotated[
        str,
        typer.Option(
            "--maps",
            help="The maps, with commas between: diameter, density, avf, mvf, gratio or any other by its name. "
            "\\[default: the paper's six]",
            show_default=False,
        ),
    ] = "",
    width: Annotated[str, typer.Option("--width", help="Of the figure, in mm, cm or in.")] = "180mm",
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            help="Where to write, without an ending. \\[default: beside the first store]",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Draw maps for a paper, as SVG, PDF and PNG: one store, or several on the same limits.

    Example: [bold]axonflow figure C3.ome.zarr C5.ome.zarr --maps density,gratio --width 180mm[/bold]
    """
    from axonflow.errors import InputError
    from axonflow.results.analysis import open_store
    from axonflow.results.paper import cells_that_differ, draw_figure, width_in_mm

    names = [name for name in (part.strip() for part in maps.split(",")) if name]
    if maps and not names:
        raise InputError(f"Names of maps were expected for --maps, {maps!r} came; leave it out for the paper's six.")
    results = [open_store(store) for store in stores]
    if differ := cells_that_differ(results):
        console.print(differ, soft_wrap=True)
    written = draw_figure(results, names, width_in_mm(width), out)
    warn_unproved(*results)
    for path in written:
        console.print(f"written: {path}", soft_wrap=True)
