"""How fast a slide is segmented, against the paper's way, the bare network and what the processor can do.

``python -m benchmarks.segment FOLDER``: a phantom of 8192² px at the SEM network's pixel size, on all cores.

- *paper*: float32, windows of 512 px every 462, one after the other in a loop of PyTorch that holds the image and the
  labels in memory, as the paper's code does. The greys are equalised over the slide on all sides, so that labels can be
  compared; the paper equalises every window, which takes longer.
- *bare*: the network as axonflow loads it, over windows that lie ready in memory; nothing is read or written. A process
  per core, or one with a thread per core, whichever is faster.
- *axonflow*: ``axonflow segment`` with its defaults, on a store whose slide is converted; the seconds of the stage
  ``segment`` from the store's record, of which *and all* also counts levels and seams.
- *axonflow, no int8*: the same in the best precision of networks that have no whole numbers.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import shutil
import subprocess
import sys
from functools import partial
from multiprocessing.synchronize import Barrier
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from axonflow.kernel.grid import Box
from axonflow.net.checkpoint import Checkpoint, Precision
from axonflow.net.device import Processor
from axonflow.net.lattice import Lattice
from axonflow.net.loaded import load_network
from axonflow.net.normalise import grey_codes, histogram, lookup_table
from axonflow.net.precision import best_precision, best_precisions
from axonflow.net.predict import Predictor
from benchmarks.measuring import Goal, interleaved, report, seconds

WINDOW, STRIDE = 512, 462
"""Of the paper, px: the 25 px at a window's border are another window's."""

FLOP_PER_PX = 194_540
"""Of the SEM network: twice the multiplications of its convolutions, by pixel of a window."""

SIDES = ("paper", "bare: a process per core", "bare: a thread per core", "axonflow", "axonflow, no int8")


def cores() -> int:
    """Return how many cores there are to use."""
    return len(os.sched_getaffinity(0))


def paper(pixels: NDArray[Any], checkpoint: Checkpoint, table: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Segment as the paper does."""
    net, margin = checkpoint.network(), (WINDOW - STRIDE) // 2
    labels = np.zeros(pixels.shape, np.uint8)
    (h, w), image = pixels.shape, np.pad(table[grey_codes(pixels)], margin, mode="reflect")
    with torch.inference_mode():
        for y in (*range(0, h - STRIDE, STRIDE), h - STRIDE):
            for x in (*range(0, w - STRIDE, STRIDE), w - STRIDE):
                window = torch.from_numpy(image[y : y + WINDOW, x : x + WINDOW])[None, None]
                classes = torch.softmax(net(window), dim=1).argmax(dim=1)[0]
                labels[y : y + STRIDE, x : x + STRIDE] = classes[margin:-margin, margin:-margin].numpy()
    return labels


def bare(pixels: NDArray[Any], checkpoint: Checkpoint, table: NDArray[np.float32], processes: int) -> float:
    """Apply the network to windows that lie in memory; return the seconds until the last process has ended."""
    if processes == 1:
        return _applied(0, 1, None, pixels, checkpoint, table)
    context = multiprocessing.get_context("fork")
    together, ended = context.Barrier(processes), context.Queue()

    def work(i: int) -> None:
        ended.put(_applied(i, processes, together, pixels, checkpoint, table))

    members = [context.Process(target=work, args=(i,)) for i in range(processes)]
    for member in members:
        member.start()
    longest = max(ended.get() for _ in members)
    for member in members:
        member.join()
    return float(longest)


