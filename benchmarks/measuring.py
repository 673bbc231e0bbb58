"""Things compared in one run, each in processes of its own, in turn, several times; the outcome as a table and JSON.

A side of a comparison is a command. It is run as often as every other, in turn with them, so that what a noisy machine
does befalls all alike. Memory is that of the command and of all processes it starts, a page that some share counted
once. The last line a command prints may be JSON: its ``seconds`` stand for the time of the whole command, which
includes the start of Python and the reading of inputs.
"""

from __future__ import annotations

import json
import os
import platform
import resource
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from importlib.metadata import version
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

RESULTS = Path(__file__).with_name("results")
"""Where the JSON goes that ``docs/explanation/performance.md`` is made of."""

LOOK_S = 0.05
"""Between two looks at the memory of a command."""

PACKAGES = ("axonflow-histology", "torch", "numpy", "scipy", "numba", "scikit-image", "dask", "zarr", "tifffile")
GIB = 2**30


@dataclass(frozen=True, slots=True)
class Sample:
    """One run of one side.

    Attributes
    ----------
    seconds : float
        What it took: as the command said, or its wall-clock time.
    processor_s : float
        Processor time of the command and of all it started, s.
    peak_bytes : int
        The largest sum of the memory of its processes.
    said : dict
        The JSON on its last line.
    """

    seconds: float
    processor_s: float
    peak_bytes: int
    said: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Goal:
    """What was wished for, and what came.

    Attributes
    ----------
    what : str
        In words, with the number wished for.
    value : float
    met : bool
    unit : str
    """

    what: str
    value: float
    met: bool
    unit: str = ""


def sample(words: Sequence[str], *, environment: Mapping[str, str] | None = None) -> Sample:
    """Run a command once.

    Raises
    ------
    SystemExit
        If it fails; with what it said.
    """
    before, started = _processor_s(), perf_counter()
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env={**os.environ, **(environment or {})})
    with _Peak(process.pid) as peak:
        printed, _ = process.communicate()
    wall = perf_counter() - started
    if process.returncode:
        raise SystemExit(f"{' '.join(words)} ended with exit code {process.returncode}:\n{printed}")
    said = _last_json(printed)
    return Sample(float(said.get("seconds", wall)), _processor_s() - before, peak.most, said)


def interleaved(sides: Mapping[str, Sequence[str]], repeats: int) -> dict[str, list[Sample]]:
    """Run every side so many times, in turn, and tell of each run."""
    samples: dict[str, list[Sample]] = {name: [] for name in sides}
    for i in range(repeats):
        for name, words in sides.items():
            samples[name].append(sample(words))
            last = samples[name][-1]
            print(
                f"{i + 1}/{repeats} {name}: {last.seconds:.3g} s, {last.processor_s:.3g} s of processor time, "
                f"{last.peak_bytes / GIB:.2f} GiB",
                file=sys.stderr,
                flush=True,
            )
    return samples


def seconds(samples: Sequence[Sample]) -> float:
    """Return the median time."""
    return median(one.seconds for one in samples)


def peak(samples: Sequence[Sample]) -> float:
    """Return the median of the peaks of memory, bytes."""
    return median(one.peak_bytes for one in samples)


def report(
    name: str,
    question: str,
    samples: Mapping[str, Sequence[Sample]],
    goals: Sequence[Goal],
    notes: Sequence[str] = (),
    *,
    versions: Mapping[str, str] | None = None,
) -> None:
    """Print what was measured, and write it to :data:`RESULTS`.

    Parameters
    ----------
    name : str
        Of the benchmark, and of its JSON.
    question : str
        What was asked, in a line.
    samples : mapping of str to sequence of Sample
        By the name of the side.
    goals : sequence of Goal
    notes : sequence of str
        What must be known to read the figures.
    versions : mapping of str to str, optional
        Of the peers, beside the versions of what axonflow rests on.
    """
    result = {
        "name": name,
        "question": question,
        "date": date.today().isoformat(),  # the day on the wall beside the machine
        "machine": machine(),
        "versions": {package: version(package) for package in PACKAGES} | dict(versions or {}),
        "sides": {side: [asdict(one) for one in runs] for side, runs in samples.items()},
        "goals": [asdict(goal) for goal in goals],
        "notes": list(notes),
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")
    console = Console()
    table = Table("", "median s", "from – to", "processor s", "peak GiB", title=question)
    for side, runs in samples.items():
        times = [one.seconds for one in runs]
        processor_s = median(one.processor_s for one in runs)
        spread = f"{min(times):.3g} – {max(times):.3g}"
        table.add_row(side, f"{seconds(runs):.3g}", spread, f"{processor_s:.3g}", f"{peak(runs) / GIB:.2f}")
    console.print(table)
    for goal in goals:
        console.print(f"{'met    ' if goal.met else 'NOT MET'} {goal.what}: {goal.value:.4g} {goal.unit}")
    for note in notes:
        console.print(note)


def machine() -> dict[str, Any]:
    """Describe the machine."""
    from axonflow.net.machine import features, processor_name

    return {
        "processor": processor_name(),
        "cores": len(os.sched_getaffinity(0)),
        "arithmetic": list(features()),
        "memory_bytes": psutil.virtual_memory().total,
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }


def _processor_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _last_json(printed: str) -> dict[str, Any]:
    lines = printed.strip().splitlines()
    try:
        said = json.loads(lines[-1]) if lines else {}
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


class _Peak:
    """Watches the memory of a process and of all below it."""

    def __init__(self, pid: int) -> None:
        self.most, self._pid, self._over = 0, pid, threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> _Peak:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(LOOK_S):
            self.most = max(self.most, tree_bytes(self._pid))


def tree_bytes(pid: int) -> int:
    """Return the memory of a process and of all below it, a shared page counted once."""
    try:
        top = psutil.Process(pid)
        family = [top, *top.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0
    total = 0
    for process in family:
        try:
            total += process.memory_full_info().pss
        except psutil.Error:  # it has ended meanwhile
            continue
    return total
