"""What becomes of a store that rots: each trial damages a copy, and the store must say so and be made anew.

``python -m benchmarks.rot FOLDER [--slide SLIDE] [--trials 100] [--bits 200] [--seed 1]``: a slide (a phantom, unless
one is given) is run once. Then, trial by trial, a file of a copy is damaged at random: a bit, cut off, gone, empty,
zeros, or swapped with another. ``axonflow check`` must name it, and the same run must bring back the reference bytes.
Last, single bits are flipped in each part of the store, and what is read through the API must be what was written, or
an error. Ends with exit code 1 if anything was silent, came out otherwise or ended in something else than a sentence.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import axonflow
from axonflow.errors import AxonflowError, DamageError
from axonflow.results.analysis import Analysis

UNPROVED = {"run.json", "record.sha256", "run.log", "status.json", "lock", "report.html"}
"""What is written anew at every run, or guards it."""

SETTINGS: dict[str, Any] = {"workers": 1, "chunk": 512, "cell": 20}

PARTS: dict[str, Callable[[Analysis], Any]] = {
    "slide": lambda result: result.image.compute(),
    "labels/semantic": lambda result: result.labels["semantic"].compute(),
    "labels/axons": lambda result: result.labels["axons"].compute(),
    "labels/fibers": lambda result: result.labels["fibers"].compute(),
    "tables": lambda result: result.fibers.to_csv(),
    "maps": lambda result: {str(name): values.to_numpy() for name, values in result.maps.variables.items()},
}


def flip(path: Path, chance: random.Random) -> None:
    """Change one bit of a file."""
    content = bytearray(path.read_bytes())
    content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    path.write_bytes(content)


def swap(path: Path, chance: random.Random) -> None:
    """Exchange a file with another of its kind; without one, or if they are equal, empty it."""
    others = [each for each in path.parent.parent.rglob(f"*{path.suffix}") if each.is_file() and each != path]
    if not others:
        path.write_bytes(b"")
        return
    other = chance.choice(others)
    ours, theirs = path.read_bytes(), other.read_bytes()
    path.write_bytes(theirs if theirs != ours else b"")
    other.write_bytes(ours)


DAMAGES: dict[str, Callable[[Path, random.Random], Any]] = {
    "a bit": flip,
    "cut off": lambda path, chance: path.write_bytes(path.read_bytes()[: chance.randrange(path.stat().st_size)]),
    "gone": lambda path, _: path.unlink(),
    "empty": lambda path, _: path.write_bytes(b""),
    "zeros": lambda path, _: path.write_bytes(bytes(path.stat().st_size)),
    "swapped": swap,
}


def proved(store: Path) -> list[Path]:
    """Return the files that a check answers for, relative to the store."""
    return [
        path.relative_to(store)
        for path in sorted(store.rglob("*"))
        if path.is_file() and path.name not in UNPROVED and "figures" not in path.parts and path.stat().st_size
    ]


def content(store: Path) -> dict[Path, bytes]:
    """Return the store's files, without its journal."""
    return {name: (store / name).read_bytes() for name in proved(store) if ".axonflow" not in name.parts}


def trials(slide: Path, reference: Path, folder: Path, count: int, chance: random.Random) -> Counter[str]:
    """Damage copies, check them and run them again."""
    outcome, right = Counter[str](), content(reference)
    for trial in range(count):
        store = folder / reference.name
        shutil.rmtree(store, ignore_errors=True)
        shutil.copytree(reference, store)
        kind, name = chance.choice([*DAMAGES]), chance.choice(proved(store))
        DAMAGES[kind](store / name, chance)
        what = f"{kind}: {name}"
        try:
            seen = not axonflow.check(store).sound
            axonflow.run(slide, store, **SETTINGS)
            well = content(store) == right and axonflow.check(store).sound
        except AxonflowError as error:
            seen, well, what = True, False, f"{what}: {error}"
        outcome["seen" if seen else "SILENT"] += 1
        outcome["made anew" if well else "NOT MADE ANEW"] += 1
        if not (seen and well):
            print(f"trial {trial}: {what}", flush=True)
    return outcome


def bits(reference: Path, folder: Path, part: str, count: int, chance: random.Random) -> Counter[str]:
    """Flip single bits in a part of a store, and read it."""
    outcome, read = Counter[str](), PARTS[part]
    store = folder / reference.name
    shutil.rmtree(store, ignore_errors=True)
    shutil.copytree(reference, store)
    right = read(axonflow.open(store))
    inside = [path for path in sorted((store / ("s0" if part == "slide" else part)).rglob("*")) if path.is_file()]
    for _ in range(count):
        path = chance.choice(inside)
        whole = path.read_bytes()
        flip(path, chance)
        try:
            came = read(axonflow.open(store))
            np.testing.assert_equal(came, right)
            outcome["no number of it was read"] += 1  # as of the levels above
        except DamageError:
            outcome["refused"] += 1
        except AssertionError:
            outcome["SILENT"] += 1
        path.write_bytes(whole)
    return outcome


def main() -> None:
    """Run the slide, then the trials, and print what came of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="for the slide and the stores; made if it is not there")
    parser.add_argument("--slide", type=Path)
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--bits", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    print(f"seed {given.seed}")
    given.folder.mkdir(parents=True, exist_ok=True)
    slide, chance = given.slide, random.Random(given.seed)
    if slide is None:
        from axonflow.phantom import Phantom, write

        write(slide := given.folder / "phantom.tif", Phantom((700, 900)))
    reference = given.folder / "reference" / "slide.ome.zarr"
    axonflow.run(slide, reference, **SETTINGS)
    (given.folder / "copy").mkdir(exist_ok=True)
    outcome = trials(slide, reference, given.folder / "copy", given.trials, chance)
    print(f"{given.trials} trials: {dict(outcome)}", flush=True)
    for part in PARTS:
        found = bits(reference, given.folder / "copy", part, given.bits, chance)
        outcome += found
        print(f"{given.bits} bits in {part}: {dict(found)}", flush=True)
    sys.exit(any(name.isupper() for name in outcome))


if __name__ == "__main__":
    main()
