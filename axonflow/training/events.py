"""What happens in a training, as values: each is handed to one callable as it happens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from axonflow.engine.events import Noted
from axonflow.training.curve import Point

__all__ = ["Noted", "StepDone", "TrainingBegun", "TrainingEvent", "TrainingListener"]


@dataclass(frozen=True, slots=True)
class TrainingBegun:
    """A training starts, or goes on.

    Attributes
    ----------
    done, steps : int
        Steps that are done, and all there are.
    """

    done: int
    steps: int


@dataclass(frozen=True, slots=True)
class StepDone:
    """A step is done.

    Attributes
    ----------
    point : Point
        What the curve notes of it.
    """

    point: Point


TrainingEvent = TrainingBegun | StepDone | Noted

TrainingListener = Callable[[TrainingEvent], None]
