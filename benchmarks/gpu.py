"""How near the network comes to what a GPU can do, and the segment stage to the network.

Run as ``python -m benchmarks.gpu``. Everything is measured in one run, on the GPU of this process: what the card copies
and multiplies at best, the bare network by precision, batch and way of launching it, a chunk through the predictor, and
the whole segment stage with reading, decoding and writing. The candidates of a question take turns; medians and ranges
are printed, and written as JSON.
"""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from axonflow.engine.fleet import open_pool
from axonflow.engine.profile import Profile
from axonflow.kernel.grid import Box
from axonflow.net.batches import MOST
from axonflow.net.checkpoint import Checkpoint, Precision
from axonflow.net.device import Gpu, device_name, first_line, gpus, works
from axonflow.net.lattice import Lattice
from axonflow.net.loaded import load_network
from axonflow.net.normalise import histogram, lookup_table
from axonflow.net.precision import best_precision
from axonflow.net.predict import Predictor
from axonflow.phantom import Phantom, write
from axonflow.workflow.config import Config
from axonflow.workflow.job import prepare, run_job
from axonflow.workflow.record import read_record

PRECISIONS: tuple[Precision, ...] = ("float16", "bfloat16", "float32")
BATCHES = (1, 2, 4, 8, 16, 32)
CHUNK_PX, SLIDE_PX = 4096, 24576
LONG_ENOUGH_S = 0.1

Work = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Rate:
    """One line of a table: a rate's median and range over the repeats, and its share of what it is held against."""

    what: str
    unit: str
    median: float
    low: float
    high: float
    share: float | None = None

    def __str__(self) -> str:
        share = "" if self.share is None else f"{self.share:8.1%}"
        return f"  {self.what:40s}{self.median:10.1f} {self.unit:8s} {self.low:10.1f} to {self.high:<10.1f}{share}"


@dataclass(frozen=True, slots=True)
class Candidate:
    """Work to be timed: how much of the unit it does, and how much of that a second is the limit."""

    what: str
    work: Work
    amount: float
    unit: str
    limit: float | None = None


def seconds(work: Work) -> float:
    """Time a piece of work on the device, repeated until the clock's and the launch's share is small."""
    torch.cuda.synchronize()
    started, times = time.perf_counter(), 0
    while times == 0 or time.perf_counter() - started < LONG_ENOUGH_S:
        work()
        times += 1
        torch.cuda.synchronize()
    return (time.perf_counter() - started) / times


def in_turns(candidates: Iterable[Candidate], repeats: int) -> list[Rate]:
    """Time candidates in turns, after each has run once; those that fail are named and left out."""
    able = []
    for candidate in candidates:
        try:
            seconds(candidate.work)
            able.append(candidate)
        except RuntimeError as error:  # what does not fit or cannot be compiled is no reason to measure nothing
            print(f"  {candidate.what:40s} failed: {first_line(error)}")
    turns = [[seconds(candidate.work) for candidate in able] for _ in range(repeats)]
    rates = []
    for candidate, times in zip(able, zip(*turns, strict=True), strict=True):
        median = candidate.amount / statistics.median(times)
        low, high = candidate.amount / max(times), candidate.amount / min(times)
        share = median / candidate.limit if candidate.limit else None
        rates.append(Rate(candidate.what, candidate.unit, median, low, high, share))
    return rates


def ceilings() -> Iterator[Candidate]:
    """Offer what the card copies and multiplies at best."""
    here = torch.empty(2**28, dtype=torch.uint8, pin_memory=True)
    there, other = (torch.empty(2**30, dtype=torch.uint8, device="cuda") for _ in range(2))
    yield Candidate("copy on the card, read and written", lambda: other.copy_(there), 2 * len(there) / 1e9, "GB/s")
    part = there[: len(here)]
    yield Candidate("copy to the card", lambda: part.copy_(here, non_blocking=True), len(here) / 1e9, "GB/s")
    yield Candidate("copy from the card", lambda: here.copy_(part, non_blocking=True), len(here) / 1e9, "GB/s")
    for precision in PRECISIONS:
        left, right = (torch.randn(8192, 8192, device="cuda", dtype=getattr(torch, precision)) for _ in range(2))

        def multiply(left: Tensor = left, right: Tensor = right) -> Tensor:
            return left @ right

        yield Candidate(f"matrix product {precision}", multiply, 2 * 8192**3 / 1e12, "TFLOP/s")


def networks(checkpoint: Checkpoint, products: dict[str, float]) -> Iterator[Candidate]:
    """Offer the bare network on windows of the lattice; its rate counts the pixels of their cores alone."""
    lattice = Lattice((4 * checkpoint.lattice_px,) * 2, checkpoint.lattice_px, checkpoint.halo_px, 16)
    core = Box(lattice.core, lattice.core, 2 * lattice.core, 2 * lattice.core)
    window, _ = lattice.window(core, np.zeros(lattice.shape, np.uint8), Box.whole(lattice.shape))
    for precision in PRECISIONS:
        loaded = load_network(checkpoint, precision, Gpu())
        net = nn.Sequential(loaded.features, loaded.head)
        for count in BATCHES:
            shape = (count, 1, *window.shape)
            image = torch.randn(shape, device="cuda", dtype=loaded.dtype).to(memory_format=torch.channels_last)
            amount, limit = count * core.size / 1e6, _limit(net, image[:1], core, products.get(precision))
            yield Candidate(f"{precision} {count:2d}", _no_grad(net, image), amount, "Mpx/s", limit)
            if precision == best_precision() and count in {1, MOST}:
                what = f"{precision} {count:2d}"
                yield Candidate(f"{what} convolutions", _no_grad(loaded.features, image), amount, "Mpx/s", limit)
                yield Candidate(f"{what} CUDA graph", _Graph(net, image), amount, "Mpx/s", limit)
            if precision == best_precision() and count == MOST:  # compiling takes a minute
                compiled = torch.compile(net)
                yield Candidate(f"{what} compiled", _no_grad(compiled, image), amount, "Mpx/s", limit)


