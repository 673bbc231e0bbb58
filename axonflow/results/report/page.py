"""Figures and words → one HTML file that needs nothing beside it: no network, no script, no font, no other file."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from PIL import Image

from axonflow.kernel.files import write_file

__all__ = ["photograph", "spark", "vector", "write_page"]

JPEG_QUALITY = 88


def write_page(path: Path, template: str, content: Mapping[str, Any]) -> None:
    """Fill a template; the file appears whole or not at all."""
    pages = Environment(
        loader=PackageLoader("axonflow.results.report"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    write_file(path, pages.get_template(template).render(**content).encode())


def vector(path: Path) -> str:
    """Return an SVG as an address that holds all of it."""
    return _address("image/svg+xml", path.read_bytes())


def photograph(path: Path) -> str:
    """Return a PNG of something photographed as the address of a JPEG, which is a fifth as large."""
    content = io.BytesIO()
    with Image.open(path) as picture:
        picture.convert("RGB").save(content, "JPEG", quality=JPEG_QUALITY, optimize=True)
    return _address("image/jpeg", content.getvalue())


def spark(counts: Sequence[int], words: str) -> Markup:
    """Draw a histogram as small as a word; its words are for those who do not see it."""
    most = max(*counts, 1)
    bars = "".join(f"M{i} 20V{20 - 19 * n / most:.3g}h.86V20z" for i, n in enumerate(counts) if n)
    return Markup(
        '<svg class="spark" viewBox="0 0 {} 20" preserveAspectRatio="none" role="img" aria-label="{}">'
        '<path d="{}"/></svg>'
    ).format(len(counts), words, bars)


def _address(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
