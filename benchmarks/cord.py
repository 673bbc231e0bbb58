"""How long a whole rat cord takes, from the slide's file to the maps and the report.

``python -m benchmarks.cord --folder SCRATCH [--side 34000]``: ``axonflow run slide.tif`` on all cores with its
defaults and the network, on a phantom of 34,000² px at 0.1 µm, which is drawn before. The seconds are those of the
command, with all that it loads and starts; the paper's five hours were a laptop's, too.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from pyarrow import parquet
from scipy.spatial import KDTree

from benchmarks.measuring import Goal, Sample, interleaved, report, seconds

PAPER_S = 5 * 3600.0
MOST_S = 25 * 60.0
STAGES = ("convert", "segment", "label", "measure", "map")


def slide(folder: Path, side: int) -> tuple[Path, Path]:
    """Return a phantom and the table of its true axons; drawn and counted, if they are not there."""
    from axonflow.phantom import Phantom, write

    path, truth = folder / f"phantom-{side}.tif", folder / f"phantom-{side}.parquet"
    phantom = Phantom((side, side))
    folder.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        part = path.with_suffix(".part.tif")
        write(part, phantom)
        part.rename(path)
    if not truth.exists():
        phantom.truth().to_parquet(truth, index=False)
    return path, truth


def analyse(tiff: Path, store: Path, repeats: int) -> list[Sample]:
    """Run the command into a store that is not there, so many times; each sample says the seconds of its stages."""
    samples = []
    for _ in range(repeats):
        shutil.rmtree(store, ignore_errors=True)
        words = [sys.executable, "-m", "axonflow", "run", str(tiff), "--out", str(store)]
        one = interleaved({"axonflow run": words}, 1)["axonflow run"][0]
        made = json.loads((store / "run.json").read_text())["stages"]
        spent = {
            stage: sum(summary["seconds"] for name, summary in made.items() if name.partition(".")[0] == stage)
            for stage in STAGES
        }
        spent["start, figures and report"] = one.seconds - sum(spent.values())
        samples.append(replace(one, said={"stages": spent}))
    return samples


def found(store: Path, truth: Path) -> tuple[int, int, float]:
    """Count the axons that were found and that were drawn, and which share of these holds the centroid of one."""
    drawn = pd.read_parquet(truth)
    centroids = parquet.read_table(store / "tables" / "fibers.parquet", columns=["y0 (px)", "x0 (px)"]).to_pandas()
    reach = np.sqrt(drawn["axon_px"].to_numpy() / np.pi)  # they are ellipses, nearly round, and never touch
    apart, _ = KDTree(centroids.to_numpy()).query(drawn[["y0 (px)", "x0 (px)"]].to_numpy())
    return len(centroids), len(drawn), float((apart <= reach).mean())


def main() -> None:
    """Draw the slide, run the command and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=34_000, help="of the slide, px")
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--folder", type=Path, required=True, help="for the slide, which is used again, and the store")
    given = parser.parse_args()
    tiff, truth = slide(given.folder, given.side)
    store = given.folder / "cord.ome.zarr"
    samples = analyse(tiff, store, given.repeats)
    model = json.loads((store / "run.json").read_text())["model"]
    taken, parts = seconds(samples), samples[-1].said["stages"]
    ours, true, share = found(store, truth)
    report(
        "cord",
        f"whole run: {given.side:,}² px ({given.side**2 / 1e9:.2g} Gpx), from the file to maps and report",
        {"axonflow run": samples},
        [
            Goal("at most 25 min", taken / 60, taken <= MOST_S, "min"),
            Goal("the paper's five hours over this", PAPER_S / taken, taken <= MOST_S, "×"),
        ],
        [
            "Of the last run, s: " + ", ".join(f"{name} {spent:.1f}" for name, spent in parts.items()) + ".",
            f"Model {model['name']} in {model['precision']}, halo {model['halo_px']} px; "
            f"{given.side**2 / taken / 1e6:.2f} Mpx/s over all.",
            f"{ours:,} axons were found, {true:,} were drawn, and {share:.1%} of these hold the centroid of one that "
            "was found. What the network costs does not depend on what it sees; labelling and measuring cost by axon.",
        ],
    )


if __name__ == "__main__":
    main()
