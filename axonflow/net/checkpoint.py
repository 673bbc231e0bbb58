"""A trained network on disk: weights as safetensors, and the contract they keep as JSON beside them.

``NAME.safetensors`` and ``NAME.json``. Nothing is unpickled, and the contract names the weights by their sha256.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from math import log
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from axonflow.errors import ModelError
from axonflow.kernel.classes import AXON_MYELIN, Classes
from axonflow.kernel.documents import read_file, read_json, said
from axonflow.kernel.files import make_folder, write_file
from axonflow.kernel.kinds import NUMBER, TEXT, WHOLE, YES_NO, Kind
from axonflow.kernel.setting import refuse_unknown, setting, settings
from axonflow.kernel.units import LARGEST_UM, SMALLEST_UM, PixelSize
from axonflow.net.architecture import Architecture
from axonflow.net.familiarity import TRAITS
from axonflow.net.named import EMBEDDED, contract_of, embedded_models
from axonflow.net.nnunet.plan import NORMALISED, NnUNetPlan
from axonflow.net.nnunet.plans import plan_from_json

if TYPE_CHECKING:
    from torch import Tensor, nn

    from axonflow.net.integers import IntegerNetwork
    from axonflow.net.unet import UNet

__all__ = ["EMBEDDED", "Checkpoint", "Precision", "embedded_models"]

Precision = Literal["float32", "bfloat16", "float16", "int8"]
"""Of the convolutions; the softmax is always float32. ``int8``: the network of whole numbers that some models have."""

LARGEST_WEIGHTS = 2**30
"""Bytes of a network's weights; those that come with the package have 2 million numbers."""

NORMALISATION = "equalised by the whole slide's histogram, then mean 0 and standard deviation 1"
"""What every model is trained on, and is given."""

