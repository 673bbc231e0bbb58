"""Workers break, die and lose their accelerator; what comes out is the same, or one message says why nothing does."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from distributed import get_worker
from numpy.typing import NDArray

from axonflow.engine.census import Census
from axonflow.engine.fleet import open_pool, processes
from axonflow.engine.graph import build
from axonflow.engine.journal import Journal
from axonflow.engine.pool import Pool, WorkersPool
from axonflow.engine.profile import Profile
from axonflow.engine.runner import run_stages
from axonflow.engine.stage import Overlap, Result, Stage
from axonflow.errors import DeviceError, FleetError, RunError
from axonflow.kernel.grid import Box, Grid

SHAPE, CORE, HALO = (48, 64), 8, 2
FLEET = Profile.find("local-gpu").but(workers=2, beside=1, cores=2, memory=1.0)


def claim(path: Path) -> bool:
    """Whether we are the first to ask."""
    with suppress(FileExistsError):
        path.touch(exist_ok=False)
        return True
    return False


def blur(folder: Path, pixels: NDArray[Any], box: Box) -> NDArray[Any]:
    """Sum up neighbours, and note who did so when; a file in the folder asks for a fault."""
    worker = get_worker()
    if (folder / "kills").exists() or ((folder / "kills-once").exists() and claim(folder / "killed")):
        os.kill(os.getpid(), signal.SIGKILL)
    if (folder / "breaks").exists() or ((folder / "breaks-one").exists() and claim(folder / "broken")):
        (folder / "broken").write_text(str(worker.name))
    if str(worker.name) == (folder / "broken").read_text() if (folder / "broken").exists() else False:
        raise DeviceError("it is broken")
    begun = time.time()
    time.sleep(0.02)
    window = box.grow(HALO, SHAPE)
    wide = np.pad(pixels.astype(np.int64), HALO)
    y, x = box.y0 - window.y0 + HALO, box.x0 - window.x0 + HALO
    moves = range(-HALO, HALO + 1)
    out = sum(wide[y + i : y + i + box.shape[0], x + j : x + j + box.shape[1]] for i in moves for j in moves)
    gpus = worker.state.total_resources.get("GPU", 0)
    line = {"who": str(worker.name), "gpus": gpus, "begun": begun, "ended": time.time()}
    with (folder / f"{os.getpid()}.jsonl").open("a") as log:
        log.write(json.dumps(line) + "\n")
    return np.asarray(out)[None]


def keep(folder: Path, planes: NDArray[Any], box: Box) -> Result:
    """Write a core."""
    out = np.load(folder / "out.npy", mmap_mode="r+")
    out[box.slices] = planes[0]
    out.flush()
    return {"sum": planes.sum()}


def create(folder: Path) -> None:
    """Create what is written to."""
    np.save(folder / "out.npy", np.zeros(SHAPE, np.int64))


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    """A stage that wants an accelerator."""
    np.save(tmp_path / "in.npy", np.arange(SHAPE[0] * SHAPE[1]).reshape(SHAPE))
    return Stage(
        name="blur",
        revision=1,
        parameters={},
        after=(),
        shape=SHAPE,
        batches=tuple(Grid(SHAPE, (CORE, CORE)).batches(2)),
        task=partial(keep, tmp_path),
        prepare=partial(create, tmp_path),
        overlap=Overlap(partial(np.load, tmp_path / "in.npy"), HALO, 1, "int64", partial(blur, tmp_path)),
        memory=2**20,
        accelerated=True,
    )


def run(stage: Stage, folder: Path, pool: Pool) -> list[dict[str, Any]]:
    """Run the stage, check what it wrote, and return what was noted of each application."""
    run_stages([stage], Journal(folder / "journal"), pool)
    wide = np.pad(np.load(folder / "in.npy"), HALO)
    expected = np.lib.stride_tricks.sliding_window_view(wide, (2 * HALO + 1,) * 2).sum(axis=(2, 3))
    np.testing.assert_array_equal(np.load(folder / "out.npy"), expected)
    return [json.loads(line) for path in folder.glob("*.jsonl") for line in path.read_text().splitlines()]


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[WorkersPool]:
    """Two workers that declare a GPU, and one that does not."""
    with open_pool(FLEET, tmp_path / "private") as pool:
        assert isinstance(pool, WorkersPool)
        yield pool


def await_workers(fleet: WorkersPool, count: int) -> Census:
    """Wait until there are so many."""
    until = time.monotonic() + 100
    while len((census := Census.take(fleet.client)).names) != count and time.monotonic() < until:
        time.sleep(0.2)
    assert len(census.names) == count
    return census


def visible() -> str:
    """Return the GPUs that this process sees."""
    return os.environ["CUDA_VISIBLE_DEVICES"]


@pytest.mark.parametrize(("workers", "gpus"), [(None, 2), (1, 1), (3, 2)])
def test_every_gpu_goes_to_one_process(
    workers: int | None, gpus: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Workers beyond the number of GPUs have none, and are given nothing that wants one."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "7,GPU-a1b2")
    profile = Profile.find("local-gpu").but(workers=workers, beside=1, cores=2, memory=1.0)
    with open_pool(profile, tmp_path / "private") as pool:
        assert isinstance(pool, WorkersPool)
        assert pool.gpu
        count = (workers or 2) + 1
        await_workers(pool, count)
        seen = pool.client.run(visible)
        declared = {
            address: worker["resources"].get("GPU", 0)
            for address, worker in pool.client.scheduler_info(n_workers=-1)["workers"].items()
        }
    assert sorted(seen.values()) == sorted([*["7", "GPU-a1b2"][:gpus], *[""] * (count - gpus)])
    assert {address for address, card in seen.items() if card} == {a for a, card in declared.items() if card == 1}


@pytest.mark.parametrize(
    ("cores", "gib", "asked", "expected"),
    [(16, 128, None, 12), (16, 32, None, 4), (8, 128, None, 6), (4, 128, None, 0), (16, 128, 0, 0), (4, 8, 3, 3)],
)
def test_beside_a_gpu_there_are_workers_without(
    cores: int, gib: int, asked: int | None, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "cpus", lambda: cores)
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(total=gib * 2**30))
    assert processes.beside(Profile.find("local-gpu").but(beside=asked)) == expected
    assert processes.beside(Profile.find("local")) == 0


def test_only_what_applies_is_annotated(stage: Stage) -> None:
    for gpu in (True, False):
        graph = build(stage, stage.batches[0], gpu=gpu)
        layers = graph[0].__dask_graph__().layers
        wants = [name for name, layer in layers.items() if layer.annotations]
        assert len(wants) == gpu
        assert all(layers[name].annotations == {"resources": {"GPU": 0.5}} for name in wants)
        assert all("blur" in name or "apply" in name for name in wants)


def test_accelerated_work_is_done_on_gpus_alone_two_at_a_time(stage: Stage, tmp_path: Path, fleet: WorkersPool) -> None:
    assert fleet.client.scheduler.address.startswith("tls://")
    await_workers(fleet, 3)
    lines = run(stage, tmp_path, fleet)
    assert len(lines) == sum(map(len, stage.batches))
    assert {line["gpus"] for line in lines} == {1}
    assert len({line["who"] for line in lines}) == 2
    for who in {line["who"] for line in lines}:
        spans = [(line["begun"], line["ended"]) for line in lines if line["who"] == who]
        assert all(sum(begun <= now < ended for begun, ended in spans) <= 2 for now, _ in spans)


def rehearse(folder: Path) -> None:
    """Note who makes ready, and fail."""
    (folder / f"{os.getpid()}.ready").touch()
    raise ValueError("there is nothing to load")


def test_a_worker_with_a_gpu_makes_ready_for_all(stage: Stage, tmp_path: Path, fleet: WorkersPool) -> None:
    await_workers(fleet, 3)
    run(replace(stage, rehearse=partial(rehearse, tmp_path)), tmp_path, fleet)
    (ready,) = tmp_path.glob("*.ready")
    known = fleet.client.scheduler_info(n_workers=-1)["workers"]
    with_gpu = [address for address, worker in known.items() if worker["resources"].get("GPU")]
    assert int(ready.stem) in fleet.client.run(os.getpid, workers=with_gpu).values()


def test_a_broken_gpu_retires_its_worker(stage: Stage, tmp_path: Path, fleet: WorkersPool) -> None:
    await_workers(fleet, 3)
    (tmp_path / "breaks-one").touch()
    lines = run(stage, tmp_path, fleet)
    assert (tmp_path / "broken").read_text() not in {line["who"] for line in lines}
    assert {line["gpus"] for line in lines} == {1}
    assert await_workers(fleet, 2).gpus == 1
    events = {event for _, event in fleet.client.get_events("axonflow-device")}  # of each task it had by then
    assert len(events) == 1
    assert "it is broken" in events.pop()


def test_no_gpu_left_is_said(stage: Stage, tmp_path: Path, fleet: WorkersPool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "GRACE_S", 1.0)
    (tmp_path / "breaks").touch()
    with pytest.raises(FleetError, match=r"with a GPU.*same command again"):
        run(stage, tmp_path, fleet)


def test_a_killed_worker_comes_back(
    stage: Stage, tmp_path: Path, fleet: WorkersPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = tmp_path / "slow"  # to start, as on a busy machine
    slow.mkdir()
    (slow / "sitecustomize.py").write_text("import time; time.sleep(7)\n")
    monkeypatch.setenv("PYTHONPATH", str(slow), prepend=os.pathsep)
    await_workers(fleet, 3)
    (tmp_path / "kills-once").touch()
    run(stage, tmp_path, fleet)
    assert (tmp_path / "killed").exists()
    assert await_workers(fleet, 3).gpus == 2


def test_a_task_that_kills_its_worker_is_an_error(stage: Stage, tmp_path: Path, fleet: WorkersPool) -> None:
    (tmp_path / "kills").touch()
    with pytest.raises(RunError, match=r"out of memory.*--chunk.*--memory"):
        run(stage, tmp_path, fleet)
