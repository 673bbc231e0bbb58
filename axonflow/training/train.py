"""From a folder of labelled images to a model: what is learnt and what is held out, the loop over steps, the contract.

A training's folder holds ``training.json`` (what it is), ``state.pt`` (where it stands), ``curve.jsonl`` (how it got
there) and, at the end, the model as ``NAME.json``, ``NAME.safetensors`` and ``NAME.int8.safetensors``.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType, TracebackType
from typing import Any

import numpy as np

from axonflow.errors import InputError, ModelError
from axonflow.kernel.classes import AXON_MYELIN, WITH_UNMYELINATED, Classes
from axonflow.kernel.documents import read_json
from axonflow.kernel.lock import unprotected
from axonflow.kernel.units import PixelSize
from axonflow.net.architecture import Architecture
from axonflow.net.checkpoint import Checkpoint
from axonflow.net.unet import UNet
from axonflow.training.bids import LabelledImage, drawn_classes, labelled_images
from axonflow.training.calibrate import calibrate, integers_of, predict
from axonflow.training.curve import Curve, Point
from axonflow.training.dataset import Patches, Sample, batches, default_workers, read_sample
from axonflow.training.events import Noted, StepDone, TrainingBegun, TrainingListener
from axonflow.training.folder import locked_folder
from axonflow.training.recipe import Recipe
from axonflow.training.score import pixel_scores
from axonflow.training.state import State, reproducible
from axonflow.workflow.record import version_of

__all__ = ["SHARE", "Training", "prepare_training", "split", "train"]

SHARE = 0.2
"""Of the subjects that are held out unless told otherwise, if there are three or more."""

_WORK = {"sem": (0.1, False), "tem": (0.01, True)}
"""The paper's pixel size, µm, and whether bright and dark are exchanged, of each architecture."""

_LATTICE_PX, _HALO_PX = 512, 25
"""The paper's. A model of many pixel sizes sees all that can reach a core, since its slides may have wide axons."""


@dataclass(frozen=True, eq=False)
class Training:
    """A training that is ready to start: everything was read and fits together.

    Attributes
    ----------
    name : str
        Of the model.
    data : str
        Name of the data set.
    architecture : Architecture
    pixel_size : PixelSize
        The model's.
    invert : bool
        Whether bright and dark are exchanged.
    recipe : Recipe
    samples, held_out : tuple of Sample
        To learn from, and to be scored on; of different subjects.
    start : Checkpoint, optional
        The model whose weights it starts from.
    classes : Classes
        What the model is to tell apart.
    images : tuple of LabelledImage
        The files of ``samples``, to be read at further pixel sizes.
    """

    name: str
    data: str
    architecture: Architecture
    pixel_size: PixelSize
    invert: bool
    recipe: Recipe
    samples: tuple[Sample, ...]
    held_out: tuple[Sample, ...]
    start: Checkpoint | None = None
    classes: Classes = AXON_MYELIN
    images: tuple[LabelledImage, ...] = ()

    @property
    def contract(self) -> Checkpoint:
        """What the model will promise, but for the smallest axon and the weights' sha256."""
        return Checkpoint(
            name=self.name,
            architecture=self.architecture.name,
            pixel_size_um=self.pixel_size.y,
            invert=self.invert,
            lattice_px=_LATTICE_PX,
            halo_px=self.architecture.radius if self.recipe.pixel_sizes else _HALO_PX,
            smallest_axon_um2=0.0,
            sha256="",
            classes=self.classes,
            working_um=tuple(size.y for size in self.working_sizes),
            slides_um=self.recipe.pixel_sizes,
        )

    @property
    def working_sizes(self) -> tuple[PixelSize, ...]:
        """Pixel sizes at which the model will work, from the least; empty if its own is the only one."""
        sizes = {*(self.recipe.working_sizes or ()), self.pixel_size.y}
        return tuple(map(PixelSize.square, sorted(sizes))) if len(sizes) > 1 else ()

    def resized(self, sizes: Sequence[PixelSize]) -> list[list[Sample]]:
        """Read each image that is learnt from at some pixel sizes."""

        def read(image: LabelledImage) -> list[Sample]:
            return [read_sample(image, size, self.classes, invert=self.invert) for size in sizes]

        with ThreadPoolExecutor(default_workers()) as pool:
            return list(pool.map(read, self.images))

    @cached_property
    def identity(self) -> dict[str, Any]:
        """All that decides the weights; two trainings with the same are one."""
        return {
            "model": self.name,
            "architecture": self.architecture.name,
            "pixel_size_um": self.pixel_size.y,
            "invert": self.invert,
            "data": {
                "name": self.data,
                "subjects": _subjects(self.samples),
                "held_out": _subjects(self.held_out),
                "sha256": sha256("".join(sample.identity for sample in self.samples).encode()).hexdigest(),
            },
            "start": None if self.start is None else {"name": self.start.name, "sha256": self.start.sha256},
            "recipe": self.recipe.to_table(),
        } | ({} if self.classes == AXON_MYELIN else {"classes": list(self.classes.names)})

    @property
    def notes(self) -> tuple[str, ...]:
        """What its owner should know before it starts."""
        notes = []
        if not self.held_out:
            notes.append("No subject is held out, so nothing will tell how good the model is on others.")
        for sample in self.samples:
            h, w = sample.grey.shape
            if 2 * min(h, w) < self.recipe.side:
                notes.append(
                    f"{sample.name} is {h} × {w} px at {self.pixel_size}, less than half a patch of "
                    f"{self.recipe.side} px, so most of a patch will be its mirror image; a recipe with a smaller side "
                    "suits it better."
                )
        return tuple(notes)


