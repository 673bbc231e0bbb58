"""A stand-in for a GPU: the processor, with as much memory as a test says, and faults when it says so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor


@dataclass(eq=False)
class Card:
    """A GPU of which nobody knows how much memory a window takes before one was computed.

    Parameters
    ----------
    fits : int
        Windows that fit at once.
    free : int
        Bytes that the card says are free.
    takes : int
        Bytes that a window takes.
    moody : list of bool
        Whether memory is short nevertheless, for each batch of more than one window in turn.
    """

    fits: int = 8
    free: int | None = 1000
    takes: int = 1
    moody: list[bool] = field(default_factory=list)
    batches: list[int] = field(default_factory=list)
    uploads: int = 0
    waited: list[int] = field(default_factory=list)
    forgot: int = 0
    where: torch.device = field(default_factory=partial(torch.device, "cpu"))

    def buffer(self, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        """Return memory with something in it."""
        return torch.full(shape, 77, dtype=dtype)

    def peak(self, work: Callable[[], object]) -> int:
        """Do it, and say what a window takes."""
        work()
        self.batches.pop()
        return self.takes

    def upload(self, host: Tensor) -> Tensor:
        """Note it."""
        self.uploads += 1
        return host.clone()

    def compute(self, codes: Tensor) -> None:
        """Take the memory of a batch."""
        count = len(codes)
        short = count > 1 and bool(self.moody) and self.moody.pop(0)
        if count > self.fits or short:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        self.batches.append(count)

    def download(self, there: Tensor) -> Callable[[], NDArray[Any]]:
        """Note how many batches were started before this one is waited for."""

        def wait() -> NDArray[Any]:
            self.waited.append(len(self.batches))
            values: NDArray[Any] = there.numpy()
            return values

        return wait

    def forget(self) -> None:
        """Note it."""
        self.forgot += 1
