"""The progress of a run, judged from the files of its store alone.

``STORE/.axonflow/status.json`` is written by the driver, which may be on another machine and may be gone without a
word. So it is written every ten seconds whether or not anything ended, and a file that has grown old says that the run
has stopped. Ages are taken between two files of the same file system, as the clocks of two machines differ.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, Literal, get_args

import psutil

from axonflow.errors import StoreError
from axonflow.kernel.documents import parse_json, read_file, shown
from axonflow.kernel.files import remove
from axonflow.kernel.rate import duration
from axonflow.kernel.retry import retry
from axonflow.stages.titles import stage_title

__all__ = ["State", "Status", "forget_damaged", "read_status", "stores"]

State = Literal["queued", "running", "stopped", "failed", "done", "unreadable"]

SILENT_S = 60.0
"""Age of the file from which on its driver is taken for gone; shared file systems show changes late."""


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**63


def _may_be_number(value: Any) -> bool:
    return value is None or (type(value) in (int, float) and 0 <= value < 2.0**63)


_KINDS: dict[str, Callable[[Any], bool]] = {
    "state": lambda value: _is_text(value) and value in get_args(State),
    "workers": lambda value: value is None or _is_count(value),
    **dict.fromkeys(("done_px", "total_px", "all_done_px", "all_total_px", "pid"), _is_count),
    **dict.fromkeys(("rate_px_s", "remaining_s"), _may_be_number),
}
"""What values the fields of a status have; the others are text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """The progress of a run, at work or ended.

    Attributes
    ----------
    state : State
    stage : str
        The one at work, or the last one.
    done_px, total_px : int
        Of that stage.
    all_done_px, all_total_px : int
        Over all stages of the run.
    rate_px_s : float, optional
        Of the stage over the last minute.
    remaining_s : float, optional
        Until the stage is done.
    workers : int, optional
        As far as a pool counts them.
    note : str
        What is to be said of the workers, or of the state.
    host, job : str
        Where the driver runs, and as which job of a queueing system.
    pid : int
        Its process.
    started, updated : str
        ISO 8601, by that host's clock.
    error : str
        Why it failed or stopped.
    log : str
        Path of what the run writes down.
    """

    state: State
    stage: str = ""
    done_px: int = 0
    total_px: int = 0
    all_done_px: int = 0
    all_total_px: int = 0
    rate_px_s: float | None = None
    remaining_s: float | None = None
    workers: int | None = None
    note: str = ""
    host: str = ""
    job: str = ""
    pid: int = 0
    started: str = ""
    updated: str = ""
    error: str = ""
    log: str = ""

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Status:
        """Read what a driver wrote; what an older or newer one says besides is left out.

        Raises
        ------
        ValueError
            If a value is of another kind than drivers write.
        """
        found = {field.name: content[field.name] for field in fields(cls) if field.name in content}
        for name, value in found.items():
            if not _KINDS.get(name, _is_text)(value):
                raise ValueError(f"{name} is {shown(value)}")
        if "state" not in found:
            raise ValueError("it has no state")
        return cls(**found)

    @property
    def share(self) -> float | None:
        """What is done of the stage, 0 to 1."""
        return self.done_px / self.total_px if self.total_px else None

    @property
    def all_share(self) -> float | None:
        """What is done of all stages, 0 to 1."""
        return self.all_done_px / self.all_total_px if self.all_total_px else None


def stores(path: Path) -> Iterator[Path]:
    """Yield a store in which a run was begun or submitted, or all of them in a folder and its folders, by name."""
    if any(file.exists() for file in _files(path)):
        yield path
    elif path.is_dir() and path.suffix != ".zarr":  # the parts of another program's store are many
        with suppress(PermissionError):
            for inner in sorted(path.iterdir()):
                if not inner.name.startswith(".") and not inner.is_symlink():
                    yield from stores(inner)


