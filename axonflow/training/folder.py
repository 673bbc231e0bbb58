"""The folder of a training: whose it is, and that one process at a time writes there."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from axonflow.errors import StoreError
from axonflow.kernel.documents import read_json
from axonflow.kernel.files import make_folder, remove, sweep, write_file
from axonflow.kernel.lock import locked

__all__ = ["locked_folder"]


@contextmanager
def locked_folder(folder: Path, identity: Mapping[str, Any], *, fresh: bool = False) -> Iterator[bool]:
    """Hold a folder for this process and for one training.

    Parameters
    ----------
    folder : Path
        Made if it is not there.
    identity : Mapping
        All that decides the training's weights, JSON, with the name of its ``model``; written to ``training.json``.
    fresh : bool
        Whether what is there is removed, whatever training it is of.

    Yields
    ------
    bool
        Whether a lock protects it.

    Raises
    ------
    StoreError
        If the folder is in use, or is that of another training, or of none.
    """
    present = {path.name for path in folder.iterdir()} - {"lock"} if folder.is_dir() else set()
    if folder.is_file() or (present and "training.json" not in present):
        raise StoreError(
            f"An empty folder or the folder of a training was expected at {folder}, but "
            f"{'a file is' if folder.is_file() else 'other files are'} there; choose another --out."
        )
    make_folder(folder)
    with ExitStack() as holding:
        try:
            protected = holding.enter_context(locked(folder / "lock"))
        except BlockingIOError as error:
            raise StoreError(
                f"Another training is writing {folder}; wait for it to end, or choose another --out."
            ) from error
        sweep(folder)
        _claim(folder, identity, fresh=fresh)
        yield protected


def _noted(note: Path) -> Mapping[str, Any]:
    try:
        there: Mapping[str, Any] = read_json(note)
        if not isinstance(there["model"], str):
            raise TypeError("model")
    except (LookupError, OSError, TypeError, ValueError) as error:
        raise StoreError(
            f"What a training is of was expected in {note}, but it cannot be read ({error}); choose another --out, or "
            "remove its folder."
        ) from error
    return there


def _claim(folder: Path, identity: Mapping[str, Any], *, fresh: bool) -> None:
    note = folder / "training.json"
    there = _noted(note) if note.exists() else identity
    if there != identity and not fresh:
        have, want = _flat(there), _flat(identity)
        differ = [
            f"{name} {have.get(name)} there, {want.get(name)} here"
            for name in sorted(have.keys() | want.keys())
            if have.get(name) != want.get(name)
        ]
        raise StoreError(
            f"This training was expected in {folder}, but another is there ({'; '.join(differ)}); choose another "
            "--out, or start over with --fresh."
        )
    if fresh:
        _clear(folder, there["model"])
    write_file(note, (json.dumps(identity, indent=2, ensure_ascii=False) + "\n").encode())


def _clear(folder: Path, model: str) -> None:
    """Remove what a training has written, its state first: without it nothing else counts."""
    remove(folder / "state.pt")
    files = (f"{model}.json", f"{model}.safetensors", f"{model}.int8.safetensors")
    remove(*(folder / name for name in ("curve.jsonl", *files, "tensorboard")))


def _flat(table: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in table.items():
        flat |= _flat(value, f"{before}{name}.") if isinstance(value, Mapping) else {f"{before}{name}": value}
    return flat
