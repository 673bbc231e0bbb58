"""What the numbers in semantic labels mean, and which of these pixels count: one list of classes.

A model's contract holds the list, the store of a run has that of its model, and every module takes a class's number,
name and colour from there. Axons, with myelin and without, and myelin are found by their role, whatever their number.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "AXON_MYELIN",
    "TINTS",
    "UNMYELINATED",
    "WITH_UNMYELINATED",
    "Classes",
    "Labels",
    "PixelClass",
    "Role",
    "known_as",
]

Labels = NDArray[np.uint8]
"""Semantic labels: the number of each pixel's class."""

Role = Literal["background", "axon", "myelin", "unmyelinated", "other"]
"""What a class is to the measurements: they are of axons, of their myelin, and of axons that have none (unmyelinated),
and leave any other class alone."""

_GREYS = {"background": 0, "myelin": 127, "axon": 255, "unmyelinated": 0, "other": 0}
"""How AxonDeepSeg writes labels as an image, by role; it has no grey for other classes."""

_MYELIN_FROM, _AXON_FROM = 64, 191
"""The greys half way between these, from which on a pixel is read as the brighter one."""

_CALLED = {
    "axon": {"axon", "axons", "maxon", "myelinated axon", "myelinated axons"},
    "myelin": {"myelin", "myelin sheath", "myelin sheaths", "sheath"},
    "unmyelinated": {
        *("uaxon", "uaxons", "umaxon", "unmyelinated", "unmyelinated axon", "unmyelinated axons", "unmyelinatedaxon"),
        *("non myelinated axon", "unmyel axon"),
    },
}
"""How people call the classes that are measured, by their role; in any case of letters, and with anything between."""

TINTS = ("#beaed4", "#fdc086", "#ffff99", "#f0027f", "#bf5b17", "#a6cee3", "#b2df8a", "#cab2d6")
"""Colours of classes that only have a name, by the order of their numbers."""

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]*( [A-Za-z0-9]+)*")
_COLOUR = re.compile(r"#[0-9a-f]{6}")
_MOST = 256


@dataclass(frozen=True, slots=True)
class PixelClass:
    """A class of pixels.

    Parameters
    ----------
    number : int
        Its value in semantic labels.
    name : str
        Letters, digits and single spaces: folders of a store are named after it.
    colour : str
        Red, green and blue as in ``#408cf2``.
    role : Role

    Raises
    ------
    ValueError
        If the name, the colour or the role is none.
    """

    number: int
    name: str
    colour: str
    role: Role

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"a class's name of letters, digits and single spaces was expected, {self.name!r} came")
        if not _COLOUR.fullmatch(self.colour):
            raise ValueError(f"a colour such as #408cf2 was expected for the class {self.name}, {self.colour!r} came")
        if self.role not in get_args(Role):
            raise ValueError(f"a role of {', '.join(get_args(Role))} was expected for {self.name}, {self.role!r} came")

    @property
    def rgb(self) -> tuple[int, int, int]:
        """Red, green and blue, 0 to 255."""
        red, green, blue = bytes.fromhex(self.colour[1:])
        return red, green, blue


