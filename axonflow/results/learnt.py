"""What a result's network learnt from, and whether its slide may be of it: as far as the names of subjects tell.

A contract lists the subjects of its training and no image of theirs. A slide's subject is known where its name, or a
folder above it, has it in the words of BIDS: ``sub-rat2``. Another data set may have a subject of the same name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from axonflow.errors import ModelError
from axonflow.kernel.documents import shortened
from axonflow.kernel.words import listed
from axonflow.net.checkpoint import Checkpoint
from axonflow.net.named import EMBEDDED
from axonflow.results.analysis import Analysis

__all__ = ["Learnt", "learnt_by", "subjects_in"]

LONGEST = 20
"""Models of which each began as the one before it."""

_SUBJECT = re.compile(r"sub-[A-Za-z0-9]+")


@dataclass(frozen=True, slots=True)
class Learnt:
    """What a network learnt from.

    Attributes
    ----------
    subjects : Mapping of str to str
        The data set, in words, of each subject that contracts list: the network's, and that of the one it began as.
    whole : bool
        Whether these contracts are all there, are of the same weights, and list subjects.
    same : tuple of str
        Those of the subjects whose names the slide's files have, too.
    """

    subjects: Mapping[str, str]
    whole: bool
    same: tuple[str, ...]

    @property
    def warning(self) -> str:
        """What follows for whoever looks at the numbers; nothing if no name is the same."""
        if not self.same:
            return ""
        data = listed(*dict.fromkeys(self.subjects[subject] for subject in self.same))
        return (
            f"The network learnt from {listed(*self.same)} of {data}, and so is this slide named: if it is the same "
            "animal, the result says nothing about new ones."
        )

    @property
    def told(self) -> str:
        """The same, and what the names do not tell, in sentences."""
        if self.warning:
            return self.warning
        if not self.subjects:
            return (
                "What the network learnt from is not known by its subjects: if this slide is of it, the scores say "
                "nothing about new ones."
            )
        more = "" if self.whole else ", and from others that are not known"
        return (
            f"The network learnt from {shortened(', '.join(self.subjects))} of "
            f"{listed(*dict.fromkeys(self.subjects.values()))}{more}. The names of slide and truth do not say that "
            "they are of these: if they are, the scores say nothing about new ones."
        )


def learnt_by(result: Analysis, *further: PurePath) -> Learnt | None:
    """Return what the network of a result learnt from; None if none was at work.

    Parameters
    ----------
    result : Analysis
    *further : PurePath
        Files of the same slide, whose names may tell its subject.
    """
    made_by = result.record["model"]
    if "masks" in made_by:
        return None
    found = [*_lineage(made_by)]
    subjects: dict[str, str] = {}
    for model in filter(None, found):
        data = str(model.trained_on.get("data") or "data that are not named").partition(" (")[0]
        subjects |= {subject: data for subject in model.trained_on.get("subjects", ()) if subject not in subjects}
    here = subjects_in((PurePath(result.record["slide"]["path"]), *further))
    whole = all(model is not None and model.trained_on.get("subjects") for model in found)
    return Learnt(subjects, whole, tuple(subject for subject in subjects if subject in here))


def _lineage(made_by: Mapping[str, Any] | None) -> Iterator[Checkpoint | None]:
    """Yield a model, and that which it began as, and so on; None in the place of one that is gone, or another now."""
    for _ in range(LONGEST):
        if not made_by:
            return
        name = made_by["name"]
        path = EMBEDDED / f"{name}.json" if made_by.get("embedded") else made_by.get("path", name)
        try:
            model = Checkpoint.find(path)
        except ModelError:
            model = None
        if model is None or model.sha256 != made_by.get("sha256"):
            yield None
            return
        yield model
        began = model.trained_on.get("start")
        names = [began.get(key, "") for key in ("name", "path")] if isinstance(began, dict) else [""]
        made_by = began if names[0] and all(isinstance(name, str) for name in names) else None


def subjects_in(paths: Iterable[PurePath]) -> set[str]:
    """Return the subjects that files, or folders above them, are named after: ``sub-rat2`` of ``sub-rat2_SEM.png``."""
    words = {word for path in paths for part in path.parts for word in re.split(r"[_.]", part)}
    return {word for word in words if _SUBJECT.fullmatch(word)}
