"""The networks are the paper's: size, padding, stride and reach."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis.strategies import integers
from torch.nn.functional import interpolate

from axonflow.errors import ModelError
from axonflow.net.architecture import SEM, TEM, Architecture
from axonflow.net.unet import UNet, doubled_reproducibly


@pytest.mark.parametrize(("architecture", "parameters"), [(SEM, 1_953_219), (TEM, 1_552_387)])
def test_parameters(architecture: Architecture, parameters: int) -> None:
    assert sum(p.numel() for p in UNet(architecture).parameters() if p.requires_grad) == parameters


@pytest.mark.parametrize(("architecture", "before", "after"), [(SEM, 141, 171), (TEM, 109, 139)])
def test_reach_by_gradient(architecture: Architecture, before: int, after: int) -> None:
    net = UNet(architecture).eval().double()
    for parameter in net.parameters():
        torch.nn.init.constant_(parameter, 1e-2)  # nothing cancels, no ReLU is dead
    reach_before = reach_after = 0
    for axis, shape in enumerate([(400, 32), (32, 400)]):  # narrow, as each axis tells it alone
        for phase in range(16):
            at = 192 + phase
            x = torch.rand(1, 1, *shape, dtype=torch.float64, requires_grad=True)
            net(x)[0, :].select(axis + 1, at).sum().backward()
            assert x.grad is not None
            touched = x.grad[0, 0].nonzero()[:, axis]
            reach_before = max(reach_before, int(at - touched.min()))
            reach_after = max(reach_after, int(touched.max() - at))
    assert (reach_before, reach_after) == (before, after)
    assert architecture.radius % architecture.stride == 0
    assert 0 <= architecture.radius - max(before, after) < architecture.stride


def test_output_shifts_by_the_stride() -> None:
    torch.manual_seed(0)
    net = UNet(TEM).eval().double()
    x = torch.rand(1, 1, 416, 320, dtype=torch.float64)
    with torch.inference_mode():
        whole, shifted = net(x), net(x[:, :, 16:])
    inner = slice(160, -160)
    torch.testing.assert_close(whole[:, :, 16:][:, :, inner, inner], shifted[:, :, inner, inner])


def test_unknown_architecture() -> None:
    with pytest.raises(ModelError, match="'sem' or 'tem'"):
        Architecture.named("vgg")


@given(integers(0, 2**31), integers(1, 9), integers(1, 9))
def test_reproducible_doubling_is_the_same_interpolation(seed: int, h: int, w: int) -> None:
    maps = torch.rand(2, 3, h, w, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    ours, theirs = maps.clone().requires_grad_(), maps.clone().requires_grad_()
    doubled = doubled_reproducibly(ours)
    expected = interpolate(theirs, scale_factor=2.0, mode="bilinear", align_corners=False)
    torch.testing.assert_close(doubled, expected)
    towards = torch.rand(doubled.shape, generator=torch.Generator().manual_seed(seed + 1), dtype=torch.float64)
    torch.autograd.backward([doubled, expected], [towards, towards])
    torch.testing.assert_close(ours.grad, theirs.grad)
