"""How fast a tiled, compressed TIFF becomes sharded OME-Zarr with all its levels, and in how much memory.

``python -m benchmarks.convert [--folder SCRATCH]``: ``axonflow convert`` as a user types it, beside
``ome_zarr.writer.write_image`` and ``ngff-zarr``, each in an environment of its own, on the same phantom with the same
codec, chunks and number of levels; and beside the floor: every tile decoded and level 0 encoded on all cores, nothing
written. Each peer comes twice, with its default way to make a level and with means of 2 × 2 pixels, as axonflow's.
Seconds are a command's, from its start to its end; what it took without the start of Python and of packages stands
beside them in the JSON as ``convert_s``.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from statistics import median
from time import perf_counter

import imagecodecs
import numpy as np
import tifffile
from numcodecs import Blosc, blosc

from benchmarks.measuring import Goal, Sample, interleaved, peak, report, seconds
from benchmarks.peers import FOLDER, python_of

PEERS = {
    "ome-zarr": ("convert_ome_zarr.py", "0.18.0", {"by default": "resize", "means of 2 × 2": "local_mean"}),
    "ngff-zarr": (
        "convert_ngff_zarr.py",
        "0.50.0",
        {"by default": "itkwasm_gaussian", "means of 2 × 2": "dask_bin_shrink"},
    ),
}
"""Script, version and ways to make a level of each peer."""

SHARED = "zarr", "numcodecs", "dask", "tifffile", "imagecodecs", "numpy"
"""What the peers rest on, in the versions that axonflow rests on here."""

PEERS_SHARD = 2048
"""Side of a peer's shard, px: one for all levels, and smaller than axonflow's, which spares the peers memory."""

POOLS: dict[str, Callable[[int], Executor]] = {"threads": ThreadPoolExecutor, "processes": ProcessPoolExecutor}


def slide(folder: Path, side: int) -> Path:
    """Return a phantom slide in a folder; drawn, if it is not there."""
    from axonflow.phantom import Phantom, write

    path = folder / f"phantom-{side}.tif"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part.tif")
        write(part, Phantom((side, side)))
        part.rename(path)
    return path


def measure(tiff: Path, store: Path, repeats: int) -> dict[str, list[Sample]]:
    """Run every side in turn, each into a store that is not there, with nothing left to be written to the disk."""
    sides, made = _sides(tiff, store)
    samples: dict[str, list[Sample]] = {name: [] for name in sides}
    for _ in range(repeats):
        for name, words in sides.items():
            shutil.rmtree(store, ignore_errors=True)
            os.sync()
            one = interleaved({name: words}, 1)[name][0]
            if name in made:
                one = replace(one, said=made[name]())
            samples[name].append(one)
    shutil.rmtree(store, ignore_errors=True)
    return samples


def _sides(tiff: Path, store: Path) -> tuple[dict[str, list[str]], dict[str, Callable[[], dict[str, float]]]]:
    """Return the commands, and how to learn from a store what its command did not say."""
    from axonflow.ngff.levels import Levels
    from axonflow.slide import open_slide

    opened = open_slide(tiff)
    if opened.pixel_size is None:
        raise SystemExit(f"{tiff} does not say its pixel size; remove it, so that it is drawn anew.")
    levels = Levels(opened.shape, 4096)
    cut = {
        "levels": levels.count,
        "chunk": levels.chunk_of(0),
        "shard": PEERS_SHARD,
        "pixel_um": opened.pixel_size.y,
    }
    sides = {"axonflow convert": [sys.executable, "-m", "axonflow", "convert", str(tiff), "--out", str(store)]}
    for peer, (script, number, methods) in PEERS.items():
        python = python_of(f"convert-{peer}", f"{peer}=={number}", *(f"{name}=={version(name)}" for name in SHARED))
        path = Path(__file__).with_name("peer_scripts") / script
        for words, method in methods.items():
            asked = {"tiff": str(tiff), "store": str(store), "method": method, **cut}
            sides[f"{peer}, {words}"] = [python, str(path), json.dumps(asked)]
    for pool in POOLS:
        sides[f"floor, {pool}"] = [sys.executable, "-m", "benchmarks.convert", "--floor", pool, str(tiff)]
    return sides, {"axonflow convert": partial(_recorded, store)}


def _recorded(store: Path) -> dict[str, float]:
    """Return the seconds of the conversion's stages by the record of their run."""
    stages = json.loads((store / "run.json").read_text())["stages"]
    return {"convert_s": sum(made["seconds"] for name, made in stages.items() if name.startswith("convert"))}


