"""How fast labelling and measuring are, beside AxonDeepSeg's morphometrics and beside scikit-image.

``python -m benchmarks.measure axondeepseg``: ring-shaped fibers, 103 × 103 of them on 4096² px, from the masks as PNG
to the table of axons. AxonDeepSeg's command is timed whole, and the function in it that measures; axonflow's command
is timed whole, and its stages ``label`` and ``measure``, as its record has them: in a command, where they also load
libraries and kernels, and in a process that has measured a small image before, as AxonDeepSeg has loaded all it needs.

``python -m benchmarks.measure skimage``: a phantom of 4096² px, in one process on one core. scikit-image labels the
axons and measures them and the fibers, all in memory; it is given the fibers, which it would not find by the same
rule. axonflow finds these, too, and reads classes from a store and writes labels to it, with their pyramids.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from benchmarks.measuring import Goal, Sample, interleaved, report, sample, seconds
from benchmarks.peers import python_of, version_of

PIXEL_UM = 0.1
PITCH = 4096 / 103
"""Between the centres of two rings, px."""

AXONDEEPSEG = "5.5.0"
# Its morphometrics need no more than these; with all it asks for, gigabytes of CUDA would come along.
BESIDE = (
    "numpy==1.26.4",
    "scipy==1.14.1",
    "scikit-image==0.25.2",
    "lazy-loader==0.4",
    "networkx==3.4.2",
    "tifffile==2025.1.10",
    "packaging==24.2",
    "imageio==2.36.1",
    "pillow==11.0.0",
    "pandas==2.2.3",
    "python-dateutil==2.9.0.post0",
    "pytz==2024.2",
    "tzdata==2024.2",
    "six==1.17.0",
    "matplotlib==3.9.4",
    "contourpy==1.3.1",
    "cycler==0.12.1",
    "fonttools==4.55.3",
    "kiwisolver==1.4.8",
    "pyparsing==3.2.1",
    "requests==2.32.3",
    "urllib3==2.3.0",
    "certifi==2024.12.14",
    "idna==3.10",
    "charset-normalizer==3.4.1",
    "loguru==0.7.3",
    "tqdm==4.67.1",
    "openpyxl==3.1.5",
    "et-xmlfile==2.0.0",
)

AXON, FIBER = (
    ("area", "centroid", "perimeter", "eccentricity", "orientation", "solidity"),
    ("area", "bbox", "perimeter", "eccentricity", "orientation", "solidity"),
)
"""What the table of axons says of an axon and of a fiber, in scikit-image's words."""


def rings(count: int) -> NDArray[np.uint8]:
    """Draw ``count`` × ``count`` fibers of varied size: 0 background, 127 myelin, 255 axon."""
    side = round(count * PITCH)
    random = np.random.default_rng(0)
    image = np.zeros((side, side), np.uint8)
    for i in range(count):
        for j in range(count):
            outer = random.uniform(8, 0.46 * PITCH)
            inner = outer * random.uniform(0.5, 0.8)
            cy, cx = (i + 0.5) * PITCH, (j + 0.5) * PITCH
            y0, x0, y1, x1 = (int(at) for at in (cy - outer, cx - outer, cy + outer + 2, cx + outer + 2))
            y, x = np.ogrid[y0 : min(y1, side), x0 : min(x1, side)]
            radius = np.hypot(y - cy, x - cx)
            part = image[y0:y1, x0:x1]
            part[radius <= outer] = 127
            part[radius <= inner] = 255
    return image


