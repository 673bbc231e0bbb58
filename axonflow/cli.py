"""The command ``axonflow``: flags in, exit code out. All else is done elsewhere.

Exit codes: 0 done, 1 failed on the way, 2 refused, 130 interrupted; after 1 and 130 the same command continues.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
import typer.core
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from axonflow.errors import AxonflowError, InputError

if TYPE_CHECKING:
    from axonflow.config import Config
    from axonflow.job import Job
    from axonflow.units import PixelSize

__all__ = ["app", "main"]


class _ExitCodes(typer.core.TyperGroup):
    """Turns what a command raises into a message and an exit code; wrong usage is click's own, 2."""

    def invoke(self, ctx: Any) -> object:
        try:
            return super().invoke(ctx)
        except AxonflowError as error:
            errors.print(f"[bold red]axonflow:[/bold red] {escape(str(error))}", highlight=False, soft_wrap=True)
            sys.exit(2 if isinstance(error, InputError) else 1)
        except BrokenPipeError:
            raise  # whoever read what is printed has left; click knows
        except OSError as error:
            errors.print(f"[bold red]axonflow:[/bold red] {escape(str(error))}", highlight=False, soft_wrap=True)
            sys.exit(1)
        except KeyboardInterrupt:
            errors.print("axonflow: interrupted; run the same command again to continue.")
            sys.exit(130)


