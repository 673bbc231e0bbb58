"""Whether a store holds what its journal says that was written: every file, its size, its content.

The journal alone is asked, so a store can be proved wherever it was copied, without its slide, and read-only.
"""

from __future__ import annotations

import os
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import islice
from pathlib import Path
from stat import S_ISREG

from axonflow.engine.journal import Note, read_note, set_aside
from axonflow.errors import DamageError
from axonflow.kernel.files import Sum, make_folder, remove, sum_of, write_file

__all__ = ["DAMAGED", "Damage", "Proof", "Proved", "Written", "mend", "named", "prove", "written"]

DAMAGED = "damaged"
"""A file in a store's private folder: something was found damaged that only a look at all bytes finds."""

_AT_ONCE = 8
"""Files that are read side by side: what is waited for is a disk, or a server."""

_PIXELS = re.compile(r"/s\d+/c/[\d/]+$")
"""What a shard of an image's level is called."""

_NAMED = 3

_MOST_GAPS = 10_000
"""Batches of a stage that are named as gone; one is enough for it not to be complete."""


@dataclass(frozen=True, slots=True)
class Written:
    """A file of the store as the journal knows it.

    Attributes
    ----------
    path : Path
    whole : Sum
        Its size and checksum, as the last of the stages that write it left it.
    entries : tuple of Path
        The files of the journal that say so; more than one if several stages write it.
    content : str or None
        Of metadata, what stands in it: of those that several stages write, what the last has written.
    at : float
        When metadata were written, s since 1970.
    """

    path: Path
    whole: Sum
    entries: tuple[Path, ...]
    content: str | None = None
    at: float = 0.0

    @property
    def stage(self) -> str:
        """The stage that wrote it first."""
        return self.entries[0].parents[1].name

    @property
    def pixels(self) -> bool:
        """Whether it holds pixels of an image, which are checked as they are read."""
        return bool(_PIXELS.search(self.path.as_posix()))


@dataclass(frozen=True, slots=True)
class Damage:
    """A file that is not as it was written.

    Attributes
    ----------
    path : Path
    what : str
        What is wrong, in words.
    written : Written or None
        What it should be; None if it is a file of the journal itself.
    """

    path: Path
    what: str
    written: Written | None = None

    @property
    def part(self) -> str:
        """The part of the store that it belongs to: slide, labels/NAME, maps, tables/NAME …; nothing if the journal."""
        if self.written is None:
            return ""
        first, *rest = Path(os.path.relpath(self.path, self.written.entries[0].parents[4])).parts
        if re.fullmatch(r"s\d+|zarr\.json", first):
            return "slide"
        return f"{first}/{rest[0]}" if first in {"labels", "tables"} else first


@dataclass(frozen=True, slots=True)
class Proof:
    """What was found of a store.

    Attributes
    ----------
    files, size : int
        That were looked at: how many, bytes.
    damages : tuple of Damage
    unproved : tuple of str
        Stages whose journal is of before there were checksums.
    """

    files: int = 0
    size: int = 0
    damages: tuple[Damage, ...] = ()
    unproved: tuple[str, ...] = field(default=())


def written(journal: Path) -> tuple[list[Written], list[Damage], list[str]]:
    """List what a journal says that was written.

    Parameters
    ----------
    journal : Path
        Its folder.

    Returns
    -------
    files : list of Written
        Each once.
    damages : list of Damage
        Files of the journal that cannot be read.
    unproved : list of str
        Stages whose journal says nothing of files.
    """
    store = journal.parents[1]
    files: defaultdict[str, dict[Path, Written]] = defaultdict(dict)
    damages: list[Damage] = []
    unproved: list[str] = []
    keys = [folder for folder in sorted(journal.glob("*/*/")) if not folder.name.startswith(".")]
    stages = Counter(folder.parent for folder in keys)
    for folder in keys:
        if stages[folder.parent] > 1:  # as where a copy of a store broke off that was to replace an older one
            damages.append(Damage(folder / "begun.", "is of one of several runs with other settings"))
        if (folder / "begun").exists():
            unproved.append(folder.parent.name)
            continue
        entries = [path for kind in ("begun.*.json", "[0-9]*.npz", "done.*.json") for path in sorted(folder.glob(kind))]
        damages += _gaps(folder, entries)
        for entry in entries:
            try:
                note = _noted(entry, _stamp(entry))
            except DamageError:
                damages.append(Damage(entry, "is damaged"))
                continue
            for name, each in note.files.items():
                # what a stage notes later takes the place of what it noted before
                files[name][folder] = Written(store / name, each, (entry,), note.contents.get(name), note.at)
    return [_together([*by_stage.values()]) for by_stage in files.values()], damages, unproved


def _together(by_stage: Sequence[Written]) -> Written:
    """Return what a file is that several stages wrote: what the last of them made of it."""
    last = max(by_stage, key=lambda file: file.at)
    return replace(last, entries=tuple(entry for file in by_stage for entry in file.entries))


@lru_cache(maxsize=2**14)
def _noted(entry: Path, _unchanged: tuple[int, ...]) -> Note:
    """Read a file of a journal once: a run looks at all of them as it begins, and again when it shows its result."""
    return read_note(entry)


