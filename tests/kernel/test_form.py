from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from axonflow.kernel.form import COUNT, NUMBER, check_form, each_of, list_of, maybe, pair

FORM = {
    "name": str,
    "sides": pair(COUNT),
    "share": maybe(NUMBER),
    "parts": list_of({"on": bool}),
    "times": each_of(NUMBER),
    "new?": str,
}
RIGHT: dict[str, Any] = {"name": "a", "sides": [1, 2], "share": None, "parts": [{"on": True}], "times": {"x": 1.5}}
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@pytest.mark.parametrize("more", [{}, {"new": "b"}, {"other": [1]}, {"share": 0.5}, {"parts": []}, {"times": {}}])
def test_what_has_the_form_is_taken(more: dict[str, Any]) -> None:
    check_form(RIGHT | more, FORM, "it")


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"name": 1}, r"it\.name is 1"),
        ({"sides": [1]}, r"it\.sides is"),
        ({"sides": [1, 2.0]}, r"it\.sides\[1\]"),
        ({"sides": [1, True]}, r"it\.sides\[1\]"),
        ({"share": float("nan")}, r"it\.share"),
        ({"share": -1}, r"it\.share"),
        ({"share": 10**400}, r"it\.share"),
        ({"parts": [{}]}, r"it\.parts\[0\] has no 'on'"),
        ({"times": {"x": "1"}}, r"it\.times\.x"),
        ({"new": None}, r"it\.new"),
    ],
)
def test_it_is_said_where_something_else_is(change: dict[str, Any], where: str) -> None:
    with pytest.raises(ValueError, match=where):
        check_form(RIGHT | change, FORM, "it")


@given(ANYTHING)
def test_anything_is_taken_or_refused(value: Any) -> None:
    try:
        check_form(value, FORM, "it")
    except ValueError:
        return
    assert value["sides"][1] >= 0