def against_axondeepseg(count: int, repeats: int, folder: Path) -> None:
    """Compare with AxonDeepSeg."""
    python = python_of("axondeepseg", "--no-deps", f"axondeepseg=={AXONDEEPSEG}", *BESIDE)
    image = rings(count)
    for name, mask in (
        ("", image),
        ("_seg-axonmyelin", image),
        ("_seg-axon", image > 200),
        ("_seg-myelin", image == 127),
    ):
        pixels = mask if mask.dtype == np.uint8 else mask.astype(np.uint8) * 255
        Image.fromarray(pixels).save(folder / f"rings{name}.png")
    slide = str(folder / "rings.png")
    _warm_up(folder)
    sides = {
        "AxonDeepSeg": _side("axondeepseg", slide, "--python", python),
        "axonflow": _side("axonflow", slide),
        "axonflow, loaded": _side("loaded", slide),
    }
    samples = interleaved(sides, repeats)
    theirs, typed, ours = (samples[name] for name in sides)
    found = {name: {run.said["axons"] for run in runs} for name, runs in samples.items()}
    if any(counts != {count * count} for counts in found.values()):
        raise SystemExit(f"{count * count} axons were expected on both sides, {found} came.")
    ratio, whole = seconds(theirs) / seconds(ours), _whole(theirs) / _whole(typed)
    report(
        "measure-axondeepseg",
        f"label + measure: {count * count:,} axons on {image.shape[0]}² px, beside AxonDeepSeg's morphometrics",
        samples,
        [
            Goal(
                "stages label and measure at least 200 × as fast as its get_axon_morphometrics",
                ratio,
                ratio >= 200,
                "×",
            )
        ],
        [
            "Seconds are those of get_axon_morphometrics, and of the stages label and measure with all their passes as "
            "run.json has them, which read classes from the store and write labels, their pyramids and the table. Of a "
            f"command of its own, {seconds(typed) - seconds(ours):.2g} s of them load libraries and compiled kernels.",
            f"The whole command, with all imports, from PNG masks: AxonDeepSeg {_whole(theirs):.3g} s (it also draws "
            f"an image of the numbers), axonflow {_whole(typed):.3g} s (it also converts slide and masks to OME-Zarr): "
            f"{whole:.3g} ×.",
            f"Mean g-ratio {theirs[0].said['gratio']:.4f} and {ours[0].said['gratio']:.4f}, mean axon diameter "
            f"{theirs[0].said['diameter_um']:.4f} and {ours[0].said['diameter_um']:.4f} µm.",
        ],
        versions={"axondeepseg": version_of(python, "axondeepseg")},
    )


def against_skimage(side: int, repeats: int, folder: Path) -> None:
    """Compare with scikit-image."""
    from axonflow.fiber.axons import join, label, number_axons, survey
    from axonflow.fiber.myelin import assign, reach_px
    from axonflow.kernel.classes import AXON_MYELIN
    from axonflow.kernel.grid import Box
    from axonflow.kernel.units import PixelSize
    from axonflow.phantom import Phantom

    box = Box.whole((side, side))
    classes = Phantom(box.shape).classes(box)
    slide = str(folder / "phantom.png")
    Image.fromarray(AXON_MYELIN.greys[classes]).save(slide)
    kinds = AXON_MYELIN.kinds(classes)
    pieces = [(box, survey(kinds, box, box.shape))]
    fibers = label(kinds, dict(number_axons(pieces, join(pieces)))[box])
    assign(fibers, classes == AXON_MYELIN.myelin, reach_px(5.0, PixelSize.square(PIXEL_UM)))
    np.save(folder / "phantom.npy", fibers)
    _warm_up(folder)
    sides = {
        "scikit-image": _side("skimage", slide, "--one-core"),
        "axonflow": _side("axonflow", slide, "--one-core"),
        "axonflow in shards of 1024 px": _side("axonflow", slide, "--one-core", "--chunk", "1024"),
    }
    samples = interleaved(sides, repeats)
    theirs, ours, chunked = (samples[name] for name in sides)
    for runs in (ours, chunked):
        for name, value in theirs[0].said["sums"].items():
            if not math.isclose(value, runs[0].said["sums"][name], rel_tol=1e-9):
                raise SystemExit(f"A sum of {name} of {value} was expected, {runs[0].said['sums'][name]} came.")
    ratio, in_shards = seconds(theirs) / seconds(ours), seconds(theirs) / seconds(chunked)
    report(
        "measure-skimage",
        f"label + measure: one process, one core, {theirs[0].said['axons']:,} axons on {side}² px, beside scikit-image",
        samples,
        [
            Goal("not slower than label + regionprops_table with the same columns", ratio, ratio >= 1, "×"),
            Goal("nor in shards of 1024 px", in_shards, in_shards >= 1, "×"),
        ],
        [
            "scikit-image: measure.label and two regionprops_table, from classes and fibers in memory to columns in "
            "memory; it is given the fibers. axonflow: the stages label and measure as run.json has them, from classes "
            "in a store to labels, pyramids and table in the store; it finds the fibers itself.",
            "Both found as many axons; the sums of their areas, perimeters, solidities and eccentricities are equal.",
        ],
    )


