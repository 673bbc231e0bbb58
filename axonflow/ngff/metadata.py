"""The words of OME-NGFF 0.5: what stands under ``ome`` in the attributes of a group.

Every function returns one part of it as a plain value that JSON can hold.

Source: https://ngff.openmicroscopy.org/0.5/
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from axonflow.kernel.units import PixelSize

__all__ = ["VERSION", "Colours", "image_label", "labels_index", "multiscale", "omero", "placement"]

VERSION = "0.5"

Colours = Mapping[int, tuple[int, int, int, int]]
"""Red, green, blue and opacity, 0–255, of each label value."""


def multiscale(
    name: str, axes: str, pixel_size: PixelSize, origin_um: tuple[float, float], levels: int, rule: str
) -> dict[str, Any]:
    """Describe a pyramid of factor 2.

    Parameters
    ----------
    name : str
        The image's name.
    axes : str
        One letter an axis, the last two ``"yx"``.
    pixel_size : PixelSize
        Of level 0.
    origin_um : (float, float)
        Where the centre of the first pixel of level 0 lies, µm.
    levels : int
        How many there are, named ``s0``, ``s1``, …
    rule : str
        How a level is made from the one before: the name of a function of :mod:`axonflow.ngff.halve`.

    Returns
    -------
    dict
        One item of ``multiscales``. A pixel of level k covers 2^k × 2^k of level 0, so the centre of its first one
        lies (2^k − 1)/2 pixels further in.
    """
    ahead = len(axes) - 2

    def place(level: int) -> list[dict[str, Any]]:
        factor = 2**level
        scale = [side * factor for side in (pixel_size.y, pixel_size.x)]
        sides = zip(origin_um, (pixel_size.y, pixel_size.x), strict=True)
        centre = [origin + (factor - 1) / 2 * side for origin, side in sides]
        return [
            {"type": "scale", "scale": [1.0] * ahead + scale},
            {"type": "translation", "translation": [0.0] * ahead + centre},
        ]

    return {
        "name": name,
        "type": rule,
        "axes": [
            {"name": axis, "type": "space", "unit": "micrometer"}
            if axis in "zyx"
            else {"name": axis, "type": "channel"}
            for axis in axes
        ],
        "metadata": {"method": f"axonflow.ngff.halve.{rule}", "description": "2 × 2 blocks of the level before"},
        "datasets": [{"path": f"s{level}", "coordinateTransformations": place(level)} for level in range(levels)],
    }


def placement(multiscale: Mapping[str, Any]) -> tuple[PixelSize, tuple[float, float]]:
    """Read pixel size and origin of level 0 back from what :func:`multiscale` returned.

    Raises
    ------
    LookupError, TypeError, ValueError
        If it is not of that form.
    """
    steps = {step["type"]: step for step in multiscale["datasets"][0]["coordinateTransformations"]}
    y, x = steps["scale"]["scale"][-2:]
    origin_y, origin_x = steps["translation"]["translation"][-2:]
    return PixelSize(float(y), float(x)), (float(origin_y), float(origin_x))


def omero(label: str, dtype: str, window: tuple[float, float] | None = None) -> dict[str, Any]:
    """Say how a viewer shows an image of one channel: in grey.

    Parameters
    ----------
    label : str
        The channel's name.
    dtype : str
        Of the pixels; it bounds the window, for floats 0 and 1 do.
    window : (float, float), optional
        Grey values that are shown black and white; the bounds when left out.
    """
    low, high = (0.0, 1.0) if np.dtype(dtype).kind == "f" else (0, int(np.iinfo(dtype).max))
    start, end = (low, high) if window is None else window
    span = {"min": min(low, start), "max": max(high, end), "start": start, "end": end}
    channel = {"label": label, "color": "FFFFFF", "active": True, "window": span}
    return {"channels": [channel], "rdefs": {"model": "greyscale"}}


def image_label(colours: Colours | None = None) -> dict[str, Any]:
    """Say that an image holds labels of the slide two folders above, and in which colours to show them.

    Without colours, as of ids, viewers choose: napari hides every label that a list of colours leaves out. A list
    makes the background, label 0, transparent, unless it says otherwise.
    """
    source = {"source": {"image": "../../"}}
    if not colours:
        return source
    ranked = sorted({0: (0, 0, 0, 0), **colours}.items())
    return source | {"colors": [{"label-value": value, "rgba": list(rgba)} for value, rgba in ranked]}


def labels_index(names: Iterable[str]) -> dict[str, Any]:
    """List the label images of a slide: all that stands under ``ome`` in the ``labels`` group."""
    return {"version": VERSION, "labels": sorted(set(names))}
