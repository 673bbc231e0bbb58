"""A network of whole numbers is, to the bit, what numpy makes of it: on every processor, however it is cut."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from whole_numbers import convolved, cut_off, doubled, random_integers, slow_shares

from axonflow.kernel.grid import Box, Grid
from axonflow.net import exact
from axonflow.net.architecture import Architecture
from axonflow.net.batches import Batches
from axonflow.net.checkpoint import Checkpoint
from axonflow.net.device import Processor
from axonflow.net.exact import ExactLayer, doubled_by_torch, doubled_codes, put_integers_into
from axonflow.net.integers import IntegerLayer, IntegerNetwork, input_codes
from axonflow.net.lattice import Lattice
from axonflow.net.loaded import LoadedNetwork, load_network
from axonflow.net.normalise import grey_codes, histogram, lookup_table
from axonflow.net.predict import Predictor
from axonflow.net.unet import UNet

CPU = torch.device("cpu")
PIXELS = np.random.default_rng(4).integers(0, 256, (16, 12), np.uint8).repeat(8, axis=0).repeat(8, axis=1)[:, :90]
TABLE = lookup_table(histogram(PIXELS))
WHOLE = Box.whole(PIXELS.shape)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    """Give a model whole numbers at random."""
    contract = Checkpoint("tiny", "tem", 0.1, False, 64, 25, 0.0, "")
    saved = contract.save(UNet(contract.shape), tmp_path_factory.mktemp("model"))
    return saved.with_integers(random_integers(contract.shape))


def network(model: Checkpoint) -> LoadedNetwork:
    return load_network(model, "int8", Processor())


def by_taps(loaded: LoadedNetwork) -> LoadedNetwork:
    for module in loaded.features.modules():
        if isinstance(module, ExactLayer):
            module.way = module.by_taps
    return loaded


@pytest.mark.parametrize("architecture", [Architecture("tem", 2, 144, (4, 6, 8)), Architecture("sem", 3, 176, (5, 9))])
@pytest.mark.parametrize("bytewise", [True, False])
def test_shares_are_those_of_a_slow_loop(architecture: Architecture, bytewise: bool) -> None:
    integers = random_integers(architecture, 4, seed=2)
    image = np.random.default_rng(1).normal(0, 3, (32, 48)).astype(np.float32)
    net = UNet(architecture, classes=4).eval()
    head = put_integers_into(net, integers, CPU)
    if not bytewise:
        by_taps(LoadedNetwork(net, head, torch.int64, Batches(Processor())))
    with torch.inference_mode():
        came = head(net(torch.from_numpy(input_codes(image))[None, None]))[0].numpy()
    expected = slow_shares(architecture, integers, image)
    np.testing.assert_array_equal(came.argmax(axis=0), expected.argmax(axis=0))
    np.testing.assert_array_equal(came, expected)
    assert len(np.unique(came.argmax(axis=0))) > 1


@settings(max_examples=40)
@given(st.data())
def test_a_layer_is_what_its_definition_says(data: st.DataObject) -> None:
    inputs, outputs, k = (data.draw(st.integers(1, most)) for most in (20, 20, 6))
    stride, padding = data.draw(st.sampled_from([1, 2])), data.draw(st.integers(0, 2))
    shape = (inputs, data.draw(st.integers(k, 12)), data.draw(st.integers(k, 12)))
    codes = data.draw(arrays(np.uint8, shape, elements=st.sampled_from([0, 1, 2, 127, 254, 255]) | st.integers(0, 255)))
    weight = data.draw(arrays(np.int8, (outputs, inputs, k, k), elements=st.integers(-127, 127)))
    bias = data.draw(arrays(np.int32, outputs, elements=st.integers(-(2**23), 2**23)))
    shift = data.draw(arrays(np.int32, outputs, elements=st.integers(1, 15)))
    layer = IntegerLayer(weight, bias, shift)
    expected = convolved(codes.astype(np.int64), layer, stride, (padding, padding))
    maps = torch.from_numpy(codes)[None].to(memory_format=torch.channels_last)
    for sums in (False, True):
        exact = ExactLayer(layer, stride, padding, CPU, sums=sums)
        wanted = np.maximum(expected, 0).astype(np.float32) if sums else cut_off(expected)
        ways = (exact.by_taps, exact.forward, *[exact.by_floats] * (layer.largest_sum < 2**24))
        for compute in ways:
            came = compute(maps)[0].numpy()
            small = wanted < 2**24 / 2**15 if sums else np.ones(wanted.shape, np.bool_)
            np.testing.assert_array_equal(came[small], wanted[small])


@given(arrays(np.uint8, st.tuples(st.integers(1, 3), st.integers(1, 9), st.integers(1, 9))))
def test_doubled_codes_are_whole_numbers_interpolated(codes: np.ndarray) -> None:
    maps = torch.from_numpy(codes)[None].to(memory_format=torch.channels_last)
    for double in (doubled_codes, doubled_by_torch):
        came = double(maps)[0].numpy()
        np.testing.assert_array_equal(came[:, :-1, :-1], doubled(codes.astype(np.int64)))
        assert not came[:, -1].any()
        assert not came[:, :, -1].any()


@settings(max_examples=20)
@given(st.lists(st.integers(0, 96), min_size=2, max_size=2, unique=True), st.data())
def test_a_part_of_a_window_is_cut_from_the_whole(model: Checkpoint, rows: list[int], data: st.DataObject) -> None:
    columns = data.draw(st.lists(st.integers(0, 112), min_size=2, max_size=2, unique=True))
    part = Box(min(rows), min(columns), max(rows), max(columns))
    features = network(model).features
    x = torch.from_numpy(input_codes(np.random.default_rng(1).normal(0, 1, (1, 1, 96, 112)).astype(np.float32)))
    with torch.inference_mode():
        assert torch.equal(features(x, part), features(x)[:, :, *part.slices])


@settings(max_examples=10)
@given(st.sampled_from([64, 128, 192]), st.integers(1, 2))
def test_chunks_and_threads_change_nothing(model: Checkpoint, chunk: int, threads: int) -> None:
    predictor = Predictor(model, Lattice(PIXELS.shape, 64, 25, 16), "int8", Processor())
    expected = predictor.predict(PIXELS, WHOLE, WHOLE, TABLE)
    out, before = np.zeros_like(expected), torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        for box in Grid(PIXELS.shape, (chunk, chunk), smallest=25):
            have = box.grow(25, PIXELS.shape)
            out[:, *box.slices] = predictor.predict(PIXELS[have.slices], have, box, TABLE)
    finally:
        torch.set_num_threads(before)
    np.testing.assert_array_equal(out, expected)


def test_greys_are_seen_as_codes_that_sum_to_their_step() -> None:
    greys = np.array([0, 1 / 128, -1, 1.0, 7.9375, 9, -8, -20, 0.004], np.float32)
    codes = input_codes(greys).view(np.uint8).reshape(-1, 8).astype(int)
    assert codes.sum(axis=1).tolist() == [1024, 1025, 896, 1152, 2040, 2040, 0, 0, 1025]


def test_codes_are_doubled_alike_where_loops_are_not_compiled() -> None:
    """As with NUMBA_DISABLE_JIT=1, which people set to look for faults: numpy's bytes would wrap."""
    codes = np.random.default_rng(3).integers(0, 256, (1, 5, 4, 3), np.uint8)
    expected = doubled_codes(torch.from_numpy(codes).permute(0, 3, 1, 2)).permute(0, 2, 3, 1).numpy()
    came = np.empty_like(expected)
    exact._double.py_func(codes, np.empty((7, 3), np.uint16), came)  # type: ignore[attr-defined]
    np.testing.assert_array_equal(came, expected)


