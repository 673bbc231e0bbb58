"""Predictions are those of a plain loop over the lattice, to the bit, whatever goes through the network at once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from cards import Card
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from slides import picture, tissue
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from axonflow.errors import DeviceError
from axonflow.kernel.grid import Box, Grid
from axonflow.net import loaded
from axonflow.net.checkpoint import Checkpoint, Precision
from axonflow.net.device import Processor
from axonflow.net.lattice import Lattice
from axonflow.net.normalise import grey_codes, histogram, lookup_table
from axonflow.net.predict import Predictor
from axonflow.net.unet import Conv, UNet

HERE = Processor()


class InFloat32(nn.Module):
    """A convolution of 16 bits as processors do it that know them: products are added up in float32."""

    def __init__(self, convolution: nn.Conv2d) -> None:
        super().__init__()
        self.convolution = convolution

    def forward(self, x: Tensor) -> Tensor:
        assert self.convolution.bias is not None
        wide = x.float(), self.convolution.weight.float(), self.convolution.bias.float()
        return nn.functional.conv2d(*wide, self.convolution.stride, self.convolution.padding).to(x.dtype)


def plain_loop(checkpoint: Checkpoint, lattice: Lattice, precision: str, pixels: NDArray[Any]) -> NDArray[np.uint8]:
    """One window after the other, the head's sum and the roundings by numpy."""
    net: UNet = checkpoint.network()
    for module in net.modules():
        if isinstance(module, Conv):
            convolution, norm = module[1], module[2]
            assert isinstance(convolution, nn.Conv2d)
            assert isinstance(norm, nn.BatchNorm2d)
            folded = fuse_conv_bn_eval(convolution, norm)
            there = precision != "bfloat16" or torch.ops.mkldnn._is_mkldnn_bf16_supported()
            module[1], module[2] = folded if there else InFloat32(folded), nn.Identity()
    assert isinstance(net.head, nn.Conv2d)
    assert net.head.bias is not None
    weight, bias = net.head.weight.detach().numpy()[:, :, 0, 0], net.head.bias.detach().numpy()
    net.head = nn.Identity()
    net = net.to(getattr(torch, precision)).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    table = lookup_table(histogram(pixels))
    whole = Box.whole(lattice.shape)
    out = np.empty((2 + len(bias), *lattice.shape), np.uint8)
    for core in Grid(lattice.shape, (lattice.core, lattice.core)):
        window, inner = lattice.window(core, pixels, whole)
        with torch.inference_mode():
            image = torch.from_numpy(table[grey_codes(window)])[None, None].to(getattr(torch, precision))
            features = net(image.to(memory_format=torch.channels_last))[0].float().numpy()
            scores = np.repeat(bias, features[0].size).reshape(len(bias), *window.shape)
            for i, feature in enumerate(features):
                scores += weight[:, i, None, None] * feature
            shares = torch.softmax(torch.from_numpy(scores), dim=0).numpy()[:, *inner.slices]
        out[0, *core.slices] = np.argmax(shares, axis=0)
        out[1, *core.slices] = np.rint(shares.max(axis=0) * 255)
        out[2:, *core.slices] = np.rint(shares * 255)
    return out


@pytest.mark.parametrize(
    ("model", "precision", "halo"),
    [("sem", "bfloat16", 25), ("sem", "float32", 25), ("tem", "bfloat16", 25), ("sem", "bfloat16", 176)],
)
def test_the_embedded_models_predict_what_a_plain_loop_does(model: str, precision: Precision, halo: int) -> None:
    shape = (210, 150)
    pixels = picture(tissue(shape))
    checkpoint, lattice, whole = Checkpoint.find(model), Lattice(shape, 128, halo, 16), Box.whole(shape)
    came = Predictor(checkpoint, lattice, precision, HERE).predict(
        pixels, whole, whole, lookup_table(histogram(pixels))
    )
    expected = plain_loop(checkpoint, lattice, precision, pixels)
    assert len(np.unique(came[0])) >= 3
    if loaded._computes(precision):
        np.testing.assert_array_equal(came, expected)
    else:  # sums of float32 have an order of their own for each shape, and rounded to 16 bits one shows now and then
        assert (came[0] == expected[0]).mean() > 0.999
        assert np.abs(came[1:].astype(int) - expected[1:]).max() <= 2


