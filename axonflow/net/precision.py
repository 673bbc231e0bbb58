"""The best precision that networks have on this machine; torch, which takes seconds to load, is asked if in doubt."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from axonflow.net.checkpoint import Precision

__all__ = ["Precisions", "best_precision", "best_precisions", "has_gpu", "processor_precisions"]

_CPUINFO = Path("/proc/cpuinfo")
_DRIVERS = tuple(map(Path, ("/dev/nvidiactl", "/dev/dxg", "/dev/kfd")))
"""What Linux has if there may be a GPU that torch can use."""

_BFLOAT16 = frozenset({"avx512_bf16", "amx_bf16"})
_BYTES = frozenset({"avx2", "avx512_vnni", "avx_vnni", "amx_int8"})


class Precisions(NamedTuple):
    """What a machine computes networks best in.

    Attributes
    ----------
    floats : Precision
        For networks that are not of whole numbers.
    bytes : bool
        Whether it multiplies bytes by vectors, so that whole numbers are faster.
    """

    floats: Precision
    bytes: bool = False

    def of(self, *, integers: bool) -> Precision:
        """Return the precision of a network that has whole numbers, or has none."""
        return "int8" if integers and self.bytes else self.floats


def best_precision() -> Precision:
    """Return what networks of this process are computed best in, if they have no whole numbers."""
    return best_precisions().floats


def best_precisions() -> Precisions:
    """Return what networks of this process are computed best in."""
    return Precisions("float16") if has_gpu() else processor_precisions()


def has_gpu() -> bool:
    """Return whether networks of this process run on a GPU; ``CUDA_VISIBLE_DEVICES=""`` hides all of them."""
    if _flags() is not None and not any(driver.exists() for driver in _DRIVERS):
        return False
    import torch

    return torch.cuda.is_available()


def processor_precisions() -> Precisions:
    """Return what networks are computed best in on this machine's processor."""
    flags = _flags()
    if flags is None:
        import torch

        known = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
        flags = {name for name, there in known.items() if there is True}
    return Precisions("bfloat16" if _BFLOAT16 & flags else "float32", bool(_BYTES & flags))


def _flags() -> set[str] | None:
    """Return what Linux says that an x86 processor can do; None elsewhere."""
    try:
        said = re.search(r"^flags\s*:(.*)$", _CPUINFO.read_text(), re.MULTILINE)
    except OSError:
        return None
    return set(said[1].split()) if said else None