def prepare_training(
    dataset: Path,
    *,
    arch: str | None = None,
    recipe: Recipe | None = None,
    validate: Sequence[str] | float | None = None,
    start: str | Path | None = None,
    pixel_size_um: float | None = None,
    invert: bool | None = None,
    name: str = "model",
) -> Training:
    """Read a data set and put together a training on it.

    Parameters
    ----------
    dataset : Path
        Top folder of a BIDS microscopy data set.
    arch : str, optional
        ``sem`` or ``tem``; that of ``start`` if None.
    recipe : Recipe, optional
        The paper's, or the pipeline ``finetune`` with ``start``, if None.
    validate : sequence of str or float, optional
        The subjects that are held out, or their share of all, for the recipe's seed to choose. None: as :data:`SHARE`
        says.
    start : str or Path, optional
        Name of an embedded model or path of one, to start from its weights.
    pixel_size_um : float, optional
        The model's, µm; that of ``start``, or the paper's for the architecture, if None.
    invert : bool, optional
        Whether bright and dark are exchanged; likewise.
    name : str
        Of the model.

    Raises
    ------
    InputError
        If anything that was given cannot be used. Nothing is written.
    """
    checkpoint = None if start is None else Checkpoint.find(start)
    if arch is None:
        if checkpoint is None:
            raise InputError("An architecture was expected, none came; give --arch sem or --arch tem.")
        arch = checkpoint.architecture
    architecture = Architecture.named(arch)
    usual_um, usually_inverted = _WORK[arch]
    if checkpoint is not None:
        if checkpoint.architecture != arch:
            raise ModelError(
                f"A model of the architecture {arch!r} was expected to start from, {checkpoint.name!r} is "
                f"{checkpoint.architecture!r}; give --arch {checkpoint.architecture}, or another model."
            )
        if checkpoint.classes not in {AXON_MYELIN, WITH_UNMYELINATED}:
            raise ModelError(
                f"A model of the classes {', '.join(AXON_MYELIN.names)}, or of these and axons without myelin, was "
                f"expected to start from, as labelled images have masks of these alone; {checkpoint.name!r} tells "
                f"{', '.join(checkpoint.classes.names)} apart: give another model."
            )
        usual_um, usually_inverted = checkpoint.pixel_size_um, checkpoint.invert
    recipe = recipe or (Recipe() if start is None else Recipe.read("finetune"))
    pixel_size = PixelSize.square(usual_um if pixel_size_um is None else pixel_size_um)
    invert = usually_inverted if invert is None else invert
    images = labelled_images(dataset)
    classes = drawn_classes(images) if checkpoint is None else checkpoint.classes
    if len(recipe.class_weights) > len(classes):
        raise InputError(
            f"Weights of {', '.join(classes.names)} were expected under class_weights, {len(recipe.class_weights)} "
            "came; leave out those of classes that nobody drew."
        )
    samples = [read_sample(image, pixel_size, classes, invert=invert) for image in images]
    learnt, _ = split(_subjects(samples), validate, recipe.seed)
    return Training(
        name=name,
        data=_data_name(dataset),
        architecture=architecture,
        pixel_size=pixel_size,
        invert=invert,
        recipe=recipe,
        samples=tuple(sample for sample in samples if sample.subject in learnt),
        held_out=tuple(sample for sample in samples if sample.subject not in learnt),
        start=checkpoint,
        classes=classes,
        images=tuple(image for image in images if image.subject in learnt),
    )


