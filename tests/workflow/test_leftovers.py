from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest
from slides import command

from axonflow.errors import StoreError
from axonflow.results.check import check
from axonflow.workflow.leftovers import remove_left_certificates


@pytest.fixture
def killed(tmp_path: Path) -> Path:
    """A store whose driver was killed while it had workers."""
    store = tmp_path / "slide.ome.zarr"
    certificates = store / ".axonflow" / "certificates"
    certificates.mkdir(parents=True)
    (certificates / "key.pem").write_text("secret")
    (store / ".axonflow" / "journal").mkdir()
    (store / ".axonflow" / "status.json").write_text('{"state": "running", "pid": 0, "host": "elsewhere"}')
    return store


def _status(store: Path) -> None:
    assert command("status", store).code == 0


def _status_of_folder(store: Path) -> None:
    assert command("status", store.parent).code == 0


def _check(store: Path) -> None:
    assert not check(store).sound


@pytest.mark.parametrize("look", [_status, _status_of_folder, _check])
def test_whoever_looks_removes_the_certificates_of_a_killed_driver(killed: Path, look: object) -> None:
    assert callable(look)
    look(killed)
    assert not (killed / ".axonflow" / "certificates").exists()


@pytest.mark.parametrize("look", [_status, _status_of_folder, _check])
def test_those_of_a_driver_at_work_stay(killed: Path, look: object) -> None:
    assert callable(look)
    handle = os.open(killed / ".axonflow" / "lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        look(killed)
    finally:
        os.close(handle)
    assert (killed / ".axonflow" / "certificates" / "key.pem").exists()


def test_without_locks_only_a_process_of_this_machine_is_known_to_be_gone(
    killed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("axonflow.kernel.lock._take", lambda _handle: False)
    assert not remove_left_certificates(killed)
    status = killed / ".axonflow" / "status.json"
    status.write_text(f'{{"state": "running", "pid": {os.getpid()}, "host": "{os.uname().nodename}"}}')
    assert not remove_left_certificates(killed)
    status.write_text(f'{{"state": "running", "pid": 99999999, "host": "{os.uname().nodename}"}}')
    assert remove_left_certificates(killed)


def test_a_link_to_another_folder_is_left_alone(killed: Path, tmp_path: Path) -> None:
    certificates, other = killed / ".axonflow" / "certificates", tmp_path / "other"
    certificates.rename(other)
    certificates.symlink_to(other)
    assert not remove_left_certificates(killed)
    assert (other / "key.pem").exists()


def test_a_folder_that_is_no_store_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="another folder is there"):
        check(tmp_path)
