"""Everything a user can ask of a run, as one frozen value.

The command line, the Python API, the journal and the store's record all speak of this value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from math import inf
from pathlib import Path
from typing import Any, Literal

from axonflow.errors import InputError
from axonflow.kernel.grid import ceil_to
from axonflow.kernel.units import PixelSize

__all__ = ["Config", "Halo", "MaskUnit", "default_chunk"]

_CHUNK, _STEP = 4096, 512
Halo = int | Literal["exact"]
MaskUnit = Literal["px", "um"]

_PATHS = ("slide", "out", "mask", "regions", "axon_mask", "myelin_mask", "labels")


def default_chunk(*sides: int) -> int:
    """Return the side of what one task writes, px: small slides are cut, too, so that several cores have work.

    Parameters
    ----------
    *sides : int
        Of the slide, px.
    """
    return min(_CHUNK, ceil_to(-(-max(sides) // 2), _STEP))


@dataclass(frozen=True, slots=True)
class Config:
    """What a run is asked to do.

    Attributes
    ----------
    slide : Path
        The image file.
    out : Path
        The store; ``slide.ome.zarr`` beside the slide unless given (:meth:`default_out`).
    series : int, optional
        Which image of a file that holds several.
    pixel_size : PixelSize, optional
        In place of what the file says.
    model : str
        Name of an embedded model, or path of one.
    halo : int or "exact", optional
        What each core of the lattice sees on its sides, px; "exact" is the network's own reach; the model's if None.
    chunk : int, optional
        Side of what one task writes, px; 4096, or half of a small slide, if None. No result depends on it.
    cell_um : float
        Side of a map's cell, µm.
    mask : Path, optional
        What counts: an image of any resolution (non-zero counts) or GeoJSON polygons.
    mask_unit : "px" or "um"
        Of the polygons' coordinates: the slide's pixels, or µm.
    regions : Path, optional
        Regions (tracts) to be described one by one: GeoJSON polygons with names, or an image of any resolution whose
        pixels are the regions' numbers, 0 for none.
    regions_unit : "px" or "um"
        Of these polygons' coordinates.
    axon_mask, myelin_mask : Path, optional
        Own masks in place of the network; non-zero is axon, or myelin.
    labels : Path, optional
        Own masks as one image of 0 background, 127 myelin, 255 axon.
    keep_probabilities : bool
        Whether the class probabilities are stored.
    min_axon_area_um2 : float, optional
        Smaller axons are left out; the model's value, or 0 for own masks, if None.
    max_myelin_um : float
        Myelin farther than this from its axon, along the myelin, belongs to none.
    """

    slide: Path
    out: Path
    series: int | None = None
    pixel_size: PixelSize | None = None
    model: str = "sem"
    halo: Halo | None = None
    chunk: int | None = None
    cell_um: float = 50.0
    mask: Path | None = None
    mask_unit: MaskUnit = "px"
    regions: Path | None = None
    regions_unit: MaskUnit = "px"
    axon_mask: Path | None = None
    myelin_mask: Path | None = None
    labels: Path | None = None
    keep_probabilities: bool = False
    min_axon_area_um2: float | None = None
    max_myelin_um: float = 5.0

    def __post_init__(self) -> None:
        if (self.axon_mask is None) != (self.myelin_mask is None):
            raise InputError("--axon-mask and --myelin-mask were expected together, one came; give both, or --labels.")
        if self.labels is not None and self.axon_mask is not None:
            raise InputError("Either --labels or --axon-mask with --myelin-mask was expected, both came; give one.")
        for name, value in (("--cell", self.cell_um), ("--max-myelin", self.max_myelin_um)):
            if not 0 < value < inf:
                raise InputError(f"{name} was expected to be larger than 0 µm, and finite, {value:g} came.")
        if self.min_axon_area_um2 is not None and not 0 <= self.min_axon_area_um2 < inf:
            raise InputError(f"--min-axon-area was expected to be 0 µm² or more, {self.min_axon_area_um2:g} came.")
        if self.chunk is not None and (self.chunk < 64 or self.chunk % 64):
            raise InputError(f"--chunk was expected to be a multiple of 64 px, {self.chunk} came.")
        if isinstance(self.halo, int) and self.halo < 0:
            raise InputError(f"--halo was expected to be 0 or more px, or 'exact', {self.halo} came.")

    @property
    def own_masks(self) -> bool:
        """Whether masks are given, so that no network is needed."""
        return self.labels is not None or self.axon_mask is not None

    @staticmethod
    def default_out(slide: Path) -> Path:
        """Return the store that belongs to a slide: the same name beside it, ending in ``.ome.zarr``."""
        stem = slide.name
        for ending in (".ome.zarr", ".zarr", ".ome.tiff", ".ome.tif", slide.suffix):
            if ending and stem.lower().endswith(ending):
                stem = stem[: -len(ending)]
                break
        out = slide.with_name(f"{stem}.ome.zarr")
        return out if out != slide else slide.with_name(f"{stem}.axonflow.ome.zarr")

    def to_json(self) -> dict[str, Any]:
        """Return the value as JSON; paths are absolute, so that it means the same from any folder."""
        content = asdict(self)
        for name in _PATHS:
            content[name] = None if content[name] is None else str(content[name].absolute())
        if Path(self.model).stem != self.model:  # a path, not a name
            content["model"] = str(Path(self.model).absolute())
        return content

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Config:
        """Build the value from what :meth:`to_json` returned; unknown names are refused."""
        known = {field.name for field in fields(cls)}
        unknown = set(content) - known
        if unknown:
            raise InputError(f"Settings among {sorted(known)} were expected, {sorted(unknown)} came.")
        values = dict(content)
        for name in _PATHS:
            values[name] = None if values.get(name) is None else Path(values[name])
        if values.get("pixel_size") is not None:
            values["pixel_size"] = PixelSize(**values["pixel_size"])
        return cls(**values)
