"""A model as nnU-Net leaves it, a folder or a zip archive of one, read without running anything that it says.

::

    plans.json                          the network and what is done to an image before
    dataset.json                        channels and labels
    fold_all/checkpoint_best.pth        the weights: one fold or several, best or final
    fold_0/checkpoint_final.pth

What nnU-Net can do and axonflow does not is refused, never approximated.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from axonflow.errors import ModelError
from axonflow.kernel.classes import Classes
from axonflow.kernel.documents import open_file, parse_json, read_file, said, shown
from axonflow.kernel.zips import astray
from axonflow.net.nnunet.labels import classes_of
from axonflow.net.nnunet.plan import NnUNetPlan
from axonflow.net.nnunet.plans import plan_of

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Folder", "digest", "is_nnunet", "open_model"]

LARGEST_DOCUMENT = 2**24
"""Bytes of plans.json and dataset.json; real ones have some ten thousand."""

CHECKPOINTS = ("checkpoint_best.pth", "checkpoint_final.pth")
"""The first of them that every fold has is taken, as AxonDeepSeg does."""

_FOLD = re.compile(r"fold_([A-Za-z0-9]{1,20})")
_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError)
_BLOCK = 2**20


@dataclass(frozen=True, slots=True)
class Folder:
    """What a folder of nnU-Net holds, but the weights.

    Attributes
    ----------
    path : Path
        Where its files lie.
    plan : NnUNetPlan
    classes : Classes
    checkpoint : str
        The name of every fold's file.
    data_set : str
        What it learned from, by nnU-Net's name.
    """

    path: Path
    plan: NnUNetPlan
    classes: Classes
    checkpoint: str
    data_set: str

    def file(self, fold: str) -> Path:
        """Return the checkpoint of a fold."""
        return self.path / f"fold_{fold}" / self.checkpoint

    def weights(self, fold: str) -> dict[str, Tensor]:
        """Read the weights of a fold, by the names of :func:`axonflow.net.nnunet.networks.build`.

        Raises
        ------
        ModelError
            If they are not of the plan's network, or the file holds what is no tensor, number or text.
        """
        from axonflow.net.nnunet.weights import read_checkpoint

        return read_checkpoint(self.file(fold), self.plan, len(self.classes)).weights


def is_nnunet(path: Path) -> bool:
    """Tell whether a path is a folder, or an archive, that may be a model of nnU-Net."""
    return path.is_dir() or (path.suffix.lower() == ".zip" and path.is_file())


def digest(path: Path) -> str:
    """Return the sha256 of all that may be read of a folder, or of an archive.

    Raises
    ------
    ModelError
        If it cannot be read.
    """
    sums = hashlib.sha256()
    with _told(path):
        files = [path]
        if path.is_dir():
            top = _top(path)
            files = [top / "plans.json", top / "dataset.json"]
            files += sorted(file for name in CHECKPOINTS for file in top.glob(f"fold_*/{name}"))
        for file in files:
            sums.update(f"{file.parent.name}/{file.name}:".encode() if len(files) > 1 else b"zip:")
            found = file.stat()
            sums.update(_sum(file, found.st_size, found.st_mtime_ns))
    return sums.hexdigest()


@lru_cache(maxsize=64)
def _sum(file: Path, _size: int, _time: int) -> bytes:
    """Return the sha256 of a file; a run asks for that of its model more than once."""
    with open_file(file) as stream:
        return hashlib.file_digest(stream, "sha256").digest()  # type: ignore[arg-type]  # it can be read


@contextmanager
def open_model(path: Path, folds: Sequence[str] | None = None) -> Iterator[Folder]:
    """Open a folder or a zip archive.

    Parameters
    ----------
    path : Path
    folds : sequence of str, optional
        Which folds to average, as their folders are called after ``fold_``; all that are there unless given.

    Raises
    ------
    ModelError
        If it is none, damaged, or asks for what axonflow does not do.
    """
    if path.is_dir():
        yield _read(_top(path), path, folds)
        return
    with tempfile.TemporaryDirectory(prefix="axonflow-model-") as temporary:
        _unpack(path, Path(temporary))
        yield _read(Path(temporary), path, folds)


def _read(top: Path, called: Path, folds: Sequence[str] | None) -> Folder:
    from axonflow.net.nnunet.weights import read_checkpoint

    plans, dataset = (_document(top / name, called) for name in ("plans.json", "dataset.json"))
    chosen, checkpoint = _choose(top, called, folds)
    with _told(called):
        classes = classes_of(dataset)
        first = read_checkpoint(top / f"fold_{chosen[0]}" / checkpoint, None, len(classes))  # nnU-Net asks it, too
        plan = replace(plan_of(plans, dataset, first.configuration, chosen), mirrors=first.mirrors)
        name = plans.get("dataset_name")
        return Folder(top, plan, classes, checkpoint, name[:100] if isinstance(name, str) else "")


def _document(path: Path, called: Path) -> dict[str, Any]:
    with _told(called):
        content = parse_json(read_file(path, LARGEST_DOCUMENT))
        if not isinstance(content, dict):
            raise TypeError(f"{path.name} should hold an object of JSON, {shown(content, 40)} came")
        return content


def _choose(top: Path, called: Path, folds: Sequence[str] | None) -> tuple[tuple[str, ...], str]:
    """Return which folds are taken, and which checkpoint of each."""
    found = (_FOLD.fullmatch(path.name) for path in sorted(top.iterdir()))
    there = {each[1]: {name for name in CHECKPOINTS if (top / each[0] / name).exists()} for each in found if each}
    usable = [fold for fold, names in there.items() if names]
    chosen = list(dict.fromkeys(usable if folds is None else folds))
    if unknown := [fold for fold in chosen if fold not in usable]:
        raise ModelError(
            f"Folds among {', '.join(usable) or 'none'} were expected of {called}, {', '.join(unknown)} came; give "
            "those that are there."
        )
    for checkpoint in CHECKPOINTS:
        if chosen and all(checkpoint in there[fold] for fold in chosen):
            return tuple(chosen), checkpoint
    raise ModelError(
        f"A folder fold_… with {' or '.join(CHECKPOINTS)}, the same in each, was expected in {called}, "
        f"{', '.join(f'fold_{fold}' for fold in there) or 'none'} came; give the folder that nnU-Net's training wrote."
    )


def _top(path: Path) -> Path:
    """Return the folder that holds plans.json: this one, or the only one in it that does."""
    if (path / "plans.json").exists():
        return path
    inner = [each.parent for each in path.glob("*/plans.json")]
    if len(inner) != 1:
        raise ModelError(
            f"A folder of nnU-Net with plans.json, dataset.json and fold_… was expected at {path}, "
            f"{'several are' if inner else 'no plans.json is'} in it; give the folder that holds plans.json."
        )
    return inner[0]


def _unpack(file: Path, folder: Path) -> None:
    """Write what is read of an archive into a folder, by names of our own making."""
    from axonflow.net.nnunet.weights import LARGEST_CHECKPOINT  # torch is loaded with it

    with _told(file), open_file(file) as stream, zipfile.ZipFile(stream) as archive:
        members = [info for info in archive.infolist() if not info.filename.startswith("__MACOSX/")]
        for info in members:
            _refuse_outside(info, file)
        paths = {PurePosixPath(info.filename): info for info in members if not info.is_dir()}
        tops = [path.parent for path in paths if path.name == "plans.json"]
        if len(tops) != 1:
            raise ValueError(f"one plans.json should be in it, {len(tops)} are")
        for path, info in paths.items():
            inner = path.relative_to(tops[0]) if path.is_relative_to(tops[0]) else path
            match inner.parts:
                case ("plans.json" | "dataset.json" as name,):
                    _copy(archive, info, folder / name, LARGEST_DOCUMENT)
                case (fold, name) if _FOLD.fullmatch(fold) and name in CHECKPOINTS:
                    (folder / fold).mkdir(exist_ok=True)
                    _copy(archive, info, folder / fold / name, LARGEST_CHECKPOINT)


def _copy(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path, most: int) -> None:
    """Write a member, as long as it is said to be and no longer: its head may lie."""
    if info.file_size > most:
        raise ValueError(f"{info.filename} should have {most:,} bytes or less, {info.file_size:,} came")
    if info.file_size > shutil.disk_usage(path.parent).free:
        raise ValueError(f"{info.filename} has {info.file_size:,} bytes, for which {path.parent} has no room")
    with archive.open(info) as source, path.open("wb") as sink:
        shutil.copyfileobj(source, sink, _BLOCK)  # zipfile ends at the size that is said, and checks the sum there


def _refuse_outside(info: zipfile.ZipInfo, file: Path) -> None:
    if named := astray(info):
        raise ModelError(
            f"An archive whose files stay in its folder was expected, {file} holds {named}; do not trust where it came "
            "from."
        )


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Say of which model something cannot be read."""
    try:
        yield
    except (*_DAMAGE, OSError, KeyError, TypeError, ValueError, ArithmeticError, AttributeError) as error:
        if isinstance(error, ModelError):
            raise
        missing = f"{error} is missing" if isinstance(error, KeyError) else said(error)
        raise ModelError(f"A model of nnU-Net was expected in {path}, but it cannot be used: {missing}.") from error
