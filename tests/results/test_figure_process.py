"""Figures are the same whoever draws them; the second process outlives nobody, and writes nothing once it is let go."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from threading import Timer

import numpy as np
import psutil
import pytest
from PIL import Image
from slides import analyse, picture, tissue, write_model, write_slide

from axonflow.results import figure_process
from axonflow.results.analysis import Analysis, open_store
from axonflow.results.figure_process import Answer, FigureProcess
from axonflow.results.report import write_report
from axonflow.workflow.config import Config

PATIENCE_S = 60.0

PARENT = """
import sys, time
from pathlib import Path
from axonflow.results.figure_process import FigureProcess
from axonflow.results import figure_process
figure_process.cpus = lambda: 2
with FigureProcess() as process, process.drawing(Path(sys.argv[1]), Path(sys.argv[2])):
    print(process._process.pid, flush=True)
    time.sleep(600)
"""


@pytest.fixture(autouse=True)
def two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figure_process, "cpus", lambda: 2)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))


def of_two_kinds(folder: Path) -> Config:
    """With regions and a mask."""
    classes = tissue((160, 190))
    slide = write_slide(folder / "slide.tif", picture(classes))
    classes[5:11, 150:160] = 3
    Image.fromarray(classes).save(folder / "labels.png")
    Image.fromarray(np.pad(np.full((150, 180), 255, np.uint8), 5)).save(folder / "mask.png")
    Image.fromarray(np.full(classes.shape, 1, np.uint8)).save(folder / "regions.png")
    return Config(
        slide,
        folder / "out",
        labels=folder / "labels.png",
        classes="0=background,1=myelin,2=axon,3=uaxon",
        regions=folder / "regions.png",
        mask=folder / "mask.png",
        cell_um=6.0,
        border="all",
    )


def of_a_network(folder: Path) -> Config:
    slide = write_slide(folder / "slide.tif", picture(tissue((160, 190))))
    return Config(slide, folder / "out", model=str(write_model(folder)), cell_um=6.0, chunk=128)


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Analysis:
    config = of_two_kinds(tmp_path_factory.mktemp("store"))
    analyse(config)
    return open_store(config.out)


@pytest.fixture(scope="module")
def alone(result: Analysis) -> dict[str, bytes]:
    """The report of that store, drawn by one process."""
    return drawn(result)


@pytest.fixture
def process() -> Iterator[FigureProcess]:
    with FigureProcess() as process:
        yield process


def drawn(result: Analysis, process: FigureProcess | None = None) -> dict[str, bytes]:
    """Write the report; return all that there is of it."""
    report = write_report(result, process)
    return {path.name: path.read_bytes() for path in (report, *(result.store / "figures").iterdir())}


def pid_of(process: FigureProcess) -> int:
    assert process._process is not None
    return process._process.pid


def has_ended(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def wait(until: Callable[[], bool]) -> None:
    limit = time.monotonic() + PATIENCE_S
    while not until():
        assert time.monotonic() < limit
        time.sleep(0.02)


@pytest.mark.parametrize("make", [of_two_kinds, of_a_network])
def test_figures_are_the_same_whoever_draws_them(
    make: Callable[[Path], Config], tmp_path: Path, process: FigureProcess
) -> None:
    config = make(tmp_path)
    analyse(config)
    alone = drawn(open_store(config.out))
    assert drawn(open_store(config.out), process) == alone
    first = pid_of(process)
    assert drawn(open_store(config.out), process) == alone
    assert pid_of(process) == first


def test_some_are_drawn_by_the_other(result: Analysis, process: FigureProcess, tmp_path: Path) -> None:
    with process.drawing(result.store, tmp_path) as answer:
        told = answer()
    assert told is not None
    assert {path.stem for path in tmp_path.iterdir()} == {name for name, *_ in told} >= {"slide", "maps"}


def test_one_that_dies_before_it_is_asked_costs_no_figure(
    result: Analysis, alone: dict[str, bytes], process: FigureProcess
) -> None:
    process.start()
    os.kill(pid_of(process), signal.SIGKILL)
    wait(lambda: has_ended(pid_of(process)))
    assert drawn(result, process) == alone


def test_one_that_dies_in_the_middle_costs_no_figure(
    result: Analysis, alone: dict[str, bytes], process: FigureProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = process.drawing

    def dying(store: Path, folder: Path) -> AbstractContextManager[Answer]:
        (folder / f".maps.svg.{'0' * 32}.partial").write_bytes(b"half")
        process.start()
        os.kill(pid_of(process), signal.SIGSTOP)  # so that it is asked, and does not answer
        Timer(0.5, os.kill, (pid_of(process), signal.SIGKILL)).start()
        return asked(store, folder)

    monkeypatch.setattr(process, "drawing", dying)
    assert drawn(result, process) == alone


def test_one_that_cannot_be_started_costs_no_figure(
    result: Analysis, alone: dict[str, bytes], process: FigureProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    assert drawn(result, process) == alone


def test_what_it_cannot_draw_is_met_here(result: Analysis, process: FigureProcess, tmp_path: Path) -> None:
    with process.drawing(tmp_path, tmp_path) as answer:
        assert answer() is None
    with process.drawing(result.store, tmp_path) as answer:  # another one has taken its place
        assert answer() is not None


def test_after_an_error_it_writes_nothing(result: Analysis, process: FigureProcess, tmp_path: Path) -> None:
    def interrupted() -> None:
        with process.drawing(result.store, tmp_path):
            wait(lambda: any(tmp_path.iterdir()))
            raise KeyboardInterrupt

    process.start()
    pid = pid_of(process)
    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert has_ended(pid)


@pytest.mark.parametrize("drawing", [True, False])
def test_it_ends_with_a_parent_that_is_killed(result: Analysis, tmp_path: Path, drawing: bool) -> None:
    call = [sys.executable, "-c", PARENT, str(result.store), str(tmp_path)]
    with subprocess.Popen(call, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        if drawing:
            wait(lambda: any(tmp_path.iterdir()))
        parent.kill()
    wait(lambda: has_ended(pid))


@pytest.mark.parametrize(("alone", "cores"), [(True, 2), (False, 1), (True, 1)])
def test_one_core_or_one_worker_has_none_beside_it(alone: bool, cores: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figure_process, "cpus", lambda: cores)
    with FigureProcess(alone=alone) as process:
        process.start()
        assert process._process is None
        with process.drawing(Path(), Path()) as answer:
            assert answer() is None


def test_a_folder_may_have_any_name(result: Analysis, process: FigureProcess, tmp_path: Path) -> None:
    (odd := tmp_path / "\udcff \n ü").mkdir()
    with process.drawing(result.store, odd) as answer:
        told = answer()
    assert told
    assert any(odd.iterdir())
