"""What decides a training, but the data: one frozen value, the paper's unless a file says otherwise.

Training reads the tables ``[train]`` and ``[train.augmentation]`` of a pipeline, whose keys are the fields of
:class:`Recipe` and :class:`Augmentation`. What a file leaves out is as in Zaimi et al. (Sci. Rep. 8:3816, 2018) and its
code.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import ceil, exp, log2
from pathlib import Path
from typing import Any, Literal

from axonflow.errors import InputError
from axonflow.kernel.kinds import NUMBER, WHOLE, Kind, choice, numbers
from axonflow.kernel.setting import check, read_words, setting
from axonflow.kernel.units import LARGEST_UM, SMALLEST_UM, PixelSize
from axonflow.workflow.pipeline import read_table

__all__ = ["Augmentation", "Recipe", "Sampling"]

Sampling = Literal["area", "image", "subject"]
"""What is drawn equally often."""


_SHARE: dict[str, Any] = {"least": 0, "most": 1}


@dataclass(frozen=True, slots=True)
class Augmentation:
    """Ranges of the random changes of a patch, in the order in which they are made.

    Sizes are in px of the working pixel size, greys in standard deviations of the image. The paper has those up to
    the blur; the others are off (0; 1 for a factor) unless set.
    """

    shift: float = setting(
        NUMBER, "Largest shift along each axis, as a share of the patch's side.", default=0.1, **_SHARE
    )
    scale: float = setting(
        NUMBER, "Sizes change by a factor drawn evenly between 1/scale and scale.", default=1.2, least=1, most=4
    )
    rotation: tuple[float, float] = setting(
        numbers(2), "Least and most rotation, degrees.", default=(5.0, 89.0), least=-360, most=360
    )
    elastic: tuple[float, float] = setting(
        numbers(2),
        "Least and most factor α of a random displacement: numbers between −1 and 1 at every elastic_sigma px, "
        "smoothed with a Gaussian of that σ. At α = 8 it is 1.2 px by root mean square and 5 px at most.",
        default=(1.0, 8.0),
        least=0,
        most=100,
    )
    elastic_sigma: float = setting(NUMBER, "That σ, px.", default=4.0, least=1, most=256)
    flip: float = setting(NUMBER, "Probability of a flip along each axis.", default=0.5, **_SHARE)
    blur: float = setting(NUMBER, "Largest σ of a Gaussian blur, px.", default=1.5, least=0, most=20)
    blur_probability: float = setting(NUMBER, "Share of the patches that are blurred.", default=1.0, **_SHARE)
    gamma: float = setting(
        NUMBER,
        "Largest exponent of a monotone curve of the greys, the equalised range taken as 0 to 1; its least is 1/gamma.",
        default=1.0,
        least=1,
        most=10,
    )
    uneven: float = setting(
        NUMBER,
        "Most that gain and offset change over the patch, each by its own 4×4 knots with bilinear interpolation.",
        default=0.0,
        least=0,
        most=2,
    )
    contrast: float = setting(NUMBER, "Gain within 1 ± contrast, over the whole patch.", default=0.0, **_SHARE)
    brightness: float = setting(
        NUMBER, "Offset within ± brightness, over the whole patch.", default=0.0, least=0, most=5
    )
    noise: float = setting(NUMBER, "Largest σ of Gaussian noise.", default=0.0, least=0, most=5)
    noise_probability: float = setting(NUMBER, "Share of the patches that get noise.", default=1.0, **_SHARE)

    def __post_init__(self) -> None:
        check(self, _AUGMENTATION)
        for name in ("rotation", "elastic"):
            low, high = getattr(self, name)
            if low > high:
                raise InputError(f"augmentation.{name} was expected as [least, most], [{low:g}, {high:g}] came.")


_AUGMENTATION = "augmentation."


def _augmentation(word: Any) -> Augmentation:
    if not isinstance(word, Mapping):
        raise TypeError(word)
    return Augmentation(**read_words(Augmentation, word, prefix=_AUGMENTATION))


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that decides a training, but the data."""

    patches: int = setting(WHOLE, "How many the network is shown in all.", default=24_000, least=1)
    batch: int = setting(WHOLE, "Patches a step.", default=8, least=1, most=4096)
    side: int = setting(WHOLE, "Of a patch, px.", default=512, least=16, most=8192, multiple=16, unit="px")
    rate: float = setting(NUMBER, "Learning rate of Adam at the start.", default=1e-3, least=1e-9, most=1)
    power: float = setting(NUMBER, "Power of its polynomial decay to 0.", default=0.9, least=0, most=10)
    momentum: tuple[float, float] = setting(
        numbers(2),
        "Share of batch norm's running statistics that is kept each step, at the start and in the limit.",
        default=(0.7, 0.9),
        **_SHARE,
    )
    momentum_period: float = setting(
        NUMBER, "Patches after which 1 − 1/e of the way between these two is gone.", default=16_000.0, least=1
    )
    dropout: float = setting(NUMBER, "Share of the activations left out.", default=0.25, least=0, most=0.95)
    class_weights: tuple[float, ...] = setting(
        numbers(3, 4),
        "Of background, myelin and axon in the cross-entropy, and of axons without myelin where these are drawn (1 "
        "unless given); divided by their mean. The paper's move the boundary of the axons outwards, and area fractions "
        "with it; [1, 1, 1] does not.",
        default=(1.1, 1.0, 1.3),
        least=1e-3,
        most=1e3,
    )
    dice: float = setting(
        NUMBER, "Weight of a soft Dice loss that is added to the cross-entropy.", default=0.0, least=0, most=1e3
    )
    average: float = setting(
        NUMBER,
        "Share of the averaged weights that is kept each step; these are then what is scored and saved. 0: none.",
        default=0.0,
        least=0,
        most=0.99999,
    )
    sampling: Sampling = setting(
        choice("area", "image", "subject"),
        "What is drawn equally often: each µm², each image, or each subject (and each image of it).",
        default="area",
    )
    pixel_sizes: tuple[float, float] | None = setting(
        numbers(2),
        "Least and largest pixel size at which patches are shown, each octave between them equally often; the model is "
        "then one for slides of any of these.",
        usual="the model's alone",
        least=SMALLEST_UM,
        most=LARGEST_UM,
        unit="µm",
    )
    working_sizes: tuple[float, ...] | None = setting(
        numbers(1, 16),
        "Pixel sizes of which a run takes that nearest to the slide's; the model's is always one.",
        usual="the model's alone",
        least=SMALLEST_UM,
        most=LARGEST_UM,
        unit="µm",
    )
    seed: int = setting(WHOLE, "Of the first weights, the patches and the dropout.", default=0, least=0, most=2**63 - 1)
    augmentation: Augmentation = setting(
        Kind("a table", _augmentation, lambda value: isinstance(value, Augmentation)),
        "Random changes of the patches.",
        default=Augmentation(),
        usual="the paper's",
    )

    def __post_init__(self) -> None:
        check(self)
        if self.patches < self.batch:
            raise InputError(f"patches was expected to be at least a batch of {self.batch}, {self.patches} came.")
        if self.pixel_sizes is not None and self.pixel_sizes[0] > self.pixel_sizes[1]:
            low, high = self.pixel_sizes
            raise InputError(f"pixel_sizes was expected as [least, most], [{low:g}, {high:g}] came.")

    @property
    def steps(self) -> int:
        """Number of optimiser steps."""
        return self.patches // self.batch

    @property
    def shown_at(self) -> tuple[PixelSize, ...]:
        """Pixel sizes to which images are brought for the patches, evenly spaced on a logarithmic scale.

        At most a factor of √2 lies between two; what lies between them is the augmentation's. Empty if the recipe names
        no range: patches have the model's pixel size then.
        """
        if self.pixel_sizes is None:
            return ()
        low, high = self.pixel_sizes
        steps = ceil(2 * log2(high / low) - 1e-9)
        return tuple(PixelSize.square(round(low * (high / low) ** (i / max(steps, 1)), 9)) for i in range(steps + 1))

    def rate_at(self, step: int) -> float:
        """Return the learning rate of a step: rate · (1 − step/steps)^power."""
        return self.rate * float((1 - step / self.steps) ** self.power)

    def momentum_at(self, step: int) -> float:
        """Return batch norm's momentum of a step: start + (limit − start) · (1 − exp(−patches shown/period)).

        That is the law in the paper's code; with its period of 16,000 patches, 24,000 of them lead to 0.855.
        """
        start, limit = self.momentum
        return start + (limit - start) * (1 - exp(-step * self.batch / self.momentum_period))

    @classmethod
    def from_table(cls, table: Mapping[str, Any]) -> Recipe:
        """Build the value from a table of some of its fields; the others keep their defaults.

        Raises
        ------
        InputError
            If a key is unknown, or a value of another kind than the field, or beyond its limits.
        """
        return cls(**read_words(cls, table))

    def to_table(self) -> dict[str, Any]:
        """Return the value as :meth:`from_table` takes it, with every field that has a value; tuples are lists."""
        return {name: _plain(value) for name, value in asdict(self).items() if value is not None}

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


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    return list(value) if isinstance(value, tuple) else value
