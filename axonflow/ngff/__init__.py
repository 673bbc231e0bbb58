"""OME-Zarr: metadata as values, and the sharded multiscale image."""

from axonflow.ngff.pyramid import Pyramid

__all__ = ["Pyramid"]
