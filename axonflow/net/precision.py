"""The best precision that networks have on this machine; torch, which takes seconds to load, is asked if in doubt."""

from __future__ import annotations

import re
from pathlib import Path

from axonflow.net.checkpoint import Precision

__all__ = ["best_precision", "has_gpu", "processor_precision"]

_CPUINFO = Path("/proc/cpuinfo")
_DRIVERS = tuple(map(Path, ("/dev/nvidiactl", "/dev/dxg", "/dev/kfd")))
"""What Linux has if there may be a GPU that torch can use."""

_BFLOAT16 = frozenset({"avx512_bf16", "amx_bf16"})


def best_precision() -> Precision:
    """Return float16 where a GPU computes, else what is best for the processor."""
    return "float16" if has_gpu() else processor_precision()


def has_gpu() -> bool:
    """Return whether networks of this process run on a GPU; ``CUDA_VISIBLE_DEVICES=""`` hides all of them."""
    if _flags() is not None and not any(driver.exists() for driver in _DRIVERS):
        return False
    import torch

    return torch.cuda.is_available()


def processor_precision() -> Precision:
    """Return bfloat16 where the processor multiplies it in hardware, else float32."""
    flags = _flags()
    if flags is None:
        import torch

        known = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
        flags = {name for name, there in known.items() if there is True}
    return "bfloat16" if _BFLOAT16 & flags else "float32"


def _flags() -> set[str] | None:
    """Return what Linux says that an x86 processor can do; None elsewhere."""
    try:
        said = re.search(r"^flags\s*:(.*)$", _CPUINFO.read_text(), re.MULTILINE)
    except OSError:
        return None
    return set(said[1].split()) if said else None
