"""Whole numbers chosen for a network make of images nearly what the network does."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from axonflow.net.architecture import Architecture
from axonflow.net.checkpoint import Checkpoint
from axonflow.net.exact import ExactLayer, put_integers_into
from axonflow.net.integers import (
    LARGEST_CODE,
    LARGEST_PAIR,
    LARGEST_WEIGHT,
    SHIFTS,
    IntegerLayer,
    IntegerNetwork,
    input_codes,
)
from axonflow.net.precision import best_precisions
from axonflow.net.quantise import _Pairs, _Rounding, _scales, quantised
from axonflow.net.unet import UNet


def network(seed: int) -> UNet:
    torch.manual_seed(seed)
    net = UNet(Architecture("tem", 2, 144, (6, 8, 10))).eval()
    with torch.no_grad():
        for module in net.modules():
            if isinstance(module, nn.BatchNorm2d):
                assert module.running_mean is not None
                assert module.running_var is not None
                module.running_mean.uniform_(-0.1, 0.1)
                module.running_var.uniform_(0.05, 0.3)
    return net


def windows(seed: int, count: int) -> np.ndarray:
    coarse = np.random.default_rng(seed).normal(0, 1, (count, 16, 16)).astype(np.float32)
    return coarse.repeat(4, axis=1).repeat(4, axis=2)


@pytest.mark.parametrize("seed", [1, 2])
def test_scores_are_nearly_those_of_the_network(seed: int) -> None:
    net = network(seed)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    integers = quantised(net, windows(0, 6))
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    integers = IntegerNetwork.from_bytes(integers.to_bytes())
    whole = UNet(Architecture("tem", 2, 144, (6, 8, 10))).eval()
    head = put_integers_into(whole, integers, torch.device("cpu"))
    seen = windows(9, 2)
    with torch.inference_mode():
        true = net(torch.from_numpy(seen)[:, None]).softmax(dim=1)
        came = head(whole(torch.from_numpy(input_codes(seen))[:, None]))
    assert (true - came).abs().mean() < 0.02 * true.std()


def pair_sums(weight: np.ndarray) -> np.ndarray:
    """Add up the weights of each sign of neighbouring inputs, of (outputs, inputs, k, k)."""
    even = np.pad(weight.astype(np.float64), ((0, 0), (0, weight.shape[1] % 2), (0, 0), (0, 0)))
    return np.array([np.maximum(sign * even[:, ::2], 0) + np.maximum(sign * even[:, 1::2], 0) for sign in (1, -1)])


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1), st.integers(1, 5), st.integers(1, 20), st.integers(1, 3))
def test_rounding_one_after_the_other_beats_rounding_each(seed: int, outputs: int, inputs: int, k: int) -> None:
    random, n = np.random.default_rng(seed), inputs * k * k
    seen = random.normal(0, 1, (4 * n, 3)) @ random.normal(0, 1, (3, n)) + random.normal(0, 0.1, (4 * n, n))
    among = torch.from_numpy(seen.T @ seen / len(seen) + 0.01 * np.eye(n))
    weight, pairs = torch.from_numpy(random.normal(0, 1, (outputs, n))), _Pairs(torch.Size((outputs, inputs, k, k)))
    weight /= pairs.least_unit(weight)[:, None]
    whole = _Rounding(among, pairs).of(weight)
    assert torch.equal(whole, whole.round())
    assert whole.abs().max() <= LARGEST_WEIGHT
    for each in (weight, whole):
        assert pair_sums(each.view(outputs, inputs, k, k).numpy()).max() <= LARGEST_PAIR * (1 + 1e-9)

    def error(rounded: torch.Tensor) -> float:
        return float(torch.einsum("oi,ij,oj->", rounded - weight, among, rounded - weight))

    if n >= 20:  # of few, luck decides
        assert error(whole) < error(weight.round())


@pytest.mark.parametrize("name", ["sem", "tem"])
def test_networks_that_come_with_axonflow_are_computed_in_bytes(name: str) -> None:
    """All layers but the first, whose weights stand eight times side by side; also where two products share 16 bits."""
    integers = Checkpoint.find(name).integer_network()
    net = Checkpoint.find(name).network()
    put_integers_into(net, integers, torch.device("cpu"))
    for layer, module in net.named_modules():
        if isinstance(module, ExactLayer) and not layer.startswith("encode.0.0."):
            assert pair_sums(integers.layers[layer.removesuffix(".1")].weight).max() <= LARGEST_PAIR
            assert module.way == module.by_bytes or not best_precisions().bytes


@given(st.integers(0, 2**32 - 1), st.floats(0, 100), st.sampled_from([1e-6, 1e-3, 1.0]))
def test_scales_leave_room_for_the_weights_and_err_less_than_the_largest_values_would(
    seed: int, error: float, size: float
) -> None:
    random = np.random.default_rng(seed)
    outputs, inputs = 6, 40
    true = size * np.maximum(random.standard_t(3, (3, outputs, 16, 16)), 0)
    true[:, 0] = 0  # a channel that is never seen
    weight = random.normal(0, size / 1000, (outputs, inputs))
    weight[1] = 0
    largest = np.maximum(np.abs(weight).max(1) / LARGEST_WEIGHT, 1e-30)
    unit, shift = (chosen.numpy() for chosen in _scales(torch.tensor(true).float(), torch.from_numpy(largest), error))
    assert (unit > 0).all()
    assert np.isin(shift, SHIFTS).all()
    in_sums = unit * 0.5**shift
    assert (np.abs(weight) <= LARGEST_WEIGHT * (1 + 1e-9) * in_sums[:, None]).all()

    def errs(unit: np.ndarray, in_sums: np.ndarray) -> np.ndarray:
        codes = np.clip(np.rint(true / unit[:, None, None]), 0, LARGEST_CODE)
        found: np.ndarray = ((codes * unit[:, None, None] - true) ** 2).mean((0, 2, 3)) + error * in_sums**2
        return found

    unit, in_sums, weight, true = unit[2:], in_sums[2:], weight[2:], true[:, 2:]
    least = np.abs(weight).max(1) / LARGEST_WEIGHT
    power = np.clip(np.ceil(np.log2(true.max((0, 2, 3)) / LARGEST_CODE / least)), SHIFTS[0], SHIFTS[-1])
    plain = least * 2.0**power
    assert errs(unit, in_sums).sum() < 1.1 * errs(plain, least).sum()


@pytest.mark.parametrize(
    ("weight", "bias", "shift"),
    [
        (np.zeros((2, 1, 3, 3), np.int16), np.zeros(2, np.int32), np.ones(2, np.int32)),
        (np.full((2, 1, 3, 3), -128, np.int8), np.zeros(2, np.int32), np.ones(2, np.int32)),
        (np.zeros((2, 1, 3, 3), np.int8), np.full(2, 2**23 + 1, np.int32), np.ones(2, np.int32)),
        (np.zeros((2, 1, 3, 3), np.int8), np.zeros(2, np.int32), np.array([1, 16], np.int32)),
        (np.zeros((2, 1, 3, 3), np.int8), np.zeros(3, np.int32), np.ones(2, np.int32)),
    ],
)
def test_numbers_that_would_not_be_exact_are_refused(weight: np.ndarray, bias: np.ndarray, shift: np.ndarray) -> None:
    with pytest.raises(ValueError, match="whole numbers of a layer"):
        IntegerLayer(weight, bias, shift)