app = typer.Typer(
    name="axonflow",
    cls=_ExitCodes,
    help="Whole-slide axon and myelin analysis: from a gigapixel slide to 50 × 50 µm maps.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
console = Console()
errors = Console(stderr=True)


def _option(type_: object, flag: str, text: str, **more: Any) -> object:
    return Annotated[type_, typer.Option(flag, help=text, show_default=False, **more)]


_SETTINGS: dict[str, object] = {
    "out": _option(Path | None, "--out", "The store to write. \\[default: SLIDE.ome.zarr beside the slide]"),
    "series": _option(int | None, "--series", "Which image of a file that holds several."),
    "pixel_size": _option(str | None, "--pixel-size", "Side of a pixel in µm, or height,width; overrides the file."),
    "model": _option(str | None, "--model", "An embedded model, or the path of one. \\[default: sem]"),
    "halo": _option(str | None, "--halo", "Pixels each window sees around its core, or 'exact'. \\[default: 25]"),
    "chunk": _option(int | None, "--chunk", "Side of what one task writes, px; changes no result. \\[default: 4096]"),
    "cell_um": _option(float | None, "--cell", "Side of a map's cell, µm. \\[default: 50]"),
    "mask": _option(Path | None, "--mask", "What counts: an image of any resolution, or GeoJSON polygons."),
    "mask_unit": _option(str | None, "--mask-unit", "Unit of the polygons: px of the slide, or um. \\[default: px]"),
    "axon_mask": _option(Path | None, "--axon-mask", "Own axon mask in place of the network (non-zero is axon)."),
    "myelin_mask": _option(Path | None, "--myelin-mask", "Own myelin mask, with --axon-mask."),
    "labels": _option(Path | None, "--labels", "Own masks as one image: 0 background, 127 myelin, 255 axon."),
    "keep_probabilities": _option(bool | None, "--keep-probabilities", "Store the class probabilities."),
    "min_axon_area_um2": _option(
        float | None, "--min-axon-area", "Leave out smaller axons, µm². \\[default: the model's]"
    ),
    "max_myelin_um": _option(
        float | None, "--max-myelin", "Longest way from an axon through its myelin, µm. \\[default: 5]"
    ),
}
_ENGINE: dict[str, object] = {
    "workers": _option(int | None, "--workers", "Worker processes. \\[default: one per core]", min=1),
    "memory": _option(float | None, "--memory", "GiB a worker may take. \\[default: an even share]"),
    "fresh": _option(bool, "--fresh", "Start over: remove what the store holds."),
}
SlideOrStore = Annotated[Path, typer.Argument(help="A slide, or the store of an earlier run.", show_default=False)]


def _takes(*groups: dict[str, object]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the options of these groups; they arrive as keyword arguments."""

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        own = [p for p in inspect.signature(command, eval_str=True).parameters.values() if p.kind is not p.VAR_KEYWORD]
        options = {name: kind for group in groups for name, kind in group.items()}
        extra = [
            inspect.Parameter(
                name, inspect.Parameter.KEYWORD_ONLY, default=False if name == "fresh" else None, annotation=kind
            )
            for name, kind in options.items()
        ]
        command.__signature__ = inspect.Signature([*own, *extra])  # type: ignore[attr-defined]
        command.__annotations__ = {p.name: p.annotation for p in (*own, *extra)}
        return command

    return decorate


def _config(path: Path, given: dict[str, Any]) -> Config:
    """Build the settings from a slide and flags, or from a store's record and the flags that change it."""
    from axonflow.config import Config

    settings = {name: given[name] for name in _SETTINGS if given.get(name) is not None}
    if "pixel_size" in settings:
        settings["pixel_size"] = _pixel_size(settings["pixel_size"])
    if "halo" in settings and settings["halo"] != "exact":
        if not settings["halo"].isdigit():
            raise InputError(f"--halo was expected to be a number of pixels or 'exact', {settings['halo']!r} came.")
        settings["halo"] = int(settings["halo"])
    if settings.get("mask_unit", "px") not in {"px", "um"}:
        raise InputError(f"--mask-unit was expected to be px or um, {settings['mask_unit']!r} came.")
    if (path / "run.json").exists():
        from axonflow.record import read_record

        return replace(Config.from_json(read_record(path)["config"]), **{"out": path} | settings)
    return Config(slide=path, **{"out": Config.default_out(path)} | settings)


def _pixel_size(text: str) -> PixelSize:
    from axonflow.units import PixelSize

    try:
        sides = [float(side) for side in text.split(",")]
    except ValueError:
        sides = []
    if len(sides) not in {1, 2}:
        raise InputError(f"--pixel-size was expected as 0.1 or as height,width in µm, {text!r} came.")
    return PixelSize(sides[0], sides[-1])


def _run(path: Path, until: str | None, given: dict[str, Any]) -> Job:
    from axonflow.job import prepare, run_job
    from axonflow.progress import Bars

    job = prepare(_config(path, given))
    memory = int(given["memory"] * 2**30) if given.get("memory") else None
    with Bars(console) as bars:
        run_job(job, until=until, workers=given["workers"], memory=memory, fresh=given["fresh"], watch=bars)
    return job


@app.command()
@_takes(_SETTINGS, _ENGINE)
def run(slide: SlideOrStore, **given: Any) -> None:
    """Analyse a slide from its pixels to the maps; run again, it continues where it was stopped.

    Example: [bold]axonflow run slide.tif --pixel-size 0.1[/bold]
    """
    from axonflow.analysis import open_store

    job = _run(slide, None, given)
    result = open_store(job.config.out)
    figures = result.store / "figures"
    if not figures.exists():
        from axonflow.figures import draw_maps, draw_overlay

        part = figures.with_name(".figures.part")
        part.mkdir(exist_ok=True)
        draw_maps(result.maps, part / "maps.png")
        draw_overlay(result.pyramid(), result.pyramid("semantic"), part / "overlay.png")
        part.rename(figures)
    table = Table(box=None, show_header=False)
    for name, value in result.summary.items():
        table.add_row(f"[bold]{name}[/bold]", value)
    console.print(table)
    console.print(f"maps    {result.store / 'maps'}, drawn in {figures / 'maps.png'}", soft_wrap=True)
    console.print(f"axons   {job.layout.table}", soft_wrap=True)
    console.print(f"next    axonflow export {result.store} --format ads-csv", soft_wrap=True)


def _stage_command(group: str, text: str) -> None:
    @_takes(_SETTINGS, _ENGINE)
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
@_takes(_SETTINGS, _ENGINE)
def plan(slide: SlideOrStore, **given: Any) -> None:
    """Say what a run would cost, and refuse what does not fit; nothing is written.

    Example: [bold]axonflow plan slide.tif --workers 8[/bold]
    """
    from axonflow.engine.plan import Plan
    from axonflow.job import default_workers, estimate_seconds, prepare

    job = prepare(_config(slide, given))
    workers = given["workers"] or default_workers(job.layout)
    memory = int(given["memory"] * 2**30) if given.get("memory") else None
    costs = Plan.of(job.stages, job.journal, job.config.out, workers, memory)
    h, w = job.layout.work.shape
    size = job.layout.work.pixel_size
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
    console.print(
        f"memory  {costs.memory / 2**30:.2f} GiB of {costs.memory_limit / 2**30:.2f} GiB per worker, {workers} workers"
    )
    console.print(f"disk    up to {costs.disk / 2**30:.2f} GiB of {costs.disk_free / 2**30:.2f} GiB free")
    costs.check()
    seconds = estimate_seconds(job, workers)
    console.print(f"time    about {seconds / 60:.1f} min, judged from a few windows run just now")


@app.command()
def info(
    path: Annotated[Path, typer.Argument(help="A slide or a store.", show_default=False)],
    series: Annotated[int | None, typer.Option(help="Which image of a file that holds several.")] = None,
) -> None:
    """Print what a slide or a store is.

    Example: [bold]axonflow info slide.svs[/bold]
    """
    rows: dict[str, object]
    if (path / "run.json").exists():
        from axonflow.record import read_record

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
            from axonflow.analysis import open_store

            rows |= open_store(path).summary
    else:
        from axonflow.slide import open_slide

        slide = open_slide(path, series=series)
        rows = {
            "format": slide.format,
            "image": slide.series,
            "images": "; ".join(slide.series_found),
            "size": f"{slide.shape[0]} × {slide.shape[1]} px (height × width)",
            "pixels": f"{slide.dtype} {slide.channels}",
            "pixel size": f"{slide.pixel_size or 'unknown'} ({slide.pixel_size_source})",
            "stored in": f"{slide.grain[0]} × {slide.grain[1]} px blocks",
            "identity": slide.identity[:16],
        }
    for name, value in rows.items():
        console.print(f"[bold]{name:<14}[/bold] {value}", highlight=False, soft_wrap=True)


@app.command()
def export(
    store: Annotated[Path, typer.Argument(help="The store of a finished run.", show_default=False)],
    format_: Annotated[str, typer.Option("--format", help="ads-csv, csv, parquet, netcdf or png.", show_default=False)],
    out: Annotated[Path | None, typer.Option("--out", help="The file to write.", show_default=False)] = None,
) -> None:
    """Write a result as a file of another format.

    Example: [bold]axonflow export slide.ome.zarr --format ads-csv[/bold]
    """
    from axonflow.analysis import open_store
    from axonflow.export import export_store

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


def main() -> None:
    """Run the command and leave with its exit code."""
    app()
