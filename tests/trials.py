"""A slide that is run on a real Slurm, by a driver that can be struck."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SMALL = ("--memory", 1, "--walltime", "00:10:00")
"""What workers of a test need."""


@dataclass(frozen=True)
class Trial:
    """A slide in a folder of its own.

    Attributes
    ----------
    folder : Path
    flags : tuple of str
        How it is cut and analysed.
    expected : dict
        What is in its store when this machine has run it.
    """

    folder: Path
    flags: tuple[str, ...]
    expected: dict[str, str]

    @property
    def slide(self) -> Path:
        """The slide."""
        return self.folder / "slide.tif"

    @property
    def store(self) -> Path:
        """Where its result goes."""
        return self.folder / "slide.ome.zarr"

    @property
    def private(self) -> Path:
        """The store's own folder."""
        return self.store / ".axonflow"

    def jobs(self) -> list[str]:
        """Return the jobs that were queued from its folder and are waiting or running."""
        asked = ("squeue", "--me", "--noheader", "--states=PENDING,RUNNING,SUSPENDED", "--format=%A|%Z")
        rows = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.splitlines()
        return [job for job, where in (row.split("|") for row in rows) if where == str(self.folder)]

    def recorded(self) -> dict[Path, int]:
        """Return the batches that were recorded, and when each was."""
        return {path: path.stat().st_mtime_ns for path in (self.private / "journal").glob("*/*/*.npz")}

    @contextmanager
    def driven(self, *flags: object) -> Iterator[subprocess.Popen[bytes]]:
        """Run it on Slurm in a process of its own, which is killed at the end."""
        words = [sys.executable, "-m", "axonflow", "run", "slide.tif", *self.flags, "--cluster", "slurm"]
        with (self.folder / "driver.log").open("ab") as log:
            given = [*words, *map(str, (*SMALL, *flags))]
            process = subprocess.Popen(given, cwd=self.folder, stdout=log, stderr=log)
        try:
            yield process
        finally:
            process.kill()
            process.wait()

    def strike(self, process: subprocess.Popen[bytes], batches: int) -> None:
        """Wait until a run that goes on has recorded so many batches."""
        wait(lambda: len(self.recorded()) >= batches or process.poll() is not None)
        assert process.poll() is None, self.said()

    def said(self) -> str:
        """Return what drivers have printed."""
        return (self.folder / "driver.log").read_text()


def wait(until: Callable[[], object], seconds: float = 150.0) -> None:
    """Wait for something to become true."""
    end = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < end, f"it took more than {seconds} s"
        time.sleep(0.1)


def wait_for_job(job: str) -> None:
    """Wait for a job to end."""
    asked = ("squeue", "--noheader", "--states=PENDING,RUNNING,COMPLETING", "--format=%A", "--jobs", job)
    try:
        wait(lambda: not subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip(), 200)
    except AssertionError:
        subprocess.run(["scancel", job], check=False)
        raise
