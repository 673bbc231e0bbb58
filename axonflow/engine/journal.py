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

import errno
import io
import json
import os
import re
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from math import inf, isfinite, nextafter
from pathlib import Path
from typing import Any

import numpy as np
from google_crc32c import value as crc32c
from numpy.typing import NDArray

from axonflow.engine.stage import Result, Stage
from axonflow.errors import DamageError
from axonflow.kernel.documents import parse_json, read_file
from axonflow.kernel.files import NewFiles, Sum, remove, rename, write_file
from axonflow.kernel.grid import Box
from axonflow.kernel.kinds import is_one_line

__all__ = ["Files", "Journal", "Note", "Record", "entry_arrays", "read_note", "set_aside", "summaries"]

LARGEST_ENTRY = 2**31
"""Bytes of a file of a journal."""

_NO_ENTRY = frozenset({errno.ENOENT, errno.EISDIR, errno.EINVAL, errno.EFBIG, errno.ELOOP})
"""What is answered where something else than a file of a journal is."""

_MOST_BATCHES = 10**7
_BATCH = re.compile(r"(\d{8,})\.[0-9a-f]{8}\.npz")

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

    def __contains__(self, name: object) -> bool:
        return f"{self._prefix}{name}" in self._arrays

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
            with entry_arrays(entries[i]) as arrays:
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
        return {} if entry is None else read_note(entry).summary

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
        content = _json({"batches": len(self.stage.batches)} | self._described(files))
        entry = self._path("begun", "json", content)
        with NewFiles(self.folder.parents[2]) as entries, entries.new_file(entry) as file:
            file.write(content)

    def batches(self) -> dict[int, Path]:
        """Return the files of the batches that are recorded, by the batches' indices."""
        named = ((_BATCH.fullmatch(path.name), path) for path in self.folder.glob("*.npz"))
        return {int(name[1]): path for name, path in named if name}

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
        listed = np.frombuffer(json.dumps(_written(self._listed(files))).encode(), np.uint8)
        content = io.BytesIO()
        np.savez(content, allow_pickle=False, **arrays, **{_FILES: listed})
        self._write(f"{batch:08d}", "npz", content.getvalue())
        return self._as_before(f"{batch:08d}", files)

    def results(self) -> Results:
        """Return every box with its task's result, in raster order; nothing is read before it is asked for."""
        return Results(self)

    def close(self, summary: Mapping[str, Any], files: Files) -> bool:
        """Note that the stage is complete, and what its end wrote; returns as :meth:`commit`."""
        self._write("done", "json", _json({"summary": summary} | self._described(files)))
        return self._as_before("done", files)

    def reopen(self, files: Files) -> None:
        """Have the stage's end run again if it wrote any of these files, which another stage has just written anew.

        A file that several stages write, one upon the other, is right only when the last of them has written it.
        """
        entry = self._entry("done")
        if entry is None:
            return
        try:
            over = not self._listed(files).keys().isdisjoint(read_note(entry).files)
        except DamageError:
            over = True
        if over:
            set_aside([entry])

    def _as_before(self, name: str, files: Files) -> bool:
        """Compare with what was set aside, and remove that; a power cut may bring it back, which does no harm."""
        same = True
        for aside in self.folder.glob(f"{name}.*{_ASIDE}"):
            try:
                same &= read_note(aside).files == self._listed(files)
            except DamageError:
                same = False
            aside.unlink()
        return same

    def _entry(self, name: str) -> Path | None:
        return min(self.folder.glob(f"{name}.*.json"), default=None)  # of two, in a mixture of copies, always the same

    def _path(self, name: str, kind: str, content: bytes) -> Path:
        return self.folder / f"{name}.{crc32c(content):08x}.{kind}"

    def _write(self, name: str, kind: str, content: bytes) -> None:
        write_file(self._path(name, kind, content), content)

    def _described(self, files: Files) -> dict[str, Any]:
        """Return what was written, with the content of metadata: if lost, it is put back, and nothing is made anew."""
        contents = {self._name(path): path.read_text() for path in files if path.name == "zarr.json"}
        return {"at": self._now(), "files": _written(self._listed(files)), "contents": contents}

    def _now(self) -> float:
        """Return the time, or a moment after the last that was noted in the store if the clock was set back."""
        last = 0.0
        for entry in self.folder.parents[1].glob("*/*/*.json"):
            with suppress(DamageError):
                last = max(last, read_note(entry).at)
        return max(time.time(), min(nextafter(last, inf), sys.float_info.max))

    def _listed(self, files: Files) -> dict[str, Sum]:
        return {self._name(path): each for path, each in sorted(files.items())}

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


@dataclass(frozen=True, slots=True)
class Note:
    """What a file of a journal says.

    Attributes
    ----------
    files : Mapping of str to Sum
        What was written, by its name in the store.
    contents : Mapping of str to str
        Of metadata among them, what stands in it.
    summary : Mapping
        At the end of a stage, what was noted of it.
    batches : int
        At its beginning, how many there are.
    at : float
        Of metadata, when they were written, s since 1970; later than all that was written before, whatever the clock.
    """

    files: Mapping[str, Sum]
    contents: Mapping[str, str] = field(default_factory=dict)
    summary: dict[str, Any] = field(default_factory=dict)
    batches: int = 0
    at: float = 0.0


