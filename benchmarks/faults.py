"""Runs on a real Slurm, each with one of the faults that clusters produce, at a random moment.

``python -m benchmarks.faults FOLDER --runs 20 --seed 4``, with the SLURM_CONF that ``scripts/slurm start`` prints.

A small phantom is run on this machine, then once per fault on Slurm; where a run ends with an error the same command is
given again, as a user would. What is asked of each: in the end the same bytes as on this machine, nothing that was
recorded computed twice, no job and no certificate left behind.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import psutil

FAULTY = Path(__file__).with_name("faulty")
SIDE_PX = 448
MISSED = "did not strike"
PATIENCE_S = 400
"""For one command."""
AXONFLOW = (sys.executable, "-m", "axonflow")
SIZE = ("--workers", "2", "--memory", "1")
SLURM = ("--cluster", "slurm", *SIZE)


@dataclass
class Run:
    """One run and the fault that befalls it."""

    folder: Path
    random: random.Random
    driver: subprocess.Popen[bytes] | None = None
    helpers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def store(self) -> Path:
        """Where its result goes."""
        return self.folder / "slide.ome.zarr"

    def jobs(self) -> list[str]:
        """Return its jobs, waiting or running."""
        asked = ("squeue", "--me", "--noheader", "--states=PENDING,RUNNING,SUSPENDED", "--format=%A|%Z")
        rows = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.splitlines()
        return [job for job, where in (row.split("|") for row in rows) if where == str(self.folder)]

    def job(self) -> str:
        """Return one of its running jobs."""
        asked = ("squeue", "--me", "--noheader", "--states=RUNNING", "--format=%A")
        running = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.split()
        return self.random.choice([job for job in self.jobs() if job in running])

    def nanny(self) -> psutil.Process:
        """Return the process of one of its jobs, whose child is the worker."""
        mine = str(self.store / ".axonflow" / "certificates")
        return self.random.choice(
            [
                process
                for process in psutil.process_iter(["cmdline"])
                if "distributed.cli.dask_worker" in (words := process.info["cmdline"] or [])
                and any(word.startswith(mine) for word in words)
            ]
        )

    def worker(self) -> psutil.Process:
        """Return one of its workers."""
        children = self.nanny().children()
        return next(child for child in children if any("spawn_main" in word for word in child.cmdline()))

    def ask(self, kind: str) -> None:
        """Ask a worker to fail."""
        (self.folder / "faulty" / kind).touch()

    def done(self) -> dict[Path, int]:
        """Return the recorded batches, and when each was."""
        return {path: path.stat().st_mtime_ns for path in (self.store / ".axonflow/journal").glob("*/*/*.npz")}

    def end(self, number: signal.Signals) -> None:
        """Send the driver a signal."""
        assert self.driver
        self.driver.send_signal(number)

    def help(self, *words: str, **variables: str) -> None:
        """Start a part of a cluster by hand."""
        with (self.folder / "helpers.log").open("ab") as log:
            started = [*AXONFLOW, "cluster", *words]
            self.helpers.append(subprocess.Popen(started, stdout=log, stderr=log, env=os.environ | variables))


@dataclass(frozen=True)
class Fault:
    """What goes wrong.

    Attributes
    ----------
    name : str
    strike : callable, optional
        Makes it happen to a run that is under way; it is in its flags otherwise.
    flags : tuple of str
    again : tuple of str, optional
        Flags of the next command, if others.
    before : callable, optional
        Done before each command.
    within : (float, float)
        The share of all batches that are recorded when it happens.
    proof : callable, optional
        Whether it did happen, asked when the run has ended.
    """

    name: str
    strike: Callable[[Run], Any] | None = None
    flags: tuple[str, ...] = SLURM
    again: tuple[str, ...] | None = None
    before: Callable[[Run], None] | None = None
    within: tuple[float, float] = (0.03, 0.85)
    proof: Callable[[Run], bool] | None = None


def _fleet(run: Run) -> None:
    """Start a scheduler and two workers by hand, the first with a GPU that may break."""
    _end(run.helpers)
    run.helpers.clear()
    fleet = str(run.folder / "fleet")
    run.help("scheduler", fleet)
    faulty = {"PYTHONPATH": str(FAULTY), "AXONFLOW_FAULTY": str(run.folder / "faulty")}
    for more in (faulty | {"AXONFLOW_FAULTY_GPU": "1"}, {}):
        run.help("worker", fleet, "--gpus", "1", "--memory", "1", **more)
    _wait((run.folder / "fleet" / "scheduler.json").exists)


def _timed_out(run: Run) -> bool:
    """Whether Slurm ended one of its jobs at the time limit."""
    asked = ("squeue", "--me", "--noheader", "--states=TIMEOUT", "--format=%Z")
    return str(run.folder) in subprocess.run(asked, capture_output=True, text=True, check=True).stdout.splitlines()


def _left(run: Run) -> bool:
    """Whether a worker that was started by hand left by itself, as one with a broken device does."""
    return "gracefully" in (run.folder / "helpers.log").read_text(errors="replace")


def _befell(kind: str) -> Callable[[Run], bool]:
    """Return whether a worker took up what it was asked for."""
    return lambda run: not (run.folder / "faulty" / kind).exists()


def _kill_scheduler(run: Run) -> None:
    run.helpers[0].kill()


FAULTS = (
    Fault("worker job cancelled (scancel)", lambda run: _slurm("scancel", run.job())),
    Fault("worker killed -9", lambda run: run.worker().kill()),
    Fault("nanny of a worker killed -9", lambda run: run.nanny().kill()),
    Fault("worker out of memory", lambda run: run.ask("memory"), proof=_befell("memory")),
    Fault("walltime: workers leave before it", flags=("--walltime", "00:01:00", "--cluster", "slurm", "--memory", "1")),
    Fault(
        "walltime: jobs ended at it",
        flags=(*SLURM, "--directive=--time=1"),
        before=lambda run: run.ask("linger"),  # Slurm ends a job up to a minute late
        proof=_timed_out,
    ),
    Fault("worker job requeued", lambda run: _slurm("scontrol", "requeue", run.job())),
    Fault("driver killed -9", lambda run: run.end(signal.SIGKILL)),
    Fault("driver told to end (SIGTERM)", lambda run: run.end(signal.SIGTERM)),
    Fault("scheduler killed", _kill_scheduler, ("--cluster", "fleet"), before=_fleet),
    Fault(
        "GPU broken (simulated)", lambda run: run.ask("gpu"), ("--cluster", "fleet"), None, _fleet, (0.02, 0.06), _left
    ),
    Fault("file system fails once (EIO)", lambda run: run.ask("EIO"), proof=_befell("EIO")),
    Fault("file system answers after 15 s", lambda run: run.ask("slow"), proof=_befell("slow")),
    Fault("wrong partition", flags=(*SLURM, "--partition", "nix"), again=SLURM),
    Fault("jobs held", flags=(*SLURM, "--directive=--hold"), again=SLURM),
    Fault("prologue fails", flags=(*SLURM, "--prologue", "exit 3"), again=SLURM),
)


@dataclass(frozen=True)
class Outcome:
    """What came of a run: a row of the table."""

    fault: str
    struck: str
    codes: tuple[int, ...]
    said: str
    kept: str
    left: int
    seconds: int
    same: bool


def befall(fault: Fault, run: Run, slide: Path, model: Path, batches: int) -> tuple[Outcome, dict[str, str]]:
    """Run to the end, in spite of a fault; return the outcome and what the store holds."""
    (run.folder / "faulty").mkdir(parents=True)
    prologue = f"export PYTHONPATH={FAULTY} AXONFLOW_FAULTY={run.folder / 'faulty'}"
    share, begun = run.random.uniform(*fault.within), time.monotonic()
    struck, kept, said = "from the start", "", ""
    codes: list[int] = []
    recorded: dict[Path, int] = {}
    while not codes or (codes[-1] and len(codes) < 4):
        if fault.before:
            fault.before(run)
        flags = fault.flags if not codes or fault.again is None else fault.again
        words = [*AXONFLOW, "run", str(slide), "--out", str(run.store), "--model", str(model), *_CUT, *flags]
        with (run.folder / f"driver{len(codes)}.log").open("wb") as log:
            words += ["--prologue", prologue]
            run.driver = driver = subprocess.Popen(words, cwd=run.folder, stdout=log, stderr=log)
            if fault.strike and not codes:
                _reach(run, driver, share * batches)
                recorded, stage = run.done(), _stage(run)
                struck = f"{time.monotonic() - begun:.0f} s, {stage}, {len(recorded)} of {batches} batches"
                fault.strike(run)
            try:
                codes.append(driver.wait(PATIENCE_S))
            except subprocess.TimeoutExpired:
                driver.kill()
                codes.append(driver.wait())
                said = f"HANGS for {PATIENCE_S} s"
        if codes[-1] and not said:
            said = _said(Path(log.name))
    again = sum(path.stat().st_mtime_ns != at for path, at in recorded.items() if path.exists())
    lost = sum(not path.exists() for path in recorded)
    kept = f"{len(recorded) - again - lost} of {len(recorded)}" if recorded else ""
    _end(run.helpers)
    if fault.proof and not fault.proof(run):
        struck = f"{MISSED} ({struck})"
    time.sleep(2)
    left = len(run.jobs()) + (run.store / ".axonflow" / "certificates").exists()
    outcome = Outcome(fault.name, struck, tuple(codes), said, kept, left, round(time.monotonic() - begun), False)
    return outcome, contents(run.store)


_CUT = ("--chunk", "64", "--cell", "7")


def contents(store: Path) -> dict[str, str]:
    """Digest every file of a store but its record, report, log and journal."""
    return {
        str(path.relative_to(store)): sha256(path.read_bytes()).hexdigest()
        for path in sorted(store.rglob("*"))
        if path.is_file() and path.name not in {"report.html", "run.json", "run.log"} and ".axonflow" not in path.parts
    }


def prepare(folder: Path) -> tuple[Path, Path]:
    """Write the slide, and a network whose windows are small enough for many chunks."""
    from axonflow.net.checkpoint import Checkpoint
    from axonflow.phantom import Phantom, write

    write(folder / "slide.tif", Phantom((SIDE_PX, SIDE_PX)))
    found = Checkpoint.find("tem")
    replace(found, name="small", lattice_px=64, pixel_size_um=0.1).save(found.network(), folder)
    return folder / "slide.tif", folder / "small.json"


def _wait(until: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not until() and time.monotonic() < end:
        time.sleep(0.05)


def _reach(run: Run, driver: subprocess.Popen[bytes], batches: float) -> None:
    _wait(lambda: len(run.done()) >= batches or driver.poll() is not None)


def _end(processes: list[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        process.terminate()
    for process in processes:
        process.wait()


def _slurm(*words: str) -> None:
    subprocess.run(words, check=True)


def _stage(run: Run) -> str:
    try:
        return str(json.loads((run.store / ".axonflow" / "status.json").read_text())["stage"])
    except (OSError, ValueError, KeyError):
        return "?"


def _said(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines()
    return next((line.removeprefix("axonflow: ") for line in reversed(lines) if line.startswith("axonflow:")), "")


def table(outcomes: list[Outcome]) -> str:
    """Return the outcomes as Markdown."""
    rows = ["| | fault | struck | exit codes | said | batches kept | left behind | s | same bytes |", "|" + "---|" * 9]
    for i, one in enumerate(outcomes, 1):
        codes = ", ".join(map(str, one.codes))
        same = "yes" if one.same else "NO"
        rows.append(
            f"| {i} | {one.fault} | {one.struck} | {codes} | {one.said} | {one.kept} | {one.left} | {one.seconds} "
            f"| {same} |"
        )
    return "\n".join(rows)


def main() -> None:
    """Run all, print the table and write it as JSON."""
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n", 1)[0])
    parser.add_argument("folder", type=Path, help="where slides, stores and logs go; it must not exist")
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--seed", type=int, default=4)
    parser.add_argument("--first", type=int, default=1, help="number of the first of them")
    parser.add_argument("--only", default="", help="faults whose name holds this")
    given = parser.parse_args()
    given.folder.mkdir(parents=True)
    chance, folder = random.Random(given.seed), given.folder.absolute()
    slide, model = prepare(folder)
    reference = Run(folder / "local", chance)
    words = [*AXONFLOW, "run", str(slide), "--out", str(reference.store), "--model", str(model), *_CUT]
    subprocess.run([*words, "--workers", "1"], check=True, stdout=subprocess.DEVNULL)
    expected, batches = contents(reference.store), len(reference.done())
    chosen = [fault for fault in FAULTS if given.only in fault.name]
    order = chance.sample(chosen, len(chosen))
    order += chance.choices([fault for fault in chosen if fault.strike] or chosen, k=given.runs)
    outcomes: list[Outcome] = []
    for i, fault in enumerate(order[given.first - 1 : given.runs], given.first):
        run = Run(folder / f"{i:02}", random.Random(f"{given.seed} {i}"))
        outcome, found = befall(fault, run, slide, model, batches)
        outcomes.append(replace(outcome, same=found == expected))
        print(f"{i:02}", json.dumps(asdict(outcomes[-1]), ensure_ascii=False), flush=True)
        (folder / "faults.json").write_text(json.dumps([asdict(one) for one in outcomes], indent=1) + "\n")
    print(table(outcomes))
    if not all(one.same and not one.codes[-1] and not one.left and MISSED not in one.struck for one in outcomes):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
