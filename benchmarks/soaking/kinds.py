"""The kinds of fault that strike a run, and how each does."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from benchmarks.rot import DAMAGES, proved
from benchmarks.soaking.material import SCENES
from benchmarks.soaking.trial import Kind, Trial, killed

if TYPE_CHECKING:
    from axonflow.results.analysis import Analysis

__all__ = ["KINDS"]

DONE, FAILED, REFUSED, INTERRUPTED = 0, 1, 2, 130
FASTEST = SCENES[:1]
CHANGED = (("--cell", "9"), ("--min-axon-area", "0.5"))


def _signal(*numbers: signal.Signals) -> Callable[[Trial], None]:
    """Return what sends a run signals, one soon after the other."""

    def play(trial: Trial) -> None:
        process, all_of_them = trial.start(), trial.chance.random() < 0.5
        trial.struck = trial.reach(process)
        for number in numbers:
            process.send(number, all_of_them=all_of_them)
            pause = trial.chance.choice((0.0, 0.02, 0.3, 1.0)) if len(numbers) > 1 else 0.0
            trial.notes.append(f"{number.name}{' to all' if all_of_them else ''}, {pause} s")
            time.sleep(pause)
        trial.ended(process, {DONE, -signal.SIGKILL if signal.SIGKILL in numbers else INTERRUPTED})

    return play


@contextmanager
def _small_disk(trial: Trial) -> Iterator[Path]:
    """Have the store on a disk of its own; yield its folder."""
    (disk := trial.store).mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "axonflow", str(disk)], check=True)
    (disk / ".axonflow").mkdir()
    try:
        yield disk
    finally:
        shutil.copytree(disk, aside := trial.folder / "aside", symlinks=True)
        subprocess.run(["umount", "--lazy", str(disk)], check=True)
        disk.rmdir()
        aside.rename(disk)


def _fill_disk(trial: Trial) -> None:
    """Fill the disk of the store all but for some bytes; it stays full for one more command, perhaps."""
    with _small_disk(trial) as disk:
        process = trial.start()
        trial.struck = trial.reach(process)
        left, filler = trial.chance.choice((0, 1, 20_000, 200_000)), disk / ".axonflow" / "filler"
        free = shutil.disk_usage(disk).free
        with suppress(OSError), filler.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, max(free - left, 1))
        trial.notes.append(f"{left} bytes left")
        first = trial.ended(process, {DONE, FAILED, REFUSED})
        trial.struck &= first.code != DONE
        if first.code and trial.chance.random() < 0.5:
            trial.ended(trial.start(), {FAILED, REFUSED, DONE})
        filler.unlink()


def _no_space(trial: Trial) -> None:
    """Have every file of the store answer that the disk is full."""
    process = trial.start()
    trial.struck = trial.reach(process)
    trial.ask("ENOSPC")
    first = trial.ended(process, {DONE, FAILED, REFUSED})
    trial.struck &= first.code != DONE
    if first.code and trial.chance.random() < 0.5:
        trial.ended(trial.start(), {FAILED, REFUSED, DONE})
    trial.befell("ENOSPC")


OBEYING = ("setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-dac_override,-dac_read_search")
"""Makes a command of root's obey permissions."""


def _forbid(trial: Trial) -> None:
    """Take away the permission to write into a folder of the store, or to look into it."""
    before = OBEYING if os.geteuid() == 0 else ()
    process = trial.start(before=before)
    trial.struck = trial.reach(process, first=1)
    folders = [trial.store, *(path for path in trial.store.rglob("*") if path.is_dir() and "partial" not in path.name)]
    folder, mode = trial.chance.choice(sorted(folders)), trial.chance.choice((0o500, 0o000))
    with suppress(FileNotFoundError):
        folder.chmod(mode)
    trial.notes.append(f"{oct(mode)} for {folder.relative_to(trial.folder)}")
    try:
        first = trial.ended(process, {DONE, FAILED, REFUSED})
        trial.struck &= first.code != DONE
        if trial.chance.random() < 0.5:
            again = trial.ended(trial.start(before=before), {DONE, FAILED, REFUSED})
            trial.struck |= again.code != DONE
    finally:
        with suppress(FileNotFoundError):
            folder.chmod(0o755)


def _fail_once(trial: Trial) -> None:
    """Have the file system answer EIO once."""
    process = trial.start()
    trial.reach(process)
    trial.ask("EIO")
    trial.ended(process, {DONE, FAILED})
    trial.struck = trial.befell("EIO")