_SHA256 = Kind("a sha256, empty while there are no weights", str, lambda value: isinstance(value, str))


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The contract of a trained network.

    Attributes
    ----------
    trained_on : Mapping
        Data, subjects, recipe.
    familiar : Mapping
        Lowest and highest value of each trait over the training images, of
        :func:`axonflow.net.familiarity.familiar_ranges`; empty if unknown.
    coarseness : (float, float), optional
        How coarse the training images are, of :func:`axonflow.net.coarseness.coarseness_range`; None if unknown.
    normalisation : str
        Fixed; part of the contract so that a reader of the file knows it.
    classes : Classes
        What the network tells apart, one output each; background, myelin and axon if the contract names none.
    working_um : tuple of float
        Sides of pixels, µm, at which it works; a run takes the one nearest to the slide's. Empty if ``pixel_size_um``
        is the only one.
    slides_um : (float, float), optional
        Least and largest pixel size of slides that it was made for, µm; None if only its own.
    plan : NnUNetPlan, optional
        How a model of nnU-Net is run; None of the paper's networks. It runs on the slide's own pixels. Its
        ``pixel_size_um`` is 0 if nobody knows at which it was trained.
    integers : str
        Sha256 of the file of its network of whole numbers (:mod:`axonflow.net.integers`); empty if it has none.
    """

    name: str = setting(TEXT, "Its name, and its files'.", required=True)
    architecture: str = setting(TEXT, "sem or tem, or nnunet.", required=True)
    pixel_size_um: float = setting(
        NUMBER,
        "Side of the pixels it was trained on; slides of another pixel size are resampled to it.",
        required=True,
        unit="µm",
        least=SMALLEST_UM,
        most=LARGEST_UM,
    )
    invert: bool = setting(YES_NO, "Whether bright and dark are exchanged first, as for TEM.", required=True)
    lattice_px: int = setting(
        WHOLE,
        "Side of the lattice's cores on which predictions are defined; a multiple of the stride.",
        required=True,
        unit="px",
        least=16,
        most=65_536,
    )
    halo_px: int = setting(
        WHOLE,
        "Pixels seen on each side of a core, unless --halo says otherwise.",
        required=True,
        unit="px",
        least=0,
        most=65_536,
    )
    smallest_axon_um2: float = setting(
        NUMBER, "Smaller axons are taken for noise and left out.", required=True, unit="µm²", least=0
    )
    sha256: str = setting(_SHA256, "Of the weights' file.", required=True)
    trained_on: Mapping[str, Any] = field(default_factory=dict, hash=False)
    familiar: Mapping[str, tuple[float, float]] = field(default_factory=dict, hash=False)
    normalisation: str = NORMALISATION
    classes: Classes = AXON_MYELIN
    working_um: tuple[float, ...] = ()
    slides_um: tuple[float, float] | None = None
    coarseness: tuple[float, float] | None = None
    integers: str = ""
    plan: NnUNetPlan | None = None
    folder: Path = EMBEDDED

    def __post_init__(self) -> None:
        _check(self)
        if (self.plan is None) == (self.architecture == "nnunet"):
            raise ModelError(
                f"A plan of nnU-Net was expected of the architecture 'nnunet' alone, {self.architecture!r} came."
            )
        if self.working_um and self.pixel_size_um not in self.working_um:
            raise ModelError(
                f"The pixel size of {self.pixel_size_um:g} µm was expected among those at which {self.name!r} works, "
                f"{', '.join(f'{size:g}' for size in self.working_um)} came; name it under working_um."
            )

    @property
    def pixel_size(self) -> PixelSize:
        """The pixel size the network works at, or the one of several by which the contract states areas."""
        return PixelSize.square(self.pixel_size_um)

    @property
    def on_own_pixels(self) -> bool:
        """Whether slides are not resampled, whatever their pixel size."""
        return self.plan is not None and not self.working_um

    @property
    def working_sizes(self) -> tuple[PixelSize, ...]:
        """All pixel sizes at which the network works; none if it works on any slide's own."""
        if self.on_own_pixels:
            return ()
        return tuple(map(PixelSize.square, self.working_um or (self.pixel_size_um,)))

    def at(self, pixel_size_um: float | None) -> Checkpoint:
        """Return the model of nnU-Net that works at pixels of a side, µm, instead of the slide's own; None: its own.

        Raises
        ------
        ModelError
            If the model is none of nnU-Net: the others' pixel sizes are theirs.
        """
        if pixel_size_um is None:
            return self
        if self.plan is None:
            raise ModelError(
                f"A model of nnU-Net was expected with --working-pixel-size, {self.name!r} came, which works at "
                f"{self.pixel_size_um:g} µm; leave it out."
            )
        known = self.slides_um or ((self.pixel_size_um, self.pixel_size_um) if self.pixel_size_um else None)
        return replace(self, pixel_size_um=pixel_size_um, working_um=(pixel_size_um,), slides_um=known)

    def working_size(self, slide: PixelSize) -> PixelSize:
        """Return the pixel size to which a slide is brought: the nearest by its ratio; of two as near the coarser.

        Models of nnU-Net leave the slide's pixels as they are.
        """
        if self.on_own_pixels:
            return slide
        return min(
            sorted(self.working_sizes, key=lambda size: -size.y),
            key=lambda size: round(abs(log(size.geometric_um / slide.geometric_um)), 9),
        )

    @property
    def shape(self) -> Architecture:
        """The architecture, by its name; a ModelError if it is nnU-Net's, which is described by the plan."""
        return Architecture.named(self.architecture)

    @property
    def path(self) -> Path:
        """The contract's file."""
        return self.folder / f"{self.name}.json"

    @property
    def embedded(self) -> bool:
        """Whether it comes with the package."""
        return self.folder == EMBEDDED.resolve()

    @property
    def weights(self) -> Path:
        """The weights' file."""
        return self.folder / f"{self.name}.safetensors"

    @property
    def integers_path(self) -> Path:
        """The file of its network of whole numbers, if it has one."""
        return self.folder / f"{self.name}.int8.safetensors"

    @property
    def card(self) -> Path:
        """The model's card, Markdown; it may not be there."""
        return self.folder / f"{self.name}.md"

    @property
    def contract(self) -> dict[str, Any]:
        """All but the folder, as it is written."""
        content = {name: value for name, value in asdict(self).items() if name != "folder"}
        content["nnunet"] = content.pop("plan")
        # Contracts are as they were before there were these.
        for name in ("working_um", "slides_um", "coarseness", "integers", "nnunet"):
            if not content[name]:
                del content[name]
        return content | {"classes": self.classes.to_json()}

    @classmethod
    def find(cls, model: str | Path) -> Checkpoint:
        """Read the contract of an embedded model, of one of the user's, or of one given by its path.

        Parameters
        ----------
        model : str or Path
            ``sem``, or the name of another; the path of a ``.json`` or ``.safetensors`` file of a model; or of a folder
            of nnU-Net or a zip archive of one, which is imported into the user's cache.

        Raises
        ------
        ModelError
            If there is no such model, or it is damaged.
        """
        path = contract_of(model)
        try:
            content = read_json(path)
            if not isinstance(content, dict):
                raise TypeError(f"an object of JSON was expected, {str(content)[:40]!r} came")
            if "classes" in content:
                content["classes"] = Classes.from_json(content["classes"]).with_unmyelinated()
            _check_told(content)
            ranges = dict(content.get("familiar", {}))
            content["familiar"] = {name: _range(name, ends) for name, ends in ranges.items()}
            if content.get("coarseness") is not None:
                content["coarseness"] = _ends("coarseness", content["coarseness"])
            content |= {name: _sizes(name, content[name]) for name in ("working_um", "slides_um") if name in content}
            refuse_unknown(
                content, [*(each.name for each in fields(cls) if each.name not in ("plan", "folder")), "nnunet"]
            )
            if "nnunet" in content:
                content["plan"] = plan_from_json(content.pop("nnunet"))
            for key, each in settings(cls).items():
                if not _unknown_size(key, content.get(key), content.get("plan")):
                    content[key] = each.read(content.get(key), key)
            checkpoint = cls(**content, folder=path.parent.resolve())
            stride = 1 if checkpoint.plan else checkpoint.shape.stride
            there = checkpoint.weights.exists()
        except (ArithmeticError, AttributeError, KeyError, OSError, TypeError, ValueError) as error:
            raise ModelError(
                f"A model's contract was expected in {path}, but it cannot be read: {said(error)}."
            ) from error
        if not there:
            why = "" if path.stem == checkpoint.name else f"; {path} says that the model's name is {checkpoint.name!r}"
            raise ModelError(f"The weights of the model were expected at {checkpoint.weights}, nothing is there{why}.")
        if checkpoint.lattice_px % stride:
            raise ModelError(
                f"A lattice of a multiple of {stride} px was expected in {path}, {checkpoint.lattice_px} came."
            )
        return checkpoint

    def networks(self) -> list[nn.Module]:
        """Load the network of each fold of a model of nnU-Net, ready for prediction, in the order of its plan.

        Raises
        ------
        ModelError
            If the weights are not those of the contract, or the model is none of nnU-Net.
        """
        from axonflow.net.nnunet.weights import load_networks

        if self.plan is None:
            raise ModelError(f"A model of nnU-Net was expected, {self.name!r} is a {self.architecture!r} network.")
        return load_networks(self.weights, self.sha256, self.plan, len(self.classes))

    def network(self) -> UNet:
        """Load the network of the paper, ready for prediction.

        Raises
        ------
        ModelError
            If the weights are not those of the contract.
        """
        from safetensors import SafetensorError
        from safetensors.torch import load

        from axonflow.net.unet import UNet

        try:
            content = read_file(self.weights, LARGEST_WEIGHTS)
        except OSError as error:
            raise ModelError(f"Weights were expected in {self.weights}, but they cannot be read: {error}.") from error
        found = hashlib.sha256(content).hexdigest()
        if found != self.sha256:
            raise ModelError(
                f"Weights with sha256 {self.sha256[:16]}… were expected in {self.weights}, {found[:16]}… came; "
                "the file is damaged or of another model: fetch it again."
            )
        net = UNet(self.shape, classes=len(self.classes))
        try:
            net.load_state_dict(load(content))
        except (AttributeError, LookupError, RuntimeError, SafetensorError, TypeError, ValueError) as error:
            raise ModelError(
                f"Weights of a {self.architecture!r} network of {len(self.classes)} classes were expected in "
                f"{self.weights}; give those that belong to the contract."
            ) from error
        if odd := [name for name, values in net.state_dict().items() if _cannot_be(name, values)]:
            raise ModelError(
                f"Weights that are finite numbers, with variances of 0 or more, were expected in {self.weights}, "
                f"others came in {odd[0]}{f' and {len(odd) - 1} more' * (len(odd) > 1)}; "
                "its training failed: train it again."
            )
        return net.eval()

    def integer_network(self) -> IntegerNetwork:
        """Load the network of whole numbers.

        Raises
        ------
        ModelError
            If there is none, or it is not that of the contract.
        """
        from axonflow.net.integers import IntegerNetwork

        if not self.integers:
            raise ModelError(
                f"A model with a network of whole numbers was expected with --precision int8, {self.name!r} has none; "
                f"make it with axonflow models quantise {self.path} DATASET, of the images it was trained on, or leave "
                "--precision out."
            )
        path = self.integers_path
        try:
            content = read_file(path, LARGEST_WEIGHTS)
            if (found := hashlib.sha256(content).hexdigest()) != self.integers:
                raise ValueError(f"its sha256 is {found[:16]}…, {self.integers[:16]}… is stated")
            return IntegerNetwork.from_bytes(content)
        except (LookupError, OSError, TypeError, ValueError) as error:
            raise ModelError(
                f"Whole numbers of the network {self.name!r} were expected in {path}, but {said(error)}; "
                "make them anew with axonflow models quantise, or give another --precision."
            ) from error

    def with_integers(self, network: IntegerNetwork | None) -> Checkpoint:
        """Write a network of whole numbers beside the weights, then the contract; return this. None: there is none."""
        stated = ""
        if network is not None:
            write_file(self.integers_path, content := network.to_bytes())
            stated = hashlib.sha256(content).hexdigest()
        complete = replace(self, integers=stated)
        write_file(self.path, (json.dumps(complete.contract, indent=2, ensure_ascii=False) + "\n").encode())
        return complete

    def save(self, net: UNet, folder: Path, integers: IntegerNetwork | None = None) -> Checkpoint:
        """Write weights, perhaps whole numbers that were made of them, and last the contract, which it returns."""
        from safetensors.torch import save

        make_folder(folder)
        content = save({name: tensor.contiguous() for name, tensor in net.state_dict().items()})
        write_file(folder / f"{self.name}.safetensors", content)
        return replace(self, sha256=hashlib.sha256(content).hexdigest(), folder=folder).with_integers(integers)