@pytest.mark.parametrize("weight", [np.nan, np.inf, 3e38])
def test_heads_that_no_network_has_are_refused(model: Checkpoint, weight: float) -> None:
    integers = model.integer_network()
    integers.head[0, 0] = weight
    with pytest.raises(ValueError, match="head"):
        IntegerNetwork.from_bytes(integers.to_bytes())


LIMITS = ("SSE41", "AVX2", "AVX512_CORE", "AVX512_CORE_VNNI", "AVX10_1_512_AMX")
PREDICT = """
import hashlib, sys
import numpy as np, torch
sys.path[:0] = sys.argv[2:]
from test_exact import PIXELS, TABLE, WHOLE
from axonflow.net.checkpoint import Checkpoint
from axonflow.net.device import Processor
from axonflow.net.lattice import Lattice
from axonflow.net.predict import Predictor
model = Checkpoint.find(sys.argv[1])
planes = Predictor(model, Lattice(PIXELS.shape, 64, 25, 16), "int8", Processor()).predict(PIXELS, WHOLE, WHOLE, TABLE)
print(hashlib.sha256(planes.tobytes()).hexdigest())
"""


@pytest.mark.parametrize(("limit", "torchs"), [*((limit, "") for limit in LIMITS), ("", "default"), ("AVX2", "avx2")])
def test_every_kind_of_processor_gives_the_same_bytes(model: Checkpoint, limit: str, torchs: str) -> None:
    """oneDNN's instructions are limited, and torch's own; without VNNI its products of bytes would saturate."""
    assert_same_bytes(model, {"ONEDNN_MAX_CPU_ISA": limit, "ATEN_CPU_CAPABILITY": torchs})


@pytest.mark.parametrize("limit", LIMITS)
def test_networks_that_come_with_axonflow_give_the_same_bytes(limit: str) -> None:
    """Without VNNI, too, they are computed in bytes."""
    assert_same_bytes(Checkpoint.find("sem"), {"ONEDNN_MAX_CPU_ISA": limit})


def assert_same_bytes(model: Checkpoint, limits: dict[str, str]) -> None:
    import hashlib

    predictor = Predictor(model, Lattice(PIXELS.shape, 64, 25, 16), "int8", Processor())
    planes = predictor.predict(PIXELS, WHOLE, WHOLE, TABLE)
    assert len(np.unique(planes[0])) > 1
    here, root = Path(__file__).parent, Path(__file__).parents[1]
    ran = subprocess.run(
        [sys.executable, "-c", PREDICT, str(model.path), str(here), str(root)],
        env=os.environ | {name: value for name, value in limits.items() if value},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.strip() == hashlib.sha256(planes.tobytes()).hexdigest()


def test_whole_numbers_of_saturating_products_are_not_left_to_them(model: Checkpoint) -> None:
    """The slow way equals the fast one, wherever the fast one is taken."""
    image = TABLE[grey_codes(PIXELS)][:80, :80]
    net, slow = (UNet(model.shape).eval() for _ in range(2))
    head = put_integers_into(net, model.integer_network(), CPU)
    put_integers_into(slow, model.integer_network(), CPU)
    for module in slow.modules():
        if isinstance(module, ExactLayer):
            module.way = module.by_taps
    x = torch.from_numpy(input_codes(image))[None, None]
    with torch.inference_mode():
        assert torch.equal(head(net(x)), head(slow(x)))
