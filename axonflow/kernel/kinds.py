"""What values a setting can have: for each kind, how it is written, read, checked and shown."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Real
from operator import index
from pathlib import Path
from typing import Any

from axonflow.kernel.units import PixelSize

__all__ = [
    "FILE",
    "NUMBER",
    "PIXEL_SIZE",
    "TEXT",
    "WHOLE",
    "YES_NO",
    "Kind",
    "choice",
    "is_one_line",
    "name_or_path",
    "numbers",
    "path_or",
    "whole_or",
]


_DIGITS = re.compile(r"[+-]?[0-9]+")


@dataclass(frozen=True, slots=True)
class Kind:
    """What values a setting has, and how they are written.

    Attributes
    ----------
    form : str
        What is expected, in words: "a whole number".
    read : callable
        A word → the value: text of a flag or of a table's cell, or a value of TOML. TypeError, ValueError or
        OverflowError if it is none.
    holds : callable
        Whether a value is of this kind.
    typed : type
        What a command line takes it for.
    write : callable
        A value → how it is written, for messages.
    under : callable, optional
        A value and a folder → the value if relative paths count from there.
    each : Kind, optional
        Of the parts of a tuple, to which bounds apply.
    """

    form: str
    read: Callable[[Any], Any]
    holds: Callable[[Any], bool]
    typed: type = str
    write: Callable[[Any], str] = repr
    under: Callable[[Any, Path], Any] | None = None
    each: Kind | None = None


def _plain(value: Any) -> str:
    return f"[{', '.join(f'{each:g}' for each in value)}]"


def _whole(word: Any) -> int:
    if isinstance(word, bool):
        raise TypeError(word)
    if isinstance(word, str):
        return int(_DIGITS.fullmatch(word.strip())[0])  # type: ignore[index]  # no match is refused with what is no word
    return index(word)


def _number(word: Any) -> float:
    if isinstance(word, str) and word.isascii() and "_" not in word:
        return float(word)
    if isinstance(word, bool) or not isinstance(word, Real):
        raise TypeError(word)
    return float(word)


def _text(word: Any) -> str:
    if not isinstance(word, str | Path) or not str(word).strip():
        raise TypeError(word)
    return str(word)


def _truth(word: Any) -> bool:
    return {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}[str(word).lower()]


def _pixel_size(word: Any) -> PixelSize:
    if isinstance(word, PixelSize):
        return word
    sides = word.split(",") if isinstance(word, str) else word if isinstance(word, list | tuple) else [word]
    if len(sides) not in {1, 2}:
        raise ValueError(word)
    return PixelSize(_number(sides[0]), _number(sides[-1]))


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _path(word: Any) -> Path:
    if word == "":
        raise ValueError(word)
    return Path(word)


def _located(path: Path, folder: Path) -> Path:
    return folder / path


def _named_or_located(word: str, folder: Path) -> str:
    return word if _is_name(word) else str(_located(Path(word), folder))


def _is_name(word: str) -> bool:
    return Path(word).stem == word  # neither a folder nor an ending


WHOLE = Kind("a whole number", _whole, _is_whole, int)
NUMBER = Kind("a number", _number, _is_number, float, lambda value: f"{value:g}")
TEXT = Kind("text", _text, lambda value: isinstance(value, str) and bool(value.strip()))
YES_NO = Kind("yes or no", _truth, lambda value: isinstance(value, bool), bool, lambda value: "yes" if value else "no")
FILE = Kind("a path", _path, lambda value: isinstance(value, Path), Path, str, _located)
PIXEL_SIZE = Kind(
    "a number of µm, or height and width", _pixel_size, lambda value: isinstance(value, PixelSize), str, str
)


def is_one_line(text: str) -> bool:
    """Return whether text has no control characters and can be written in UTF-8, as names in files and scripts have to.

    A name that was not in UTF-8 on the disk holds what Python puts in the place of its bytes.
    """
    return not any(unicodedata.category(letter) in {"Cc", "Cs", "Zl", "Zp"} for letter in text)


def choice(*words: str) -> Kind:
    """Return the kind of one of several words."""
    *most, last = words

    def read(word: Any) -> str:
        if word not in words:
            raise ValueError(word)
        return str(word)

    return Kind(f"{', '.join(most)} or {last}", read, lambda value: value in words)


def path_or(word: str) -> Kind:
    """Return the kind of a path, or of one word."""
    return Kind(
        f"a path, or {word!r}",
        _text,
        TEXT.holds,
        under=lambda value, folder: value if value == word else str(_located(Path(value), folder)),
    )


def whole_or(*words: str, unit: str) -> Kind:
    """Return the kind of a whole number, or of one of some words."""
    *most, last = map(repr, words)
    return Kind(
        f"a whole number of {unit}, {', '.join(most)}{' ' if most else ''}or {last}",
        lambda given: given if given in words else _whole(given),
        lambda value: value in words or _is_whole(value),
    )


def numbers(count: int, most: int | None = None) -> Kind:
    """Return the kind of a tuple of so many numbers, or of ``count`` to ``most``."""
    counts = range(count, (most or count) + 1)

    def read(word: Any) -> tuple[float, ...]:
        if not isinstance(word, list | tuple) or len(word) not in counts:
            raise ValueError(word)
        return tuple(map(_number, word))

    def holds(value: Any) -> bool:
        return isinstance(value, tuple) and len(value) in counts and all(map(_is_number, value))

    several = f"{count}" if most is None else f"{count} to {most}"
    return Kind(f"a list of {several} numbers", read, holds, write=_plain, each=NUMBER)


def name_or_path(what: str) -> Kind:
    """Return the kind of text that names something known, or else is a path."""
    return Kind(f"{what}'s name or path", _text, TEXT.holds, str, repr, _named_or_located)
