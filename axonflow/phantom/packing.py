"""Where the fibers and cells of a cord lie: circles of every size thrown into it, the large ones first, locally.

Each size has rounds of its own. In a round every square of a lattice offers one circle: its place, its radius and its
chance follow from a hash of (seed, round, row, column) and from the tract. It is taken unless it cuts too deep into one
that was taken in an earlier round, or into one of its own round whose hash is larger. So what becomes of a circle is
decided by its neighbourhood alone, in whatever boxes a slide is drawn; :func:`margins` says how much of the
surroundings a box needs.

A circle is a row of 6 numbers (:data:`ROW`) and a word of 64 random bits. All its loops are in this file, because a
compiled loop calls only those of its own module.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from axonflow.kernel.compiled import compiled
from axonflow.kernel.grid import Box
from axonflow.phantom.anatomy import GREY_FIBERS, STEP, TRACTS, Atlas
from axonflow.phantom.offers import OFFERS

__all__ = [
    "FIBER",
    "GLIA",
    "NEURON",
    "RADII_UM",
    "REACH",
    "ROUNDS",
    "ROW",
    "VESSEL",
    "Circles",
    "levels",
    "margins",
    "pack",
]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Offers = tuple[tuple[float, ...], ...]

ROW = ("y", "x", "radius", "kind", "tract", "gratio")
"""Centre and radius in px, what it is, the number of its tract, and the g-ratio that a fiber is drawn for."""

FIBER, GLIA, VESSEL, NEURON = range(4)

REACH = 1.33
"""How far a fiber's outline may be from its centre, in radii."""

RADII_UM = tuple(8.0 * 0.8**k for k in range(15))
"""Bounds of the sizes of fibers, µm."""

ROUNDS = (1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3)
"""How often fibers of each size are offered."""

OVERLAP = 0.32
"""How deep a circle may cut into another, in radii of the smaller."""

CELLS = ((VESSEL, 3.5, 6.5, 40e-6, 90e-6), (NEURON, 6.0, 11.0, 0.0, 320e-6), (GLIA, 2.2, 3.6, 260e-6, 420e-6))
"""Kind, smallest and largest radius, µm, and how many are offered per µm² of white and of grey matter."""


class Circles(NamedTuple):
    """Circles in the order in which they were taken.

    Attributes
    ----------
    rows : (n, 6) float64
        :data:`ROW`.
    words : (n,) uint64
    """

    rows: Floats
    words: NDArray[np.uint64]


@cache
def levels(px_per_um: float, offers: Offers = OFFERS) -> tuple[Floats, Floats]:
    """Return the rounds in order, and the chances of a circle in each tract.

    Parameters
    ----------
    px_per_um : float
    offers : tuple
        How many circles of each size are offered per mm² of each tract.

    Returns
    -------
    (n, 4) float64
        Kind, smallest and largest radius, px, side of the squares, px.
    (n, 14) float64
        Chance of an offer by number of the tract.
    """
    rounds: list[tuple[float, ...]] = []
    chances = []
    for kind, low, high, white, grey in CELLS:
        side = 2 * high
        rounds.append((kind, low * px_per_um, high * px_per_um, side * px_per_um))
        chances.append([0.0, grey * side**2] + [white * side**2] * len(TRACTS))
    for size, times in enumerate(ROUNDS):
        high, low = RADII_UM[size], RADII_UM[size + 1]
        side = 1.6 * high
        for _ in range(times):
            rounds.append((FIBER, low * px_per_um, high * px_per_um, side * px_per_um))
            chances.append([0.0] + [tract[size] * 1e-6 * side**2 / times for tract in offers])
    return np.array(rounds), np.array(chances)


@cache
def margins(px_per_um: float) -> Ints:
    """Return how far around a box the circles of each round have to be offered, px.

    All are right that reach into the box or touch one that does.
    """
    rounds, _ = levels(px_per_um)
    largest = rounds[:, 2].max()
    offered = np.zeros(len(rounds))
    needed = 0.0  # how far earlier rounds have to be right, less their own radius
    for k in range(len(rounds) - 1, -1, -1):
        radius = rounds[k, 2]
        right = max(needed + radius, 2 * REACH * largest + REACH * radius + 4)
        offered[k] = right + 2 * radius
        needed = max(needed, offered[k] + radius)
    return np.ceil(offered).astype(np.int64) + 2


