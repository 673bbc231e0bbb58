"""How much of a fleet's time goes into anything but the tasks, with a network that sleeps.

``python -m benchmarks.scheduling fleet``: four workers that declare a GPU and two that do not; is inference done on
the four alone, one at a time on each, and how busy are they?

``python -m benchmarks.scheduling graph --chunks 100000 --workers 64``: a long run of short tasks; how much of the
workers' time is spent outside of them, and what do scheduler and client take?

Nothing is imaged: chunks are small, and a task reads, sleeps and writes. It is the machinery that is measured.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import dask
import numpy as np
import psutil
from distributed import Client, LocalCluster
from numpy.typing import NDArray

from axonflow.engine.fleet import SETTINGS, open_pool
from axonflow.engine.fleet.processes import Processes
from axonflow.engine.journal import Journal
from axonflow.engine.pool import Pool, WorkersPool
from axonflow.engine.profile import Profile
from axonflow.engine.runner import run_stages
from axonflow.engine.stage import Overlap, Result, Source, Stage
from axonflow.kernel.grid import Box, Grid

SIDE, HALO = 64, 8
"""Of a chunk and of what it sees around it, px."""

EACH = 16
"""Simulated workers in a process."""


class Blank:
    """An image of zeros that holds nothing."""

    dtype = np.dtype("uint8")

    def __init__(self, shape: tuple[int, int], read_s: float) -> None:
        self.shape: tuple[int, ...] = shape
        self.read_s = read_s

    def __getitem__(self, index: tuple[slice, slice]) -> NDArray[Any]:
        """Return zeros, after a while."""
        time.sleep(self.read_s)
        rows, columns = index
        return np.zeros((rows.stop - rows.start, columns.stop - columns.start), np.uint8)


def source(shape: tuple[int, int], read_s: float) -> Source:
    """Open the image."""
    return Blank(shape, read_s)


def network(sleep_s: float, log: Path | None, _pixels: NDArray[Any], box: Box) -> NDArray[Any]:
    """Sleep for as long as a network would take; note who slept when."""
    started = time.time()
    time.sleep(sleep_s)
    if log is not None:
        from distributed import get_worker

        worker = get_worker()
        line = {"worker": str(worker.name), "gpu": "GPU" in worker.state.total_resources, "at": [started, time.time()]}
        with (log / f"{os.getpid()}.jsonl").open("a") as file:
            file.write(json.dumps(line) + "\n")
    return np.zeros((1, *box.shape), np.uint8)


def write(write_s: float, planes: NDArray[Any], box: Box) -> Result:
    """Write nothing, after a while."""
    time.sleep(write_s)
    return {"sum": np.array([planes.sum() + box.y0 * 0])}


def stage(chunks: int, sleep_s: float, io_s: float, log: Path | None) -> Stage:
    """Return a stage like ``segment``, of so many chunks."""
    columns = max(int(chunks**0.5) // 2 * 2, 2)
    shape = (-(-chunks // columns) * SIDE, columns * SIDE)
    return Stage(
        name="sleep",
        revision=1,
        parameters={},
        after=(),
        shape=shape,
        batches=tuple(Grid(shape, (SIDE, SIDE)).batches(2)),
        task=partial(write, io_s),
        overlap=Overlap(partial(source, shape, io_s), HALO, 1, "uint8", partial(network, sleep_s, log)),
        memory=2**20,
        accelerated=True,
    )


def fleet(chunks: int, sleep_s: float) -> dict[str, Any]:
    """Run on four workers with a GPU by name and two without."""
    profile = Profile.find("local-gpu").but(workers=4, beside=2, cores=2, memory=1.0)
    with TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        log.mkdir()
        asleep = stage(chunks, sleep_s, sleep_s / 10, log)
        with open_pool(profile, Path(folder)) as pool:
            run_stages([asleep], Journal(Path(folder) / "journal"), pool)
            summary = Journal(Path(folder) / "journal").record(asleep).summary
        lines = [json.loads(line) for path in log.glob("*.jsonl") for line in path.read_text().splitlines()]
    spans: dict[str, list[list[float]]] = {}
    for line in lines:
        spans.setdefault(line["worker"], []).append(line["at"])
    overlaps = sum(
        late[0] < early[1] for at in spans.values() for early, late in zip(sorted(at), sorted(at)[1:], strict=False)
    )
    begin, end = min(line["at"][0] for line in lines), max(line["at"][1] for line in lines)
    return {
        "chunks": len(lines),
        "sleep_s": sleep_s,
        "on_gpu_workers": sum(line["gpu"] for line in lines) / len(lines),
        "two_at_once": overlaps,
        "busy_by_record": summary["busy"],
        "busy_from_first_to_last": {
            worker: round(sum(b - a for a, b in at) / (end - begin), 3) for worker, at in sorted(spans.items())
        },
        "seconds": summary["seconds"],
    }


class Peak(AbstractContextManager["Peak"]):
    """Watches the memory of this process, which is client and scheduler in one."""

    def __enter__(self) -> Peak:
        self.over, self.most = threading.Event(), 0
        self.thread = threading.Thread(target=self._watch, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.over.set()
        self.thread.join()

    def _watch(self) -> None:
        process = psutil.Process()
        while not self.over.wait(0.5):
            self.most = max(self.most, process.memory_info().rss)


def graph(chunks: int, workers: int, sleep_s: float) -> dict[str, Any]:
    """Run many chunks on workers that share a few processes, as only the machinery is meant."""
    with TemporaryDirectory() as folder, simulated(workers) as pool, Peak() as peak:
        asleep = stage(chunks, sleep_s, 0.0, None)
        run_stages([asleep], Journal(Path(folder) / "journal"), pool)
        summary = Journal(Path(folder) / "journal").record(asleep).summary
        done = sum(len(batch) for batch in asleep.batches)
    inside = done * sleep_s
    return {
        "chunks": done,
        "workers": workers,
        "sleep_s": sleep_s,
        "seconds": summary["seconds"],
        "outside_tasks": round(1 - inside / (workers * summary["seconds"]), 4),
        "scheduler_and_client_peak_bytes": peak.most,
    }


@contextmanager
def simulated(workers: int) -> Iterator[Pool]:
    """Open a pool of workers that share a few processes."""
    with (
        dask.config.set(SETTINGS),
        LocalCluster(n_workers=0, dashboard_address="127.0.0.1:0", host="127.0.0.1", silence_logs=50) as cluster,
        Client(cluster) as client,
        ExitStack() as stack,
    ):
        for first in range(0, workers, EACH):
            words = (cluster.scheduler_address, str(first), str(min(EACH, workers - first)))
            crowd = subprocess.Popen([sys.executable, "-m", "benchmarks.crowd", *words], stderr=subprocess.DEVNULL)
            stack.callback(crowd.wait)
            stack.callback(crowd.kill)
        client.wait_for_workers(workers)
        yield WorkersPool(client, Processes(), gpu=True)


def main() -> None:
    """Measure one question and print it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("question", choices=("fleet", "graph"))
    parser.add_argument("--chunks", type=int)
    parser.add_argument("--workers", type=int, default=64)
    parser.add_argument("--sleep", type=float, default=1.0, help="seconds the network takes for a chunk")
    given = parser.parse_args()
    if given.question == "fleet":
        result = fleet(given.chunks or 200, given.sleep)
    else:
        result = graph(given.chunks or 100_000, given.workers, given.sleep)
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    from benchmarks import scheduling  # noqa: PLW0406  # so workers find its functions by name, as axonflow's

    scheduling.main()
