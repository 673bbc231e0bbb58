"""What has been done, on disk: one folder per stage and key, one file per finished batch.

::

    .axonflow/journal/<stage>/<key>/begun.<sum>.json     outputs were cleared and created
                                   /00000017.<sum>.npz   batch 17 is written, with its tasks' results
                                   /done.<sum>.json      all batches are, and the stage was finished

Whatever stands here is true of the disk: a batch is recorded when its outputs are on it, and outputs are cleared when
the records of them are gone from it (:mod:`axonflow.kernel.files`). A stage keeps the journal of one key only: another
key means other outputs in the same place.

Each of these files says which files of the store were written, with their sizes and checksums; its own stands in its
name. So a store can be proved, wherever it was copied (:mod:`axonflow.engine.proof`).
"""

from __future__ import annotations

import io
import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from google_crc32c import value as crc32c
from numpy.typing import NDArray

from axonflow.engine.stage import Result, Stage
from axonflow.errors import DamageError
from axonflow.kernel.files import Sum, make_folder, remove, rename, write_file
from axonflow.kernel.grid import Box

__all__ = ["Journal", "Record", "listed_files", "read_entry", "set_aside"]

Files = Mapping[Path, Sum]
"""What was written."""

_FILES = "files"
"""In a batch's file, the list of what it wrote; tasks' results have a number and a slash in their names."""


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
        entries = self.record.batches()
        for i, batch in enumerate(self.record.stage.batches):
            with np.load(io.BytesIO(read_entry(entries[i]))) as arrays:
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
        return self._entry("begun") is not None

    @property
    def complete(self) -> bool:
        """Whether nothing is left to do."""
        return self._entry("done") is not None

    @property
    def summary(self) -> dict[str, Any]:
        """What was noted at the end: seconds, bytes, counts; empty while incomplete."""
        entry = self._entry("done")
        return {} if entry is None else json.loads(read_entry(entry))["summary"]

    @property
    def store(self) -> Path:
        """The folder that the names of files in it are relative to."""
        return self.folder.parents[3]

    def begin(self, files: Files) -> None:
        """Note, on the disk, that the outputs are cleared and created; what is recorded under other keys stays.

        Parameters
        ----------
        files : Mapping of Path to Sum
            What was created.
        """
        make_folder(self.folder, self.folder.parents[2])
        self._write("begun", {"batches": len(self.stage.batches)} | self._described(files))

    def batches(self) -> dict[int, Path]:
        """Return the files of the batches that are recorded, by the batches' indices."""
        return {int(path.name.partition(".")[0]): path for path in self.folder.glob("*.npz")}

    def missing(self) -> list[int]:
        """Return the indices of the batches that are not recorded."""
        done = self.batches()
        return [i for i in range(len(self.stage.batches)) if i not in done]

    def commit(self, batch: int, results: list[Result], files: Files) -> bool:
        """Record a batch whose outputs are on disk, with its tasks' results and what they wrote.

        Returns
        -------
        bool
            Whether it wrote what it had written before, if it was set aside.
        """
        arrays = {f"{i}/{name}": array for i, result in enumerate(results) for name, array in result.items()}
        listed = np.frombuffer(json.dumps(self._listed(files)).encode(), np.uint8)
        content = io.BytesIO()
        np.savez(content, allow_pickle=False, **arrays, **{_FILES: listed})
        _write_entry(self.folder, f"{batch:08d}", "npz", content.getvalue())
        return self._as_before(f"{batch:08d}", files)

    def results(self) -> Results:
        """Return every box with its task's result, in raster order; nothing is read before it is asked for."""
        return Results(self)

    def close(self, summary: Mapping[str, Any], files: Files) -> bool:
        """Note that the stage is complete, and what its end wrote; returns as :meth:`commit`."""
        self._write("done", {"summary": summary} | self._described(files))
        return self._as_before("done", files)

    def _as_before(self, name: str, files: Files) -> bool:
        """Compare with what was set aside, and remove that; a power cut may bring it back, which does no harm."""
        same = True
        for aside in self.folder.glob(f"{name}.*{_ASIDE}"):
            try:
                same &= listed_files(aside) == self._listed(files)
            except DamageError:
                same = False
            aside.unlink()
        return same

    def _entry(self, name: str) -> Path | None:
        return next(self.folder.glob(f"{name}.*.json"), None)

    def _write(self, name: str, content: Mapping[str, Any]) -> None:
        _write_entry(self.folder, name, "json", json.dumps(content, indent=1).encode())

    def _described(self, files: Files) -> dict[str, Any]:
        """Return what was written, with the content of metadata: if lost, it is put back, and nothing is made anew."""
        contents = {self._name(path): path.read_text() for path in files if path.name == "zarr.json"}
        return {"at": time.time(), "files": self._listed(files), "contents": contents}

    def _listed(self, files: Files) -> dict[str, list[int]]:
        return {self._name(path): [each.size, each.crc32c] for path, each in sorted(files.items())}

    def _name(self, path: Path) -> str:
        return Path(os.path.relpath(path, self.store)).as_posix()


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


_ASIDE = ".aside"


def set_aside(entries: Iterable[Path]) -> None:
    """Have files of a journal count no longer; what they say is compared with what takes their place."""
    for entry in entries:
        with suppress(FileNotFoundError):
            rename(entry, entry.with_name(entry.name + _ASIDE))


def listed_files(entry: Path) -> dict[str, list[int]]:
    """Return what a file of a journal says that was written: size and checksum by name.

    Raises
    ------
    DamageError
        If it is.
    """
    content = read_entry(entry)
    if content.startswith(b"{"):
        content = json.dumps(json.loads(content)["files"]).encode()
    else:
        with np.load(io.BytesIO(content)) as arrays:
            content = arrays[_FILES].tobytes()
    files: dict[str, list[int]] = json.loads(content)
    return files


def _write_entry(folder: Path, name: str, kind: str, content: bytes) -> None:
    write_file(folder / f"{name}.{crc32c(content):08x}.{kind}", content)


def read_entry(path: Path) -> bytes:
    """Read a file of a journal, whose checksum is in its name.

    Raises
    ------
    DamageError
        If it is.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        content = b""
    if f"{crc32c(content):08x}" != path.name.split(".")[1]:
        raise DamageError(
            f"A record of what was done was expected in {path}, but the file is damaged. Run the same axonflow run "
            "again: it takes what was recorded there for not done."
        )
    return content
