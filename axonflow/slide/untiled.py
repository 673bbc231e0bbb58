"""Images that can only be decoded whole: the last one decoded is kept by each process.

Such an image is asked for in many boxes, one after another; decoding it for each would multiply the time by their
number.
"""

from __future__ import annotations

import threading
from collections.abc import Hashable
from functools import lru_cache
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from axonflow.kernel.grid import Box

__all__ = ["UntiledImage", "read_untiled", "version"]


class UntiledImage(Hashable, Protocol):
    """Decodes one image of a file whole; hashable."""

    @property
    def file(self) -> Path:
        """The file that is decoded."""
        ...

    def decode(self) -> NDArray[np.generic]:
        """Return the luminance of the whole image."""
        ...


_turn = threading.Lock()  # two threads must not decode the same image side by side: memory


def read_untiled(image: UntiledImage, box: Box) -> NDArray[np.generic]:
    """Return a copy of a box of an image."""
    with _turn:
        pixels = _decoded(image, version(image.file))
    return pixels[box.slices].copy()


def version(file: Path) -> tuple[int, int]:
    """Return what tells a file from a later one of the same name within one process."""
    status = file.stat()
    return status.st_mtime_ns, status.st_size


@lru_cache(maxsize=1)
def _decoded(image: UntiledImage, version: tuple[int, int]) -> NDArray[np.generic]:  # noqa: ARG001 (part of the key)
    return image.decode()
