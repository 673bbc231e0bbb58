"""Progress fits its terminal, and is plain lines that are few where nothing can move."""

from __future__ import annotations

import io
import re
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console
from screens import into_file, on_terminal

from axonflow.cli import progress
from axonflow.cli.progress import Bars
from axonflow.engine.events import BatchDone, StageBegun, WorkersCounted
from axonflow.engine.stage import Stage
from axonflow.kernel.grid import Grid
from axonflow.kernel.rate import RateMeter

RUN = """
import os, sys, time
from rich.console import Console
from axonflow.engine.stage import Stage
from axonflow.kernel.grid import Grid
from axonflow.cli.progress import Bars
from axonflow.engine.events import BatchDone, StageBegun, StageDone, WorkersCounted

def stage(name, pixels=4_000_000):
    return Stage(name, 1, {}, (), (pixels, 1), tuple(Grid((pixels, 1), (pixels, 1)).batches(1)), print)

with Bars(Console()) as bars:
    for name in ("convert", "segment", "segment.seams"):
        bars.show(StageBegun(stage(name), 1_000_000))
        bars.show(WorkersCounted(0, "12 jobs wait (Priority)"))
        for _ in range(3):
            time.sleep(0.01)
            bars.show(BatchDone(1_000_000))
            bars.show(WorkersCounted(64, ""))
        bars.show(StageDone(stage(name), {"seconds": 754.0, "pixels": 3_000_000_000, "peak_worker_bytes": 2**29}))
    bars.show(StageBegun(stage("label.survey", 10**9), 0))
    time.sleep(0.01)
    bars.show(BatchDone(430_000_000))
    bars.show(WorkersCounted(3, "2 jobs wait (Resources, and much more that is to be said of it)"))
    time.sleep(0.2)
    if "killed" in sys.argv:
        os._exit(0)
"""


@pytest.mark.parametrize("columns", [60, 140])
def test_bars_fit_the_terminal(columns: int) -> None:
    shown = on_terminal(columns, RUN, "killed")
    rate = r" +[\d.]+ [Mk]px/s"
    for line, name in zip(shown, ("reading the slide", "axons and myelin", "checking seams"), strict=False):
        assert re.fullmatch(rf"{name} +━+ +100 %{rate} in 0\.\d s", line)
    assert re.fullmatch(rf"finding axons +━+[╸╺]━+ +43 %{rate} [\d.]+ s left", shown[3])
    assert shown[4].startswith("workers            3, 2 jobs wait (Resources, and")
    assert shown[4].endswith("…" if columns == 60 else "said of it)")
    assert len(shown) == 5
    assert max(map(len, shown[:4])) > 0.5 * columns
    assert len({line.index("━") for line in shown[:4]}) == 1


@pytest.mark.parametrize("columns", [60, 140])
@pytest.mark.parametrize("environment", [{}, {"FORCE_COLOR": "1"}, {"TERM": "xterm-256color"}], ids=str)
def test_a_file_gets_a_line_for_each_stage(columns: int, environment: dict[str, str], tmp_path: Path) -> None:
    text = into_file(tmp_path / "log", RUN, **environment, COLUMNS=str(columns))
    assert text.splitlines() == [
        "workers: none, 12 jobs wait (Priority)",
        "workers: 64",
        "reading the slide: done in 13 min, 4.0 Mpx/s, 0.50 GiB per worker",
        "workers: none, 12 jobs wait (Priority)",
        "workers: 64",
        "axons and myelin: done in 13 min, 4.0 Mpx/s, 0.50 GiB per worker",
        "workers: none, 12 jobs wait (Priority)",
        "workers: 64",
        "checking seams: done in 13 min, 4.0 Mpx/s, 0.50 GiB per worker",
    ]


