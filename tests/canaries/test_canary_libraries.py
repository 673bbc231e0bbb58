"""What is needed of torch, zarr, numcodecs, pillow, typer, rich, dask and imagecodecs beyond what they promise."""

from __future__ import annotations

from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import imagecodecs
import numcodecs
import numpy as np
import pytest
import torch
import typer
import typer.core
import zarr
from canary import relied_on
from dask.system import CPU_COUNT
from distributed.system import MEMORY_LIMIT
from PIL import Image
from PIL.PngImagePlugin import PngImageFile
from rich.console import Console
from rich.progress import Progress
from torch import nn
from torch.nn import functional as F
from typer.testing import CliRunner
from zarr.codecs import BloscCodec, ZstdCodec

from axonflow.cli.diagnosis import _CODECS
from axonflow.cli.options import option, takes
from axonflow.net.device import Processor
from axonflow.net.loaded import _computes, _Fused, _fuses


@pytest.mark.skipif(
    not torch.backends.mkldnn.is_available(),  # type: ignore[no-untyped-call]  # torch's
    reason="this torch has no oneDNN",
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16] if _computes("bfloat16") else [torch.float32])
def test_onednn_convolves_and_cuts_off_in_one_step(dtype: torch.dtype) -> None:
    numbers = torch.Generator().manual_seed(0)
    convolution = nn.Conv2d(4, 8, 3, padding=1)
    with torch.no_grad():
        for parameter in convolution.parameters():
            parameter.copy_(torch.randint(-2, 3, parameter.shape, generator=numbers))  # whole numbers: sums are exact
    convolution.to(dtype)
    image = torch.randint(-2, 3, (1, 4, 16, 16), generator=numbers).to(dtype)
    with (
        relied_on(
            "torch",
            "torch.ops.mkldnn._convolution_pointwise(x, weight, bias, padding, stride, dilation, groups, 'relu', [], "
            "'') is relu(convolution). Without it networks still run on the processor, more slowly",
            "axonflow/net/loaded.py: _Fused and _fuses",
        ),
        torch.inference_mode(),
    ):
        assert _fuses(Processor()), "the operator is gone"
        assert torch.equal(_Fused(convolution)(image), F.relu(convolution(image)))


@pytest.mark.parametrize(
    "codec", [BloscCodec(typesize=1, cname="zstd", clevel=1, shuffle="bitshuffle"), ZstdCodec(level=1)]
)
def test_zarr_says_how_an_array_is_stored(tmp_path: Path, codec: BloscCodec | ZstdCodec) -> None:
    zarr.create_array(
        tmp_path, shape=(64, 64), dtype="uint8", chunks=(16, 16), shards=(32, 32), compressors=codec, zarr_format=3
    )
    with relied_on(
        "zarr",
        "an array that is opened has the shards, chunks and compressors with which it was made, and its metadata the "
        "path of each shard. Where this fails, finished stores are refused as those of another slide",
        "axonflow/ngff/pyramid.py: _array; axonflow/slide/ome_zarr.py: _identity",
    ):
        array = zarr.open_array(tmp_path, mode="r", zarr_format=3)
        assert (array.shards, array.chunks, array.compressors) == ((32, 32), (16, 16), (codec,))
        assert array.metadata.encode_chunk_key((0, 1)) == "c/0/1"


def test_zarr_names_chunks_of_its_older_format(tmp_path: Path) -> None:
    zarr.create_array(tmp_path, shape=(64, 64), dtype="uint8", chunks=(16, 16), zarr_format=2)
    with relied_on("zarr", "metadata.encode_chunk_key knows format 2", "axonflow/slide/ome_zarr.py: _identity"):
        assert zarr.open_array(str(tmp_path), mode="r").metadata.encode_chunk_key((0, 1)) == "0.1"


@pytest.mark.parametrize("codec", [numcodecs.Blosc("zstd", 1, numcodecs.Blosc.BITSHUFFLE), numcodecs.Zstd(1)])
def test_numcodecs_decodes_into_an_array(codec: Any) -> None:
    pixels = np.arange(64, dtype="<u2").reshape(8, 8)
    with relied_on(
        "numcodecs",
        "Blosc and Zstd decode into an array that is given, CRC32C puts its sum behind, little-endian",
        "axonflow/ngff/shard.py",
    ):
        out = np.empty_like(pixels)
        codec.decode(codec.encode(pixels), out)
        np.testing.assert_array_equal(out, pixels)
        summed = bytes(numcodecs.CRC32C().encode(b"123456789"))
        assert summed == b"123456789" + (0xE3069283).to_bytes(4, "little")  # the check value of CRC-32/ISCSI
        assert bytes(numcodecs.CRC32C().decode(summed)) == b"123456789"


def test_pillow_opens_a_large_picture_by_its_plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.new("L", (30, 20)).save(tmp_path / "large.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    with (
        relied_on(
            "pillow",
            "PngImageFile(path) reads the header whatever Image.MAX_IMAGE_PIXELS is, a setting of the whole process",
            "axonflow/slide/picture.py: _header",
        ),
        PngImageFile(tmp_path / "large.png") as picture,
    ):
        assert picture.size == (30, 20)
        assert np.asarray(picture).shape == (20, 30)


def test_typer_takes_options_from_a_signature_that_was_written() -> None:
    given: dict[str, Any] = {}
    app = typer.Typer(cls=typer.core.TyperGroup)

    @app.callback()
    def group() -> None: ...

    @app.command()
    @takes({"side": option(int | None, "--side", "Of it.")})
    def run(name: str, **more: Any) -> None:
        given.update(more, name=name)

    with relied_on(
        "typer",
        "a command's options come from its __signature__ and __annotations__, and what it raises goes through "
        "TyperGroup.invoke",
        "axonflow/cli/options.py: takes; axonflow/cli/terminal.py: _ExitCodes",
    ):
        result = CliRunner().invoke(app, ["run", "slide", "--side", "3"])
        assert result.exit_code == 0, result.output
        assert given == {"name": "slide", "side": 3}
        assert callable(typer.core.TyperGroup.invoke)


def test_rich_draws_what_get_renderables_yields() -> None:
    class Lines(Progress):
        def get_renderables(self) -> Iterator[Any]:
            yield from super().get_renderables()
            yield "below the bars"

    with relied_on("rich", "Progress draws what get_renderables yields", "axonflow/cli/progress.py: _Lines"):
        out = StringIO()
        with Lines(console=Console(file=out, force_terminal=True, width=60)):
            pass
        assert "below the bars" in out.getvalue()


def test_dask_says_what_a_process_may_use() -> None:
    with relied_on(
        "dask",
        "dask.system.CPU_COUNT and distributed.system.MEMORY_LIMIT are what this process may use",
        "axonflow/cli/diagnosis.py",
    ):
        assert CPU_COUNT >= 1
        assert MEMORY_LIMIT > 2**20


def test_imagecodecs_says_which_codecs_it_has() -> None:
    with relied_on("imagecodecs", "imagecodecs.ZLIB.available and its like", "axonflow/cli/diagnosis.py: _codecs"):
        assert all(isinstance(getattr(imagecodecs, name.upper()).available, bool) for name in _CODECS)
