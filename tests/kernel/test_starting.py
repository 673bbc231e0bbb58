"""Where a thread must not be interrupted is known by the files of what it calls."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from axonflow.kernel.starting import must_not_be_interrupted


def here() -> FrameType:
    return sys._getframe()


def test_an_import_must_not_be_interrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    before = must_not_be_interrupted(here())
    seen: list[bool] = []
    monkeypatch.setattr(sys, "looked", lambda: seen.append(must_not_be_interrupted(here())), raising=False)
    (tmp_path / "looking_while_loading.py").write_text("import sys\nsys.looked()\n")
    import_module("looking_while_loading")
    assert (before, seen) == (False, [True])


def test_who_takes_numbas_lock_must_not_be_interrupted() -> None:
    from numba.core import compiler_lock

    source, space = Path(compiler_lock.__file__), dict[str, Any]()
    exec(compile("def take(look): return look()", str(source), "exec"), space)
    take: Callable[[Callable[[], bool]], bool] = space["take"]
    assert take(lambda: must_not_be_interrupted(here()))
    assert not must_not_be_interrupted(here())
