"""Which model a run takes: the one that is named, that a store was begun with, or the one that fits the pixel size.

A model far from the slide's pixel size finds nothing and is sure of it, so it is refused before any work.
"""

from __future__ import annotations

from math import log
from pathlib import Path
from typing import NamedTuple

from axonflow.errors import ModelError, StoreError
from axonflow.kernel.units import PixelSize
from axonflow.net.checkpoint import Checkpoint, embedded_models
from axonflow.stages.segment_mended import FIRST
from axonflow.workflow.record import read_record

__all__ = ["LARGEST_SCALE", "Choice", "choose_model", "nearest", "pixels_of", "scale"]

LARGEST_SCALE = 3.0
"""How many times the slide's pixels may be larger or smaller than the model's."""


class Choice(NamedTuple):
    """The model of a run.

    Attributes
    ----------
    model : Checkpoint
    called : str
        Its name if it is embedded, or a path.
    by_pixel_size : bool
        Whether the slide's pixel size decided.
    """

    model: Checkpoint
    called: str
    by_pixel_size: bool


def scale(model: Checkpoint, size: PixelSize) -> float:
    """Return how many times the pixels that a model is for are larger or smaller than a slide's, 1 or more.

    A model of nnU-Net sees the slide resampled if it was asked for; it is 1 if nobody knows which pixels it is for.
    """
    return _away(*pixels_of(model, size))


def pixels_of(model: Checkpoint, size: PixelSize) -> tuple[float, float]:
    """Return the sides of the pixels that a model is for and of those that it sees, µm; the same if none are known."""
    seen = size.geometric_um if model.plan is None else model.working_size(size).geometric_um
    if model.slides_um is None and ((model.plan is not None and model.working_um) or not model.pixel_size_um):
        return seen, seen
    low, high = model.slides_um or (model.pixel_size_um, model.pixel_size_um)
    return min(max(seen, low), high), seen


def _away(meant: float, seen: float) -> float:
    return max(meant / seen, seen / meant)


def nearest(size: PixelSize) -> Checkpoint:
    """Return the embedded model whose pixel size is nearest by its ratio; of two, the first by name."""
    return min(map(Checkpoint.find, embedded_models()), key=lambda model: log(scale(model, size)))


def choose_model(given: str | None, size: PixelSize, store: Path | None, working_um: float | None = None) -> Choice:
    """Settle which model a run takes.

    Parameters
    ----------
    given : str or None
        Name or path of the one that the user wants.
    size : PixelSize
        Of the slide.
    store : Path or None
        Where labels may have been begun, which are continued.
    working_um : float, optional
        To which pixels, µm, the slide is resampled for a model of nnU-Net.

    Raises
    ------
    ModelError
        If it works at pixels more than :data:`LARGEST_SCALE` times larger or smaller than the slide's, unless the
        labels of the store were begun with it. Models of nnU-Net take any pixels, as nnU-Net does; a warning is given.
    """
    begun = None if store is None else _begun_with(store)
    named = given or begun
    model = (Checkpoint.find(named) if named else nearest(size)).at(working_um)
    factor = scale(model, size)
    continues = begun is not None and begun in {named, model.name, str(model.path)} and _had_size(store, size)
    if model.plan is None and factor > LARGEST_SCALE * (1 + 1e-9) and not continues:
        raise ModelError(_far(model, size, factor, named=named is not None))
    return Choice(model, named or model.name, named is None)


def _had_size(store: Path | None, size: PixelSize) -> bool:
    """Tell whether the labels of a store are of pixels of this size; of others they are not continued."""
    return store is not None and PixelSize(*read_record(store)["slide"]["pixel_size_um"]).matches(size)


def _begun_with(store: Path) -> str | None:
    """Return the model with which the labels of a store were begun: its name if it is embedded, else its file."""
    try:
        model = read_record(store).get("model", {})
    except StoreError:
        return None
    journal = store / ".axonflow" / "journal"
    if "name" not in model or not any(found for name in ("segment", FIRST) for found in (journal / name).glob("*")):
        return None
    embedded = model.get("embedded", model["name"] in embedded_models())
    return str(model["name"] if embedded else model["path"])


def _far(model: Checkpoint, size: PixelSize, factor: float, *, named: bool) -> str:
    """Say why a model is refused, and what fits."""
    low, high = model.slides_um or (model.pixel_size_um, model.pixel_size_um)
    larger = "larger" if low > size.geometric_um else "smaller"
    at = f"{low:g} to {high:g} µm" if low != high else f"{low:g} µm"
    said = (
        f"A model within {LARGEST_SCALE:g} times the slide's pixel size of {size} was expected, "
        f"{model.name!r} works at {at}, {factor:.3g} times {larger}"
    )
    best = nearest(size)
    if scale(best, size) <= LARGEST_SCALE:
        return f"{said}; use --model {best.name}, which works at {best.working_size(size).y:g} µm."
    which = "none that comes with axonflow fits" if named else "it is the nearest that comes with axonflow"
    return (
        f"{said}, and {which}; give a model of your own that was trained on such pixels, masks, or --pixel-size if the "
        "slide's is another."
    )
