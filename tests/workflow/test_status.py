"""Whoever can read a store knows how its run gets on, wherever the driver is and however it ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from screens import MAIN, into_file, on_terminal
from slides import command

from axonflow.engine.events import BatchDone, Event, Listener, StageBegun, StageDone, WorkersCounted, ignore
from axonflow.engine.journal import Journal
from axonflow.engine.pool import LocalPool
from axonflow.engine.runner import run_stages
from axonflow.engine.stage import Result, Stage
from axonflow.errors import SlideError, StoreError
from axonflow.kernel.grid import Box, Grid
from axonflow.workflow import heartbeat
from axonflow.workflow import status as module
from axonflow.workflow.heartbeat import Heartbeat
from axonflow.workflow.status import forget_damaged, read_status, stores

PX = 40 * 40


def nothing(box: Box) -> Result:
    return {}


def stage(name: str, after: tuple[Stage, ...] = ()) -> Stage:
    batches = tuple(Grid((40, 40), (8, 8)).batches(2))
    return Stage(name=name, revision=1, parameters={}, after=after, shape=(40, 40), batches=batches, task=nothing)


def stages() -> list[Stage]:
    first = stage("convert")
    second = stage("label.survey", (first,))
    return [first, second, stage("map", (second,))]


@pytest.fixture
def store(tmp_path: Path) -> Path:
    store = tmp_path / "slide.ome.zarr"
    (store / ".axonflow").mkdir(parents=True)
    return store


def watched(store: Path, wanted: list[Stage], on_event: Listener = ignore) -> Heartbeat:
    return Heartbeat(store / ".axonflow", wanted, Journal(store / ".axonflow" / "journal"), on_event)


def run(store: Path, wanted: list[Stage]) -> None:
    with watched(store, wanted) as heart:
        run_stages(wanted, Journal(store / ".axonflow" / "journal"), LocalPool(), heart.note)


PARTS = ("config", "slide", "labels", "model", "stages")
"""Of a record."""


def record(store: Path, *, complete: bool) -> None:
    (store / "run.json").write_text(json.dumps({"complete": complete, **{name: {} for name in PARTS}}))


def submit(store: Path, **more: Any) -> None:
    said = {
        "job": "4711",
        "system": "slurm",
        "at": "2026-11-22T10:00:00+00:00",
        "command": "axonflow run",
        "host": "login",
    }
    (store / ".axonflow" / "submitted.json").write_text(json.dumps(said | more))


def aged(path: Path, seconds: float) -> None:
    """Make a file older than it is."""
    written = path.stat().st_mtime - seconds
    os.utime(path, (written, written))


def left_running(store: Path, **more: Any) -> None:
    """Write what a driver on another host wrote when it was last heard of."""
    status = {"state": "running", "stage": "segment", "done_px": 43, "total_px": 100, "all_done_px": 143}
    status |= {"all_total_px": 1000, "host": "node7", "pid": 1, "updated": "2026-11-22T10:00:00+00:00"}
    (store / ".axonflow" / "status.json").write_text(json.dumps(status | more))


# ---- what the driver writes


def test_a_run_that_ends_is_done(store: Path) -> None:
    run(store, stages())
    status = read_status(store)
    assert status.state == "done"
    assert (status.stage, status.done_px, status.total_px) == ("map", PX, PX)
    assert status.all_done_px == status.all_total_px == 3 * PX
    assert (status.pid, status.error, status.rate_px_s) == (os.getpid(), "", None)
    assert status.started <= status.updated


def test_a_run_up_to_a_stage_says_so(store: Path) -> None:
    record(store, complete=False)
    run(store, stages()[:2])
    assert read_status(store).state == "done"
    assert read_status(store).note.startswith("Up to the stage finding axons")
    record(store, complete=True)
    assert read_status(store).note == ""


def test_while_it_runs_it_says_where_it_is(store: Path) -> None:
    wanted = stages()
    run_stages(wanted[:1], Journal(store / ".axonflow" / "journal"), LocalPool())
    with watched(store, wanted) as heart:
        status = read_status(store)
        assert (status.state, status.stage, status.share) == ("running", "", None)
        assert status.all_share == pytest.approx(1 / 3)  # what an earlier run did counts
        heart.note(WorkersCounted(0, "2 jobs wait (Resources)"))
        heart.note(StageBegun(wanted[1], 600))
        time.sleep(0.001)
        heart.note(BatchDone(200))
        heart.note(WorkersCounted(3, ""))
        heart._write()
        status = read_status(store)
        assert (status.stage, status.done_px, status.total_px) == ("label survey", 800, PX)
        assert (status.all_done_px, status.all_total_px) == (PX + 800, 3 * PX)
        assert (status.workers, status.note) == (3, "")
        assert status.rate_px_s
        assert status.remaining_s == pytest.approx(800 / status.rate_px_s, rel=0.5)


@pytest.mark.parametrize(
    ("error", "state", "said"),
    [
        (SlideError("It was expected to be whole."), "failed", "It was expected to be whole."),
        (ZeroDivisionError("by zero"), "failed", "ZeroDivisionError: by zero"),
        (KeyboardInterrupt(), "stopped", "It was interrupted."),
    ],
    ids=["ours", "another's", "interrupt"],
)
def test_how_it_ended_is_noted(store: Path, error: BaseException, state: str, said: str) -> None:
    heart = watched(store, stages())
    with suppress(type(error)), heart:
        heart.note(StageBegun(stages()[0], 0))
        heart.note(BatchDone(100))
        raise error
    status = read_status(store)
    assert (status.state, status.error) == (state, said)
    assert (status.done_px, status.remaining_s) == (100, None)
    assert not heart._thread.is_alive()


def test_all_is_passed_on(store: Path) -> None:
    heard: list[Event] = []
    second = stages()[1]
    events: list[Event] = [StageBegun(second, 7), BatchDone(5), WorkersCounted(2, "x"), StageDone(second, {"a": 1})]
    with watched(store, stages(), heard.append) as heart:
        for event in events:
            heart.note(event)
    assert heard == events


@pytest.mark.parametrize(
    ("environment", "job"),
    [
        ({"SLURM_JOB_ID": "12"}, "slurm 12"),
        ({"PBS_JOBID": "12.host"}, "pbs 12.host"),
        ({"LSB_JOBID": "12"}, "lsf 12"),
        ({"JOB_ID": "12", "SGE_TASK_ID": "undefined"}, "sge 12"),
        ({"JOB_ID": "12"}, ""),
    ],
)
def test_the_job_is_noted(store: Path, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], job: str) -> None:
    for name in ("SLURM_JOB_ID", "PBS_JOBID", "LSB_JOBID", "JOB_ID", "SGE_TASK_ID"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    run(store, stages())
    assert read_status(store).job == job


def test_it_beats_although_nothing_ends_and_is_always_whole(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeat, "CHANGED_S", 0.001)
    monkeypatch.setattr(heartbeat, "BEAT_S", 0.001)
    path = store / ".axonflow" / "status.json"
    with watched(store, stages()):
        written: set[int] = set()
        limit = time.monotonic() + 60
        while len(written) < 20:
            assert time.monotonic() < limit, "no beat"
            written.add(path.stat().st_ino)
            assert json.loads(path.read_text())["state"] == "running"


def test_many_batches_are_few_writings(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[bytes] = []
    monkeypatch.setattr(heartbeat, "write_file", lambda _path, content, **_: written.append(content))
    with watched(store, stages()) as heart:
        heart.note(StageBegun(stages()[0], 0))
        for _ in range(PX):
            heart.note(BatchDone(1))
    assert 2 <= len(written) <= 4  # the first and the last, and one each two seconds on a busy machine
    assert json.loads(written[-1])["done_px"] == PX


def test_a_full_disk_is_not_the_heartbeats_business(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, content: bytes, *, durable: bool) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(heartbeat, "write_file", full)
    run(store, stages())
    assert not (store / ".axonflow" / "status.json").exists()


# ---- a driver that is killed

DRIVER = """
import signal, sys, time
from pathlib import Path
from axonflow.workflow import heartbeat
from axonflow.engine.journal import Journal
from axonflow.engine.pool import LocalPool
from axonflow.engine.runner import run_stages
from axonflow.engine.stage import Stage
from axonflow.kernel.grid import Grid

