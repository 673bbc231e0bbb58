"""nnU-Net's networks ready for prediction, one per fold, and one window through one of them."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from typing import Protocol

import torch
from torch import Tensor, nn

from axonflow.net.batches import Batches
from axonflow.net.device import Device

__all__ = ["Loaded", "Model", "load", "ready"]


class Model(Hashable, Protocol):
    """What loads the networks of a model: a :class:`~axonflow.net.checkpoint.Checkpoint` of one."""

    def networks(self) -> list[nn.Module]:
        """Load the network of each fold."""
        ...


@dataclass(frozen=True, slots=True)
class Loaded:
    """The networks of a model, on their device.

    Attributes
    ----------
    folds : tuple of nn.Module
    dtype : torch.dtype
        Of all but the average over mirror images, which is float32.
    batches : Batches
    """

    folds: tuple[nn.Module, ...]
    dtype: torch.dtype
    batches: Batches

    @torch.inference_mode()
    def logits(self, fold: int, mirrors: tuple[int, ...], bits: Tensor) -> Tensor:
        """Return a fold's mean class scores of windows and their mirror images.

        Parameters
        ----------
        fold : int
        mirrors : tuple of int
            Axes along which they are mirrored: rows (0), columns (1).
        bits : (n, channels, h, w) int32
            The bits of float32 numbers, as integers are what :class:`~axonflow.net.batches.Batches` brings here.

        Returns
        -------
        (n, classes, h, w) float32
            Added up in nnU-Net's order.
        """
        net, axes = self.folds[fold], [axis + 2 for axis in mirrors]
        windows = bits.view(torch.float32).to(self.dtype)
        ways = [way for n in range(1, len(axes) + 1) for way in combinations(axes, n)]
        with torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False):
            total: Tensor = net(windows).float()
            for way in ways:
                total += torch.flip(net(torch.flip(windows, way)), way)
        if ways:
            total /= len(ways) + 1
        return total


def ready(folds: Sequence[nn.Module], precision: str, device: Device) -> Loaded:
    """Bring networks to a device.

    Half precision of a store that was begun on a GPU is computed in float32 on a processor, which has none.
    """
    dtype: torch.dtype = getattr(torch, precision)
    if device.where.type == "cpu" and dtype == torch.float16:
        dtype = torch.float32
    return Loaded(tuple(net.eval().to(device.where, dtype) for net in folds), dtype, Batches(device))


@lru_cache(maxsize=2)
def load(model: Model, precision: str, device: Device) -> Loaded:
    """Load a model's networks once per process."""
    return ready(model.networks(), precision, device)
