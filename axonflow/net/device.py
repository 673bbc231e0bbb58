"""What a network computes on: a GPU or the processor, what it has, what it can, and how it fails.

A worker is pinned to one GPU by ``CUDA_VISIBLE_DEVICES``, so within a process there is at most one, ``cuda:0``.
``CUDA_VISIBLE_DEVICES=""`` makes the processor of a machine with GPUs compute.
"""

from __future__ import annotations

import os
import platform
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from threading import RLock
from typing import Any, Protocol

import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from axonflow.errors import AxonflowError, DeviceError
from axonflow.kernel.memory import give_back

__all__ = [
    "Device",
    "Gpu",
    "Processor",
    "computing_device",
    "cores_used",
    "device_name",
    "faults",
    "first_line",
    "free_bytes",
    "gpus",
    "lacks_memory",
    "turn",
    "use_cores",
    "works",
]

_CPU, _GPU = torch.device("cpu"), torch.device("cuda", 0)
_ON_GPU = RLock()


class Device(Protocol):
    """Where tensors lie and kernels run, and what of its memory one may use."""

    @property
    def where(self) -> torch.device:
        """In torch's words."""

    @property
    def free(self) -> int | None:
        """Bytes that may still be taken; None where windows go one by one, whatever there is."""

    def peak(self, work: Callable[[], object]) -> int:
        """Do something; return how many bytes it took at most, beyond those in use before."""

    def buffer(self, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        """Return memory of the host that :meth:`upload` copies from; it may be let go of right after."""

    def upload(self, host: Tensor) -> Tensor:
        """Have a buffer copied here; the copy may still be under way, what is computed with it waits."""

    def download(self, there: Tensor) -> Callable[[], NDArray[Any]]:
        """Have a tensor copied to the host; what is returned waits for it."""

    def forget(self) -> None:
        """Give back the memory that is kept for later."""

    def __hash__(self) -> int:
        """Tell devices apart: networks are kept by theirs."""


@dataclass(frozen=True, slots=True)
class Processor:
    """The processor: windows one by one, because the feature maps of two would leave its caches."""

    where: torch.device = _CPU
    free: int | None = None

    def peak(self, work: Callable[[], object]) -> int:
        """Do it; nobody counts."""
        work()
        return 0

    def buffer(self, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        """Return an empty tensor."""
        return torch.empty(shape, dtype=dtype)

    def upload(self, host: Tensor) -> Tensor:
        """Return the buffer itself."""
        return host

    def download(self, there: Tensor) -> Callable[[], NDArray[Any]]:
        """Return the tensor's own memory."""
        return there.numpy

    def forget(self) -> None:
        """Have glibc give back the memory of feature maps; see :func:`axonflow.net.loaded.load_network`."""
        give_back()


@dataclass(frozen=True, slots=True)
class Gpu:
    """The GPU that this process is pinned to; copies run beside what is computed, one way and the other."""

    where: torch.device = _GPU

    @property
    def free(self) -> int | None:
        """What the driver has free, and what torch keeps without using it."""
        unused: int = torch.cuda.memory_reserved(self.where) - torch.cuda.memory_allocated(self.where)
        return torch.cuda.mem_get_info(self.where)[0] + unused

    def peak(self, work: Callable[[], object]) -> int:
        """Do it, and ask torch's allocator; workspaces of the convolutions count, too."""
        torch.cuda.synchronize(self.where)
        torch.cuda.reset_peak_memory_stats(self.where)
        before: int = torch.cuda.memory_allocated(self.where)
        work()
        torch.cuda.synchronize(self.where)
        return int(torch.cuda.max_memory_allocated(self.where)) - before

    def buffer(self, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        """Return pinned memory; torch uses it again once it was copied."""
        return torch.empty(shape, dtype=dtype, pin_memory=True)

    def upload(self, host: Tensor) -> Tensor:
        """Copy while earlier windows are computed."""
        inward, computing = _copies()[0], torch.cuda.current_stream(self.where)
        with torch.cuda.stream(inward):
            there = host.to(self.where, non_blocking=True)
        computing.wait_stream(inward)
        there.record_stream(computing)
        return there

    def download(self, there: Tensor) -> Callable[[], NDArray[Any]]:
        """Copy while later windows are computed; who waits sleeps, the processor is free for others."""
        outward, arrived = _copies()[1], torch.cuda.Event(blocking=True)  # type: ignore[no-untyped-call]  # torch's
        host = torch.empty(there.shape, dtype=there.dtype, pin_memory=True)
        outward.wait_stream(torch.cuda.current_stream(self.where))
        with torch.cuda.stream(outward):
            host.copy_(there, non_blocking=True)
            arrived.record(outward)
        there.record_stream(outward)

        def wait() -> NDArray[Any]:
            arrived.synchronize()
            values: NDArray[Any] = host.numpy()
            return values

        return wait

    def forget(self) -> None:
        """Give torch's unused blocks back to the driver."""
        torch.cuda.empty_cache()


@cache
def _copies() -> tuple[torch.cuda.Stream, torch.cuda.Stream]:
    one, other = (torch.cuda.Stream(_GPU) for _ in range(2))  # type: ignore[no-untyped-call]  # torch's
    return one, other


def computing_device() -> Device:
    """Return the GPU of this process, or the processor if it has none."""
    return Gpu() if torch.cuda.is_available() else Processor()


def gpus() -> int:
    """Return how many GPUs this process sees."""
    return torch.cuda.device_count()


def free_bytes() -> int | None:
    """Return the memory of this process's GPU that is free, bytes; None without a GPU."""
    return computing_device().free


def use_cores(count: int) -> None:
    """Have what this thread computes on the processor use so many cores; other threads begun later do, too."""
    if torch.get_num_threads() != count:
        torch.set_num_threads(count)


def cores_used() -> int:
    """Return how many cores of the processor what this thread computes uses."""
    return torch.get_num_threads()


def device_name() -> str:
    """Return what computes, as its maker calls it: ``NVIDIA H100 80GB HBM3``, or the processor's model."""
    if torch.cuda.is_available():
        return str(torch.cuda.get_device_name(_GPU))
    known = Path("/proc/cpuinfo")
    named = re.search(r"^model name\s*:\s*(.+)$", known.read_text(), re.M) if known.exists() else None
    return named[1].strip() if named else platform.processor() or platform.machine()


def works() -> str | None:
    """Try the GPU of this process before it is relied upon.

    Returns
    -------
    str or None
        What is wrong. None if the GPU allocates, multiplies and convolves as the processor does, or if
        ``CUDA_VISIBLE_DEVICES`` names none and there is none.
    """
    with warnings.catch_warnings(record=True) as said:  # of a driver that is too old, torch only warns
        warnings.simplefilter("always")
        there = torch.cuda.is_available()
    if not there:
        named = os.environ.get("CUDA_VISIBLE_DEVICES", "")
        if named in {"", "-1", "NoDevFiles"}:
            return None
        reasons = "".join(f"; {warning.message}" for warning in said)
        return (
            f"A GPU was expected, CUDA_VISIBLE_DEVICES is {named!r}; torch {torch.__version__} sees none{reasons}. "
            "Look at nvidia-smi, and whether this torch was built for CUDA."
        )
    try:
        return _miscalculates(_GPU)
    except RuntimeError as error:
        return first_line(error)


def _miscalculates(where: torch.device) -> str | None:
    """Compare a product and a convolution of small whole numbers, exact in float16, with the processor's."""
    numbers = torch.randint(0, 3, (2, 256, 256), generator=torch.Generator().manual_seed(0)).float()
    kernels = numbers[0, :16, :144].reshape(16, 16, 3, 3)
    image = numbers[1].reshape(1, 16, 64, 64)
    here = torch.device("cpu"), torch.float32
    there = where, torch.float16 if where.type == "cuda" else torch.float32
    for task, left, right in (("matrix product", *numbers), ("convolution", image, kernels)):
        expected, came = (
            _product(left.to(device, dtype), right.to(device, dtype)).float().cpu() for device, dtype in (here, there)
        )
        wrong = int((expected != came).sum())
        if wrong:
            return f"a {task} was expected to be that of the processor, {wrong} of {came.numel()} numbers are wrong"
    return None


def _product(left: Tensor, right: Tensor) -> Tensor:
    return left @ right if right.ndim == 2 else F.conv2d(left, right, padding=1)


def turn(device: Device) -> AbstractContextManager[object]:
    """Have threads of a process take turns on a GPU: one's batches would find no memory beside another's."""
    return nullcontext() if isinstance(device, Processor) else _ON_GPU


_FAULT = re.compile(r"CUDA|CUDNN|cuDNN|CUBLAS|unable to find an engine")  # of tensors on two devices it says cuda:0
_NO_MEMORY = re.compile(r"out of memory|ALLOC_FAILED|unable to find an engine")


def lacks_memory(error: RuntimeError) -> bool:
    """Return whether less work at a time may help, whichever library said so."""
    return isinstance(error, torch.OutOfMemoryError) or bool(_is_fault(error) and _NO_MEMORY.search(str(error)))


def _is_fault(error: RuntimeError) -> bool:
    if isinstance(error, AxonflowError | NotImplementedError):
        return False
    kinds = tuple(getattr(torch, name) for name in ("OutOfMemoryError", "AcceleratorError") if hasattr(torch, name))
    return isinstance(error, kinds) or bool(_FAULT.search(str(error)))


@contextmanager
def faults() -> Iterator[None]:
    """Turn what a GPU fails with into a DeviceError; let all else through.

    Raises
    ------
    DeviceError
    """
    try:
        yield
    except RuntimeError as error:
        if not _is_fault(error):
            raise
        raise DeviceError(
            "The GPU was expected to compute, but it failed: "
            f"{first_line(error)}. Run again on another one, or with CUDA_VISIBLE_DEVICES='' on the processor."
        ) from error


def first_line(error: RuntimeError) -> str:
    """Return what an error says, without the advice of many lines that CUDA's come with."""
    return str(error).split("\n", 1)[0].rstrip(".")
