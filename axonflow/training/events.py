"""What happens in a training, as values: each is handed to one callable as it happens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from axonflow.training.curve import Point

__all__ = ["StepDone", "TrainingBegun", "TrainingEvent", "TrainingListener"]


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


TrainingEvent = TrainingBegun | StepDone

TrainingListener = Callable[[TrainingEvent], None]
