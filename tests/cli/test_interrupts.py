"""A run that is interrupted while it has no workers yet ends like any other: one message, 130, nothing left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path

import psutil
import pytest
from distributed import LocalCluster
from slides import picture, tissue, write_labels, write_slide

from axonflow.cli.interrupt import Interrupts

SIGNALS = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
PATIENCE_S = 100.0

Driver = subprocess.Popen[bytes]


@pytest.fixture(scope="module")
def slide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A slide with its labels beside it, whose run needs a while."""
    folder, classes = tmp_path_factory.mktemp("slide"), tissue((320, 320))
    write_labels(folder / "labels.png", classes)
    return write_slide(folder / "slide.tif", picture(classes))


@contextmanager
def driven(slide: Path, out: Path, *flags: str) -> Iterator[tuple[Driver, Callable[[], str]]]:
    """Run it in a process group of its own; yield the process, and what tells what it has said."""
    words = ["run", str(slide), "--labels", str(slide.with_name("labels.png")), "--out", str(out), "--chunk", "64"]
    said = out.with_suffix(".said")
    with said.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "axonflow", *words, *flags],
            stdout=log, stderr=log, start_new_session=True, env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        )  # fmt: skip
    try:
        yield process, said.read_text
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def wait(process: Driver, until: Callable[[], bool]) -> None:
    limit = time.monotonic() + PATIENCE_S
    while not until() and process.poll() is None and time.monotonic() < limit:
        time.sleep(0.02)
    assert process.poll() is None
    assert until()


def of_group(leader: int) -> list[psutil.Process]:
    """Return the processes of a group that are not just waiting to be noticed."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, ProcessLookupError):
            if os.getpgid(process.pid) == leader and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def assert_ended(process: Driver, said: Callable[[], str]) -> None:
    assert process.wait(PATIENCE_S) == 130, said()
    assert "interrupted; run the same command again to continue" in said()
    assert "Traceback" not in said()
    limit = time.monotonic() + 10
    while of_group(process.pid) and time.monotonic() < limit:
        time.sleep(0.1)
    assert not of_group(process.pid)


@SIGNALS
@pytest.mark.parametrize("all_of_them", [True, False], ids=["the group", "the driver"])
@pytest.mark.parametrize("begun", [1, 5])
def test_while_processes_start(
    slide: Path, tmp_path: Path, number: signal.Signals, all_of_them: bool, begun: int
) -> None:
    def starting() -> bool:
        with suppress(psutil.Error):
            children = psutil.Process(process.pid).children()
            return sum("spawn_main" in " ".join(child.cmdline()) for child in children) >= begun
        return False

    flags = ("--cluster", "local", "--workers", "5", "--memory", "0.5")
    with driven(slide, tmp_path / "out", *flags) as (process, said):
        wait(process, starting)
        (os.killpg if all_of_them else os.kill)(process.pid, number)
        assert_ended(process, said)


@SIGNALS
def test_while_jobs_wait(slide: Path, tmp_path: Path, number: signal.Signals, waiting_jobs: Path) -> None:
    with driven(slide, tmp_path / "out", "--cluster", "slurm", "--workers", "2") as (process, said):
        wait(process, lambda: "2 jobs wait (Priority)" in said())
        assert len(list(waiting_jobs.iterdir())) == 2
        os.killpg(process.pid, number)
        assert_ended(process, said)
    assert not list(waiting_jobs.iterdir())
    assert not (tmp_path / "out" / ".axonflow" / "certificates").exists()


@SIGNALS
def test_while_a_scheduler_has_no_workers(slide: Path, tmp_path: Path, number: signal.Signals) -> None:
    with (
        LocalCluster(
            n_workers=0, processes=False, protocol="tcp://", host="127.0.0.1", dashboard_address="127.0.0.1:0"
        ) as cluster,
        driven(slide, tmp_path / "out", "--cluster", cluster.scheduler_address) as (process, said),
    ):
        wait(process, lambda: "none has come yet" in said())
        os.killpg(process.pid, number)
        assert_ended(process, said)


@SIGNALS
@pytest.mark.parametrize("all_of_them", [True, False], ids=["the group", "the driver"])
def test_while_figures_are_drawn(slide: Path, tmp_path: Path, number: signal.Signals, all_of_them: bool) -> None:
    out = tmp_path / "out"
    with driven(slide, out) as (process, said):
        wait(process, lambda: any(out.glob(".figures.*.partial/*")))
        others = psutil.Process(process.pid).children(recursive=True)
        (os.killpg if all_of_them else os.kill)(process.pid, number)
        assert_ended(process, said)
    assert not psutil.wait_procs(others, 10)[1]
    assert not any(out.glob(".figures*"))
    assert not (out / "report.html").exists()


def test_what_queues_jobs_leaves_the_answer_to_interrupts_alone() -> None:
    script = "import signal; before = signal.getsignal(signal.SIGINT); import axonflow.engine.jobs; "
    script += "print(signal.getsignal(signal.SIGINT) is before)"
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=env)
    assert ran.stdout.split() == ["True"]


TAKEN_AWAY = """
import os, signal, time

from axonflow.cli.interrupt import Interrupts

class Interrupted:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0)  # where the signal is answered

try:
    with Interrupts():
        Interrupted()
        time.sleep(60)
except KeyboardInterrupt:
    print("interrupted")
"""


def test_an_interrupt_that_an_object_swallows_while_it_is_taken_away_comes_again() -> None:
    ran = subprocess.run([sys.executable, "-c", TAKEN_AWAY], capture_output=True, text=True, timeout=50, check=True)
    assert (ran.stdout, ran.stderr) == ("interrupted\n", "")


LOADS_SLOWLY = """
import builtins, signal, time

def load(name, *rest):
    if name == "axonflow.cli":
        print(flush=True)
        time.sleep(60)
    return before(name, *rest)

before, builtins.__import__ = builtins.__import__, load
signal.signal(signal.SIGINT, signal.default_int_handler)
from axonflow.__main__ import main
main()
"""


@SIGNALS
def test_while_it_loads(number: signal.Signals) -> None:
    """From the moment that the program is called, which is long before it has read what it was told."""
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    call = [sys.executable, "-c", LOADS_SLOWLY]
    with subprocess.Popen(call, text=True, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        process.send_signal(number)
        _, said = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, said) == (130, "axonflow: interrupted; run the same command again to continue.\n")


ENDS_SLOWLY = """
import atexit, signal, sys, time, types

def end():
    print(flush=True)
    time.sleep(1)

command = types.ModuleType("axonflow.cli")
command.main = lambda: (atexit.register(end), sys.exit(130))
sys.modules["axonflow.cli"] = command
from axonflow.__main__ import main
main()
"""


@SIGNALS
def test_once_more_while_it_ends(number: signal.Signals) -> None:
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen([sys.executable, "-c", ENDS_SLOWLY], text=True, env=env, stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        process.send_signal(number)
        assert process.wait(PATIENCE_S) == 130


@SIGNALS
def test_a_signal_in_the_middle_of_an_import_is_answered_after_it(
    number: signal.Signals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"signalled_{number.name}"
    body = (
        f"import os, time\nos.kill(os.getpid(), {int(number)})\nfor _ in range(300): time.sleep(0.001)\nwhole = True\n"
    )
    (tmp_path / f"{name}.py").write_text(body)
    monkeypatch.syspath_prepend(tmp_path)
    came = False
    with Interrupts():
        try:
            import_module(name)
            time.sleep(PATIENCE_S)
        except KeyboardInterrupt:
            came = True
        assert sys.modules[name].whole
        assert came
