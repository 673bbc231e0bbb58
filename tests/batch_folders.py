"""Three slides of a cord with their labels, listed in a manifest, and a batch of them that was run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from slides import LOCAL, files, picture, tissue, write_labels, write_slide

from axonflow.engine.pool import LocalPool
from axonflow.results.summary import Numbers, slide_numbers, summarise
from axonflow.workflow.batch import Entry, Outcome, SlideBegun, SlideDone, SlideFailed, open_batch, run_batch
from axonflow.workflow.job import Job
from axonflow.workflow.manifest import read_manifest

SHAPES = {"C3": (150, 170), "C5": (140, 220), "T1": (190, 130)}
"""Of the slides, px, by their levels."""

FIGURES = ("maps.png", "maps.svg", "distributions.png", "distributions.svg", "report.html")
"""What compares the slides."""

T = TypeVar("T")


@dataclass(frozen=True)
class BatchFolder:
    """A folder of three slides, each with its labels and its row of a manifest."""

    path: Path

    @classmethod
    def filled(cls, path: Path) -> BatchFolder:
        """Write slides, labels and manifest."""
        for seed, (level, shape) in enumerate(SHAPES.items()):
            classes = tissue(shape, seed)
            write_slide(path / f"{level}.tif", picture(classes, seed=seed))
            write_labels(path / f"{level}.png", classes)
        folder = cls(path)
        folder.write("slide,level,labels", *(f"{level}.tif,{level},{level}.png" for level in SHAPES))
        return folder

    @property
    def manifest(self) -> Path:
        """The table of the slides."""
        return self.path / "cords.csv"

    @property
    def out(self) -> Path:
        """Where the stores go."""
        return self.path / "cords"

    @property
    def summary(self) -> pd.DataFrame:
        """The table that the command wrote."""
        return pd.read_csv(self.out / "summary.csv")

    def write(self, *lines: str) -> None:
        """Write another manifest."""
        self.manifest.write_text("\n".join(lines) + "\n")

    def open(self) -> tuple[Entry, ...]:
        """Open what the manifest lists."""
        return open_batch(read_manifest(self.manifest), {"cell_um": 6.0}, self.out)

    def digests(self) -> dict[str, str]:
        """Digest the files of all stores."""
        stores = self.out.glob("*.zarr")
        return {f"{store.name}/{name}": digest for store in stores for name, digest in files(store).items()}


class Notes(list[tuple[str, str, str]]):
    """What happened to the slides of a batch: level, state, reason."""

    def note(self, event: object) -> None:
        """Note it, if it is a slide's."""
        match event:
            case SlideBegun(entry):
                self.append((entry.listed.level, "begun", ""))
            case SlideDone(entry):
                self.append((entry.listed.level, "done", ""))
            case SlideFailed(entry, reason):
                self.append((entry.listed.level, "failed", reason))


def run(entries: Sequence[Entry], then: Callable[[Job], T], notes: Notes | None = None) -> tuple[Outcome[T], ...]:
    """Run slides in this process."""
    return run_batch(entries, LocalPool(), LOCAL, (Notes() if notes is None else notes).note, then)


@dataclass(frozen=True)
class Finished:
    """A batch that was run."""

    folder: BatchFolder
    notes: Notes
    table: pd.DataFrame


@pytest.fixture
def batch_folder(tmp_path: Path) -> BatchFolder:
    """Three slides that nobody has run."""
    return BatchFolder.filled(tmp_path)


@pytest.fixture(scope="session")
def masked_batch(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """A batch that is done: of C3 what lies under a mask counts, of C5 everything, of T1 nothing."""
    folder, notes = BatchFolder.filled(tmp_path_factory.mktemp("masked")), Notes()
    for name, shape in (("mask", (15, 17)), ("nothing", (4, 4))):
        mask = np.zeros(shape, np.uint8)
        mask[2:-4, 1:-3] = name == "mask"
        Image.fromarray(mask).save(folder.path / f"{name}.png")
    folder.write(
        "slide,level,labels,mask", "C3.tif,C3,C3.png,mask.png", "C5.tif,C5,C5.png,", "T1.tif,T1,T1.png,nothing.png"
    )
    return Finished(folder, notes, tabulated(folder.open(), notes))


def tabulated(entries: Sequence[Entry], notes: Notes | None = None) -> pd.DataFrame:
    """Run slides in this process, and return their table."""
    outcomes: tuple[Outcome[Numbers], ...] = run(entries, slide_numbers, notes)
    return summarise(outcomes)


def store_of(job: Job) -> Path:
    """Return the store of a finished slide, which is all that some tests make of it."""
    return job.config.out
