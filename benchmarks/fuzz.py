"""What axonflow makes of inputs that are damaged, made up or hostile: refused in a sentence, or taken; nothing else.

``python -m benchmarks.fuzz FOLDER --cases 10000 --seed 1``. Cases of the kinds in :mod:`benchmarks.fuzzing.kinds` are
tried in child processes, many in each, with ten seconds of the processor and 1 GiB of memory for every one. A case is
found again by its kind and number: ``--only journals --case 1:417``, which raises what it raised.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import select
import shutil
import signal
import sys
import time
from collections import Counter, defaultdict
from pathlib import Path

from benchmarks.fuzzing.kind import Kind
from benchmarks.fuzzing.kinds import KINDS
from benchmarks.fuzzing.trial import PATIENCE_S, Ended, attempt, bounded

HOWS = ("refused", "accepted", "traceback", "hang", "memory")
A_CHILD = 100
"""Cases in one process."""


def main() -> None:
    """Try the cases, print the table, and leave with 1 if anything broke."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where files are made")
    parser.add_argument("--cases", type=int, default=1000, help="in all")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--only", nargs="*", default=[], help="kinds")
    parser.add_argument("--case", help="SEED:NUMBER of one case, which is tried in this process")
    given = parser.parse_args()
    kinds = [kind for kind in KINDS if kind.name in given.only or not given.only]
    folder = given.folder.absolute()
    made = {kind.name: _made(kind, folder / "made") for kind in kinds}
    if given.case:
        (kind,) = kinds
        inside = folder / "case"
        shutil.copytree(made[kind.name], inside)
        chance = random.Random(f"{kind.name}:{given.case}")
        kind.change(chance, inside)
        kind.use(chance, inside)
        return
    print(f"seed {given.seed}")
    counts: dict[str, Counter[str]] = {}
    for kind in kinds:
        broken: dict[str, list[str]] = defaultdict(list)
        count = max(round(given.cases * kind.share / sum(each.share for each in kinds)), 1)
        counts[kind.name] = Counter()
        began = time.monotonic()
        for case, ended in _tried(kind, made[kind.name], folder / "cases", given.seed, count):
            counts[kind.name][ended.how] += 1
            if ended.how not in {"refused", "accepted"}:
                broken[f"{kind.name}: {ended.how}: {ended.said}"].append(case)
        line = "".join(f"{counts[kind.name][how]:>10}" for how in HOWS)
        print(f"{kind.name:<16}{count:>6}{line}  {time.monotonic() - began:6.0f} s", flush=True)
        for what, cases in sorted(broken.items(), key=lambda item: item[0]):
            print(f"{len(cases):>10} × {what}   (--case {cases[0]})", flush=True)
    whole = sum(counts.values(), Counter())
    print(f"{'all':<16}{sum(whole.values()):>6}" + "".join(f"{whole[how]:>10}" for how in HOWS))
    sys.exit(whole.total() > whole["refused"] + whole["accepted"])


def _made(kind: Kind, top: Path) -> Path:
    folder = top / kind.make.__name__
    if not folder.exists():
        child = os.fork()
        if not child:
            folder.mkdir(parents=True)
            kind.make(folder)
            os._exit(0)
        if os.waitpid(child, 0)[1]:
            raise SystemExit(f"What is right of {kind.name} could not be made.")
    return folder


def _tried(kind: Kind, made: Path, folder: Path, seed: int, count: int) -> list[tuple[str, Ended]]:
    """Try cases in child processes; where one dies, the case that it was at is what killed it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    done: list[tuple[str, Ended]] = []
    while len(done) < count:
        numbers = range(len(done), min(len(done) + A_CHILD, count))
        said, saying = os.pipe()
        child = os.fork()
        if not child:
            os.close(said)
            _child(kind, made, folder, [f"{seed}:{number}" for number in numbers], saying)
        os.close(saying)
        how = _follow(child, said, done)
        if how:
            done.append((f"{seed}:{len(done)}", Ended(*how)))
    return done


def _child(kind: Kind, made: Path, folder: Path, cases: list[str], saying: int) -> None:
    os.environ["PATH"] = ""  # no queueing system is asked anything
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)
    with bounded():
        for case in cases:
            ended = attempt(kind, made, folder / case.replace(":", "-"), f"{kind.name}:{case}")
            os.write(saying, (json.dumps([case, ended.how, ended.said[:3000]]) + "\n").encode())
            if ended.how in {"hang", "memory"}:
                break  # what it holds is not given back
    os._exit(0)


def _follow(child: int, said: int, done: list[tuple[str, Ended]]) -> tuple[str, str] | None:
    """Note what a child says until it ends; return how it was ended, if not by itself."""
    killed = False
    with os.fdopen(said, "rb", buffering=0) as lines:
        rest = b""
        while True:
            if not select.select([lines], [], [], 7 * PATIENCE_S)[0]:
                killed = True
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)
            block = lines.read(65_536)
            if not block:
                break
            *whole, rest = (rest + block).split(b"\n")
            for line in whole:
                case, how, words = json.loads(line)
                done.append((case, Ended(how, words)))
    status = os.waitpid(child, 0)[1]
    if killed:
        return "hang", "it had to be killed"
    return ("traceback", f"it died of {status}") if status else None


if __name__ == "__main__":
    main()
