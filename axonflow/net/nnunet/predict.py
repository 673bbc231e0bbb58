"""A box of a slide as nnU-Net's predictor would have it on the whole image, to the bit.

Of nnU-Net's windows those are computed that touch the box. What they say is weighted, added up in float16 and divided
in nnU-Net's order, so that a pixel's scores do not depend on the box in which it was computed: there are no seams.

On a processor each window is computed by one thread, as the last bits of a convolution depend on the number of
threads; several windows go side by side. A GPU computes batches of windows (:mod:`axonflow.net.batches`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from axonflow.errors import ModelError
from axonflow.kernel.grid import Box
from axonflow.kernel.starting import ThreadPool
from axonflow.net.device import Device, computing_device, faults, turn, use_cores
from axonflow.net.nnunet.loaded import Loaded
from axonflow.net.nnunet.windows import Windows, importance

__all__ = ["NnUNetPredictor", "Normalise"]

Normalise = Callable[[NDArray[Any]], NDArray[np.float32]]
"""From (h, w) pixels to what the network sees of them, (channels, h, w)."""

_BAND = 2**18
"""Pixels of which scores become probabilities at once."""


@dataclass(frozen=True, slots=True)
class NnUNetPredictor:
    """A model of nnU-Net at work on one slide.

    Parameters
    ----------
    load : callable
        Returns the networks; they are loaded when the first box is predicted.
    windows : Windows
    mirrors : tuple of int
        Axes along which windows are mirrored.
    classes, channels : int
        Of the network's output and of its input.
    normalise : callable
    threads : int
        Windows side by side on a processor.
    device : Device
    """

    load: Callable[[Device], Loaded]
    windows: Windows
    mirrors: tuple[int, ...]
    classes: int
    channels: int
    normalise: Normalise
    threads: int = 1
    device: Device = field(default_factory=computing_device)

    def scores(self, pixels: NDArray[Any], have: Box, box: Box) -> NDArray[np.float16]:
        """Return the class scores, before the softmax, of the part of a box that is inside.

        Parameters
        ----------
        pixels : (h, w) array
            Pixels that hold the box and all windows that touch it, as far as the slide goes.
        have : Box
            Where they lie.
        box : Box

        Returns
        -------
        (classes, h, w) float16
            Of ``box & windows.inside``, nnU-Net's to the bit in float32 on a processor.

        Raises
        ------
        DeviceError
            If the GPU fails, or has no memory for a single window.
        ModelError
            If scores are larger than float16 can hold.
        """
        part = box & self.windows.inside
        touching = list(self.windows.touching(part))
        weight = torch.from_numpy(importance(self.windows.patch).copy())
        with faults(), _one_thread():
            with turn(self.device):
                loaded = self.load(self.device)
            total: Tensor | None = None
            for fold in range(len(loaded.folds)):
                sums = torch.zeros((self.classes, *part.shape), dtype=torch.float16)
                weights = torch.zeros(part.shape, dtype=torch.float16)
                work = partial(self._work, loaded, fold)
                cut = partial(self._cut, pixels, have)
                for window, values in zip(touching, self._through(loaded, work, cut, touching), strict=True):
                    common = window & part
                    there, here = common.relative_to(window).slices, common.relative_to(part).slices
                    sums[:, *here] += values[:, *there] * weight[there]
                    weights[here] += weight[there]
                sums /= weights
                total = sums if total is None else total.add_(sums)
            assert total is not None
            if len(loaded.folds) > 1:
                total /= len(loaded.folds)
            if self.device.where.type == "cpu":
                self.device.forget()
        scores: NDArray[np.float16] = total.numpy()
        if not np.isfinite(scores).all():
            raise ModelError(
                f"Scores within ±65504 were expected of the network, others came in {part}; its training "
                "failed, or the slide is unlike anything that it was trained on: use another model."
            )
        return scores

    def predict(self, pixels: NDArray[Any], have: Box, box: Box, out: NDArray[np.uint8]) -> None:
        """Predict a box.

        Parameters
        ----------
        pixels, have, box
            As for :meth:`scores`.
        out : (n, h, w) uint8
            To be filled with the first n planes of :data:`axonflow.net.loaded.PLANES` and the probability of each
            class by number; all in 255ths but the class itself. Outside it is background, surely.

        Raises
        ------
        DeviceError, ModelError
            As of :meth:`scores`.
        """
        out[0], out[1:3], out[3:] = 0, 255, 0
        part = box & self.windows.inside
        if not part.size:
            return
        scores = self.scores(pixels, have, box)
        inner = out[:, *part.relative_to(box).slices]
        rows = max(_BAND // part.shape[1], 1)
        for first in range(0, part.shape[0], rows):
            band = slice(first, first + rows)
            inner[:, band] = _planes(scores[:, band], len(out))

    def _work(self, loaded: Loaded, fold: int, bits: Tensor) -> Tensor:
        n, rows, width = bits.shape
        return loaded.logits(fold, self.mirrors, bits.view(n, self.channels, rows // self.channels, width))

    def _cut(self, pixels: NDArray[Any], have: Box, window: Box) -> NDArray[np.int32]:
        """Return what the network sees of a window as bits, its channels one below the other; 0 where nothing is."""
        seen = np.zeros((self.channels, *self.windows.patch), np.float32)
        part = window & self.windows.inside
        seen[:, *part.relative_to(window).slices] = self.normalise(pixels[part.relative_to(have).slices])
        bits: NDArray[np.int32] = seen.view(np.int32).reshape(-1, self.windows.patch[1])
        return bits

    def _through(
        self,
        loaded: Loaded,
        work: Callable[[Tensor], Tensor],
        cut: Callable[[Box], NDArray[np.int32]],
        windows: Sequence[Box],
    ) -> Iterator[Tensor]:
        """Yield what a network says of each window, in their order."""
        if self.device.free is not None:
            yield from map(torch.from_numpy, loaded.batches.through(work, cut, windows))
            return

        def one(window: Box) -> Tensor:
            return work(torch.from_numpy(cut(window))[None])[0]

        if self.threads == 1:
            yield from map(one, windows)
            return
        with ThreadPool(self.threads, initializer=use_cores, initargs=(1,)) as pool:
            under_way: deque[Future[Tensor]] = deque()
            for window in windows:
                if len(under_way) > self.threads:  # so many are held, and no more
                    yield under_way.popleft().result()
                under_way.append(pool.submit(one, window))
            while under_way:
                yield under_way.popleft().result()


@contextmanager
def _one_thread() -> Iterator[None]:
    """Have what this thread computes on the processor use one core."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _planes(scores: NDArray[np.float16], count: int) -> NDArray[np.uint8]:
    """Return the first planes of scores, (classes, h, w); of equal ones the first wins, as nnU-Net has it."""
    planes = np.zeros((count, *scores.shape[1:]), np.uint8)
    best = scores[0].astype(np.float32)
    for number in range(1, len(scores)):
        other = scores[number].astype(np.float32)
        planes[0][other > best] = number
        np.maximum(best, other, out=best)
    shares = np.exp(scores.astype(np.float32) - best)
    whole = shares[0].copy()
    for share in shares[1:]:
        whole += share
    planes[1] = np.rint(255 / whole)  # the best one's share: its exponential is 1
    planes[2:] = np.rint(255 * shares[: count - 2] / whole)
    return planes
