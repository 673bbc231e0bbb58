"""A lock is held by one process at a time; where a file system has none, nobody fails."""

from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from axonflow.kernel.lock import locked

TAKE = """
import sys
from pathlib import Path
from axonflow.kernel.lock import locked

try:
    with locked(Path(sys.argv[1])) as protected:
        print(protected)
except BlockingIOError:
    print("held")
"""


def another(path: Path) -> str:
    """Have another process try it."""
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", TAKE, str(path)]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=True, timeout=60).stdout.strip()


def answering(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def answer(_handle: int, _operation: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", answer)


def test_it_is_held_by_one_process_and_let_go_of(tmp_path: Path) -> None:
    with locked(tmp_path / "lock") as protected:
        assert protected
        assert another(tmp_path / "lock") == "held"
    assert another(tmp_path / "lock") == "True"


def test_it_is_let_go_of_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(KeyError), locked(tmp_path / "lock"):
        raise KeyError
    assert another(tmp_path / "lock") == "True"


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP])
def test_without_locks_nothing_protects(number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, number)
    with locked(tmp_path / "lock") as protected, locked(tmp_path / "lock") as other:
        assert (protected, other) == (False, False)


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE])
def test_other_faults_are_not_taken_for_that(number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, number)
    with pytest.raises(OSError, match=os.strerror(number)), locked(tmp_path / "lock"):
        pass
