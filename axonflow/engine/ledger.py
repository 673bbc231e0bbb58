"""The jobs of a run on disk, so that what a killed driver left in the queue can be ended by the next one."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from axonflow.engine.queues import QUEUES
from axonflow.kernel.files import write_file

__all__ = ["Ledger"]


@dataclass(frozen=True, slots=True)
class Ledger:
    """A file that names the jobs of a run.

    Attributes
    ----------
    path : Path
    """

    path: Path

    def write(self, system: str, jobs: Iterable[str]) -> None:
        """Note the jobs that there are now."""
        write_file(self.path, json.dumps({"system": system, "jobs": sorted(jobs)}).encode())

    def end_jobs(self) -> None:
        """End the jobs that are noted, and remove the file."""
        if self.path.exists():
            left = json.loads(self.path.read_text())
            QUEUES[left["system"]].cancel(left["jobs"])
            self.path.unlink()
