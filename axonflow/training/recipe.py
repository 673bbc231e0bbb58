"""What decides a training, but the data: one frozen value, the paper's unless a file says otherwise.

Training reads the tables ``[train]`` and ``[train.augmentation]`` of a pipeline, whose keys are the fields of
:class:`Recipe` and :class:`Augmentation`. What a file leaves out is as in Zaimi et al. (Sci. Rep. 8:3816, 2018) and its
code.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from math import exp, inf
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from axonflow.errors import InputError
from axonflow.workflow.pipeline import read_table

__all__ = ["Augmentation", "Recipe", "Sampling"]

Sampling = Literal["area", "image", "subject"]
"""What is drawn equally often."""


class _Checked:
    """A value whose fields have limits, and which can be read from a table."""

    __slots__ = ()
    _where: ClassVar[str] = ""
    _limits: ClassVar[Mapping[str, tuple[float, float]]] = {}

    def __post_init__(self) -> None:
        for name, (low, high) in self._limits.items():
            value = getattr(self, name)
            if not all(low <= number <= high for number in (value if isinstance(value, tuple) else (value,))):
                wanted = f"{low:g} or more" if high == inf else f"{low:g} to {high:g}"
                raise InputError(f"{self._where}{name} was expected to be {wanted}, {_plain(value)} came.")

    @classmethod
    def from_table(cls, table: Mapping[str, Any]) -> Self:
        """Build the value from a table of some of its fields; the others keep their defaults.

        Raises
        ------
        InputError
            If a key is unknown, or a value of another kind than the field, or beyond its limits.
        """
        defaults = {given.name: getattr(cls(), given.name) for given in fields(cls)}  # type: ignore[arg-type]
        if unknown := [f"{cls._where}{key}" for key in table if key not in defaults]:
            raise InputError(f"Settings among {', '.join(defaults)} were expected, {', '.join(unknown)} came.")
        return cls(**{key: _fit(f"{cls._where}{key}", value, defaults[key]) for key, value in table.items()})


@dataclass(frozen=True, slots=True)
class Augmentation(_Checked):
    """Ranges of the random changes of a patch, in the order in which they are made.

    Sizes are in px of the working pixel size, greys in standard deviations of the image. The paper has those up to
    the blur; the others are off (0; 1 for a factor) unless set.

    Attributes
    ----------
    shift : float
        Largest shift along each axis, as a share of the patch's side.
    scale : float
        Sizes change by a factor drawn evenly between 1/scale and scale.
    rotation : (float, float)
        Degrees.
    elastic : (float, float)
        Factor α of a random displacement: numbers between −1 and 1 at every ``elastic_sigma`` px, smoothed with a
        Gaussian of that σ. At α = 8 it is 1.2 px by root mean square and 5 px at most.
    elastic_sigma : float
    flip : float
        Probability of a flip along each axis.
    blur : float
        Largest σ of a Gaussian blur.
    blur_probability : float
    gamma : float
        Largest exponent of a monotone curve of the greys, the equalised range taken as 0 to 1; its least is 1/gamma.
    uneven : float
        Most that gain and offset change over the patch, each by its own 4×4 knots with bilinear interpolation.
    contrast, brightness : float
        Gain within 1 ± contrast, offset within ± brightness, over the whole patch.
    noise : float
        Largest σ of Gaussian noise.
    noise_probability : float
    """

    shift: float = 0.1
    scale: float = 1.2
    rotation: tuple[float, float] = (5.0, 89.0)
    elastic: tuple[float, float] = (1.0, 8.0)
    elastic_sigma: float = 4.0
    flip: float = 0.5
    blur: float = 1.5
    blur_probability: float = 1.0
    gamma: float = 1.0
    uneven: float = 0.0
    contrast: float = 0.0
    brightness: float = 0.0
    noise: float = 0.0
    noise_probability: float = 1.0

    _where: ClassVar[str] = "augmentation."
    _limits: ClassVar[Mapping[str, tuple[float, float]]] = {
        "shift": (0, 1),
        "scale": (1, 4),
        "rotation": (-360, 360),
        "elastic": (0, 100),
        "elastic_sigma": (1, 256),
        "flip": (0, 1),
        "blur": (0, 20),
        "blur_probability": (0, 1),
        "gamma": (1, 10),
        "uneven": (0, 2),
        "contrast": (0, 1),
        "brightness": (0, 5),
        "noise": (0, 5),
        "noise_probability": (0, 1),
    }

    def __post_init__(self) -> None:
        _Checked.__post_init__(self)
        for name in ("rotation", "elastic"):
            low, high = getattr(self, name)
            if low > high:
                raise InputError(f"augmentation.{name} was expected as [least, most], [{low:g}, {high:g}] came.")


@dataclass(frozen=True, slots=True)
class Recipe(_Checked):
    """Everything that decides a training, but the data.

    Attributes
    ----------
    patches : int
        How many the network is shown in all.
    batch : int
        Patches a step.
    side : int
        Of a patch, px; a multiple of 16.
    rate, power : float
        Learning rate of Adam at the start, and the power of its polynomial decay to 0.
    momentum : (float, float)
        Share of batch norm's running statistics that is kept each step, at the start and in the limit.
    momentum_period : float
        Patches after which 1 − 1/e of the way between these two is gone.
    dropout : float
        Share of the activations left out.
    class_weights : (float, float, float)
        Of background, myelin and axon in the cross-entropy; divided by their mean. The paper's move the boundary of
        the axons outwards, and area fractions with it; [1, 1, 1] does not.
    dice : float
        Weight of a soft Dice loss that is added to the cross-entropy.
    average : float
        Share of the averaged weights that is kept each step; these are then what is scored and saved. 0: none.
    sampling : "area", "image" or "subject"
        What is drawn equally often: each µm², each image, or each subject (and each image of it).
    seed : int
        Of the first weights, the patches and the dropout.
    augmentation : Augmentation
    """

    patches: int = 24_000
    batch: int = 8
    side: int = 512
    rate: float = 1e-3
    power: float = 0.9
    momentum: tuple[float, float] = (0.7, 0.9)
    momentum_period: float = 16_000.0
    dropout: float = 0.25
    class_weights: tuple[float, float, float] = (1.1, 1.0, 1.3)
    dice: float = 0.0
    average: float = 0.0
    sampling: Sampling = "area"
    seed: int = 0
    augmentation: Augmentation = field(default_factory=Augmentation)

    _limits: ClassVar[Mapping[str, tuple[float, float]]] = {
        "patches": (1, inf),
        "batch": (1, 4096),
        "side": (16, 8192),
        "rate": (1e-9, 1),
        "power": (0, 10),
        "momentum": (0, 1),
        "momentum_period": (1, inf),
        "dropout": (0, 0.95),
        "class_weights": (1e-3, 1e3),
        "dice": (0, 1e3),
        "average": (0, 0.99999),
        "seed": (0, 2**63 - 1),
    }

    def __post_init__(self) -> None:
        _Checked.__post_init__(self)
        if self.side % 16:
            raise InputError(f"side was expected to be a multiple of 16 px, {self.side} came.")
        if self.patches < self.batch:
            raise InputError(f"patches was expected to be at least a batch of {self.batch}, {self.patches} came.")
        if self.sampling not in {"area", "image", "subject"}:
            raise InputError(f"sampling was expected to be 'area', 'image' or 'subject', {self.sampling!r} came.")

    @property
    def steps(self) -> int:
        """Number of optimiser steps."""
        return self.patches // self.batch

    def rate_at(self, step: int) -> float:
        """Return the learning rate of a step: rate · (1 − step/steps)^power."""
        return self.rate * float((1 - step / self.steps) ** self.power)

    def momentum_at(self, step: int) -> float:
        """Return batch norm's momentum of a step: start + (limit − start) · (1 − exp(−patches shown/period)).

        That is the law in the paper's code; with its period of 16,000 patches, 24,000 of them lead to 0.855.
        """
        start, limit = self.momentum
        return start + (limit - start) * (1 - exp(-step * self.batch / self.momentum_period))

    def to_table(self) -> dict[str, Any]:
        """Return the value as :meth:`from_table` takes it, with every field; tuples are lists."""
        return {name: _plain(value) for name, value in asdict(self).items()}

    @classmethod
    def read(cls, pipeline: str | Path) -> Recipe:
        """Read the recipe of a pipeline.

        Parameters
        ----------
        pipeline : str or Path
            A name among those in ``pipelines/``, or the path of a TOML file.

        Raises
        ------
        InputError
            If there is no such file, it holds what is unknown or cannot be, or tables for other commands alone.
        """
        path, table = read_table(pipeline, "train")
        try:
            return cls.from_table(table)
        except InputError as error:
            raise InputError(f"{path}: {error}") from error


def _fit(name: str, value: Any, default: Any) -> Any:
    """Return a table's value as the kind that its field has."""
    if isinstance(default, Augmentation):
        if isinstance(value, Mapping):
            return Augmentation.from_table(value)
        kind = "a table"
    elif isinstance(default, tuple):
        if isinstance(value, list | tuple) and len(value) == len(default):
            return tuple(_fit(name, each, 0.0) for each in value)
        kind = f"a list of {len(default)} numbers"
    elif isinstance(default, str):
        if isinstance(value, str):
            return value
        kind = "a text"
    else:
        if isinstance(value, int | type(default)) and not isinstance(value, bool):
            return type(default)(value)
        kind = "a whole number" if isinstance(default, int) else "a number"
    raise InputError(f"{name} was expected to be {kind}, {value!r} came.")


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    return list(value) if isinstance(value, tuple) else value