def pack(
    seed: int,
    box: Box,
    shape: tuple[int, int],
    frame: tuple[float, float, float],
    atlas: Atlas,
    px_per_um: float,
    offers: Offers = OFFERS,
) -> Circles:
    """Return the circles that reach into a box, and all that touch those.

    Parameters
    ----------
    seed : int
    box : Box
    shape : (int, int)
        Of the slide, px.
    frame : (float, float, float)
        Middle of the cord, y and x, and half its width, px.
    atlas : Atlas
    px_per_um : float
    offers : tuple
        As for :func:`levels`.
    """
    rounds, chances = levels(px_per_um, offers)
    spreads = np.array([GREY_FIBERS.gratio, GREY_FIBERS.gratio, *(tract.gratio for tract in TRACTS)])
    sizes = [GREY_FIBERS, GREY_FIBERS, *TRACTS]
    typical = np.array([tract.diameter_um / tract.gratio / 2 * px_per_um for tract in sizes])
    return Circles(
        *_pack(
            np.uint64(seed),
            np.array([box.y0, box.x0, box.y1, box.x1]),
            np.array(shape),
            np.array(frame),
            px_per_um,
            atlas.inside,
            atlas.grey,
            atlas.tract,
            rounds,
            chances,
            margins(px_per_um),
            spreads,
            typical,
            OVERLAP,
            REACH,
        )
    )


@compiled
def _mix(a: np.uint64, b: np.uint64) -> np.uint64:
    """Mix two words into one that looks random (splitmix64's finaliser)."""
    z = a + np.uint64(0x9E3779B97F4A7C15) * (b + np.uint64(1))
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@compiled
def _share(word: np.uint64, i: int) -> float:
    """Return the i-th number in [0, 1) of a word."""
    return float(_mix(word, np.uint64(i)) >> np.uint64(11)) / 9007199254740992.0


@compiled
def _look_up(raster: NDArray[np.float32], v: float, u: float) -> float:
    """Return a raster's value between its points."""
    i, j = min(max(int(v), 0), raster.shape[0] - 2), min(max(int(u), 0), raster.shape[1] - 2)
    fv, fu = v - i, u - j
    above = raster[i, j] * (1 - fu) + raster[i, j + 1] * fu
    below = raster[i + 1, j] * (1 - fu) + raster[i + 1, j + 1] * fu
    value: float = above * (1 - fv) + below * fv
    return value


