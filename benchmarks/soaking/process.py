"""A command of axonflow as a child process: started, waited for, and whether it ended as a command may end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

__all__ = ["FAULTY", "HUNG", "Ended", "Process"]

FAULTY = Path(__file__).parents[1] / "faulty"
TOP = Path(__file__).parents[2]

PATIENCE_S = 200.0
"""For one command."""

HUNG = -1000
"""In place of an exit code."""

UNCLEAR = ("Traceback", "Exception ignored", "Fatal Python error", "Segmentation fault", "core dumped", "Uncaught")


OTHERS = ("OpenBLAS error: ",)
"""What libraries say as they end the process, which nobody can catch."""


@dataclass(frozen=True)
class Ended:
    """How a command ended.

    Attributes
    ----------
    code : int
        Its exit code; the number of the signal, negative, that ended it; or HUNG.
    said : str
        All that it printed.
    """

    code: int
    said: str

    @property
    def sentence(self) -> str:
        """What it said at its end; nothing if it did not end by a message."""
        ours = [line for line in self.said.splitlines() if line.startswith(("axonflow: ", *OTHERS))]
        return ours[0].removeprefix("axonflow: ") if len(ours) == 1 else ""

    def wrong(self, codes: set[int]) -> str:
        """Say what is wrong with this end, if one of these exit codes was right; nothing if it is well."""
        if self.code == HUNG:
            return f"hangs for {PATIENCE_S:.0f} s"
        if found := [word for word in UNCLEAR if word in self.said]:
            return f"exit code {self.code}, and {found[0]!r}: {self.said.strip().splitlines()[-1]}"
        if self.code not in codes:
            return f"exit code {self.code}: {self.sentence or self.said[-200:]}"
        if self.sentence.startswith("["):
            return f"exit code {self.code}, unclear: {self.sentence}"
        if self.code > 0 and not self.sentence:
            return f"exit code {self.code} without one sentence: {self.said[-200:]}"
        return ""


class Process:
    """A command that has been started, as the leader of a group of processes.

    Parameters
    ----------
    words : list of str
    log : Path
        What it prints.
    asked : Path
        The folder in which faults are asked for: see ``benchmarks/faulty``.
    before : tuple of str
        Words before the command's.
    """

    def __init__(self, words: list[str], log: Path, asked: Path, before: tuple[str, ...] = ()) -> None:
        self.log = log
        path = os.pathsep.join([str(FAULTY), str(TOP)])
        variables = {"PYTHONPATH": path, "AXONFLOW_FAULTY": str(asked), "COLUMNS": "200", "PYTHONFAULTHANDLER": "1"}
        with log.open("wb") as file:
            self.popen = subprocess.Popen(
                [*before, sys.executable, "-m", "axonflow", *words],
                stdout=file, stderr=file, stdin=subprocess.DEVNULL, start_new_session=True, env=os.environ | variables,
            )  # fmt: skip

    @property
    def on(self) -> bool:
        """Whether it runs."""
        return self.popen.poll() is None

    @property
    def said(self) -> str:
        """What it has printed."""
        return self.log.read_text(errors="replace")

    def send(self, number: signal.Signals, *, all_of_them: bool) -> None:
        """Send it a signal, or its whole group, as a terminal does."""
        with suppress(ProcessLookupError):
            (os.killpg if all_of_them else os.kill)(self.popen.pid, number)

    def until(self, there: Callable[[], bool]) -> bool:
        """Wait for something; return whether the process is still on."""
        end = time.monotonic() + PATIENCE_S
        while self.on and not there() and time.monotonic() < end:
            time.sleep(0.01)
        return self.on

    def wait(self) -> Ended:
        """Wait for its end, for as long as anyone may wait."""
        try:
            return Ended(self.popen.wait(PATIENCE_S), self.said)
        except subprocess.TimeoutExpired:
            self.send(signal.SIGABRT, all_of_them=False)
            self.end()
            return Ended(HUNG, self.said)

    def group(self) -> list[psutil.Process]:
        """Return the processes of its group that have not ended, whether or not it has itself."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error, ProcessLookupError):
                if os.getpgid(process.pid) == self.popen.pid and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
        return found

    def end(self) -> None:
        """Leave nothing of it behind."""
        with suppress(ProcessLookupError):
            os.killpg(self.popen.pid, signal.SIGKILL)
        self.popen.wait()
