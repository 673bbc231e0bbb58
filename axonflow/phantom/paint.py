"""Greys of a cord: what lies in each pixel, then what the microscope makes of it.

Numbers are greys of 0 to 255 unless their names say otherwise. Every pixel's grey follows from the circles about it and
from hashes of (seed, row, column), so it is the same in whatever box it is drawn. All loops that hash are in this file,
because a compiled loop calls only those of its own module.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from axonflow.kernel.compiled import compiled

__all__ = ["add_noise", "charge", "expose", "paint"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Greys = NDArray[np.float32]

BEYOND = 1 << 20
"""Added to rows and columns before they are hashed: halos reach beyond the slide."""


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
def add_noise(seed: np.uint64, step: int, strength: float, top: int, left: int, out: Greys) -> None:
    """Add smooth noise in [-strength, strength]: random numbers on a lattice, and between them a smooth step."""
    h, w = out.shape
    first_u = (left + BEYOND) // step
    n = (left + BEYOND + w - 1) // step - first_u + 2
    above, below, between = np.empty(n), np.empty(n), np.empty(n)
    own = _mix(seed, np.uint64(step))
    last_v = -1
    for i in range(h):
        y = top + i + BEYOND
        v = y // step
        if v != last_v:
            up, down = _mix(own, np.uint64(v)), _mix(own, np.uint64(v + 1))
            for u in range(n):
                above[u] = (2 * _share(up, first_u + u) - 1) * strength
                below[u] = (2 * _share(down, first_u + u) - 1) * strength
            last_v = v
        f = (y - v * step) / step
        f = f * f * (3 - 2 * f)
        for u in range(n):
            between[u] = above[u] + (below[u] - above[u]) * f
        for j in range(w):
            x = left + j + BEYOND
            u = x // step
            g = (x - u * step) / step
            g = g * g * (3 - 2 * g)
            u -= first_u
            out[i, j] += between[u] + (between[u + 1] - between[u]) * g


@compiled
def _look_up(raster: NDArray[np.float32], v: float, u: float) -> float:
    """Return a raster's value between its points; that of its border beyond."""
    v, u = min(max(v, 0.0), raster.shape[0] - 1.001), min(max(u, 0.0), raster.shape[1] - 1.001)
    i, j = int(v), int(u)
    fv, fu = v - i, u - j
    above = raster[i, j] * (1 - fu) + raster[i, j + 1] * fu
    below = raster[i + 1, j] * (1 - fu) + raster[i + 1, j + 1] * fu
    value: float = above * (1 - fv) + below * fv
    return value


@compiled
def _profiles(own: np.uint64, y: float, x: float, side: float) -> tuple[float, float, np.uint64]:
    """Return the distances to the nearest and to the next of scattered points, in sides, and the nearest's hash."""
    v, u = y / side + BEYOND, x / side + BEYOND
    i, j = int(v), int(u)
    nearest, second, word = 9.0, 9.0, np.uint64(0)
    for a in range(i - 1, i + 2):
        row = _mix(own, np.uint64(a))
        for b in range(j - 1, j + 2):
            here = _mix(row, np.uint64(b))
            dy = a + float(here & np.uint64(0xFFFF)) / 65536 - v
            dx = b + float((here >> np.uint64(16)) & np.uint64(0xFFFF)) / 65536 - u
            away = dy * dy + dx * dx
            if away < nearest:
                nearest, second, word = away, nearest, here
            elif away < second:
                second = away
    return np.sqrt(nearest), np.sqrt(second), word


