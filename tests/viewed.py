"""A finished store of known tissue, to be looked at."""

from __future__ import annotations

from pathlib import Path

from slides import analyse, picture, tissue, write_labels, write_slide

from axonflow.kernel.units import PixelSize
from axonflow.workflow.config import Config


def write_viewed_store(folder: Path, seed: int = 0, side_um: float = 0.1) -> Path:
    """Run own labels of 600 × 700 px in small shards, so that there are coarser levels; return the store."""
    classes = tissue((600, 700), seed)
    slide = write_slide(folder / f"slide{seed}.tif", picture(classes, seed=seed), side_um)
    labels = write_labels(folder / f"labels{seed}.png", classes)
    out = folder / f"tissue{seed}.ome.zarr"
    size = PixelSize.square(side_um)
    analyse(Config(slide=slide, out=out, labels=labels, pixel_size=size, chunk=256, cell_um=15.0, border="all"))
    return out
