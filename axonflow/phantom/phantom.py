"""Synthetic slides of any size whose truth is known to the pixel.

A hashed quadtree places the fibers: each of its squares holds one fiber, none, or four smaller squares, as the hash
of (seed, level, row, column) says. So any box of the slide can be drawn alone, in any order, and no memory is needed
for the rest; fibers never touch, because each keeps a pixel away from the sides of its square. No fiber crosses a
side of the largest squares, so these lie askew to every grid of chunks: their side is no round number of pixels, and
the seed says where they begin.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import ceil, log2
from pathlib import Path

import numpy as np
import pandas as pd
import tifffile
import xarray as xr
from numpy.typing import NDArray

from axonflow.errors import InputError
from axonflow.fiber.compiled import compiled
from axonflow.kernel.grid import Box, Grid
from axonflow.kernel.units import PixelSize

__all__ = ["Phantom", "write"]

SEM_PIXEL = PixelSize.square(0.1)
TILE = 512
SMALLEST_UM = 1.7
"""Side of the smallest square, µm: fibers of 1.4 µm."""

BLUR = np.exp(-0.5 * (np.arange(-3, 4) / 0.9) ** 2)
BLUR /= BLUR.sum()

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Phantom:
    """A synthetic slide.

    Parameters
    ----------
    shape : (int, int)
        Height and width, px.
    seed : int
        Another seed places other fibers.
    pixel_size : PixelSize
        0.1 µm unless given.
    largest_um : float
        Diameter of the largest fibers, µm; large ones are rare.

    Notes
    -----
    Diameters and g-ratios vary smoothly over the slide, as they do between the tracts of a cord. Fibers are ellipses,
    cut where the slide ends. Myelin is bright, axons are dark, as in scanning electron micrographs.
    """

    shape: tuple[int, int]
    seed: int = 0
    pixel_size: PixelSize = SEM_PIXEL
    largest_um: float = 24.0

    def __post_init__(self) -> None:
        if min(self.shape) < 1:
            raise InputError(f"A phantom of at least 1 × 1 px was expected, {self.shape} came.")
        if not self.largest_um > SMALLEST_UM:
            raise InputError(f"Fibers larger than {SMALLEST_UM} µm were expected, {self.largest_um:g} µm came.")
        if not 0 <= self.seed < 2**64:
            raise InputError(f"A seed from 0 to 2⁶⁴ - 1 was expected, {self.seed} came.")

    @property
    def smallest(self) -> int:
        """Side of the smallest squares, px; large enough for a fiber to be drawn."""
        return max(round(SMALLEST_UM / self.pixel_size.geometric_um), 9)

    @property
    def root(self) -> int:
        """Side of the largest squares, px."""
        return self.smallest << ceil(log2(max(self.largest_um / self.pixel_size.geometric_um / self.smallest, 1)))

    @property
    def shift(self) -> tuple[int, int]:
        """Rows and columns of the first largest square that lie before the slide's first pixel."""
        word = int(_mix(np.uint64(self.seed), np.uint64(0)))
        return word % self.root, (word >> 32) % self.root

    def classes(self, box: Box) -> NDArray[np.uint8]:
        """Draw the true classes of a box: 0 background, 1 myelin, 2 axon."""
        out = np.zeros(box.shape, np.uint8)
        _draw_classes(self._fibers(box), box.y0, box.x0, out)
        return out

    def image(self, box: Box) -> NDArray[np.uint8]:
        """Draw the micrograph of a box, uint8."""
        reach = len(BLUR) // 2
        grown = Box(box.y0 - reach, box.x0 - reach, box.y1 + reach, box.x1 + reach)
        grey = np.empty(grown.shape, np.float32)
        _draw_ground(np.uint64(self.seed), grown.y0, grown.x0, grey)
        _draw_greys(self._fibers(grown), grown.y0, grown.x0, grey)
        out = np.empty(box.shape, np.uint8)
        _expose(grey, BLUR, np.uint64(self.seed), box.y0, box.x0, self.shape[0], self.shape[1], out)
        return out

    def truth(self) -> pd.DataFrame:
        """Measure every axon as it is drawn.

        Returns
        -------
        DataFrame
            One row per axon, ordered by the axon's first pixel in raster order: ``axon_id`` from 1, ``axon_px`` and
            ``fiber_px`` (areas), ``y0 (px)`` and ``x0 (px)`` (centroid), ``min_y``, ``min_x``, ``max_y``, ``max_x``
            (bounding box of the axon, end exclusive).
        """
        (h, w), root, (down, _) = self.shape, self.root, self.shift
        bands = (Box(max(y, 0), 0, min(y + root, h), w) for y in range(-down, h, root))
        parts = [_measure(self._fibers(band), h, w) for band in bands]
        rows = np.concatenate(parts)
        rows = rows[rows[:, 1] > 0]
        rows = rows[np.argsort(rows[:, 0])]
        return pd.DataFrame(
            {
                "axon_id": np.arange(1, len(rows) + 1),
                "axon_px": rows[:, 1],
                "fiber_px": rows[:, 2],
                "y0 (px)": rows[:, 3] / rows[:, 1],
                "x0 (px)": rows[:, 4] / rows[:, 1],
            }
            | {name: rows[:, 5 + i] for i, name in enumerate(("min_y", "min_x", "max_y", "max_x"))}
        )

    def _fibers(self, box: Box) -> Floats:
        """Return the fibers of the largest squares that meet a box."""
        root, (down, right) = self.root, self.shift
        first_y, first_x = (box.y0 + down) // root, (box.x0 + right) // root
        last_y, last_x = (box.y1 - 1 + down) // root, (box.x1 - 1 + right) // root
        squares = np.array([first_y, first_x, last_y, last_x])
        return _place(np.uint64(self.seed), root, self.smallest, down, right, squares, *self.shape)