def _applied(
    i: int, n: int, together: Barrier | None, pixels: NDArray[Any], checkpoint: Checkpoint, table: NDArray[np.float32]
) -> float:
    torch.set_num_threads(max(cores() // n, 1))
    lattice, whole = _lattice(pixels, checkpoint), Box.whole(pixels.shape)
    net = load_network(checkpoint, best_precisions().of(integers=True), Processor())
    codes = net.table(table)
    cut = [lattice.window(core, pixels, whole) for core in list(lattice.cores(whole))[i::n]]
    windows = [(torch.from_numpy(grey_codes(window).astype(np.int32))[None], inner) for window, inner in cut]
    net.planes(codes, windows[0][1], 2, windows[0][0])
    if together:
        together.wait()
    started = perf_counter()
    for window, inner in windows:
        net.planes(codes, inner, 2, window)
    return perf_counter() - started


def ceiling(precision: str) -> float:
    """Return the rate of a large matrix product on all cores, FLOP/s."""
    torch.set_num_threads(cores())
    side, rates = 4096, []
    left, right = (torch.randn(side, side).to(getattr(torch, precision)) for _ in range(2))
    for _ in range(6):
        started = perf_counter()
        left @ right
        rates.append(2 * side**3 / (perf_counter() - started))
    return median(rates[1:])


def _lattice(pixels: NDArray[Any], checkpoint: Checkpoint) -> Lattice:
    return Lattice(pixels.shape, checkpoint.lattice_px, checkpoint.halo_px, checkpoint.shape.stride)


def _side(name: str, folder: Path) -> dict[str, Any]:
    """Measure one side, in a process of its own."""
    checkpoint = Checkpoint.find("sem")
    if name == "axonflow":
        return _segment(folder / "run.ome.zarr", folder)
    if name == "axonflow, no int8":
        return _segment(folder / "floats.ome.zarr", folder, "--precision", best_precision())
    import tifffile

    pixels = tifffile.imread(folder / "slide.tif")
    table = lookup_table(histogram(pixels))
    if name == "paper":
        started = perf_counter()
        labels = paper(pixels, checkpoint, table)
        taken = perf_counter() - started
        np.save(folder / "paper.npy", labels)
        return {"seconds": taken, "ceiling": ceiling("float32")}
    taken = bare(pixels, checkpoint, table, cores() if "process" in name else 1)  # first, as threads do not fork
    return {"seconds": taken, "ceiling": ceiling(best_precision())}


def _segment(store: Path, folder: Path, *flags: str) -> dict[str, Any]:
    shutil.rmtree(store, ignore_errors=True)
    shutil.copytree(folder / "converted.ome.zarr", store)
    subprocess.run([sys.executable, "-m", "axonflow", "segment", str(store), *flags], check=True, stdout=sys.stderr)
    stages = json.loads((store / "run.json").read_text())["stages"]
    parts = {name: stage["seconds"] for name, stage in stages.items() if name.split(".")[0] == "segment"}
    return {"seconds": parts["segment"], "all": sum(parts.values()), "parts": parts}


def _make(folder: Path, side: int) -> None:
    """Draw the slide and convert it, unless that was done."""
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / "converted.ome.zarr" / "run.json").exists():
        return
    from axonflow.phantom import Phantom, write

    write(folder / "slide.tif", Phantom((side, side)))
    words = [sys.executable, "-m", "axonflow", "convert", str(folder / "slide.tif")]
    subprocess.run([*words, "--out", str(folder / "converted.ome.zarr")], check=True, stdout=sys.stderr)


def _agreement(folder: Path, side: int) -> dict[str, float]:
    """Compare the labels of a run with the paper's, and with those of float32 in the same windows."""
    import tifffile

    from axonflow.ngff import Pyramid

    pixels, checkpoint = tifffile.imread(folder / "slide.tif"), Checkpoint.find("sem")
    whole = Box.whole((side, side))
    ours = Pyramid.open(folder / "run.ome.zarr" / "labels" / "semantic").read(whole)
    predict = partial(Predictor, checkpoint, _lattice(pixels, checkpoint), device=Processor())
    exact: Precision = "float32"
    part = Box(0, 0, min(side, 2048), min(side, 2048))
    same = predict(exact).predict(pixels, whole, part, lookup_table(histogram(pixels)))[0]
    return {
        "paper": float((ours == np.load(folder / "paper.npy")).mean()),
        "float32": float((ours[part.slices] == same).mean()),
    }


def main() -> None:
    """Measure all sides in turn, or one of them in this process."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="for the slide and the stores; used again if it is there")
    parser.add_argument("--pixels", type=int, default=8192, help="side of the slide")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.side:
        print(json.dumps(_side(given.side, given.folder)))
        return
    _make(given.folder, given.pixels)
    myself = [sys.executable, "-m", "benchmarks.segment", str(given.folder), "--side"]
    samples = interleaved({side: [*myself, side] for side in SIDES}, given.repeats)
    agree = _agreement(given.folder, given.pixels)
    precision, pixels = best_precisions().of(integers=True), given.pixels**2
    cut = _lattice(np.empty((given.pixels, given.pixels), np.uint8), Checkpoint.find("sem"))
    window = cut.window(next(cut.cores(Box.whole(cut.shape))), np.empty(cut.shape, np.uint8), Box.whole(cut.shape))[0]
    work = len(list(cut.cores(Box.whole(cut.shape)))) * window.size * FLOP_PER_PX
    ours, floats = (seconds(samples[side]) for side in ("axonflow", "axonflow, no int8"))
    all_of_it = median(one.said["all"] for one in samples["axonflow"])
    best = min((seconds(samples[side]), side) for side in SIDES if side.startswith("bare"))
    most = median(one.said["ceiling"] for side in SIDES if side.startswith("bare") for one in samples[side])
    gain, share, kept = seconds(samples["paper"]) / all_of_it, work / floats / most, best[0] / ours
    report(
        "segment",
        f"segmenting {given.pixels}² px with the SEM network",
        samples,
        [
            Goal("at least 3 times faster than the paper's way, levels and seams included", gain, gain >= 3, "times"),
            Goal("at least 1.7 times as fast as without whole numbers", floats / ours, floats / ours >= 1.7, "times"),
            Goal("without: at least 70 % of the rate of matrix products", 100 * share, share >= 0.7, "%"),
            Goal("labels equal to those of float32 in 99.9 %", 100 * agree["float32"], agree["float32"] >= 0.999, "%"),
            Goal("at least 95 % of the throughput of the bare network", 100 * kept, kept >= 0.95, "%"),
        ],
        [
            f"Computed in {precision}; {pixels / ours / 1e6:.2f} Mpx/s in the stage `segment`, {all_of_it:.3g} s with "
            "levels and the sample of seams.",
            f"The best bare setting is {best[1].removeprefix('bare: ')}. Matrix products of 4096²: "
            f"{most / 1e9:.0f} GFLOP/s in {best_precision()}, "
            f"{samples['paper'][0].said['ceiling'] / 1e9:.0f} in float32; the windows of the "
            f"lattice are {work / 1e12:.1f} TFLOP.",
            f"Labels equal to the paper's, whose windows are cut elsewhere, in {100 * agree['paper']:.2f} % of the "
            "pixels; to those of float32 in the same windows (of the first 2048² px) as above.",
        ],
    )


if __name__ == "__main__":
    main()
