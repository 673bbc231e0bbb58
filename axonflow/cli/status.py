"""The progress of runs, from anywhere the store can be read: ``axonflow status``."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Column, Table
from rich.text import Text

from axonflow.cli.terminal import app, console, listing
from axonflow.errors import StoreError

if TYPE_CHECKING:
    from axonflow.workflow.status import Status

__all__: list[str] = []

_COLOURS = {
    "queued": "yellow",
    "running": "cyan",
    "stopped": "yellow",
    "failed": "bold red",
    "unreadable": "bold red",
    "done": "green",
}
_WIDE = 100
"""Columns of a terminal from which on all is shown."""


@app.command()
def status(
    paths: Annotated[
        list[Path],
        typer.Argument(help="A store, several, or a folder with stores.", show_default=False),
    ],
) -> None:
    """Print the progress of runs, from the files of their stores; the driver may be on another machine.

    Example: [bold]axonflow status slide.ome.zarr[/bold]
    """
    from axonflow.workflow.leftovers import remove_left_certificates
    from axonflow.workflow.status import Status, read_status, stores

    if len(paths) == 1 and next(stores(paths[0]), None) == paths[0]:
        remove_left_certificates(paths[0])
        _print_rows(paths[0], read_status(paths[0]))
        return
    found: dict[Path, Status] = {}
    for path in paths:
        here: dict[Path, Status] = {}
        for store in stores(path):
            try:
                here[store] = read_status(store)
            except StoreError as error:  # of one, which hides no other
                here[store] = Status(state="unreadable", error=str(error))
            remove_left_certificates(store)
        if not here:
            raise StoreError(
                f"A store, or a folder with stores, was expected at {path}, none is there; give the .ome.zarr folder "
                "that 'axonflow run' writes, or one that holds several."
            )
        found |= here
    _print_table(_names(found), found)


def _names(found: Iterable[Path]) -> dict[Path, str]:
    """Return what to call each store: its path below the folder that holds all, which says nothing new."""
    found = [*found]
    top = Path(os.path.commonpath([store.absolute().parent for store in found]))
    return {store: str(store.absolute().relative_to(top)).removesuffix(".ome.zarr") for store in found}


def _print_rows(store: Path, status: Status) -> None:
    """Print all of one store: on a terminal under one another and indented, elsewhere a line each."""
    rows = [("store", Text(str(store))), ("state", _state(status))]
    rows += [(name, Text(value)) for name, value in _details(status) if value]
    if not console.is_terminal:
        for name, value in rows:
            console.print(f"{name:<9}{value}", highlight=False, markup=False, soft_wrap=True)
        return
    table = Table.grid(Column(style="bold", min_width=8), Column(overflow="fold"), padding=(0, 1, 0, 0))
    for row in rows:
        table.add_row(*row)
    console.print(table)


def _details(status: Status) -> Iterator[tuple[str, str]]:
    from axonflow.kernel.rate import duration, rate
    from axonflow.stages.titles import stage_title

    running = status.state == "running"
    if status.state not in {"done", "queued"}:
        yield "stage", f"{stage_title(status.stage) or 'none yet'}{_percent(', {}', status.share)}"
        yield "run", _percent("{} of the pixels of all stages", status.all_share)
    if running:
        yield "rate", rate(status.rate_px_s) if status.rate_px_s else ""
        yield "left", f"{duration(status.remaining_s)} of this stage" if status.remaining_s is not None else ""
        yield "workers", "" if status.workers is None else str(status.workers or "none")
    yield "note", status.note if running or status.state in {"queued", "done"} else ""
    process = f"process {status.pid} on {status.host}" if status.pid else status.host and f"submitted on {status.host}"
    yield "driver", ", ".join(part for part in (process, status.job and f"job {status.job}") if part)
    yield "since", _local(status.started)
    if not running:
        yield "until", _local(status.updated)
    yield "error", status.error
    yield "log", status.log
    if status.state in {"stopped", "failed"}:
        yield "next", "the same command again; it continues"


def _print_table(names: dict[Path, str], found: dict[Path, Status]) -> None:
    """Print a row for each store and, under them, what is to be read."""
    from axonflow.kernel.rate import duration, rate
    from axonflow.stages.titles import stage_title

    wide = console.width >= _WIDE
    columns = ["stage", "run", *(["rate"] if wide else []), "left", *(["workers", "driver"] if wide else [])]
    table = listing("store", "state", *columns)
    for store, status in found.items():
        running = status.state == "running"
        cells = {
            "stage": "" if status.state == "done" else stage_title(status.stage) + _percent(" {}", status.share),
            "run": "" if status.state == "done" else _percent("{}", status.all_share),
            "rate": rate(status.rate_px_s) if running and status.rate_px_s else "",
            "left": duration(status.remaining_s) if running and status.remaining_s is not None else "",
            "workers": str(status.workers) if running and status.workers is not None else "",
            "driver": status.job or status.host,
        }
        table.add_row(Text(names[store]), _state(status), *(Text(cells[column]) for column in columns))
    console.print(table, "")
    for store, status in found.items():
        if said := status.error or status.note:
            line = Text.assemble((names[store], _COLOURS[status.state]), f": {said}")
            console.print(line, soft_wrap=not console.is_terminal)
    counts = {state: sum(status.state == state for status in found.values()) for state in _COLOURS}
    console.print(", ".join(f"{count} {state}" for state, count in counts.items() if count), highlight=False)


def _state(status: Status) -> Text:
    return Text(status.state, _COLOURS[status.state])


def _percent(form: str, share: float | None) -> str:
    return "" if share is None else form.format(f"{100 * share:.0f} %")


def _local(moment: str) -> str:
    """Say a moment in the time of this place, and how long ago it is."""
    from axonflow.kernel.rate import duration

    try:
        then = datetime.fromisoformat(moment).astimezone()
    except ValueError:
        return moment
    ago = (datetime.now(UTC) - then).total_seconds()
    return f"{then:%Y-%m-%d %H:%M:%S}" + (f", {duration(ago)} ago" if ago >= 0 else "")
