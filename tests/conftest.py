"""What all tests may ask for, and which of them may be left out."""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from matplotlib.figure import Figure

# How long an example takes says how busy the machine is.
settings.register_profile("axonflow", deadline=None)
settings.load_profile("axonflow")

pytest_plugins = ("without_torch", "astih_sets", "batch_folders", "slurm_stand_in", "trial_slides")

PARTS = {
    "slurm": "a Slurm that answers sinfo (scripts/slurm start gives one)",
    "browser": "Chromium on the path",
    "dandi": "the dandi client on the path, or named by AXONFLOW_TEST_DANDI",
    "nnunet": "nnU-Net, whose Python AXONFLOW_TEST_NNUNET names (scripts/nnunet makes one)",
    "readers": "napari, ngio and SpatialData, whose Python AXONFLOW_TEST_READERS names (scripts/readers makes one)",
}
"""The parts of a machine that some tests need, by their marker."""

REQUIRED = {part for part in os.environ.get("AXONFLOW_REQUIRE", "").split(",") if part}
"""Parts whose absence fails a test instead of skipping it."""


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of the public images and masks, from AXONFLOW_DATA or beside the repository."""
    folder = Path(os.environ.get("AXONFLOW_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real images at {folder}; set AXONFLOW_DATA")
    return folder


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures that are saved."""
    figures: list[Figure] = []
    save = Figure.savefig

    def keep(figure: Figure, *arguments: Any, **options: Any) -> None:
        figures.append(figure)
        save(figure, *arguments, **options)

    monkeypatch.setattr(Figure, "savefig", keep)
    return figures


def pytest_configure() -> None:
    if unknown := REQUIRED - PARTS.keys():
        raise pytest.UsageError(f"AXONFLOW_REQUIRE was expected to name {', '.join(PARTS)}, {sorted(unknown)} came.")


def pytest_runtest_setup(item: pytest.Item) -> None:
    for part, needed in PARTS.items():
        if item.get_closest_marker(part) and not _is_there(part):
            leave = pytest.fail if part in REQUIRED else pytest.skip
            leave(f"needs {needed}")


@cache
def _is_there(part: str) -> bool:
    if part == "browser":
        return any(map(shutil.which, ("chromium", "chromium-browser", "google-chrome")))
    if part == "dandi":
        return bool(os.environ.get("AXONFLOW_TEST_DANDI") or shutil.which("dandi"))
    if part in {"nnunet", "readers"}:
        return bool(os.environ.get(f"AXONFLOW_TEST_{part.upper()}"))
    return bool(shutil.which("sinfo")) and not subprocess.run(["sinfo"], capture_output=True, check=False).returncode
