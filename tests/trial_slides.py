"""Slides for Slurm, and what this machine makes of them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from shutil import copytree

import pytest
from slides import command, files, picture, tissue, write_labels, write_model, write_slide
from trials import Trial


def _made(folder: Path, side: Sequence[int], flags: tuple[str, ...]) -> Trial:
    folder = folder / "my slides"  # scripts meet a blank
    folder.mkdir()
    classes = tissue((side[0], side[1]), 4)
    write_labels(folder / "labels.png", classes)
    slide = write_slide(folder / "slide.tif", picture(classes))
    write_model(folder)
    there, store = Path.cwd(), folder / "local" / "slide.ome.zarr"  # its name is in its metadata
    os.chdir(folder)
    try:
        assert command("run", slide, "--out", store, *flags, "--workers", 1).code == 0
    finally:
        os.chdir(there)
    return Trial(folder, flags, files(store))


@pytest.fixture(scope="session")
def long_one(tmp_path_factory: pytest.TempPathFactory) -> Trial:
    """A slide of many chunks, segmented by a network."""
    return _made(
        tmp_path_factory.mktemp("long"), (256, 320), ("--model", "tiny64.json", "--chunk", "64", "--cell", "7")
    )


@pytest.fixture(scope="session")
def short_one(tmp_path_factory: pytest.TempPathFactory) -> Trial:
    """A slide of one chunk, with labels."""
    return _made(tmp_path_factory.mktemp("short"), (220, 290), ("--labels", "labels.png", "--cell", "7"))


def _copied(made: Trial, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Trial]:
    folder = tmp_path / "my slides"
    copytree(made.folder, folder)
    monkeypatch.chdir(folder)
    trial = Trial(folder, made.flags, made.expected)
    yield trial
    if left := trial.jobs():
        subprocess.run(["scancel", *left], check=False)


@pytest.fixture
def trial(long_one: Trial, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Trial]:
    """The slide of many chunks, in a folder for this test."""
    yield from _copied(long_one, tmp_path, monkeypatch)


@pytest.fixture
def short_trial(short_one: Trial, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Trial]:
    """The slide of one chunk, in a folder for this test."""
    yield from _copied(short_one, tmp_path, monkeypatch)
