"""What an axon, and a pixel, cost to label and to measure on a small slide and on a large one.

``python -m benchmarks.growth``: phantoms of about 10⁴, 10⁵ and 10⁶ axons, labelled and measured in one process, from
classes in a store to labels, pyramids and table. What counts is the processor time of all passes of the two stages,
which no neighbour on the machine adds to. The classes are drawn before, a shard at a time, and stay for all repeats.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from pyarrow import parquet

from axonflow.engine.journal import Journal
from axonflow.engine.pool import LocalPool
from axonflow.engine.runner import run_stages
from axonflow.engine.stage import Stage
from axonflow.phantom import SEM_PIXEL, Phantom
from axonflow.stages.label import label_axons
from axonflow.stages.layout import Frame, Layout, default_chunk
from axonflow.stages.measure import measure
from benchmarks.measuring import Goal, Sample, interleaved, report

DENSITY = 0.69e-3
"""Axons by pixel of a phantom, about."""

FLAT = 0.2
"""By how much the dearest may cost more than the cheapest."""

MAX_MYELIN_UM = 5.0


def side_of(axons: int) -> int:
    """Return the side of a phantom of about so many axons, px."""
    return round(math.sqrt(axons / DENSITY))


def layout_of(side: int, folder: Path) -> Layout:
    """Return the store of a phantom, cut as the command would cut it."""
    frame = Frame((side, side), SEM_PIXEL)
    return Layout(folder / f"{side}.ome.zarr", frame, frame, "uint8", default_chunk(side))


def draw(side: int, folder: Path) -> Layout:
    """Write the classes of a phantom to its store."""
    layout, phantom = layout_of(side, folder), Phantom((side, side))
    layout.private.mkdir(parents=True)
    layout.slide.create()
    layout.semantic.create()
    for box in layout.semantic.round_grid(0):
        layout.semantic.write(box, phantom.classes(box))
    return layout


def analyse(layout: Layout) -> dict[str, Any]:
    """Label and measure; return what it took."""
    classes = Stage("segment", 1, {}, (), layout.work.shape, (), task=dict)
    labelled = label_axons(layout, 0.0, 0.0, classes)
    stages = (*labelled, *measure(layout, MAX_MYELIN_UM, labelled[1]))
    with TemporaryDirectory(dir=layout.store.parent) as folder:
        started, used = time.perf_counter(), time.process_time()
        by_stage = {}
        for stage in stages:
            before = time.process_time()
            run_stages([stage], Journal(Path(folder)), LocalPool())
            by_stage[stage.name] = time.process_time() - before
        return {
            "seconds": time.perf_counter() - started,
            "processor_s": time.process_time() - used,
            "by_stage": by_stage,
            "axons": parquet.read_metadata(layout.table).num_rows,
            "pixels": layout.work.shape[0] * layout.work.shape[1],
        }


def cost(runs: Sequence[Sample], of: str) -> float:
    """Return the median processor time by axon or by pixel, s."""
    return float(median(run.said["processor_s"] / run.said[of] for run in runs))


def compare(sizes: Sequence[int], repeats: int, folder: Path) -> None:
    """Run all sizes in turn."""
    sides = {}
    for axons in sizes:
        side = side_of(axons)
        print(f"drawing {side}² px", file=sys.stderr, flush=True)
        draw(side, folder)
        sides[f"{axons:,} axons"] = [
            sys.executable,
            "-m",
            "benchmarks.growth",
            "--side",
            str(side),
            "--folder",
            str(folder),
        ]
    samples = interleaved(sides, repeats)
    goals = []
    for of, unit, scale in (("axons", "µs by axon", 1e6), ("pixels", "ns by pixel", 1e9)):
        costs = {name: cost(runs, of) * scale for name, runs in samples.items()}
        spread = max(costs.values()) / min(costs.values()) - 1
        told = ", ".join(f"{value:.4g}" for value in costs.values())
        goals.append(Goal(f"{unit} ({told}) constant within {FLAT:.0%}", 100 * spread, spread <= FLAT, "%"))
    last = list(samples.values())[-1][-1].said
    report(
        "growth",
        "label + measure: what an axon and a pixel cost on small and on large slides",
        samples,
        goals,
        [
            "Found: " + ", ".join(f"{runs[0].said['axons']:,} axons" for runs in samples.values()) + ".",
            "Largest slide, ns of processor time by pixel: "
            + ", ".join(f"{name} {spent / last['pixels'] * 1e9:.2f}" for name, spent in last["by_stage"].items())
            + ".",
        ],
    )


def main() -> None:
    """Run the comparison, or one size of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--axons", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where to put the stores; a temporary one if left out")
    parser.add_argument("--side", type=int, help="one phantom that was drawn, once; for internal use")
    given = parser.parse_args()
    with TemporaryDirectory(dir=given.folder) as folder:
        if given.side is None:
            compare(given.axons, given.repeats, Path(folder))
            return
        analyse(draw(512, Path(folder)))  # loads what is compiled
        print(json.dumps(analyse(layout_of(given.side, given.folder))))


if __name__ == "__main__":
    main()
