"""OME-Zarr: metadata as values, the sharded multiscale image, and sums over its blocks."""

from axonflow.ngff.blocks import Blocks
from axonflow.ngff.pyramid import Pyramid

__all__ = ["Blocks", "Pyramid"]
