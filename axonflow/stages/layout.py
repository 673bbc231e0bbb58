"""Where everything lies in a store, and on which pixel grids.

::

    slide.ome.zarr/
    ├── s0 s1 …                 the slide
    ├── unmeasured/             where the slide could not be read, if it may have such places
    ├── resampled/              the slide at the model's pixel size, if that differs
    ├── labels/semantic         numbers of the model's classes: 0 background, 1 myelin, 2 axon
    ├── labels/axons, fibers    instance ids
    ├── probabilities/          of each class, if asked for
    ├── traits/                 sums over blocks: how sure the network was, and of what
    ├── tables/fibers.parquet   one row per axon
    ├── tables/regions.parquet  one row per region, if there are any
    ├── tables/fibers, regions  both once more, as a Zarr group of tables
    ├── maps/                   one array per map
    ├── run.json, run.log       what made it
    └── .axonflow/              journal, lock and intermediate results
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from axonflow.kernel.classes import AXON_MYELIN, Classes
from axonflow.kernel.grid import ceil_to
from axonflow.kernel.units import PixelSize
from axonflow.net.familiarity import BLOCK, SUMS
from axonflow.ngff import Blocks, Pyramid
from axonflow.ngff.metadata import Colours

__all__ = ["Frame", "Layout", "default_chunk", "whole_chunk"]

OPACITY = 160
"""With which viewers lay the classes over the slide, of 255."""


_CHUNK, _STEP = 4096, 512


def default_chunk(*sides: int) -> int:
    """Return the side of what one task writes, px: small slides are cut, too, so that several cpus have work.

    Parameters
    ----------
    *sides : int
        Of the slide, px.
    """
    return min(_CHUNK, ceil_to(-(-max(sides) // 2), _STEP))


def whole_chunk(*sides: int) -> int:
    """Return the side of what one task writes where tasks share work at their edges, px: small slides are not cut.

    Of nnU-Net's usual windows, of 640 px, a quarter is computed twice with 4096 px.
    """
    return min(_CHUNK, ceil_to(max(sides), _STEP))


@dataclass(frozen=True, slots=True)
class Frame:
    """A pixel grid over the slide, anchored at its top-left corner.

    Attributes
    ----------
    shape : (int, int)
        Height and width, px.
    pixel_size : PixelSize
    """

    shape: tuple[int, int]
    pixel_size: PixelSize


@dataclass(frozen=True, slots=True)
class Layout:
    """The store of one slide.

    Attributes
    ----------
    store : Path
    native : Frame
        The slide's own pixels.
    work : Frame
        The pixels of the labels: the slide's own, or the model's.
    dtype : str
        Of the slide's pixels.
    chunk : int
        Side of a shard, px: what one task writes.
    classes : Classes
        What the numbers in the semantic labels mean.
    """

    store: Path
    native: Frame
    work: Frame
    dtype: str
    chunk: int
    classes: Classes = AXON_MYELIN

    @property
    def parameters(self) -> dict[str, Any]:
        """What a stage that reads no other must name among its parameters, besides what it reads."""
        return {"pixel_size": [self.native.pixel_size.y, self.native.pixel_size.x], "shard": self.chunk}

    @property
    def resamples(self) -> bool:
        """Whether the labels' grid is not the slide's."""
        return self.work != self.native

    @property
    def slide(self) -> Pyramid:
        """The slide as it is."""
        return self._pyramid(self.store, self.native, self.dtype, "image")

    @property
    def unmeasured(self) -> Pyramid:
        """1 where the slide was not measured, 0 elsewhere; of a run that goes on where it cannot be read."""
        native = self.native
        return Pyramid(self.store / "unmeasured", native.shape, "uint8", native.pixel_size, shard=self.chunk, count=1)

    @property
    def input(self) -> Pyramid:
        """The image the network sees: the slide, or the slide at the model's pixel size."""
        return self._pyramid(self.store / "resampled", self.work, self.dtype, "image") if self.resamples else self.slide

    @property
    def semantic(self) -> Pyramid:
        """Semantic labels."""
        return self._pyramid(self.store / "labels" / "semantic", self.work, "uint8", "labels")

    @property
    def axons(self) -> Pyramid:
        """Axon ids."""
        return self._pyramid(self.store / "labels" / "axons", self.work, "uint32", "labels")

    @property
    def fibers(self) -> Pyramid:
        """Axon ids, of the axons with their myelin."""
        return self._pyramid(self.store / "labels" / "fibers", self.work, "uint32", "labels")

    @property
    def colours(self) -> Colours:
        """How viewers paint the semantic labels."""
        return {each.number: (*each.rgb, OPACITY) for each in self.classes.legend}

    @property
    def probabilities(self) -> tuple[Pyramid, ...]:
        """Probability of each class in 255ths, by number."""
        folder = self.store / "probabilities"
        return tuple(self._pyramid(folder / name, self.work, "uint8", "image") for name in self.classes.names)

    @property
    def traits(self) -> Blocks:
        """Sums that the traits of any region are made of."""
        return Blocks(self.store / "traits", self.work.shape, SUMS, BLOCK, self.chunk)

    @property
    def table(self) -> Path:
        """One row per axon."""
        return self.store / "tables" / "fibers.parquet"

    @property
    def regions(self) -> Path:
        """One row per region."""
        return self.store / "tables" / "regions.parquet"

    @property
    def maps(self) -> Path:
        """The maps."""
        return self.store / "maps"

    @property
    def statistics(self) -> Path:
        """The slide's own statistics, of a run whose network was adapted to them."""
        return self.private / "statistics.json"

    @property
    def private(self) -> Path:
        """Journal, lock and intermediate results."""
        return self.store / ".axonflow"

    def _pyramid(self, path: Path, frame: Frame, dtype: str, kind: Literal["image", "labels"]) -> Pyramid:
        native, size = self.native.pixel_size, frame.pixel_size
        origin_um = ((size.y - native.y) / 2, (size.x - native.x) / 2)
        # NGFF wants labels to have as many levels as their image, also where their grid is another.
        count = 0 if path == self.store else len(self.slide.shapes)
        return Pyramid(path, frame.shape, dtype, size, origin_um, self.chunk, kind, count)
