"""What windows of a slide say of a network's activations, mixed with what its training images said.

Batch norm brings every channel to mean 0 and variance 1 by the statistics of the training images. On a slide that looks
otherwise the activations are others. There mean and variance over some windows of the slide can be mixed with those of
the training (Schneider et al., NeurIPS 2020; Nado et al., arXiv:2006.10963). It is done layer by layer: what a layer
sees has gone through the layers before it as they are adapted, so that with a weight of 1 this is batch norm in
training mode.

However many cores compute, the same numbers come out: sums are of 64 bits, and their order is fixed.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from axonflow.net.checkpoint import Checkpoint, Precision
from axonflow.net.device import Device, computing_device, faults, turn
from axonflow.net.loaded import keep_memory
from axonflow.net.statistics import Moments, Statistics
from axonflow.net.unet import Conv

__all__ = ["adapted_statistics"]

_ROWS = 16
"""Of feature maps, so many rows are added up at once: few enough for a processor's caches."""

Sums = tuple[NDArray[np.float64], NDArray[np.float64]]


def adapted_statistics(
    checkpoint: Checkpoint,
    precision: Precision,
    windows: NDArray[np.float32],
    weight: float,
    device: Device | None = None,
) -> Statistics:
    """Measure a network's activations on windows of a slide.

    Parameters
    ----------
    checkpoint : Checkpoint
        Of one of the paper's networks.
    precision : str
        Of the convolutions.
    windows : (n, h, w) float32
        Normalised as the network is given them; their sides are multiples of its stride.
    weight : float
        Of the windows' statistics, 0 to 1; that of the training's is what is missing to 1.
    device : Device, optional
        What computes: the GPU of this process, or the processor if it has none.

    Returns
    -------
    Statistics
        Of every layer with batch norm: (1 − weight) · training + weight · windows, mean and variance alike.

    Raises
    ------
    DeviceError
        If the GPU fails, or has no memory for the windows.
    """
    device = device or computing_device()
    if device.where.type == "cpu":
        keep_memory()
    net = checkpoint.network()
    measuring: dict[str, _Measuring] = {}
    for name, module in net.named_modules():
        if isinstance(module, Conv):
            norm = module[2]
            assert isinstance(norm, nn.BatchNorm2d)
            module[2] = measuring[f"{name}.2"] = _Measuring(norm, weight)
    net.head = nn.Identity()
    # of a store that was begun on a GPU, a processor that has no float16 goes on in full
    dtype = getattr(torch, "float32" if device.where.type == "cpu" and precision == "float16" else precision)
    with turn(device), faults(), torch.inference_mode():
        net.to(device.where, dtype)
        net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs do not know it
        with torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False):
            images = torch.from_numpy(windows[:, None]).to(device.where, dtype)
            net(images.to(memory_format=torch.channels_last))
        device.forget()
    return Statistics(tuple((name, each.moments) for name, each in measuring.items()))


class _Measuring(nn.Module):
    """Batch norm by the statistics of what it sees, mixed with those that it had; it keeps what it went by."""

    def __init__(self, norm: nn.BatchNorm2d, weight: float) -> None:
        super().__init__()
        known = (norm.running_mean, norm.running_var, norm.weight, norm.bias)
        self.mean, self.variance, self.scale, self.shift = (_numbers(each) for each in known)
        self.weight, self.eps = weight, norm.eps
        self.moments = Moments((), ())

    def forward(self, maps: Tensor) -> Tensor:
        total, squares = _sums(maps)
        count = maps.shape[0] * maps.shape[2] * maps.shape[3]
        found = total / count, np.maximum(squares / count - (total / count) ** 2, 0.0)
        # As the network will have them, which is folded from numbers of 32 bits.
        mean, variance = (
            ((1 - self.weight) * was + self.weight * now).astype(np.float32)
            for was, now in zip((self.mean, self.variance), found, strict=True)
        )
        self.moments = Moments(tuple(mean.tolist()), tuple(variance.tolist()))
        factor = self.scale / np.sqrt(variance.astype(np.float64) + self.eps)
        factors, shifts = (
            torch.tensor(each.astype(np.float32), device=maps.device).reshape(-1, 1, 1)
            for each in (factor, self.shift - mean * factor)
        )
        for window in maps:  # one by one, and in their place: copies of all would take memory
            window.copy_(window.float().mul_(factors).add_(shifts))
        return maps


def _numbers(values: Tensor | None) -> NDArray[np.float64]:
    assert values is not None
    return np.asarray(values.detach().double().numpy())


def _sums(maps: Tensor) -> Sums:
    """Return the sum of each channel of maps (n, c, h, w) and that of the squares, (c,) each."""
    sums = _sums_on_gpu if maps.is_cuda else _sums_of_window
    total, squares = (np.stack(each) for each in zip(*map(sums, maps), strict=True))
    return total.sum(axis=0), squares.sum(axis=0)


def _sums_on_gpu(window: Tensor) -> Sums:
    """Return the sums over the pixels of a window (c, h, w)."""
    wide = window.double()
    total, squares = wide.sum(dim=(1, 2)), wide.square_().sum(dim=(1, 2))
    return total.cpu().numpy(), squares.cpu().numpy()


def _sums_of_window(window: Tensor) -> Sums:
    """Return the same, but in an order of our own: torch's hangs on how many threads there are."""
    rows = window.float().permute(1, 2, 0).contiguous().numpy().reshape(window.shape[1], -1)  # (h, w · c)
    total, squares = np.zeros(rows.shape[1]), np.zeros(rows.shape[1])
    for first in range(0, len(rows), _ROWS):
        wide = rows[first : first + _ROWS].astype(np.float64)
        total += wide.sum(axis=0)
        squares += np.square(wide, out=wide).sum(axis=0)
    by_column = (-1, len(window))
    return total.reshape(by_column).sum(axis=0), squares.reshape(by_column).sum(axis=0)
