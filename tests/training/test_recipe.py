"""A recipe is the paper's unless a file says otherwise, and a file cannot say nonsense."""

from __future__ import annotations

from dataclasses import fields
from itertools import pairwise
from math import exp
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from axonflow.errors import InputError
from axonflow.training.recipe import Augmentation, Recipe
from axonflow.workflow.pipeline import PIPELINES, pipeline_names

NAMED = pipeline_names("train")


def write(folder: Path, text: str) -> Path:
    path = folder / "own.toml"
    path.write_text(text)
    return path


def test_the_papers_is_the_default() -> None:
    assert Recipe.read("paper") == Recipe()
    assert Recipe().steps == 3000
    assert Recipe().augmentation == Augmentation()


def test_the_named_pipelines_are_there() -> None:
    assert NAMED == ["finetune", "mouse-tem", "paper", "rat-cord-sem"]
    assert len({str(Recipe.read(name)) for name in NAMED}) == len(NAMED)


def test_the_papers_file_states_every_field() -> None:
    text = (PIPELINES / "paper.toml").read_text()
    for kind in (Recipe, Augmentation):
        for each in fields(kind):
            if each.default is not None:  # TOML knows no nothing
                assert f"\n{each.name} = " in text or f".{each.name}]" in text


def test_a_file_changes_what_it_states_and_nothing_else(tmp_path: Path) -> None:
    path = write(tmp_path, "[train]\npatches = '100'\nmomentum = [0.5, 1]\n[train.augmentation]\nblur = 2\n")
    expected = Recipe(patches=100, momentum=(0.5, 1.0), augmentation=Augmentation(blur=2.0))
    assert Recipe.read(path) == Recipe.read(str(path)) == expected
    assert Recipe.read(write(tmp_path, "")) == Recipe()


@pytest.mark.parametrize("name", NAMED)
def test_a_recipe_survives_its_table(name: str) -> None:
    recipe = Recipe.read(name)
    assert Recipe.from_table(recipe.to_table()) == recipe


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[train]\npatch = 3", "patches.*patch came"),
        ("[train.augmentation]\nzoom = 3", r"scale.*augmentation\.zoom came"),
        ("[trian]\npatches = 3", r"tables.*\[train\] were.*trian came"),
        ("[train", "TOML was expected"),
        ("[train]\npatches = 3.5", "whole number, 3.5 came"),
        ("[train]\npatches = true", "whole number, True came"),
        ("[train]\npatches = 3", "at least a batch of 8, 3 came"),
        ("[train]\nrate = 'fast'", "a number, 'fast' came"),
        ("[train]\nrate = 0", "1e-09 to 1, 0 came"),
        ("[train]\nrate = nan", "came"),
        ("[train]\nside = 100", "multiple of 16, 16 to 8192 px, 100 came"),
        ("[train]\nsampling = 'mouse'", "area, image or subject, 'mouse' came"),
        ("[train]\nsampling = 1", "area, image or subject, 1 came"),
        ("[train]\nclass_weights = [1, 2]", "list of 3 to 4 numbers"),
        ("[train]\naugmentation = 1", "a table, 1 came"),
        ("[train]\nbatch = 0", "1 to 4096, 0 came"),
        ("[train.augmentation]\nrotation = [9, 3]", r"\[least, most\], \[9, 3\] came"),
        ("[train.augmentation]\nscale = 0.8", r"augmentation\.scale was expected to be 1 to 4, 0\.8 came"),
    ],
)
def test_refusals(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Recipe.read(write(tmp_path, text))


def test_an_unknown_pipeline_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InputError, match=", ".join(NAMED)):
        Recipe.read("human")


@given(st.integers(0, 2999))
def test_schedules(step: int) -> None:
    recipe = Recipe()
    assert recipe.rate_at(step) == pytest.approx(1e-3 * (1 - 8 * step / 24_000) ** 0.9)
    assert recipe.momentum_at(step) == pytest.approx(0.9 - 0.2 * exp(-8 * step / 16_000))
    assert recipe.rate_at(step) > recipe.rate_at(step + 1) >= 0
    assert 0.7 <= recipe.momentum_at(step) < recipe.momentum_at(step + 1) < 0.856


@pytest.mark.parametrize(("low", "high", "count"), [(0.01, 0.01, 1), (0.01, 0.02, 3), (0.0024, 0.016, 7)])
def test_pixel_sizes_are_spaced_by_at_most_the_root_of_two(low: float, high: float, count: int) -> None:
    sizes = [size.y for size in Recipe(pixel_sizes=(low, high)).shown_at]
    assert (len(sizes), sizes[0], sizes[-1]) == (count, low, high)
    assert all(a < b <= a * 2**0.5 * 1.0001 for a, b in pairwise(sizes))


def test_a_recipe_of_one_pixel_size_is_written_as_it_was() -> None:
    assert Recipe().shown_at == ()
    assert not {"pixel_sizes", "working_sizes"} & Recipe().to_table().keys()
    with pytest.raises(InputError, match="pixel_sizes"):
        Recipe(pixel_sizes=(0.2, 0.1))
