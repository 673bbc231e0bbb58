"""A setting is written once: what reads, refuses and describes it agree, for every class of settings there is."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from axonflow.engine.profile import Profile
from axonflow.errors import InputError
from axonflow.kernel.kinds import FILE, NUMBER, WHOLE, YES_NO, choice, name_or_path, numbers, whole_or
from axonflow.kernel.setting import check, read_words, setting, settings
from axonflow.net.checkpoint import Checkpoint
from axonflow.training.recipe import Augmentation, Recipe
from axonflow.workflow.config import Config

CLASSES = (Config, Profile, Recipe, Augmentation, Checkpoint)
ALL = [(cls, known) for cls in CLASSES for known in settings(cls).values()]


@dataclass(frozen=True)
class Sample:
    share: float = setting(NUMBER, "A share.", default=0.5, least=0, most=1)
    side: int = setting(WHOLE, "A side.", default=64, least=16, multiple=16, unit="px", flag="--side-px")
    far: float = setting(NUMBER, "Far.", default=1.0, above=0, unit="µm")
    pair: tuple[float, float] = setting(numbers(2), "A pair.", default=(0.0, 1.0), least=-1, most=1)
    halo: int | str | None = setting(whole_or("exact", unit="px"), "A halo.", least=0)
    unit: str = setting(choice("px", "um"), "A unit.", default="px")
    keep: bool = setting(YES_NO, "Whether.", default=False)
    file: Path | None = setting(FILE, "A file.")
    model: str = setting(name_or_path("a model"), "A model.", default="sem")

    def __post_init__(self) -> None:
        check(self)


@pytest.mark.parametrize(("cls", "known"), ALL, ids=lambda value: getattr(value, "key", getattr(value, "__name__", "")))
def test_every_default_is_allowed_and_every_setting_said(cls: type, known: Any) -> None:
    if known.required:
        with pytest.raises(InputError, match=f"{known.key} was expected"):
            known.check(None, known.key)
    else:
        known.check(known.default, known.key)
    assert known.help.endswith(".")
    assert known.kind.form


@pytest.mark.parametrize("cls", [Config, Profile])
def test_a_flag_is_named_like_its_setting(cls: type) -> None:
    flags = [known.flag for known in settings(cls).values()]
    assert len(set(flags) - {""}) == len(flags) - flags.count("")
    for key, known in settings(cls).items():
        assert not known.flag or key.startswith(known.argument)


@given(st.dictionaries(st.sampled_from(["share", "side", "far", "halo"]), st.integers(-200, 200) | st.floats()))
def test_what_is_built_is_within_its_bounds(given: dict[str, Any]) -> None:
    try:
        made = Sample(**read_words(Sample, given))
    except InputError:
        return
    assert 0 <= made.share <= 1
    assert made.side >= 16
    assert made.side % 16 == 0
    assert 0 < made.far < float("inf")
    assert made.halo is None or int(made.halo) >= 0


@given(st.floats(0, 1), st.integers(1, 99), st.booleans())
def test_text_and_values_are_read_alike(share: float, sixteens: int, keep: bool) -> None:
    values = {"share": share, "side": 16 * sixteens, "keep": keep}
    assert read_words(Sample, {name: repr(value) for name, value in values.items()}) == values
    assert read_words(Sample, values) == values


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"share": 1.5}, "share was expected to be 0 to 1, 1.5 came"),
        ({"share": True}, "share was expected to be a number, True came"),
        ({"share": float("nan")}, "share was expected to be 0 to 1, nan came"),
        ({"side": 40}, "side was expected to be a multiple of 16, 16 or more px, 40 came"),
        ({"side": 4.5}, "side was expected to be a whole number, 4.5 came"),
        ({"far": 0}, "far was expected to be more than 0 µm, 0 came"),
        ({"far": float("inf")}, "far was expected to be more than 0 µm, and finite, inf came"),
        ({"pair": [0, 2]}, "pair was expected to be -1 to 1, [0, 2] came"),
        ({"pair": [0]}, "pair was expected to be a list of 2 numbers, [0] came"),
        ({"halo": "Exact"}, "halo was expected to be a whole number of px, or 'exact', 'Exact' came"),
        ({"halo": "²"}, "'²' came"),
        ({"unit": "UM"}, "unit was expected to be px or um, 'UM' came"),
        ({"keep": "perhaps"}, "keep was expected to be yes or no, 'perhaps' came"),
        ({"file": 3}, "file was expected to be a path, 3 came"),
        ({"model": ""}, "model was expected to be a model's name or path, '' came"),
        ({"colour": 1}, "Settings among share, side"),
        ({"side": "６４"}, "side was expected to be a whole number"),
        ({"side": "6_4"}, "side was expected to be a whole number"),
        ({"side": b"64"}, "side was expected to be a whole number"),
        ({"side": np.float32(64.7)}, "side was expected to be a whole number"),
        ({"side": Fraction(129, 2)}, "side was expected to be a whole number"),
        ({"side": np.True_}, "side was expected to be a whole number"),
        ({"side": 10**400}, "side was expected to be a whole number"),
        ({"share": "1_0"}, "share was expected to be a number"),
        ({"share": Decimal("0.5")}, "share was expected to be a number"),
        ({"halo": np.array([1, 2])}, "halo was expected"),
        ({"unit": np.array(["px", "um"])}, "unit was expected"),
        ({"file": ""}, "file was expected to be a path, '' came"),
    ],
)
def test_refusals(given: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as refused:
        Sample(**read_words(Sample, given))
    assert said in str(refused.value)


@pytest.mark.parametrize("name", ["side", "unit", "halo", "file"])
@pytest.mark.parametrize("value", [np.array([64, 128]), object(), [64], "64"], ids=["array", "object", "list", "text"])
def test_what_is_built_without_reading_is_checked_too(name: str, value: object) -> None:
    with pytest.raises(InputError, match=r"was expected to be .* came"):
        Sample(**{name: value})  # type: ignore[arg-type]


def test_numbers_of_numpy_are_numbers() -> None:
    assert read_words(Sample, {"side": np.int64(64), "share": np.float32(0.5)}) == {"side": 64, "share": 0.5}


def test_a_home_is_found_in_files_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert read_words(Sample, {"file": "~/a.png"}, Path("/here")) == {"file": Path("/home/me/a.png")}
    assert read_words(Sample, {"file": "~nobody-at-all/a"}, Path("/here")) == {"file": Path("/here/~nobody-at-all/a")}
    assert read_words(Sample, {"file": "~a.png"}) == {"file": Path("~a.png")}


def test_relative_paths_count_from_their_file() -> None:
    here = Path("/here")
    words = {"file": "a.png", "model": "a.json"}
    assert read_words(Sample, words, here) == {"file": here / "a.png", "model": "/here/a.json"}
    assert read_words(Sample, {"model": "sem"}, here) == {"model": "sem"}
    assert read_words(Sample, words) == {"file": Path("a.png"), "model": "a.json"}
