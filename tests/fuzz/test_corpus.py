"""Inputs of every kind that went wrong, made from seeds: each is refused in a sentence, or taken.

``python -m benchmarks.fuzz`` tries as many more as one has time for.
"""

from __future__ import annotations

import shutil
import warnings
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from benchmarks.fuzzing.kind import Kind
from benchmarks.fuzzing.kinds import KINDS
from benchmarks.fuzzing.trial import attempt

CASES = 240
"""Of all kinds together."""

CLOCK_S = 150
"""For one; what takes long on a busy machine waits for no pipe."""

EACH = [
    (kind, number)
    for kind in KINDS
    for number in range(max(round(CASES * kind.share / sum(each.share for each in KINDS)), 2))
]


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """What is right of each kind, as it is first asked for."""
    return {"": tmp_path_factory.mktemp("right")}


def _right(kind: Kind, made: dict[str, Path]) -> Path:
    name = kind.make.__name__
    if name not in made:
        folder = made[""] / name
        folder.mkdir()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            kind.make(folder)
        made[name] = folder
    return made[name]


@pytest.mark.parametrize(("kind", "number"), EACH, ids=lambda value: getattr(value, "name", value))
def test_what_went_wrong_is_refused_or_taken(
    kind: Kind, number: int, made: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = _right(kind, made)
    monkeypatch.setenv("PATH", "")  # no queueing system is asked anything
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ended = attempt(kind, right, tmp_path / "case", f"{kind.name}:corpus:{number}", CLOCK_S)
    assert ended.how in {"refused", "accepted"}, ended.said


TAKEN = [kind for kind in KINDS if kind.name not in {"manifests", "masks", "status, jobs", "whole runs"}]
"""Kinds of which all that is right is taken: not lists of slides that are not there, nor labels for a mask."""


@pytest.mark.parametrize("kind", TAKEN, ids=lambda kind: kind.name)
def test_what_is_right_is_taken(kind: Kind, made: dict[str, Path], tmp_path: Path) -> None:
    """Else every case could be refused for another reason than its own."""
    right = _right(kind, made)
    names = [path.name for path in right.iterdir()] if kind.single else [""]
    for name in names:

        def keep(_chance: Random, folder: Path, name: str = name) -> None:
            for path in folder.iterdir():
                if name and path.name != name:
                    shutil.rmtree(path) if path.is_dir() else path.unlink()

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ended = attempt(replace(kind, change=keep), right, tmp_path / "case", "right", CLOCK_S)
        assert ended.how == "accepted", f"{name}: {ended.said}"