def _check(checkpoint: Checkpoint) -> None:
    """Refuse settings of other kinds or out of bounds."""
    for key, known in settings(Checkpoint).items():
        if not _unknown_size(key, value := getattr(checkpoint, known.name), checkpoint.plan):
            known.check(value, key)


def _unknown_size(key: str, value: object, plan: object) -> bool:
    """Tell whether a setting is the pixel size of a model of nnU-Net of whose training nobody knows it."""
    return plan is not None and key == "pixel_size_um" and type(value) in (int, float) and value == 0


def _check_told(content: Mapping[str, Any]) -> None:
    """Refuse what a contract tells beside its settings if it is of another kind; a TypeError or ValueError says so."""
    told = content.get("trained_on", {})
    subjects = told.get("subjects", []) if isinstance(told, dict) else None
    if not isinstance(subjects, list) or not all(isinstance(subject, str) for subject in subjects):
        raise TypeError(
            f"an object of JSON, with a list of text as subjects, was expected as trained_on, {str(told)[:40]} came"
        )
    if not _SHA256.holds(integers := content.get("integers", "")):
        raise TypeError(f"{_SHA256.form} was expected as integers, {str(integers)[:40]} came")
    if not isinstance(familiar := content.get("familiar", {}), dict):
        raise TypeError(f"an object of JSON was expected as familiar, {str(familiar)[:40]} came")
    wanted = NORMALISED if "nnunet" in content else NORMALISATION
    if (said := content.get("normalisation", wanted)) != wanted:
        raise ValueError(f"a model whose slides are {wanted} was expected, {str(said)[:60]!r} came")


