"""A power cut, played: what a disk may hold afterwards, if only what was flushed is certain.

Between two flushes a disk may keep a change or lose it, each for itself: the content of a file, and every entry of a
folder. :class:`Disk` watches a folder while Python works in it, and makes a copy of what such a cut leaves.
"""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import pytest

CHANGES = ("rename", "replace", "unlink", "remove", "rmdir", "mkdir", "link")
"""The calls of ``os`` that change a folder, besides opening a file."""


@dataclass(eq=False)
class Node:
    """A file or a folder, whatever it is called.

    Attributes
    ----------
    flushed : bytes, dict of str to Node, or None
        What is certain of it: the content of a file, or the entries of a folder; None of a file if nothing is.
    now : str, dict of str to Node, or None
        What it is at the moment: where the file lies, or the entries of the folder; None of a file that was removed.
    """

    is_folder: bool
    flushed: Any = None
    now: Any = field(default=None, repr=False)


class Disk:
    """Watches a folder.

    Parameters
    ----------
    root : Path
        What is in it now is certain.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.nodes: dict[int, Node] = {}
        self.lock = threading.RLock()
        self.heard: Callable[[str, Path], None] = lambda _call, _path: None
        self._look()
        for node in self.nodes.values():
            node.flushed = node.now if node.is_folder else Path(node.now).read_bytes()

    @contextmanager
    def watched(self, patch: pytest.MonkeyPatch, heard: Callable[[str, Path], None]) -> Iterator[None]:
        """Follow what is done; ``heard`` is called before every change of a folder and every flush, with its name."""
        self.heard = heard
        with patch.context() as here:
            for name in CHANGES:
                here.setattr(os, name, self._changing(name, getattr(os, name)))
            here.setattr(os, "fsync", self._flush)
            yield

    def _changing(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def change(path: Any, *rest: Any, **options: Any) -> Any:
            at = self._path(path, options)
            if at is None:
                return call(path, *rest, **options)
            with self.lock:
                self.heard(name, self._path(rest[0], {}) or at if name in {"rename", "replace"} else at)
                done = call(path, *rest, **options)
                if name != "mkdir":
                    self._look()  # before the number of what was removed goes to another file
            return done

        return change

    def _flush(self, handle: int) -> None:
        path = _opened(handle)
        if not path.is_relative_to(self.root):
            return
        with self.lock:
            self.heard("fsync", path)
            number = os.fstat(handle).st_ino
            if path.is_dir() or number not in self.nodes:
                self._look()
            node = self.nodes[number]
            node.flushed = node.now if node.is_folder else path.read_bytes()

    def _path(self, path: Any, options: dict[str, Any]) -> Path | None:
        folder = options.get("dir_fd")
        at = Path(path).absolute() if folder is None else _opened(folder) / path
        return at if at.is_relative_to(self.root) else None

    def _look(self) -> None:
        """Take note of all entries as they are; a number that was not there at the last look is a new file's."""
        found: dict[int, Node] = {}

        def look(path: str, entry: os.stat_result) -> Node:
            is_folder = stat.S_ISDIR(entry.st_mode)
            node = self.nodes.get(entry.st_ino)
            if node is None or node.is_folder != is_folder:
                node = Node(is_folder, {} if is_folder else None)
            found[entry.st_ino] = node
            if is_folder:
                with os.scandir(path) as entries:
                    node.now = {each.name: look(each.path, each.stat(follow_symlinks=False)) for each in entries}
            else:
                node.now = path
            return node

        self.top = look(str(self.root), self.root.stat())
        for number in self.nodes.keys() - found.keys():
            self.nodes[number].now = {} if self.nodes[number].is_folder else None
        self.nodes = found

    def certain(self) -> dict[str, bytes | None]:
        """Return the files that a power cut leaves for certain, and of their content what is."""
        return {path: node.flushed for path, node in self._walk(lambda node: node.flushed)}

    def present(self) -> dict[str, bytes]:
        """Return the files that are there now."""
        with self.lock:
            self._look()
            return {path: Path(node.now).read_bytes() for path, node in self._walk(lambda node: node.now)}

    def _walk(self, entries: Callable[[Node], dict[str, Node]]) -> Iterator[tuple[str, Node]]:
        def walk(folder: Node, at: str) -> Iterator[tuple[str, Node]]:
            for name, node in entries(folder).items():
                if node.is_folder:
                    yield from walk(node, f"{at}{name}/")
                else:
                    yield at + name, node

        return walk(self.top, "")

    def cut(self, to: Path, chance: Random, keeping: float) -> None:
        """Make what a power cut leaves at this moment.

        Parameters
        ----------
        to : Path
            The folder to make it in.
        chance : Random
        keeping : float
            How likely each change that was not flushed is kept; 0 for none of them.
        """
        with self.lock:
            self._look()
            self._leave(self.top, to, chance, keeping)

    def _leave(self, node: Node, to: Path, chance: Random, keeping: float) -> None:
        if not node.is_folder:
            content = node.flushed or b""
            if node.now is not None and chance.random() < keeping:
                content = Path(node.now).read_bytes()
                if content != node.flushed:
                    content = content[: chance.choice((0, len(content) // 2, len(content)))]
            to.write_bytes(content)
            return
        to.mkdir()
        now, before = node.now, node.flushed
        for name in now.keys() | before.keys():
            held = now if now.get(name) is before.get(name) or chance.random() < keeping else before
            if (kept := held.get(name)) is not None:
                self._leave(kept, to / name, chance, keeping)


def _opened(handle: int) -> Path:
    return Path("/proc/self/fd", str(handle)).readlink()
