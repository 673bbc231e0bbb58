"""How many windows go through a network at once, and what happens when they do not fit.

On a GPU one window is tried first, alone: what it takes tells how many fit into the memory that is free. Results on a
GPU may depend on how many go at once, as other kernels are chosen; so every batch is filled up by repeating a window,
and a window goes through the same kernels whatever else is in its batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from axonflow.errors import DeviceError
from axonflow.net.device import Device, first_line, lacks_memory, turn

__all__ = ["MOST", "SHARE", "Batches"]

T = TypeVar("T")
Cut = Callable[[T], NDArray[np.integer[Any]]]
"""From a window, as the caller knows it, to its (h, w) integers."""

SHARE = 0.5
"""Of the free memory that a batch may take; the rest is for fragments, and for whoever else computes on the GPU."""

MOST = 8
"""Windows in a batch, however much memory there is. With 576² px a window they are 2.7 Mpx, enough to occupy a GPU;
more would be repetitions at the end of a chunk. And as every GPU with some GB free comes to this number, it is not a
card's memory that decides which kernels run."""


@dataclass(frozen=True, slots=True)
class Batches:
    """Batches of windows on a device.

    Parameters
    ----------
    device : Device

    Attributes
    ----------
    at_once : dict
        Windows in a batch, a power of two, by the height and width of the windows. It is found out for each shape
        when that comes first, and halved for good when so many did not fit after all.
    """

    device: Device
    at_once: dict[tuple[int, ...], int] = field(default_factory=dict)

    def through(self, work: Callable[[Tensor], Tensor], cut: Cut[T], windows: Sequence[T]) -> Iterator[NDArray[Any]]:
        """Compute windows of one shape; while a batch is computed, the next one is copied to the device.

        Parameters
        ----------
        work : callable
            From (n, h, w) int32 on the device to n results on the device.
        cut : callable
        windows : sequence

        Yields
        ------
        array
            The result of each window, in their order.

        Raises
        ------
        DeviceError
            If not even a single window fits.
        """
        waiting = list(windows)
        under_way: Callable[[], NDArray[Any]] | None = None
        while waiting:
            launched = self._launch(work, cut, waiting)
            if launched is None:  # too many at once; fewer are next
                continue
            if under_way is not None:
                yield from under_way()
            count, under_way = launched
            del waiting[:count]
        if under_way is not None:
            yield from under_way()

    def _launch(
        self, work: Callable[[Tensor], Tensor], cut: Cut[T], waiting: Sequence[T]
    ) -> tuple[int, Callable[[], NDArray[Any]]] | None:
        """Start a batch; return its size and what waits for its results, or None if it did not fit."""
        first = cut(waiting[0])
        shape, count = first.shape, 1
        try:
            with turn(self.device):
                if shape not in self.at_once:
                    self.at_once[shape] = self._fitting(lambda: work(self.device.upload(self._filled([first], 1))))
                count = self.at_once[shape]
            windows = [first, *map(cut, waiting[1:count])]
            host = self._filled(windows, count)
            with turn(self.device):  # while a thread cuts its next windows, another's are computed
                return len(windows), self.device.download(work(self.device.upload(host))[: len(windows)])
        except RuntimeError as error:
            if not lacks_memory(error):
                raise
            if count == 1:
                raise DeviceError(
                    f"Memory for one window of {shape[0]} × {shape[1]} px was expected on the GPU, "
                    f"{_free(self.device)} free: {first_line(error)}. Use a GPU with more memory or one that nobody "
                    "else uses, or CUDA_VISIBLE_DEVICES='' to compute on the processor."
                ) from error
        self.at_once[shape] = count // 2
        self.device.forget()  # after the error, whose frames hold what was computed so far
        return None

    def _fitting(self, one: Callable[[], object]) -> int:
        """Return how many windows fit, given the work of one."""
        if self.device.free is None:
            return 1
        taken = max(self.device.peak(one), 1)
        fit = min(int(self.device.free * SHARE) // taken, MOST)
        return 1 << max(fit, 1).bit_length() - 1

    def _filled(self, windows: Sequence[NDArray[np.integer[Any]]], count: int) -> Tensor:
        host = self.device.buffer((count, *windows[0].shape), torch.int32)
        filling = host.numpy()
        for i in range(count):
            filling[i] = windows[min(i, len(windows) - 1)]
        return host


def _free(device: Device) -> str:
    return "none is" if device.free is None else f"{device.free / 2**20:,.0f} MiB are"