@dataclass(frozen=True, slots=True)
class Classes:
    """The classes of a model, in the order of their numbers.

    Iterating yields each :class:`PixelClass`; a number in brackets gives the class that has it.

    Parameters
    ----------
    all : tuple of PixelClass
        Numbered 0, 1, … without a gap. Number 0 is the background; one class is axon and one is myelin; axons without
        myelin may be one, and any number of others may stand beside them.

    Raises
    ------
    ValueError
        If they are not of this form.
    """

    all: tuple[PixelClass, ...]

    def __post_init__(self) -> None:
        if (numbers := [each.number for each in self.all]) != [*range(len(numbers))] or len(numbers) > _MOST:
            raise ValueError(f"classes numbered 0, 1, … up to {_MOST - 1} were expected, {numbers} came")
        if len({each.name for each in self.all}) < len(self.all):
            raise ValueError(f"classes of different names were expected, {', '.join(self.names)} came")
        roles = [each.role for each in self.all]
        if roles[:1] != ["background"] or any(roles.count(role) != 1 for role in ("background", "axon", "myelin")):
            raise ValueError(
                "a background with number 0, one class of the role axon and one of the role myelin were expected, the "
                f"roles {', '.join(roles)} came"
            )
        if roles.count("unmyelinated") > 1:
            raise ValueError(
                f"one class of axons without myelin, or none, was expected, the roles {', '.join(roles)} came"
            )

    def __iter__(self) -> Iterator[PixelClass]:
        return iter(self.all)

    def __len__(self) -> int:
        return len(self.all)

    def __getitem__(self, number: int) -> PixelClass:
        return self.all[number]

    @property
    def axon(self) -> int:
        """Number of the class that is axon."""
        return self._number("axon")

    @property
    def myelin(self) -> int:
        """Number of the class that is myelin."""
        return self._number("myelin")

    @property
    def unmyelinated(self) -> int | None:
        """Number of the class of axons without myelin; None if there is none."""
        return next((each.number for each in self.all if each.role == "unmyelinated"), None)

    @property
    def names(self) -> tuple[str, ...]:
        """Names, by number."""
        return tuple(each.name for each in self.all)

    @property
    def legend(self) -> tuple[PixelClass, ...]:
        """All but the background, as a legend lists them: axon, myelin, axons without, then the others by number."""
        order = get_args(Role)
        return tuple(sorted(self.all[1:], key=lambda each: (order.index(each.role), each.number)))

    @property
    def greys(self) -> NDArray[np.uint8]:
        """Grey of each class in the image that AxonDeepSeg writes, by number, (n,); other classes are background."""
        return np.array([_GREYS[each.role] for each in self.all], np.uint8)

    def from_greys(self, image: NDArray[np.uint8]) -> Labels:
        """Return the labels that an image of about 0 background, 127 myelin and 255 axon stands for."""
        return self.from_masks(image >= _AXON_FROM, image >= _MYELIN_FROM)

    def from_masks(
        self, axon: NDArray[np.bool_], myelin: NDArray[np.bool_], others: Mapping[int, NDArray[np.bool_]] | None = None
    ) -> Labels:
        """Return the labels that masks stand for.

        Parameters
        ----------
        axon, myelin : (h, w) bool
            Axon where both are.
        others : Mapping of int to (h, w) bool, optional
            Masks of other classes by their number: they change nothing of axons and myelin, only what is neither.
        """
        labels = np.zeros(myelin.shape, np.uint8)
        for number, mask in (others or {}).items():
            np.copyto(labels, np.uint8(number), where=mask)
        np.copyto(labels, np.uint8(self.myelin), where=myelin)
        np.copyto(labels, np.uint8(self.axon), where=axon)
        return labels

    def number_of(self, name: str) -> int | None:
        """Return the number of the class with a name; None if there is none."""
        return next((each.number for each in self.all if each.name == name), None)

    def kinds(self, labels: Labels) -> NDArray[np.uint8]:
        """Return which kind of axon each pixel is of, (h, w) uint8: 1 an axon, 2 one without myelin, 0 none."""
        axons: NDArray[np.bool_] = labels == self.axon
        kind = axons.view(np.uint8)
        if self.unmyelinated is not None:
            kind[labels == self.unmyelinated] = 2
        return kind

    def left_out(self, labels: Labels, ids: NDArray[np.integer]) -> NDArray[np.bool_]:
        """Return which pixels are of an axon that does not count: it is too small, so it has no id.

        Parameters
        ----------
        labels : (h, w) uint8
        ids : (h, w) int
            Ids of axons; 0 is none.

        Returns
        -------
        (h, w) bool
            Lazy if they are, as dask arrays.
        """
        out: NDArray[np.bool_] = labels == self.axon
        if self.unmyelinated is not None:
            out |= labels == self.unmyelinated
        out &= ids == 0
        return out

    def counted(self, labels: Labels, ids: NDArray[np.integer]) -> Labels:
        """Return the labels as tables, maps and scores count them: an axon that was left out is background.

        Parameters and laziness are those of :meth:`left_out`.
        """
        counted: Labels = np.where(self.left_out(labels, ids), np.uint8(0), labels)
        return counted

    def to_json(self) -> list[dict[str, Any]]:
        """Return the list as JSON holds it: number, name, colour and role of each class."""
        return [asdict(each) for each in self.all]

    @classmethod
    def from_json(cls, content: object) -> Classes:
        """Read what :meth:`to_json` returned.

        The names background, myelin and axon alone, in this order, stand for :data:`AXON_MYELIN`: contracts written
        before the list had more than names hold it so. :meth:`with_unmyelinated` gives the role unmyelinated to those
        written before there was one.

        Raises
        ------
        ValueError
            If it is something else.
        """
        if content == list(AXON_MYELIN.names):
            return AXON_MYELIN
        fields = {"number": int, "name": str, "colour": str, "role": str}
        if isinstance(content, list) and all(
            isinstance(each, dict)
            and each.keys() == fields.keys()
            and all(type(each[name]) is kind for name, kind in fields.items())
            for each in content
        ):
            return cls(tuple(PixelClass(**each) for each in content))
        raise ValueError(f"classes with {', '.join(fields)} each were expected, {content!r:.200} came")

    def with_unmyelinated(self) -> Classes:
        """Return the list with :data:`UNMYELINATED` in its role: it was one of the others before there was one."""
        if self.unmyelinated is not None:
            return self
        return Classes(
            tuple(
                replace(each, role="unmyelinated") if (each.name, each.role) == (UNMYELINATED, "other") else each
                for each in self.all
            )
        )

    @classmethod
    def from_words(cls, words: str) -> Classes:
        """Read a list as a person writes it: ``0=background,1=myelin,2=axon,3=unmyelinated,4=nuclei``.

        Background is the class of this role, axon, myelin and unmyelinated are what :func:`known_as` knows; any other
        name is one of its own.

        Raises
        ------
        ValueError
            If it is something else, or no list of classes.
        """
        found: dict[int, str] = {}
        for word in words.split(","):
            number, equals, name = (part.strip() for part in word.partition("="))
            if not (equals and re.fullmatch("[0-9]{1,3}", number)) or int(number) in found:
                raise ValueError(f"numbers with a name each were expected, {word.strip()!r} came")
            found[int(number)] = name
        tints = iter(TINTS * len(found))
        named = []
        for at, name in sorted(found.items()):
            same = AXON_MYELIN[0] if name.casefold() == "background" else known_as(name)
            named.append(replace(same, number=at) if same else PixelClass(at, name, next(tints), "other"))
        return cls(tuple(named))

    def _number(self, role: Role) -> int:
        return next(each.number for each in self.all if each.role == role)


AXON_MYELIN = Classes(
    (
        PixelClass(0, "background", "#000000", "background"),
        PixelClass(1, "myelin", "#e34a33", "myelin"),
        PixelClass(2, "axon", "#408cf2", "axon"),
    )
)
"""The classes of AxonDeepSeg's paper and of every model that names no others, numbered as its models number them."""

UNMYELINATED = "unmyelinated axon"
"""The name of the class of axons that have no myelin, whatever its number."""

WITH_UNMYELINATED = Classes((*AXON_MYELIN, PixelClass(3, UNMYELINATED, "#7fc97f", "unmyelinated")))
"""The same and axons without myelin, for images in which these are drawn."""


def known_as(name: str) -> PixelClass | None:
    """Return the class that a name stands for, of whatever number; None if it is of something else."""
    plain = re.sub(r"[^a-z0-9]+", " ", name.casefold()).strip()
    return next((each for each in WITH_UNMYELINATED if plain in _CALLED.get(each.role, ())), None)
