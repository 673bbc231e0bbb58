"""What the engine relies on in dask and Python without their promising it; a failure names what to look at.

Each test fails when a release changes the one thing that it is about, so that it is found here and not on a cluster.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import dask
import numpy as np
import pytest
from distributed import Client, LocalCluster
from distributed.spans import SpansSchedulerExtension
from numpy.typing import NDArray

from axonflow.engine.fleet import SETTINGS, open_pool
from axonflow.engine.graph import build
from axonflow.engine.journal import Journal
from axonflow.engine.profile import Profile
from axonflow.engine.runner import run_stages
from axonflow.engine.stage import Overlap, Result, Stage
from axonflow.engine.threads import Threads
from axonflow.kernel.grid import Box, Grid

LIMIT_S = 60.0
SHORT = "10ms"


def until(happened: Callable[[], bool]) -> bool:
    """Wait until something has happened; say whether it has."""
    limit = time.monotonic() + LIMIT_S
    while not happened() and time.monotonic() < limit:
        time.sleep(0.02)
    return happened()


@pytest.fixture
def cluster() -> Iterator[LocalCluster]:
    """A cluster of our settings in this process, with no worker."""
    with (
        dask.config.set({**SETTINGS, "distributed.worker.preload": []}),
        LocalCluster(n_workers=0, processes=False, dashboard_address="127.0.0.1:0", silence_logs=50) as opened,
    ):
        yield opened


def same(pixels: NDArray[Any], box: Box) -> NDArray[Any]:
    """Return the core of a window without a halo."""
    assert pixels.shape == box.shape
    return pixels[None]


def nothing(_planes: NDArray[Any], _box: Box) -> Result:
    return {}


def accelerated_stage(folder: Path) -> Stage:
    np.save(folder / "in.npy", np.zeros((8, 16), np.uint8))
    return Stage(
        name="same",
        revision=1,
        parameters={},
        after=(),
        shape=(8, 16),
        batches=tuple(Grid((8, 16), (8, 8)).batches(2)),
        task=nothing,
        overlap=Overlap(partial(np.load, folder / "in.npy"), 0, 1, "uint8", same),
        accelerated=True,
    )


def test_annotations_of_a_layer_reach_the_scheduler(cluster: LocalCluster, tmp_path: Path) -> None:
    stage = accelerated_stage(tmp_path)
    graph = build(stage, stage.batches[0], gpu=True)
    with Client(cluster, set_as_default=False) as client:
        future = client.compute(dask.delayed(list)(graph), optimize_graph=False)
        assert until(lambda: future.key in cluster.scheduler.tasks)
        wanting = [task for task in cluster.scheduler.tasks.values() if task.resource_restrictions]
    assert [task.resource_restrictions for task in wanting] == [{"GPU": 0.5}] * len(stage.batches[0]), (
        "engine/graph.py sets .annotations of a layer of map_overlap, and each box was expected to want a GPU then. "
        "See what dask.highlevelgraph makes of a layer's annotations now; without them a network runs on any worker."
    )


@pytest.mark.parametrize("timeout", [SHORT, SETTINGS["distributed.deploy.lost-worker-timeout"]], ids=["short", "ours"])
def test_a_lost_worker_is_kept_for_as_long_as_the_setting_says(cluster: LocalCluster, timeout: str) -> None:
    look = (
        "distributed.deploy.lost-worker-timeout was expected to say when a cluster forgets a lost worker. See "
        "distributed.deploy.spec._update_worker_status: engine/fleet/__init__.py sets a year, because dask would end "
        "whatever bears a lost worker's name by then, its successor too."
    )
    with dask.config.set({"distributed.deploy.lost-worker-timeout": timeout}):
        cluster.scale(1)
        assert until(lambda: len(cluster.scheduler_info["workers"]) == len(cluster.workers) == 1)
        ((name, worker),) = cluster.workers.items()
        cluster.sync(cluster.scheduler.remove_worker, worker.address, stimulus_id="canary", close=False)
        assert until(lambda: not cluster.scheduler_info["workers"])
        if timeout == SHORT:
            assert until(lambda: cluster.workers.get(name) is not worker), look
        else:
            time.sleep(0.5)
            assert cluster.workers.get(name) is worker, look


def test_a_worker_that_is_taken_out_of_the_cluster_is_started_again(cluster: LocalCluster) -> None:
    cluster.scale(1)
    assert until(lambda: len(cluster.scheduler_info["workers"]) == len(cluster.workers) == 1)
    ((name, before),) = cluster.workers.items()
    cluster.loop.add_callback(cluster.workers.pop, name, None)
    assert until(lambda: name not in cluster.workers)
    cluster.scale(len(cluster.worker_spec))
    assert until(lambda: cluster.workers.get(name) not in {None, before}), (
        "engine/fleet/queued.py takes a job that ended out of SpecCluster.workers and calls scale(), which was "
        "expected to open what is in worker_spec and not in workers. See _correct_state_internal in "
        "distributed.deploy.spec; without it no job follows one that ended."
    )
    cluster.sync(before.close)


def test_a_thread_can_be_interrupted() -> None:
    started = threading.Event()

    def work() -> None:
        started.set()
        until(lambda: False)

    with Threads(1) as threads:
        future = threads.submit(work)
        assert started.wait(LIMIT_S)
    assert isinstance(future.exception(), KeyboardInterrupt), (
        "engine/threads.py raises KeyboardInterrupt in a thread by ctypes.pythonapi.PyThreadState_SetAsyncExc. See "
        "whether this Python still has it; without it ^C waits for whole batches."
    )


def test_a_scheduler_of_ours_keeps_no_spans(cluster: LocalCluster) -> None:
    look = (
        "engine/fleet/spans.py replaces scheduler.extensions['spans'] by a preload. See distributed.spans and "
        "Scheduler._create_taskstate_from_graph; without it what the scheduler keeps grows with the slide."
    )
    extension = cluster.scheduler.extensions["spans"]
    assert type(extension) is not SpansSchedulerExtension, look
    cluster.scale(1)
    with Client(cluster, set_as_default=False) as client:
        assert client.submit(sum, [1, 2]).result() == 3
    assert not extension.spans, look
    assert not extension.root_spans, look
    missing = {"observe_tasks", "heartbeat"} - vars(SpansSchedulerExtension).keys()
    assert not missing, look


def test_a_scheduler_of_others_keeps_what_it_keeps(tmp_path: Path) -> None:
    with (
        LocalCluster(
            n_workers=1,
            processes=False,
            protocol="tcp://",
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",
            silence_logs=50,
        ) as cluster,
        open_pool(Profile.find(cluster.scheduler_address), tmp_path) as pool,
    ):
        extension, settings = cluster.scheduler.extensions["spans"], set(cluster.scheduler.plugins)
        stage = accelerated_stage(tmp_path)
        run_stages([stage], Journal(tmp_path / "journal"), pool)
        assert cluster.scheduler.extensions["spans"] is extension
        assert type(extension) is SpansSchedulerExtension
        assert set(cluster.scheduler.plugins) == settings
        assert extension.spans, "the scheduler was expected to keep spans by itself: then engine/fleet/spans.py can go"