def _bad_sector(trial: Trial) -> None:
    """Have a part of the slide be unreadable, for whoever reads it whole too, or for who reads a tile."""
    slide = trial.material.slide(trial.scene.slide)
    begin = trial.chance.randrange(slide.stat().st_size)
    largest = trial.chance.choice((2**18, 2**40))
    bad = {"file": str(slide), "begin": begin, "end": begin + 512, "largest": largest}
    trial.notes.append(f"bytes {begin} on, in reads of at most {largest}")
    trial.ask("sector", json.dumps(bad))
    first = trial.ended(trial.start(), {DONE, FAILED, REFUSED})
    trial.struck = first.code != DONE
    if first.code and trial.chance.random() < 0.5:
        trial.ended(trial.start(), {FAILED, REFUSED})
    trial.befell("sector")


def _limit_memory(trial: Trial) -> None:
    """Let a process have little more memory than it has; of workers that are processes, one."""
    process = trial.start()
    trial.reach(process)
    more = trial.chance.choice((0, 2**20, 2**24, 2**26, 2**27))
    with suppress(psutil.Error):
        one = psutil.Process(process.popen.pid)
        children = [child for child in one.children(recursive=True) if "spawn_main" in " ".join(child.cmdline())]
        one = trial.chance.choice([one, *children])
        one.rlimit(psutil.RLIMIT_AS, (one.memory_info().vms + more,) * 2)
        trial.notes.append(f"{more} bytes more for {'the driver' if one.pid == process.popen.pid else 'a worker'}")
    first = trial.ended(process, {DONE, FAILED})
    trial.struck = first.code != DONE


JUMPS_S = (-20 * 365 * 86400, -3600, -2, 3600, 20 * 365 * 86400)


def _jump_within(trial: Trial) -> None:
    """Set the clock while a run goes on, which must not mind; then have the last metadata put back."""
    process = trial.start()
    trial.struck = trial.reach(process)
    trial.ask("clock", str(jump := trial.chance.choice(JUMPS_S)))
    trial.notes.append(f"{jump} s")
    trial.ended(process, {DONE})
    _lose_metadata(trial)
    trial.befell("clock")


def _jump_between(trial: Trial) -> None:
    """Set the clock between two parts of a run, and have files be of another time."""
    process = trial.start()
    trial.struck = trial.reach(process, first=1)
    killed(process, trial)
    trial.ended(process, {DONE, -signal.SIGKILL})
    jump = trial.chance.choice(JUMPS_S)
    trial.notes.append(f"{jump} s")
    if trial.chance.random() < 0.5:
        trial.ask("clock", str(jump))
    else:
        for path in trial.store.rglob("*"):
            with suppress(FileNotFoundError):
                os.utime(path, (time.time() + jump,) * 2)
    if trial.chance.random() < 0.7:
        trial.ended(trial.start(), {DONE})
        trial.befell("clock")
    _lose_metadata(trial)


def _lose_metadata(trial: Trial) -> None:
    found = sorted(trial.store.rglob("zarr.json"))
    for path in trial.chance.sample(found, min(len(found), 6)):
        trial.notes.append(f"{path.relative_to(trial.store)} lost")
        path.unlink()


def _two_at_once(trial: Trial) -> None:
    """Start the same command twice."""
    first = trial.start()
    time.sleep(trial.chance.uniform(0, 4))
    second = trial.start()
    ends = [trial.ended(process, {DONE, REFUSED}) for process in (first, second)]
    trial.struck = any("Another run is writing" in end.said for end in ends)
    if not any(end.code == DONE for end in ends):
        trial.wrong.append("both were refused")


def _while_reporting(trial: Trial) -> None:
    """Start a second run while the first one writes its report."""
    trial.command = "run"
    first = trial.start()
    first.until(lambda: bool([*(trial.store / ".axonflow" / "journal" / "map").glob("*/done.*.json")]))
    time.sleep(trial.chance.uniform(0, 0.5))
    second = trial.ended(trial.start(), {DONE, REFUSED})
    trial.struck = "Another run is writing" in second.said
    trial.ended(first, {DONE})


