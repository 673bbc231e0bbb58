"""Compiled loops, torch's steps and plain numpy make the same of a network's last maps, to the bit."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor

from axonflow.net.heads import ExactHead, Head, planes_by_torch, scores_by_torch


def in_order(maps: Tensor, weight: NDArray[np.float32], bias: NDArray[np.float32]) -> NDArray[np.float32]:
    """Add up feature by feature, each product and each sum rounded."""
    n, _, h, w = maps.shape
    scores = np.broadcast_to(bias[:, None, None], (n, len(bias), h, w)).astype(np.float32)
    for feature, factor in zip(maps.float().numpy().swapaxes(0, 1), weight.T, strict=True):
        scores = scores + factor[:, None, None] * feature[:, None]
    return scores


def chosen(shares: NDArray[np.float32], count: int) -> NDArray[np.uint8]:
    in_255ths = np.rint(shares * np.float32(255)).astype(np.uint8)
    planes = [shares.argmax(axis=1), in_255ths.max(axis=1), *in_255ths.swapaxes(0, 1)]
    return np.stack(planes[:count], axis=1).astype(np.uint8)


@given(st.data())
def test_loops_torch_and_numpy_agree(data: st.DataObject) -> None:
    random = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    classes, features = data.draw(st.integers(2, 5)), data.draw(st.integers(1, 20))
    n, h, w = (data.draw(st.integers(1, most)) for most in (3, 9, 20))
    dtype = data.draw(st.sampled_from([torch.float32, torch.bfloat16, torch.float16]))
    around = torch.from_numpy(random.exponential(30, (n, features, h + 3, w + 2)).astype(np.float32)).to(dtype)
    layout = data.draw(st.sampled_from([torch.contiguous_format, torch.channels_last]))
    maps = around.to(memory_format=layout)[:, :, 1 : h + 1, 2 : w + 2]
    weight = random.normal(0, data.draw(st.sampled_from([0, 0.02, 1])), (classes, features)).astype(np.float32)
    bias = np.round(random.normal(0, 1, classes)).astype(np.float32)  # with weights of 0 some classes tie
    scores, count = in_order(maps, weight, bias), data.draw(st.integers(2, 2 + classes))
    np.testing.assert_array_equal(scores_by_torch(maps, torch.tensor(weight.T.copy()), torch.tensor(bias)), scores)
    for head, shares in (
        (Head(weight, bias), torch.softmax(torch.from_numpy(scores), dim=1)),
        (ExactHead(weight, bias), ExactHead(weight, bias)(maps)),
    ):
        np.testing.assert_array_equal(head(maps), shares)
        expected = chosen(shares.numpy(), count)
        np.testing.assert_array_equal(planes_by_torch(shares, count), expected)
        np.testing.assert_array_equal(head.planes(maps, count), expected)