def _stamp(path: Path) -> tuple[int, ...]:
    """Return what changes whenever a file does; the last of it cannot be set back."""
    try:
        found = path.stat()
    except OSError:
        return ()
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _gaps(folder: Path, entries: list[Path]) -> list[Damage]:
    """Find what is missing in the journal of a stage, as far as the rest says that it was there."""
    if not entries:
        return []
    if not entries[0].name.startswith("begun."):
        return [Damage(folder / "begun.", "is gone")]
    if not entries[-1].name.startswith("done."):
        return []  # it is not complete, and does not say so
    try:
        count = read_note(entries[0]).batches
    except DamageError:
        return []  # which is found by itself
    there = {entry.name.partition(".")[0] for entry in entries}
    gone = (Damage(folder / f"{i:08d}.", "is gone") for i in range(count) if f"{i:08d}" not in there)
    return list(islice(gone, _MOST_GAPS))


def prove(
    journal: Path, *, quick: bool = False, progress: Callable[[int, int], None] = lambda _done, _all: None
) -> Proof:
    """Compare a store with its journal.

    Parameters
    ----------
    journal : Path
        Its folder, ``STORE/.axonflow/journal``.
    quick : bool
        Whether of pixels only presence and size of their files are compared, and not what is in them: reading pixels
        tells whether they are whole, too. Tables, maps, metadata and the journal are read in any case.
    progress : callable
        Called with the bytes that were looked at and those of all files.
    """
    files, damages, unproved = written(journal)
    total, done = sum(each.whole.size for each in files), 0
    with ThreadPoolExecutor(_AT_ONCE, "axonflow proof") as threads:
        for each, what in zip(files, threads.map(lambda each: _wrong(each, quick=quick), files), strict=True):
            if what:
                damages.append(Damage(each.path, what, each))
            done += each.whole.size
            progress(done, total)
    return Proof(len(files), done, tuple(damages), tuple(unproved))


def named(damages: Sequence[Damage], store: Path) -> str:
    """Name the first of what is damaged in a store, and say how much more is."""
    names = ", ".join(os.path.relpath(damage.path, store) for damage in damages[:_NAMED])
    return f"{names} and {len(damages) - _NAMED:,} more" if len(damages) > _NAMED else names


class Proved:
    """The files of a store as they are handed out: each is compared with the journal before, once until it changes.

    Parameters
    ----------
    journal : Path
        Its folder.
    """

    def __init__(self, journal: Path) -> None:
        self._journal, self._store = journal, journal.parents[1].resolve()
        self._written: dict[str, Written] = {}
        self._seen: dict[tuple[str, int, int], str] = {}
        self._read()

    def _read(self) -> None:
        self._seen.clear()
        self._written = {
            os.path.relpath(file.path, self._journal.parents[1]): file for file in written(self._journal)[0]
        }

    def wrong(self, path: Path) -> str:
        """Say what is wrong with a file; nothing if it is as it was written, or the journal does not know it."""
        if what := self._wrong(path):
            self._read()  # a run may have written it anew
            what = self._wrong(path)
        return what

    def _wrong(self, path: Path) -> str:
        name = os.path.relpath(path.resolve(), self._store)
        file = self._written.get(name)
        if file is None:
            return ""
        try:
            stat = path.stat()
        except OSError:
            return _wrong(file, quick=True)
        key = name, stat.st_mtime_ns, stat.st_size
        if key not in self._seen:
            self._seen[key] = _wrong(file, quick=False)
        return self._seen[key]


def _wrong(file: Written, *, quick: bool) -> str:
    """Say what is wrong with a file; nothing if it is as it was written."""
    if len({entry.parent.name for entry in file.entries}) > len({entry.parents[1] for entry in file.entries}):
        return "may be of either of two runs with other settings"
    try:
        there = file.path.stat()
        size = there.st_size
        if not S_ISREG(there.st_mode):
            return "is no file"
        if size != file.whole.size:
            return f"is {size:,} bytes long, {file.whole.size:,} were written"
        if (quick and file.pixels) or sum_of(file.path) == file.whole:
            return ""
    except FileNotFoundError:
        return "is gone"
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    return "is not what was written"


def mend(damages: Iterable[Damage]) -> Iterator[Path]:
    """Have a run make anew what is damaged: metadata are put back, and what made the rest is no longer recorded.

    Yields
    ------
    Path
        Each file that was put back.
    """
    entries: set[Path] = set()
    for damage in damages:
        if damage.written is None:
            entries |= _with_end(damage.path)
            continue
        store = damage.written.entries[0].parents[4]
        _make_way(damage.path, store)
        if damage.written.content is not None:
            make_folder(damage.path.parent, store)
            write_file(damage.path, damage.written.content.encode())
            yield damage.path
        else:
            entries |= {each for entry in damage.written.entries for each in _with_end(entry)}
    begun = {entry.parent for entry in entries if entry.name.startswith("begun.")}
    remove(*begun)  # nothing of such a stage is certain
    set_aside(entry for entry in entries if entry.parent not in begun)


def _make_way(path: Path, store: Path) -> None:
    """Remove what is no folder where a file's folders belong, and what is no file in its own place.

    Through a link, or into a pipe, it would be written elsewhere.
    """
    for part in path.relative_to(store).parents:
        folder = store / part
        if not folder.is_dir() and (folder.is_symlink() or folder.exists()):
            remove(folder)
    if path.is_symlink() or (path.exists() and not path.is_file()):
        remove(path)


def _with_end(entry: Path) -> set[Path]:
    """Return an entry of a journal, and the one that says that its stage is complete."""
    return {entry, *entry.parent.glob("done.*.json")}