def _cannot_be(name: str, values: Tensor) -> bool:
    """Tell whether some of a network's values are none that a training leaves: everything would be NaN."""
    return bool((~values.isfinite()).any() or (name.endswith("running_var") and (values < 0).any()))


def _sizes(name: str, given: Any) -> tuple[float, ...]:
    """Return pixel sizes that a contract states; a ValueError says what is wrong with them."""
    numbers = isinstance(given, list | tuple) and all(map(NUMBER.holds, given)) and PixelSize.plausible(*given)
    if not numbers or not given or (name == "slides_um" and (len(given) != 2 or given[0] > given[1])):
        form = "the least and the largest of slides" if name == "slides_um" else "each"
        raise ValueError(f"pixel sizes in µm, {form}, were expected under {name!r}, {given} came")
    return tuple(map(float, given))


def _range(name: str, ends: Any) -> tuple[float, float]:
    """Return what a contract states of a trait; a ValueError says what is wrong with it."""
    if name not in TRAITS:
        raise ValueError(f"a range of {', '.join(TRAITS)} was expected under 'familiar', {name}: {ends} came")
    return _ends(name, ends)


def _ends(name: str, ends: Any) -> tuple[float, float]:
    """Return the two ends of a range; a ValueError says what is wrong with them."""
    numbers = isinstance(ends, list | tuple) and len(ends) == 2 and all(map(NUMBER.holds, ends))
    if not numbers or not ends[0] <= ends[1]:
        raise ValueError(f"the lowest and the highest {name} were expected, {ends} came")
    return float(ends[0]), float(ends[1])
