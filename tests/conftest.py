"""What all tests may ask for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of the public images and masks, from AXONFLOW_DATA or beside the repository."""
    folder = Path(os.environ.get("AXONFLOW_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real images at {folder}; set AXONFLOW_DATA")
    return folder
