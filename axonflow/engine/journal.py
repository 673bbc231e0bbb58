"""What has been done, on disk: one folder per stage and key, one file per finished batch.

::

    .axonflow/journal/<stage>/<key>/begun              outputs were cleared and created
                                   /00000017.npz      batch 17 is written, with its tasks' results
                                   /done.json          all batches are, and the stage was finished

Whatever stands here is true of the disk: a batch is recorded when its outputs are on it, and outputs are cleared when
the records of them are gone from it (:mod:`axonflow.kernel.files`). A stage keeps the journal of one key only: another
key means other outputs in the same place.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from axonflow.engine.stage import Result, Stage
from axonflow.kernel.files import make_folder, new_file, remove, write_file
from axonflow.kernel.grid import Box

__all__ = ["Journal", "Record"]


class _Saved(Mapping[str, NDArray[Any]]):
    """One task's result in a batch's file; an array is read when it is looked up."""

    def __init__(self, arrays: Mapping[str, NDArray[Any]], task: int) -> None:
        self._arrays, self._prefix = arrays, f"{task}/"

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self._arrays[self._prefix + name]

    def __iter__(self) -> Iterator[str]:
        return (name.removeprefix(self._prefix) for name in self._arrays if name.startswith(self._prefix))

    def __len__(self) -> int:
        return sum(1 for _ in self)


@dataclass(frozen=True, slots=True)
class Results:
    """The results of a stage: may be gone through more than once, and holds none of them in memory."""

    record: Record

    def __iter__(self) -> Iterator[tuple[Box, Result]]:
        for i, batch in enumerate(self.record.stage.batches):
            with np.load(self.record.folder / f"{i:08d}.npz") as arrays:
                for task, box in enumerate(batch):
                    yield box, _Saved(arrays, task)


@dataclass(frozen=True, slots=True)
class Record:
    """The journal of one stage under its present key."""

    folder: Path
    stage: Stage

    @property
    def begun(self) -> bool:
        """Whether the outputs were prepared."""
        return (self.folder / "begun").exists()

    @property
    def complete(self) -> bool:
        """Whether nothing is left to do."""
        return (self.folder / "done.json").exists()

    @property
    def summary(self) -> dict[str, Any]:
        """What was noted at the end: seconds, bytes, counts; empty while incomplete."""
        return json.loads((self.folder / "done.json").read_text()) if self.complete else {}

    def begin(self) -> None:
        """Note, on the disk, that the outputs are cleared and created; what is recorded under other keys stays."""
        make_folder(self.folder, self.folder.parents[2])
        write_file(self.folder / "begun", b"")

    def missing(self) -> list[int]:
        """Return the indices of the batches that are not recorded."""
        done = {path.stem for path in self.folder.glob("*.npz")}
        return [i for i in range(len(self.stage.batches)) if f"{i:08d}" not in done]

    def commit(self, batch: int, results: list[Result]) -> None:
        """Record a batch whose outputs are on disk, with its tasks' results."""
        arrays = {f"{i}/{name}": array for i, result in enumerate(results) for name, array in result.items()}
        with new_file(self.folder / f"{batch:08d}.npz") as part, part.open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays)

    def results(self) -> Results:
        """Return every box with its task's result, in raster order; nothing is read before it is asked for."""
        return Results(self)

    def close(self, summary: Mapping[str, Any]) -> None:
        """Note that the stage is complete."""
        write_file(self.folder / "done.json", json.dumps(summary, indent=1).encode())


@dataclass(frozen=True, slots=True)
class Journal:
    """The journals of all stages of a store."""

    folder: Path

    def record(self, stage: Stage) -> Record:
        """Return the record of a stage under its present key, whether or not there is anything in it."""
        return Record(self.folder / stage.name / stage.key[:16], stage)

    def forget(self, stages: Iterable[Stage]) -> None:
        """Remove all that is recorded of stages under any key; no power cut brings it back."""
        remove(*(self.folder / stage.name for stage in stages))
