"""What happens in a run, as values: each is handed to one callable as it happens."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from axonflow.engine.stage import Stage

__all__ = ["BatchDone", "Event", "Listener", "Noted", "StageBegun", "StageDone", "WorkersCounted", "ignore"]


@dataclass(frozen=True, slots=True)
class StageBegun:
    """A stage starts.

    Attributes
    ----------
    stage : Stage
    done_px : int
        Pixels that an earlier run has recorded.
    """

    stage: Stage
    done_px: int


@dataclass(frozen=True, slots=True)
class BatchDone:
    """A batch of the stage that began last was recorded.

    Attributes
    ----------
    pixels : int
    """

    pixels: int


@dataclass(frozen=True, slots=True)
class StageDone:
    """A stage is complete.

    Attributes
    ----------
    stage : Stage
    summary : Mapping
        What its record notes: seconds, pixels, bytes.
    """

    stage: Stage
    summary: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class WorkersCounted:
    """The workers were counted, which a pool does about every second, whether or not anything changed.

    Attributes
    ----------
    count : int
    note : str
        What a person should know of them, such as why jobs wait; empty if nothing.
    """

    count: int
    note: str


@dataclass(frozen=True, slots=True)
class Noted:
    """Something that a person should know of a run that goes on all the same.

    Attributes
    ----------
    text : str
        A sentence or two.
    """

    text: str


Event = StageBegun | BatchDone | StageDone | WorkersCounted | Noted

Listener = Callable[[Event], None]


def ignore(_event: object) -> None:
    """Do nothing; for whoever wants no events."""
