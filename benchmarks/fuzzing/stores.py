"""Stores of axonflow: journal, record, status, tables and arrays; and whole runs, which make them."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from google_crc32c import value as crc32c
from PIL import Image

from axonflow.errors import AxonflowError
from benchmarks.fuzzing.containers import changed_npz, changed_parquet, changed_png, changed_tiff
from benchmarks.fuzzing.drawings import change_geojson, make_geojson
from benchmarks.fuzzing.kind import ClaimError, Kind, changed_json_file, misplace, replaced
from benchmarks.fuzzing.pictures import SCALE, picture, tissue
from benchmarks.fuzzing.values import changed_bytes, changed_json

__all__ = ["KINDS"]


def _make_store(folder: Path) -> None:
    from axonflow.api import run

    tifffile.imwrite(folder / "slide.tif", picture(), tile=(32, 32), compression="zlib", **SCALE)
    Image.fromarray(np.array([0, 127, 255], np.uint8)[tissue()]).save(folder / "labels.png")
    make_geojson(folder)
    run(
        folder / "slide.tif",
        folder / "slide.ome.zarr",
        labels=folder / "labels.png",
        regions=folder / "tracts.geojson",
        cell=2.0,
        workers=1,
    )


def _store(folder: Path) -> Path:
    return folder / "slide.ome.zarr"


def _journal_entries(folder: Path) -> list[Path]:
    return sorted(path for path in (_store(folder) / ".axonflow" / "journal").rglob("*") if path.is_file())


def renamed(path: Path, content: bytes) -> None:
    """Write a file of the journal anew, with the checksum in its name that fits."""
    name, _, kind = path.name.split(".")
    path.unlink()
    path.with_name(f"{name}.{crc32c(content):08x}.{kind}").write_bytes(content)


def _change_journal(chance: random.Random, folder: Path) -> None:
    for _ in range(chance.choice((1, 1, 2))):
        entries = [path for path in _journal_entries(folder) if path.is_file() and path.name.count(".") == 2]
        if not entries:
            return
        path = chance.choice(entries)
        kind = chance.random()
        if kind < 0.06:
            misplace(chance, path)
        elif kind < 0.12:
            path.rename(
                path.with_name(chance.choice(("begun..json", "x.npz", ".npz", "begun.json", "done.0.json", "-1.0.npz")))
            )
        elif path.suffix == ".json":
            renamed(path, changed_json_file(chance, path))
        else:
            try:
                changed = changed_npz(chance, path.read_bytes())
            except Exception:  # it was changed before
                changed = changed_bytes(chance, path.read_bytes())
            renamed(path, changed)


def _use_journal(chance: random.Random, folder: Path) -> None:
    _through_doors(chance, folder, ("check", "check", "run", "open", "status"))


def _change_record(chance: random.Random, folder: Path) -> None:
    path = _store(folder) / "run.json"
    replaced(chance, path, lambda: changed_json_file(chance, path))


def _use_record(chance: random.Random, folder: Path) -> None:
    _through_doors(chance, folder, ("info", "open", "check", "status", "export", "run"))


_PRIVATE: dict[str, Any] = {
    "status.json": {"state": "running", "stage": "measure", "done_px": 4, "total_px": 9, "all_done_px": 5, "pid": 4},
    "submitted.json": {"log": "/tmp/none", "host": "h", "system": "slurm", "job": "4", "at": "2026-01-01T00:00:00"},
    "jobs.json": {"system": "slurm", "jobs": ["1", "2"]},
    "scheduler.json": {"address": "tls://127.0.0.1:8786"},
}


def _change_private(chance: random.Random, folder: Path) -> None:
    for name, content in _PRIVATE.items():
        path = _store(folder) / ".axonflow" / name
        replaced(chance, path, partial(changed_json, chance, content))
    if chance.random() < 0.5:
        (_store(folder) / "run.json").unlink()
    if chance.random() < 0.6:
        submitted = _store(folder) / ".axonflow" / "submitted.json"
        submitted.rmdir() if submitted.is_dir() else submitted.unlink()


def _use_private(_chance: random.Random, folder: Path) -> None:
    from axonflow.engine import certificates
    from axonflow.engine.ledger import Ledger

    private = _store(folder) / ".axonflow"
    doors: list[Callable[[], object]] = [
        lambda: _door("status", _store(folder)),
        lambda: _door("status", folder),
        lambda: certificates.scheduler(str(private)),
        lambda: Ledger(private / "jobs.json").end_jobs(),
    ]
    _through(doors)


def _change_table(chance: random.Random, folder: Path) -> None:
    path = _store(folder) / "tables" / chance.choice(("fibers.parquet", "fibers.parquet", "regions.parquet"))
    replaced(chance, path, lambda: changed_parquet(chance, path.read_bytes()))
    _agree(chance, folder, path)


def _agree(chance: random.Random, folder: Path, path: Path) -> None:
    """Have the journal say, in most cases, that a file is as it should be."""
    if chance.random() < 0.3 or not path.is_file() or path.stat().st_size > 2**24:
        return
    content = path.read_bytes()
    name = path.relative_to(_store(folder)).as_posix()
    for entry in _journal_entries(folder):
        if entry.suffix == ".json" and f'"{name}"' in entry.read_text():
            said = json.loads(entry.read_text())
            if name in said["files"]:
                said["files"][name] = [len(content), crc32c(content)]
                if name in said["contents"]:
                    said["contents"][name] = content.decode(errors="replace")
                renamed(entry, json.dumps(said).encode())


def _use_table(chance: random.Random, folder: Path) -> None:
    _through_doors(chance, folder, ("open", "check", "info", "export"))


def _change_arrays(chance: random.Random, folder: Path) -> None:
    store = _store(folder)
    paths = [path for path in sorted(store.rglob("*")) if path.is_file() and ".axonflow" not in path.parts]
    paths = [
        path
        for path in paths
        if path.parent.name != "tables" and path.suffix in {"", ".json"} and path.name != "run.json"
    ]
    for _ in range(chance.choice((1, 1, 2))):
        metadata = chance.random() < 0.7
        path = chance.choice([each for each in paths if (each.name == "zarr.json") == metadata])
        if not path.is_file() or path.is_symlink() or path.stat().st_size > 2**20:
            continue
        if metadata:
            replaced(chance, path, partial(changed_json_file, chance, path))
        else:
            replaced(chance, path, partial(changed_bytes, chance, path.read_bytes()))
        _agree(chance, folder, path)


def _use_arrays(chance: random.Random, folder: Path) -> None:
    _through_doors(chance, folder, ("open", "check", "info", "view"))


def _through_doors(chance: random.Random, folder: Path, doors: tuple[str, ...]) -> None:
    """Go through some of the doors; each may refuse, none may break."""
    _through([partial(_enter, door, folder) for door in chance.sample(doors, 2)])


def _through(doors: list[Callable[[], object]]) -> None:
    refusal: AxonflowError | None = None
    for door in doors:
        try:
            door()
        except AxonflowError as error:
            refusal = error
    if refusal is not None:
        raise refusal


def _enter(door: str, folder: Path) -> None:
    store = _store(folder)
    match door:
        case "open":
            _open(store)
        case "check":
            from axonflow.results.check import check, rests_on

            for damage in check(store).proof.damages:
                rests_on(damage)
        case "run":
            _run(folder)
        case "export":
            _door("export", store, "--format", "geojson", "--out", folder / "out.geojson")
        case "view":
            from axonflow.results.viewer.scene import Scene

            scene = Scene(_opened(store))
            _through([lambda: scene.window, lambda: scene.legend, lambda: scene.fibers])
        case _:
            _door(door, store)


def _opened(store: Path) -> Any:
    from axonflow.results.analysis import open_store

    return open_store(store)


def _open(store: Path) -> None:
    analysis = _opened(store)
    parts: list[Callable[[], object]] = [
        lambda: analysis.summary,
        lambda: analysis.warnings,
        lambda: analysis.classes,
        lambda: analysis.fibers,
        lambda: analysis.regions,
        lambda: analysis.axon_count,
        lambda: analysis.image.compute(scheduler="synchronous"),
        lambda: [each.compute(scheduler="synchronous") for each in analysis.labels.values()],
    ]
    _through(parts)


def _door(*words: object) -> None:
    """Give a command; what it refuses is raised."""
    from typer.testing import CliRunner

    from axonflow.cli import app

    result = CliRunner().invoke(app, [str(word) for word in words])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    if result.exit_code:
        raise AxonflowError(result.stderr.strip().removeprefix("axonflow: "))


def _run(folder: Path) -> None:
    """Run; what is refused must not be called complete afterwards, unless it was a finished store that is as it was."""
    from axonflow.api import run

    run(
        folder / "slide.tif",
        _store(folder),
        labels=folder / "labels.png",
        regions=folder / "tracts.geojson",
        cell=2.0,
        workers=1,
    )


def _change_run(chance: random.Random, folder: Path) -> None:
    shutil.rmtree(_store(folder))
    match chance.randrange(3):
        case 0:
            path = folder / "slide.tif"
            path.write_bytes(changed_tiff(chance, path.read_bytes()))
        case 1:
            path = folder / "labels.png"
            path.write_bytes(changed_png(chance, path.read_bytes()))
        case _:
            change_geojson(chance, folder)


def _use_run(_chance: random.Random, folder: Path) -> None:
    try:
        _run(folder)
    except BaseException:
        record = _store(folder) / "run.json"
        if record.exists() and json.loads(record.read_bytes())["complete"]:
            raise ClaimError("the store says that it is complete") from None
        raise
    from axonflow.results.check import check

    if not check(_store(folder)).sound:
        raise ClaimError("a run ended, and its store is not sound")


KINDS = (
    Kind("journals", 5, _make_store, _change_journal, _use_journal),
    Kind("run records", 3, _make_store, _change_record, _use_record),
    Kind("status, jobs", 3, _make_store, _change_private, _use_private),
    Kind("Parquet", 3, _make_store, _change_table, _use_table),
    Kind("stores' arrays", 3, _make_store, _change_arrays, _use_arrays),
    Kind("whole runs", 2, _make_store, _change_run, _use_run),
)