@compiled
def paint(
    seed: np.uint64,
    rows: Floats,
    words: NDArray[np.uint64],
    owner: NDArray[np.int32],
    depths: Greys,
    thicks: Greys,
    grain: Greys,
    patches: Greys,
    frame: Floats,
    inside: Greys,
    matter: Greys,
    step: float,
    px_per_um: float,
    top: int,
    left: int,
    grey: Greys,
) -> None:
    """Paint what lies in each pixel; ``grain`` and ``patches`` are noise in [-1, 1], fine and coarse."""
    scale = frame[2]
    mid_v, mid_u = (inside.shape[0] - 1) / 2, (inside.shape[1] - 1) / 2
    small = _mix(seed, np.uint64(501))
    for i in range(grey.shape[0]):
        for j in range(grey.shape[1]):
            y, x = top + i, left + j
            k, depth, thick = owner[i, j], depths[i, j], thicks[i, j]
            cover = min(max(depth + 0.5, 0.0), 1.0) if k >= 0 else 0.0
            fine, coarse = grain[i, j], patches[i, j]
            ground = 0.0
            if cover < 1:
                v, u = (y - frame[0]) / (scale * step) + mid_v, (x - frame[1]) / (scale * step) + mid_u
                rim = _look_up(inside, v, u) * scale / px_per_um + 0.8 * coarse  # µm
                if rim < 0:
                    ground = _outside(rim, fine, coarse)
                elif rim < 2.0:  # pia
                    ground = 118 + 30 * np.cos(rim * 3.1 + 3 * coarse) + 8 * fine + 10 * coarse
                else:
                    in_grey = _look_up(matter, v, u) * scale / px_per_um + 1.5 * coarse
                    if in_grey > 0:  # neuropil
                        wy, wx = y + 7 * coarse + 2 * fine, x - 7 * coarse + 2 * fine
                        n1, n2, word = _profiles(small, wy, wx, 2.1 * px_per_um)
                        if _share(word, 0) < 0.65:  # no dendrite: small profiles
                            n1, n2, word = _profiles(small, wy, wx, 0.85 * px_per_um)
                            n1, n2 = 0.6 * n1, 0.6 * n2
                        tone = _share(word, 1)
                        wall = max(0.0, 1 - (n2 - n1) / 0.13)
                        inner = 54 + 84 * tone + 7 * fine
                        inner = 95 + (inner - 95) * min((n2 - n1) / 0.3, 1.0)
                        ground = inner + (126 - inner) * wall * (0.3 + 0.7 * _share(word, 2)) + 38 * coarse
                    else:
                        n1, n2, word = _profiles(small, y + 5 * coarse, x - 5 * coarse, 0.85 * px_per_um)
                        tone = _share(word, 1)
                        flat = min(max(4 * coarse + 0.3 * (tone - 0.5), 0.0), 1.0)  # processes of astrocytes are even
                        wall = max(0.0, 1 - abs(n2 - n1 - 0.16) / 0.17)
                        profile = 38 + 62 * tone + 48 * wall + 6 * fine
                        ground = profile + (64 + 84 * coarse + 6 * fine - profile) * flat
            if cover > 0:
                row, word = rows[k], words[k]
                kind = row[3]
                dy, dx = y - row[0], x - row[1]
                if kind == 0:
                    value = _fiber(row, word, depth, thick, dy, dx, fine, coarse, px_per_um)
                else:
                    value = _cell(row, word, depth, dy, dx, fine, coarse, px_per_um)
                ground = value * cover + ground * (1 - cover)
            grey[i, j] = ground


@compiled
def _outside(rim: float, fine: float, coarse: float) -> float:
    """Return the grey of a pixel of the surroundings: cloudy resin, and the arachnoid's leaves near the pia."""
    ground = 69 + 8 * coarse + 5 * fine
    leaf = min(max(1.6 * np.cos(rim * 2.6 + 4 * coarse) - 0.5, 0.0), 1.0) if rim > -6 else 0.0
    grey: float = ground + (132 + 30 * fine - ground) * leaf
    return grey


