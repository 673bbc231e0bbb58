"""Table, mask and the slide's border → the rule that leaves each axon out, in the table; and the pixels that count.

Other rules do not redo the measurement: what they need of an axon stands in its row, but for its place, which the mask
covers or not, and whether it lies in the slide's last row or column, which the labels tell.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from axonflow.engine.stage import Result, Stage
from axonflow.fiber.rules import LEFT_OUT, RULES, Rules, counts, judged, left_out
from axonflow.fiber.table import COLUMNS, REGION, count_axons, extra_columns, read_parts, write_parquet
from axonflow.kernel.classes import Labels
from axonflow.kernel.files import new_file
from axonflow.kernel.grid import Box, Grid
from axonflow.kernel.tally import Ints
from axonflow.stages.annotation import Coverage, Everywhere
from axonflow.stages.centroids import centroids_in
from axonflow.stages.layout import Layout

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["apply_rules", "counted_pixels", "counting_in"]

_READ = 2**16
"""Pixels of the slide's border that are read at once."""


def apply_rules(layout: Layout, rules: Rules, coverage: Coverage, after: Stage) -> Stage:
    """Declare the decision which axons count.

    Parameters
    ----------
    layout : Layout
    rules : Rules
    coverage : Coverage
        What counts of the slide.
    after : Stage
        The one that writes the table of axons.
    """
    grid = Grid(layout.work.shape, (layout.chunk, layout.chunk))
    everywhere = isinstance(coverage, Everywhere)
    return Stage(
        name="measure.rules",
        revision=1,
        parameters={"rules": rules.to_json(), "mask": coverage.identity},
        after=(after,),
        shape=grid.shape,
        batches=() if everywhere else tuple(grid.batches(1)),
        task=partial(_outside, layout, coverage),
        finish=partial(_decide, layout, rules),
        memory=max(box.size for box in grid) * 16,
    )


def counting_in(layout: Layout, box: Box) -> tuple[Ints, Ints, Ints]:
    """Return the rows of the table that count and whose centroid lies in a box, and its pixel (y, x) in that box."""
    rows, y, x, said = centroids_in(layout.table, box, (LEFT_OUT.name,))
    there = counts(said)
    return rows[there], y[there], x[there]


def counted_pixels(layout: Layout, rules: Rules, box: Box) -> Labels:
    """Return the classes in a box as they count: of an axon that was left out because of what it is, nothing does."""
    counted = layout.classes.counted(layout.semantic.read(box), layout.axons.read(box))
    if not rules.judges:
        return counted
    fibers = layout.fibers.read(box)
    counted[_of_judged(layout, fibers)] = 0
    return counted


def _of_judged(layout: Layout, fibers: NDArray[np.uint32]) -> NDArray[np.bool_]:
    """Return which pixels are of a fiber that a rule has judged; ids of a window span a short range of all."""
    there = fibers[fibers > 0]
    if not len(there):
        return np.zeros(fibers.shape, np.bool_)
    first, last = int(there.min()), int(there.max())
    out = np.fromfile(_judged_path(layout), np.bool_, last - first + 1, offset=first)
    found: NDArray[np.bool_] = out[np.clip(fibers, first, last) - np.uint32(first)] & (fibers > 0)
    return found


def _judged_path(layout: Layout) -> Path:
    return layout.private / "judged.u1"


def _outside(layout: Layout, coverage: Coverage, box: Box) -> Result:
    rows, y, x, _ = centroids_in(layout.table, box)
    return {"outside": rows[~coverage.cover(box)[y, x]]}


def _decide(layout: Layout, rules: Rules, results: Iterable[tuple[Box, Result]]) -> dict[str, Any]:
    """Write the column, and one byte for each id that says whether its pixels count."""
    n = count_axons(layout.table)
    outside, cut = np.zeros(n, np.bool_), np.zeros(n + 1, np.bool_)
    for _, result in results:
        outside[result["outside"]] = True
    for ids in _on_last_sides(layout):
        cut[ids] = True
    extra = [column for column in extra_columns(layout.table) if column not in (LEFT_OUT, REGION)]
    found = dict.fromkeys(RULES, 0)

    def parts(out: Any) -> Iterator[pd.DataFrame]:
        out.write(b"\0")  # there is no axon 0
        for first, part in read_parts(layout.table, [column.name for column in (*COLUMNS, *extra)]):
            here = slice(first, first + len(part))
            said = left_out(part, rules, outside[here], cut[1:][here])
            decided = part.assign(**{LEFT_OUT.name: said})
            for name in RULES:
                found[name] += int((said == name).sum())
            out.write(judged(decided).tobytes())
            yield decided

    with new_file(_judged_path(layout)) as unnamed, unnamed.open("wb") as out:
        write_parquet(parts(out), layout.table, [*extra, LEFT_OUT])
    return {"left_out": {name: number for name, number in found.items() if number}}


def _on_last_sides(layout: Layout) -> Iterator[NDArray[np.uint32]]:
    """Yield the ids of the axons in the last row and column of the slide."""
    h, w = layout.work.shape
    for x in range(0, w, _READ):
        yield layout.axons.read(Box(h - 1, x, h, min(x + _READ, w)))
    for y in range(0, h, _READ):
        yield layout.axons.read(Box(y, w - 1, min(y + _READ, h), w))
