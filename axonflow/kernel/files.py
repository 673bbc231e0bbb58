"""The one way to write a file: it appears whole, and what was said to be written is on the disk.

A file is written under another name in its folder, flushed to the disk, and renamed; then its folder is flushed, too,
because until then a power cut may take the new name back. What is not whole yet is called::

    .NAME.<32 hex digits>.partial

and so is a folder that is being written, or removed. Zarr names its own in the same way, without the first dot.
Whoever is killed leaves such files behind; :func:`sweep` removes them.

A flush waits for the disk, and a disk does many in the time of one: what belongs together is flushed together.

Who wants to prove later that nothing was lost or changed asks for the sums of all that is written: :func:`summed`.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, wait
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import BinaryIO
from uuid import uuid4

from axonflow.kernel.starting import ThreadPool

__all__ = [
    "NewFile",
    "NewFiles",
    "Sum",
    "make_durable",
    "make_folder",
    "make_folders",
    "new_file",
    "new_folder",
    "remove",
    "rename",
    "sum_of",
    "summed",
    "sweep",
    "write_file",
]

_PARTIAL = re.compile(r".+\.[0-9a-f]{32}\.partial")

_AT_ONCE = 8
"""How many flushes wait for the disk together."""

_NO_FLUSH = frozenset({errno.EACCES, errno.EINVAL, errno.ENOTSUP, errno.EPERM})
"""What is answered where a folder cannot be flushed: by some network file systems, and above what a user may read."""


@dataclass(frozen=True, slots=True)
class Sum:
    """What tells a file from others, and from itself with a bit changed.

    Attributes
    ----------
    size : int
        Bytes.
    crc32c : int
    """

    size: int
    crc32c: int


def sum_of(path: Path) -> Sum:
    """Return the sum of a file.

    Raises
    ------
    OSError
        What the file system says, as it is.
    """
    from google_crc32c import extend  # not needed by every command

    size = crc = 0
    with path.open("rb", buffering=0) as file:
        while block := file.read(_BLOCK):
            size, crc = size + len(block), extend(crc, block)
    return Sum(size, crc)


_BLOCK = 2**20
_SUMS: ContextVar[dict[Path, Sum] | None] = ContextVar("sums", default=None)


@contextmanager
def summed() -> Iterator[dict[Path, Sum]]:
    """Have the sum taken of every durable file that this thread writes within the context.

    Yields
    ------
    dict of Path to Sum
        It fills as files get their names.
    """
    sums: dict[Path, Sum] = {}
    before = _SUMS.set(sums)
    try:
        yield sums
    finally:
        _SUMS.reset(before)


def write_file(path: Path, content: bytes, *, durable: bool = True) -> None:
    """Write a file; as :func:`new_file`."""
    with new_file(path, durable=durable) as part:
        part.write_bytes(content)


@contextmanager
def new_file(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """Write a file by its temporary name.

    Parameters
    ----------
    path : Path
        In a folder that is there. A link is followed; a device or a pipe, such as ``/dev/stdout``, is written directly.
    durable : bool
        Whether the file is on the disk when this returns. Without, it appears whole, too, but a power cut soon
        afterwards may damage it: for what can be made again at any time.

    Yields
    ------
    Path
        Where to write it. It ends in ``.partial``, so a library that chooses a format by the name has to be given one.

    Raises
    ------
    OSError
        What the file system says, as it is; the file is as it was before.
    """
    if path.exists() and not path.is_file() and not path.is_dir():
        yield path
        return
    path = _led_to(path) if path.is_symlink() else path
    part = _partial(path)
    try:
        yield part
        rename(part, path, durable=durable)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def rename(part: Path, path: Path, *, durable: bool = True) -> None:
    """Give a file that is complete its name in the same folder, in place of the file that has it."""
    sums = _SUMS.get() if durable else None
    taken = None if sums is None else sum_of(part)
    if durable:
        _flush(part)
    part.replace(path)
    if durable:
        _flush_folder(path.parent)
    if sums is not None and taken is not None:
        sums[path] = taken


class NewFiles(AbstractContextManager["NewFiles"]):
    """Several files that get their names together, when leaving the context; none of them if it is left by an error.

    Each is being flushed while the next is written.

    Parameters
    ----------
    top : Path
        A folder over all of them, which is there for certain. Folders under it are made where they are missing.
    made : bool
        Whether all folders were made before, by :func:`make_folders`, so that only those next to files are flushed.
    """

    def __init__(self, top: Path, *, made: bool = False) -> None:
        self._top, self._made = top, made
        self._folders: set[Path] = set()
        self._complete: list[tuple[Path, Path]] = []
        self._written: dict[Path, NewFile] = {}
        self._flushed: list[Future[None]] = []
        self._sums = _SUMS.get()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._finish()
        finally:
            wait(self._flushed)
            for part, _ in self._complete:
                part.unlink(missing_ok=True)

    @contextmanager
    def new_file(self, path: Path) -> Iterator[NewFile]:
        """Write one of them by its temporary name; as :func:`new_file`."""
        part = _partial(path)
        self._complete.append((part, path))
        if self._made and part.parent.is_dir():
            self._folders.add(part.parent)
        else:  # another task may have made a folder and not flushed the one above it yet: all of them are flushed here
            part.parent.mkdir(parents=True, exist_ok=True)
            self._folders |= {*_upwards(part.parent, self._top)}
        with part.open("wb") as file:
            self._written[path] = NewFile(file)
            yield self._written[path]
        self._flushed.append(_flushing(os.getpid()).submit(_flush, part))

    def _finish(self) -> None:
        for flushed in self._flushed:
            flushed.result()
        for part, path in self._complete:
            part.replace(path)
        self._complete.clear()
        if self._sums is not None:
            self._sums |= {path: file.sum for path, file in self._written.items()}
        _flush_all((), self._folders)


class NewFile:
    """A file that is written from its first byte to its last; its sum is taken meanwhile, so it need not be read."""

    def __init__(self, file: BinaryIO) -> None:
        from google_crc32c import extend  # as above

        self._file, self._extend, self.sum = file, extend, Sum(0, 0)

    def write(self, content: bytes) -> None:
        """Add bytes at the end."""
        self._file.write(content)
        self.sum = Sum(self.sum.size + len(content), self._extend(self.sum.crc32c, content))


@contextmanager
def new_folder(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """Write a folder by its temporary name; it takes the place of what has its name, whole.

    Parameters
    ----------
    path : Path
        In a folder that is there.
    durable : bool
        As of :func:`new_file`.

    Yields
    ------
    Path
        The empty folder to write into.
    """
    part, sums = _partial(path), _SUMS.get() if durable else None
    part.mkdir()
    try:
        yield part
        taken = {} if sums is None else {file.relative_to(part): sum_of(file) for file in _files(part)}
        if durable:
            _flush_all(part.rglob("*"), [part])
        before = _set_aside(path)
        part.rename(path)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    if durable:
        _flush_folder(path.parent)
    if sums is not None:
        sums |= {path / name: each for name, each in taken.items()}
    if before:
        _delete(before)


def make_folder(path: Path, top: Path | None = None) -> None:
    """Make a folder, and those above it that are missing; they are on the disk when this returns.

    Parameters
    ----------
    path : Path
    top : Path, optional
        A folder above it that is on the disk already; the root of the file system if None.
    """
    path = path.absolute() if top is None else path
    path.mkdir(parents=True, exist_ok=True)
    _flush_all((), _upwards(path, top))


def make_folders(paths: Iterable[Path], top: Path) -> None:
    """Make folders below one, and those between that are missing; they are on the disk when this returns."""
    every = {folder for path in paths for folder in _upwards(path, top)}
    for path in sorted(every):
        path.mkdir(exist_ok=True)
    _flush_all((), every)


def make_durable(paths: Iterable[Path], top: Path) -> None:
    """Flush files that a library has written, and their folders up to one; a file that was not written is left out."""
    paths, sums = list(paths), _SUMS.get()
    if sums is not None:
        sums |= {path: sum_of(path) for path in paths if path.exists()}
    folders = {folder for path in paths for folder in _upwards(path.parent, top)}
    _flush_all((path for path in paths if path.exists()), folders)


def remove(*paths: Path) -> None:
    """Remove files and folders that are there; none of them is, nor comes back after a power cut, when this returns.

    A folder is whole or gone at any moment.

    Raises
    ------
    OSError
        What the file system says, as it is.
    """
    aside = [before for path in paths if (before := _set_aside(path))]
    # Also where nothing was there: a run that was killed may have removed it and not flushed.
    _flush_all((), {path.parent for path in paths if path.parent.exists()})
    for before in aside:
        _delete(before)


def sweep(folder: Path) -> None:
    """Remove what killed processes left incomplete in a folder and below it; nobody may be writing there meanwhile."""
    for parent, folders, files in os.walk(folder):
        for name in filter(_PARTIAL.fullmatch, (*folders, *files)):
            _delete(Path(parent, name))
        folders[:] = (name for name in folders if not _PARTIAL.fullmatch(name))


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())


def _led_to(link: Path) -> Path:
    """Where a link leads, which need not be there yet.

    It is asked of the links themselves: one that leads to itself is no answer for Python 3.13 on, and before an error
    of a kind of its own.
    """
    try:
        target = link.resolve()
    except RuntimeError:  # before Python 3.13
        target = link
    if target.is_symlink():
        raise OSError(errno.ELOOP, "A link leads to itself", str(link))
    return target


def _partial(path: Path) -> Path:
    return path.with_name(f".{path.name}.{uuid4().hex}.partial")


def _set_aside(path: Path) -> Path | None:
    """Take its name from a file or folder; return what it is called now, if it was there."""
    aside = _partial(path)
    try:
        path.rename(aside)
    except FileNotFoundError:
        return None
    return aside


def _delete(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def _upwards(folder: Path, top: Path | None) -> Iterator[Path]:
    """Yield a folder and those above it, up to and with ``top``, or to the root of the file system."""
    for each in (folder, *folder.parents):
        yield each
        if each == top or (top is None and each.is_mount()):
            return


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _flush_folder(path: Path) -> None:
    try:
        _flush(path)
    except OSError as error:
        if error.errno not in _NO_FLUSH:
            raise


def _flush_all(paths: Iterable[Path], folders: Iterable[Path]) -> None:
    """Flush files, among which folders may be, and folders, many at once."""
    every = {path: _flush_folder if path.is_dir() else _flush for path in (*paths, *folders)}
    if len(every) == 1:
        for path, flush in every.items():
            flush(path)
        return
    flushed = [_flushing(os.getpid()).submit(flush, path) for path, flush in every.items()]
    wait(flushed)
    for each in flushed:
        each.result()


@lru_cache(maxsize=1)
def _flushing(process: int) -> ThreadPool:  # noqa: ARG001  # threads do not come along to a process that is forked
    """Return the threads that flush; they stay, as starting them takes as long as a flush."""
    return ThreadPool(_AT_ONCE, "axonflow flush")
