"""A Slurm of three shell scripts: jobs wait until they are cancelled, and a file holds the ids of those there are."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture
def waiting_jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of their ids, a line each."""
    jobs, programs = tmp_path / "queued-jobs", tmp_path / "slurm"
    programs.mkdir()
    jobs.touch()
    for name, does in {
        "sbatch": f'echo $$ >>"{jobs}"; echo Submitted batch job $$',
        "squeue": f"sed 's/$/|PENDING|Priority/' \"{jobs}\"",
        "scancel": f'for job; do sed -i "/^$job\\$/d" "{jobs}"; done',
    }.items():
        (programs / name).write_text(f"#!/bin/sh\n{does}\n")
        (programs / name).chmod(0o700)
    monkeypatch.setenv("PATH", str(programs), prepend=os.pathsep)
    return jobs
