"""A result as a file of another format: export."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from axonflow.cli.terminal import app, console, say, warn_unproved

__all__: list[str] = []


@app.command()
def export(
    store: Annotated[Path, typer.Argument(help="The store of a finished run.", show_default=False)],
    format_: Annotated[
        str,
        typer.Option(
            "--format",
            help="ads-csv, ads-mask, anndata, csv, geojson, netcdf, parquet, png, regions-csv, roi, spatialdata, svg "
            "or xlsx.",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path | None, typer.Option("--out", help="The file, or folder, to write.", show_default=False)
    ] = None,
    unmyelinated: Annotated[
        bool,
        typer.Option("--unmyelinated", help="AxonDeepSeg's table (ads-csv) or mask (ads-mask) of unmyelinated axons."),
    ] = False,
) -> None:
    """Write a result as a file of another format.

    Example: [bold]axonflow export slide.ome.zarr --format ads-csv[/bold]
    """
    from axonflow.results.analysis import open_store
    from axonflow.results.export import export_store, notes

    result = open_store(store)
    written = export_store(result, format_, out, unmyelinated=unmyelinated)
    warn_unproved(result)
    console.print(f"written: {written}", soft_wrap=True)
    for note in notes(result, format_, unmyelinated=unmyelinated):
        say(note)
