"""What a kind of file is to the fuzzer, and what the kinds change and open alike."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.fuzzing.values import changed_bytes, changed_json

__all__ = ["ClaimError", "Kind", "change_one", "changed_json_file", "misplace", "only_one", "replaced"]


class ClaimError(Exception):
    """A store says that it is complete although what it should be made of was refused."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of input.

    Attributes
    ----------
    name : str
    share : float
        Of all cases, compared with the other kinds.
    make : callable
        Writes files that are right into a folder.
    change : callable
        Changes something in a copy of that folder.
    use : callable
        Opens what is there, as axonflow would; all but an AxonflowError that it raises is a defect.
    single : bool
        Whether only one of the files is opened, which the change leaves alone in the folder.
    """

    name: str
    share: float
    make: Callable[[Path], None]
    change: Callable[[random.Random, Path], None]
    use: Callable[[random.Random, Path], None]
    single: bool = False


def misplace(chance: random.Random, path: Path) -> None:
    """Put something else in the place of a file."""
    path.unlink(missing_ok=True)
    match chance.randrange(6):
        case 0:
            path.symlink_to("/dev/zero")
        case 1:
            os.mkfifo(path)
        case 2:
            path.mkdir()
        case 3:
            with path.open("wb") as file:
                file.truncate(2**33)
        case 4:
            path.symlink_to(path.name)
        case _:
            path.write_bytes(b"")


def replaced(chance: random.Random, path: Path, content: Callable[[], bytes]) -> None:
    """Write a file anew, or put something else in its place."""
    if chance.random() < 0.04:
        misplace(chance, path)
    else:
        path.write_bytes(content())


def change_one(change: Callable[[random.Random, bytes], bytes]) -> Callable[[random.Random, Path], None]:
    """Return what keeps one file of a folder, and changes that."""

    def one(chance: random.Random, folder: Path) -> None:
        path = chance.choice(sorted(folder.iterdir()))
        for other in folder.iterdir():
            if other != path:
                other.unlink()
        replaced(chance, path, lambda: change(chance, path.read_bytes()))

    return one


def only_one(folder: Path) -> Path:
    """Return what :func:`change_one` has kept."""
    return next(folder.iterdir())


def changed_json_file(chance: random.Random, path: Path) -> bytes:
    """Return the content of a JSON file, with some changes."""
    content = path.read_bytes()
    try:
        return changed_json(chance, json.loads(content))
    except (RecursionError, ValueError):  # it was changed before
        return changed_bytes(chance, content)
