"""A stage as a value: what is computed, from what, in which parts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

from numpy.typing import NDArray

from axonflow.kernel.grid import Box

__all__ = ["Batch", "Overlap", "Result", "Source", "Stage"]

Result = Mapping[str, NDArray[Any]]
"""What a task hands to its stage's finish: named arrays, small against its core."""

Batch = tuple[Box, ...]
"""Neighbouring cores of one row of a grid: the unit of resume."""


class Source(Protocol):
    """Anything that is indexed like a (y, x) array: a Zarr array, a memory map."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Sides, px."""

    @property
    def dtype(self) -> Any:
        """Of its pixels."""

    def __getitem__(self, index: tuple[slice, slice], /) -> NDArray[Any]: ...


@dataclass(frozen=True)
class Overlap:
    """How a stage sees its image: through ``dask.array.map_overlap``.

    Attributes
    ----------
    source : callable
        Opens the (y, x) image on the machine that reads it.
    depth : int
        Halo on every side, px; windows end at the image's edge.
    planes : int
        Leading length of what ``apply`` returns.
    dtype : str
        Its dtype.
    apply : callable
        ``apply(pixels, box) -> (planes, h, w)`` array of the core ``box`` from its window's pixels.
    device : callable, optional
        Names what ``apply`` computes on, where it does; for the record.
    """

    source: Callable[[], Source]
    depth: int
    planes: int
    dtype: str
    apply: Callable[[NDArray[Any], Box], NDArray[Any]]
    device: Callable[[], str] | None = None


@dataclass(frozen=True)
class Stage:
    """One step of a run, cut into tasks that do not depend on each other.

    Attributes
    ----------
    name : str
        ``stage`` or ``stage.pass``; what the user sees is the part before the dot.
    revision : int
        Raised when the code changes what comes out, so that stores made before are redone.
    parameters : Mapping
        All that decides the outcome, as JSON values.
    after : tuple of Stage
        The stages whose outputs are read.
    shape : (int, int)
        Sides of the image that the boxes tile, px.
    batches : tuple of Batch
        The boxes, each in exactly one batch. A task alone writes the shards of its box.
    task : callable
        ``task(box) -> Result``, or ``task(planes, box) -> Result`` of a stage with an overlap. Picklable; run twice,
        it writes the same bytes.
    prepare : callable, optional
        Run on the driver before the first task: clears and creates the outputs.
    finish : callable, optional
        ``finish(results)`` on the driver after the last task, with each box and its result in raster order. They may
        be gone through more than once, and are read as they are looked at. What it returns is noted in the record.
    memory : int
        Projected peak of one task, bytes.
    resident : Mapping of str to int
        What stays in a process that ran one, however many run side by side: libraries by name, bytes.
    disk : int
        Projected size of the outputs, bytes.
    overlap : Overlap, optional
    accelerated : bool
        Whether the task, or what its overlap applies, wants an accelerator where there are any.
    rehearse : callable, optional
        Does on nothing, or on a few pixels, what loads and compiles all that task and finish call; it may be called
        while other stages run.
    """

    name: str
    revision: int
    parameters: Mapping[str, Any]
    after: tuple[Stage, ...]
    shape: tuple[int, int]
    batches: tuple[Batch, ...]
    task: Callable[..., Result]
    prepare: Callable[[], None] | None = None
    finish: Callable[[Iterable[tuple[Box, Result]]], Mapping[str, Any] | None] | None = None
    memory: int = 0
    resident: Mapping[str, int] = field(default_factory=dict)
    disk: int = 0
    overlap: Overlap | None = None
    accelerated: bool = False
    rehearse: Callable[[], object] | None = None

    @cached_property
    def key(self) -> str:
        """Content key: sha256 over name, revision, parameters, the keys before it and the boxes."""
        cut = hashlib.sha256(repr(self.batches).encode()).hexdigest()
        content = [self.name, self.revision, dict(self.parameters), [stage.key for stage in self.after], cut]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def rests_on(self, other: Stage) -> bool:
        """Whether this stage reads what another writes, directly or by way of others."""
        return any(before is other or before.rests_on(other) for before in self.after)

    @property
    def group(self) -> str:
        """The name that the user sees."""
        return self.name.partition(".")[0]

    @property
    def pixels(self) -> int:
        """Number of pixels over all boxes."""
        return sum(box.size for batch in self.batches for box in batch)
