"""From a slide to its maps: run, the stages one by one, plan, info, export, phantom."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from axonflow.cli.options import ENGINE, SETTINGS, SlideOrStore, profile_of, settings_of, takes
from axonflow.cli.terminal import app, console

if TYPE_CHECKING:
    from axonflow.results.analysis import Analysis
    from axonflow.workflow.config import Config
    from axonflow.workflow.job import Job

__all__: list[str] = []


def _config(path: Path, given: dict[str, Any]) -> Config:
    """Build the settings from a slide and flags, or from a store's record and the flags that change it."""
    from axonflow.workflow.settings import configure

    return configure(path, settings_of(given))


def _run(path: Path, until: str | None, given: dict[str, Any], then: Callable[[Job], object] = lambda _: None) -> Job:
    from axonflow.cli.interrupt import Interrupts
    from axonflow.cli.progress import Bars
    from axonflow.workflow.job import prepare, run_job

    profile = profile_of(given)
    job = prepare(_config(path, given), gpu=profile.gpus > 0)
    _say_bar(job)
    with Interrupts() as interrupts, Bars(console) as bars:
        listener = interrupts.before(bars.show)
        run_job(job, profile, until=until, fresh=given["fresh"], on_event=listener, then=lambda: then(job))
    return job


def _say_bar(job: Job) -> None:
    """Say what is left out of the image below the slide."""
    if job.slide.bar is not None:
        what = "kept" if job.config.keep_bar else "left out; --keep-bar keeps it"
        console.print(f"info bar {job.slide.bar}: {what}", soft_wrap=True)


@app.command()
@takes(SETTINGS, ENGINE)
def run(slide: SlideOrStore, **given: Any) -> None:
    """Analyse a slide from its pixels to the maps; run again, it continues where it was stopped.

    Example: [bold]axonflow run slide.tif --pixel-size 0.1[/bold]
    """

    def tell(job: Job) -> None:
        from axonflow.results.analysis import open_store  # what they load takes memory that the run can use
        from axonflow.results.report import keep_report

        made.append((result := open_store(job.config.out), keep_report(result)))

    made: list[tuple[Analysis, Path]] = []
    job = _run(slide, None, given, tell)
    ((result, report),) = made
    table = Table(box=None, show_header=False)
    for name, value in result.summary.items():
        table.add_row(Text(name, "bold"), value)
    console.print(table)
    console.print(f"report  {report}", soft_wrap=True)
    console.print(f"maps    {result.store / 'maps'}, drawn in {result.store / 'figures' / 'maps.png'}", soft_wrap=True)
    console.print(f"axons   {job.layout.table}", soft_wrap=True)
    console.print(f"next    axonflow export {result.store} --format ads-csv", soft_wrap=True)


def _stage_command(group: str, text: str) -> None:
    @takes(SETTINGS, ENGINE)
    def command(slide: SlideOrStore, **given: Any) -> None:
        job = _run(slide, group, given)
        console.print(f"{group}: done, in {job.config.out}", soft_wrap=True)

    app.command(name=group, help=f"{text}\n\nExample: [bold]axonflow {group} slide.ome.zarr[/bold]")(command)


for _group, _text in (
    ("convert", "Convert a slide to OME-Zarr, and stop there."),
    ("segment", "Run what is missing up to the semantic labels."),
    ("label", "Run what is missing up to the axon ids."),
    ("measure", "Run what is missing up to the table of fibers."),
    ("map", "Run what is missing up to the maps."),
):
    _stage_command(_group, _text)


