"""How much memory a worker takes on slides of 1, 4 and 16 Gpx, in every stage, and what the plan said it would take.

``python -m benchmarks.memory --folder SCRATCH [--gigapixels 1 4]``: a slide of each size is converted, labelled,
measured and mapped whole, with masks of its own, each stage by a command of its own, so that every stage has workers
of its own whose peak its record states. The network is applied, by workers that start for it, to the first batches of
the same slide: what a worker takes does not depend on how many follow. What was measured stays in the folder, so that
a size may be measured on another day; ``--gigapixels`` without any says again what was, beside today's plan.

A slide repeats a piece of a phantom. Its file holds the tiles of the piece once, and names them again and again; the
piece is no divisor of a shard, so that shards differ.

A process begins with the peak of the one that started it, as the kernel counts: so this one stays small, and leaves
to others whatever loads anything.
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.measuring import GIB, Goal, Sample, interleaved, report

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

TILE = 512
PIECE = 9 * TILE
"""Side of the piece of phantom that a slide repeats, px."""

COMMANDS = ("convert", "segment", "label", "measure", "map")
"""Of which all but the first take the masks."""

NETWORK = "network"
"""The side that applies the network to a part of the slide."""

FLAT, NEAR, MOST_GIB = 0.10, 0.20, 1.5
"""How far peaks may lie apart, how far from the plan's, and how high."""

SHORT, LONG, RATIONAL, LONG8 = (3, "H"), (4, "I"), (5, "II"), (16, "Q")


