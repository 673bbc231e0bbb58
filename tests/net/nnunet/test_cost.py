"""What a network costs is what torch counts."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from nnunet_models import networks, plan_of
from torch.utils.flop_counter import FlopCounterMode

from axonflow.net.nnunet.cost import flops, weight_bytes
from axonflow.net.nnunet.plan import NnUNetPlan

PLAIN = plan_of((32, 64), features=(4, 8, 16))
RESIDUAL = replace(PLAIN, layers=replace(PLAIN.layers, residual=True, encoder=(1, 3, 2)))
UNEVEN = replace(
    PLAIN, layers=replace(PLAIN.layers, strides=((1, 1), (2, 2), (1, 2)), kernels=((3, 3), (3, 3), (1, 3)))
)


@pytest.mark.parametrize("plan", [PLAIN, RESIDUAL, UNEVEN], ids=["plain", "residual", "uneven"])
@pytest.mark.parametrize("classes", [2, 5])
def test_layers_tell_operations_and_weights(plan: NnUNetPlan, classes: int) -> None:
    (net,) = networks(plan, classes)
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        net(torch.zeros(1, 1, *plan.patch))
    assert flops(replace(plan, mirrors=()), classes) == counter.get_total_flops()
    assert flops(replace(plan, folds=("0", "1")), classes) == 8 * counter.get_total_flops()
    numbers = sum(weights.numel() for weights in net.parameters() if weights.ndim > 1)
    assert weight_bytes(plan, classes) == 4 * numbers
    assert weight_bytes(replace(plan, folds=("0", "1")), classes) == 8 * numbers
