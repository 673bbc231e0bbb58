"""What the slide's border does to density and diameter: fields cut from a phantom, counted by each rule.

``python -m benchmarks.fields`` cuts 20 fields of 60 µm. The truth of a field is known from the whole phantom: the axons
whose true centroid lies in it, with their true diameters.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from axonflow.api import run
from axonflow.kernel.classes import AXON_MYELIN
from axonflow.kernel.grid import Box
from axonflow.phantom import Phantom

__all__ = ["BORDERS", "compare", "errors"]

BORDERS = ("all", "inside", "frame")

_DIAMETER = "axon_diam (um)"


def compare(fields: int = 20, side_um: float = 60.0, seed: int = 7, borders: Sequence[str] = BORDERS) -> pd.DataFrame:
    """Cut fields, run each, and count it by each rule of the border.

    Parameters
    ----------
    fields : int
    side_um : float
        Of a field.
    seed : int
        Of the phantom and of the places.
    borders : sequence of str
        The rules.

    Returns
    -------
    DataFrame
        One row per field and rule: ``field``, ``border``, ``density`` and ``diameter``, and the true ones of the field,
        ``true_density`` and ``true_diameter``; axons per mm² and µm.
    """
    whole = Phantom((6000, 6000), seed)
    truth, um = whole.truth(), whole.pixel_size.x
    diameters = np.sqrt(truth["axon_px"].to_numpy() * 4 / np.pi) * um
    side, random = round(side_um / um), np.random.default_rng(seed)
    area_mm2 = (side * um / 1000) ** 2
    rows = []
    with TemporaryDirectory() as folder:
        for field in range(fields):
            y, x = random.integers(300, 6000 - 300 - side, 2).tolist()  # clear of the phantom's own border
            labels = Path(folder) / f"{field}.png"
            Image.fromarray(AXON_MYELIN.greys[whole.classes(Box(y, x, y + side, x + side))]).save(labels)
            inside = truth["y0 (px)"].between(y - 0.5, y + side - 0.5, inclusive="left")
            inside &= truth["x0 (px)"].between(x - 0.5, x + side - 0.5, inclusive="left")
            true = inside.sum() / area_mm2, diameters[inside].mean()
            for border in borders:
                result = run(labels, Path(folder) / f"{field}", labels=labels, pixel_size=um, border=border, workers=1)
                table = result.counted_fibers([_DIAMETER])
                density = float(result.maps["axon_count"].sum()) / float(result.maps["covered_area"].sum())
                rows.append((field, border, density, table[_DIAMETER].mean(), *true))
    names = ["field", "border", "density", "diameter", "true_density", "true_diameter"]
    return pd.DataFrame(rows, columns=names)


def errors(table: pd.DataFrame) -> pd.DataFrame:
    """Return, by rule, the mean of the relative errors over the fields, and of their absolute values."""
    found: dict[str, Any] = {}
    for name in ("density", "diameter"):
        error = table[name] / table[f"true_{name}"] - 1
        found |= {f"{name}_bias": error, f"{name}_error": error.abs()}
    return pd.DataFrame(found).groupby(table["border"], sort=False).mean()


if __name__ == "__main__":
    print(errors(compare()).map("{:+.2%}".format).to_string())
