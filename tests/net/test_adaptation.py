"""A slide's own statistics are those of torch's batch norm, whoever computes them, and predictions go by them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from slides import picture, tissue, write_model
from torch import Tensor, nn

from axonflow.kernel.grid import Box
from axonflow.net.adaptation import adapted_statistics
from axonflow.net.checkpoint import Checkpoint, Precision
from axonflow.net.device import Processor
from axonflow.net.lattice import Lattice
from axonflow.net.normalise import histogram, lookup_table
from axonflow.net.predict import Predictor
from axonflow.net.statistics import Moments, Statistics

HERE = Processor()
PRECISIONS: tuple[Precision, ...] = ("float32", "bfloat16", "float16")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    return Checkpoint.find(write_model(tmp_path_factory.mktemp("model")))


def windows_of(count: int, seed: int, side: int = 48) -> NDArray[np.float32]:
    """Windows of tissue as a network is given them."""
    pixels = picture(tissue((count * side, side), seed), seed=seed)
    windows: NDArray[np.float32] = lookup_table(histogram(pixels))[pixels].reshape(count, side, side)
    return windows


def norms(net: nn.Module) -> dict[str, nn.BatchNorm2d]:
    return {name: module for name, module in net.named_modules() if isinstance(module, nn.BatchNorm2d)}


def agrees(found: Statistics, expected: dict[str, nn.BatchNorm2d], tolerance: float) -> None:
    """Hold statistics against those that layers have; a mean may be off by a part of the deviation."""
    assert [name for name, _ in found.layers] == [*expected]
    for name, moments in found.layers:
        mean, variance = (
            each.numpy() for each in (expected[name].running_mean, expected[name].running_var) if each is not None
        )
        deviation = np.sqrt(variance)
        assert np.max(np.abs(moments.mean - mean) / (deviation + 1e-3)) <= tolerance, name
        found_deviation = np.sqrt(np.array(moments.variance, variance.dtype))
        assert np.max(np.abs(found_deviation - deviation) / (deviation + 1e-3)) <= tolerance, name


@pytest.mark.parametrize(("precision", "tolerance"), [("float32", 1e-4), ("bfloat16", 0.1), ("float16", 1e-4)])
def test_with_a_weight_of_1_they_are_those_of_batch_norm_in_training(
    checkpoint: Checkpoint, precision: Precision, tolerance: float
) -> None:
    windows = windows_of(3, 1)
    net = checkpoint.network().double().train()
    for module in net.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    for norm in norms(net).values():
        norm.momentum = 1.0
    counted: dict[str, int] = {}

    def count(name: str, maps: Tensor) -> None:
        counted[name] = maps.numel() // maps.shape[1]

    for name, norm in norms(net).items():
        norm.register_forward_pre_hook(lambda _, given, name=name: count(name, given[0]))
    with torch.no_grad():
        net(torch.from_numpy(windows[:, None]).double())
    for name, norm in norms(net).items():  # torch keeps the estimate for all that might have come
        assert norm.running_var is not None
        norm.running_var *= (counted[name] - 1) / counted[name]
    agrees(adapted_statistics(checkpoint, precision, windows, 1.0, HERE), norms(net), tolerance)


def layer_by_layer(checkpoint: Checkpoint, windows: NDArray[np.float32], weight: float) -> dict[str, nn.BatchNorm2d]:
    """Return the layers of a network that was adapted one after the other, all run through anew each time."""
    net = checkpoint.network().double().eval()
    seen: dict[str, Tensor] = {}

    def see(name: str, maps: Tensor) -> None:
        seen.setdefault(name, maps)

    for name, norm in norms(net).items():
        norm.register_forward_pre_hook(lambda _, given, name=name: see(name, given[0]))
    done: set[str] = set()
    while len(done) < len(norms(net)):
        seen.clear()
        with torch.no_grad():
            net(torch.from_numpy(windows[:, None]).double())
        name = next(name for name in seen if name not in done)  # the first of those that are not adapted yet
        norm, maps = norms(net)[name], seen[name].movedim(1, 0).flatten(1)
        assert norm.running_mean is not None
        assert norm.running_var is not None
        norm.running_mean.mul_(1 - weight).add_(maps.mean(dim=1), alpha=weight)
        norm.running_var.mul_(1 - weight).add_(maps.var(dim=1, correction=0), alpha=weight)
        done.add(name)
    return norms(net)


@settings(max_examples=3)
@given(count=st.integers(1, 2), seed=st.integers(0, 99), weight=st.floats(0, 1))
def test_with_any_weight_each_layer_sees_those_before_it_adapted(
    checkpoint: Checkpoint, count: int, seed: int, weight: float
) -> None:
    windows = windows_of(count, seed, 32)
    found = adapted_statistics(checkpoint, "float32", windows, weight, HERE)
    agrees(found, layer_by_layer(checkpoint, windows, weight), 1e-4)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_with_a_weight_of_0_they_are_those_of_the_training(checkpoint: Checkpoint, precision: Precision) -> None:
    found = adapted_statistics(checkpoint, precision, windows_of(2, 0), 0.0, HERE)
    agrees(found, norms(checkpoint.network()), 0.0)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_they_do_not_depend_on_how_many_cores_compute(checkpoint: Checkpoint, precision: Precision) -> None:
    windows, usual = windows_of(3, 2, 80), torch.get_num_threads()
    found = set()
    try:
        for cores in (1, 2, 5):
            torch.set_num_threads(cores)
            found.add(adapted_statistics(checkpoint, precision, windows, 0.5, HERE))
    finally:
        torch.set_num_threads(usual)
    assert len(found) == 1


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
def test_a_gpu_finds_nearly_the_same(checkpoint: Checkpoint) -> None:  # pragma: no cover
    windows = windows_of(4, 4, 112)
    net = checkpoint.network()
    adapted_statistics(checkpoint, "float32", windows, 0.5, HERE).put_into(net)
    cases: tuple[tuple[Precision, float], ...] = (("float32", 1e-3), ("float16", 0.02))
    for precision, tolerance in cases:
        found = {adapted_statistics(checkpoint, precision, windows, 0.5) for _ in range(2)}
        assert len(found) == 1
        agrees(found.pop(), norms(net), tolerance)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_predictions_are_those_of_a_network_that_was_trained_to_them(
    checkpoint: Checkpoint, precision: Precision, tmp_path: Path
) -> None:
    shape = (100, 90)
    pixels, lattice, whole = picture(tissue(shape)), Lattice(shape, 64, 25, 16), Box.whole(shape)
    table = lookup_table(histogram(pixels))
    statistics = adapted_statistics(checkpoint, precision, windows_of(2, 3), 0.7, HERE)
    net = checkpoint.network()
    for name, moments in statistics.layers:
        norms(net)[name].load_state_dict(
            norms(net)[name].state_dict()
            | {"running_mean": torch.tensor(moments.mean), "running_var": torch.tensor(moments.variance)}
        )
    saved = replace(checkpoint, name="saved").save(net, tmp_path)
    expected = Predictor(saved, lattice, precision, HERE).predict(pixels, whole, whole, table)
    adapted = Predictor(checkpoint, lattice, precision, HERE, statistics=statistics)
    np.testing.assert_array_equal(adapted.predict(pixels, whole, whole, table), expected)
    plain = Predictor(checkpoint, lattice, precision, HERE).predict(pixels, whole, whole, table)
    assert np.any(plain != expected)
    core = next(lattice.cores(whole))
    theirs = Predictor(saved, lattice, precision, HERE)
    came, there = (each.probabilities(core, pixels, whole, table)[0] for each in (adapted, theirs))
    np.testing.assert_array_equal(came, there)


@settings(max_examples=3)
@given(st.floats(0.25, 4), st.integers(0, 99))
def test_with_a_weight_of_1_another_contrast_is_the_same_to_the_layers_after_the_first(
    checkpoint: Checkpoint, contrast: float, seed: int
) -> None:
    windows = windows_of(2, seed)
    (name, first), *plain = adapted_statistics(checkpoint, "float32", windows, 1.0, HERE).layers
    (again, scaled), *others = adapted_statistics(
        checkpoint, "float32", windows * np.float32(contrast), 1.0, HERE
    ).layers
    assert name == again
    np.testing.assert_allclose(scaled.mean, np.array(first.mean) * contrast, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(scaled.variance, np.array(first.variance) * contrast**2, rtol=1e-3, atol=1e-5)
    for (_, ours), (_, theirs) in zip(plain, others, strict=True):
        np.testing.assert_allclose(theirs.mean, ours.mean, rtol=0.02, atol=0.02)


numbers = st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), max_size=4).map(tuple)


@given(
    st.lists(st.tuples(st.text("abc.123", min_size=1), st.builds(Moments, numbers, numbers)), unique_by=lambda x: x[0])
)
def test_json_brings_them_back(layers: list[tuple[str, Moments]]) -> None:
    statistics = Statistics(tuple(layers))
    assert Statistics.from_json(json.loads(json.dumps(statistics.to_json()))) == statistics
