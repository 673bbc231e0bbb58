"""Loops are compiled wherever they are installed, and kept where something can be written."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

import pytest

from axonflow.kernel import caches, compiled

CLOSED = "/proc/nothing"
MODULE = """
import sys
from axonflow.kernel import compiled as keeping
from axonflow.kernel import caches

if "nowhere" in sys.argv:
    caches._temporary = lambda: iter(())

@keeping.compiled
def twice(x: int) -> int:
    return 2 * x

if __name__ == "__main__":
    assert twice(21) == 42
    print(twice.stats.cache_path)
"""


@pytest.mark.parametrize("place", ["named", "beside", "cache", "temporary", "nowhere"])
def test_loops_are_kept_in_the_first_place_that_can_be_written(place: str, tmp_path: Path) -> None:
    module = tmp_path / "package" / "module.py"
    module.parent.mkdir()
    module.write_text(MODULE)
    if place != "beside":
        (module.parent / "__pycache__").touch()  # no folder can be made there, whoever asks
    folders = {name: tmp_path / name for name in ("named", "cache", "temporary")}
    folders["temporary"].mkdir()
    env = os.environ | {
        "NUMBA_CACHE_DIR": str(folders["named"]) if place == "named" else CLOSED,
        "XDG_CACHE_HOME": str(folders["cache"]) if place == "cache" else CLOSED,
        "TMPDIR": str(folders["temporary"]),
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    ran = subprocess.run(
        [sys.executable, str(module), place], env=env, capture_output=True, text=True, check=True, timeout=300
    )
    kept = sorted(path.relative_to(tmp_path).parts[0] for path in tmp_path.rglob("*.nbi"))
    assert kept == ([] if place == "nowhere" else ["package" if place == "beside" else place])
    assert ran.stderr == (f"{compiled.NOT_KEPT}\n" if place == "nowhere" else "")


@pytest.mark.parametrize("ending", ["nbi", "nbc"])
@pytest.mark.parametrize("left", [0, 100, None], ids=["empty", "cut off", "other bytes"])
def test_damaged_loops_are_compiled_anew(ending: str, left: int | None, tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text(MODULE)
    env = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path / "cache"), "PYTHONPATH": os.pathsep.join(sys.path)}
    run = partial(subprocess.run, [sys.executable, str(module)], env=env, check=True, timeout=300)
    run()
    (kept,) = tmp_path.rglob(f"*.{ending}")
    content = kept.read_bytes()
    kept.write_bytes(b"\x05" * len(content) if left is None else content[:left])
    run()  # which fails unless the loop gives what it should
    assert next(iter(tmp_path.rglob(f"*.{ending}"))).stat().st_size > 100  # it is kept again


def test_what_is_said_of_the_place_is_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    assert compiled.kept_in() == tmp_path
    monkeypatch.setenv("NUMBA_CACHE_DIR", CLOSED)
    monkeypatch.setenv("XDG_CACHE_HOME", CLOSED)
    (tmp_path / "__pycache__").touch()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert compiled.kept_in(tmp_path) == tmp_path / f"axonflow-{os.getuid()}" / "numba"
    shutil.rmtree(tmp_path / f"axonflow-{os.getuid()}")
    monkeypatch.setattr(caches, "_temporary", lambda: iter(()))
    assert compiled.kept_in(tmp_path) is None
