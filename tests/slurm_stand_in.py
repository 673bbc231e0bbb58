"""A Slurm of three shell scripts: jobs wait until they are cancelled, and a folder holds a file for each."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture
def waiting_jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of their ids."""
    jobs, programs = tmp_path / "queued-jobs", tmp_path / "slurm"
    programs.mkdir()
    jobs.mkdir()
    for name, does in {
        "sbatch": f'touch "{jobs}/$$"; echo Submitted batch job $$',
        "squeue": f"ls \"{jobs}\" | sed 's/$/|PENDING|Priority/'",
        "scancel": f'cd "{jobs}" && rm -f "$@"',
    }.items():
        (programs / name).write_text(f"#!/bin/sh\n{does}\n")
        (programs / name).chmod(0o700)
    monkeypatch.setenv("PATH", str(programs), prepend=os.pathsep)
    return jobs
