"""Our networks are nnU-Net's: they take its weights strictly, and give its numbers."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from nnunet_oracle import Spec, folder, forward

from axonflow.net.nnunet.networks import build, own
from axonflow.net.nnunet.plan import Layers

FEATURES = (8, 16, 32)


def layers_of(spec: Spec) -> Layers:
    n = len(spec.features)
    return Layers(
        residual=spec.residual,
        features=spec.features,
        kernels=((3, 3),) * n,
        strides=spec.strides or ((1, 1), *((2, 2),) * (n - 1)),
        encoder=(1, *(2,) * (n - 1)) if spec.residual and not spec.old else (2,) * n,
        decoder=(1 if spec.residual and not spec.old else 2,) * (n - 1),
        bias=True,
        epsilon=1e-5,
        affine=True,
        slope=0.01,
    )


@pytest.fixture
def one_thread() -> Iterator[None]:
    """As nnU-Net's own process has: the last bits of an instance norm depend on it."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.nnunet
@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize(
    "spec",
    [
        Spec(steps=5),
        Spec(residual=True, steps=5, labels=("uaxon", "axon", "myelin", "a", "b")),
        Spec(channels=("rgb_to_0_1",) * 3, steps=5, strides=((1, 1), (2, 1), (2, 2))),
        Spec(residual=True, channels=("zscore",) * 3, steps=5, strides=((1, 1), (1, 1), (2, 2)), features=(8, 8, 16)),
        Spec(old=True, residual=True, steps=5),
    ],
)
def test_numbers_are_those_of_nnunet(spec: Spec) -> None:
    model = folder(spec)
    net = build(layers_of(spec), len(spec.channels), 1 + len(spec.labels))
    checkpoint = torch.load(next(model.glob("fold_all/*.pth")), weights_only=False)  # nnU-Net's own, written here
    net.load_state_dict(own(checkpoint["network_weights"], layers_of(spec)))
    windows = np.random.default_rng(1).normal(size=(2, len(spec.channels), 64, 96)).astype(np.float32)
    with torch.inference_mode():
        ours = net(torch.from_numpy(windows)).numpy()
    np.testing.assert_array_equal(ours, forward(model, "all", windows))


@pytest.mark.parametrize("residual", [False, True])
def test_every_weight_of_a_network_is_its_own(residual: bool) -> None:
    layers = layers_of(Spec(residual=residual))
    weights = build(layers, 3, 4).state_dict()
    assert own(weights, layers) == weights
    more = {
        "decoder.encoder.stages.0.0.convs.0.conv.weight": torch.zeros(1),
        "encoder.stages.0.0.convs.0.all_modules.0.weight": torch.zeros(1),
        "decoder.seg_layers.0.weight": torch.zeros(1),
    }
    assert own(weights | more, layers).keys() == weights.keys()
