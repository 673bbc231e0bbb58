"""What the command takes before it does anything: ``axonflow --help``, and what only reads a few files.

``python -m benchmarks.start [--store STORE]``: processor time is what counts, and what is imported on the way, as
Python itself tells it with ``-X importtime``.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from benchmarks.measuring import Goal, interleaved, report
from benchmarks.peers import FOLDER
from benchmarks.resume import small_store

MOST_S = 0.3
HEAVY = (
    "dask",
    "distributed",
    "matplotlib",
    "numba",
    "numpy",
    "pandas",
    "scipy",
    "tifffile",
    "torch",
    "xarray",
    "zarr",
)
NEVER = frozenset({"dask", "distributed", "torch", "zarr"})
"""Packages that help has no use for."""


def imported(words: Sequence[str]) -> tuple[int, list[str]]:
    """Return how many modules a command imports, and which heavy packages are among them."""
    told = subprocess.run([words[0], "-X", "importtime", *words[1:]], capture_output=True, text=True, check=True).stderr
    modules = re.findall(r"^import time:.*\| +(\S+)$", told, re.MULTILINE)
    return len(modules), [name for name in HEAVY if name in modules]


def main() -> None:
    """Measure the commands in turn."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", type=Path, help="of a finished run; without it a small one is made")
    parser.add_argument("--folder", type=Path, default=FOLDER / "resume", help="for a store, if none is given")
    parser.add_argument("--repeats", type=int, default=9)
    given = parser.parse_args()
    os.environ["PYTHONDONTWRITEBYTECODE"] = ""  # byte code is kept, as an installation keeps it
    store = given.store or small_store(given.folder)
    slide = small_store(given.folder).with_name("phantom.tif")
    typed = {
        "axonflow --help": ["--help"],
        "axonflow run --help": ["run", "--help"],
        "axonflow models list": ["models", "list"],
        "axonflow status STORE": ["status", str(store)],
        "axonflow info SLIDE": ["info", str(slide)],
        "axonflow info STORE": ["info", str(store)],
    }
    sides = {name: [sys.executable, "-m", "axonflow", *words] for name, words in typed.items()}
    found = {name: imported(words) for name, words in sides.items()}  # which leaves the byte code
    samples = interleaved({"python -c pass": [sys.executable, "-c", "pass"], **sides}, given.repeats)
    used = median(one.processor_s for one in samples["axonflow --help"])
    unwanted = sorted(NEVER & {*found["axonflow --help"][1]})
    report(
        "start",
        "start: what a command takes before it does anything",
        samples,
        [
            Goal(f"axonflow --help: less than {MOST_S} s of processor time", used, used < MOST_S, "s"),
            Goal(f"no {', '.join(sorted(NEVER))} on the way to help", len(unwanted), not unwanted, "of them"),
        ],
        [
            "Both times include the start of Python.",
            *(
                f"{name} imports {count} modules, with {', '.join(heavy) or 'none of the heavy packages'}."
                for name, (count, heavy) in found.items()
            ),
        ],
    )


if __name__ == "__main__":
    main()
