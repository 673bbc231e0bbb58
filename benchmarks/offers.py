"""How many circles of each size a phantom's tracts have to be offered: it writes ``axonflow/phantom/offers.py``.

``python -m benchmarks.offers [--rounds 24]``: whoever changes the tracts, the sizes or the packing runs it again. A
field of each tract is packed, and every number changed by what was missing or too much, until all sizes are as the
tract's distribution of diameters says.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import lognorm

from axonflow import phantom
from axonflow.kernel.grid import Box
from axonflow.phantom.anatomy import GREY_FIBERS, GREY_MATTER, TRACTS, Atlas, Tract
from axonflow.phantom.packing import FIBER, RADII_UM, ROUNDS, pack

Floats = NDArray[np.float64]

PX_PER_UM = 10.0
SIDE = 2600
"""Of a field, px."""

DRAWN = 1.03
"""Radius of a disc as large as a fiber that is drawn, in radii of its circle."""

HEAD = '''"""How many circles of each size are offered per mm², so that each tract gets the axons that it is to have.

What is taken is less, because room is scarce; so these numbers were found by trial, by ``python -m benchmarks.offers``.
"""

from __future__ import annotations

__all__ = ["OFFERS"]

OFFERS: tuple[tuple[float, ...], ...] = (
'''
TAIL = ''')
"""Rows are grey matter and the tracts, in their order; columns the sizes, the largest first."""
'''


def wanted(tract: Tract) -> Floats:
    """Return the fibers of each size that a tract is to have, per mm²."""
    mean, spread = tract.diameter_um / tract.gratio, tract.spread_um / tract.gratio
    variance = np.log(1 + (spread / mean) ** 2)
    diameters = 2 * DRAWN * np.array(RADII_UM)
    below = lognorm.cdf(diameters, np.sqrt(variance), scale=mean * np.exp(-variance / 2))
    shares: Floats = below[:-1] - below[1:]
    return shares * tract.density


def packed(number: int, offers: Floats, seed: int) -> Floats:
    """Return the fibers of each size that a field of a tract gets, per mm²."""
    far = np.full((40, 40), 1e3, np.float32)
    everywhere = Atlas(far, far if number == GREY_MATTER else -far, np.full((40, 40), number, np.uint8))
    box, table = Box(0, 0, SIDE, SIDE), tuple(map(tuple, offers.tolist()))
    rows = pack(seed, box, box.shape, (SIDE / 2, SIDE / 2, 10.0 * SIDE), everywhere, PX_PER_UM, table).rows
    inside = (rows[:, 3] == FIBER) & ((rows[:, :2] >= 0) & (rows[:, :2] < SIDE)).all(axis=1)
    counts = np.histogram(-rows[inside, 2] / PX_PER_UM, bins=-np.array(RADII_UM))[0]
    density: Floats = counts / (SIDE / PX_PER_UM / 1e3) ** 2
    return density


def rounded(value: float) -> str:
    """Return three digits of a number, as code has them."""
    known = float(f"{value:.3g}")
    return f"{int(known):_}" if known >= 100 else f"{known:g}"


def main() -> None:
    """Find the numbers and write them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=24, help="of trial")
    given = parser.parse_args()
    tracts = (GREY_FIBERS, *TRACTS)
    goals = np.array([wanted(tract) for tract in tracts])
    most = 1e6 * np.array(ROUNDS) / (1.6 * np.array(RADII_UM[:-1])) ** 2
    offers = 2 * goals
    for trial in range(given.rounds):
        for k, goal in enumerate(goals):
            found = packed(k + GREY_MATTER, offers, trial)
            change = np.clip(np.where(found > 0, (goal + 2) / (found + 2), 2), 0.5, 2)
            offers[k] = np.minimum(offers[k] * change ** (0.8 if trial < 8 else 0.35), most)
            if trial == given.rounds - 1:
                print(f"{tracts[k].name:25} {found.sum() / goal.sum():.3f} of the fibers")
    lines = [
        f"    ({', '.join(rounded(value) for value in row)}),  # {tract.name}\n"
        for tract, row in zip(tracts, offers, strict=True)
    ]
    (Path(phantom.__file__).parent / "offers.py").write_text(HEAD + "".join(lines) + TAIL)


if __name__ == "__main__":
    main()
