"""Mean and variance of a network's activations, by which batch norm goes: what takes the place of the training's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn

__all__ = ["Moments", "Statistics"]


@dataclass(frozen=True, slots=True)
class Moments:
    """Of the channels of one layer; numbers of 32 bits, as the weights' are.

    Attributes
    ----------
    mean, variance : tuple of float
        Of each channel.
    """

    mean: tuple[float, ...]
    variance: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Statistics:
    """Of every layer with batch norm that has others than those of the training.

    Attributes
    ----------
    layers : tuple of (str, Moments)
        By the names that the layers have in the network.
    """

    layers: tuple[tuple[str, Moments], ...] = ()

    def put_into(self, net: nn.Module) -> None:
        """Have a network normalise by them.

        Parameters
        ----------
        net : nn.Module
            That they were measured on; in 32 bits, batch norm not yet folded into its convolutions.
        """
        import torch

        norms = dict(net.named_modules())
        for name, moments in self.layers:
            norm = norms[name]
            assert isinstance(norm, torch.nn.BatchNorm2d)
            norm.running_mean = torch.tensor(moments.mean)
            norm.running_var = torch.tensor(moments.variance)

    def to_json(self) -> dict[str, Any]:
        """Return the layers as JSON, from which the same numbers are read."""
        return {name: {"mean": [*each.mean], "variance": [*each.variance]} for name, each in self.layers}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Statistics:
        """Read what :meth:`to_json` returned."""
        return cls(
            tuple((name, Moments(tuple(each["mean"]), tuple(each["variance"]))) for name, each in content.items())
        )
