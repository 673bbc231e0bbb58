from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from axonflow.kernel.documents import parse_json, parse_toml, read_file, read_json, said, shortened, shown

HELD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
TOO_DEEP_IN_TOML = ["[" * 5000 + "]" * 5000, "{a = " * 3000 + "1" + "}" * 3000, "9" * 5000]
TOO_DEEP = ["[" * 100_000 + "]" * 100_000, '{"a":' * 100_000 + "1" + "}" * 100_000, '[{"a":' * 50_000]


@given(HELD)
def test_what_python_writes_is_read(value: object) -> None:
    assert parse_json(json.dumps(value)) == value


@given(st.text() | st.binary())
def test_text_that_is_no_json_has_one_error(text: str | bytes) -> None:
    try:
        parse_json(text)
    except ValueError:
        return


@given(st.text(st.characters(codec="utf-8") | st.sampled_from('[]{}"=.#\n')))
def test_text_that_is_no_toml_has_one_error(text: str) -> None:
    try:
        assert isinstance(parse_toml(text), dict)
    except ValueError:
        return


@pytest.mark.parametrize("text", [*TOO_DEEP, "9" * 5000, "[" * 5000], ids=[*range(5)])
def test_json_that_cannot_be_held_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"deep|digits|Expecting"):
        parse_json(text)


@pytest.mark.parametrize(
    "value", ["[" * 5000 + "]" * 5000, "{a = " * 3000 + "1" + "}" * 3000, "9" * 5000], ids=[*range(3)]
)
def test_toml_that_cannot_be_held_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match=r"deep|digits"):
        parse_toml(f"x = {value}")


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def _circle(path: Path) -> None:
    path.symlink_to(path.name)


def _huge(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(2**33)


@pytest.mark.parametrize("put", [_pipe, _device, _circle, _huge, Path.mkdir])
def test_what_only_looks_like_a_file_is_not_read(put: object, tmp_path: Path) -> None:
    assert callable(put)
    put(tmp_path / "it")
    for read in (read_file, read_json):
        with pytest.raises(OSError, match="it"):
            read(tmp_path / "it")


def test_a_link_to_a_file_is_followed(tmp_path: Path) -> None:
    (tmp_path / "there").write_text("[1]")
    (tmp_path / "it").symlink_to("there")
    assert read_json(tmp_path / "it") == [1]


def _deep() -> object:
    value: list[object] = []
    for _ in range(100_000):
        value = [value]
    return value


@pytest.mark.parametrize(
    "value", [16**5000, [16**5000], _deep(), "a" * 10_000, {"a": list(range(9999))}], ids=[*range(5)]
)
def test_any_value_is_shown_in_a_line(value: object) -> None:
    assert 0 < len(shown(value)) <= 200


@given(st.text(), st.integers(2, 300))
def test_short_text_is_left_as_it_is(text: str, most: int) -> None:
    assert shortened(text, most) == text if len(text) <= most else len(shortened(text, most)) == most


@given(st.text())
def test_of_an_error_a_line_is_said(text: str) -> None:
    assert 0 < len(said(ValueError(text))) <= 300
