"""The images that AxonDeepSeg writes, on the slide's own pixels: 0 background, 127 myelin, 255 axon.

They show what the tables count: axons that were left out are background. Axons without myelin have an image of their
own, of 0 and 255. Labels that a network made at another pixel
size are looked up under the centre of each of the slide's pixels.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image

from axonflow.errors import InputError
from axonflow.kernel.files import new_file
from axonflow.kernel.grid import Box, Grid
from axonflow.kernel.resample import Resampling, nearest_pixels
from axonflow.ngff import Pyramid
from axonflow.results.analysis import Analysis

__all__ = ["write_ads_mask", "write_uaxon_mask"]

TILE = 512
READ = 4096
"""Width of what is read at a time, px: a whole number of tiles."""

LARGEST_PNG_PX = 2**28


def write_ads_mask(analysis: Analysis, path: Path) -> None:
    """Write the mask: a tiled BigTIFF with its pixel size, part by part, or a small PNG if the file ends so.

    Raises
    ------
    InputError
        If the ending is another, or the slide too large for a PNG, which is written whole.
    """
    _write(analysis, analysis.classes.greys, path)


def write_uaxon_mask(analysis: Analysis, path: Path) -> None:
    """Write the mask of axons without myelin; as :func:`write_ads_mask`."""
    _write(analysis, np.array([255 * (each.role == "unmyelinated") for each in analysis.classes], np.uint8), path)


def _write(analysis: Analysis, greys: NDArray[np.uint8], path: Path) -> None:
    mask = _Mask(analysis, analysis.pyramid(), greys)
    (h, w), size = mask.slide.shape, mask.slide.pixel_size
    if path.suffix.lower() == ".png":
        if h * w > LARGEST_PNG_PX:
            raise InputError(
                f"A slide of at most {LARGEST_PNG_PX:,} px was expected for a PNG, {h} × {w} came; name a .tif file."
            )
        with new_file(path) as part:
            Image.fromarray(mask.greys(Box.whole((h, w)))).save(part, format="png")
    elif path.suffix.lower() in {".tif", ".tiff"}:
        with new_file(path) as part, tifffile.TiffWriter(part, bigtiff=True) as file:
            file.write(
                mask.tiles(),
                shape=(h, w),
                dtype=np.uint8,
                tile=(TILE, TILE),
                compression="zlib",
                photometric="minisblack",
                resolution=(1e4 / size.x, 1e4 / size.y),
                resolutionunit="CENTIMETER",
                metadata=None,
            )
    else:
        raise InputError(f"A file ending in .tif, .tiff or .png was expected, {path.name} came; rename --out.")


@dataclass(frozen=True, slots=True)
class _Mask:
    """The mask of a slide, computed where it is asked for."""

    analysis: Analysis
    slide: Pyramid
    of_class: NDArray[np.uint8]

    def tiles(self) -> Iterator[NDArray[np.uint8]]:
        """Yield the tiles in raster order, those at the edges filled up with background."""
        for box in Grid(self.slide.shape, (TILE, READ)):
            h, w = box.shape
            greys = np.pad(self.greys(box), ((0, -h % TILE), (0, -w % TILE)))
            yield from np.split(greys, greys.shape[1] // TILE, axis=1)

    def greys(self, box: Box) -> NDArray[np.uint8]:
        """Return the grey of each pixel of a box of the slide."""
        labels = self.analysis.pyramid("semantic")
        span = Resampling(labels.shape, labels.pixel_size, self.slide.pixel_size).span
        rows, columns = nearest_pixels(box, span, labels.shape)
        have = Box(int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1)
        counted = self.analysis.counted_in(have)
        greys: NDArray[np.uint8] = self.of_class[counted[np.ix_(rows - have.y0, columns - have.x0)]]
        return greys
