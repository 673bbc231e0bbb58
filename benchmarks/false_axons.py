"""How well a table's columns tell false axons from true ones, on labelled images that the network never saw.

``python -m benchmarks.false_axons FOLDER MODEL… [--out FOLDER]`` takes a BIDS folder and the networks of a
cross-validation. Each image is run by the network whose contract says that its subject was held out. An axon is true if
it shares more than half of its union with a drawn one.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata
from skimage.measure import label

from axonflow.fiber.probability import PROBABILITY
from axonflow.net.checkpoint import Checkpoint
from axonflow.results.report.examples import doubtful_and_typical
from axonflow.training.bids import labelled_images
from axonflow.training.evaluate import Compared, compare

__all__ = ["area_under_curve", "f1", "judge"]

COLUMNS = (PROBABILITY.name, "axon_area (um^2)", "solidity")
LEAST = {PROBABILITY.name: (0.0, 0.55, 0.6, 0.65, 0.7, 0.8), "axon_area (um^2)": (0.3, 0.4, 0.5, 0.7, 1.0)}


def judge(compared: Compared) -> tuple[pd.DataFrame, int]:
    """Return the axons that were found, each ``true`` or not, and the number of those that were drawn."""
    found = compared.analysis.labels["axons"].compute().astype(np.int64)
    drawn = label(compared.truth == compared.analysis.classes.axon, connectivity=2)
    n_found, n_drawn = int(found.max()), int(drawn.max())
    both = np.bincount(found.ravel() * (n_drawn + 1) + drawn.ravel(), minlength=(n_found + 1) * (n_drawn + 1))
    both = both.reshape(n_found + 1, n_drawn + 1)
    union = both.sum(axis=1, keepdims=True) + both.sum(axis=0, keepdims=True) - both
    true = (both[1:, 1:] > 0.5 * union[1:, 1:]).any(axis=1)  # above half, a pair is the only one of both
    return compared.analysis.fibers.assign(true=true, image=compared.image.name), n_drawn


def area_under_curve(values: ArrayLike, true: ArrayLike) -> float:
    """Return the probability that a true axon has the larger value of a true and a false one; ties count half."""
    rank, of = rankdata(values), np.asarray(true, bool)
    n, m = int(of.sum()), int((~of).sum())
    return float((rank[of].sum() - n * (n + 1) / 2) / (n * m))


def f1(true: ArrayLike, kept: ArrayLike, drawn: int) -> float:
    """Return 2 · hits / (found + drawn) of the axons that are kept."""
    found = np.asarray(kept, bool)
    hits = int((np.asarray(true, bool) & found).sum())
    return 2 * hits / (int(found.sum()) + drawn)


def main() -> None:
    """Run every image, and print what each column tells of its axons."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--out", type=Path, default=Path("false-axons"))
    given = parser.parse_args()
    without = {name: model for model in given.models for name in Checkpoint.find(model).trained_on.get("held_out", ())}
    tables, drawn = [], 0
    for image in labelled_images(given.folder):
        compared = compare(without[image.subject], image, given.out, workers=1)
        table, count = judge(compared)
        tables.append(table)
        drawn += count
        print(f"{image.name}: {count} drawn, {len(table)} found, {table['true'].sum()} of them true", flush=True)
        for by, sure in (("map", _of_cells(compared, table)), ("table", table[PROBABILITY.name].to_numpy())):
            rows = [each.row for each in doubtful_and_typical(table, sure)[0]]
            print(f"  of the {len(rows)} most doubtful, by the {by}, {(~table['true'].iloc[rows]).sum()} are false")
    every = pd.concat(tables)
    every.to_csv(given.out / "axons.csv", index=False)
    for column in COLUMNS:
        print(f"AUC by {column}: {area_under_curve(every[column], every['true']):.3f}")
    for column, bounds in LEAST.items():
        for least in bounds:
            kept = every[column] >= least
            gone = every["true"][~kept]
            said = f"leaves out {(~gone).sum()} false and {gone.sum()} true axons"
            print(f"{column} from {least}: F1 {f1(every['true'], kept, drawn):.4f}; {said}")


def _of_cells(compared: Compared, table: pd.DataFrame) -> NDArray[np.float64]:
    """Return the network's confidence in the cell of the map that holds each axon."""
    maps = compared.analysis.maps
    cells = tuple((table[f"{axis}0 (um)"] / float(maps.attrs["cell_side_um"])).astype(int) for axis in "yx")
    found: NDArray[np.float64] = maps["confidence"].to_numpy()[cells]
    return found


if __name__ == "__main__":
    main()
