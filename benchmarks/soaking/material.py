"""What is run: small slides, with masks of their own or with the network ``sem``, and the bytes that must come of them.

A reference is made once for each slide and settings, by one worker that nobody disturbs, and is kept.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from benchmarks.soaking.process import Process

__all__ = ["SCENES", "Material", "Reference", "Scene", "contents"]

Settings = tuple[str, ...]

THREADS: Settings = ("--workers", "2")
PROCESSES: Settings = ("--cluster", "local-gpu", "--workers", "2", "--memory", "2")
"""Up to four workers of a machine are threads, unless each is to act as if it had a GPU."""

SIDES = {"masks": (170, 230), "network": (400, 520)}


@dataclass(frozen=True)
class Scene:
    """A slide, and the workers that run it.

    Attributes
    ----------
    slide : str
        The name of it, of :data:`SIDES`.
    workers : tuple of str
        Flags.
    often : int
        Its weight when one is chosen.
    """

    slide: str
    workers: Settings
    often: int

    @property
    def name(self) -> str:
        """What it is called in a row."""
        return f"{self.slide}, {'threads' if self.workers is THREADS else 'processes'}"


SCENES = (
    Scene("masks", THREADS, 24),  # which takes the least time
    Scene("masks", PROCESSES, 2),
    Scene("network", THREADS, 2),
    Scene("network", PROCESSES, 1),
)


@dataclass(frozen=True)
class Reference:
    """What comes of a run that nobody disturbs.

    Attributes
    ----------
    store : Path
    files : dict of str to str
        A digest of each.
    records : int
        Files of its journal.
    """

    store: Path
    files: dict[str, str]
    records: int


class Material:
    """Slides and references in a folder; each is made when it is first asked for, unless it is there.

    Parameters
    ----------
    folder : Path
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def slide(self, name: str) -> Path:
        """Return a slide."""
        from axonflow.phantom import Phantom, write

        path = self.folder / f"{name}.tif"
        if not path.exists():
            write(part := self.folder / "part.tif", Phantom(SIDES[name]), self.folder / f"{name} truth")
            part.rename(path)
        return path

    def words(self, name: str) -> list[str]:
        """Return what a command is told of a slide, besides changed settings."""
        slide = str(self.slide(name))
        if name == "masks":
            return [slide, "--labels", str(self.folder / f"{name} truth" / "labels.tif"), "--chunk", "64"]
        return [slide, "--model", "sem", "--chunk", "512"]

    def reference(self, name: str, changed: Settings = ()) -> Reference:
        """Return the reference of a slide and of changed settings."""
        own = self.folder / " ".join((name, *changed))
        store, known = own / "slide.ome.zarr", own / "reference.json"
        if not known.exists():
            shutil.rmtree(own, ignore_errors=True)
            own.mkdir()
            words = ["map", *self.words(name), "--out", str(store), "--workers", "1", *changed]
            ended = Process(words, own / "log", own).wait()
            if ended.code:
                raise SystemExit(ended.said)
            records = sum(path.is_file() for path in (store / ".axonflow" / "journal").rglob("*"))
            known.write_text(json.dumps({"files": contents(store), "records": records}))
        return Reference(store, **json.loads(known.read_text()))


def contents(store: Path) -> dict[str, str]:
    """Digest every file of a store but its record, log and journal, and what a report draws."""
    return {
        str(path.relative_to(store)): sha256(path.read_bytes()).hexdigest()
        for path in sorted(store.rglob("*"))
        if path.is_file()
        and path.name not in {"report.html", "run.json", "run.log"}
        and not {".axonflow", "figures"} & {*path.relative_to(store).parts}
    }
