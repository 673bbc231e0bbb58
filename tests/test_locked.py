"""What is locked is what is tested."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_every_tested_version_is_locked_by_a_hash() -> None:
    tested = {
        re.sub(r"[-_.]+", "-", name).lower(): version
        for name, version in re.findall(r"(?m)^([^#\s=]+)==(\S+)$", (ROOT / "constraints.txt").read_text())
    }
    lines = [line for line in (ROOT / "locked.txt").read_text().splitlines() if not line.startswith("#")]
    found = [re.fullmatch(r"(\S+)==([^\s+]+)(?:\+cpu)? --hash=sha256:[0-9a-f]{64}", line) for line in lines]
    assert all(found)
    assert {each[1]: each[2] for each in found if each} == tested  # run scripts/lock
