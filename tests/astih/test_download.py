"""A data set is fetched whole by the dandi client, or not taken for whole; all on loopback."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from astih_server import Served, contents
from astih_sets import REAL, SEM1, install
from slides import command

from axonflow.training.bids import labelled_images


def test_without_the_client_its_install_command_is_said(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(None, tmp_path / "bin", monkeypatch)
    ran = command("astih", "download", "SEM1", tmp_path / "sem1")
    assert ran.code == 2
    assert "pip install 'dandi>=0.76'" in " ".join(ran.err.split())
    assert not (tmp_path / "sem1").exists()


def test_a_set_is_fetched_and_split(served: Served, dandi: str, sem: Path, tmp_path: Path) -> None:
    folder = tmp_path / "sem1"
    ran = command("astih", "download", "sem1", folder, "--make-splits")
    assert ran.code == 0
    fetched = contents(folder / SEM1.dandi)
    fetched.pop("dandiset.yaml", None)  # of the real client's own making
    assert fetched == contents(sem)
    assert "3 images" in ran.out
    assert {image.name for image in labelled_images(folder / "test")} == {"sub-rat6_sample-data15_SEM"}

    served.asked.clear()
    assert command("astih", "download", "SEM1", folder, "--make-splits").code == 0
    assert served.asked == []


def test_what_is_damaged_here_is_fetched_again(served: Served, dandi: str, sem: Path, tmp_path: Path) -> None:
    folder = tmp_path / "sem1"
    assert command("astih", "download", "SEM1", folder, "--make-splits").code == 0
    image = Path("sub-rat1", "micr", "sub-rat1_sample-data1_SEM.png")
    damaged = bytearray((sem / image).read_bytes())
    damaged[-20] ^= 1
    (folder / SEM1.dandi / image).write_bytes(damaged)
    served.asked.clear()
    assert command("astih", "download", "SEM1", folder, "--make-splits").code == 0
    assert [path for path, _ in served.asked] == [str(image)]
    for side in (SEM1.dandi, "train"):
        assert (folder / side / image).read_bytes() == (sem / image).read_bytes()


def test_what_arrives_damaged_is_not_split(served: Served, dandi: str, sem: Path, tmp_path: Path) -> None:
    folder = tmp_path / "sem1"
    served.rotten.add("sub-rat6/micr/sub-rat6_sample-data15_SEM.png")
    ran = command("astih", "download", "SEM1", folder, "--make-splits")
    assert ran.code == 1
    assert "run again to continue" in " ".join(ran.err.split())
    assert not (folder / "train").exists()
    served.rotten.clear()
    served.asked.clear()
    assert command("astih", "download", "SEM1", folder, "--make-splits").code == 0
    assert 0 < len(served.asked) < len(contents(sem))  # what was there is not fetched again
    assert (folder / "test").exists()


@pytest.mark.dandi
def test_the_client_continues_inside_a_file(
    served: Served, sem: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(REAL, tmp_path / "bin", monkeypatch)
    path = "sub-rat6/micr/sub-rat6_sample-data15_SEM.png"
    served.breaks[path] = 500
    monkeypatch.setenv("DANDI_MAX_CHUNK_SIZE", "100")  # it keeps whole blocks, of megabytes unless told otherwise
    assert command("astih", "download", "SEM1", tmp_path / "sem1").code == 0
    assert (path, "bytes=500-") in served.asked
    assert (tmp_path / "sem1" / SEM1.dandi / path).read_bytes() == (sem / path).read_bytes()


def test_an_interrupted_download_says_how_to_continue(
    served: Served, stand_in: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*given: object, **more: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(subprocess, "run", interrupted)
    ran = command("astih", "download", "SEM1", tmp_path / "sem1")
    assert ran.code == 130
    assert "same command again" in ran.err


def test_an_address_that_is_none_is_refused(stand_in: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AXONFLOW_DANDI", "dandi")
    ran = command("astih", "download", "SEM1", tmp_path / "sem1")
    assert ran.code == 2
    assert "AXONFLOW_DANDI" in ran.err
