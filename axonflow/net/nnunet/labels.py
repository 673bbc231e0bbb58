"""What nnU-Net's labels are to axonflow: their numbers stay, their names say which are axon and myelin."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from axonflow.kernel.classes import AXON_MYELIN, TINTS, Classes, PixelClass, known_as
from axonflow.kernel.documents import shown

__all__ = ["classes_of"]

_MOST = 256


def classes_of(dataset: Mapping[str, Any]) -> Classes:
    """Return the classes of a dataset.json, numbered as nnU-Net numbers them.

    Raises
    ------
    ValueError
        If no label is axon or none is myelin, numbers have gaps, or labels overlap.
    """
    labels = dataset["labels"]
    if not isinstance(labels, dict) or not all(isinstance(name, str) for name in labels):
        raise ValueError(f"labels by name should be in dataset.json, {shown(labels, 60)} came")
    numbers = {name: _number(name, value) for name, value in labels.items() if name != "ignore"}
    if sorted(numbers.values()) != [*range(len(numbers))] or numbers.get("background") != 0 or len(numbers) > _MOST:
        raise ValueError(
            f"labels from background 0 on without a gap should be in dataset.json, {shown(numbers, 120)} came"
        )
    named: list[PixelClass] = []
    for number, name in enumerate(sorted(numbers, key=numbers.__getitem__)):
        named.append(_class(number, name, named))
    roles = [each.role for each in named]
    if any(roles.count(role) != 1 for role in ("axon", "myelin")):
        raise ValueError(
            f"one label of axons and one of myelin should be in dataset.json, {shown([*numbers], 120)} came; name "
            "them axon and myelin"
        )
    return Classes(tuple(named))


def _number(name: str, value: object) -> int:
    if isinstance(value, list) and len(value) == 1:
        (value,) = value
    if type(value) is not int:
        raise ValueError(
            f"one number for each label should be in dataset.json, {shown(name, 40)} has {shown(value, 40)}; regions "
            "that overlap are not predicted"
        )
    return value


def _class(number: int, name: str, others: list[PixelClass]) -> PixelClass:
    if number == 0:
        return AXON_MYELIN[0]
    if known := known_as(name):
        return PixelClass(number, known.name, known.colour, known.role)
    plain = re.sub(r"[^A-Za-z0-9]+", " ", name).strip()
    plain = plain[:60].strip() if plain[:1].isalpha() else f"class {plain[:60]}".strip()
    taken = {each.name for each in others}
    if plain in taken or known_as(plain) or plain == "background":
        plain = f"{plain} {number}"
    return PixelClass(number, plain, TINTS[number % len(TINTS)], "other")
