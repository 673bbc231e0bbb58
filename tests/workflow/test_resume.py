"""A run that was stopped continues to the same bytes; one that was changed redoes what changed and no more."""

from __future__ import annotations

import errno
import fcntl
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from slides import analyse, command, contents, files, picture, tissue, write_labels, write_model, write_slide

import axonflow
from axonflow.errors import PlanError, StoreError
from axonflow.kernel.lock import locked
from axonflow.kernel.units import PixelSize
from axonflow.results import report
from axonflow.results.analysis import Analysis
from axonflow.workflow.config import Config
from axonflow.workflow.record import read_record

CONVERT = ["convert"]
SEGMENT = ["segment"]
LABEL = ["label.survey", "label"]
RULES = ["measure.rules", "measure.regions"]
MEASURE = ["measure", *RULES]
MAP = ["map"]
EVERYTHING = CONVERT + SEGMENT + LABEL + MEASURE + MAP


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Config:
    """A slide of 35 chunks with its labels."""
    folder = tmp_path_factory.mktemp("given")
    classes = tissue((301, 423), 5)
    slide = write_slide(folder / "slide.tif", picture(classes))
    labels = write_labels(folder / "labels.png", classes)
    return Config(slide, folder / "never", labels=labels, cell_um=6.0, chunk=64, max_myelin_um=1.0)


@pytest.fixture(scope="module")
def undisturbed(given: Config) -> dict[str, str]:
    """The files of a run that nobody stopped."""
    config = replace(given, out=given.slide.parent / "undisturbed" / "store.ome.zarr")
    analyse(config)
    return files(config.out)


def flags(config: Config) -> list[str]:
    return [
        *("run", str(config.slide), "--out", str(config.out), "--labels", str(config.labels)),
        *("--cell", str(config.cell_um), "--chunk", str(config.chunk), "--max-myelin", str(config.max_myelin_um)),
    ]


def start(arguments: list[str]) -> subprocess.Popen[str]:
    """Start ``axonflow`` as the leader of a process group of its own, as a shell does."""
    call = [sys.executable, "-c", "from axonflow.cli import main; main()", *arguments]
    return subprocess.Popen(
        call, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True, env=dict(os.environ)
    )


def recorded(store: Path) -> dict[Path, int]:
    """Return every record of the journal, with the time it was written."""
    return {path: path.stat().st_mtime_ns for path in (store / ".axonflow" / "journal").rglob("*.npz")}


def wait_for(records: int, store: Path, process: subprocess.Popen[str]) -> None:
    limit = time.monotonic() + 120
    while len(recorded(store)) < records:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < limit, "no progress"
        time.sleep(0.002)


@contextmanager
def ended(process: subprocess.Popen[str]) -> Iterator[None]:
    """Leave no process of the group behind."""
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


@pytest.mark.parametrize(
    ("fleet", "kills", "leader_alone"),
    [
        (("--workers", "1"), (3, 60, 150), False),
        (("--workers", "2"), (40, 120), False),
        (("--cluster", "local-gpu", "--workers", "2"), (40, 120), True),
    ],
    ids=["one worker", "threads", "processes"],
)
def test_a_killed_run_continues_to_the_same_bytes(
    given: Config,
    undisturbed: dict[str, str],
    tmp_path: Path,
    fleet: tuple[str, ...],
    kills: tuple[int, ...],
    leader_alone: bool,
) -> None:
    config = replace(given, out=tmp_path / "store.ome.zarr")
    chance = random.Random(len(fleet))
    for kill in kills:
        before = recorded(config.out)
        process = start([*flags(config), *fleet])
        with ended(process):
            wait_for(kill + chance.randrange(20), config.out, process)
            time.sleep(chance.random() * 0.02)
            os.kill(process.pid, signal.SIGKILL) if leader_alone else os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        after = recorded(config.out)
        assert before.items() <= after.items()  # what was recorded was not done again
        with pytest.raises(StoreError, match=r"has not come to the maps|no readable run\.json"):
            axonflow.open(config.out)
    before = recorded(config.out)
    assert command(*flags(config), "--workers", 1).code == 0
    assert before.items() <= recorded(config.out).items()
    ours = files(config.out)
    assert {name: digest for name, digest in ours.items() if not name.startswith("figures/")} == undisturbed
    assert axonflow.open(config.out).record["complete"]


