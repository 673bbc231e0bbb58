"""One trial: a run that is struck, the same command again, and whether its bytes are the reference's then."""

from __future__ import annotations

import random
import shutil
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from benchmarks.soaking.material import SCENES, Material, Reference, Scene, Settings, contents
from benchmarks.soaking.process import Ended, Process

__all__ = ["Kind", "Row", "Trial", "attempt"]

LEAVE_S = 60.0
"""How long processes of a run that was killed may take to notice it."""


@dataclass
class Trial:
    """What happens in a trial.

    Attributes
    ----------
    folder : Path
        Its own.
    chance : random.Random
        Decides all that is random.
    material : Material
    scene : Scene
    changed : tuple of str
        Settings with which the command is given at the end.
    command : str
        ``map``, or ``run``, which writes a report, too.
    struck : bool
        Whether the fault did hit.
    notes : list of str
        What was done, in words.
    codes : list of int
        How each command ended.
    sentences : list of str
        What was said by those that failed.
    wrong : list of str
        What may not be.
    """

    folder: Path
    chance: random.Random
    material: Material
    scene: Scene
    changed: Settings = ()
    command: str = "map"
    struck: bool = False
    notes: list[str] = field(default_factory=list)
    codes: list[int] = field(default_factory=list)
    sentences: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    started: list[Process] = field(default_factory=list)

    @property
    def store(self) -> Path:
        """Where the result goes."""
        return self.folder / "slide.ome.zarr"

    @property
    def asked(self) -> Path:
        """The folder in which faults are asked for."""
        return self.folder / "asked"

    @property
    def expected(self) -> Reference:
        """What must come of it."""
        return self.material.reference(self.scene.slide, self.changed)

    def words(self, command: str = "") -> list[str]:
        """Return the command that is given, and again."""
        words = [command or self.command, *self.material.words(self.scene.slide)]
        return [*words, "--out", str(self.store), *self.scene.workers, *self.changed]

    def start(self, words: list[str] | None = None, before: tuple[str, ...] = ()) -> Process:
        """Start a command; the usual one if none is given."""
        log = self.folder / f"{len(self.started)}.log"
        self.started.append(Process(words or self.words(), log, self.asked, before))
        return self.started[-1]

    def ended(self, process: Process, codes: set[int]) -> Ended:
        """Wait for a command that may end with these exit codes."""
        ended = process.wait()
        self.codes.append(ended.code)
        if ended.code > 0 and ended.sentence:
            self.sentences.append(ended.sentence)
        if wrong := ended.wrong(codes):
            self.wrong.append(f"{process.log.name}: {wrong}")
        return ended

    def recorded(self) -> int:
        """Return how many files the journal has."""
        return sum(1 for _ in (self.store / ".axonflow" / "journal").glob("*/*/*[0-9a-z]"))

    def reach(self, process: Process, last: int = 0, first: int = 0) -> bool:
        """Wait for a random moment of a run from nothing; return whether it is still on.

        Parameters
        ----------
        process : Process
        last : int
            How many moments there are before its end that are not chosen.
        first : int
            Likewise after its beginning.
        """
        records = self.expected.records
        where = self.chance.random()
        moment = 0 if where < 0.12 else records if where > 0.94 else self.chance.randint(0, records)
        moment = min(max(moment, first), records - last)
        pause = self.chance.uniform(0.2, 3.0) if moment == 0 else self.chance.uniform(0, 0.1)
        # What comes before is Python's own start, in which nobody can answer anything.
        process.until(lambda: self.recorded() >= moment if moment else (self.asked / "started").exists())
        time.sleep(pause)
        self.notes.append(f"at {moment} of {records} records + {pause:.3f} s")
        return process.on

    def ask(self, kind: str, content: str = "1") -> None:
        """Ask for a fault of ``benchmarks/faulty``; it is there whole, or not at all."""
        (part := self.folder / "part").write_text(content)
        part.rename(self.asked / kind)

    def befell(self, kind: str) -> bool:
        """Whether a fault that comes once was taken up; it is asked for no longer."""
        try:
            (self.asked / kind).unlink()
        except FileNotFoundError:
            return True
        return False


@dataclass(frozen=True)
class Kind:
    """A kind of fault.

    Attributes
    ----------
    name : str
    play : callable
        Has a run go on until the cause of its fault is gone.
    scenes : tuple of Scene
    can : callable
        Whether this machine can have it.
    """

    name: str
    play: Callable[[Trial], None]
    scenes: tuple[Scene, ...] = SCENES
    can: Callable[[], bool] = lambda: True


@dataclass(frozen=True)
class Row:
    """What came of a trial."""

    kind: str
    seed: int
    scene: str
    command: str
    struck: bool
    notes: str
    codes: tuple[int, ...]
    sentences: tuple[str, ...]
    wrong: tuple[str, ...]
    seconds: float

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Self:
        """Read what was written of one."""
        found: dict[str, Any] = {
            name: tuple(each) if isinstance(each, list) else each for name, each in content.items()
        }
        return cls(**found)

    @property
    def well(self) -> bool:
        """Whether all was as it must be."""
        return not self.wrong


def attempt(kind: Kind, seed: int, material: Material, folder: Path) -> Row:
    """Do a trial; its folder stays if anything was wrong.

    Parameters
    ----------
    kind : Kind
    seed : int
    material : Material
    folder : Path
        Where to make its own.
    """
    chance = random.Random(f"{kind.name} {seed}")
    own = folder / f"{kind.name} {seed}"
    shutil.rmtree(own, ignore_errors=True)
    (own / "asked").mkdir(parents=True)
    (scene,) = chance.choices(kind.scenes, [each.often for each in kind.scenes])
    command = "run" if chance.random() < 0.12 else "map"
    trial = Trial(own, chance, material, scene, command=command)
    _ = trial.expected  # which is made before the clock runs
    begun = time.monotonic()
    try:
        kind.play(trial)
        _end_well(trial)
    finally:
        for process in trial.started:
            process.end()
    seconds = round(time.monotonic() - begun, 1)
    if not trial.wrong:
        shutil.rmtree(own)
    return Row(
        kind.name, seed, scene.name, trial.command, trial.struck, "; ".join(trial.notes), tuple(trial.codes),
        tuple(trial.sentences), tuple(trial.wrong), seconds,
    )  # fmt: skip


def _end_well(trial: Trial) -> None:
    """Give the command again, now that nothing hinders it, and look at what is there then."""
    from axonflow.results.check import check

    trial.ended(trial.start(), {0})
    end = time.monotonic() + LEAVE_S
    while (left := [each for one in trial.started for each in one.group()]) and time.monotonic() < end:
        time.sleep(0.1)
    if left:
        trial.wrong.append(f"{len(left)} processes are left, such as {' '.join(left[0].cmdline())}")
    found, expected = contents(trial.store), trial.expected.files
    if differing := sorted(name for name in found.keys() | expected.keys() if found.get(name) != expected.get(name)):
        trial.wrong.append(f"{len(differing)} files are not the reference's: {', '.join(differing[:5])}")
    checked = check(trial.store)
    if not checked.sound:
        what = [f"{damage.path} {damage.what}" for damage in checked.proof.damages]
        trial.wrong.append(f"check finds: {'; '.join([*what, *checked.faults])[:500]}")
    if partial := [path.name for path in trial.store.rglob("*.partial")]:
        trial.wrong.append(f"left half written: {', '.join(partial[:5])}")


def killed(process: Process, trial: Trial) -> None:
    """Kill a run, or its driver alone."""
    process.send(signal.SIGKILL, all_of_them=trial.chance.random() < 0.5)
