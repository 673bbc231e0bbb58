"""One case at a time: what is changed, what is made of it, and how that ended."""

from __future__ import annotations

import random
import resource
import shutil
import signal
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from axonflow.errors import AxonflowError
from benchmarks.fuzzing.kind import Kind

__all__ = ["LONGEST", "MEMORY", "PATIENCE_S", "Ended", "attempt", "bounded"]

PATIENCE_S = 10
"""Of the processor, for one case."""

CLOCK_S = 30
"""By the clock, in which other programs work, too."""

MEMORY = 2**30
"""Bytes that a case may take."""

LONGEST = 3_000
"""Letters of a refusal: more is not one sentence."""


class HangError(BaseException):
    """A case takes too long; no except clause of a program is meant to stop it."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a case ended.

    Attributes
    ----------
    how : str
        ``refused``, ``accepted``, ``traceback``, ``hang`` or ``memory``.
    said : str
        The refusal, or where the error was raised.
    """

    how: str
    said: str = ""


@contextmanager
def bounded(more: int = MEMORY) -> Iterator[None]:
    """Give this process so many bytes more than it has."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + more, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def attempt(kind: Kind, made: Path, folder: Path, seed: str, clock_s: int = CLOCK_S) -> Ended:
    """Try one case in this process, in a folder of its own that is removed afterwards.

    Parameters
    ----------
    kind : Kind
    made : Path
        What the kind has made.
    folder : Path
        Which is not there yet.
    seed : str
        What decides all of the case.
    clock_s : int
        How long it may wait.
    """
    chance = random.Random(seed)
    shutil.copytree(made, folder)
    try:
        kind.change(chance, folder)
        with _in_time(clock_s):
            kind.use(chance, folder)
    except HangError as error:
        return Ended("hang", _place(error))
    except AxonflowError as error:
        if len(str(error)) > LONGEST or not str(error).strip():
            return Ended("traceback", f"a refusal of {len(str(error)):,} letters: {str(error)[:200]}")
        return Ended("refused", str(error))
    except MemoryError as error:
        return Ended("memory", _place(error))
    except Exception as error:
        return Ended("memory" if "can't start new thread" in str(error) else "traceback", _place(error))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return Ended("accepted")


@contextmanager
def _in_time(clock_s: int) -> Iterator[None]:
    def hang(_number: int, _frame: FrameType | None) -> None:
        raise HangError

    for number in (signal.SIGPROF, signal.SIGALRM):
        signal.signal(number, hang)
    signal.setitimer(signal.ITIMER_PROF, PATIENCE_S)
    signal.setitimer(signal.ITIMER_REAL, clock_s)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)


def _place(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "/axonflow/" in frame.filename] or list(frames)
    last = ours[-1]
    where = f"{Path(last.filename).parent.name}/{Path(last.filename).name}:{last.lineno} {last.name}"
    return f"{type(error).__name__} at {where}: {str(error)[:150]!r}"