def write(
    path: Path,
    phantom: Phantom,
    truth_dir: Path | None = None,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Write a phantom as a tiled, compressed BigTIFF, a row of tiles at a time.

    Parameters
    ----------
    path : Path
    phantom : Phantom
    truth_dir : Path, optional
        Where to put ``labels.tif`` (0 background, 127 myelin, 255 axon), ``axons.parquet`` (:meth:`Phantom.truth`)
        and ``maps.nc`` (axons, and pixels of axon, myelin and all, in cells of 50 µm).
    progress : callable, optional
        Called with the number of rows of tiles drawn and their total.

    Raises
    ------
    InputError
        If a file cannot be written.
    """
    rows = -(-phantom.shape[0] // TILE)
    total = rows * (1 if truth_dir is None else 2)
    done = 0

    def tick() -> None:
        nonlocal done
        done += 1
        if progress:
            progress(done, total)

    try:
        _write_tiff(path, phantom, phantom.image, tick)
        if truth_dir is not None:
            truth_dir.mkdir(parents=True, exist_ok=True)
            cells = _CellCounts(phantom)

            def labels(box: Box) -> NDArray[np.uint8]:
                classes = phantom.classes(box)
                cells.add(box, classes)
                return np.array([0, 127, 255], np.uint8)[classes]

            _write_tiff(truth_dir / "labels.tif", phantom, labels, tick)
            axons = phantom.truth()
            axons.to_parquet(truth_dir / "axons.parquet", index=False)
            cells.maps(axons).to_netcdf(truth_dir / "maps.nc", engine="h5netcdf")
    except OSError as error:
        raise InputError(
            f"A file that can be written was expected at {path}, but: {error.strerror or error}."
        ) from error


def _write_tiff(
    path: Path, phantom: Phantom, draw: Callable[[Box], NDArray[np.uint8]], tick: Callable[[], None]
) -> None:
    size = phantom.pixel_size

    def tiles() -> Iterator[NDArray[np.uint8]]:
        for band in Grid(phantom.shape, (TILE, phantom.shape[1])):
            drawn = draw(band)
            tick()
            for x in range(0, phantom.shape[1], TILE):
                tile = np.zeros((TILE, TILE), np.uint8)
                part = drawn[:, x : x + TILE]
                tile[: part.shape[0], : part.shape[1]] = part
                yield tile

    with tifffile.TiffWriter(path, bigtiff=True) as tiff:
        tiff.write(
            tiles(),
            shape=phantom.shape,
            dtype="uint8",
            tile=(TILE, TILE),
            compression="zlib",
            compressionargs={"level": 1},
            photometric="minisblack",
            resolution=(1e4 / size.x, 1e4 / size.y),
            resolutionunit="CENTIMETER",
            metadata=None,
            software="axonflow phantom",
        )


class _CellCounts:
    """Pixels of each class in each cell of the true maps."""

    def __init__(self, phantom: Phantom, side_um: float = 50.0) -> None:
        self.side_um = side_um
        self.edges = []
        for side, um in zip(phantom.shape, (phantom.pixel_size.y, phantom.pixel_size.x), strict=True):
            cuts = [round(k * side_um / um) for k in range(int(side * um / side_um) + 2)]
            self.edges.append(np.array([*(cut for cut in cuts if cut < side), side]))
        self.counts = np.zeros((3, *(len(edges) - 1 for edges in self.edges)), np.int64)

    def add(self, box: Box, classes: NDArray[np.uint8]) -> None:
        """Count the pixels of a box, one by one."""
        rows, columns = np.arange(box.y0, box.y1), np.arange(box.x0, box.x1)
        y, x = (np.searchsorted(e, at, "right") - 1 for e, at in zip(self.edges, (rows, columns), strict=True))
        _count_cells(classes, y, x, self.counts)

    def maps(self, axons: pd.DataFrame) -> xr.Dataset:
        """Return the true maps."""
        count = np.zeros(self.counts.shape[1:], np.int64)
        y, x = (
            np.searchsorted(edges, np.floor(axons[name].to_numpy() + 0.5), "right") - 1
            for edges, name in zip(self.edges, ("y0 (px)", "x0 (px)"), strict=True)
        )
        np.add.at(count, (y, x), 1)
        values = {
            "axon_count": count,
            "axon_px": self.counts[2],
            "myelin_px": self.counts[1],
            "covered_px": self.counts.sum(axis=0),
        }
        return xr.Dataset(
            {name: (("y", "x"), value) for name, value in values.items()}, attrs={"cell_side_um": self.side_um}
        )


@compiled
def _count_cells(classes: NDArray[np.uint8], y: Ints, x: Ints, counts: Ints) -> None:
    for i in range(classes.shape[0]):
        for j in range(classes.shape[1]):
            counts[classes[i, j], y[i], x[j]] += 1


# Compiled with numba. A fiber is a row: centre y, x; semi-axes; cosine and sine of its angle; g-ratio; hash in [0, 1).


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
def _place(seed: np.uint64, root: int, smallest: int, down: int, right: int, squares: Ints, h: int, w: int) -> Floats:
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
                word = _mix(_mix(_mix(seed, np.uint64(side)), np.uint64(i + (1 << 40))), np.uint64(j + (1 << 40)))
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
def _draw_classes(fibers: Floats, top: int, left: int, out: NDArray[np.uint8]) -> None:
    for fiber in fibers:
        y0, x0, y1, x1 = _bounds(fiber, top, left, top + out.shape[0], left + out.shape[1])
        for y in range(y0, y1):
            for x in range(x0, x1):
                r2 = _radius2(fiber, y, x)
                if r2 <= 1:
                    out[y - top, x - left] = 2 if r2 <= fiber[6] * fiber[6] else 1


@compiled
def _measure(fibers: Floats, h: int, w: int) -> Ints:
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
def _draw_ground(seed: np.uint64, top: int, left: int, grey: NDArray[np.float32]) -> None:
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
                        word = _mix(_mix(seed + np.uint64(step), np.uint64(v + a)), np.uint64(u + b))
                        corner += (_share(word, 0) - 0.5) * (fy if a else 1 - fy) * (fx if b else 1 - fx)
                value += strength * corner * 2
            grey[i, j] = value


@compiled
def _draw_greys(fibers: Floats, top: int, left: int, grey: NDArray[np.float32]) -> None:
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
def _expose(
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
            word = _mix(_mix(seed + np.uint64(1), np.uint64(y)), np.uint64(x))
            noise = 0.0  # four 16-bit numbers: near enough to normal
            for k in range(4):
                noise += ((word >> np.uint64(16 * k)) & np.uint64(0xFFFF)) / 65535.0 - 0.5
            out[i, j] = min(max(np.rint(total * light + 11 * noise), 0), 255)