def floor(tiff: Path, kind: str) -> None:
    """Decode every tile of a TIFF and encode it as a chunk, on all cores, and print the seconds and bytes."""
    with tifffile.TiffFile(tiff) as opened:
        page = opened.pages.first
        shape = page.tilelength, page.tilewidth
        places = list(zip(page.dataoffsets, page.databytecounts, strict=True))
    cores = len(os.sched_getaffinity(0))
    parts = [places[first : first + 32] for first in range(0, len(places), 32)]
    with POOLS[kind](cores) as pool:
        list(pool.map(_encoded, [tiff] * cores, [shape] * cores, [places[:1]] * cores))  # starts the processes
        started = perf_counter()
        size = sum(pool.map(_encoded, [tiff] * len(parts), [shape] * len(parts), parts))
        print(json.dumps({"seconds": perf_counter() - started, "bytes": size}))


def _encoded(tiff: Path, shape: tuple[int, int], places: Iterable[tuple[int, int]]) -> int:
    blosc.use_threads = False  # the cores are busy as it is
    codec, size = Blosc("zstd", 1, Blosc.BITSHUFFLE), 0
    with tiff.open("rb") as file:
        for offset, count in places:
            file.seek(offset)
            decoded = imagecodecs.deflate_decode(file.read(count), out=shape[0] * shape[1])
            size += len(codec.encode(np.frombuffer(decoded, np.uint8)))
    return size


def main() -> None:
    """Measure, or be the floor."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=16384, help="of the slide, px")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--folder", type=Path, default=FOLDER / "slides", help="for the slide and the stores")
    parser.add_argument("--floor", nargs=2, metavar=("POOL", "TIFF"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.floor:
        floor(Path(given.floor[1]), given.floor[0])
        return
    tiff = slide(given.folder, given.side)
    samples = measure(tiff, given.folder / "converted.ome.zarr", given.repeats)
    ours, lowest = samples["axonflow convert"], min(seconds(samples[f"floor, {pool}"]) for pool in POOLS)
    goals = [
        goal
        for way in ("by default", "means of 2 × 2")
        for goal in _against(ours, {name: samples[name] for name in samples if name.endswith(way)}, way)
    ]
    over = _convert_s(ours) / lowest
    goals.append(Goal("≤ 1.5 times the floor, without the start", over, over <= 1.5, "times"))
    report(
        "convert",
        f"{given.side}² tiled deflate TIFF to sharded OME-Zarr, all levels, compressed",
        samples,
        goals,
        (
            "Public commands and functions, whole: axonflow convert SLIDE --out STORE with no other flag, that is one "
            "worker per core and shards of 4096 px; the peers with shards of 2048 px, on dask's threads, as they come.",
            "Compression: Blosc, zstd level 1, bit shuffle, chunks of 512 px. Slide: a phantom of axonflow, tiles of "
            "512 px, deflate level 1.",
            "Seconds are from the start of a command to its end, the floor's without its start. "
            + ", ".join(f"{name} without its start: {_convert_s(runs):.3g} s" for name, runs in _told(samples)),
        ),
        versions={peer: number for peer, (_, number, _) in PEERS.items()},
    )


def _against(ours: list[Sample], peers: dict[str, list[Sample]], way: str) -> list[Goal]:
    """Compare with the faster peer of one way to make levels."""
    name = min(peers, key=lambda name: seconds(peers[name]))
    whole, alone = seconds(peers[name]) / seconds(ours), _convert_s(peers[name]) / _convert_s(ours)
    memory = peak(ours) / peak(peers[name])
    return [
        Goal(f"≥ 4 times as fast as the faster peer {way}, {name}", whole, whole >= 4, "times"),
        Goal(f"the same without the start, {name}", alone, alone >= 4, "times"),
        Goal(f"≤ half the memory of {name}", memory, memory <= 0.5, "of it"),
    ]


def _told(samples: dict[str, list[Sample]]) -> list[tuple[str, list[Sample]]]:
    return [(name, runs) for name, runs in samples.items() if "convert_s" in runs[0].said]


def _convert_s(runs: list[Sample]) -> float:
    return float(median(one.said["convert_s"] for one in runs))


if __name__ == "__main__":
    main()
