"""Where the tracts of a cord lie and what their fibers are like: outlines drawn by hand, numbers from the literature.

Coordinates are (x, y) of the right half of a cervical cord of the rat, dorsal side up, in half-widths of the cord. The
left half is its mirror image, and the whole is then bent a little, because no cord is symmetric. The atlas behind the
outlines is that of the paper's Figure 7; see docs/explanation/phantom.md.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache

import numpy as np
import shapely
from numpy.typing import NDArray

from axonflow.kernel.compiled import compiled

__all__ = ["GREY_FIBERS", "GREY_MATTER", "HALF_HEIGHT", "STEP", "TRACTS", "Atlas", "Tract", "atlas", "outlines"]

Floats = NDArray[np.float64]
Points = tuple[tuple[float, float], ...]

HALF_HEIGHT = 0.79
"""Half the height of a cord, in half-widths."""

STEP = 1 / 256
"""Side of a square of the atlas, in half-widths."""

REACH = (1.10, 0.92)
"""What the atlas covers to either side, x and y, in half-widths."""

GREY_MATTER = 1
"""Number of the grey matter in an atlas. 0 is resin; the tracts follow."""

OUTLINE: Points = (
    *((0.000, -0.700), (0.060, -0.735), (0.180, -0.752), (0.350, -0.725), (0.540, -0.650), (0.730, -0.510)),
    *((0.890, -0.280), (0.975, -0.020), (0.970, 0.210), (0.885, 0.430), (0.710, 0.600), (0.490, 0.710)),
    *((0.250, 0.765), (0.090, 0.765), (0.030, 0.720), (0.016, 0.560), (0.013, 0.430), (0.000, 0.370)),
)

GREY: Points = (
    *((0.000, -0.075), (0.080, -0.085), (0.160, -0.160), (0.240, -0.300), (0.320, -0.440), (0.400, -0.540)),
    *((0.475, -0.555), (0.510, -0.490), (0.470, -0.360), (0.415, -0.220), (0.385, -0.100), (0.420, 0.000)),
    *((0.530, 0.050), (0.640, 0.120), (0.690, 0.220), (0.660, 0.330), (0.550, 0.400), (0.400, 0.420)),
    *((0.250, 0.395), (0.140, 0.350), (0.100, 0.280), (0.095, 0.200), (0.060, 0.140), (0.000, 0.125)),
)


@dataclass(frozen=True, slots=True)
class Tract:
    """A tract and its myelinated axons.

    Attributes
    ----------
    name : str
    outline : tuple of (float, float)
        In half-widths; of what two tracts claim, the first of :data:`TRACTS` has it.
    diameter_um, spread_um : float
        Mean and standard deviation of the axons' diameters, µm; they are distributed log-normally.
    density : float
        Axons per mm².
    gratio : float
        Aggregate g-ratio.
    """

    name: str
    outline: Points
    diameter_um: float
    spread_um: float
    density: float
    gratio: float


TRACTS = (
    Tract(
        "corticospinal",
        ((0, -0.07), (0.08, -0.085), (0.16, -0.16), (0.215, -0.25), (0.13, -0.275), (0.05, -0.25), (0, -0.245)),
        *(1.0, 0.32, 200_000, 0.60),
    ),
    Tract(
        "gracile",
        ((0, -0.24), (0.05, -0.25), (0.09, -0.265), (0.135, -0.50), (0.20, -0.85), (0, -0.85)),
        *(1.5, 0.60, 112_000, 0.63),
    ),
    Tract(
        "cuneate",
        (
            *((0.05, -0.25), (0.13, -0.275), (0.21, -0.25), (0.30, -0.40), (0.40, -0.54), (0.43, -0.80), (0.20, -0.85)),
            *((0.135, -0.50), (0.09, -0.265)),
        ),
        *(2.1, 0.95, 64_000, 0.65),
    ),
    Tract("Lissauer", ((0.39, -0.53), (0.49, -0.56), (0.57, -0.70), (0.42, -0.82)), 0.9, 0.30, 125_000, 0.62),
    Tract(
        "dorsal spinocerebellar",
        (
            *((0.55, -0.70), (0.80, -0.60), (1.05, -0.25), (1.05, 0.00), (0.85, 0.00), (0.81, -0.18), (0.69, -0.38)),
            *((0.51, -0.54),),
        ),
        *(3.1, 1.6, 34_500, 0.66),
    ),
    Tract(
        "ventral spinocerebellar",
        ((0.85, 0.00), (1.05, 0.00), (1.05, 0.30), (0.74, 0.66), (0.63, 0.52), (0.77, 0.38), (0.85, 0.18)),
        *(2.9, 1.6, 36_500, 0.66),
    ),
    Tract(
        "rubrospinal",
        ((0.48, -0.53), (0.53, -0.53), (0.69, -0.38), (0.80, -0.20), (0.72, -0.12), (0.56, -0.17), (0.43, -0.25)),
        *(2.2, 1.0, 58_000, 0.66),
    ),
    Tract(
        "spinothalamic",
        ((0.64, 0.12), (0.84, 0.14), (0.77, 0.38), (0.63, 0.52), (0.50, 0.40), (0.65, 0.34), (0.69, 0.22)),
        *(3.4, 2.0, 28_500, 0.67),
    ),
    Tract(
        "vestibulospinal",
        ((0.63, 0.52), (0.74, 0.66), (0.45, 0.85), (0.10, 0.85), (0.10, 0.62), (0.27, 0.63), (0.46, 0.59)),
        *(3.6, 2.1, 26_000, 0.67),
    ),
    Tract(
        "medial longitudinal",
        ((0, 0.12), (0.06, 0.14), (0.10, 0.20), (0.11, 0.30), (0.115, 0.45), (0.10, 0.85), (0, 0.85)),
        *(2.7, 1.6, 40_000, 0.66),
    ),
    Tract(
        "reticulospinal",
        ((0.10, 0.28), (0.25, 0.39), (0.40, 0.41), (0.55, 0.39), (0.63, 0.52), (0.46, 0.59), (0.27, 0.63), (0.1, 0.62)),
        *(3.1, 1.8, 32_500, 0.67),
    ),
    Tract(
        "lateral propriospinal",
        ((-0.2, -0.9), (1.1, -0.9), (1.1, 0.9), (-0.2, 0.9)),  # what is left of the white matter
        *(1.8, 0.90, 76_000, 0.65),
    ),
)

GREY_FIBERS = Tract("grey matter", GREY, 1.2, 0.45, 42_000, 0.66)


@dataclass(frozen=True, slots=True, eq=False)
class Atlas:
    """The cord on a raster of squares of :data:`STEP` half-widths.

    Attributes
    ----------
    inside : (h, w) float32
        Distance to the outline, in half-widths; positive inside.
    grey : (h, w) float32
        Distance to the border of the grey matter, positive inside.
    tract : (h, w) uint8
        0 resin, 1 grey matter, 2 … the tracts, in the order of :data:`TRACTS`.
    """

    inside: NDArray[np.float32]
    grey: NDArray[np.float32]
    tract: NDArray[np.uint8]


@cache
def atlas() -> Atlas:
    """Return the cord's atlas."""
    x, y = (np.arange(-reach, reach + STEP / 2, STEP) for reach in REACH)
    inside, grey = (_distance(_whole(points), y, x) for points in (OUTLINE, GREY))
    tract = np.zeros(inside.shape, np.uint8)
    for number, each in reversed([*enumerate(TRACTS, GREY_MATTER + 1)]):
        for half in _halves(each.outline):
            tract[_distance(half, y, x) > 0] = number
    tract[grey > 0] = GREY_MATTER
    tract[inside <= 0] = 0
    return Atlas(inside, grey, tract)