def _view(trial: Trial) -> None:
    """Have the viewer, and an opened result, hold a store that a run changes."""
    import axonflow

    before = trial.material.reference(trial.scene.slide)
    shutil.copytree(before.store, trial.store)
    trial.changed = trial.chance.choice(CHANGED)
    after = trial.expected
    held = axonflow.open(trial.store)
    viewer = trial.start(["view", str(trial.store), "--no-browser"])
    viewer.until(lambda: "end     Ctrl-C" in viewer.said)
    address = re.search(r"(http://127\.0\.0\.1:\d+)/v/([\w-]+)/", viewer.said)
    if address is None:
        trial.wrong.append(f"the viewer says {viewer.said!r}")
        return
    right = {
        name: {each.files.get(name) for each in (before, after)} for name in before.files.keys() | after.files.keys()
    }
    run, asked = trial.start(), 0
    ended, names = threading.Event(), sorted(right)
    looking = random.Random(trial.chance.random())

    def look() -> None:
        nonlocal asked
        while not ended.is_set():
            name = looking.choice(names)
            try:
                with urllib.request.urlopen(f"{address[1]}/store/{address[2]}/0/{name}", timeout=60) as answer:
                    if sha256(answer.read()).hexdigest() not in right[name]:
                        trial.wrong.append(f"the viewer serves another {name}")
            except urllib.error.HTTPError as error:
                if error.code not in {404, 500}:
                    trial.wrong.append(f"the viewer answers {error.code} for {name}")
            except OSError as error:
                trial.wrong.append(f"the viewer does not answer for {name}: {error}")
            asked += 1
            time.sleep(0.005)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        trial.ended(run, {DONE})
    finally:
        ended.set()
        thread.join()
    trial.notes.append(f"{asked} files asked for")
    trial.struck = asked > 20
    _read(held)
    viewer.send(signal.SIGINT, all_of_them=False)
    trial.ended(viewer, {DONE})


def _read(held: Analysis) -> None:
    """Read what was opened before: numbers, or an error that says why not."""
    from axonflow.errors import AxonflowError

    reads: tuple[Callable[[], object], ...] = (
        lambda: held.fibers,
        lambda: held.maps,
        held.labels["axons"].compute,
        lambda: held.summary,
    )
    for read in reads:
        with suppress(AxonflowError):
            read()


def _rot(trial: Trial) -> None:
    """Damage files between two runs, of a finished store or of one whose run was killed, and have it checked."""
    from axonflow.results.check import check

    if trial.chance.random() < 0.5:
        shutil.copytree(trial.expected.store, trial.store)
    else:
        process = trial.start()
        trial.reach(process, first=1)
        process.send(signal.SIGKILL, all_of_them=True)
        trial.ended(process, {DONE, -signal.SIGKILL})
    for _ in range(trial.chance.randint(1, 3)):
        if found := [name for name in proved(trial.store) if not name.name.endswith(".partial")]:
            name, how = trial.chance.choice(found), trial.chance.choice([*DAMAGES])
            trial.notes.append(f"{how}: {name}")
            DAMAGES[how](trial.store / name, trial.chance)
            trial.struck = True
    check(trial.store)


def _lose_shard(trial: Trial) -> None:
    """Delete a shard between two stages, then change a setting, which must not build on what is missing."""
    stage = trial.chance.choice(("segment", "label", "measure", "map"))
    trial.ended(trial.start(trial.words(stage)), {DONE})
    shards = [path for path in sorted(trial.store.glob("**/c/*/*")) if path.is_file()]
    for path in trial.chance.sample(shards, trial.chance.randint(1, 3)):
        trial.notes.append(f"after {stage}, {path.relative_to(trial.store)} lost")
        path.unlink()
        trial.struck = True
    trial.changed = trial.chance.choice(CHANGED)
    trial.notes.append(" ".join(trial.changed))


def _can_mount() -> bool:
    return os.geteuid() == 0 and shutil.which("mount") is not None and Path("/proc/filesystems").exists()


def _can_forbid() -> bool:
    return os.geteuid() != 0 or shutil.which("setpriv") is not None


KINDS = (
    Kind("kill", _signal(signal.SIGKILL)),
    Kind("term", _signal(signal.SIGTERM)),
    Kind("interrupt", _signal(signal.SIGINT)),
    Kind("interrupt twice", _signal(signal.SIGINT, signal.SIGINT)),
    Kind("full disk", _fill_disk, can=_can_mount),
    Kind("no space", _no_space),
    Kind("no permission", _forbid, can=_can_forbid),
    Kind("one EIO", _fail_once),
    Kind("bad sector", _bad_sector),
    Kind("little memory", _limit_memory),
    Kind("clock within", _jump_within),
    Kind("clock between", _jump_between),
    Kind("two at once", _two_at_once),
    Kind("while reporting", _while_reporting, FASTEST),
    Kind("viewer", _view, FASTEST),
    Kind("rot", _rot),
    Kind("lost shard", _lose_shard),
)
