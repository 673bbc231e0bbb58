"""What ASTIH has is listed, without a network and without loading anything heavy."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from slides import command

from axonflow.astih import MODELS, SETS
from axonflow.cli.terminal import console

HEAVY = ("torch", "dask", "zarr", "numba", "pandas", "xarray", "matplotlib")
NESTED = (["list"], ["download"], ["models"], ["models", "download"], ["evaluate"])


def test_all_sets_are_listed_with_what_one_must_know(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console, "width", 300)
    parts = re.split(r"^(?=\S)", command("astih", "list").out, flags=re.MULTILINE)  # a set's name, then its facts
    lines = {part.split()[0]: part for part in parts if part.strip()}
    assert len(SETS) == 5
    for known in SETS:
        told = (known.content, known.licence, known.size, known.images, known.pixel_size, known.test_split)
        assert all(text in lines[known.name] for text in told)
        assert f"{known.dandi}/{known.version}" in lines[known.name]


def test_every_set_has_one_test_split_and_one_model() -> None:
    assert all(bool(known.test_subjects) != (known.test_archive is not None) for known in SETS)
    assert [known.data_set for known in MODELS] == [known.name for known in SETS]
    assert len({known.dandi for known in SETS}) == len(SETS)


def test_published_models_are_listed_with_their_addresses() -> None:
    said = command("astih", "models").out
    for known in MODELS:
        assert known.name in said
        assert f"https://github.com/{known.archive.path}" in said.replace("\n", "")


@pytest.mark.parametrize("words", NESTED, ids=" ".join)
def test_help_has_an_example(words: list[str]) -> None:
    ran = command("astih", *words, "--help")
    assert ran.code == 0
    assert f"Example: axonflow astih {' '.join(words)}" in " ".join(ran.out.split())


def test_help_and_lists_load_nothing_heavy() -> None:
    code = (
        "import sys\nfrom axonflow.cli import app\n"
        f"for words in {[['astih', *words, '--help'] for words in NESTED] + [['astih', 'models']]!r}:\n"
        "    try:\n        app(words)\n    except SystemExit as end:\n        assert end.code == 0\n"
        f"print('loaded', [name for name in {HEAVY!r} if name in sys.modules])\n"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.splitlines()[-1] == "loaded []"


@pytest.mark.parametrize(
    "words", [("download", "SEM9", "x"), ("evaluate", "SEM9", "sem"), ("models", "download", "SEM9", "x")]
)
def test_names_that_are_unknown_are_refused_with_those_that_are_known(words: tuple[str, ...]) -> None:
    ran = command("astih", *words)
    assert ran.code == 2
    assert "SEM9" in ran.err
    assert ("default-SEM-model" if "models" in words else "BF2") in ran.err
