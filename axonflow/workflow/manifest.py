"""Which slides a batch is made of, and the settings of each: the rows of a table, or files and patterns."""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

from axonflow.errors import InputError
from axonflow.kernel.documents import said, shortened, shown
from axonflow.kernel.kinds import NUMBER, PIXEL_SIZE
from axonflow.kernel.setting import settings
from axonflow.kernel.text import from_cell, read_text
from axonflow.workflow.animals import NOBODY, OF_ANIMALS, Subject, check_subjects, read_subject
from axonflow.workflow.config import Config
from axonflow.workflow.settings import SETTINGS, configure, read_settings, without_network

__all__ = ["COLUMNS", "ListedSlide", "list_slides", "read_manifest"]

COLUMNS = ("slide", "level", *OF_ANIMALS, "out", *SETTINGS)
"""The columns of a manifest that mean something here; others are carried along as they are."""

_FLAGS = {known.argument: name for name, known in settings(Config).items() if known.flag and known.argument != name}
"""What the command line calls settings, where a manifest calls them otherwise."""

_NUMBERS = {name for name, known in settings(Config).items() if known.kind in (NUMBER, PIXEL_SIZE)}
"""Columns in which a comma may be a decimal comma."""

_PAIRS = {name for name, known in settings(Config).items() if known.kind is PIXEL_SIZE}
"""Those in which it may also part height and width."""


@dataclass(frozen=True, slots=True)
class ListedSlide:
    """A slide as it is listed.

    Attributes
    ----------
    name : str
        The slide's file, as it was written.
    level : str
        Where in the cord or the tissue it was cut; any text, empty if the list does not say it.
    folder : Path
        From which relative paths count.
    words : Mapping
        Settings of this slide alone, as text, by the names of :data:`COLUMNS`.
    subject : Subject
        Of which animal it is, and whether it counts.
    further : Mapping
        Cells of the columns that mean nothing here, by their headers, in order; all slides of a list have the same.
    """

    name: str
    level: str = ""
    folder: Path = Path()
    words: Mapping[str, str] = field(default_factory=dict)
    subject: Subject = NOBODY
    further: Mapping[str, str] = field(default_factory=dict)

    def config(self, settings: Mapping[str, Any], stores: Path) -> Config:
        """Return what the run of this slide is asked to do.

        Parameters
        ----------
        settings : Mapping
            Values for all slides; this one's own go before them.
        stores : Path
            Folder of the store, unless the slide has a place of its own for it, or is the store of an earlier run.

        Raises
        ------
        InputError
            If a word cannot be read, or settings do not go together.
        """
        slide = self.folder / Path(os.path.expanduser(self.name))  # noqa: PTH111  # pathlib's raises
        own = read_settings({name: word for name, word in self.words.items() if name != "out"}, self.folder)
        if "out" in self.words:
            own["out"] = self.folder / Path(os.path.expanduser(self.words["out"]))  # noqa: PTH111  # likewise
        elif not (slide / "run.json").exists():
            own["out"] = stores / Config.default_out(slide).name
        return configure(slide, {**without_network(settings, own), **own})


