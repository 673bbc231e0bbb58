"""The jobs of a run on disk, so that what a killed driver left in the queue can be ended by the next one."""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from axonflow.engine.queues import QUEUES
from axonflow.kernel.documents import read_json
from axonflow.kernel.files import remove, write_file

__all__ = ["Ledger"]

log = logging.getLogger(__name__)


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
        """End the jobs that are noted, and remove the file; of a file that is damaged nothing can be ended."""
        if not os.path.lexists(self.path):
            return
        system, jobs = self._noted()
        if jobs:
            QUEUES[system].cancel(jobs)
        remove(self.path)

    def _noted(self) -> tuple[str, list[str]]:
        try:
            left = read_json(self.path)
            system, jobs = left["system"], left["jobs"]
            whole = system in QUEUES and all(re.fullmatch(r"\w[\w.\[\]-]*", job) for job in jobs)
        except (LookupError, OSError, TypeError, ValueError):
            whole = False
        if not whole:
            log.warning("%s is damaged: jobs of an earlier run may be left in the queue", self.path)
        return (system, list(jobs)) if whole else ("", [])
