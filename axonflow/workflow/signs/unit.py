"""Outlines that were read in pixels → which of them look as if their numbers were µm, and which flag says so."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from axonflow.fiber.extent import Extent
from axonflow.stages.annotation import Coverage, Regions
from axonflow.stages.layout import Frame
from axonflow.stages.own_masks import OwnMasks

__all__ = ["Doubt", "doubted_units"]


class Doubt(NamedTuple):
    """A file whose unit is doubted.

    Attributes
    ----------
    path : str
    seen : str
        What it looks like, read in pixels and in µm.
    flag : str
        What says the unit.
    """

    path: str
    seen: str
    flag: str


def doubted_units(
    native: Frame, coverage: Coverage | None, regions: Regions | None, masks: OwnMasks | tuple[()] = ()
) -> Iterator[Doubt]:
    """Yield the files of outlines that look as if they were in µm, each once.

    Parameters
    ----------
    native : Frame
        The slide's pixels.
    coverage, regions : Coverage and Regions, or None
    masks : tuple of Mask, or of one LabelImage
        In the network's place.
    """
    for drawn, flag in ((coverage, "--mask-unit"), (regions, "--regions-unit")):
        fit = drawn.fit if drawn else None
        if fit and fit.extent and fit.extent.fills_in_um(native.shape, native.pixel_size):
            yield Doubt(str(fit.path), _place(fit.extent, native), flag)
    doubted: dict[str, str] = {}
    for mask in masks:
        extent: Extent | None = getattr(mask, "extent", None)  # which an image of classes has not
        if extent is None:
            continue
        if extent.fills_in_um(native.shape, native.pixel_size):
            doubted.setdefault(str(mask.image.path), _place(extent, native))
        elif extent.too_thin_for_axons(native.shape, native.pixel_size):
            doubted.setdefault(str(mask.image.path), _thickness(extent, native))
    yield from (Doubt(path, seen, "--outlines-unit") for path, seen in doubted.items())


def _place(extent: Extent, native: Frame) -> str:
    (h, w), size = native.shape, native.pixel_size
    return (
        f"reach y {extent.high[0]:.4g} and x {extent.high[1]:.4g}: in pixels that is a corner of the slide of {h} × "
        f"{w} px (height × width), in µm much of its {h * size.y:.4g} × {w * size.x:.4g} µm"
    )


def _thickness(extent: Extent, native: Frame) -> str:
    return (
        f"have a median diameter of {extent.diameter:.3g}: in pixels that is "
        f"{extent.diameter * native.pixel_size.geometric_um:.2g} µm, thinner than any axon"
    )