@app.command()
@takes(SETTINGS, ENGINE)
def plan(slide: SlideOrStore, **given: Any) -> None:
    """Say what a run would cost, and refuse what does not fit; nothing is written.

    Example: [bold]axonflow plan slide.tif --workers 8[/bold]
    """
    from axonflow.engine.plan import Plan
    from axonflow.workflow.job import estimate_seconds, prepare, with_workers

    profile = profile_of(given)
    job = prepare(_config(slide, given), gpu=profile.gpus > 0)
    costs = Plan.of(job.stages, job.journal, job.config.out, with_workers(profile, job.layout))
    h, w = job.layout.work.shape
    size = job.layout.work.pixel_size
    _say_bar(job)
    console.print(f"slide   {job.slide.shape[0]} × {job.slide.shape[1]} px at {job.slide.pixel_size}")
    console.print(f"labels  {h} × {w} px at {size}, shards of {job.layout.chunk} px")
    table = Table("stage", "tasks", "to do", "per worker", "to write", box=None)
    for step in costs.steps:
        table.add_row(
            step.name,
            str(step.tasks),
            str(step.missing),
            f"{step.memory / 2**30:.2f} GiB",
            f"{step.disk / 2**30:.2f} GiB",
        )
    console.print(table)
    per_worker = f"{costs.memory / 2**30:.2f} GiB of {costs.memory_limit / 2**30:.2f} GiB per worker"
    console.print(f"memory  {per_worker}, {costs.workers} workers")
    console.print(f"disk    up to {costs.disk / 2**30:.2f} GiB of {costs.disk_free / 2**30:.2f} GiB free")
    costs.check()
    seconds = estimate_seconds(job, costs.workers)
    console.print(f"time    about {seconds / 60:.1f} min, judged from a few windows run just now")


@app.command()
def info(
    path: Annotated[Path, typer.Argument(help="A slide or a store.", show_default=False)],
    series: Annotated[int | None, typer.Option(help="Which image of a file that holds several.")] = None,
    channel: Annotated[int | None, typer.Option(help="Which channel of an OME-Zarr.")] = None,
) -> None:
    """Print what a slide or a store is.

    Example: [bold]axonflow info slide.svs[/bold]
    """
    rows: dict[str, object]
    if (path / "run.json").exists():
        from axonflow.workflow.record import read_record

        record = read_record(path)
        rows = {
            "slide": record["slide"]["path"],
            "complete": "yes" if record["complete"] else "no: run it again to continue",
            "labels": f"{record['labels']['shape']} px at {record['labels']['pixel_size_um']} µm",
            "model": record["model"],
            "seams": record["seams"],
            "stages": ", ".join(f"{name} {made['seconds']:.1f} s" for name, made in record["stages"].items()),
        }
        if record["complete"]:
            from axonflow.results.analysis import open_store

            rows |= open_store(path).summary
    else:
        from axonflow.slide import find_bar, open_slide

        slide = open_slide(path, series=series, channel=channel)
        bar = find_bar(slide)
        rows = {
            "format": slide.format,
            "image": slide.series,
            "images": "; ".join(slide.series_found),
            "size": f"{slide.shape[0]} × {slide.shape[1]} px (height × width)",
            "pixels": f"{slide.dtype} {slide.channels}",
            "pixel size": f"{slide.pixel_size or 'unknown'} ({slide.pixel_size_source})",
            "info bar": f"{bar}; left out unless --keep-bar" if bar else "none",
            "stored in": f"{slide.grain[0]} × {slide.grain[1]} px blocks",
            "identity": slide.identity[:16],
        }
    for name, value in rows.items():
        console.print(Text.assemble((f"{name:<14}", "bold"), f" {value}"), soft_wrap=True)


@app.command()
def export(
    store: Annotated[Path, typer.Argument(help="The store of a finished run.", show_default=False)],
    format_: Annotated[
        str,
        typer.Option(
            "--format",
            help="ads-csv, ads-mask, csv, geojson, netcdf, parquet, png, regions-csv or svg.",
            show_default=False,
        ),
    ],
    out: Annotated[Path | None, typer.Option("--out", help="The file to write.", show_default=False)] = None,
) -> None:
    """Write a result as a file of another format.

    Example: [bold]axonflow export slide.ome.zarr --format ads-csv[/bold]
    """
    from axonflow.results.analysis import open_store
    from axonflow.results.export import export_store

    console.print(f"written: {export_store(open_store(store), format_, out)}", soft_wrap=True)


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
