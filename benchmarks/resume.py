"""How long ``axonflow run`` takes on a store in which nothing is left to do.

``python -m benchmarks.resume [--store STORE]``: the command, from its start to its end, on the largest store that
there is; without one, on a phantom of 4096² px with masks of its own. It opens the slide, asks the journal and prints
the numbers of the result.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

from benchmarks.measuring import Goal, interleaved, report, seconds
from benchmarks.peers import FOLDER

MOST_S = 2.0


def small_store(folder: Path) -> Path:
    """Return the store of a phantom with its true masks; made, if it is not there."""
    from axonflow.phantom import Phantom, write

    store = folder / "phantom.ome.zarr"
    if not (store / "run.json").exists():
        folder.mkdir(parents=True, exist_ok=True)
        write(folder / "phantom.tif", Phantom((4096, 4096)), folder / "truth")
        words = ["run", str(folder / "phantom.tif"), "--labels", str(folder / "truth" / "labels.tif")]
        subprocess.run([sys.executable, "-m", "axonflow", *words, "--out", str(store)], check=True, stdout=sys.stderr)
    return store


def main() -> None:
    """Complete the store, and measure what the command takes then."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", type=Path, help="of a finished run, whose slide is where it was")
    parser.add_argument("--folder", type=Path, default=FOLDER / "resume", help="for a store, if none is given")
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    os.environ["PYTHONDONTWRITEBYTECODE"] = ""  # byte code is kept, as an installation keeps it
    store = given.store or small_store(given.folder)
    words = [sys.executable, "-m", "axonflow", "run", str(store)]
    subprocess.run(words, check=True, stdout=sys.stderr)  # completes it, and leaves the byte code
    samples = interleaved({"axonflow run": words}, given.repeats)
    record = json.loads((store / "run.json").read_text())
    taken, (h, w) = seconds(samples["axonflow run"]), record["labels"]["shape"]
    made_by = record["model"].get("name", "masks")
    report(
        "resume",
        "resume: nothing left to do",
        samples,
        [Goal("less than 2 s", taken, taken < MOST_S, "s")],
        [f"The store is of {h:,} × {w:,} px ({h * w / 1e9:.2g} Gpx), with labels by {made_by}."],
    )


if __name__ == "__main__":
    main()
