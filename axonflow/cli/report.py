"""The command that writes the report of a store, or of a batch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from axonflow.cli.terminal import app, console, warn_unproved

__all__: list[str] = []


@app.command()
def report(
    result: Annotated[
        Path, typer.Argument(help="The store of a finished run, or the folder of a batch.", show_default=False)
    ],
) -> None:
    """Write the report of a result once more: one HTML file that opens anywhere, and its figures at print size.

    Example: [bold]axonflow report slide.ome.zarr[/bold]
    """
    from axonflow.results.analysis import open_store
    from axonflow.results.figure_process import FigureProcess
    from axonflow.results.report import write_batch_report, write_report

    if (result / "run.json").exists():
        with FigureProcess() as process:
            written = write_report(opened := open_store(result), process)
        warn_unproved(opened)
    else:
        written = write_batch_report(result)
    console.print(f"report  {written}", soft_wrap=True)