signal.signal(signal.SIGINT, signal.default_int_handler)  # what a shell starts in the background hears none
heartbeat.CHANGED_S = 0.05
private = Path(sys.argv[1]) / ".axonflow"

def work(box):
    if box.y0 >= 16:
        time.sleep(600)
    return {}

batches = tuple(Grid((40, 40), (8, 8)).batches(2))
stages = [Stage("segment", 1, {}, (), (40, 40), batches, work)]
journal = Journal(private / "journal")
with heartbeat.Heartbeat(private, stages, journal) as alive:
    run_stages(stages, journal, LocalPool(), alive.note)
"""


@contextmanager
def driven(store: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Have a driver of its own process run until it hangs in its third row."""
    process = subprocess.Popen([sys.executable, "-c", DRIVER, str(store)])
    try:
        limit = time.monotonic() + 60
        while not (store / ".axonflow" / "status.json").exists() or read_status(store).done_px < 2 * 8 * 40:
            assert process.poll() is None
            assert time.monotonic() < limit, "no progress"
            time.sleep(0.02)
        yield process
    finally:
        process.kill()
        process.wait()


def test_a_killed_run_has_stopped(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with driven(store) as process:
        assert read_status(store).state == "running"
        process.send_signal(signal.SIGKILL)
        process.wait()
        here = read_status(store)
    assert (here.state, here.done_px) == ("stopped", 2 * 8 * 40)
    assert here.error.startswith(f"Its process {process.pid} on ")
    monkeypatch.setattr("platform.node", lambda: "elsewhere")  # seen from there, it takes until the file is old
    assert read_status(store).state == "running"
    aged(store / ".axonflow" / "status.json", 150)
    there = read_status(store)
    assert there.state == "stopped"
    assert there.error.startswith(f"Nothing was heard of its process {process.pid} on ")
    assert there.error.endswith("for 2 min.") or there.error.endswith("for 3 min.")
    assert "same command again" in command("status", store).out


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_ended_has_stopped(store: Path, number: signal.Signals) -> None:
    with driven(store) as process:
        process.send_signal(number)
        process.wait(60)
    assert read_status(store).state == "stopped"


# ---- the states, and clocks


@pytest.mark.parametrize("ahead_s", [-86400, -120, 120, 86400])
def test_clocks_that_differ_do_not_matter(store: Path, ahead_s: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither what the driver says of the time nor this machine's clock counts: both may be wrong."""
    now = time.time()
    left_running(store, updated=heartbeat._now()[:11] + "00:00:00+00:00", started="1999-01-01T00:00:00+00:00")
    monkeypatch.setattr("time.time", lambda: now + ahead_s)
    assert read_status(store).state == "running"
    aged(store / ".axonflow" / "status.json", 61)
    assert read_status(store).state == "stopped"


def test_a_file_system_with_a_clock_of_its_own(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a server that is an hour behind, everything is an hour old."""
    left_running(store)
    aged(store / ".axonflow" / "status.json", 3600)
    assert read_status(store).state == "stopped"
    theirs = module._now
    monkeypatch.setattr(module, "_now", lambda folder: theirs(folder) - 3600)
    assert read_status(store).state == "running"


def test_a_store_that_may_only_be_read_is_judged_by_our_clock(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(dir: Path) -> None:  # noqa: A002  # tempfile's word
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(module, "TemporaryFile", refused)
    left_running(store)
    assert read_status(store).state == "running"
    aged(store / ".axonflow" / "status.json", 61)
    assert read_status(store).state == "stopped"


def test_looking_leaves_nothing_behind(store: Path) -> None:
    left_running(store)
    before = sorted(store.rglob("*"))
    read_status(store)
    assert sorted(store.rglob("*")) == before


def test_what_was_submitted_is_queued_until_it_begins(store: Path) -> None:
    submit(store, log=str(store.parent / "slurm.log"))
    assert (read_status(store).state, read_status(store).job, read_status(store).note) == ("queued", "slurm 4711", "")
    aged(store / ".axonflow" / "submitted.json", 1)
    left_running(store)
    assert read_status(store).state == "running"
    submit(store)  # again, after the first one stopped
    os.utime(store / ".axonflow" / "submitted.json", (time.time() + 1,) * 2)
    assert read_status(store).state == "queued"


def test_a_job_that_was_refused_before_it_began_has_failed(store: Path) -> None:
    log = store.parent / "slurm.log"
    submit(store, log=str(log))
    log.write_text("loading modules\n\n")
    assert read_status(store).state == "queued"
    assert "'loading modules'" in read_status(store).note
    log.write_text("loading modules\naxonflow: The pixel size was expected; give it.\nslurmstepd: done\n")
    assert read_status(store).state == "failed"
    assert read_status(store).error == "The pixel size was expected; give it."


def test_a_complete_record_says_more_than_an_old_status(store: Path) -> None:
    left_running(store, state="failed", error="No.")
    assert (read_status(store).state, read_status(store).error) == ("failed", "No.")
    record(store, complete=True)  # by a run that found nothing to do
    assert (read_status(store).state, read_status(store).error) == ("done", "")


@pytest.mark.parametrize(("complete", "state"), [(True, "done"), (False, "stopped")])
def test_a_store_without_a_status_is_judged_by_its_record(store: Path, complete: bool, state: str) -> None:
    record(store, complete=complete)
    assert read_status(store).state == state


def test_a_status_of_another_version_is_read(store: Path) -> None:
    left_running(store, tomorrow=1)
    assert read_status(store).stage == "segment"


def test_damage_is_said(store: Path) -> None:
    (store / ".axonflow" / "status.json").write_text("{")
    with pytest.raises(StoreError, match=r"status\.json.*damaged"):
        read_status(store)


# ---- the command


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A store in each state, one of them in a folder, and things that are no stores."""
    states: dict[str, dict[str, Any]] = {
        "a-running": {"rate_px_s": 1.44e6, "remaining_s": 754.0, "workers": 4, "note": "2 jobs wait (Resources)"},
        "batch/b-failed": {"state": "failed", "error": "The stage 'segment' was expected to end, but it did not."},
        "c-done": {"state": "done", "stage": "map"},
        "d-stopped": {"job": "slurm 12"},
    }
    for name, more in states.items():
        store = tmp_path / f"{name}.ome.zarr"
        (store / ".axonflow").mkdir(parents=True)
        left_running(store, **more)
    record(tmp_path / "c-done.ome.zarr", complete=True)
    aged(tmp_path / "d-stopped.ome.zarr" / ".axonflow" / "status.json", 3600)
    (tmp_path / "e-queued.ome.zarr" / ".axonflow").mkdir(parents=True)
    submit(tmp_path / "e-queued.ome.zarr")
    (tmp_path / "another.zarr" / "inner" / ".axonflow").mkdir(parents=True)
    (tmp_path / "another.zarr" / "inner" / "run.json").write_text("{}")
    (tmp_path / "refused.ome.zarr" / ".axonflow").mkdir(parents=True)
    (tmp_path / "slide.tif").write_bytes(b"")
    (tmp_path / "loop").symlink_to(tmp_path)
    return tmp_path


def test_stores_are_found_in_folders(folder: Path) -> None:
    names = [str(store.relative_to(folder)).partition(".")[0] for store in stores(folder)]
    assert names == ["a-running", "batch/b-failed", "c-done", "d-stopped", "e-queued"]


def test_a_damaged_status_hides_no_other_store_and_is_made_anew(folder: Path) -> None:
    (damaged, *_) = sorted(folder.rglob("status.json"))
    damaged.write_bytes(b"{")
    ran = command("status", folder)
    assert ran.code == 0
    assert "unreadable" in ran.out
    assert "damaged" in ran.out
    forget_damaged(damaged.parents[1])
    assert not damaged.exists()
    assert "unreadable" not in command("status", folder).out


def test_a_batchs_folder_is_one_with_stores(folder: Path) -> None:
    (folder / ".axonflow").mkdir()
    assert command("status", folder).code == 0


@pytest.mark.parametrize("columns", [60, 140])
def test_a_folder_is_a_table_that_fits(folder: Path, columns: int) -> None:
    shown = on_terminal(columns, MAIN, "status", folder)
    table = shown[: next(i for i, line in enumerate(shown) if line.startswith("a-running:"))]
    assert [line.split()[:2] for line in table[1:]] == [
        ["a-running", "running"],
        ["batch/b-failed", "failed"],
        ["c-done", "done"],
        ["d-stopped", "stopped"],
        ["e-queued", "queued"],
    ]
    assert " ".join(table[1].split()).startswith("a-running running axons and myelin 43 % 14 %")
    assert "13 min" in table[1]
    assert ("1.4 Mpx/s" in table[1]) is ("node7" in table[1]) is (columns == 140)
    said = " ".join(shown)
    assert "batch/b-failed: The stage 'segment' was expected to end, but it did not." in said
    assert "d-stopped: Nothing was heard of its process 1 on node7 for 1 h." in said
    assert shown[-1] == "1 queued, 1 running, 1 stopped, 1 failed, 1 done"


def test_several_stores_and_folders_are_one_table(folder: Path) -> None:
    ran = command("status", folder / "c-done.ome.zarr", folder / "batch", folder / "e-queued.ome.zarr")
    assert ran.code == 0
    rows = [line.split()[:2] for line in ran.out.splitlines()]
    assert rows[1:4] == [["c-done", "done"], ["batch/b-failed", "failed"], ["e-queued", "queued"]]
    assert ran.out.splitlines()[-1] == "1 queued, 1 failed, 1 done"
    refused = command("status", folder / "c-done.ome.zarr", folder / "nowhere")
    assert refused.code == 2
    assert f"expected at {folder / 'nowhere'}, none is there" in refused.err


@pytest.mark.parametrize("columns", [60, 140])
def test_a_store_is_rows(folder: Path, columns: int) -> None:
    shown = on_terminal(columns, MAIN, "status", folder / "a-running.ome.zarr")
    rows = dict(line.split(maxsplit=1) for line in shown if not line.startswith(" "))
    assert rows["state"] == "running"
    assert rows["stage"] == "axons and myelin, 43 %"
    assert rows["run"] == "14 % of the pixels of all stages"
    assert rows["rate"] == "1.4 Mpx/s"
    assert rows["left"] == "13 min of this stage"
    assert rows["workers"] == "4"
    assert rows["note"] == "2 jobs wait (Resources)"
    assert rows["driver"] == "process 1 on node7"


def test_into_a_file_go_plain_lines(folder: Path) -> None:
    text = into_file(folder / "out", MAIN, "status", folder / "batch" / "b-failed.ome.zarr", COLUMNS="60")
    assert text.isprintable() is False
    assert all(line.isprintable() for line in text.splitlines())
    assert "error    The stage 'segment' was expected to end, but it did not.\n" in text
    assert "next     the same command again; it continues\n" in text


@pytest.mark.parametrize("name", ["nowhere", "empty", "another.zarr", "refused.ome.zarr"])
def test_where_nothing_was_begun_it_is_said(folder: Path, name: str) -> None:
    (folder / "empty").mkdir()
    ran = command("status", folder / name)
    assert ran.code == 2
    assert "A store, or a folder with stores, was expected" in ran.err
