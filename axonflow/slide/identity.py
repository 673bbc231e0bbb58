"""Which content a slide is: a hash over a sample of its bytes, never of its path or its times."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

__all__ = ["fingerprint", "sample_of"]

_ENDS = 1 << 20
_SAMPLE = 1 << 16
_SAMPLES = 16


def sample_of(file: Path, ends: int = _ENDS) -> bytes:
    """Digest a file's size, its first and last ``ends`` bytes, and samples evenly spaced between them.

    A file of at most 2 × ``ends`` bytes is covered wholly.
    """
    size = file.stat().st_size
    digest = hashlib.sha256(str(size).encode())
    with file.open("rb") as stream:
        digest.update(stream.read(ends))
        inner = size - 2 * ends
        for k in range(_SAMPLES if inner > 0 else 0):
            stream.seek(ends + max(inner - _SAMPLE, 0) * k // (_SAMPLES - 1))
            digest.update(stream.read(_SAMPLE))
        stream.seek(max(size - ends, 0))
        digest.update(stream.read(ends))
    return digest.digest()


def fingerprint(parts: Iterable[bytes]) -> str:
    """Return the hexadecimal SHA-256 of parts, each of which counts separately."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(hashlib.sha256(part).digest())
    return digest.hexdigest()
