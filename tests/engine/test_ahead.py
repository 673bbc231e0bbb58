"""What is made ready ahead is done in its order, and whatever becomes of it decides nothing."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from threading import Event, get_ident

import pytest

from axonflow.engine.ahead import getting_ready


def test_steps_are_taken_in_their_order_on_one_other_thread() -> None:
    taken: list[tuple[int, int]] = []
    last = Event()

    def step(k: int) -> None:
        taken.append((k, get_ident()))
        if k == 4:
            last.set()

    with getting_ready([lambda k=k: step(k) for k in range(5)]):  # type: ignore[misc]
        assert last.wait(60)
    assert [k for k, _ in taken] == [0, 1, 2, 3, 4]
    assert {thread for _, thread in taken} - {get_ident()} == {taken[0][1]}


def test_the_step_under_way_is_waited_for() -> None:
    begun, ended, first = [], [], Event()

    def step(k: int) -> None:
        begun.append(k)
        first.set()
        time.sleep(0.01)
        ended.append(k)

    def work() -> None:
        with getting_ready([lambda k=k: step(k) for k in range(1000)]):  # type: ignore[misc]
            assert first.wait(60)
            raise ValueError("the work failed")

    with pytest.raises(ValueError, match="the work failed"):
        work()
    assert begun == ended
    assert len(begun) < 1000


def test_a_step_that_fails_leaves_the_others_and_the_work_alone(tmp_path: Path) -> None:
    last = Event()
    with getting_ready([(tmp_path / "nothing").read_bytes, last.set]):
        assert last.wait(60)


def test_an_interrupt_stops_the_step_under_way() -> None:
    begun, stopped = Event(), []

    def step() -> None:
        begun.set()
        try:
            while True:
                time.sleep(0.001)
        except KeyboardInterrupt:
            stopped.append(True)
            raise

    def work() -> None:
        with getting_ready([step, lambda: stopped.append(False)]):
            assert begun.wait(60)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work()
    assert stopped == [True]


def test_an_interrupt_waits_for_an_import(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A library that was loaded half cannot be loaded again, as by the next run of a notebook."""
    (tmp_path / "slow_to_load.py").write_text("import time\nfor _ in range(500): time.sleep(0.001)\nwhole = True\n")
    monkeypatch.syspath_prepend(tmp_path)

    def work() -> None:
        with getting_ready([lambda: __import__("slow_to_load")]):
            while "slow_to_load" not in sys.modules:
                time.sleep(0.001)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work()
    assert sys.modules["slow_to_load"].whole
