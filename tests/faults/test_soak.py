"""Runs that are struck at random moments, as child processes: each ends with the same bytes, or with one sentence.

``python -m benchmarks.soak`` tries as many more as one has time for.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.soaking.kinds import KINDS
from benchmarks.soaking.material import SCENES, Material
from benchmarks.soaking.trial import attempt

CHOSEN = {
    "kill": 29,  # workers that are processes
    "term": 3,
    "interrupt twice": 3,
    "no space": 2,
    "no permission": 1,
    "bad sector": 1,
    "clock within": 4,
    "while reporting": 1,
    "rot": 1,
    "lost shard": 1,
}
"""A seed of each kind, most with the scene that takes the least time."""


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Material]:
    answer = signal.signal(signal.SIGINT, signal.default_int_handler)  # or children of a background would be deaf
    yield Material(tmp_path_factory.mktemp("material"))
    signal.signal(signal.SIGINT, answer)


@pytest.mark.parametrize(("name", "seed"), CHOSEN.items())
def test_a_struck_run_ends_with_the_same_bytes_or_a_sentence(
    name: str, seed: int, material: Material, tmp_path: Path
) -> None:
    kind = next(each for each in KINDS if each.name == name)
    if not kind.can():
        pytest.skip("this machine cannot have such a fault")
    row = attempt(kind, seed, material, tmp_path)
    assert not row.wrong, row


def test_every_kind_can_be_repeated() -> None:
    assert CHOSEN.keys() <= {kind.name for kind in KINDS}
    assert len({kind.name for kind in KINDS}) == len(KINDS)
    assert {scene.slide for scene in SCENES} == {"masks", "network"}
