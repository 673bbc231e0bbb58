"""Outlines of axons and fibers as ImageJ's ROI set: a zip that its ROI Manager opens, in pixels of the slide.

An outline of one ring is a traced ROI; one with holes, or of several parts, is a composite. Each carries the id of its
axon in its name.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from axonflow.errors import InputError
from axonflow.fiber.kinds import KIND, UNMYELINATED
from axonflow.fiber.outline import outlines
from axonflow.kernel.extras import library
from axonflow.kernel.files import new_file
from axonflow.kernel.grid import Box
from axonflow.kernel.tally import Ints
from axonflow.results.analysis import Analysis
from axonflow.results.export.objects import objects

__all__ = ["write_rois"]

_MOVE, _LINE, _CLOSE = 0.0, 1.0, 4.0
"""Steps of a path in a composite (``java.awt.geom.PathIterator``)."""

_COLOURS = {"axon": b"\xff\x40\x8c\xf2", "fiber": b"\xff\xe3\x4a\x33", "unmyelinated axon": b"\xff\x7f\xc9\x7f"}
"""Opacity, red, green and blue."""

_TIME = (1980, 1, 1, 0, 0, 0)


def write_rois(analysis: Analysis, path: Path) -> None:
    """Write a fiber and an axon for each axon, one that has no myelin once.

    Raises
    ------
    InputError
        If roifile is not installed, or the name ends in something else.
    """
    if path.suffix.lower() != ".zip":
        raise InputError(f"A file ending in .zip was expected for a set of ROIs, {path.name} came; rename --out.")
    roifile = library("roifile", "roi", "the format roi")
    slide, axons, fibers = analysis.pyramid(), analysis.pyramid("axons"), analysis.pyramid("fibers")
    scale = np.array((axons.pixel_size.x / slide.pixel_size.x, axons.pixel_size.y / slide.pixel_size.y))
    table = analysis.fibers
    ids = table["axon_id"].to_numpy()
    without = set(np.flatnonzero(table.get(KIND.name) == UNMYELINATED).tolist())
    with new_file(path) as part, zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as file:
        for row, box, (fiber, axon) in objects(table, (fibers, axons)):
            masks = {"unmyelinated axon": axon} if row in without else {"fiber": fiber, "axon": axon}
            for kind, mask in masks.items():
                name = f"{kind} {ids[row]}"
                rings = [_in_slide(ring, box, scale) for polygon in outlines(mask) for ring in polygon]
                roi = _roi(roifile, rings, name, _COLOURS[kind])
                file.writestr(zipfile.ZipInfo(f"{name}.roi", _TIME), roi.tobytes(), zipfile.ZIP_DEFLATED)


def _in_slide(ring: Ints, box: Box, scale: Any) -> Any:
    """Return the (x, y) of a ring's corners in pixels of the slide: whole numbers where those are the labels'."""
    xy = ring[:, ::-1] + np.array((box.x0, box.y0))
    return xy if (scale == 1).all() else np.round(xy * scale, 3)


def _roi(roifile: Any, rings: list[Any], name: str, colour: bytes) -> Any:
    if len(rings) == 1:
        roi = roifile.ImagejRoi.frompoints(rings[0], name=name)
        roi.roitype = roifile.ROI_TYPE.TRACED
    else:
        corners = np.concatenate(rings)
        roi = roifile.ImagejRoi(roitype=roifile.ROI_TYPE.RECT, name=name)
        roi.left, roi.top = map(int, np.floor(corners.min(axis=0)))
        roi.right, roi.bottom = map(int, np.ceil(corners.max(axis=0)))
        roi.multi_coordinates = np.concatenate([_path(ring) for ring in rings])
        roi.shape_roi_size = len(roi.multi_coordinates)
    roi.stroke_color = colour
    return roi


def _path(ring: Any) -> Any:
    steps = np.column_stack([np.full(len(ring), _LINE), ring])
    steps[0, 0] = _MOVE
    return np.append(steps.ravel(), _CLOSE).astype(np.float32)
