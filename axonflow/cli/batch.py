"""Many slides at once: batch."""

from __future__ import annotations

from contextlib import nullcontext
from functools import partial
from itertools import count as numbered
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from axonflow.cli.introduction import found_by
from axonflow.cli.options import ENGINE, SETTINGS, profile_of, settings_of, takes
from axonflow.cli.terminal import app, console, listing, say
from axonflow.kernel.memory import give_back
from axonflow.kernel.words import count

if TYPE_CHECKING:
    import pandas as pd

    from axonflow.engine.events import Event
    from axonflow.results.summary import Numbers
    from axonflow.workflow.batch import SlideEvent
    from axonflow.workflow.job import Job

__all__: list[str] = []

_FOR_ALL = {name: kind for name, kind in SETTINGS.items() if name != "out"}
"""What holds for all slides; each has a store of its own."""

_SHOWN = {
    "axon_count": ("axons", "{:,}"),
    "axon_density (mm^-2)": ("per mm²", "{:,.0f}"),
    "avf": ("AVF", "{:.3f}"),
    "mvf": ("MVF", "{:.3f}"),
    "gratio_aggregate": ("g-ratio", "{:.3f}"),
    "axon_diam_mean (um)": ("mean\nµm", "{:.2f}"),
    "axon_diam_p50 (um)": ("median\nµm", "{:.2f}"),
    "axon_diam_p95 (um)": ("p95\nµm", "{:.2f}"),
}
"""The columns of the summary that a terminal has room for."""

_EXPLAINED = "per mm²: axons; µm: their diameter, p95 its 95th percentile; g-ratio: aggregate"

_FAILED = Text("failed", "bold red")


@app.command()
@takes(_FOR_ALL, ENGINE)
def batch(
    slides: Annotated[
        list[str], typer.Argument(help="A manifest (CSV), or slides and quoted patterns.", show_default=False)
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Folder of stores and summary. \\[default: the manifest without .csv, or batch]"),
    ] = None,
    **given: Any,
) -> None:
    """Analyse many slides on one pool of workers; one that fails stops none of the others.

    Example: [bold]axonflow batch cords.csv --pipeline rat-cord-sem[/bold]
    """
    from axonflow.cli.interrupt import Interrupts
    from axonflow.cli.progress import Bars
    from axonflow.engine.fleet import open_pool
    from axonflow.engine.pool import LocalPool
    from axonflow.results.analysis import open_store
    from axonflow.results.figure_process import FigureProcess
    from axonflow.results.report import keep_report
    from axonflow.results.summary import check_further, slide_numbers, summarise, write_results
    from axonflow.workflow.batch import SlideBegun, SlideDone, SlideFailed, open_batch, run_batch
    from axonflow.workflow.hardware import precisions_of_workers
    from axonflow.workflow.job import with_workers
    from axonflow.workflow.manifest import list_slides, read_manifest

    manifest = Path(slides[0]) if len(slides) == 1 and slides[0].lower().endswith(".csv") else None
    listed = read_manifest(manifest) if manifest else list_slides(slides)
    check_further(listed)
    folder = out or (manifest.with_suffix("") if manifest else Path("batch"))
    if listed and listed[0].further:
        _say("carried along", ", ".join(listed[0].further))
    profile = profile_of(given)
    entries = open_batch(
        listed, settings_of(given), folder, partial(precisions_of_workers, profile), fresh=given["fresh"]
    )
    waiting = [entry.job for entry in entries if entry.job and (given["fresh"] or not entry.complete)]
    private = folder / ".axonflow"
    private.mkdir(parents=True, exist_ok=True)
    if waiting:
        profile = max((with_workers(profile, job.layout) for job in waiting), key=lambda sized: sized.workers or 0)
    ready, numbers = sum(entry.job is not None for entry in entries), numbered(1)
    with (
        Interrupts() as interrupts,
        Bars(console) as bars,
        FigureProcess(alone=profile_of(given).workers == 1) as process,
        open_pool(profile, private) if waiting else nullcontext(LocalPool()) as pool,
    ):

        def show(event: Event | SlideEvent) -> None:
            match event:
                case SlideBegun(entry):
                    bars.clear()
                    _say(f"slide {next(numbers)} of {ready}", _name(entry.listed.level, entry.listed.name))
                    if entry.job is not None:
                        say(found_by(entry.job))
                case SlideFailed(entry, reason):
                    _say(_FAILED, _name(entry.listed.level, entry.listed.name), reason)
                case SlideDone():
                    pass
                case _:
                    bars.show(event)

        def describe(job: Job) -> Numbers:
            keep_report(open_store(job.config.out), process, bars.drawing())
            give_back()  # what the figures took, before the next slide is read
            return slide_numbers(job)

        table = summarise(run_batch(entries, pool, profile, interrupts.before(show), describe, fresh=given["fresh"]))
    written = write_results(table, folder)
    _show(table)
    if (done := table["state"] == "done").any():
        _say("stores", ", ".join(map(str, table["store"][done])))
    for path in written:
        _say("written", str(path))
    if failed := int((table["state"] == "failed").sum()):
        _say(_FAILED, f"{failed} of {count(len(table), 'slide')}; run again, and only these are tried")
        raise typer.Exit(1)


def _show(table: pd.DataFrame) -> None:
    """Print what came of each slide."""
    shown = listing("slide", *(title for title, _ in _SHOWN.values()))
    for row in table.to_dict("records"):
        if row["state"] == "failed":
            numbers = [Text("failed", "red")]
        else:
            numbers = [Text(form.format(row[name]).replace("nan", "–")) for name, (_, form) in _SHOWN.items()]
        name = Path(row["slide"]).name
        shown.add_row(Text(f"{row['level']}\n{name}" if row["level"] else name), *numbers)
    console.print(shown)
    if (table["state"] == "done").any():
        console.print(_EXPLAINED, style="dim", soft_wrap=True)
    for row in table.to_dict("records"):
        for what in ("reason", "warnings"):
            if row[what]:
                _say(what, _name(row["level"], row["slide"]), row[what])


def _name(level: str, slide: str) -> str:
    return f"{level} ({slide})" if level else slide


def _say(what: str | Text, *words: str) -> None:
    console.print(Text(": ").join([what if isinstance(what, Text) else Text(what), *map(Text, words)]), soft_wrap=True)
