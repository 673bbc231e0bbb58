"""The last step of a network: from the maps of its last layer to classes, confidence and probabilities.

Scores are added up feature by feature, in an order that is ours: a library's convolution adds up in one that depends on
the number of threads. On the processor compiled loops do it, in one pass and where the maps lie; on a GPU torch does.
Both give the same bits.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from axonflow.kernel.compiled import compiled

__all__ = ["ExactHead", "Head", "planes_by_torch", "scores_by_torch"]


class Head(nn.Module):
    """The last 1×1 convolution and the softmax, in float32: in 8 bits of mantissa classes would tie.

    Parameters
    ----------
    weight : (classes, features) float32
    bias : (classes,) float32
    """

    weight: Tensor
    bias: Tensor

    def __init__(self, weight: NDArray[np.float32], bias: NDArray[np.float32]) -> None:
        super().__init__()
        self.register_buffer("weight", torch.tensor(weight.T.copy()))  # (features, classes)
        self.register_buffer("bias", torch.tensor(bias))

    def forward(self, maps: Tensor) -> Tensor:
        """Return the probability of each class.

        Parameters
        ----------
        maps : (n, features, h, w) Tensor

        Returns
        -------
        (n, classes, h, w) float32
        """
        return torch.softmax(self._scores(maps), dim=1)

    def planes(self, maps: Tensor, count: int) -> Tensor:
        """Return the first planes of the maps: the class, its probability, then the probability of each class.

        Parameters
        ----------
        maps : (n, features, h, w) Tensor
        count : int
            How many of them, at least two.

        Returns
        -------
        (n, count, h, w) uint8
            Of equal classes the first; probabilities in 255ths.
        """
        shares = self(maps)
        if maps.device.type != "cpu":
            return planes_by_torch(shares, count)
        planes = torch.empty((len(maps), count, *maps.shape[2:]), dtype=torch.uint8)
        _choose(shares.numpy(), planes.numpy())
        return planes

    def _scores(self, maps: Tensor) -> Tensor:
        if maps.device.type != "cpu":
            return scores_by_torch(maps, self.weight, self.bias)
        scores = torch.empty((len(maps), len(self.bias), *maps.shape[2:]))
        _add_up(_seen(maps), self.weight.numpy(), self.bias.numpy(), _rows(len(self.bias), maps), scores.numpy())
        return scores


def scores_by_torch(maps: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Add up the features of maps, in float32, to the score of each class, (n, classes, h, w)."""
    scores = bias[:, None, None].repeat(len(maps), 1, *maps.shape[2:])
    term = torch.empty_like(scores)
    for feature, factor in zip(maps.contiguous().unbind(1), weight[:, :, None, None], strict=True):
        scores += torch.mul(factor, feature[:, None].float(), out=term)  # (classes, 1, 1) × (n, 1, h, w)
    return scores


def planes_by_torch(shares: Tensor, count: int) -> Tensor:
    """Return the first planes of what the probability of each class is, as :meth:`Head.planes`."""
    n, classes, h, w = shares.shape
    planes = torch.zeros((n, count, h, w), dtype=torch.uint8, device=shares.device)
    top = shares[:, 0]
    for i in range(1, classes):
        planes[:, 0].masked_fill_(shares[:, i] > top, i)
        top = torch.maximum(top, shares[:, i])
    planes[:, 1] = torch.round(top * 255)
    planes[:, 2:] = torch.round(shares[:, : count - 2] * 255)
    return planes


class ExactHead(Head):
    """The same by steps that are rounded alike everywhere.

    Exponentials are looked up: a library computes them otherwise on each kind of processor.
    """

    exponentials: Tensor

    def __init__(self, weight: NDArray[np.float32], bias: NDArray[np.float32]) -> None:
        super().__init__(weight, bias)
        powers = np.cumprod(np.full(_LOOKED_UP * _PER_UNIT, _STEP))  # one product after the other
        # Beyond an exact tie, the middle of each step.
        exponentials = np.append(1.0, powers * _HALF_STEP).astype(np.float32)
        self.register_buffer("exponentials", torch.from_numpy(exponentials))

    def forward(self, maps: Tensor) -> Tensor:
        """Return the probability of each class, as :meth:`Head.forward`."""
        scores = self._scores(maps)
        below = scores.amax(dim=1, keepdim=True) - scores
        at = below.mul_(_PER_UNIT).ceil_().clamp_(max=len(self.exponentials) - 1).to(torch.int32)
        shares = self.exponentials.index_select(0, at.flatten()).view_as(scores)
        total = shares[:, 0].clone()
        for i in range(1, shares.shape[1]):
            total += shares[:, i]
        return shares.div_(total[:, None])

    def planes(self, maps: Tensor, count: int) -> Tensor:
        """Return the first planes of the maps, as :meth:`Head.planes`."""
        if maps.device.type != "cpu":
            return super().planes(maps, count)
        n, _, h, w = maps.shape
        planes = torch.empty((n, count, h, w), dtype=torch.uint8)
        numbers = self.weight.numpy(), self.bias.numpy(), self.exponentials.numpy()
        _add_up_and_choose(_seen(maps), *numbers, _rows(len(self.bias) + 1, maps), planes.numpy())
        return planes