def outlines(y0: float, x0: float, scale: float) -> dict[str, str]:
    """Return the outlines of a cord, in pixels, as GeoJSON by the name of its file.

    Parameters
    ----------
    y0, x0 : float
        Its middle, px.
    scale : float
        Half its width, px.

    Returns
    -------
    dict of str to str
        ``tissue.geojson``, ``white-matter.geojson``, and ``tracts.geojson``: the grey matter, and the tracts, which
        part the white matter among them without overlap.
    """
    tissue, grey = (shapely.Polygon(_whole(points)) for points in (OUTLINE, GREY))
    left = white = tissue.difference(grey)
    parts = {"grey matter": grey}
    for tract in TRACTS:
        halves = shapely.union_all([shapely.Polygon(half) for half in _halves(tract.outline)])
        parts[tract.name] = left.intersection(halves)
        left = left.difference(halves)

    def feature(name: str, area: shapely.Geometry) -> dict[str, object]:
        area = shapely.transform(area, lambda points: points * scale + (x0, y0))
        # Crumbs are left between outlines that were drawn by hand.
        whole = [part for part in shapely.get_parts(shapely.set_precision(area, 0.01)) if part.area > area.area / 100]
        shape = json.loads(shapely.to_geojson(shapely.MultiPolygon(whole)))
        return {"type": "Feature", "geometry": shape, "properties": {"classification": {"name": name}}}

    features = {
        "tissue.geojson": [feature("tissue", tissue)],
        "white-matter.geojson": [feature("white matter", white)],
        "tracts.geojson": [feature(name, area) for name, area in parts.items()],
    }
    return {name: json.dumps({"type": "FeatureCollection", "features": each}) for name, each in features.items()}