def read_status(store: Path) -> Status:
    """Judge from a store's files alone how far its run is.

    The youngest of three tells: that it was submitted, that its record is complete, what its driver wrote last.

    Raises
    ------
    StoreError
        If nothing was ever begun there.
    """
    now = _now(store / ".axonflow")  # first: it makes a network file system look afresh
    submitted, record, begun = map(_read, _files(store))
    complete = record and record[1].get("complete")
    youngest = max((file[0] for file in (record if complete else None, begun) if file), default=0.0)
    if submitted and submitted[0] > youngest:
        return _queued(submitted[1])
    if begun:
        status = Status.from_json(begun[1])
        if (here := store / "run.log").exists():  # of a copy the driver named another
            status = replace(status, log=str(here))
        if complete:
            return _unless_damaged(replace(status, state="done", error=""), store)
        if status.state == "done":
            return replace(status, note=f"Up to the stage {stage_title(status.stage)}; 'axonflow run {store}' goes on.")
        return _alive(status, max(now - begun[0], 0.0)) if status.state == "running" else status
    if record:
        state: State = "done" if complete else "stopped"
        updated = datetime.fromtimestamp(record[0], UTC).isoformat(timespec="seconds")
        status = Status(state=state, updated=updated, log=str(store / "run.log"))
        return _unless_damaged(status, store) if complete else status
    raise StoreError(
        f"A store, or a folder with stores, was expected at {store}, but no run was begun or submitted there; give the "
        ".ome.zarr folder that 'axonflow run' writes."
    )


def forget_damaged(store: Path) -> None:
    """Remove what a driver or a submission wrote of its progress, if it cannot be read any more."""
    for path in _files(store):
        if path.name != "run.json":
            try:
                _read(path)
            except StoreError:
                remove(path)


def _files(store: Path) -> tuple[Path, Path, Path]:
    return store / ".axonflow" / "submitted.json", store / "run.json", store / ".axonflow" / "status.json"


def _alive(status: Status, age_s: float) -> Status:
    """Say that a run has stopped if its driver is gone."""
    if status.host == platform.node() and not psutil.pid_exists(status.pid):
        return replace(status, state="stopped", error=f"Its process {status.pid} on {status.host} is gone.")
    if age_s < SILENT_S:
        return status
    return replace(
        status,
        state="stopped",
        error=f"Nothing was heard of its process {status.pid} on {status.host} for {duration(age_s)}.",
    )


def _unless_damaged(status: Status, store: Path) -> Status:
    """Say of a finished store that it is not whole, as far as presence and sizes of its files tell."""
    from axonflow.engine.proof import named, prove  # numpy, which a run that goes on does without

    damages = prove(store / ".axonflow" / "journal", quick=True).damages
    if not damages:
        return status
    return replace(status, state="stopped", error=f"Damaged since it was done: {named(damages, store)}.")


def _queued(submitted: Mapping[str, Any]) -> Status:
    """Say what is known of a job whose driver has not written anything."""
    log = str(submitted.get("log") or "")
    said = _last_words(Path(log)) if log else ""
    status = Status(
        state="failed" if said.startswith("axonflow:") else "queued",
        host=str(submitted.get("host", "")),
        job=f"{submitted.get('system', '')} {submitted.get('job', '')}".strip(),
        started=str(submitted.get("at", "")),
        log=log,
    )
    if status.state == "failed":
        return replace(status, error=said.removeprefix("axonflow:").strip())
    return replace(status, note=f"Its log ends with {said!r}." if said else "")


def _last_words(log: Path) -> str:
    """Return the last line of a log; of the program itself, if there are such among the last."""
    try:
        lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    except OSError:
        return ""
    own = [line for line in lines[-10:] if line.startswith("axonflow:")]
    return (own or lines or [""])[-1]


def _now(folder: Path) -> float:
    """Return the time by the clock that stamps this folder's files, or by our own if we may not write there."""
    try:
        with TemporaryFile(dir=folder) as file:
            return os.fstat(file.fileno()).st_mtime
    except OSError:
        return time.time()


def _read(path: Path) -> tuple[float, dict[str, Any]] | None:
    """Return when a JSON file was written, and what is in it; None if there is none."""

    def opened() -> tuple[float, bytes]:
        return path.stat().st_mtime, read_file(path)

    try:
        written, content = retry(opened)
        found = parse_json(content)
        if not isinstance(found, dict):
            raise ValueError(f"{shown(found)} is no object")
        if path.name == "status.json":
            Status.from_json(found)
        return written, found
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise StoreError(
            f"JSON was expected in {path}, but it is damaged: {error}; run again to replace it."
        ) from error
