from pathlib import Path
from typing import Any

import numcodecs
import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from zarr.codecs import BloscCodec, ZstdCodec

from axonflow.ngff.shard import write_shard

SIDE, CHUNK = 32, 8
CODECS: dict[str, tuple[Any, Any]] = {
    "blosc": (
        numcodecs.Blosc("zstd", 1, numcodecs.Blosc.BITSHUFFLE),
        BloscCodec(cname="zstd", clevel=1, shuffle="bitshuffle"),
    ),
    "zstd": (numcodecs.Zstd(1), ZstdCodec(level=1)),
}


def empty(folder: Path, pixels: NDArray[Any], codec: Any) -> zarr.Array[Any]:
    return zarr.create_array(
        folder,
        shape=pixels.shape,
        dtype=pixels.dtype,
        chunks=(CHUNK, CHUNK),
        shards=(SIDE, SIDE),
        compressors=codec,
        fill_value=0,
        overwrite=True,
    )


@settings(max_examples=60)
@given(
    shape=st.tuples(st.integers(1, SIDE), st.integers(1, SIDE)),
    dtype=st.sampled_from(["uint8", "uint16", "uint32", "float32"]),
    codec=st.sampled_from(sorted(CODECS)),
    blank=st.floats(0, 1),
    seed=st.integers(0, 99),
)
def test_is_what_zarr_would_have_written(
    tmp_path_factory: pytest.TempPathFactory,
    shape: tuple[int, int],
    dtype: str,
    codec: str,
    blank: float,
    seed: int,
) -> None:
    folder, rng = tmp_path_factory.mktemp("shard"), np.random.default_rng(seed)
    pixels = rng.integers(0, 4, shape).astype(dtype)
    rows, columns = (np.arange(-(-side // CHUNK) * CHUNK) // CHUNK for side in shape)
    kept = rng.random((rows[-1] + 1, columns[-1] + 1)) > blank
    pixels *= kept[np.ix_(rows, columns)][: shape[0], : shape[1]].astype(dtype)
    ours, theirs = empty(folder / "ours", pixels, CODECS[codec][1]), empty(folder / "theirs", pixels, CODECS[codec][1])
    theirs[:] = pixels
    write_shard(folder / "ours" / "c" / "0" / "0", pixels, SIDE, CHUNK, CODECS[codec][0])
    np.testing.assert_array_equal(ours[:], pixels)
    made = [(folder / name / "c" / "0" / "0") for name in ("ours", "theirs")]
    assert made[0].exists() == made[1].exists() == bool(pixels.any())
    if pixels.any():  # the order of the chunks is free, their bytes are not
        assert made[0].stat().st_size == made[1].stat().st_size


def test_a_shard_of_zeros_removes_the_one_before(tmp_path: Path) -> None:
    path, codec = tmp_path / "c" / "0", CODECS["zstd"][0]
    write_shard(path, np.ones((SIDE, SIDE), np.uint8), SIDE, CHUNK, codec)
    write_shard(path, np.zeros((SIDE, SIDE), np.uint8), SIDE, CHUNK, codec)
    assert not list(path.parent.iterdir())


def test_a_failure_leaves_the_shard_before(tmp_path: Path) -> None:
    class Full:
        def encode(self, _chunk: NDArray[Any]) -> bytes:
            raise OSError(28, "No space left on device")

    path = tmp_path / "c" / "0"
    write_shard(path, np.ones((SIDE, SIDE), np.uint8), SIDE, CHUNK, CODECS["zstd"][0])
    before = path.read_bytes()
    with pytest.raises(OSError, match="No space left"):
        write_shard(path, np.full((SIDE, SIDE), 2, np.uint8), SIDE, CHUNK, Full())
    assert path.read_bytes() == before
    assert [found.name for found in path.parent.iterdir()] == ["0"]