def split(
    subjects: Sequence[str], validate: Sequence[str] | float | None, seed: int
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Part subjects into those to learn from and those that are held out.

    Parameters
    ----------
    subjects : sequence of str
        All there are, each once.
    validate : sequence of str or float, optional
        Which are held out, or what share; None: :data:`SHARE` of three or more, of fewer none.
    seed : int
        Chooses them where a share is given.

    Raises
    ------
    InputError
        If a subject is unknown, or none would be left to learn from.
    """
    if validate is None:
        validate = SHARE if len(subjects) >= 3 else ()
    if isinstance(validate, int | float):
        if not 0 < validate < 1:
            raise InputError(f"A share of the subjects between 0 and 1 was expected for --validate, {validate} came.")
        count = max(round(validate * len(subjects)), 1)
        validate = [str(name) for name in np.random.default_rng(seed).permutation(sorted(subjects))[:count]]
    if unknown := sorted(set(validate) - set(subjects)):
        raise InputError(
            f"Subjects to hold out were expected among {', '.join(sorted(subjects))}; {', '.join(unknown)} came."
        )
    learnt = tuple(name for name in subjects if name not in validate)
    if not learnt:
        raise InputError(
            f"A subject to learn from was expected, but all are held out ({', '.join(subjects)}); hold out fewer with "
            "--validate, or none with --validate none."
        )
    return learnt, tuple(name for name in subjects if name in validate)


def train(
    training: Training,
    out: Path,
    *,
    workers: int | None = None,
    save_every: int = 25,
    validate_every: int = 250,
    fresh: bool = False,
    on_event: TrainingListener = lambda _event: None,
) -> Checkpoint:
    """Train, or go on with the training that a folder holds, and write the model.

    Parameters
    ----------
    training : Training
    out : Path
        The folder. Asked to end (SIGINT, SIGTERM), the training finishes its step, saves its state there, and raises
        KeyboardInterrupt; called again it goes on as if nothing had been.
    workers : int, optional
        Processes that draw patches; 0 draws them in this one. No result depends on it.
    save_every, validate_every : int
        Steps between two saved states, and between two validations.
    fresh : bool
        Whether to start over.
    on_event : callable
        Called with each :data:`~axonflow.training.events.TrainingEvent`.

    Returns
    -------
    Checkpoint
        The model, ``out / NAME.json``.

    Raises
    ------
    StoreError
        If the folder holds another training or other files, or is in use.
    RunError
        If the loss is no longer a number.
    """
    with locked_folder(out, training.identity, fresh=fresh) as protected, reproducible():
        if not protected:
            on_event(Noted(unprotected(out)))
        network = None if training.start is None else training.start.network()
        state = State(training.architecture, training.recipe, classes=training.classes, start=network)
        saved, model, steps = out / "state.pt", out / f"{training.name}.json", training.recipe.steps
        if saved.exists():
            state.load(saved)
        on_event(TrainingBegun(state.step, steps))
        if state.step == steps and model.exists():
            return Checkpoint.find(model)
        shown = training.resized(training.recipe.shown_at) if training.recipe.shown_at else None
        patches = Patches(training.samples, training.recipe, shown)
        scores: dict[str, float] = {}
        with _Asked() as asked, Curve(out, state.step) as curve:
            for image, labels in batches(patches, state.step, default_workers() if workers is None else workers):
                rate = training.recipe.rate_at(state.step)
                loss = state.advance(image, labels)
                last = state.step == steps
                due = bool(training.held_out) and (last or state.step % validate_every == 0)
                scores = _validate(training, state.network) if due else {}
                point = Point(state.step, loss, rate, scores)
                curve.write(point)
                on_event(StepDone(point))
                if last or asked.to_end or state.step % save_every == 0:
                    curve.keep()
                    state.save(saved)
                if asked.to_end:
                    raise KeyboardInterrupt
        return _finish(training, state, out)


class _Asked(AbstractContextManager["_Asked"]):
    """Takes note of SIGINT and SIGTERM, so that a step is finished first; a second signal ends the process at once."""

    def __init__(self) -> None:
        self.to_end = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> _Asked:
        if threading.current_thread() is threading.main_thread():  # no other may answer signals
            self._before = {number: signal.signal(number, self._hear) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._forget()

    def _hear(self, _number: int, _frame: FrameType | None) -> None:
        self.to_end = True
        self._forget()

    def _forget(self) -> None:
        for number, answer in self._before.items():
            signal.signal(number, answer)


def _validate(training: Training, network: UNet) -> dict[str, float]:
    """Return the means over the held-out images of accuracy and Dice; a class that is nowhere is left out."""
    with TemporaryDirectory() as folder:
        checkpoint = training.contract.save(network, Path(folder))
        classes = checkpoint.classes
        scores = [pixel_scores(predict(checkpoint, sample)[0], sample.labels, classes) for sample in training.held_out]
    rows = [[each.accuracy, *each.dice] for each in scores]
    names = ("accuracy", *(f"dice_{name.replace(' ', '_')}" for name in classes.names))
    means = {}
    for name, values in zip(names, zip(*rows, strict=True), strict=True):
        if known := [value for value in values if value == value]:
            means[name] = round(sum(known) / len(known), 6)
    return means


def _finish(training: Training, state: State, out: Path) -> Checkpoint:
    """Write the model, with what the training images decide of its contract."""
    identity = training.identity
    trained_on = {
        "data": identity["data"]["name"],
        "subjects": identity["data"]["subjects"],
        "held_out": identity["data"]["held_out"],
        "start": identity["start"],
        "steps": state.step,
        "precision": state.precision,
        "recipe": identity["recipe"],
        "versions": {name: version_of(name) for name in ("axonflow-histology", "torch", "numpy", "scipy")},
    }
    network = state.network
    contract = replace(training.contract, trained_on=trained_on)
    others = [size for size in training.working_sizes if size != training.pixel_size]
    resized = [sample for sizes in training.resized(others) for sample in sizes] if others else []
    calibrated = calibrate(contract, network, training.samples, resized)
    return calibrated.save(network, out, integers_of(network, (*training.samples, *resized)))


def _subjects(samples: Sequence[Sample]) -> list[str]:
    return list(dict.fromkeys(sample.subject for sample in samples))


def _data_name(dataset: Path) -> str:
    """Return the data set's own name, else its folder's."""
    try:
        name = read_json(dataset / "dataset_description.json").get("Name")
    except (OSError, ValueError, AttributeError):
        name = None
    return str(name or dataset.resolve().name)
