"""What of a slide could not be read: what a task found of it, and all of it for the record."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from axonflow.engine.stage import Result
from axonflow.errors import SlideError
from axonflow.kernel.grid import Box
from axonflow.slide import Partial, Slide

__all__ = ["count_unread", "sum_up_unread"]

LISTED = 100
"""Tiles that are named in the record; all of them are counted."""


def count_unread(read: Partial) -> dict[str, NDArray[Any]]:
    """Return what of a task's box could not be read: pixels, and the tiles that it touches."""
    boxes = [(bad.box.y0, bad.box.x0, bad.box.y1, bad.box.x1) for bad in read.bad]
    return {
        "unread.px": np.array(np.count_nonzero(read.unmeasured)),
        "unread.tile": np.array([(bad.row, bad.column) for bad in read.bad], np.int64).reshape(-1, 2),
        "unread.box": np.array(boxes, np.int64).reshape(-1, 4),
        "unread.why": np.array([bad.why for bad in read.bad], "U"),
    }


def sum_up_unread(results: Iterable[tuple[Box, Result]], slide: Slide) -> dict[str, Any]:
    """Return how many tiles and pixels of a slide could not be read, its share of them, and which tiles these are.

    Raises
    ------
    SlideError
        If nothing could be read.
    """
    found: dict[tuple[int, int], tuple[Box, str]] = {}  # tasks that share a tile both name it
    pixels, whole = 0, slide.shape[0] * slide.shape[1]
    for _, result in results:
        pixels += int(result["unread.px"])
        tiles, boxes, whys = (result[f"unread.{name}"].tolist() for name in ("tile", "box", "why"))
        found |= {(row, column): (Box(*box), why) for (row, column), box, why in zip(tiles, boxes, whys, strict=True)}
    if pixels == whole:
        why = next(iter(found.values()))[1] if found else "no pixel is a finite number"
        raise SlideError(
            f"Something to measure was expected, but nothing of {slide.path} can be read ({why}); copy it again from "
            "its source."
        )
    return {
        "tiles": len(found),
        "not_finite_px": pixels - sum(box.size for box, _ in found.values()),
        "share": round(pixels / whole, 12),
        "bad_tiles": [_named(row, column, *found[row, column], slide) for row, column in sorted(found)[:LISTED]],
    }


def _named(row: int, column: int, box: Box, why: str, slide: Slide) -> dict[str, Any]:
    named: dict[str, Any] = {"row": row, "column": column, "why": why}
    sides = {"y": (box.y0, box.y1), "x": (box.x0, box.x1)}
    for axis, side in sides.items():
        named[f"{axis}_px"] = [*side]
        if slide.pixel_size is not None:
            named[f"{axis}_um"] = [round(end * getattr(slide.pixel_size, axis), 3) for end in side]
    return named
