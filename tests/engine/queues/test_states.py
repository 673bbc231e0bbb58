"""What queueing systems answer is read as it stands; the systems are programs that print what a test gives them."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from axonflow.engine.ledger import Ledger
from axonflow.engine.queues import QUEUES, system
from axonflow.engine.queues.system import GONE, JobState

Say = Callable[[str, str], None]


@pytest.fixture
def called(tmp_path: Path) -> Path:
    """Every call of a program, a line each."""
    return tmp_path / "called"


@pytest.fixture
def say(tmp_path: Path, called: Path, monkeypatch: pytest.MonkeyPatch) -> Say:
    """Put a program on the path, by its name and its script."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))

    def write(name: str, script: str) -> None:
        program = folder / name
        program.write_text(f'#!/bin/sh\necho "{name} $*" >>"{called}"\n{script}\n')
        program.chmod(0o700)

    return write


SQUEUE = """/bin/cat <<END
1|RUNNING|None
2|PENDING|Resources
3|COMPLETED|None
4|CANCELLED|None
5|PENDING|AssocGrpCPUMinutesLimit|of a lab
6|REQUEUED|BeginTime
7|COMPLETING|None
END"""


def test_what_slurm_says(say: Say) -> None:
    say("squeue", SQUEUE)
    found = QUEUES["slurm"].states(list("12345679"))
    assert found is not None
    assert found["1"] == JobState(waits=False, runs=True)
    assert found["2"] == JobState(waits=True, runs=False, reason="Resources")
    assert [job for job, state in found.items() if state.known] == ["1", "2", "5", "6", "7"]
    assert [job for job, state in found.items() if state.waits] == ["2", "5", "6"]
    assert [job for job, state in found.items() if state.runs] == ["1", "7"]
    assert found["5"].reason == "AssocGrpCPUMinutesLimit|of a lab"
    assert found["9"] == found["3"] == GONE


@pytest.mark.parametrize("script", ["echo slurm_load_jobs error >&2; exit 1", None])
def test_a_slurm_that_does_not_answer(say: Say, script: str | None) -> None:
    if script:
        say("squeue", script)
    assert QUEUES["slurm"].states(["1"]) is None


@pytest.mark.parametrize(
    ("name", "program", "words"), [("pbs", "qstat", ""), ("sge", "qstat", "-j "), ("lsf", "bjobs", "")]
)
def test_what_the_others_say(say: Say, called: Path, name: str, program: str, words: str) -> None:
    say(program, '[ "$1" = 7.host ] || [ "$2" = 7.host ] || { echo unknown job >&2; exit 1; }')
    assert QUEUES[name].states(["7.host", "8.host"]) == {"7.host": JobState(), "8.host": GONE}
    assert called.read_text().splitlines() == [f"{program} {words}7.host", f"{program} {words}8.host"]


def test_jobs_that_ended_may_still_be_known(say: Say) -> None:
    heads = "JOBID   USER    STAT  QUEUE      FROM_HOST   EXEC_HOST   JOB_NAME   SUBMIT_TIME"
    say("bjobs", f'echo "{heads}"; echo "$1     me      $([ $1 = 1 ] && echo RUN || echo EXIT)   normal     a b c"')
    assert QUEUES["lsf"].states(["1", "2"]) == {"1": JobState(), "2": GONE}
    heads = "Job id            Name             User              Time Use S Queue"
    say("qstat", f'echo "{heads}"; echo "$1.host  axonflow  me  00:00:01 $([ $1 = 1 ] && echo Q || echo C) batch"')
    assert QUEUES["pbs"].states(["1", "2"]) == {"1": JobState(), "2": GONE}


@pytest.mark.parametrize(
    ("name", "program", "asks"), [("pbs", "qdel", "qstat"), ("sge", "qdel", "qstat"), ("lsf", "bkill", "bjobs")]
)
def test_jobs_are_ended_in_one_call(say: Say, called: Path, name: str, program: str, asks: str) -> None:
    say(program, "")
    say(asks, "exit 1")
    QUEUES[name].cancel(["1", "2"])
    assert called.read_text().splitlines()[0] == f"{program} 1 2"


def test_ended_jobs_are_waited_for(say: Say, called: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SimpleNamespace(monotonic=time.monotonic, sleep=lambda _: (tmp_path / "over").touch())
    monkeypatch.setattr(system, "time", clock)  # there alone: other threads sleep, too
    say("scancel", "")
    say("squeue", f'[ -e "{tmp_path}/over" ] && echo "1|CANCELLED|None" || echo "1|COMPLETING|None"')
    QUEUES["slurm"].cancel(["1"])
    assert [line.split()[0] for line in called.read_text().splitlines()] == ["scancel", "squeue", "squeue"]


def test_a_job_that_does_not_end_is_not_waited_for_for_ever(say: Say, called: Path) -> None:
    say("scancel", "exit 1")
    say("squeue", "echo '1|RUNNING|None'")
    QUEUES["slurm"].cancel(["1"], wait_s=0.1)
    assert "scancel 1" in called.read_text()


def test_no_jobs_no_calls(say: Say, called: Path) -> None:
    say("scancel", "")
    QUEUES["slurm"].cancel([])
    assert not called.exists()


def test_the_jobs_of_a_killed_driver_are_ended(say: Say, called: Path, tmp_path: Path) -> None:
    say("scancel", "")
    say("squeue", "")
    path = tmp_path / "jobs.json"
    Ledger(path).write("slurm", ["12", "11"])
    assert json.loads(path.read_text()) == {"system": "slurm", "jobs": ["11", "12"]}
    Ledger(path).end_jobs()
    assert called.read_text().splitlines()[0] == "scancel 11 12"
    assert not path.exists()
    called.unlink()
    Ledger(path).end_jobs()
    assert not called.exists()


def test_a_system_that_is_not_there_ends_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", os.fspath(tmp_path))
    QUEUES["slurm"].cancel(["1"])  # another machine's ledger
    assert QUEUES["pbs"].states(["1"]) is None


def test_names_alone_do_not_load_dask() -> None:
    """The help of the command names all systems, and a status is asked for every few seconds."""
    code = "import sys, axonflow.engine.profile; sys.exit('dask' in sys.modules or 'dask_jobqueue' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("name", QUEUES)
def test_what_is_needed_to_make_a_job_is_there(name: str) -> None:
    module, job = QUEUES[name].job_class
    assert QUEUES[name].name == name == getattr(importlib.import_module(module), job).config_name
    assert QUEUES[name].cancel_command == getattr(importlib.import_module(module), job).cancel_command
