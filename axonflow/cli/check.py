"""Proving a store: ``axonflow check``."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TransferSpeedColumn

from axonflow.cli.terminal import app, console
from axonflow.kernel.words import listed

__all__: list[str] = []

_SHOWN = 20
"""Damaged files that are printed one by one."""


@app.command()
def check(
    stores: Annotated[
        list[Path],
        typer.Argument(help="Stores of runs, or the folder of a batch.", show_default=False),
    ],
    quick: Annotated[
        bool, typer.Option("--quick", help="Look at presence and size of the pixels' files, not at what is in them.")
    ] = False,
) -> None:
    """Prove that a store holds what its run wrote; exit code 1 if it does not. Nothing is changed.

    Example: [bold]axonflow check slide.ome.zarr[/bold]
    """
    every = list({store.resolve(): store for path in stores for store in _stores_of(path)}.values())
    unsound = [store for store in every if not _is_sound(store, quick=quick, alone=len(every) == 1)]
    if len(every) > 1:
        gone = f": {listed(*unsound)}" if unsound else ""
        _say(
            f"{len(every) - len(unsound)} of {len(every)} stores are as their runs wrote them, {len(unsound)} not{gone}"
        )
    if unsound:
        raise typer.Exit(1)


def _stores_of(path: Path) -> list[Path]:
    """Return the stores in the folder of a batch; of anything else, itself."""
    if _is_store(path):
        return [path]
    return sorted(filter(_is_store, path.glob("*/"))) or [path]


def _is_store(path: Path) -> bool:
    return (path / "run.json").exists() or (path / ".axonflow" / "journal").exists()


def _is_sound(store: Path, *, quick: bool, alone: bool) -> bool:
    """Check a store and print what was found."""
    from axonflow.errors import StoreError
    from axonflow.results.check import check as check_store
    from axonflow.results.check import rests_on

    with _bar() as bar:
        task = TaskID(0) if bar is None else bar.add_task("check", total=None)

        def progress(done: int, total: int) -> None:
            if bar is not None:
                bar.update(task, completed=done, total=total)

        try:
            checked = check_store(store, quick=quick, progress=progress)
        except StoreError as error:
            if alone:
                raise
            _say(f"wrong    {error}")
            return False
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
    if checked.sound and alone:
        _say("all is as the run wrote it")
    if proof.damages:
        _say("next     the same axonflow run again makes anew what is damaged, and nothing else")
    return checked.sound


def _say(text: str) -> None:
    console.print(text, highlight=False, markup=False, soft_wrap=True)


def _bar() -> AbstractContextManager[Progress | None]:
    """Show progress on a terminal; elsewhere nothing moves."""
    if not console.is_terminal:
        return nullcontext()
    columns: tuple[Any, ...] = (TextColumn("check"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    return Progress(*columns, console=console, transient=True)