@compiled
def _fiber(
    row: Floats,
    word: np.uint64,
    depth: float,
    thick: float,
    dy: float,
    dx: float,
    fine: float,
    coarse: float,
    um: float,
) -> float:
    """Return the grey of a pixel of a fiber."""
    radius = row[2]
    light = 167 + 62 * (_share(word, 30) - 0.5) - 4 * max(0.0, 1 - radius / (1.1 * um))  # small fibers are paler
    # lamellae: faint rings, and a light rim inside and outside
    rings = 3.5 * np.cos(depth * 2 * np.pi / (0.36 * um) + 3 * coarse)
    rim = 12 * max(0.0, 1 - abs(depth - thick + 1.5) / 2.0) + 8 * max(0.0, 1 - depth / 2.0)
    myelin = light + rings + rim + 8 * fine + 38 * coarse
    away = np.sqrt(dy * dy + dx * dx) + 1e-9
    c, s = dx / away, dy / away
    kind = _share(word, 31)
    if radius > 1.2 * um and kind < 0.30:  # lamellae apart: a cleft, or, where loose, a crescent
        angle, loose = 2 * np.pi * _share(word, 32), kind < 0.07
        width = max(0.0, c * np.cos(angle) + s * np.sin(angle) - (0.0 if loose else 0.35))
        width *= (0.42 if loose else 0.20) * thick
        at = thick * (0.42 + 0.22 * _share(word, 33))
        open_ = min(max(0.5 * width - abs(depth - at) + 0.5, 0.0), 1.0)
        gap = 98 + 14 * fine + 12 * coarse
        myelin += (gap - myelin) * open_ * (0.9 if loose else 0.7)
    if radius > 1.8 * um and _share(word, 34) < 0.16:  # a vacuole in the myelin
        angle, size = 2 * np.pi * _share(word, 35), 0.30 * thick
        at = radius - 0.55 * thick
        near = np.sqrt((dx - at * np.cos(angle)) ** 2 + (dy - at * np.sin(angle)) ** 2)
        myelin += (92 - myelin) * min(max(size - near + 0.5, 0.0), 1.0)
    axoplasm = 32 + 84 * _share(word, 36) ** 1.8 + 8 * max(0.0, 1 - radius / (1.2 * um)) + 6 * fine + 30 * coarse
    axoplasm += 16 * max(0.0, 1 - (depth - thick) / (0.22 * um))  # axolemma
    if radius > 1.0 * um:
        for m in range(3):  # mitochondria
            if _share(word, 40 + 5 * m) < 0.34:
                angle, size = 2 * np.pi * _share(word, 41 + 5 * m), (0.13 + 0.10 * _share(word, 42 + 5 * m)) * um
                at = 0.42 * radius * np.sqrt(_share(word, 43 + 5 * m))
                ay, ax = dy - at * np.sin(angle), dx - at * np.cos(angle)
                near = np.sqrt(ay * ay + ax * ax * (0.5 + _share(word, 44 + 5 * m)))
                if near < size + 1:
                    body = 112 - 22 * max(0.0, 1 - abs(near - 0.5 * size) / (0.3 * size))
                    axoplasm += (body - axoplasm) * min(max(size - near + 0.5, 0.0), 1.0)
    if radius > 1.5 * um and _share(word, 37) < 0.06:  # an axon that is about to fill with membranes
        axoplasm += 30 + 30 * np.cos(9 * coarse + 2 * fine)
    part = min(max(depth - thick + 0.5, 0.0), 1.0)
    grey: float = myelin + (axoplasm - myelin) * part
    return grey


@compiled
def _cell(
    row: Floats, word: np.uint64, depth: float, dy: float, dx: float, fine: float, coarse: float, um: float
) -> float:
    """Return the grey of a pixel of a glial cell, a vessel or a neuron."""
    radius = row[2]
    if row[3] == 2:  # a vessel: its wall, its lumen full of resin
        if depth > 0.7 * um:
            return 48 + 3 * fine
        return 118 + 34 * max(0.0, 1 - abs(depth - 0.35 * um) / (0.3 * um)) + 10 * fine
    angle = 2 * np.pi * _share(word, 30)
    ay, ax = dy - 0.15 * radius * np.sin(angle), dx - 0.15 * radius * np.cos(angle)
    near = np.sqrt(ay * ay + ax * ax)
    nucleus = (0.66 if row[3] == 1 else 0.45) * radius
    value = 104 + 10 * fine + 10 * coarse
    if row[3] == 3:
        value = 112 + 26 * fine + 16 * coarse  # Nissl bodies
    if near < nucleus:
        value = 92 + 12 * fine + 16 * coarse
        if nucleus - near < 0.15 * um:
            value += 34
        if row[3] == 3 and near < 0.22 * nucleus:
            value = 156
    if depth < 0.12 * um:
        value += 26
    return value