def test_an_interrupted_run_says_so_and_continues(given: Config, undisturbed: dict[str, str], tmp_path: Path) -> None:
    config = replace(given, out=tmp_path / "store.ome.zarr")
    process = start([*flags(config), "--workers", "2"])
    with ended(process):
        wait_for(20, config.out, process)
        os.killpg(process.pid, signal.SIGINT)  # as ^C on a terminal does
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted; run the same command again" in said
    assert "Traceback" not in said
    assert read_record(config.out)["complete"] is False
    before = recorded(config.out)
    assert len(before) >= 20
    analyse(config)
    assert before.items() <= recorded(config.out).items()
    assert files(config.out) == undisturbed


@pytest.fixture(scope="module")
def store(given: Config) -> Config:
    config = replace(given, out=given.slide.parent / "store", chunk=128)
    analyse(config)
    return config


CHANGES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "cell": ({"cell_um": 9.0}, MAP),
    "border": ({"border": "all"}, RULES + MAP),
    "axon shape": ({"axon_shape": "ellipse"}, MEASURE + MAP),
    "max myelin": ({"max_myelin_um": 0.4}, MEASURE + MAP),
    "min axon area": ({"min_axon_area_um2": 0.3}, LABEL + MEASURE + MAP),
    "chunk": ({"chunk": 192}, EVERYTHING),
    "chunk beyond the slide": ({"chunk": 1024}, EVERYTHING),
    "pixel size": ({"pixel_size": PixelSize(0.2, 0.1)}, EVERYTHING),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_redoes_what_it_affects_and_going_back_brings_the_old_bytes(store: Config, change: str) -> None:
    settings, stages = CHANGES[change]
    before = files(store.out)
    changed = replace(store, **settings)
    assert analyse(changed) == stages
    assert axonflow.open(store.out).record["config"] == changed.to_json()
    assert contents(store.out) == contents_of_a_new(changed)
    assert analyse(changed) == []
    assert analyse(store) == stages
    assert files(store.out) == before


def test_a_chunk_that_is_not_given_again_stays(store: Config) -> None:
    """It decides no result, and whoever forgets the flag would wait for all of it once more."""
    before = files(store.out)
    assert analyse(replace(store, chunk=None)) == []
    assert files(store.out) == before
    assert analyse(replace(store, chunk=None, cell_um=9.0)) == MAP
    assert axonflow.open(store.out).record["config"]["chunk"] == store.chunk
    assert analyse(store) == MAP


def contents_of_a_new(config: Config) -> dict[str, str]:
    fresh = replace(config, out=config.out.with_name("fresh"))
    analyse(fresh, fresh=True)
    return contents(fresh.out)


def test_a_mask_redoes_the_maps(store: Config, tmp_path: Path) -> None:
    for rows in (10, 20):  # the same file with another content is another mask
        mask = write_labels(tmp_path / "mask.png", (np.mgrid[:30, :42][0] < rows).astype(np.uint8))
        assert analyse(replace(store, mask=mask)) == RULES + MAP
    assert analyse(store) == RULES + MAP


def test_another_mask_in_place_of_the_labels_redoes_all_but_the_conversion(store: Config, tmp_path: Path) -> None:
    labels = write_labels(tmp_path / "labels.png", tissue((301, 423), 6))
    assert analyse(replace(store, labels=labels)) == SEGMENT + LABEL + MEASURE + MAP
    assert analyse(store) == SEGMENT + LABEL + MEASURE + MAP


@pytest.mark.parametrize(
    "settings", [{"chunk": 1024}, {"pixel_size": PixelSize(0.1, 0.2)}], ids=["chunk", "pixel size"]
)
def test_stages_run_one_by_one_see_a_change_too(given: Config, tmp_path: Path, settings: dict[str, Any]) -> None:
    """What a command for a single stage redid is redone downstream by the next, also where the boxes are the same."""
    config = replace(given, out=tmp_path / "out", chunk=512)
    analyse(config)
    changed = replace(config, **settings)
    assert analyse(changed, until="convert") == CONVERT
    with pytest.raises(StoreError, match="has not come to the maps"):
        axonflow.open(config.out)
    assert analyse(changed) == SEGMENT + LABEL + MEASURE + MAP
    assert contents(config.out) == contents_of_a_new(changed)