_PER_UNIT, _LOOKED_UP = 1024, 16
"""Exponentials in a unit of the scores' differences, and units beyond which a probability is taken for the last one."""

_STEP, _HALF_STEP = 0.9990239141819757, 1.0004884004786945
"""The exponentials of −1 and ½ of such a step."""


def _seen(maps: Tensor) -> NDArray[np.float32]:
    """Return maps as compiled loops see them, (n, h, w, features)."""
    seen: NDArray[np.float32] = maps.permute(0, 2, 3, 1).float().numpy()
    return seen


def _rows(classes: int, maps: Tensor) -> NDArray[np.float32]:
    """Return room for a row of the maps: one feature, and what is made of it for each class."""
    return np.empty((1 + classes, maps.shape[3]), np.float32)


@compiled
def _add_up(
    maps: NDArray[np.float32],
    weight: NDArray[np.float32],
    bias: NDArray[np.float32],
    rows: NDArray[np.float32],
    scores: NDArray[np.float32],
) -> None:
    feature, row = rows[0], rows[1:]
    for i in range(maps.shape[0]):
        for y in range(maps.shape[1]):
            _add_up_row(maps[i, y], weight, bias, feature, row)
            for k in range(len(bias)):
                for x in range(len(feature)):
                    scores[i, k, y, x] = row[k, x]


@compiled
def _add_up_row(
    maps: NDArray[np.float32],
    weight: NDArray[np.float32],
    bias: NDArray[np.float32],
    feature: NDArray[np.float32],
    scores: NDArray[np.float32],
) -> None:
    """Add up a row of w pixels: (w, features) maps to (classes, w) scores, which lie side by side."""
    for k in range(len(bias)):
        for x in range(len(feature)):
            scores[k, x] = bias[k]
    for f in range(maps.shape[1]):
        for x in range(len(feature)):  # side by side, so that the sums go by vectors
            feature[x] = maps[x, f]
        for k in range(len(bias)):
            factor = weight[f, k]
            for x in range(len(feature)):
                scores[k, x] += factor * feature[x]


@compiled
def _choose(shares: NDArray[np.float32], planes: NDArray[np.uint8]) -> None:
    for i in range(shares.shape[0]):
        for y in range(shares.shape[2]):
            _choose_row(shares[i, :, y], planes[i, :, y])


@compiled
def _choose_row(shares: NDArray[np.float32], planes: NDArray[np.uint8]) -> None:
    """Choose the class of each of w pixels: (classes, w) shares to (count, w) planes."""
    for x in range(shares.shape[1]):
        best, most = 0, shares[0, x]
        for k in range(1, shares.shape[0]):
            if shares[k, x] > most:
                best, most = k, shares[k, x]
        planes[0, x] = best
        planes[1, x] = np.uint8(np.rint(most * np.float32(255)))
    for k in range(planes.shape[0] - 2):
        for x in range(shares.shape[1]):
            planes[2 + k, x] = np.uint8(np.rint(shares[k, x] * np.float32(255)))


@compiled
def _add_up_and_choose(
    maps: NDArray[np.float32],
    weight: NDArray[np.float32],
    bias: NDArray[np.float32],
    exponentials: NDArray[np.float32],
    rows: NDArray[np.float32],
    planes: NDArray[np.uint8],
) -> None:
    """Do what :class:`ExactHead` does step by step, row by row: nothing leaves the cache but the planes."""
    width, last = maps.shape[2], np.float32(len(exponentials) - 1)
    feature, total, scores = rows[0], rows[1], rows[2:]
    for i in range(maps.shape[0]):
        for y in range(maps.shape[1]):
            _add_up_row(maps[i, y], weight, bias, feature, scores)
            for x in range(width):
                top = scores[0, x]
                for k in range(1, len(bias)):
                    if scores[k, x] > top:
                        top = scores[k, x]
                total[x] = 0
                for k in range(len(bias)):
                    at = np.ceil((top - scores[k, x]) * np.float32(_PER_UNIT))
                    scores[k, x] = exponentials[np.int32(at if at < last else last)]  # nothing else is an index
                    total[x] += scores[k, x]
                for k in range(len(bias)):
                    scores[k, x] /= total[x]
            _choose_row(scores, planes[i, :, y])
