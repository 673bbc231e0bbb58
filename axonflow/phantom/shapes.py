"""What each circle becomes: an outline pressed flat by its neighbours, an axon within, and what is peculiar to it.

A fiber is what lies within its own wavy outline and on its own side of the lines that part it from its neighbours. Such
a line is where two circles have the same power, as in a power diagram; it keeps a gap of 1.42 px, so that no pixel of
one fiber touches one of another. How deep a pixel lies below all of these, with rounded corners, says what it is:
myelin down to a thickness that varies around the fiber, axon below. Both outlines are stars about the centre, so each
axon is one piece.

A shape is a row of numbers (:data:`SHAPE`). All its loops are in this file, because a compiled loop calls only those of
its own module.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from axonflow.kernel.compiled import compiled
from axonflow.kernel.grid import Box
from axonflow.phantom.packing import Circles

__all__ = ["SHAPE", "Shapes", "draw_classes", "draw_depths", "measure_fibers", "shape"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SHAPE = 17
"""Numbers of a shape: y, x, radius, kind; the outline's waves (2, 3, 4; cosine and sine); the myelin's thickness, its
waves (1, 2; cosine and sine) and ripple (5 and 7); the largest radius."""


class Shapes(NamedTuple):
    """Shapes, and the lines that part each from its neighbours.

    Attributes
    ----------
    rows : (n, SHAPE) float64
    words : (n,) uint64
        Random bits of each.
    first : (n + 1,) int64
        Where the lines of each begin.
    lines : (m, 3) float64
        Direction (y, x) from the centre to the line, and its distance less half the gap, px.
    """

    rows: Floats
    words: NDArray[np.uint64]
    first: Ints
    lines: Floats


def shape(circles: Circles, box: Box) -> Shapes:
    """Give circles their shapes; those that do not reach into the box are used as neighbours alone."""
    return Shapes(*_shape(circles.rows, circles.words, np.array([box.y0, box.x0, box.y1, box.x1])))


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
def _shape(rows: Floats, words: NDArray[np.uint64], box: Ints) -> tuple[Floats, NDArray[np.uint64], Ints, Floats]:
    n = len(rows)
    largest = 0.0
    top, left, bottom, right = 1e18, 1e18, -1e18, -1e18
    for k in range(n):
        largest = max(largest, rows[k, 2])
        top, left = min(top, rows[k, 0]), min(left, rows[k, 1])
        bottom, right = max(bottom, rows[k, 0]), max(right, rows[k, 1])
    side = 24.0
    bins_y, bins_x = 1, 1
    if n:
        bins_y, bins_x = int((bottom - top) / side) + 1, int((right - left) / side) + 1
    heads = np.full(bins_y * bins_x, -1, np.int64)
    entries = np.empty((4096, 2), np.int64)
    used = 0
    widest = np.empty(n)  # radius of the outline at its largest
    for k in range(n):
        word = words[k]
        long = 0.13 if rows[k, 3] in (1, 3) else 0.02 + 0.13 * _share(word, 10) ** 1.5
        widest[k] = rows[k, 2] * (1.10 + long + 0.045 * _share(word, 11) + 0.025 * _share(word, 12))
        reach = widest[k] + 1
        for a in range(
            max(int((rows[k, 0] - reach - top) / side), 0), min(int((rows[k, 0] + reach - top) / side), bins_y - 1) + 1
        ):
            for b in range(
                max(int((rows[k, 1] - reach - left) / side), 0),
                min(int((rows[k, 1] + reach - left) / side), bins_x - 1) + 1,
            ):
                if used == len(entries):
                    more = np.empty((2 * used, 2), np.int64)
                    more[:used] = entries
                    entries = more
                entries[used, 0], entries[used, 1] = k, heads[a * bins_x + b]
                heads[a * bins_x + b] = used
                used += 1
    out, out_words = np.empty((n, SHAPE), np.float64), np.empty(n, np.uint64)
    first, lines = np.zeros(n + 1, np.int64), np.empty((4096, 3), np.float64)
    seen = np.full(n, -1, np.int64)
    around = np.empty(4096, np.int64)
    m = count = 0
    for k in range(n):
        y, x, radius = rows[k, 0], rows[k, 1], rows[k, 2]
        reach = widest[k] + 2
        if y + reach < box[0] or y - reach > box[2] or x + reach < box[1] or x - reach > box[3]:
            continue
        near = 0
        for a in range(max(int((y - reach - top) / side), 0), min(int((y + reach - top) / side), bins_y - 1) + 1):
            for b in range(max(int((x - reach - left) / side), 0), min(int((x + reach - left) / side), bins_x - 1) + 1):
                entry = heads[a * bins_x + b]
                while entry >= 0:
                    other = entries[entry, 0]
                    entry = entries[entry, 1]
                    if other != k and seen[other] != k and near < 4096:
                        seen[other] = k
                        dy, dx = rows[other, 0] - y, rows[other, 1] - x
                        apart = widest[k] + widest[other] + 2
                        if dy * dy + dx * dx < apart * apart:
                            around[near] = other
                            near += 1
        if m + near > len(lines):
            longer = np.empty((2 * (m + near), 3), np.float64)
            longer[:m] = lines[:m]
            lines = longer
        ordered = np.sort(around[:near])  # an order that does not depend on the box
        for i in range(near):
            other = ordered[i]
            dy, dx = rows[other, 0] - y, rows[other, 1] - x
            apart = np.sqrt(dy * dy + dx * dx)
            away = (apart * apart + radius * radius - rows[other, 2] * rows[other, 2]) / (2 * apart) - 0.712
            lines[m, 0], lines[m, 1], lines[m, 2] = dy / apart, dx / apart, away
            m += 1
        word = words[k]
        row = out[count]
        row[0], row[1], row[2], row[3] = y, x, radius, rows[k, 3]
        long = 0.13 if rows[k, 3] in (1, 3) else 0.02 + 0.13 * _share(word, 10) ** 1.5
        for wave, strength in ((0, long), (1, 0.045 * _share(word, 11)), (2, 0.025 * _share(word, 12))):
            angle = 2 * np.pi * _share(word, 13 + wave)
            row[4 + 2 * wave], row[5 + 2 * wave] = strength * np.cos(angle), strength * np.sin(angle)
        centre = 2.20 * radius - widest[k]
        for line in range(m - near, m):  # as _depth does it, at the centre
            other_depth = lines[line, 2]
            apart = abs(centre - other_depth)
            centre = min(centre, other_depth)
            if apart < 0.24 * radius:
                centre -= (0.24 * radius - apart) ** 2 / (0.96 * radius)
        row[10] = min(1.10 * (1 - rows[k, 5]) * (0.55 * radius + 0.45 * centre), 0.54 * centre)
        angle, ragged = 2 * np.pi * _share(word, 16), min(radius / 14, 1.0)
        strength = 0.22 * _share(word, 17)
        row[11], row[12] = strength * np.cos(angle), strength * np.sin(angle)
        angle, strength = 2 * np.pi * _share(word, 18), 0.16 * _share(word, 19)
        row[13], row[14] = strength * np.cos(angle), strength * np.sin(angle)
        row[15] = 0.09 * ragged * (2 * _share(word, 20) - 1)
        row[16] = widest[k]
        out_words[count] = word
        count += 1
        first[count] = m
    return out[:count], out_words[:count], first[: count + 1], lines[:m]


@compiled
def _depth(row: Floats, lines: Floats, dy: float, dx: float) -> tuple[float, float]:
    """Return how deep a pixel lies within an outline, and how thick the myelin is on its side, px."""
    away = np.sqrt(dy * dy + dx * dx)
    if away > row[16] + 1.5:
        return -9.0, 0.0
    c, s = (dx / away, dy / away) if away > 0 else (1.0, 0.0)
    c2, s2 = c * c - s * s, 2 * c * s
    c3, s3 = c2 * c - s2 * s, s2 * c + c2 * s
    c4, s4 = c2 * c2 - s2 * s2, 2 * c2 * s2
    waves = row[4] * c2 + row[5] * s2 + row[6] * c3 + row[7] * s3 + row[8] * c4 + row[9] * s4
    depth = row[2] * (1.10 + waves) - away
    round_ = 0.24 * row[2]
    for k in range(len(lines)):
        other = lines[k, 2] - lines[k, 0] * dy - lines[k, 1] * dx
        apart = abs(depth - other)
        depth = min(depth, other)
        if apart < round_:
            depth -= (round_ - apart) * (round_ - apart) / (4 * round_)
    c5 = c4 * c - s4 * s
    c7 = c4 * c3 - s4 * s3
    thick = row[10] * (1 + row[11] * c + row[12] * s + row[13] * c2 + row[14] * s2 + row[15] * (c5 + c7))
    return depth, thick


@compiled
def _bounds(row: Floats, y0: int, x0: int, y1: int, x1: int) -> tuple[int, int, int, int]:
    """Return the part of a box that a shape can reach."""
    reach = row[16] + 1.5
    low_y, high_y = int(np.floor(row[0] - reach)), int(np.ceil(row[0] + reach)) + 1
    low_x, high_x = int(np.floor(row[1] - reach)), int(np.ceil(row[1] + reach)) + 1
    return max(low_y, y0), max(low_x, x0), min(high_y, y1), min(high_x, x1)


@compiled
def draw_classes(
    rows: Floats, first: Ints, lines: Floats, axon: int, myelin: int, top: int, left: int, out: NDArray[np.uint8]
) -> None:
    """Draw fibers with the numbers of the classes axon and myelin, and leave what lies between them."""
    for k in range(len(rows)):
        if rows[k, 3] != 0:
            continue
        row, own = rows[k], lines[first[k] : first[k + 1]]
        y0, x0, y1, x1 = _bounds(row, top, left, top + out.shape[0], left + out.shape[1])
        for y in range(y0, y1):
            for x in range(x0, x1):
                depth, thick = _depth(row, own, y - row[0], x - row[1])
                if depth >= 0:
                    out[y - top, x - left] = axon if depth >= thick else myelin


@compiled
def draw_depths(
    rows: Floats,
    first: Ints,
    lines: Floats,
    top: int,
    left: int,
    owner: NDArray[np.int32],
    depth: NDArray[np.float32],
    thick: NDArray[np.float32],
) -> None:
    """Write whose each pixel is, to 1.5 px beyond the outlines, how deep it lies, and how thick the myelin is there."""
    for k in range(len(rows)):
        row, own = rows[k], lines[first[k] : first[k + 1]]
        y0, x0, y1, x1 = _bounds(row, top, left, top + owner.shape[0], left + owner.shape[1])
        for y in range(y0, y1):
            for x in range(x0, x1):
                deep, myelin = _depth(row, own, y - row[0], x - row[1])
                if deep > depth[y - top, x - left]:
                    owner[y - top, x - left], depth[y - top, x - left], thick[y - top, x - left] = k, deep, myelin


@compiled
def measure_fibers(rows: Floats, first: Ints, lines: Floats, from_y: int, to_y: int, h: int, w: int) -> Ints:
    """Return first pixel, axon and fiber pixels, sums of y and x, and bounding box of axons centred in some rows."""
    out = np.zeros((len(rows), 9), np.int64)
    for k in range(len(rows)):
        row, found = rows[k], out[k]
        if row[3] != 0 or not from_y <= row[0] < to_y:
            continue
        own = lines[first[k] : first[k + 1]]
        y0, x0, y1, x1 = _bounds(row, 0, 0, h, w)
        found[5], found[6] = h, w
        for y in range(y0, y1):
            for x in range(x0, x1):
                depth, thick = _depth(row, own, y - row[0], x - row[1])
                if depth >= 0:
                    found[2] += 1
                    if depth >= thick:
                        if found[1] == 0:
                            found[0] = y * w + x
                        found[1] += 1
                        found[3] += y
                        found[4] += x
                        found[5], found[6] = min(found[5], y), min(found[6], x)
                        found[7], found[8] = max(found[7], y + 1), max(found[8], x + 1)
    return out
