"""Threads that are stopped in the middle of their work: at any moment, also while they start threads of their own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import suppress
from importlib import import_module
from itertools import count
from pathlib import Path

import pytest

from axonflow.engine.threads import Threads
from axonflow.kernel.starting import ThreadPool

STOPPED_OFTEN = """
import random, time
from axonflow.engine.threads import Threads
from axonflow.kernel.starting import ThreadPool

def work():
    while True:
        with ThreadPool(8) as pool:
            for future in [pool.submit(int) for _ in range(8)]:
                future.result()

for _ in range(300):
    with Threads(2) as threads:
        for _ in range(2):
            threads.submit(work)
        time.sleep(random.random() / 100)
"""


def test_a_thread_is_stopped_while_it_starts_others() -> None:
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    call = [sys.executable, "-c", STOPPED_OFTEN]
    ran = subprocess.run(call, env=env, capture_output=True, text=True, timeout=120, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")


def test_what_is_under_way_is_stopped_and_what_waits_is_not_begun() -> None:
    began: list[int] = []

    def work() -> None:
        began.append(1)
        for _ in count():
            time.sleep(0.001)

    with Threads(1) as threads:
        first, second = threads.submit(work), threads.submit(work)
        while not began:
            time.sleep(0.001)
    assert isinstance(first.exception(), KeyboardInterrupt)
    assert second.cancelled()
    assert began == [1]


def test_an_import_is_spared_and_what_comes_after_it_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else Python's lock of the module may stay taken, and whoever imports it next waits for ever."""
    (tmp_path / "imported_in_a_thread.py").write_text(
        "import time\nfor _ in range(500): time.sleep(0.001)\nwhole = True\n"
    )
    monkeypatch.syspath_prepend(tmp_path)

    def work() -> None:
        import_module("imported_in_a_thread")
        for _ in count():
            time.sleep(0.001)

    with Threads(1) as threads:
        working = threads.submit(work)
        while "imported_in_a_thread" not in sys.modules:
            time.sleep(0.001)
    assert sys.modules["imported_in_a_thread"].whole
    assert isinstance(working.exception(), KeyboardInterrupt)


def test_a_pool_in_an_interrupted_thread_is_left() -> None:
    def work() -> None:
        with ThreadPool(2) as pool, suppress(ZeroDivisionError):
            pool.submit(lambda: 1 / 0).result()
            pytest.fail("nothing was raised")

    with Threads(1) as threads:
        threads.submit(work).result(60)