def test_a_terminal_that_cannot_move_gets_lines() -> None:
    shown = on_terminal(140, RUN, term="dumb")
    assert len(shown) == 9
    assert shown[2] == "reading the slide: done in 13 min, 4.0 Mpx/s, 0.50 GiB per worker"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A clock that the test moves."""
    clock = SimpleNamespace(now=1000.0)
    clock.monotonic = lambda: clock.now
    monkeypatch.setattr(progress, "time", clock)
    monkeypatch.setattr(progress, "RateMeter", partial(RateMeter, clock=clock.monotonic))
    return clock


def stage(pixels: int) -> Stage:
    return Stage("segment", 1, {}, (), (1, pixels), tuple(Grid((1, pixels), (1, pixels)).batches(1)), dict)


def test_a_long_stage_gets_a_line_a_minute(clock: SimpleNamespace) -> None:
    file = io.StringIO()
    with Bars(Console(file=file, width=60)) as bars:
        bars.show(StageBegun(stage(200 * 10**7), 0))
        for _ in range(199):
            clock.now += 7
            bars.show(BatchDone(10**7))
        lines = file.getvalue().splitlines()
        assert lines[0] == "axons and myelin: 4 %, 1.4 Mpx/s, 22 min left"
        assert len(lines) == 199 // 9  # a minute is over with every ninth batch
        assert lines[-1] == "axons and myelin: 99 %, 1.4 Mpx/s, 14 s left"
        clock.now += 7000
        bars.show(BatchDone(10**7))
    assert file.getvalue().splitlines() == lines  # what is complete gets its own line


def test_a_short_stage_gets_none(clock: SimpleNamespace) -> None:
    file = io.StringIO()
    with Bars(Console(file=file)) as bars:
        bars.show(StageBegun(stage(60), 0))
        for _ in range(59):
            clock.now += 1
            bars.show(BatchDone(1))
    assert file.getvalue() == ""


def test_workers_that_come_one_by_one_do_not_fill_the_file(clock: SimpleNamespace) -> None:
    file = io.StringIO()
    with Bars(Console(file=file)) as bars:
        for count in [0, 0, *range(1, 33), *[32] * 100, 31, *[31] * 20, 0]:
            bars.show(WorkersCounted(count, "" if count else "1 job waits"))
            clock.now += 1
    told = [line.removeprefix("workers: ") for line in file.getvalue().splitlines()]
    assert told == ["none, 1 job waits", "1", "11", "21", "31", "32", "31", "none, 1 job waits"]


BEGUN = """
import os, time
from rich.console import Console
from axonflow.engine.stage import Stage
from axonflow.kernel.grid import Grid
from axonflow.cli.progress import Bars
from axonflow.engine.events import StageBegun, StageDone

def stage(name, pixels):
    return Stage(name, 1, {}, (), (pixels, 1), tuple(Grid((pixels, 1), (9, 9)).batches(1)) if pixels else (), print)

with Bars(Console()) as bars:
    bars.show(StageBegun(stage("measure.rules", 0), 0))
    bars.show(StageDone(stage("measure.rules", 0), {"seconds": 0.0, "pixels": 0, "peak_worker_bytes": 0}))
    bars.show(StageBegun(stage("segment", 9), 0))
    time.sleep(0.2)
    os._exit(0)
"""


def test_what_has_just_begun_has_no_share_and_what_ended_all() -> None:
    ended, begun = on_terminal(100, BEGUN)
    assert re.fullmatch(r"applying rules +━+ +100 % +in 0\.\d s", ended)
    assert re.fullmatch(r"axons and myelin +[━╸╺]+ +0\.\d s so far", begun)


FIGURES = """
import sys, time
from rich.console import Console
from axonflow.cli.progress import Bars

with Bars(Console()) as bars, bars.drawing():
    time.sleep(0.3)
    if "killed" in sys.argv:
        os._exit(0)
"""


def test_a_terminal_shows_that_figures_are_drawn() -> None:
    (line,) = on_terminal(100, "import os" + FIGURES, "killed")
    assert re.fullmatch(r"drawing figures +[━╸╺]+ +0\.\d s so far", line)
    (line,) = on_terminal(100, FIGURES)
    assert re.fullmatch(r"drawing figures +━+ +100 % +in 0\.\d s", line)


def test_a_file_says_that_figures_were_drawn(clock: SimpleNamespace) -> None:
    file = io.StringIO()
    with Bars(Console(file=file)) as bars:
        with bars.drawing():
            clock.now += 4.2
        with pytest.raises(OSError, match="full"), bars.drawing():
            raise OSError("full")
    assert file.getvalue() == "drawing figures: done in 4.2 s\n"
