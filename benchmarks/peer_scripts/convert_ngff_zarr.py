"""A TIFF to sharded OME-Zarr by ``ngff_zarr``, told in JSON.

Runs where ngff-zarr is installed. The image is a dask array over tifffile's Zarr store, as in its own documentation.
"""

from __future__ import annotations

import json
import sys
from time import perf_counter

import dask.array as da
import tifffile
import zarr
from ngff_zarr import (
    Methods,
    to_multiscales,
    to_ngff_image,
    to_ngff_zarr,
)
from zarr.codecs import BloscCodec


def main(tiff: str, store: str, method: str, levels: int, chunk: int, shard: int, pixel_um: float) -> None:
    """Convert, and print the seconds that it took without the imports."""
    started = perf_counter()
    with tifffile.imread(tiff, aszarr=True) as source:
        image = to_ngff_image(
            da.from_zarr(zarr.open_array(source, mode="r")),
            dims=["y", "x"],
            scale={"y": pixel_um, "x": pixel_um},
            axes_units={"y": "micrometer", "x": "micrometer"},
        )
        pyramid = to_multiscales(
            image,
            scale_factors=[2**level for level in range(1, levels)],
            method=Methods(method),
            chunks=chunk,
        )
        to_ngff_zarr(
            store,
            pyramid,
            version="0.5",
            chunks_per_shard=shard // chunk,
            compressors=BloscCodec(cname="zstd", clevel=1, shuffle="bitshuffle"),
        )
    print(json.dumps({"convert_s": perf_counter() - started}))


if __name__ == "__main__":
    main(**json.loads(sys.argv[1]))
