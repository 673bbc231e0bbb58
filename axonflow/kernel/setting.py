"""A setting, written once: a field of a frozen dataclass that knows its kind, unit, bounds, default and purpose.

What reads files and flags, what refuses a value whoever gives it, and what the help and the reference page print, all
come from that field::

    @dataclass(frozen=True)
    class Config:
        cell_um: float = setting(NUMBER, "Side of a map's cell.", default=50.0, unit="µm", above=0, flag="--cell")

        def __post_init__(self) -> None:
            check(self)
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cache
from math import isfinite
from pathlib import Path
from typing import Any

from axonflow.errors import InputError
from axonflow.kernel.documents import shortened, shown
from axonflow.kernel.kinds import Kind

__all__ = ["Setting", "check", "read_words", "refuse_unknown", "setting", "settings"]


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting.

    Attributes
    ----------
    kind : Kind
    help : str
        What it is for, a sentence.
    name : str
        Of the field that holds it.
    key : str
        What files call it, if not as the field.
    flag : str
        Of the command line; empty if there is none.
    default : object
        None where what holds then is known later only; ``usual`` says it.
    required : bool
        Whether it has to be given, and has no default.
    usual : str
        What holds if nothing is given, in words; the default if empty.
    unit : str
    least, above, most : optional
        Bounds, as they are written: not less than, more than, not more than. Of a value with several numbers they hold
        for each.
    multiple : int, optional
        What the value is a multiple of.
    topic : str
        Under what the help lists the flag; empty where there are few.
    decides : tuple of str
        The first stages whose results it decides; those after them follow.
    """

    kind: Kind
    help: str
    name: str = ""
    key: str = ""
    flag: str = ""
    default: Any = None
    required: bool = False
    usual: str = ""
    unit: str = ""
    least: Any = None
    above: Any = None
    most: Any = None
    multiple: int | None = None
    topic: str = ""
    decides: tuple[str, ...] = ()

    @property
    def argument(self) -> str:
        """What Python calls it: the flag's name."""
        return self.flag.removeprefix("--").replace("-", "_")

    @property
    def fallback(self) -> str:
        """What holds if nothing is given, in words; empty if that is nothing."""
        if self.usual or self.default is None or self.default == ():
            return self.usual
        words = self.default if isinstance(self.default, str) else self.kind.write(self.default)
        return f"{words} {self.unit}" if self.unit else words

    @property
    def bounds(self) -> str:
        """What values are allowed, in words; empty if any."""
        words = []
        if self.multiple is not None:
            words.append(f"a multiple of {self.multiple}")
        if self.above is not None:
            words.append(f"more than {_short(self.above)}")
        if self.least is not None:
            words.append(f"{_short(self.least)} to {_short(self.most)}" if self.most is not None else "")
            words[-1] = words[-1] or f"{_short(self.least)} or more"
        elif self.most is not None:
            words.append(f"{_short(self.most)} or less")
        return ", ".join(words) + (f" {self.unit}" if words and self.unit else "")

    def read(self, word: Any, called: str, folder: Path | None = None) -> Any:
        """Read a word, and refuse it if it is out of bounds.

        Parameters
        ----------
        word : object
            Text, or a value of TOML.
        called : str
            What the user calls this setting.
        folder : Path, optional
            From which relative paths count.

        Raises
        ------
        InputError
            If it is of another kind, or out of its bounds.
        """
        try:
            value = self.kind.read(word)
        except InputError:
            raise
        except (TypeError, ValueError, OverflowError, LookupError, AttributeError) as error:
            raise InputError(f"{called} was expected to be {self.kind.form}, {shown(word)} came.") from error
        self.check(value, called)
        if self.kind.under is None or folder is None:
            return value
        return self.kind.under(type(value)(os.path.expanduser(value)), folder)  # noqa: PTH111  # pathlib's raises

    def check(self, value: Any, called: str) -> None:
        """Refuse a value of another kind or out of bounds; None is the default's where that is None.

        Raises
        ------
        InputError
        """
        if value is None and self.default is None and not self.required:
            return
        if not self._holds(value):
            raise InputError(f"{called} was expected to be {self.kind.form}, {shown(value)} came.")
        several = value if self.kind.each else (value,)
        if all(self._within(number) for number in several if isinstance(number, int | float)):
            return
        finite = ", and finite" if self.most is None and not all(map(isfinite, several)) else ""
        wanted = self.bounds or "a number"
        raise InputError(f"{called} was expected to be {wanted}{finite}, {self.kind.write(value)} came.")

    def _holds(self, value: Any) -> bool:
        try:
            return bool(self.kind.holds(value))
        except (TypeError, ValueError):  # an array is not compared with a word
            return False

    def _within(self, number: float) -> bool:
        read = (self.kind.each or self.kind).read
        return (
            (isinstance(number, int) or isfinite(number))
            and (self.least is None or number >= read(self.least))
            and (self.above is None or number > read(self.above))
            and (self.most is None or number <= read(self.most))
            and (self.multiple is None or number % self.multiple == 0)
        )


def setting(kind: Kind, help: str, *, default: Any = None, required: bool = False, **more: Any) -> Any:  # noqa: A002  # the command line's word
    """Make a field of a dataclass a setting; the keywords are the attributes of :class:`Setting`."""
    metadata = {"setting": Setting(kind, help, default=default, required=required, **more)}
    return field(metadata=metadata) if required else field(default=default, metadata=metadata)


def settings(cls: type) -> Mapping[str, Setting]:
    """Return the settings of a class by the keys of its files, in the order of its fields."""
    return _settings(cls)


@cache
def _settings(cls: Any) -> Mapping[str, Setting]:
    found = {}
    for each in fields(cls):
        if (known := each.metadata.get("setting")) is not None:
            key = known.key or each.name
            found[key] = replace(known, name=each.name, key=key)
    return found


def check(value: Any, prefix: str = "") -> None:
    """Refuse a value of a class of settings one of which is of another kind, or out of its bounds.

    Parameters
    ----------
    value : object
        Of a dataclass with settings.
    prefix : str
        What stands before their keys.

    Raises
    ------
    InputError
        With the flag, or else the key, what was expected, and what came.
    """
    for key, known in settings(type(value)).items():
        known.check(getattr(value, known.name), known.flag or f"{prefix}{key}")


def read_words(cls: type, words: Mapping[str, Any], folder: Path | None = None, prefix: str = "") -> dict[str, Any]:
    """Read words of a file, or of flags, for a class of settings.

    Parameters
    ----------
    cls : type
    words : Mapping
        Text, or values of TOML, by the settings' keys.
    folder : Path, optional
        From which relative paths count.
    prefix : str
        What stands before the keys in messages.

    Returns
    -------
    dict
        Values by the names of fields.

    Raises
    ------
    InputError
        If a key is unknown, or a value of another kind or out of its bounds.
    """
    known = settings(cls)
    refuse_unknown(words, known, prefix)
    return {known[key].name: known[key].read(word, f"{prefix}{key}", folder) for key, word in words.items()}


def refuse_unknown(given: Iterable[str], known: Iterable[str], prefix: str = "") -> None:
    """Refuse names that are not known.

    Raises
    ------
    InputError
        With those that are, and those that came.
    """
    if unknown := [f"{prefix}{name}" for name in given if name not in known]:
        raise InputError(f"Settings among {', '.join(known)} were expected, {shortened(', '.join(unknown))} came.")


def _short(bound: Any) -> str:
    return f"{bound:g}" if isinstance(bound, float) else str(bound)
