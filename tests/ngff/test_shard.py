from pathlib import Path
from typing import Any

import numcodecs
import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from zarr.codecs import BloscCodec, Crc32cCodec, ZstdCodec

from axonflow.kernel.files import NewFiles
from axonflow.kernel.grid import Box
from axonflow.ngff.shard import DamagedShardError, ShardFormat

SIDE, CHUNK = 32, 8
CODECS: dict[str, tuple[Any, Any]] = {
    "blosc": (
        numcodecs.Blosc("zstd", 1, numcodecs.Blosc.BITSHUFFLE),
        BloscCodec(cname="zstd", clevel=1, shuffle="bitshuffle"),
    ),
    "zstd": (numcodecs.Zstd(1), ZstdCodec(level=1)),
}

SHARDS: dict[str, st.SearchStrategy[Any]] = {
    "dtype": st.sampled_from(["uint8", "uint16", "uint32", "float32"]),
    "codec": st.sampled_from(sorted(CODECS)),
    "blank": st.floats(0, 1),
    "seed": st.integers(0, 99),
}


def empty(folder: Path, pixels: NDArray[Any], codec: Any) -> zarr.Array[Any]:
    return zarr.create_array(
        folder,
        shape=pixels.shape,
        dtype=pixels.dtype,
        chunks=(CHUNK, CHUNK),
        shards=(SIDE, SIDE),
        compressors=(codec, Crc32cCodec()),
        fill_value=0,
        overwrite=True,
    )


def write(path: Path, pixels: NDArray[Any], codec: Any) -> None:
    with NewFiles(path.parents[1]) as files:
        ShardFormat(SIDE, CHUNK, codec).write(files, path, pixels)


def read(path: Path, box: Box, codec: str, dtype: Any, *, checked: bool = True) -> NDArray[Any]:
    pixels = np.zeros(box.shape, dtype)
    ShardFormat(SIDE, CHUNK, CODECS[codec][0], checked=checked).read(path, box, pixels)
    return pixels


def written_by_zarr(folder: Path, pixels: NDArray[Any], codec: str) -> Path:
    empty(folder, pixels, CODECS[codec][1])[:] = pixels
    return folder / "c" / "0" / "0"


@settings(max_examples=60)
@given(
    shape=st.tuples(st.integers(1, SIDE), st.integers(1, SIDE)),
    **SHARDS,
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
    write(folder / "ours" / "c" / "0" / "0", pixels, CODECS[codec][0])
    np.testing.assert_array_equal(ours[:], pixels)
    made = [(folder / name / "c" / "0" / "0") for name in ("ours", "theirs")]
    assert made[0].exists()
    assert made[1].exists() == bool(pixels.any())
    if pixels.any():  # the order of the chunks is free, their bytes are not
        assert made[0].stat().st_size == made[1].stat().st_size


@settings(max_examples=60)
@given(
    box=st.tuples(*[st.integers(0, SIDE)] * 4),
    **SHARDS,
)
def test_any_part_reads_as_zarr_has_written_it(
    tmp_path_factory: pytest.TempPathFactory,
    box: tuple[int, int, int, int],
    dtype: str,
    codec: str,
    blank: float,
    seed: int,
) -> None:
    folder, rng = tmp_path_factory.mktemp("shard"), np.random.default_rng(seed)
    kept = np.repeat(np.repeat(rng.random((SIDE // CHUNK,) * 2) >= blank, CHUNK, 0), CHUNK, 1)
    pixels = rng.integers(0, 4, (SIDE, SIDE)).astype(dtype) * kept.astype(dtype)
    path = written_by_zarr(folder, pixels, codec)
    (y0, y1), (x0, x1) = sorted(box[:2]), sorted(box[2:])
    if pixels.any():  # of zeros alone Zarr writes no file
        np.testing.assert_array_equal(read(path, Box(y0, x0, y1, x1), codec, dtype), pixels[y0:y1, x0:x1])


@pytest.mark.parametrize("codec", sorted(CODECS))
def test_shards_without_checksums_are_read(tmp_path: Path, codec: str) -> None:
    pixels = np.random.default_rng(0).integers(0, 4, (SIDE, SIDE)).astype(np.uint16)
    array = zarr.create_array(
        tmp_path, shape=(2 * SIDE, SIDE), dtype=pixels.dtype, chunks=(CHUNK,) * 2, shards=(SIDE,) * 2,
        compressors=CODECS[codec][1], fill_value=0,
    )  # fmt: skip
    array[:SIDE] = pixels
    whole = Box(0, 0, SIDE, SIDE)
    np.testing.assert_array_equal(read(tmp_path / "c/0/0", whole, codec, pixels.dtype, checked=False), pixels)
    assert not read(tmp_path / "c/1/0", whole, codec, pixels.dtype, checked=False).any()


@pytest.mark.parametrize("codec", sorted(CODECS))
def test_a_damaged_shard_is_refused_by_its_name(tmp_path: Path, codec: str) -> None:
    pixels = np.random.default_rng(0).integers(0, 4, (SIDE, SIDE)).astype(np.uint16)
    path = written_by_zarr(tmp_path, pixels, codec)
    whole = path.read_bytes()
    flipped = [whole[:at] + bytes([whole[at] ^ 1 << at % 8]) + whole[at + 1 :] for at in range(len(whole))]
    for damaged in (b"", whole[:3], whole[:9], whole[:-1], whole[1:], bytes(len(whole)), *flipped):
        path.write_bytes(damaged)
        with pytest.raises(DamagedShardError):
            read(path, Box(0, 0, SIDE, SIDE), codec, pixels.dtype)


def test_of_a_damaged_chunk_the_others_are_read(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(1, 4, (SIDE, SIDE)).astype(np.uint16)
    path = tmp_path / "c" / "0"
    write(path, pixels, CODECS["zstd"][0])
    content = bytearray(path.read_bytes())
    content[3] ^= 1  # of the chunk that was written first
    path.write_bytes(content)
    with pytest.raises(DamagedShardError) as raised:
        read(path, Box(0, 0, SIDE, SIDE), "zstd", pixels.dtype)
    assert raised.value.box == Box(0, 0, CHUNK, CHUNK)
    rest = Box(CHUNK, 0, SIDE, SIDE)
    np.testing.assert_array_equal(read(path, rest, "zstd", pixels.dtype), pixels[rest.slices])


def test_a_shard_of_zeros_has_a_file_and_one_that_is_gone_is_noticed(tmp_path: Path) -> None:
    path, codec = tmp_path / "c" / "0", CODECS["zstd"][0]
    write(path, np.ones((SIDE, SIDE), np.uint8), codec)
    write(path, np.zeros((SIDE, SIDE), np.uint8), codec)
    assert not read(path, Box(0, 0, SIDE, SIDE), "zstd", np.uint8).any()
    path.unlink()
    with pytest.raises(DamagedShardError, match="gone"):
        read(path, Box(0, 0, SIDE, SIDE), "zstd", np.uint8)


def test_a_failure_leaves_the_shard_before(tmp_path: Path) -> None:
    class Full:
        def encode(self, _chunk: NDArray[Any]) -> bytes:
            raise OSError(28, "No space left on device")

    path = tmp_path / "c" / "0"
    write(path, np.ones((SIDE, SIDE), np.uint8), CODECS["zstd"][0])
    before = path.read_bytes()
    with pytest.raises(OSError, match="No space left"):
        write(path, np.full((SIDE, SIDE), 2, np.uint8), Full())
    assert path.read_bytes() == before
    assert [found.name for found in path.parent.iterdir()] == ["0"]
