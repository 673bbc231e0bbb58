"""From a slide to its maps: run, and the stages one by one."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.text import Text

from axonflow.cli.introduction import config_of, introduce
from axonflow.cli.options import ENGINE, SETTINGS, SlideOrStore, profile_of, takes
from axonflow.cli.terminal import app, console, listing, say, warn

if TYPE_CHECKING:
    from axonflow.engine.events import Event
    from axonflow.results.analysis import Analysis
    from axonflow.workflow.job import Job

__all__: list[str] = []


def _run(
    path: Path,
    until: str | None,
    given: dict[str, Any],
    watch: Callable[[Event], object] = lambda _: None,
    then: Callable[[Job, AbstractContextManager[object]], object] = lambda *_: None,
) -> Job:
    from axonflow.cli.interrupt import Interrupts
    from axonflow.cli.progress import Bars
    from axonflow.engine.events import StageBegun
    from axonflow.workflow.hardware import precisions_of_workers
    from axonflow.workflow.job import prepare, run_job

    profile = profile_of(given)
    job = prepare(config_of(path, given), partial(precisions_of_workers, profile), fresh=given["fresh"])
    introduce(job)
    shown, begun = (job.config.out / "report.html").exists(), False
    with Interrupts() as interrupts, Bars(console) as bars:

        def show(event: Event) -> None:
            nonlocal begun
            begun = begun or isinstance(event, StageBegun)
            bars.show(event)
            watch(event)

        run_job(
            job,
            profile,
            until=until,
            fresh=given["fresh"],
            on_event=interrupts.before(show),
            then=lambda: then(job, bars.drawing()),
        )
    if not begun:
        which = "it is complete up to this stage" if until else "all stages are complete"
        say(f"Nothing was left to compute: {which}, with these settings.")
    elif shown and until is not None:
        say("report.html and figures showed what is no longer so, and were removed.")
    return job


@app.command()
@takes(SETTINGS, ENGINE)
def run(slide: SlideOrStore, **given: Any) -> None:
    """Analyse a slide from its pixels to the maps; run again, it continues where it was stopped.

    Example: [bold]axonflow run slide.tif --pixel-size 0.1[/bold]
    """
    from axonflow.engine.events import StageBegun
    from axonflow.results.figure_process import FigureProcess

    def watch(event: Event) -> None:
        # It loads beside the stages of a slide that is soon done; of a larger one it would only take their memory.
        if isinstance(event, StageBegun) and (len(event.stage.batches) == 1 or event.stage.group == "map"):
            process.start()

    def tell(job: Job, drawing: AbstractContextManager[object]) -> None:
        from axonflow.results.analysis import open_store  # what they load takes memory that the run can use
        from axonflow.results.report import keep_report

        made.append((result := open_store(job.config.out), keep_report(result, process, drawing)))

    made: list[tuple[Analysis, Path]] = []
    with FigureProcess(alone=profile_of(given).workers == 1) as process:
        job = _run(slide, None, given, watch, tell)
    ((result, report),) = made
    table = listing("", "", show_header=False)
    for name, value in result.summary.items():
        table.add_row(Text(name, "bold"), value)
    warn(result.warnings)
    console.print(table)
    console.print(f"report  {report}", soft_wrap=True)
    console.print(f"maps    {result.store / 'maps'}, drawn in {result.store / 'figures' / 'maps.png'}", soft_wrap=True)
    console.print(f"axons   {job.layout.table}", soft_wrap=True)
    console.print(f"next    axonflow export {result.store} --format ads-csv", soft_wrap=True)
    if result.kind_columns:
        console.print(f"        axonflow export {result.store} --format ads-csv --unmyelinated", soft_wrap=True)


def _stage_command(group: str, text: str) -> None:
    @takes(SETTINGS, ENGINE)
    def command(slide: SlideOrStore, **given: Any) -> None:
        job = _run(slide, group, given)
        console.print(f"{group}: done, in {job.config.out}", soft_wrap=True)
        onward = "report" if group == "map" else "run"
        console.print(f"next    axonflow {onward} {job.config.out}", soft_wrap=True)

    app.command(name=group, help=f"{text}\n\nExample: [bold]axonflow {group} slide.ome.zarr[/bold]")(command)


for _group, _text in (
    ("convert", "Convert a slide to OME-Zarr, and stop there."),
    ("segment", "Run what is missing up to the semantic labels."),
    ("label", "Run what is missing up to the axon ids."),
    ("measure", "Run what is missing up to the table of fibers."),
    ("map", "Run what is missing up to the maps."),
):
    _stage_command(_group, _text)
