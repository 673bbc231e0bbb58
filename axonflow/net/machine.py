"""What torch finds on a machine: the processor's arithmetic and all GPUs, used or not. For people to read."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch

from axonflow.net.device import first_line

__all__ = ["Card", "cards", "cuda_version", "features", "processor_name"]

_FEATURES = (
    *("avx2", "avx512_f", "avx512_vnni", "avx512_fp16", "avx512_bf16", "amx_int8", "amx_bf16", "amx_fp16"),
    *("neon", "asimd", "sve", "sve2", "bf16"),
)


@dataclass(frozen=True, slots=True)
class Card:
    """A GPU.

    Attributes
    ----------
    name : str
    free, total : int
        Its memory, bytes.
    fault : str
        What it answered instead, if it does not work.
    """

    name: str
    free: int = 0
    total: int = 0
    fault: str = ""


def _capabilities() -> dict[str, Any]:
    return dict(torch.cpu.get_capabilities()) if hasattr(torch.cpu, "get_capabilities") else {}


def processor_name() -> str:
    """Return what the processor calls itself."""
    return str(_capabilities().get("cpu_name") or platform.processor() or platform.machine())


def features() -> tuple[str, ...]:
    """Return what the processor computes with, as far as it matters to a network."""
    there = _capabilities()
    return tuple(name for name in _FEATURES if there.get(name))


def cuda_version() -> str | None:
    """Return the CUDA that this torch was built for; None if for none."""
    version: str | None = torch.version.cuda
    return version


def cards() -> Iterator[Card]:
    """Yield every GPU that this process sees."""
    for i in range(torch.cuda.device_count()):
        name = f"GPU {i}"
        try:
            name = torch.cuda.get_device_name(i)
            yield Card(name, *torch.cuda.mem_get_info(i))
        except RuntimeError as error:
            yield Card(name, fault=first_line(error))
