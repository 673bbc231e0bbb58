"""Proving a store: ``axonflow check``."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TransferSpeedColumn

from axonflow.cli.terminal import app, console

__all__: list[str] = []

_SHOWN = 20
"""Damaged files that are printed one by one."""


@app.command()
def check(
    store: Annotated[Path, typer.Argument(help="The store of a run.", show_default=False)],
    quick: Annotated[
        bool, typer.Option("--quick", help="Look at presence and size of the pixels' files, not at what is in them.")
    ] = False,
) -> None:
    """Prove that a store holds what its run wrote; exit code 1 if it does not. Nothing is changed.

    Example: [bold]axonflow check slide.ome.zarr[/bold]
    """
    from axonflow.results.check import check as check_store
    from axonflow.results.check import rests_on

    with _bar() as bar:
        task = TaskID(0) if bar is None else bar.add_task("check", total=None)

        def progress(done: int, total: int) -> None:
            if bar is not None:
                bar.update(task, completed=done, total=total)

        checked = check_store(store, quick=quick, progress=progress)
    proof = checked.proof
    for damage in proof.damages[:_SHOWN]:
        rests = rests_on(damage)
        _say(f"damaged  {damage.path.relative_to(store)} {damage.what}" + (f" (made of it: {rests})" if rests else ""))
    if len(proof.damages) > _SHOWN:
        _say(f"         and {len(proof.damages) - _SHOWN:,} more")
    for stage in sorted(set(proof.unproved)):
        _say(f"unproved {stage}: made before checksums were kept")
    if not checked.complete:
        _say("open     the run has not ended; the same command completes it")
    for fault in checked.faults:
        _say(f"wrong    {fault}")
    looked = "their presence and size" if quick else "every byte"
    _say(f"checked  {store}: {proof.files:,} files, {proof.size / 1e6:,.1f} MB, {looked}")
    if not checked.sound:
        if proof.damages:
            _say("next     the same axonflow run again makes anew what is damaged, and nothing else")
        raise typer.Exit(1)
    _say("all is as the run wrote it")


def _say(text: str) -> None:
    console.print(text, highlight=False, markup=False, soft_wrap=True)


def _bar() -> AbstractContextManager[Progress | None]:
    """Show progress on a terminal; elsewhere nothing moves."""
    if not console.is_terminal:
        return nullcontext()
    columns: tuple[Any, ...] = (TextColumn("check"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    return Progress(*columns, console=console, transient=True)