def measure_by_skimage(slide: Path) -> dict[str, Any]:
    """Label and measure an image of 0, 127, 255 whose fibers lie beside it."""
    from skimage import measure

    mask = np.asarray(Image.open(slide)) > 200
    fibers = np.load(slide.with_suffix(".npy")).astype(np.int32)
    started = time.perf_counter()
    axons = measure.label(mask, connectivity=2)
    of_axons = measure.regionprops_table(axons, properties=AXON)
    of_fibers = measure.regionprops_table(fibers, properties=FIBER)
    spent = time.perf_counter() - started
    sums = {
        f"{kind} {name}": float(np.sum(table[name]))
        for kind, table in (("axon", of_axons), ("fiber", of_fibers))
        for name in ("area", "perimeter", "solidity", "eccentricity")
    }
    return {"seconds": spent, "axons": len(of_axons["area"]), "sums": sums}


def measure_by_axonflow(slide: Path, chunk: int | None, *, one_core: bool) -> dict[str, Any]:
    """Run the command up to the table, on an image of 0, 127, 255, or on the masks beside it."""
    from axonflow.workflow.record import read_record

    axon_mask, myelin_mask = (slide.with_name(f"{slide.stem}_seg-{kind}.png") for kind in ("axon", "myelin"))
    masks: list[str | Path] = ["--labels", slide]
    if axon_mask.exists():
        masks = ["--axon-mask", axon_mask, "--myelin-mask", myelin_mask]
    with TemporaryDirectory(dir=slide.parent) as folder:
        store = Path(folder) / "out.ome.zarr"
        words = [
            sys.executable,
            "-m",
            "axonflow",
            "measure",
            slide,
            *masks,
            "--pixel-size",
            str(PIXEL_UM),
            "--out",
            store,
        ]
        words += ["--workers", "1"] if one_core else []
        words += ["--chunk", str(chunk)] if chunk else []
        started = time.perf_counter()
        subprocess.run(words, check=True, stdout=sys.stderr)
        whole = time.perf_counter() - started
        stages = read_record(store)["stages"]
        table = pd.read_parquet(store / "tables" / "fibers.parquet")
    columns = {
        "axon area": table["axon_area (um^2)"] / PIXEL_UM**2,
        "axon perimeter": table["axon_perimeter (um)"] / PIXEL_UM,
        "axon solidity": table["solidity"],
        "axon eccentricity": table["eccentricity"],
        "fiber area": table["axonmyelin_area (um^2)"] / PIXEL_UM**2,
        "fiber perimeter": table["axonmyelin_perimeter (um)"] / PIXEL_UM,
        "fiber solidity": table["fiber_solidity"],
        "fiber eccentricity": table["fiber_eccentricity"],
    }
    return {
        "seconds": _of_both(stages),
        "whole_s": whole,
        "stages": {name: made["seconds"] for name, made in stages.items()},
        "axons": len(table),
        "gratio": float(table["gratio"].mean()),
        "diameter_um": float(table["axon_diam (um)"].mean()),
        "sums": {name: float(column.sum()) for name, column in columns.items()},
    }