@compiled
def _pack(
    seed: np.uint64,
    box: Ints,
    shape: Ints,
    frame: Floats,
    px_per_um: float,
    inside: NDArray[np.float32],
    grey: NDArray[np.float32],
    tracts: NDArray[np.uint8],
    rounds: Floats,
    chances: Floats,
    margins: Ints,
    gratios: Floats,
    typical: Floats,
    overlap: float,
    reach: float,
) -> tuple[Floats, NDArray[np.uint64]]:
    scale = frame[2]
    to_raster = 1 / (scale * STEP)
    mid_v, mid_u = (inside.shape[0] - 1) / 2, (inside.shape[1] - 1) / 2
    widest = margins.max()
    top, left = max(box[0] - widest, 0), max(box[1] - widest, 0)
    bottom, right = min(box[2] + widest, shape[0]), min(box[3] + widest, shape[1])
    bin_px = max(int(2.4 * px_per_um), 4)
    bins_y, bins_x = (max(bottom - top, 0)) // bin_px + 1, (max(right - left, 0)) // bin_px + 1
    heads = np.full(bins_y * bins_x, -1, np.int64)
    entries = np.empty((1024, 2), np.int64)  # circle, next entry of the bin
    used = 0
    rows, words = np.empty((1024, 6), np.float64), np.empty(1024, np.uint64)
    n = 0
    for level in range(len(rounds)):
        kind, low, high, side = rounds[level]
        y0, x0 = max(box[0] - margins[level], 0), max(box[1] - margins[level], 0)
        y1, x1 = min(box[2] + margins[level], shape[0]), min(box[3] + margins[level], shape[1])
        if y1 <= y0 or x1 <= x0:
            continue
        i0, j0 = int(y0 / side), int(x0 / side)
        count_y, count_x = int((y1 - 1) / side) + 1 - i0, int((x1 - 1) / side) + 1 - j0
        offers = np.empty((count_y, count_x, 4), np.float64)  # y, x, radius (0: none), tract
        hashes = np.empty((count_y, count_x), np.uint64)
        own = _mix(seed, np.uint64(level + 1000))
        for i in range(count_y):
            for j in range(count_x):
                offers[i, j, 2] = 0
                word = _mix(_mix(own, np.uint64(i0 + i)), np.uint64(j0 + j))
                hashes[i, j] = word
                y, x = (i0 + i + _share(word, 0)) * side, (j0 + j + _share(word, 1)) * side
                v, u = (y - frame[0]) * to_raster + mid_v, (x - frame[1]) * to_raster + mid_u
                if not (1 < v < inside.shape[0] - 2 and 1 < u < inside.shape[1] - 2):
                    continue
                jitter = 1.5 * px_per_um * to_raster  # a tract's border is no line
                nv, nu = v + jitter * (_share(word, 2) - 0.5) * 2, u + jitter * (_share(word, 3) - 0.5) * 2
                tract = tracts[
                    min(max(int(nv + 0.5), 0), inside.shape[0] - 1), min(max(int(nu + 0.5), 0), inside.shape[1] - 1)
                ]
                if _share(word, 4) >= chances[level, tract]:
                    continue
                radius = low * (high / low) ** _share(word, 5)
                free = _look_up(inside, v, u) * scale - radius * 1.12
                if free < 2.0 * px_per_um:
                    continue
                in_grey = _look_up(grey, v, u) * scale
                if (in_grey < 0) == (tract == 1) or (kind == 0 and tract != 1 and in_grey > -0.5 * radius):
                    continue
                clear = True
                a0, a1 = int((y - top - radius) / bin_px), int((y - top + radius) / bin_px)
                b0, b1 = int((x - left - radius) / bin_px), int((x - left + radius) / bin_px)
                for a in range(max(a0, 0), min(a1, bins_y - 1) + 1):
                    for b in range(max(b0, 0), min(b1, bins_x - 1) + 1):
                        entry = heads[a * bins_x + b]
                        while entry >= 0 and clear:
                            k = entries[entry, 0]
                            dy, dx = y - rows[k, 0], x - rows[k, 1]
                            least = radius + rows[k, 2] - overlap * min(radius, rows[k, 2])
                            if dy * dy + dx * dx < least * least:
                                clear = False
                            entry = entries[entry, 1]
                if clear:
                    offers[i, j, 0], offers[i, j, 1], offers[i, j, 2], offers[i, j, 3] = y, x, radius, tract
        span = int(np.ceil(2 * high / side))
        for i in range(count_y):
            for j in range(count_x):
                radius = offers[i, j, 2]
                if radius == 0:
                    continue
                y, x = offers[i, j, 0], offers[i, j, 1]
                taken = True
                for a in range(max(i - span, 0), min(i + span + 1, count_y)):
                    for b in range(max(j - span, 0), min(j + span + 1, count_x)):
                        other = offers[a, b, 2]
                        if other == 0 or hashes[a, b] <= hashes[i, j]:
                            continue
                        dy, dx = y - offers[a, b, 0], x - offers[a, b, 1]
                        least = radius + other - overlap * min(radius, other)
                        if dy * dy + dx * dx < least * least:
                            taken = False
                if not taken:
                    continue
                if n == len(rows):
                    more_rows, more_words = np.empty((2 * n, 6), np.float64), np.empty(2 * n, np.uint64)
                    more_rows[:n], more_words[:n] = rows, words
                    rows, words = more_rows, more_words
                word, tract = hashes[i, j], int(offers[i, j, 3])
                rows[n, 0], rows[n, 1], rows[n, 2], rows[n, 3], rows[n, 4] = y, x, radius, kind, tract
                rows[n, 5] = min(
                    max(gratios[tract] + 0.03 * np.log(radius / typical[tract]) + 0.10 * (_share(word, 6) - 0.5), 0.42),
                    0.84,
                )
                words[n] = word
                a0, a1 = int((y - top - radius) / bin_px), int((y - top + radius) / bin_px)
                b0, b1 = int((x - left - radius) / bin_px), int((x - left + radius) / bin_px)
                for a in range(max(a0, 0), min(a1, bins_y - 1) + 1):
                    for b in range(max(b0, 0), min(b1, bins_x - 1) + 1):
                        if used == len(entries):
                            more = np.empty((2 * used, 2), np.int64)
                            more[:used] = entries
                            entries = more
                        entries[used, 0], entries[used, 1] = n, heads[a * bins_x + b]
                        heads[a * bins_x + b] = used
                        used += 1
                n += 1
    keep = np.empty(n, np.bool_)
    for k in range(n):
        near = reach * rows[k, 2] + 4 + 2 * reach * rounds[:, 2].max()
        keep[k] = box[0] - near <= rows[k, 0] < box[2] + near and box[1] - near <= rows[k, 1] < box[3] + near
    return rows[:n][keep], words[:n][keep]
