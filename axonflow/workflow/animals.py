"""Of which animal and group a listed slide is, and which slides do not count: what cannot be is refused.

Groups are compared by their animals. A slip of the pen in one cell makes an animal more, or one of two groups, and no
number shows it afterwards; so the cells are held against each other before anything runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from axonflow.errors import InputError
from axonflow.kernel.documents import shown

__all__ = ["EVERYTHING", "NOBODY", "OF_ANIMALS", "Subject", "check_subjects", "read_subject"]

OF_ANIMALS = ("animal", "group", "region", "exclude")
"""Columns of a manifest that say what a slide is of."""

EVERYTHING = "all"
"""What the tables call all regions, tracts, calibres or groups taken together, so that no region may be called that."""

_YES, _NO = {"yes", "true", "1", "x"}, {"no", "false", "0"}

_FILES = (".geojson", ".json", ".tif", ".tiff", ".png", ".jpg", ".jpeg")
"""What ends the name of a file of outlines, which belongs into the column 'regions'."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What a slide is of.

    Attributes
    ----------
    animal : str
        Whose tissue it shows; empty if the list does not say it.
    group : str
        The group of that animal; empty likewise.
    region : str
        What part of the animal the slide shows; empty likewise.
    excluded : str
        Why it does not count for its animal, or empty if it counts.
    """

    animal: str = ""
    group: str = ""
    region: str = ""
    excluded: str = ""


NOBODY = Subject()
"""What a slide is of if the list does not say it."""


def read_subject(words: Mapping[str, str]) -> Subject:
    """Read the cells of one slide.

    Parameters
    ----------
    words : Mapping
        Text by the names in :data:`OF_ANIMALS`; those of empty cells may be missing.

    Raises
    ------
    InputError
        If a region cannot be one.
    """
    region, reason = words.get("region", ""), words.get("exclude", "")
    if Path(region).suffix.lower() in _FILES:
        raise InputError(
            f"The name of what a slide shows was expected in the column 'region', the file {shown(region)} came; "
            "outlines of tracts belong into the column 'regions'."
        )
    if region.casefold() == EVERYTHING:
        raise InputError(
            f"The name of what a slide shows was expected in the column 'region', {region!r} came, which the tables "
            "call all regions together; leave the cell empty, or give the region another name."
        )
    if reason.casefold() in _NO:
        reason = ""
    elif reason.casefold() in _YES:
        reason = "no reason given"
    return Subject(words.get("animal", ""), words.get("group", ""), region, reason)


def check_subjects(subjects: Iterable[tuple[int, Subject]], path: Path) -> None:
    """Refuse a table whose animals and groups do not go together.

    Parameters
    ----------
    subjects : iterable of (int, Subject)
        The number of each row, and what it says.
    path : Path
        Of the table, for messages.

    Raises
    ------
    InputError
        If a row names no animal or no group where others do, an animal is of two groups, or two names differ in
        capitals alone.
    """
    rows = [*subjects]
    for what in ("animal", "group", "region"):
        _refuse_gaps(rows, what, path)
        _refuse_capitals(rows, what, path)
    first: dict[str, tuple[int, str]] = {}
    for number, subject in rows:
        if subject.group and not subject.animal:
            raise InputError(
                f"A column 'animal' was expected in {path} beside 'group', none came: groups are compared by their "
                "animals, and several slides may be of one. Name the animal of each slide."
            )
        row, group = first.setdefault(subject.animal, (number, subject.group))
        if group != subject.group:
            raise InputError(
                f"One group for the animal {subject.animal!r} was expected in {path}, {group!r} came in row {row} and "
                f"{subject.group!r} in row {number}. If they are two animals, give each a name of its own, such as "
                f"'{group}-{subject.animal}' and '{subject.group}-{subject.animal}'."
            )


def _refuse_gaps(rows: list[tuple[int, Subject]], what: str, path: Path) -> None:
    named = [number for number, subject in rows if getattr(subject, what)]
    gaps = [number for number, subject in rows if not getattr(subject, what)]
    if named and gaps:
        raise InputError(
            f"The {what} of every slide was expected in {path}, as row {named[0]} names one, but row {gaps[0]} has "
            "none. Fill the cell; a slide that is not to count stays there, with a reason in the column 'exclude'."
        )


def _refuse_capitals(rows: list[tuple[int, Subject]], what: str, path: Path) -> None:
    first: dict[str, tuple[int, str]] = {}
    for number, subject in rows:
        name = getattr(subject, what)
        row, before = first.setdefault(name.casefold(), (number, name))
        if before != name:
            raise InputError(
                f"One spelling of each {what} was expected in {path}, {before!r} came in row {row} and {name!r} in row "
                f"{number}; write both alike, or name them so that they differ by more than capitals."
            )