def measure_loaded(slide: Path) -> dict[str, Any]:
    """Measure a small image, then one with its masks beside it, in this process with the command's defaults."""
    from axonflow.kernel.units import PixelSize
    from axonflow.workflow.config import Config
    from axonflow.workflow.job import prepare, run_job
    from axonflow.workflow.record import read_record

    warm, size = slide.with_name("warm.png"), PixelSize.square(PIXEL_UM)
    axon_mask, myelin_mask = (slide.with_name(f"{slide.stem}_seg-{kind}.png") for kind in ("axon", "myelin"))
    with TemporaryDirectory(dir=slide.parent) as folder:
        store = Path(folder) / "out.ome.zarr"
        for config in (
            Config(warm, Path(folder) / "warm.ome.zarr", pixel_size=size, labels=warm),
            Config(slide, store, pixel_size=size, axon_mask=axon_mask, myelin_mask=myelin_mask),
        ):
            run_job(prepare(config), until="measure")
        stages = read_record(store)["stages"]
        table = pd.read_parquet(store / "tables" / "fibers.parquet")
    return {
        "seconds": _of_both(stages),
        "stages": {name: made["seconds"] for name, made in stages.items()},
        "axons": len(table),
        "gratio": float(table["gratio"].mean()),
        "diameter_um": float(table["axon_diam (um)"].mean()),
    }


def _of_both(stages: dict[str, Any]) -> float:
    return float(
        sum(made["seconds"] for name, made in stages.items() if name.partition(".")[0] in {"label", "measure"})
    )


def measure_by_axondeepseg(slide: Path, python: str) -> dict[str, Any]:
    """Run AxonDeepSeg's command on the masks beside an image."""
    script = Path(__file__).with_name("peer_scripts") / "measure_axondeepseg.py"
    started = time.perf_counter()
    done = subprocess.run(
        [python, script, slide.name, str(PIXEL_UM)], cwd=slide.parent, check=True, stdout=subprocess.PIPE, text=True
    )
    whole = time.perf_counter() - started
    said: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return said | {"whole_s": whole}


def _side(name: str, slide: str, *options: str) -> list[str]:
    return [sys.executable, "-m", "benchmarks.measure", "side", name, slide, *options]


def _warm_up(folder: Path) -> None:
    """Let numba compile, once for all runs, as it does once for all slides of a user."""
    small = folder / "warm.png"
    Image.fromarray(rings(4)).save(small)
    sample(_side("axonflow", str(small)))


def _whole(runs: Sequence[Sample]) -> float:
    return float(np.median([run.said["whole_s"] for run in runs]))


def main() -> None:
    """Run one comparison, or one side of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, size, default, meaning in (
        ("axondeepseg", "--count", 103, "fibers in a row and in a column"),
        ("skimage", "--side", 4096, "side of the phantom, px"),
    ):
        command = commands.add_parser(name)
        command.add_argument(size, type=int, default=default, help=meaning)
        command.add_argument("--repeats", type=int, default=3)
        command.add_argument("--folder", type=Path, help="where to put images and stores; a temporary one if left out")
    side = commands.add_parser("side", help="one side, once; for internal use")
    side.add_argument("name", choices=("axondeepseg", "axonflow", "loaded", "skimage"))
    side.add_argument("slide", type=Path)
    side.add_argument("--python", default="")
    side.add_argument("--chunk", type=int)
    side.add_argument("--one-core", action="store_true")
    given = parser.parse_args()
    if given.command == "side":
        if given.one_core:
            os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # for all threads, and for what is started
        if given.name == "axondeepseg":
            said = measure_by_axondeepseg(given.slide, given.python)
        elif given.name == "skimage":
            said = measure_by_skimage(given.slide)
        elif given.name == "loaded":
            said = measure_loaded(given.slide)
        else:
            said = measure_by_axonflow(given.slide, given.chunk, one_core=given.one_core)
        print(json.dumps(said))
        return
    with TemporaryDirectory(dir=given.folder) as folder:
        if given.command == "axondeepseg":
            against_axondeepseg(given.count, given.repeats, Path(folder))
        else:
            against_skimage(given.side, given.repeats, Path(folder))


if __name__ == "__main__":
    main()