def write_repeated(path: Path, side: int, piece: NDArray[np.uint8]) -> None:
    """Write a square BigTIFF that repeats a piece of whole tiles, with pixels of 0.1 µm."""
    import numpy as np

    across, down = side // TILE, piece.shape[0] // TILE
    encoded = [
        zlib.compress(piece[y : y + TILE, x : x + TILE].tobytes(), 1)
        for y in range(0, piece.shape[0], TILE)
        for x in range(0, piece.shape[1], TILE)
    ]
    lengths = np.array([len(tile) for tile in encoded], np.uint64)
    offsets = 16 + np.cumsum(lengths) - lengths
    rows, columns = np.divmod(np.arange(across * across), across)
    which = rows % down * down + columns % down
    tags: list[tuple[int, tuple[int, str], Sequence[int]]] = [
        (256, LONG, (side,)),
        (257, LONG, (side,)),
        (258, SHORT, (8,)),
        (259, SHORT, (8,)),  # deflate
        (262, SHORT, (1,)),  # black is 0
        (277, SHORT, (1,)),
        (282, RATIONAL, (100_000, 1)),
        (283, RATIONAL, (100_000, 1)),
        (296, SHORT, (3,)),  # by cm
        (322, LONG, (TILE,)),
        (323, LONG, (TILE,)),
        (324, LONG8, offsets[which].tolist()),
        (325, LONG8, lengths[which].tolist()),
    ]
    directory = 16 + int(lengths.sum())
    beyond = directory + 8 + 20 * len(tags) + 8
    entries, values = b"", b""
    for code, (kind, form), numbers in tags:
        packed = struct.pack(f"<{len(numbers) // len(form) * form}", *numbers)
        place = packed.ljust(8, b"\0")
        if len(packed) > 8:
            place, values = struct.pack("<Q", beyond + len(values)), values + packed
        entries += struct.pack("<HHQ", code, kind, len(numbers) // len(form)) + place
    part = path.with_suffix(".part.tif")
    with part.open("wb") as file:
        file.write(struct.pack("<2sHHHQ", b"II", 43, 8, 0, directory))
        file.writelines(encoded)
        file.write(struct.pack("<Q", len(tags)) + entries + struct.pack("<Q", 0) + values)
    part.rename(path)


def draw(folder: Path, side: int) -> None:
    """Write a slide of a side, px, and its masks, if they are not there."""
    from axonflow.kernel.classes import AXON_MYELIN
    from axonflow.kernel.grid import Box
    from axonflow.phantom import Phantom

    phantom, whole = Phantom((PIECE, PIECE)), Box.whole((PIECE, PIECE))
    tiff, labels = _paths(folder, side)
    folder.mkdir(parents=True, exist_ok=True)
    if not tiff.exists():
        write_repeated(tiff, side, phantom.image(whole))
    if not labels.exists():
        write_repeated(labels, side, AXON_MYELIN.greys[phantom.classes(whole)])


def projected(folder: Path, side: int) -> dict[str, dict[str, int]]:
    """Return what ``axonflow plan`` says that a worker takes in each stage, bytes: with masks, and by the network."""
    from axonflow.engine.journal import Journal
    from axonflow.engine.plan import Plan
    from axonflow.engine.profile import Profile
    from axonflow.workflow.config import Config
    from axonflow.workflow.job import prepare, with_workers

    tiff, labels = _paths(folder, side)
    store, said = folder / "none.ome.zarr", {}
    for name, masks in (("segment", labels), (NETWORK, None)):
        job = prepare(Config(tiff, store, labels=masks))
        plan = Plan.of(job.stages, Journal(store), store, with_workers(Profile.find("local"), job.layout))
        said[name] = {step.name: step.memory for step in plan.steps}
    return said


def apply_network(folder: Path, side: int, batches: int) -> dict[str, Any]:
    """Apply the network to the first batches of a converted slide, and to the sample of seams."""
    from axonflow.engine.fleet import open_pool
    from axonflow.engine.journal import Journal
    from axonflow.engine.profile import Profile
    from axonflow.engine.runner import run_stages
    from axonflow.workflow.config import Config
    from axonflow.workflow.job import prepare, with_workers

    job = prepare(Config(_paths(folder, side)[0], _store(folder, side)))
    stages = [
        replace(stage, batches=stage.batches[:batches])
        for stage in job.stages
        if stage.name in {"segment", "segment.seams"}
    ]
    private = job.layout.private
    journal = Journal(private / "network")
    shutil.rmtree(journal.folder, ignore_errors=True)
    with open_pool(with_workers(Profile.find("local"), job.layout), private) as pool:
        run_stages(stages, journal, pool)
    made = {stage.name: journal.record(stage).summary for stage in stages}
    return {
        "seconds": sum(summary["seconds"] for summary in made.values()),
        "stages": {name: summary["peak_worker_bytes"] for name, summary in made.items()},
        "pixels": made["segment"]["pixels"],
    }


def measure(folder: Path, side: int, batches: int) -> dict[str, Sample]:
    """Take a slide through all stages; return a sample of each, which says its peaks."""
    _elsewhere("draw", folder, side, batches)
    (tiff, labels), store = _paths(folder, side), _store(folder, side)
    shutil.rmtree(store, ignore_errors=True)
    samples = {}
    for command in (COMMANDS[0], NETWORK, *COMMANDS[1:]):  # the masks take the place of what the network leaves
        masks = [] if command == "convert" else ["--labels", str(labels)]
        words = [sys.executable, "-m", "axonflow", command, str(tiff), "--out", str(store), *masks]
        if command == NETWORK:
            words = _words(NETWORK, folder, side, batches)
        name = f"{_size(side)}, {_called(command)}"
        one = interleaved({name: words}, 1)[name][0]
        peaks = one.said["stages"] if command == NETWORK else _recorded(store, command)
        samples[command] = replace(one, said=one.said | {"stages": peaks})
    shutil.rmtree(store)
    return samples


def _with_plan(samples: dict[str, Sample], folder: Path, side: int) -> dict[str, Sample]:
    """Add what the plan says of each stage, today, to what was measured."""
    plans = _elsewhere("projected", folder, side, 0)
    planned = {}
    for name, one in samples.items():
        plan = plans[NETWORK if name == NETWORK else "segment"]
        planned[name] = replace(
            one, said=one.said | {"projected": {stage: plan[stage] for stage in one.said["stages"]}}
        )
    return planned


def _recorded(store: Path, command: str) -> dict[str, int]:
    """Return the peaks of a worker that a store has recorded of a command's stages, bytes."""
    stages = json.loads((store / "run.json").read_text())["stages"]
    return {name: made["peak_worker_bytes"] for name, made in stages.items() if name.split(".")[0] == command}


def _words(part: str, folder: Path, side: int, batches: int) -> list[str]:
    return [
        *(sys.executable, "-m", "benchmarks.memory", "--folder", str(folder), "--batches", str(batches)),
        *("--part", part, str(side)),
    ]


def _elsewhere(part: str, folder: Path, side: int, batches: int) -> Any:
    done = subprocess.run(_words(part, folder, side, batches), check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def _paths(folder: Path, side: int) -> tuple[Path, Path]:
    return folder / f"{side}.tif", folder / f"{side}-labels.tif"


def _store(folder: Path, side: int) -> Path:
    return folder / f"{side}.ome.zarr"


def judged(measured: dict[int, dict[str, Sample]]) -> list[Goal]:
    """Compare the peaks of all sizes with one another, with the plan's and with the goal."""
    goals, highest = [], 0.0
    for name in (COMMANDS[0], NETWORK, *COMMANDS[1:]):
        peaks = [max(samples[name].said["stages"].values()) / GIB for samples in measured.values()]
        plans = [max(samples[name].said["projected"].values()) / GIB for samples in measured.values()]
        highest, apart = max(highest, *peaks), max(peaks) / min(peaks) - 1
        off = max((plan / peak - 1 for plan, peak in zip(plans, peaks, strict=True)), key=abs)
        told, what = ", ".join(f"{peak:.2f}" for peak in peaks), _called(name)
        goals += [
            Goal(f"{what}: peaks of a worker ({told} GiB) within {100 * FLAT:.0f} %", 100 * apart, apart <= FLAT, "%"),
            Goal(
                f"{what}: projection ({plans[-1]:.2f} GiB) within {100 * NEAR:.0f} %",
                100 * off,
                bool(abs(off) <= NEAR),
                "%",
            ),
        ]
    return [*goals, Goal(f"at most {MOST_GIB} GiB per worker", highest, highest <= MOST_GIB, "GiB")]


def _called(name: str) -> str:
    return {NETWORK: "segment by the network", "segment": "segment by masks"}.get(name, name)


def _size(side: int) -> str:
    return f"{side**2 / 2**30:.3g} Gpx"


def main() -> None:
    """Measure the sizes that are asked for, and report all that were measured in the folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gigapixels", type=float, nargs="*", default=[1, 4, 16], help="of 2³⁰ px; may be parts of 1")
    parser.add_argument("--folder", type=Path, required=True, help="for slides, stores (25 GB for 16 Gpx) and peaks")
    parser.add_argument("--batches", type=int, default=8, help="of two shards each, for the network")
    parser.add_argument("--part", nargs=2, metavar=("PART", "SIDE"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.part:
        parts: dict[str, Callable[[Path, int], Any]] = {
            "draw": draw,
            "projected": projected,
            NETWORK: partial(apply_network, batches=given.batches),
        }
        print(json.dumps(parts[given.part[0]](given.folder, int(given.part[1]))))
        return
    kept = given.folder / "measured.json"
    for gigapixels in given.gigapixels:
        side = max(round(math.sqrt(gigapixels * 2**30) / TILE), 1) * TILE
        samples = measure(given.folder, side, given.batches)
        known = json.loads(kept.read_text()) if kept.exists() else {}
        known[str(side)] = {name: asdict(one) for name, one in samples.items()}
        kept.write_text(json.dumps(known, indent=1))
    known = json.loads(kept.read_text())
    measured = {
        side: _with_plan({name: Sample(**one) for name, one in known[str(side)].items()}, given.folder, side)
        for side in sorted(map(int, known))
    }
    shown = {one[NETWORK].said["pixels"] for one in measured.values()}
    report(
        "memory",
        "memory of a worker in every stage, on slides of " + ", ".join(map(_size, measured)),
        {f"{_size(side)}, {_called(name)}": [one] for side, of in measured.items() for name, one in of.items()},
        judged(measured),
        [
            "The peak of a worker is its part of the largest resident memory that a stage's tasks noted: workers here "
            "are threads of one process, whose libraries, and whose driver, count.",
            "The network was applied to the first "
            + ", ".join(f"{part / 1e6:.0f}" for part in sorted(shown))
            + " Mpx of each slide, and to its sample of seams; all other stages to the whole slide, with masks.",
            f"Slides repeat {PIECE}² px of a phantom of fibers, which lie as densely everywhere as in white matter: "
            "ten times as many axons as a human cord has on the largest.",
        ],
    )


if __name__ == "__main__":
    main()
