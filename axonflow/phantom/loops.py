"""The compiled loops of a phantom: they place its fibers, draw them pixel by pixel, and measure what was drawn.

A fiber is a row of 8 numbers: centre y, x; semi-axes; cosine and sine of its angle; g-ratio; hash in [0, 1). All loops
are in this file, because a compiled loop calls only those of its own module.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from axonflow.kernel.compiled import compiled

__all__ = ["draw_classes", "draw_greys", "draw_ground", "expose", "measure_fibers", "mix", "place"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@compiled
def mix(a: np.uint64, b: np.uint64) -> np.uint64:
    """Mix two words into one that looks random (splitmix64's finaliser)."""
    z = a + np.uint64(0x9E3779B97F4A7C15) * (b + np.uint64(1))
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@compiled
def _share(word: np.uint64, i: int) -> float:
    """Return the i-th number in [0, 1) of a word."""
    return float(mix(word, np.uint64(i)) >> np.uint64(11)) / 9007199254740992.0


@compiled
def place(seed: np.uint64, root: int, smallest: int, down: int, right: int, squares: Ints, h: int, w: int) -> Floats:
    """Walk down the quadtree of a range of largest squares and return its fibers."""
    out = np.empty((1024, 8), np.float64)
    n = 0
    stack = np.empty((64, 3), np.int64)
    for row in range(squares[0], squares[2] + 1):
        for column in range(squares[1], squares[3] + 1):
            stack[0] = (row, column, root)
            depth = 1
            while depth:
                depth -= 1
                i, j, side = stack[depth, 0], stack[depth, 1], stack[depth, 2]
                word = mix(mix(mix(seed, np.uint64(side)), np.uint64(i + (1 << 40))), np.uint64(j + (1 << 40)))
                y, x = ((i + 0.5) * side - down) / h, ((j + 0.5) * side - right) / w
                # Calibre runs from 0, many small fibers, to 1, with large ones; the periphery is coarse.
                edge = max(abs(2 * y - 1), abs(2 * x - 1))
                calibre = 0.5 + 0.3 * np.sin(5.1 * y + 1.3) * np.cos(4.3 * x - 0.4) + 0.2 * (2 * edge * edge - 1)
                if side == smallest:
                    stop = 1.0
                elif side == 2 * smallest:
                    stop = 0.72 + 0.28 * calibre
                elif side == 4 * smallest:
                    stop = 0.10 + 0.60 * calibre
                else:
                    stop = 0.22 * calibre * calibre
                if _share(word, 0) >= stop:
                    for k in range(4):
                        stack[depth] = (2 * i + k // 2, 2 * j + k % 2, side // 2)
                        depth += 1
                    continue
                if _share(word, 1) < 0.06:
                    continue  # glia, vessels, nothing
                free = side / 2 - 1.5
                long = free * (0.88 + 0.12 * _share(word, 2))
                short = long * (0.80 + 0.20 * _share(word, 3))
                angle = np.pi * _share(word, 4)
                if n == len(out):
                    larger = np.empty((2 * n, 8), np.float64)
                    larger[:n] = out
                    out = larger
                out[n, 0] = (i + 0.5) * side - down - 0.5 + (free - long) * (2 * _share(word, 5) - 1)
                out[n, 1] = (j + 0.5) * side - right - 0.5 + (free - long) * (2 * _share(word, 6) - 1)
                out[n, 2], out[n, 3] = long, short
                out[n, 4], out[n, 5] = np.cos(angle), np.sin(angle)
                out[n, 6] = 0.645 + 0.05 * np.sin(3.7 * x + 2.1 * y) + 0.05 * (2 * _share(word, 7) - 1)
                out[n, 7] = _share(word, 8)
                n += 1
    return out[:n]


@compiled
def _radius2(fiber: Floats, y: int, x: int) -> float:
    """Return the squared distance from a fiber's centre in units of its outline."""
    dy, dx = y - fiber[0], x - fiber[1]
    along, across = (dy * fiber[4] + dx * fiber[5]) / fiber[2], (dx * fiber[4] - dy * fiber[5]) / fiber[3]
    radius2: float = along * along + across * across
    return radius2


@compiled
def _bounds(fiber: Floats, y0: int, x0: int, y1: int, x1: int) -> tuple[int, int, int, int]:
    """Return the part of a box that a fiber can reach."""
    low_y, high_y = int(np.floor(fiber[0] - fiber[2])), int(np.ceil(fiber[0] + fiber[2])) + 1
    low_x, high_x = int(np.floor(fiber[1] - fiber[2])), int(np.ceil(fiber[1] + fiber[2])) + 1
    return max(low_y, y0), max(low_x, x0), min(high_y, y1), min(high_x, x1)


@compiled
def draw_classes(fibers: Floats, axon: int, myelin: int, top: int, left: int, out: NDArray[np.uint8]) -> None:
    """Draw fibers with the numbers of the classes axon and myelin, and leave what lies between them."""
    for fiber in fibers:
        y0, x0, y1, x1 = _bounds(fiber, top, left, top + out.shape[0], left + out.shape[1])
        for y in range(y0, y1):
            for x in range(x0, x1):
                r2 = _radius2(fiber, y, x)
                if r2 <= 1:
                    out[y - top, x - left] = axon if r2 <= fiber[6] * fiber[6] else myelin


@compiled
def measure_fibers(fibers: Floats, h: int, w: int) -> Ints:
    """Return first pixel, axon and fiber pixels, sums of y and x, and bounding box of each axon."""
    out = np.zeros((len(fibers), 9), np.int64)
    for k in range(len(fibers)):
        fiber = fibers[k]
        row = out[k]
        y0, x0, y1, x1 = _bounds(fiber, 0, 0, h, w)
        row[5], row[6] = h, w
        for y in range(y0, y1):
            for x in range(x0, x1):
                r2 = _radius2(fiber, y, x)
                if r2 <= 1:
                    row[2] += 1
                    if r2 <= fiber[6] * fiber[6]:
                        if row[1] == 0:
                            row[0] = y * w + x
                        row[1] += 1
                        row[3] += y
                        row[4] += x
                        row[5], row[6] = min(row[5], y), min(row[6], x)
                        row[7], row[8] = max(row[7], y + 1), max(row[8], x + 1)
    return out


@compiled
def draw_ground(seed: np.uint64, top: int, left: int, grey: NDArray[np.float32]) -> None:
    """Draw tissue between the fibers: smooth noise of two scales."""
    for i in range(grey.shape[0]):
        for j in range(grey.shape[1]):
            value = 112.0
            for step, strength in ((6, 26.0), (23, 22.0)):
                y, x = top + i + 64, left + j + 64  # halos reach a little beyond the slide
                v, u = y // step, x // step
                fy, fx = y / step - v, x / step - u
                corner = 0.0
                for a in range(2):
                    for b in range(2):
                        word = mix(mix(seed + np.uint64(step), np.uint64(v + a)), np.uint64(u + b))
                        corner += (_share(word, 0) - 0.5) * (fy if a else 1 - fy) * (fx if b else 1 - fx)
                value += strength * corner * 2
            grey[i, j] = value


@compiled
def draw_greys(fibers: Floats, top: int, left: int, grey: NDArray[np.float32]) -> None:
    """Draw fibers: a bright ring, a dark inside that keeps some of the ground's texture."""
    for fiber in fibers:
        y0, x0, y1, x1 = _bounds(fiber, top, left, top + grey.shape[0], left + grey.shape[1])
        inside, ring = 48 + 26 * fiber[7], 196 + 24 * (7 * fiber[7] % 1)
        for y in range(y0, y1):
            for x in range(x0, x1):
                r2 = _radius2(fiber, y, x)
                if r2 <= 1:
                    texture = grey[y - top, x - left] - 112
                    axon = r2 <= fiber[6] * fiber[6]
                    grey[y - top, x - left] = inside + 0.35 * texture if axon else ring + 0.25 * texture


@compiled
def expose(
    grey: NDArray[np.float32],
    blur: Floats,
    seed: np.uint64,
    top: int,
    left: int,
    h: int,
    w: int,
    out: NDArray[np.uint8],
) -> None:
    """Blur, light unevenly, add noise, and round to 8 bits; every pixel in one fixed order of operations."""
    n = len(blur)
    row = np.empty(grey.shape[1], np.float64)
    for i in range(out.shape[0]):
        for j in range(grey.shape[1]):
            total = 0.0
            for k in range(n):
                total += blur[k] * grey[i + k, j]
            row[j] = total
        for j in range(out.shape[1]):
            total = 0.0
            for k in range(n):
                total += blur[k] * row[j + k]
            y, x = top + i, left + j
            light = 1 + 0.06 * np.sin(2.9 * y / h + 0.3) * np.cos(3.4 * x / w)
            word = mix(mix(seed + np.uint64(1), np.uint64(y)), np.uint64(x))
            noise = 0.0  # four 16-bit numbers: near enough to normal
            for k in range(4):
                noise += ((word >> np.uint64(16 * k)) & np.uint64(0xFFFF)) / 65535.0 - 0.5
            out[i, j] = min(max(np.rint(total * light + 11 * noise), 0), 255)
