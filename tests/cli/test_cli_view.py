"""``axonflow view``: what it refuses."""

from pathlib import Path

import pytest
from slides import command
from viewed import write_viewed_store


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_viewed_store(tmp_path_factory.mktemp("command"))


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--show", "myelins"], "semantic, axons"),
        (["--axon", "0"], "An axon from 1"),
        (["--at", "12"], "Y,X in µm"),
        (["--at", "nan,1"], "Y,X in µm"),
        (["--screenshot", "x.png", "--size", "0,-3"], "width,height"),
        (["--screenshot", "x.nothing"], "x.nothing"),
    ],
)
def test_what_cannot_be_shown_is_refused_before_a_browser_starts(store: Path, flags: list[str], words: str) -> None:
    ran = command("view", store, *flags)
    assert ran.code == 2
    assert words in ran.err


def test_stores_of_one_name_are_refused(store: Path) -> None:
    ran = command("view", store, store)
    assert ran.code == 2
    assert "different names" in ran.err


def test_what_is_no_store_is_refused(tmp_path: Path) -> None:
    assert command("view", tmp_path).code != 0