@settings(max_examples=10)
@given(st.lists(st.sampled_from([0, 7, None]), min_size=12, max_size=12), st.sampled_from(["uint8", "float32"]))
def test_windows_of_one_grey_are_computed_once(greys: list[int | None], dtype: str) -> None:
    """Whichever cores are of one grey: all get what each gets alone, and of each grey and shape one is computed."""
    shape, core, halo = (90, 120), 32, 8
    pixels = picture(tissue(shape)).astype(dtype)
    for box, grey in zip(Grid(shape, (core, core)), greys, strict=True):
        if grey is not None:
            pixels[box.slices] = grey
    lattice, whole, table = (
        Lattice(shape, core, halo, 16),
        Box.whole(shape),
        lookup_table(histogram(picture(tissue(shape)))),
    )
    checkpoint = Checkpoint.find("sem")
    predictor = Predictor(checkpoint, lattice, "float32", HERE)
    cores = list(lattice.cores(whole))
    with pytest.MonkeyPatch.context() as patch:
        count, planes = [], loaded.LoadedNetwork.planes

        def counted(self: loaded.LoadedNetwork, table: Tensor, inner: Box, n: int, codes: Tensor) -> Tensor:
            count.append(len(codes))
            return planes(self, table, inner, n, codes)

        patch.setattr(loaded.LoadedNetwork, "planes", counted)
        came = predictor.predict(pixels, whole, whole, table)
        once = sum(count)
    for each in cores:
        np.testing.assert_array_equal(came[:, *each.slices], predictor.predict(pixels, whole, each, table))
    windows = [pixels[each.grow(halo, shape).slices] for each in cores]
    known = [(w.shape, c.shape, w[0, 0].item()) for w, c in zip(windows, cores, strict=True) if (w == w[0, 0]).all()]
    assert once == len(cores) - len(known) + len({(core, grey) for _, core, grey in known})


@settings(max_examples=25)
@given(st.lists(st.integers(0, 96), min_size=2, max_size=2, unique=True), st.data())
def test_a_part_of_a_window_is_cut_from_the_whole(rows: list[int], data: st.DataObject) -> None:
    columns = data.draw(st.lists(st.integers(0, 112), min_size=2, max_size=2, unique=True))
    part = Box(min(rows), min(columns), max(rows), max(columns))
    precisions: tuple[Precision, ...] = ("float32", "bfloat16", "float16")
    for precision in precisions:
        features = loaded.load_network(Checkpoint.find("tem"), precision, HERE).features
        x = torch.rand(1, 1, 96, 112, generator=torch.Generator().manual_seed(1))
        x = x.to(getattr(torch, precision)).to(memory_format=torch.channels_last)
        with torch.inference_mode():
            assert torch.equal(features(x, part), features(x)[:, :, *part.slices])


