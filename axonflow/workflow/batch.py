"""Many slides, one pool: a slide that fails leaves the others alone, and what happened to each is returned.

All slides are opened before the first is run, so that what cannot work is known at once. The order of the slides is the
caller's throughout.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

from axonflow.engine.events import Event
from axonflow.engine.pool import Pool
from axonflow.engine.profile import Profile
from axonflow.errors import AxonflowError, FleetError, InputError
from axonflow.kernel.kinds import is_one_line
from axonflow.net.precision import Precisions, best_precisions
from axonflow.workflow.job import Job, prepare, run_job
from axonflow.workflow.manifest import ListedSlide

__all__ = ["Entry", "Outcome", "SlideBegun", "SlideDone", "SlideEvent", "SlideFailed", "open_batch", "run_batch"]

log = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Entry:
    """A slide of a batch: a job that is ready to start, or why there is none.

    Attributes
    ----------
    listed : Listed
    job : Job or None
    reason : str
    """

    listed: ListedSlide
    job: Job | None
    reason: str = ""

    @property
    def complete(self) -> bool:
        """Whether nothing is left to do."""
        return self.job is not None and all(self.job.journal.record(stage).complete for stage in self.job.stages)


@dataclass(frozen=True, slots=True)
class Outcome(Generic[T]):
    """What happened to a slide of a batch.

    Attributes
    ----------
    entry : Entry
    state : {"done", "failed"}
    reason : str
        Why it failed; empty if it is done.
    made : object, optional
        What was made of the finished store; None if the slide failed.
    """

    entry: Entry
    state: Literal["done", "failed"]
    reason: str = ""
    made: T | None = None


@dataclass(frozen=True, slots=True)
class SlideBegun:
    """A slide is run.

    Attributes
    ----------
    entry : Entry
    """

    entry: Entry


@dataclass(frozen=True, slots=True)
class SlideDone:
    """A slide is complete.

    Attributes
    ----------
    entry : Entry
    """

    entry: Entry


@dataclass(frozen=True, slots=True)
class SlideFailed:
    """A slide cannot be run, or has failed.

    Attributes
    ----------
    entry : Entry
    reason : str
    """

    entry: Entry
    reason: str


SlideEvent = SlideBegun | SlideDone | SlideFailed


def open_batch(
    slides: Iterable[ListedSlide],
    settings: Mapping[str, Any],
    stores: Path,
    precisions: Callable[[], Precisions] = best_precisions,
    *,
    fresh: bool = False,
) -> tuple[Entry, ...]:
    """Open all slides, with their models and masks.

    Parameters
    ----------
    slides : iterable of Listed
    settings : Mapping
        Values of fields of :class:`~axonflow.workflow.config.Config` for all slides.
    stores : Path
        Folder of the stores.
    precisions : callable
        As for :func:`~axonflow.workflow.job.prepare`; asked once.
    fresh : bool
        Likewise.

    Returns
    -------
    tuple of Entry
        One per slide; what is wrong with one is its entry's reason.

    Raises
    ------
    InputError
        If nobody answers what is computed best, two slides would write the same store, or a name has control
        characters or is not in UTF-8.
    """
    slides = tuple(slides)
    for name in (str(stores), *(listed.name for listed in slides)):
        if not is_one_line(name):  # neither the summary nor a job's script could hold it
            raise InputError(
                f"Names in UTF-8 without control characters were expected, {name!a} came; rename it, or give a link "
                "with another name."
            )
    entries = tuple(_entries(slides, settings, stores, precisions, fresh=fresh))
    writers: dict[Path, Entry] = {}
    for entry in entries:
        if entry.job is None:
            continue
        store = entry.job.config.out.resolve()
        if store in writers:
            raise InputError(
                f"A store for each slide was expected, {writers[store].listed.name} and {entry.listed.name} would both "
                f"write {store}; give them places of their own in the manifest's column 'out'."
            )
        writers[store] = entry
    return entries


def run_batch(
    entries: Sequence[Entry],
    pool: Pool,
    profile: Profile,
    on_event: Callable[[Event | SlideEvent], None],
    then: Callable[[Job], T],
    *,
    fresh: bool = False,
) -> tuple[Outcome[T], ...]:
    """Run what is missing of all slides, one after the other on one pool.

    Parameters
    ----------
    entries : sequence of Entry
    pool : Pool
    profile : Profile
        That of the pool.
    on_event : callable
        Called with what happens to slides, :data:`SlideEvent`, and in the stages of each,
        :data:`~axonflow.engine.events.Event`.
    then : callable
        What else to make of each store that is finished, such as its report; if it raises, the slide has failed.
    fresh : bool
        Whether to remove the stores first.

    Returns
    -------
    tuple of Outcome
        One per slide, in order.

    Raises
    ------
    FleetError
        If the pool is gone; that is no fault of a slide.
    """
    for entry in entries:
        if entry.job is None:
            on_event(SlideFailed(entry, entry.reason))
    return tuple(_run(entry, pool, profile, on_event, then, fresh=fresh) for entry in entries)


def _entries(
    slides: Iterable[ListedSlide],
    settings: Mapping[str, Any],
    stores: Path,
    precisions: Callable[[], Precisions],
    *,
    fresh: bool,
) -> Iterator[Entry]:
    unanswered: list[AxonflowError] = []

    @cache
    def asked_once() -> Precisions:
        try:
            return precisions()
        except AxonflowError as error:
            unanswered.append(error)
            raise

    for listed in slides:
        try:
            yield Entry(listed, prepare(listed.config(settings, stores), asked_once, fresh=fresh))
        except Exception as error:
            if unanswered:  # which is no fault of a slide
                raise
            yield Entry(listed, None, _reason(error))


def _run(
    entry: Entry,
    pool: Pool,
    profile: Profile,
    on_event: Callable[[Event | SlideEvent], None],
    then: Callable[[Job], T],
    *,
    fresh: bool,
) -> Outcome[T]:
    if entry.job is None:
        return Outcome(entry, "failed", entry.reason)
    on_event(SlideBegun(entry))
    try:
        made: list[T] = []
        job = entry.job
        run_job(job, profile, pool=pool, fresh=fresh, on_event=on_event, then=lambda: made.append(then(job)))
    except FleetError:
        raise
    except Exception as error:
        reason = _reason(error)
        on_event(SlideFailed(entry, reason))
        return Outcome(entry, "failed", reason)
    on_event(SlideDone(entry))
    return Outcome(entry, "done", made=made[0])


def _reason(error: Exception) -> str:
    if not isinstance(error, AxonflowError | OSError):
        log.error("a slide failed", exc_info=error)
    message = str(error) if isinstance(error, AxonflowError) else f"{type(error).__name__}: {error}"
    return " ".join(message.split())
