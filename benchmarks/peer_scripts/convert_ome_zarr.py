"""A TIFF to sharded OME-Zarr by ``ome_zarr.writer.write_image``, told in JSON.

Runs where ome-zarr is installed. The image is a dask array over tifffile's Zarr store, a shard to a dask chunk, so
that no tile is decoded twice for a level and no shard is written by two tasks.
"""

from __future__ import annotations

import json
import sys
from time import perf_counter

import dask.array as da
import tifffile
import zarr
from ome_zarr.scale import Methods
from ome_zarr.writer import write_image
from zarr.codecs import BloscCodec


def main(tiff: str, store: str, method: str, levels: int, chunk: int, shard: int, pixel_um: float) -> None:
    """Convert, and print the seconds that it took without the imports."""
    started = perf_counter()
    with tifffile.imread(tiff, aszarr=True) as source:
        write_image(
            da.from_zarr(zarr.open_array(source, mode="r"), chunks=(shard, shard)),
            store,
            axes=["y", "x"],
            scale={"y": pixel_um, "x": pixel_um},
            axes_units={"y": "micrometer", "x": "micrometer"},
            scale_factors=[2**level for level in range(1, levels)],
            method=Methods(method),
            storage_options={
                "chunks": (chunk, chunk),
                "shards": (shard, shard),
                "compressors": BloscCodec(cname="zstd", clevel=1, shuffle="bitshuffle"),
            },
        )
    print(json.dumps({"convert_s": perf_counter() - started}))


if __name__ == "__main__":
    main(**json.loads(sys.argv[1]))