def summaries(journal: Path) -> dict[str, dict[str, Any]]:
    """Return what a journal's folder says that was noted of each stage that is complete, by the stages' names."""
    found = {}
    for entry in sorted(journal.glob("*/*/done.*.json"), reverse=True):  # of two the first, as Record has it
        with suppress(DamageError):
            found[entry.parents[1].name] = read_note(entry).summary
    return found


_ASIDE = ".aside"


def set_aside(entries: Iterable[Path]) -> None:
    """Have files of a journal count no longer; what they say is compared with what takes their place."""
    for entry in entries:
        if entry.is_symlink() or (entry.exists() and not entry.is_file()):
            remove(entry)
        with suppress(FileNotFoundError):
            rename(entry, entry.with_name(entry.name + _ASIDE))


def read_note(entry: Path) -> Note:
    """Read a file of a journal.

    Raises
    ------
    DamageError
        If it is damaged, or says what no run writes, though its checksum is right.
    """
    try:
        if entry.name.removesuffix(_ASIDE).endswith(".npz"):
            with entry_arrays(entry) as arrays:
                return Note(_sums(parse_json(arrays[_FILES].tobytes())))
        said = parse_json(read_entry(entry))
        files, contents = _sums(said["files"]), said["contents"]
        summary, batches, at = said.get("summary", {}), said.get("batches", 0), said.get("at", 0.0)
        if not (isinstance(contents, dict) and all(isinstance(text, str) for text in contents.values())):
            raise TypeError("contents")
        if not isinstance(summary, dict) or type(batches) is not int or not 0 <= batches <= _MOST_BATCHES:
            raise TypeError("summary, batches")
        if not isinstance(at, float) or not isfinite(at):
            raise TypeError("at")
        # metadata that do not fit their own sum would be put back again and again
        contents = {name: text for name, text in contents.items() if _sum(text) == files.get(name)}
        return Note(files, contents, summary, batches, at)
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        if isinstance(error, DamageError):
            raise
        raise _damage(entry) from error


def _sums(listed: Any) -> dict[str, Sum]:
    """Read what was written; the names are of files in the store, whoever wrote them."""
    found = {}
    for name, (size, crc) in listed.items():
        parts = name.split("/")
        if name.startswith("/") or ".." in parts or not {*parts} - {"", "."} or not is_one_line(name):
            raise ValueError(name)
        if not all(type(number) is int and 0 <= number < 2**63 for number in (size, crc)):
            raise ValueError(size, crc)
        found[name] = Sum(size, crc)
    return found


def _sum(text: str) -> Sum:
    content = text.encode()
    return Sum(len(content), crc32c(content))


def _written(listed: Mapping[str, Sum]) -> dict[str, list[int]]:
    return {name: [each.size, each.crc32c] for name, each in listed.items()}


@contextmanager
def entry_arrays(entry: Path) -> Iterator[Mapping[str, NDArray[Any]]]:
    """Open the arrays of a batch's file; whatever makes one unreadable is a DamageError."""
    content = read_entry(entry)
    try:
        loaded = np.load(io.BytesIO(content))
        if sum(member.file_size for member in loaded.zip.infolist()) > len(content):  # they are not compressed
            raise ValueError("larger than the file")
    except Exception as error:  # as above
        raise _damage(entry) from error
    with loaded:
        yield _Arrays(loaded, entry)


class _Arrays(Mapping[str, NDArray[Any]]):
    """The arrays of a batch's file, each read when it is looked up."""

    def __init__(self, loaded: Mapping[str, NDArray[Any]], entry: Path) -> None:
        self._loaded, self._entry = loaded, entry

    def __getitem__(self, name: str) -> NDArray[Any]:
        try:
            array = self._loaded[name]
            if not isinstance(array, np.ndarray):  # a member that is no array comes as its bytes
                raise TypeError(name)
        except Exception as error:  # a damaged header makes numpy and zipfile raise anything
            raise _damage(self._entry) from error
        return array

    def __contains__(self, name: object) -> bool:  # without reading it
        return name in self._loaded

    def __iter__(self) -> Iterator[str]:
        return iter(self._loaded)

    def __len__(self) -> int:
        return len(self._loaded)


def _json(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, indent=1).encode()


def read_entry(path: Path) -> bytes:
    """Read a file of a journal, whose checksum is in its name.

    Raises
    ------
    DamageError
        If it is.
    """
    try:
        content = read_file(path, LARGEST_ENTRY)
    except OSError as error:
        if error.errno not in _NO_ENTRY:
            raise
        content = b""
    name = path.name.split(".")
    if len(name) < 3 or f"{crc32c(content):08x}" != name[1]:
        raise _damage(path)
    return content


def _damage(path: Path) -> DamageError:
    return DamageError(
        f"A record of what was done was expected in {path}, but the file is damaged. Run the same axonflow run "
        "again: it takes what was recorded there for not done."
    )
