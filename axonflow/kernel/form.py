"""What form a document has that this program wrote, to know it from one that was changed since.

A form is a type; a dictionary of forms by names, where a name that may be missing ends in a question mark and further
names may be anything; or a function of this file's that says of a value what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import isfinite
from typing import Any

from axonflow.kernel.documents import shown

__all__ = ["ANYTHING", "COUNT", "NUMBER", "SIDE", "check_form", "each_of", "list_of", "maybe", "pair"]

Form = Any
"""A type, a dictionary, or a function of a value and its place that raises a ValueError."""


def check_form(value: Any, form: Form, place: str) -> None:
    """Refuse a value of another form.

    Parameters
    ----------
    value : object
        As JSON has it.
    form : Form
    place : str
        What the value is called.

    Raises
    ------
    ValueError
        With the place of what is wrong in it, and what is there.
    """
    if isinstance(form, dict):
        _check_type(value, dict, place)
        for name, inner, wanted in _named(form):
            if name in value:
                check_form(value[name], inner, f"{place}.{name}")
            elif wanted:
                raise ValueError(f"{place} has no {name!r}")
    elif isinstance(form, type):
        _check_type(value, form, place)
    else:
        form(value, place)


def _named(form: dict[str, Form]) -> Iterator[tuple[str, Form, bool]]:
    for name, inner in form.items():
        yield name.removesuffix("?"), inner, not name.endswith("?")


def _check_type(value: Any, kind: type, place: str) -> None:
    if type(value) is not kind:
        raise ValueError(f"{place} is {shown(value, 60)}")


def _numbers(kinds: tuple[type, ...], most: float, least: int = 0) -> Callable[[Any, str], None]:
    def check(value: Any, place: str) -> None:
        if type(value) not in kinds or not (isinstance(value, int) or isfinite(value)) or not least <= value < most:
            raise ValueError(f"{place} is {shown(value, 60)}")

    return check


NUMBER = _numbers((int, float), 1e18)
"""A finite number that is not negative."""

COUNT = _numbers((int,), 2**63)
"""A whole number that is not negative."""

SIDE = _numbers((int,), 2**63, least=1)
"""A whole number above 0."""


def ANYTHING(value: Any, place: str) -> None:  # noqa: N802  # a form, as the others are
    """Take whatever is there."""


def maybe(form: Form) -> Form:
    """Return the form of what may be None."""

    def check(value: Any, place: str) -> None:
        if value is not None:
            check_form(value, form, place)

    return check


def list_of(form: Form) -> Form:
    """Return the form of a list."""

    def check(value: Any, place: str) -> None:
        _check_type(value, list, place)
        for number, each in enumerate(value):
            check_form(each, form, f"{place}[{number}]")

    return check


def pair(form: Form) -> Form:
    """Return the form of a list of two."""

    def check(value: Any, place: str) -> None:
        list_of(form)(value, place)
        if len(value) != 2:
            raise ValueError(f"{place} is {shown(value, 60)}")

    return check


def each_of(form: Form) -> Form:
    """Return the form of a dictionary by any names."""

    def check(value: Any, place: str) -> None:
        _check_type(value, dict, place)
        for name, each in value.items():
            check_form(each, form, f"{place}.{name}")

    return check