class Neighbours(nn.Module):
    """A network whose features are neighbouring pixels, so that no sum depends on who else is in the batch."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(5)
        self.head: nn.Module = nn.Conv2d(3, 3, 1)
        self.card: Card | None = None

    def forward(self, x: Tensor, part: Box) -> Tensor:
        if self.card is not None:
            self.card.compute(x)
        out: Tensor = self.head(torch.cat([x, x.roll(1, 2), x.roll(-2, 3)], dim=1))
        return out[:, :, *part.slices]


SHAPE = (150, 131)
PIXELS = np.random.default_rng(2).integers(0, 256, SHAPE, dtype=np.uint8)
TABLE = lookup_table(histogram(PIXELS))
WHOLE = Box.whole(SHAPE)
CHECKPOINT = Checkpoint("neighbours", "tem", 0.1, False, 32, 9, 0.0, "")


def predictor(card: Card | Processor, monkeypatch: pytest.MonkeyPatch, lattice: Lattice | None = None) -> Predictor:
    net = Neighbours()
    net.card = card if isinstance(card, Card) else None
    monkeypatch.setattr(Checkpoint, "network", lambda _: net)
    loaded.load_network.cache_clear()
    return Predictor(CHECKPOINT, lattice or Lattice(SHAPE, 32, 9, 16), "float32", card)


@settings(max_examples=30)
@given(
    st.integers(1, 9),
    st.integers(0, 3000),
    st.sampled_from([32, 64, 96, 160]),
    st.lists(st.booleans(), max_size=6),
    st.integers(2, 5),
)
def test_memory_and_chunks_change_nothing(fits: int, free: int, chunk: int, moody: list[bool], planes: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        expected = predictor(HERE, patch).predict(PIXELS, WHOLE, WHOLE, TABLE)
        card = Card(fits=fits, free=free, takes=100, moody=moody)
        batched = predictor(card, patch)
        out = np.zeros((planes, *SHAPE), np.uint8)
        for box in Grid(SHAPE, (chunk, chunk), smallest=9):
            have = box.grow(9, SHAPE)
            out[:, *box.slices] = batched.predict(PIXELS[have.slices], have, box, TABLE, out[:, *box.slices])
        np.testing.assert_array_equal(out, expected[:planes])
        assert (np.bincount(expected[0].ravel(), minlength=3) > 100).all()


def test_the_probabilities_of_a_window_are_those_of_its_planes(monkeypatch: pytest.MonkeyPatch) -> None:
    for card in (HERE, Card(takes=125)):
        one = predictor(card, monkeypatch)
        planes = one.predict(PIXELS, WHOLE, WHOLE, TABLE)
        for core in one.lattice.cores(WHOLE):
            shares, inner = one.probabilities(core, PIXELS, WHOLE, TABLE)
            shares = shares[:, *inner.slices]
            np.testing.assert_array_equal(np.argmax(shares, axis=0), planes[0, *core.slices])
            np.testing.assert_array_equal(np.rint(shares * 255), planes[2:, *core.slices])


def test_of_equal_classes_the_first_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    def tied(_: Checkpoint) -> Neighbours:
        net = Neighbours()
        assert isinstance(net.head, nn.Conv2d)
        assert net.head.bias is not None
        nn.init.zeros_(net.head.weight)
        net.head.bias.data = torch.tensor([-1.0, 2.0, 2.0])
        return net

    one = predictor(HERE, monkeypatch)
    monkeypatch.setattr(Checkpoint, "network", tied)
    assert (one.predict(PIXELS, WHOLE, WHOLE, TABLE)[0] == 1).all()


def test_exponentials_are_taken_of_whole_vectors(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[int, ...]] = []

    def softmax(scores: Tensor, dim: int) -> Tensor:
        seen.append(tuple(scores.shape[-2:]))
        return scores.softmax(dim)

    monkeypatch.setattr(torch, "softmax", softmax)
    predictor(HERE, monkeypatch).predict(PIXELS, WHOLE, WHOLE, TABLE)
    assert set(seen) == {(32, 32), (32, 16)}  # the last cores are 22 px high and 3 px wide


def test_windows_of_one_shape_go_together_and_batches_are_full(monkeypatch: pytest.MonkeyPatch) -> None:
    card = Card(takes=125)
    predictor(card, monkeypatch).predict(PIXELS, WHOLE, WHOLE, TABLE)
    assert card.batches == [4] * (4 + 1 + 1 + 1)  # 4 × 4 whole cores, 4 at the right, 4 at the bottom, the corner


@pytest.mark.parametrize("part", [(Checkpoint, "network"), (Card, "compute"), (Card, "upload")])
def test_a_broken_gpu_is_told(part: tuple[type, str], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> Tensor:
        raise RuntimeError("CUDA error: unspecified launch failure")

    one = predictor(Card(), monkeypatch)
    monkeypatch.setattr(*part, fail)
    with pytest.raises(DeviceError, match="unspecified launch failure"):
        one.predict(PIXELS, WHOLE, WHOLE, TABLE)
    with pytest.raises(DeviceError, match="unspecified launch failure"):
        one.probabilities(Box(0, 0, 32, 32), PIXELS, WHOLE, TABLE)


def test_too_little_memory_for_a_window_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DeviceError, match="one window of 64 × 64 px"):
        predictor(Card(fits=0), monkeypatch).predict(PIXELS, WHOLE, WHOLE, TABLE)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
def test_a_gpu_gives_the_same_however_it_is_chunked() -> None:  # pragma: no cover
    pixels = picture(tissue((300, 280)))
    table, whole = lookup_table(histogram(pixels)), Box.whole((300, 280))
    gpu = Predictor(Checkpoint.find("sem"), Lattice((300, 280), 64, 25, 16), "float16")
    planes = gpu.predict(pixels, whole, whole, table)
    for box in Grid((300, 280), (128, 128), smallest=25):
        have = box.grow(25, (300, 280))
        np.testing.assert_array_equal(gpu.predict(pixels[have.slices], have, box, table), planes[:, *box.slices])
    here = Predictor(gpu.checkpoint, gpu.lattice, "float32", HERE).predict(pixels, whole, whole, table)
    assert (planes[0] != here[0]).mean() < 0.005


@pytest.mark.parametrize("architecture", ["sem", "tem"])
def test_float16_of_a_gpu_is_continued_on_any_processor(architecture: str) -> None:
    checkpoint = Checkpoint.find(architecture)
    pixels = picture(tissue((96, 96)))
    lattice = Lattice(pixels.shape, checkpoint.lattice_px, 25, checkpoint.shape.stride)
    table = lookup_table(histogram(pixels))
    whole = Box.whole(pixels.shape)
    half, full = (
        Predictor(checkpoint, lattice, precision, HERE).predict(pixels, whole, whole, table)
        for precision in ("float16", "float32")
    )
    assert np.abs(half[1].astype(int) - full[1]).max() <= 3  # confidence, 255ths
    sure = full[1] > 140
    np.testing.assert_array_equal(half[0][sure], full[0][sure])
