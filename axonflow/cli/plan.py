"""What a run would cost, or that there is nothing left of it: plan."""

from __future__ import annotations

from functools import partial
from typing import Any

from axonflow.cli.introduction import config_of, introduce
from axonflow.cli.options import ENGINE, SETTINGS, SlideOrStore, profile_of, takes
from axonflow.cli.terminal import app, console, listing, say

__all__: list[str] = []


@app.command()
@takes(SETTINGS, ENGINE)
def plan(slide: SlideOrStore, **given: Any) -> None:
    """Say what a run would cost, and refuse what does not fit; nothing is written.

    Example: [bold]axonflow plan slide.tif --workers 8[/bold]
    """
    from axonflow.engine.journal import Journal
    from axonflow.engine.plan import Plan
    from axonflow.engine.proof import named, prove
    from axonflow.kernel.rate import duration
    from axonflow.kernel.words import count, memory
    from axonflow.stages.titles import stage_title
    from axonflow.workflow.estimate import estimate_seconds, windows_of_nnunet
    from axonflow.workflow.hardware import precisions_of_workers
    from axonflow.workflow.job import prepare, with_workers

    profile = profile_of(given)
    job = prepare(config_of(slide, given), partial(precisions_of_workers, profile), fresh=given["fresh"])
    journal = Journal(job.layout.private / "none") if given["fresh"] else job.journal
    costs = Plan.of(job.stages, journal, job.config.out, with_workers(profile, job.layout))
    introduce(job)
    console.print(f"shards  {job.layout.chunk:,} px a side", highlight=False)
    if line := windows_of_nnunet(job):
        console.print(line, highlight=False, soft_wrap=True)
    complete = all(journal.record(stage).complete for stage in job.stages)
    if damages := prove(journal.folder, quick=True).damages:
        what = f"damaged {named(damages, job.config.out)}; a run makes that anew, and what rests on it"
        console.print(what, highlight=False, soft_wrap=True)
        if complete:
            return
    if complete:
        console.print(f"store   {job.config.out}", highlight=False, soft_wrap=True)
        console.print("Nothing is left to do: all stages are complete, with these settings.", highlight=False)
        for name, path in (("report", "report.html"), ("maps", "maps"), ("axons", "tables/fibers.parquet")):
            if (job.config.out / path).exists():
                console.print(f"{name:<7} {job.config.out / path}", highlight=False, soft_wrap=True)
        return
    table = listing("stage", "tasks", "to do", "per worker", "to write")
    for step in costs.steps:
        sizes = (memory(step.memory), memory(step.disk)) if step.missing else ("", "")
        table.add_row(
            stage_title(step.name),
            f"{step.tasks:,}",
            f"{step.missing:,}" if step.missing else "done" if step.tasks else "–",
            *sizes,
        )
    console.print(table)
    per_worker = f"{memory(costs.memory)} of {memory(costs.memory_limit)} per worker"
    console.print(f"memory  {per_worker}, {count(costs.workers, 'worker')}", highlight=False)
    console.print(f"disk    up to {memory(costs.disk)} of {memory(costs.disk_free)} free", highlight=False)
    costs.check()
    say("trying a piece of its size, to judge the time …")
    seconds = estimate_seconds(job, journal, costs.workers)
    console.print(f"time    about {duration(seconds)}, judged from a piece of its size run just now", highlight=False)