def _halves(half: Points) -> list[Floats]:
    """Return an outline of the right half and its mirror image."""
    return [_bent(np.array(half) * (side, 1)) for side in (1, -1)]


def _whole(half: Points) -> Floats:
    """Return both halves of an outline that begins and ends in the middle, smooth."""
    right = np.array(half)
    return _bent(_smooth(np.concatenate([right, (right * (-1, 1))[-2:0:-1]])))


def _smooth(points: Floats, parts: int = 5) -> Floats:
    """Return a closed Catmull–Rom spline through points."""
    before, after, next_after = (np.roll(points, shift, axis=0) for shift in (1, -1, -2))
    t = (np.arange(parts) / parts)[:, None, None]
    curve = (
        2 * points
        + (after - before) * t
        + (2 * before - 5 * points + 4 * after - next_after) * t**2
        + (3 * points - before - 3 * after + next_after) * t**3
    )
    smooth: Floats = (curve / 2).transpose(1, 0, 2).reshape(-1, 2)
    return smooth


def _bent(points: Floats) -> Floats:
    """Turn a symmetric drawing by two degrees and bend it a little."""
    x, y = points.T
    x, y = x + 0.020 * np.sin(2.6 * y + 0.7) - 0.008, y + 0.022 * np.sin(2.3 * x + 0.4) - 0.012 * x * x
    turn = np.deg2rad(2)
    bent: Floats = np.column_stack([np.cos(turn) * x - np.sin(turn) * y, np.sin(turn) * x + np.cos(turn) * y])
    return bent


def _distance(ring: Floats, y: Floats, x: Floats) -> NDArray[np.float32]:
    out = np.empty((len(y), len(x)), np.float32)
    _signed_distance(ring, np.roll(ring, -1, axis=0), y, x, out)
    return out


@compiled
def _signed_distance(first: Floats, last: Floats, y: Floats, x: Floats, out: NDArray[np.float32]) -> None:
    """Measure the distance of points to a ring of edges; positive inside (even–odd rule)."""
    for i in range(len(y)):
        for j in range(len(x)):
            nearest, inside = 1e9, False
            for k in range(len(first)):
                ex, ey = last[k, 0] - first[k, 0], last[k, 1] - first[k, 1]
                px, py = x[j] - first[k, 0], y[i] - first[k, 1]
                t = min(max((px * ex + py * ey) / (ex * ex + ey * ey), 0.0), 1.0)
                away = (px - t * ex) ** 2 + (py - t * ey) ** 2
                nearest = min(nearest, away)
                if (first[k, 1] > y[i]) != (last[k, 1] > y[i]) and px < ex * py / ey:
                    inside = not inside
            out[i, j] = np.sqrt(nearest) if inside else -np.sqrt(nearest)