def test_a_change_in_the_middle_then_back_leaves_nothing_stale(given: Config, tmp_path: Path) -> None:
    config = replace(given, out=tmp_path / "out", chunk=192)
    analyse(config)
    before = files(config.out)
    changed = replace(config, min_axon_area_um2=0.3)
    assert analyse(changed, until="label") == LABEL
    with pytest.raises(StoreError, match="has not come to the maps"):
        axonflow.open(config.out)
    analyse(config)
    assert files(config.out) == before
    analyse(changed, until="measure")
    analyse(replace(config, cell_um=9.0))
    analyse(config)
    assert files(config.out) == before


def test_a_network_gives_way_to_masks_and_back(given: Config, tmp_path: Path) -> None:
    model = str(write_model(tmp_path, pixel_size_um=0.2))
    masks = replace(given, out=tmp_path / "out", chunk=256)
    network = replace(masks, model=model, labels=None, keep_probabilities=True)
    analyse(masks)
    before = contents(masks.out)
    assert analyse(network) == ["resample", "segment", "segment.seams", *LABEL, *MEASURE, *MAP]
    assert read_record(masks.out)["seams"] is not None
    assert analyse(replace(network, halo=48))[:2] == ["segment", "segment.seams"]
    analyse(masks)
    assert {name: contents(masks.out)[name] for name in before} == before
    assert read_record(masks.out)["seams"] is None


def test_fresh_starts_over(given: Config, tmp_path: Path) -> None:
    config = replace(given, out=tmp_path / "out", chunk=192)
    assert analyse(config) == EVERYTHING
    (config.out / "left-over").mkdir()
    before = files(config.out)
    assert analyse(config) == []
    assert analyse(config, fresh=True) == EVERYTHING
    assert files(config.out) == before
    assert not (config.out / "left-over").exists()


def test_what_is_refused_leaves_the_store_as_it_was(
    given: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = replace(given, out=tmp_path / "out", chunk=192)
    analyse(config)
    monkeypatch.setattr("axonflow.engine.plan.WORKER_BYTES", 2**60)
    before = files(config.out)
    with pytest.raises(PlanError, match=r"per worker are there.* projected to need \d+\.\d+ GiB"):
        analyse(replace(config, max_myelin_um=0.5))
    with pytest.raises(PlanError):
        analyse(config, fresh=True)
    assert files(config.out) == before
    assert axonflow.open(config.out).record["complete"]


def test_the_second_of_two_runs_at_once_is_refused(given: Config, tmp_path: Path) -> None:
    config = replace(given, out=tmp_path / "out", chunk=512)
    analyse(config, until="label")
    with locked(config.out / ".axonflow" / "lock"):
        before = files(config.out)
        ran = command(*flags(config), "--workers", 1)
        assert ran.code == 2
        assert "Another run is writing" in ran.err
        assert "Another run is writing" in command(*flags(config), "--fresh").err
        assert files(config.out) == before
    assert command(*flags(config), "--workers", 1).code == 0


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS])
def test_a_file_system_without_locks_is_written_with_a_note(
    number: int, given: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(_handle: int, _operation: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", answer)
    ran = command(*flags(replace(given, out=tmp_path / "out")), "--workers", 1)
    assert ran.code == 0
    assert ran.out.count("No lock protects") == 1


def test_the_report_is_written_before_another_run_may_begin(
    given: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = replace(given, out=tmp_path / "out")
    keep, tried = report.keep_report, list[Path]()

    def try_it(result: Analysis, *others: Any) -> Path:
        tried.append(result.store)
        with pytest.raises(BlockingIOError), locked(result.store / ".axonflow" / "lock"):
            pass
        return keep(result, *others)

    monkeypatch.setattr(report, "keep_report", try_it)
    assert command(*flags(config), "--workers", 1).code == 0
    assert command("batch", config.slide, "--out", tmp_path / "batch", *flags(config)[4:], "--workers", 1).code == 0
    assert len(tried) == 2
