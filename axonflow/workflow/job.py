"""From a Config to a finished store: opens what was named, refuses what cannot work, runs the stages."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import cached_property, partial
from math import lcm
from typing import TYPE_CHECKING

from axonflow.engine.cpus import cpus
from axonflow.engine.events import Listener, Noted, ignore
from axonflow.engine.journal import Journal
from axonflow.engine.plan import Plan
from axonflow.engine.profile import Profile
from axonflow.engine.stage import Stage
from axonflow.errors import DamageError, InputError, RunError, StoreError
from axonflow.fiber.rules import Rules
from axonflow.kernel.compiled import NOT_KEPT, kept_in
from axonflow.kernel.files import make_folder, remove, sweep
from axonflow.kernel.grid import ceil_to
from axonflow.kernel.lock import locked, unprotected
from axonflow.kernel.refused import refused
from axonflow.kernel.resample import Resampling
from axonflow.kernel.retry import retry
from axonflow.kernel.setting import settings
from axonflow.kernel.words import listed
from axonflow.net.precision import Precisions, best_precisions
from axonflow.slide import Slide
from axonflow.stages.annotation import Coverage, Everywhere, Regions, open_annotation, open_regions
from axonflow.stages.declare import GROUPS, declare
from axonflow.stages.layout import Frame, Layout, default_chunk, whole_chunk
from axonflow.stages.segment_mended import FIRST
from axonflow.stages.segmentation import Masks, Network, NnUNet
from axonflow.stages.unmeasured import WhereMeasured
from axonflow.workflow.begun import masks_of, precision_of, with_chunk_of_store
from axonflow.workflow.changes import changes_since
from axonflow.workflow.choice import choose_model
from axonflow.workflow.config import Config
from axonflow.workflow.evidence import Evidence, after, before
from axonflow.workflow.hardware import with_gpus
from axonflow.workflow.heartbeat import Heartbeat
from axonflow.workflow.log import logged
from axonflow.workflow.mending import mend_store
from axonflow.workflow.record import describe, is_recorded, is_store, read_record, write_record
from axonflow.workflow.rules import rules_of, smallest_of
from axonflow.workflow.sense import judge
from axonflow.workflow.sources import (
    computes_integers,
    cut_masks,
    network_of,
    opened_masks,
    opened_slide,
    pixel_size_of,
)
from axonflow.workflow.status import forget_damaged

if TYPE_CHECKING:
    from axonflow.engine.pool import Pool

__all__ = ["Job", "declare_job", "prepare", "run_job", "with_workers"]

SMALLEST_UNMYELINATED_UM2 = 0.005
"""Of what a network takes for axons without myelin, less is left out, µm²: a disk of 0.08 µm, thinner than any axon."""

log = logging.getLogger(__name__)
logging.getLogger("axonflow").addHandler(logging.NullHandler())  # without a log file nothing goes to the terminal


@dataclass(frozen=True)
class Job:
    """A run that is ready to start: everything was opened and fits together.

    Attributes
    ----------
    config : Config
    slide : Slide
        Without its info bar, unless that is kept.
    layout : Layout
    segmentation : Network or Masks
    min_axon_area_um2, min_unmyelinated_area_um2 : float
        What is smaller, and smaller of the class without myelin, is no axon.
    rules : Rules
        Which axons count.
    stages : tuple of Stage
    coverage : Coverage
        What counts.
    regions : Regions or None
    chosen : bool
        Whether the model was chosen by the slide's pixel size.
    """

    config: Config
    slide: Slide
    layout: Layout
    segmentation: Network | Masks
    min_axon_area_um2: float
    min_unmyelinated_area_um2: float
    rules: Rules
    stages: tuple[Stage, ...]
    coverage: Coverage
    regions: Regions | None
    chosen: bool = False

    @property
    def journal(self) -> Journal:
        """Where the store keeps what was done."""
        return Journal(self.layout.private / "journal")

    @cached_property
    def known(self) -> Evidence:
        """What is known beforehand that may show the run to be wrong."""
        return before(self.config, self.slide, self.layout, self.segmentation, self.coverage, self.regions)

    @property
    def result(self) -> Evidence:
        """The same with what a finished store holds."""
        return after(self.known, self.layout, self.segmentation, self.stages, self.journal, self.coverage)

    def until(self, group: str | None) -> tuple[Stage, ...]:
        """Return the stages up to and with those of a group; all if None."""
        if group is None:
            return self.stages
        if group not in GROUPS:
            raise InputError(f"A stage among {', '.join(GROUPS)} was expected, {group!r} came.")
        last = max(i for i, stage in enumerate(self.stages) if GROUPS.index(stage.group) <= GROUPS.index(group))
        return self.stages[: last + 1]


def with_workers(profile: Profile, layout: Layout) -> Profile:
    """Say how many workers a profile has: on this machine one per cpu, but not more than a slide has shards."""
    if profile.system == "local" and not profile.workers and not profile.gpus:
        h, w = (-(-side // layout.chunk) for side in layout.work.shape)
        profile = replace(profile, workers=max(min(cpus(), h * w), 1))
    return with_gpus(profile)


def prepare(config: Config, precisions: Callable[[], Precisions] = best_precisions, *, fresh: bool = False) -> Job:
    """Open slide, model and masks, and declare the stages.

    Parameters
    ----------
    config : Config
    precisions : callable
        Says what those who apply the network compute best in, as
        :func:`~axonflow.workflow.hardware.precisions_of_workers` does; asked only where a network begins. This process
        if left out.
    fresh : bool
        Whether the store will be removed first, so that nothing of it decides.

    Raises
    ------
    InputError
        If anything that was given cannot be used. Nothing is written.
    """
    slide = opened_slide(config)
    if config.own_masks:
        segmentation = opened_masks(config, slide)
        return declare_job(config if fresh else with_chunk_of_store(config, segmentation), slide, segmentation)
    if config.model is None and not fresh and (masks := masks_of(config.out)):
        raise InputError(
            f"Own masks or a --model was expected, as {config.out} was made of {listed(*masks)}, which a network would "
            f"replace. To go on with the masks give the store: axonflow run {config.out}; for a network give --model, "
            "or another --out."
        )
    choice = choose_model(
        config.model, pixel_size_of(slide), None if fresh else config.out, config.working_pixel_size_um
    )
    config = replace(config, model=choice.called)
    made = None if fresh or config.precision is not None else precision_of(config.out)
    if made and (made != "int8" or computes_integers(config, choice.model)):
        # Labels that were begun on another kind of processor are completed, and kept, as they are.
        network = network_of(config, slide, choice.model, lambda: Precisions(made))
        begun = declare_job(with_chunk_of_store(config, network), slide, network)
        if any(begun.journal.record(stage).begun for stage in begun.stages if stage.name in {"segment", FIRST}):
            return replace(begun, chosen=choice.by_pixel_size)
    network = network_of(config, slide, choice.model, precisions)
    job = declare_job(config if fresh else with_chunk_of_store(config, network), slide, network)
    return replace(job, chosen=choice.by_pixel_size)


def run_job(
    job: Job,
    profile: Profile | None = None,
    *,
    pool: Pool | None = None,
    until: str | None = None,
    fresh: bool = False,
    on_event: Listener = ignore,
    then: Callable[[], object] | None = None,
) -> None:
    """Run what is missing of a job.

    Parameters
    ----------
    job : Job
    profile : Profile, optional
        Where its workers come from; this machine, with a worker per cpu, if None.
    pool : Pool, optional
        One of that profile which is open; opened, if there is anything to do, and closed if None.
    until : str, optional
        The last stage to run.
    fresh : bool
        Whether to remove the store first.
    on_event : callable
        Called with each :data:`~axonflow.engine.events.Event` of the run.
    then : callable, optional
        Called when it is done, while no other run can change the store: for what is made of it, such as its report.

    Raises
    ------
    InputError
        If the store is of another slide or in use, or the run does not fit.
    RunError
        If the work failed on the way.
    """
    with _locked(job.layout) as protected:
        if not protected:
            on_event(Noted(unprotected(job.layout.store)))
        try:
            _run(job, profile, pool, until, fresh=fresh, on_event=on_event)
            if then is not None:
                then()
        except BrokenPipeError:
            raise  # whoever read what is printed has left
        except OSError as error:
            raise RunError(
                f"What {job.layout.store} holds was expected to be read and written, but {refused(error)}. What was "
                "done is kept: run the same command again to continue."
            ) from error


def _run(
    job: Job, profile: Profile | None, pool: Pool | None, until: str | None, *, fresh: bool, on_event: Listener
) -> None:
    sweep(job.layout.store)  # what a run, or its report, left half written
    stages = job.until(until)
    profile = profile or Profile.find("local")
    if fresh:
        _start_over(job, stages, with_workers(profile, job.layout))
    _check_identity(job)
    forget_damaged(job.layout.store)
    with logged(job.layout.store / "run.log"):
        mend_store(job.layout, on_event)
        if not all(job.journal.record(stage).complete for stage in stages):
            _complete(job, with_workers(profile, job.layout), pool, stages, on_event)
        _note(job)


def _complete(job: Job, profile: Profile, pool: Pool | None, stages: Sequence[Stage], on_event: Listener) -> None:
    """Run the stages that are not complete."""
    from axonflow.engine.fleet import open_pool
    from axonflow.engine.runner import run_stages

    layout = job.layout
    if changes := changes_since(layout.store, job.config, layout.native.pixel_size, job.segmentation):
        on_event(
            Noted(f"The store was made with {'; '.join(changes)}. What that decides is made anew, the rest is kept.")
        )
    Plan.of(stages, job.journal, job.config.out, profile).check()
    remove(layout.store / "report.html", layout.store / "figures")  # they show what is about to change
    _note(job)
    with (
        Heartbeat(layout.private, stages, job.journal, on_event) as heartbeat,
        nullcontext(pool) if pool else open_pool(profile, layout.private) as opened,
    ):
        log.info("run %s on %s", job.config.slide, profile)
        if job.slide.bar is not None:
            log.info("info bar: %s, %s", job.slide.bar, "kept" if job.config.keep_bar else "left out")
        if kept_in() is None:
            on_event(Noted(NOT_KEPT))
        try:
            run_stages(stages, job.journal, opened, heartbeat.note)
        except DamageError:  # of what an earlier run wrote
            if not mend_store(layout, on_event, thorough=True):
                raise
            run_stages(stages, job.journal, opened, heartbeat.note)
    sweep(layout.store)


def declare_job(config: Config, slide: Slide, segmentation: Network | Masks) -> Job:
    """Declare the stages of a slide and of what finds axons in it; as :func:`prepare`."""
    size = pixel_size_of(slide)
    native = work = Frame(slide.shape, size)
    below = 0 if slide.bar is None or config.keep_bar else slide.bar.rows
    with_bar = (slide.shape[0] + below, slide.shape[1])
    shapes = {mask.image.shape for mask in segmentation.images} if isinstance(segmentation, Masks) else set()
    if below and isinstance(segmentation, Masks) and shapes <= {with_bar, slide.shape}:
        segmentation = cut_masks(segmentation, slide.shape)  # drawn on the image as the microscope saved it
    rules, smallest = rules_of(config), smallest_of(config)
    min_axon_area_um2, min_unmyelinated_area_um2 = (given or 0.0 for given in smallest)
    if isinstance(segmentation, Network):
        usual = segmentation.checkpoint.smallest_axon_um2
        if smallest[0] is None:
            min_axon_area_um2 = usual
        if smallest[1] is None:
            min_unmyelinated_area_um2 = min(usual, SMALLEST_UNMYELINATED_UM2)
        wanted = segmentation.checkpoint.working_size(size)
        if not size.matches(wanted):
            work = Frame(Resampling(slide.shape, size, wanted).out_shape, wanted)
    if isinstance(segmentation, NnUNet) and segmentation.colours is not None and work != native:
        raise InputError(
            f"The slide's own pixels were expected with {segmentation.checkpoint.name!r}, which sees colours; leave "
            "--working-pixel-size out, or resample the slide beforehand."
        )
    chunk = _chunk(config, segmentation, native, work)
    coverage: Coverage
    coverage = open_annotation(config.mask, config.mask_unit, native, work, below) if config.mask else Everywhere()
    regions = open_regions(config.regions, config.regions_unit, native, work, below) if config.regions else None
    layout = Layout(config.out, native, work, slide.dtype.name, chunk, segmentation.classes)
    if config.on_bad_tile == "fill":
        coverage = WhereMeasured(coverage, layout)
    stages = declare(
        layout,
        slide,
        segmentation,
        min_axon_area_um2=min_axon_area_um2,
        min_unmyelinated_area_um2=min_unmyelinated_area_um2,
        max_myelin_um=config.max_myelin_um,
        axon_shape=config.axon_shape,
        cell_um=config.cell_um,
        rules=rules,
        coverage=coverage,
        regions=regions,
        on_bad_tile=config.on_bad_tile,
    )
    return Job(
        config,
        slide,
        layout,
        segmentation,
        min_axon_area_um2,
        min_unmyelinated_area_um2,
        rules,
        stages,
        coverage,
        regions,
    )


def _chunk(config: Config, segmentation: Network | Masks, native: Frame, work: Frame) -> int:
    """Return the side of what one task computes: as it was given, or the usual one that fits lattice and halo."""
    if isinstance(segmentation, NnUNet):
        return config.chunk or whole_chunk(*native.shape, *work.shape)
    usual = default_chunk(*native.shape, *work.shape)
    if not isinstance(segmentation, Network):
        return config.chunk or usual
    lattice, halo = segmentation.checkpoint.lattice_px, segmentation.halo
    step = lcm(lattice, settings(Config)["chunk"].multiple or 1)
    if config.chunk is None:
        return ceil_to(max(usual, halo), step)
    if config.chunk % lattice:
        raise InputError(
            f"--chunk was expected to be a multiple of the model's lattice of {lattice} px, {config.chunk} came; "
            f"use {ceil_to(config.chunk, step)}."
        )
    if config.chunk < halo:
        raise InputError(
            f"--chunk was expected not to be smaller than the halo of {halo} px, {config.chunk} came; "
            f"use {ceil_to(halo, step)} or more."
        )
    return config.chunk


def _check_identity(job: Job) -> None:
    try:
        made_of = read_record(job.layout.store)["slide"]
    except StoreError:  # there is none, or it is damaged, and will be written anew
        return
    if made_of["identity"] != job.slide.identity:
        raise StoreError(
            f"The store of {job.slide.path} was expected at {job.layout.store}, but it was made of {made_of['path']} "
            "(another content); choose another --out, or start over with --fresh."
        )


@contextmanager
def _locked(layout: Layout) -> Iterator[bool]:
    """Hold the store for this process alone; yield whether a lock protects it."""
    store = layout.store
    with ExitStack() as holding:
        try:
            if store.is_file() or (
                store.is_dir() and any(store.iterdir()) and not (layout.private.is_dir() or is_store(store))
            ):
                raise StoreError(
                    f"An empty folder or a store made by axonflow was expected at {store}, but "
                    f"{'a file is' if store.is_file() else 'other files are'} there; choose another --out."
                )
            make_folder(layout.private)
            protected = holding.enter_context(locked(layout.private / "lock"))
        except BlockingIOError as error:
            raise StoreError(f"Another run is writing {store}; wait for it to end, or choose another --out.") from error
        except OSError as error:
            raise StoreError(
                f"A folder that can be written was expected at {store}, but: {error.strerror}; choose another --out, "
                f"in a folder of yours, such as --out ~/{store.name}."
            ) from error
        yield protected


def _start_over(job: Job, stages: Sequence[Stage], profile: Profile) -> None:
    """Remove what the store holds, unless the run is refused then."""
    layout = job.layout
    plan = Plan.of(stages, Journal(layout.private / "none"), layout.store, profile)
    freed = sum(path.stat().st_size for path in layout.store.rglob("*") if path.is_file())
    replace(plan, disk_free=plan.disk_free + freed).check()
    # Whoever stops in the middle must find neither a record of what is gone, nor a store that says it is complete.
    remove(job.journal.folder, layout.store / "run.json")
    kept = {layout.private, layout.private / "lock"}
    remove(*(path for path in (*layout.store.iterdir(), *layout.private.iterdir()) if path not in kept))


def _note(job: Job) -> None:
    least = (job.min_axon_area_um2, job.min_unmyelinated_area_um2)
    made = describe(job.config, job.slide, job.layout, job.segmentation, least, job.rules, job.stages, job.journal)
    if not is_recorded(job.layout.store, made):  # judging takes a second, of a store that was judged before
        warnings = [given.to_json() for given in judge(job.result if made["complete"] else job.known)]
        remove(job.layout.store / "report.html")  # it says what stood in the record
        retry(partial(write_record, job.layout, made, warnings))
