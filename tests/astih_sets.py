"""Data sets as ASTIH publishes them, a server that has them, and the dandi program or one like it."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from astih_server import Served, contents, serving, zipped
from PIL import Image
from slides import picture, tissue

from axonflow.astih import find_set

SEM1, TEM2 = find_set("SEM1"), find_set("TEM2")
REAL = os.environ.get("AXONFLOW_TEST_DANDI") or shutil.which("dandi")


def write_image(
    top: Path, name: str, size_um: float | None = 0.1, *, kinds: Sequence[str] = ("axon", "myelin")
) -> None:
    """Write an image with its masks as BIDS has them; its pixel size too, unless a file of others is to hold for it."""
    subject = name.partition("_")[0]
    classes = tissue((40, 50), sum(map(ord, name)))
    folder, masks = top / subject / "micr", top / "derivatives" / "labels" / subject / "micr"
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture(classes)).save(folder / f"{name}.png")
    if size_um is not None:
        (folder / f"{name}.json").write_text(json.dumps({"PixelSize": [size_um, size_um]}))
    for kind in kinds:
        masks.mkdir(parents=True, exist_ok=True)
        drawn = (classes == 1) if kind == "myelin" else (classes == 2)
        Image.fromarray((drawn * 255).astype(np.uint8)).save(masks / f"{name}_seg-{kind}-manual.png")


def write_top(top: Path, name: str) -> None:
    (top / "dataset_description.json").write_text(json.dumps({"Name": name, "BIDSVersion": "1.9.0"}))
    (top / "README").write_text("A sample.")


@pytest.fixture(scope="session")
def sem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A rat cord as SEM1 is laid out: a sidecar of its own, one of a subject, an image without masks, a test rat."""
    top = tmp_path_factory.mktemp("sem")
    write_top(top, "data_axondeepseg_sem")
    write_image(top, "sub-rat1_sample-data1_SEM", 0.13, kinds=("axon", "myelin", "axonmyelin"))
    write_image(top, "sub-rat3_sample-data9_SEM", None)
    write_image(top, "sub-rat3_sample-data10_SEM", None)
    write_image(top, "sub-rat3_sample-data1_SEM", None, kinds=())
    (top / "sub-rat3" / "micr" / "sub-rat3_SEM.json").write_text('{"PixelSize": [0.07, 0.07]}')
    write_image(top, "sub-rat6_sample-data15_SEM", 0.18)
    return top


@pytest.fixture(scope="session")
def tem(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Mice as TEM2 is laid out: the dandiset, and the test archive with the same mouse in it."""
    train, test = tmp_path_factory.mktemp("tem"), tmp_path_factory.mktemp("testing")
    write_top(train, "data_axondeepseg_srf")
    write_top(test, "data_axondeepseg_srf_testing")
    write_image(train, "sub-370_sample-0001_TEM", 0.00493)
    write_image(train, "sub-371_sample-0001_TEM", 0.00493, kinds=())
    write_image(test, "sub-370_sample-0003_acq-roi_TEM", 0.00493, kinds=("axon", "myelin", "uaxon"))
    return train, test


@pytest.fixture
def served(sem: Path, tem: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    assert TEM2.test_archive is not None
    with serving() as server:
        server.dandisets[SEM1.dandi, SEM1.version] = contents(sem)
        server.dandisets[TEM2.dandi, TEM2.version] = contents(tem[0])
        server.archives[TEM2.test_archive.path] = zipped(contents(tem[1]), "data_axondeepseg_srf_testing-r1")
        monkeypatch.setenv("AXONFLOW_DANDI", f"{server.url}/api")
        monkeypatch.setenv("AXONFLOW_GITHUB", server.url)
        yield server


def install(program: str | None, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a folder that holds this dandi, or none, all that is looked at."""
    folder.mkdir()
    if program is not None:
        (folder / "dandi").write_text(f'#!/bin/sh\nexec {program} "$@"\n')
        (folder / "dandi").chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(folder / "python"))
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep if program else None)


@pytest.fixture(
    params=[
        "stand-in",
        pytest.param("real", marks=pytest.mark.dandi),
    ]
)
def dandi(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The dandi program, or one that asks a server as it does."""
    stand_in = f"{sys.executable} {Path(__file__).with_name('dandi_stand_in.py')}"
    install(REAL if request.param == "real" else stand_in, tmp_path / "bin", monkeypatch)
    return str(request.param)


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(f"{sys.executable} {Path(__file__).with_name('dandi_stand_in.py')}", tmp_path / "bin", monkeypatch)