@compiled
def charge(seed: np.uint64, px_per_um: float, top: int, left: int, grey: Greys) -> None:
    """Add grains that charge: bright, with a streak along the scan."""
    side, reach = int(42 * px_per_um), int(9 * px_per_um)
    own = _mix(seed, np.uint64(502))
    h, w = grey.shape
    for a in range((top - reach + BEYOND) // side, (top + h + reach + BEYOND) // side + 1):
        for b in range((left - reach + BEYOND) // side, (left + w + reach + BEYOND) // side + 1):
            word = _mix(_mix(own, np.uint64(a)), np.uint64(b))
            if _share(word, 0) > 0.30:
                continue
            y, x = (a + _share(word, 1)) * side - BEYOND, (b + _share(word, 2)) * side - BEYOND
            size, power = (0.12 + 0.4 * _share(word, 3) ** 3) * px_per_um, 60 + 80 * _share(word, 4)
            tail = (2 + 6 * _share(word, 5)) * px_per_um
            for i in range(max(int(y - 4 * size), top), min(int(y + 4 * size) + 1, top + h)):
                across = (i - y) / size
                band = np.exp(-across * across)
                for j in range(max(int(x - 4 * size), left), min(int(x + tail), left + w)):
                    along = (j - x) / size
                    value = power * band * np.exp(-along * along)
                    if j > x:
                        value -= 14 * band * (1 - (j - x) / tail)
                    grey[i - top, j - left] += value


@compiled
def expose(
    grey: Greys,
    sharp: Floats,
    soft: Floats,
    focus: Greys,
    light: Greys,
    knife: Greys,
    seed: np.uint64,
    angle: float,
    px_per_um: float,
    top: int,
    left: int,
    out: NDArray[np.uint8],
) -> None:
    """Blur as the focus has it, light unevenly, scratch, add noise, and round to 8 bits."""
    n = len(sharp)
    w = grey.shape[1]
    row_sharp, row_soft = np.empty(w), np.empty(w)
    along, across = np.cos(angle), np.sin(angle)
    every = 26 * px_per_um
    marks, lines = _mix(seed, np.uint64(503)), _mix(seed, np.uint64(504))
    grains = _mix(seed, np.uint64(505))
    for i in range(out.shape[0]):
        for j in range(w):
            row_sharp[j], row_soft[j] = 0.0, 0.0
        for k in range(n):
            for j in range(w):
                row_sharp[j] += sharp[k] * grey[i + k, j]
                row_soft[j] += soft[k] * grey[i + k, j]
        y = top + i
        scan = 2.2 * (_share(lines, y + BEYOND) - 0.5)
        row_word = _mix(grains, np.uint64(y + BEYOND))
        before = 0.0
        last, mark, depth, wide = -1, 0.0, 0.0, 1.0
        for j in range(-1, out.shape[1]):
            word = _mix(row_word, np.uint64(left + j + BEYOND))
            noise = 0.0  # four 16-bit numbers: near enough to normal, of standard deviation 0.577
            for k in range(4):
                noise += float((word >> np.uint64(16 * k)) & np.uint64(0xFFFF)) / 65535.0 - 0.5
            if j >= 0:
                total, blurred = 0.0, 0.0
                for k in range(n):
                    total += sharp[k] * row_sharp[j + k]
                    blurred += soft[k] * row_soft[j + k]
                part = min(max(focus[i, j], 0.0), 1.0)
                value = total + (blurred - total) * part
                p = (y * along + (left + j) * across) / every + BEYOND
                cell = int(p)
                if cell != last:
                    last = cell
                    own = _mix(marks, np.uint64(cell))
                    mark, wide = 0.15 + 0.7 * _share(own, 1), (1.0 + 2.5 * _share(own, 2)) / every
                    depth = -26 * _share(own, 3) if _share(own, 4) < 0.45 else 0.0
                if depth != 0.0:
                    off = abs(p - cell - mark) / wide
                    if off < 1:
                        value += depth * (1 - off) * min(max(0.4 + 1.4 * knife[i, j], 0.0), 1.0)
                value = value * (1 + light[i, j]) + scan + 4.5 * noise + 4.5 * before
                out[i, j] = min(max(np.rint(value), 0), 255)
            before = noise
