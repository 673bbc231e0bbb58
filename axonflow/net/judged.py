"""How good a model is on subjects that it never saw, as numbers: written with its card, and read where they are needed.

They lie as ``judged.json`` in the folder of the card's pictures, ``NAME/``, and name the weights that they are about.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from axonflow.kernel.documents import read_json
from axonflow.kernel.files import write_file
from axonflow.kernel.words import count

__all__ = ["JUDGED", "QUANTITIES", "SCORES", "Judged", "read_judged"]

JUDGED = "judged.json"

QUANTITIES = {
    "density": ("axon density", "mm⁻²"),
    "avf": ("axon volume fraction (AVF)", ""),
    "mvf": ("myelin volume fraction (MVF)", ""),
    "gratio": ("aggregate g-ratio", ""),
    "diameter": ("mean axon diameter", "µm"),
}
"""The numbers of a tissue by their short names: in words, and the unit they are printed with."""

SCORES = {
    "accuracy": "accuracy",
    "dice_axon": "Dice, axon",
    "dice_myelin": "Dice, myelin",
    "dice_unmyelinated_axon": "Dice, unmyelinated axon",
    "mean_iou": "mean IoU",
    "sensitivity": "sensitivity",
    "precision": "precision",
    "instance_f1": "F1 at IoU 0.5",
}
"""The scores of a card, in words; 1 is the best of each."""

LARGEST_ERROR = 100.0
"""Relative size of an error beyond which it is thought to be no measurement."""

Spread = tuple[float, float]
"""Mean over the subjects, each by the mean over its images, and the worst of them."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What an evaluation found on images whose subjects the network had not seen.

    Attributes
    ----------
    sha256 : str
        Of the weights.
    images, subjects : int
    cross_validated : bool
        Whether networks of the same recipe were judged, each on the subjects it was trained without.
    scores : Mapping of str to (float, float)
        By the names of :data:`SCORES`: mean and least.
    errors : Mapping of str to (float, float)
        By the names of :data:`QUANTITIES`: mean and largest size of a subject's relative error.
    """

    sha256: str
    images: int
    subjects: int
    cross_validated: bool
    scores: Mapping[str, Spread]
    errors: Mapping[str, Spread]

    def write(self, folder: Path) -> None:
        """Write the file into the folder of a card's pictures, which is there."""
        write_file(folder / JUDGED, (json.dumps(asdict(self), indent=2) + "\n").encode())

    @property
    def on(self) -> str:
        """On what it was judged, in words."""
        return f"{count(self.images, 'image')} of {count(self.subjects, 'subject')}"

    @property
    def who(self) -> str:
        """What was judged, in words: the network itself, or others that were trained as it was."""
        if self.cross_validated:
            return "networks trained as it was, each on subjects that it had never seen"
        return "the network, on subjects that it had never seen"


def read_judged(folder: Path, sha256: str) -> Judged | None:
    """Read what was found of weights; None if there is nothing, or it is of others or of another form.

    Parameters
    ----------
    folder : Path
        Of the pictures of the model's card.
    sha256 : str
        Of the weights.
    """
    try:
        content = read_json(folder / JUDGED)
        found = Judged(
            str(content["sha256"]),
            int(content["images"]),
            int(content["subjects"]),
            content["cross_validated"] is True,
            _spreads(content["scores"], SCORES, 1),
            _spreads(content["errors"], QUANTITIES, LARGEST_ERROR),
        )
        if not 1 <= found.subjects <= found.images:
            return None
    except (ArithmeticError, AttributeError, LookupError, OSError, TypeError, ValueError):
        return None
    return found if found.sha256 == sha256 else None


def _spreads(given: Any, known: Mapping[str, object], most: float) -> dict[str, Spread]:
    """Return those that are known, in their order; a value that is none, or beyond ``most``, raises."""
    found = {name: (float(given[name][0]), float(given[name][1])) for name in known if name in given}
    if not all(0 <= value <= most for spread in found.values() for value in spread):
        raise ValueError(f"numbers from 0 to {most} were expected")
    return found