def _limit(net: nn.Module, image: Tensor, core: Box, product: float | None) -> float | None:
    """Return the Mpx/s at which the network would multiply as fast as the card multiplies matrices."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        net(image)
    return product and product * 1e12 / counter.get_total_flops() * core.size / 1e6


def _no_grad(net: Callable[[Tensor], Tensor], image: Tensor) -> Work:
    def work() -> None:
        with torch.no_grad():
            net(image)

    return work


class _Graph:
    """A network whose launches are recorded when it first runs, and then played as one."""

    def __init__(self, net: nn.Module, image: Tensor) -> None:
        self.work = _no_grad(net, image)
        self.graph: torch.cuda.CUDAGraph | None = None

    def __call__(self) -> None:
        if self.graph is None:
            self.work()  # workspaces cannot be asked for while recording
            torch.cuda.synchronize()
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                self.work()
            self.graph = graph
        self.graph.replay()


def chunk(checkpoint: Checkpoint, pixels: np.ndarray[Any, np.dtype[np.uint8]], limit: float) -> Iterator[Candidate]:
    """Offer a chunk through the predictor: windows cut, copied, computed, and their planes copied back."""
    whole, table = Box.whole((CHUNK_PX, CHUNK_PX)), lookup_table(histogram(pixels))
    predictor = Predictor(
        checkpoint, Lattice(whole.shape, checkpoint.lattice_px, checkpoint.halo_px, 16), best_precision()
    )
    out = np.empty((2, *whole.shape), np.uint8)
    what = f"chunk of {CHUNK_PX}², {predictor.precision}"
    yield Candidate(what, lambda: predictor.predict(pixels, whole, whole, table, out), whole.size / 1e6, "Mpx/s", limit)


def stage(model: str, limit: float, repeats: int, drawn: Path | None) -> tuple[list[Rate], dict[str, float]]:
    """Run the segment stage as ``--cluster local-gpu`` does; return its rate, and the share of time of each worker."""
    rates, busy = [], {}
    with TemporaryDirectory() as folder:
        slide, small = drawn or Path(folder) / "slide.tif", Path(folder) / "small.tif"
        if drawn is None:
            write(slide, Phantom((SLIDE_PX, SLIDE_PX)))
        write(small, Phantom((CHUNK_PX, CHUNK_PX)))
        private = Path(folder) / "private"
        private.mkdir(mode=0o700)
        with open_pool(profile := Profile.find("local-gpu"), private) as pool:
            for i, path in enumerate([small] + [slide] * repeats):  # on the small one workers load what they need
                job = prepare(Config(path, Path(folder) / f"{i}.ome.zarr", model=model, chunk=CHUNK_PX))
                run_job(job, profile, pool=pool, until="segment")
                made = read_record(job.config.out)["stages"]["segment"]
                rates.append(made["pixels"] / made["seconds"] / 1e6)
                busy = made["busy"]
    median = statistics.median(rates[1:])
    what = f"segment stage, {slide.name}, {gpus()} GPU"
    return [Rate(what, "Mpx/s", median, min(rates[1:]), max(rates[1:]), median / limit / gpus())], busy


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n", 1)[0])
    parser.add_argument("--json", type=Path, default=Path("gpu.json"), help="where the figures are written")
    parser.add_argument("--model", default="sem")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--slide", type=Path, help=f"of the stage; a phantom of {SLIDE_PX}² px is drawn if left out")
    given = parser.parse_args()
    if not torch.cuda.is_available():
        print(f"There is no GPU to be measured: torch {torch.__version__} sees none.")
        return
    if wrong := works():
        raise SystemExit(f"The GPU was expected to compute as the processor does: {wrong}")
    checkpoint, tables = Checkpoint.find(given.model), {}

    def table(title: str, rates: list[Rate]) -> list[Rate]:
        print(title, *rates, sep="\n", flush=True)
        tables[title] = [asdict(rate) for rate in rates]
        gc.collect()
        torch.cuda.empty_cache()
        return rates

    print(f"{device_name()}, torch {torch.__version__}, model {checkpoint.name}")
    limits = table("The card", in_turns(ceilings(), given.repeats))
    products = {rate.what.split()[-1]: rate.median for rate in limits if rate.unit == "TFLOP/s"}
    bare = table("Bare network, share of the matrix product", in_turns(networks(checkpoint, products), given.repeats))
    plain = [rate for rate in bare if rate.what.split()[:-1] == [best_precision()]]
    best = max(rate.median for rate in plain)
    image = Phantom((CHUNK_PX, CHUNK_PX)).image(Box.whole((CHUNK_PX, CHUNK_PX)))
    table("Predictor, share of the bare network", in_turns(chunk(checkpoint, image, best), given.repeats))
    rates, busy = stage(given.model, best, max(given.repeats // 2, 1), given.slide)
    table("Stage, share of the bare network", rates)
    print("  busy:", ", ".join(f"{worker} {share:.0%}" for worker, share in busy.items()))
    made_on = {"device": device_name(), "torch": torch.__version__, "model": checkpoint.name, "busy": busy}
    given.json.write_text(json.dumps(made_on | {"tables": tables}, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
