"""Libraries have a folder of their own to write to, whatever of the usual ones is closed."""

from __future__ import annotations

import os
import tempfile
from functools import partial
from pathlib import Path

import pytest

from axonflow.kernel import caches
from axonflow.kernel.caches import can_be_written, prepare_caches, temporary_cache, user_folder

CLOSED = Path("/proc/nothing")
"""Not even root may make it."""


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    for name in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "MPLCONFIGDIR"):
        monkeypatch.setenv(name, "")  # so that what is set is taken back
    return folder


def test_a_folder_is_made_if_it_can_be_written(tmp_path: Path) -> None:
    assert can_be_written(tmp_path / "a" / "b")
    assert list((tmp_path / "a" / "b").iterdir()) == []
    assert not can_be_written(CLOSED)
    (tmp_path / "file").touch()
    assert not can_be_written(tmp_path / "file")


def test_a_full_disk_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full = partial(open, "/dev/full", "wb")
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **_: full())
    assert not can_be_written(tmp_path)


def test_a_user_without_a_home_has_no_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", unknown)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert user_folder("XDG_CACHE_HOME", ".cache") is None


def test_a_temporary_folder_is_found_again_and_is_nobody_elses(temporary: Path) -> None:
    found = temporary_cache("numba")
    assert found is not None
    assert found == temporary_cache("numba")
    assert found.is_relative_to(temporary)
    assert found.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("kind", ["open to all", "a link", "a file"])
def test_what_another_could_have_made_is_not_used(kind: str, temporary: Path) -> None:
    place = temporary / f"axonflow-{os.getuid()}"
    elsewhere = temporary / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    if kind == "open to all":
        place.mkdir()
        place.chmod(0o777)
    elif kind == "a link":
        place.symlink_to(elsewhere)
    else:
        place.touch()
    found = temporary_cache("numba")
    assert found is None or not found.is_relative_to(temporary)


@pytest.mark.parametrize("closed", ["cache", "config", "both", "none"])
def test_only_folders_that_are_closed_are_replaced(
    closed: str, temporary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for part, variable in (("cache", "XDG_CACHE_HOME"), ("config", "XDG_CONFIG_HOME")):
        monkeypatch.setenv(variable, str(CLOSED if closed in {part, "both"} else tmp_path / part))
    prepare_caches()
    instead = closed in {"cache", "both"}
    assert Path(os.environ["XDG_CACHE_HOME"]).is_relative_to(temporary if instead else tmp_path / "cache")
    assert os.environ["MPLCONFIGDIR"].startswith(str(temporary)) is (closed in {"config", "both"})


def test_where_nothing_can_be_written_nothing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caches, "_temporary", lambda: iter([CLOSED]))
    monkeypatch.setenv("XDG_CACHE_HOME", str(CLOSED))
    monkeypatch.setenv("MPLCONFIGDIR", str(CLOSED))
    prepare_caches()
    assert os.environ["XDG_CACHE_HOME"] == os.environ["MPLCONFIGDIR"] == str(CLOSED)