def read_manifest(path: Path) -> tuple[ListedSlide, ...]:
    """Read a table of slides: CSV with a header, one slide a row; an empty cell says nothing.

    Commas, semicolons or tabs divide the cells, whichever the header has, or a first line ``sep=;`` says. Names of
    columns may have capitals, and blanks or hyphens for underscores. UTF-8, UTF-16 and Windows' code page are read.
    A cell that would be a formula may begin with an apostrophe, as in the tables that axonflow writes.

    Columns beyond :data:`COLUMNS` are carried along, unless their name is so like one of these that it may be meant.

    Raises
    ------
    InputError
        If it cannot be read, a column is twice there, missing, or may be a slip of the pen, a row does not fit its
        header, or animals and groups do not go together.
    """
    try:
        rows, first = _rows(read_text(path))
    except (OSError, UnicodeDecodeError, ValueError, csv.Error) as error:
        raise InputError(
            f"A table of slides was expected in {path}, but it cannot be read: {said(error)}. Save it as CSV in UTF-8."
        ) from error
    names = [re.sub(r"[\s-]+", "_", name.strip().lower()) for name in (rows[0] if rows else [])]
    while names and not names[-1] and all(not any(map(str.strip, cells[len(names) - 1 :])) for cells in rows[1:]):
        names.pop()  # spreadsheets write the empty columns at the right, too
    headers = [cell.strip() for cell in (rows[0] if rows else [])]
    for header, name in zip(headers, names, strict=False):
        _refuse_slip(header, name, path)
    if len(set(names)) < len(names) or "slide" not in names:
        raise InputError(
            f"A column 'slide' and every column once were expected in {path}, "
            f"{shortened(', '.join(names)) or 'nothing'} came."
        )
    further = [(at, from_cell(headers[at])) for at, name in enumerate(names) if name not in COLUMNS]
    slides: list[tuple[int, ListedSlide]] = []
    for number, cells in enumerate(rows[1:], first + 1):
        if not any(cell.strip() for cell in cells):
            continue
        while len(cells) > len(names) and not cells[-1].strip():
            cells.pop()
        filled = {name: from_cell(cell.strip()) for name, cell in zip(names, cells, strict=False) if cell.strip()}
        words = {name: word for name, word in filled.items() if name in COLUMNS}
        if len(cells) != len(names) or "slide" not in words:
            raise InputError(
                f"A slide and {len(names)} cells were expected in row {number} of {path}, {len(cells)} cells came: "
                f"{shown(cells)}; put quotes around a cell with a comma."
            )
        _refuse_decimal_commas(words, number, path)
        name, level = words.pop("slide"), words.pop("level", "")
        subject = read_subject({what: words.pop(what) for what in OF_ANIMALS if what in words})
        beside = {header: from_cell(cells[at]) for at, header in further}
        slides.append((number, ListedSlide(name, level, path.parent, words, subject, beside)))
    if not slides:
        raise InputError(f"At least one slide was expected in {path}, none came; give each a row.")
    check_subjects(((number, slide.subject) for number, slide in slides), path)
    return tuple(slide for _, slide in slides)


def _refuse_slip(header: str, name: str, path: Path) -> None:
    """Refuse the header of a column that may be a setting with a slip of the pen, or its flag.

    A setting that is not heeded changes numbers and says nothing. It looks like one if most of its letters stand in the
    same order, or all of them in another.
    """
    if name in COLUMNS:
        return
    if not name:
        raise InputError(f"A name for every column was expected in {path}, a column without a name came; give it one.")
    like = _FLAGS.get(name) or next(
        (
            known
            for known in COLUMNS[1:]  # a table without slides is refused anyhow
            if sorted(known) == sorted(name) or SequenceMatcher(None, known, name).ratio() > 0.8
        ),
        None,
    )
    if like:
        raise InputError(
            f"The column {like!r}, or one that is not so like it, was expected in {path}, {shortened(header)!r} came. "
            f"Rename it: {like!r} if that is meant, and otherwise so that nobody takes it for that."
        )


def _refuse_decimal_commas(words: Mapping[str, str], number: int, path: Path) -> None:
    for name in _NUMBERS & words.keys():
        if match := re.fullmatch(r"(\d*)\s*,\s*(\d+)", words[name]):
            whole, part = match.groups()
            two = f", or {whole}.0,{part}.0 for height and width" if name in _PAIRS and int(whole or 0) else ""
            raise InputError(
                f"{name} with a decimal point was expected in row {number} of {path}, {words[name]} came: write "
                f"{whole or 0}.{part}{two}."
            )


def _rows(text: str) -> tuple[list[list[str]], int]:
    """Return the rows of a table from its header on, and the number of the header's row."""
    said = re.match(r'"?sep=(.)"?[,;\t]*\n', text, re.IGNORECASE)
    blank = re.compile(r"[\s,;]*\n")
    begin = said.end() if said else 0
    while empty := blank.match(text, begin):
        begin = empty.end()
    first, text = text.count("\n", 0, begin) + 1, text[begin:]
    divider = said[1] if said else max(",;\t", key=text.partition("\n")[0].count)
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=divider, strict=True)), first


def list_slides(names: Iterable[str]) -> tuple[ListedSlide, ...]:
    """List files and what patterns find, in this order; numbers in the names that a pattern finds count as numbers.

    Raises
    ------
    InputError
        If a pattern finds nothing.
    """
    found: list[str] = []
    for name in names:
        pattern = Path(name)
        if not set("*?[") & set(name) or pattern.exists():
            found.append(name)
            continue
        here = map(str, Path(pattern.anchor).glob(str(pattern.relative_to(pattern.anchor))))
        some = sorted(here, key=_numerically)
        if not some:
            raise InputError(f"Slides were expected under {name!r}, nothing is there; check the pattern.")
        found += some
    return tuple(map(ListedSlide, dict.fromkeys(found)))


def _numerically(name: str) -> list[tuple[int, str]]:
    """Return a key by which C2 comes before C10."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)]
