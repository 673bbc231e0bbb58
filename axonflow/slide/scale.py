"""Which of a file's statements about its pixel size is believed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from axonflow.kernel.units import PixelSize

__all__ = ["UNITS_UM", "Claim", "believe"]

UNITS_UM = {
    **dict.fromkeys(("m", "meter", "metre"), 1e6),
    **dict.fromkeys(("inch", "in", '"'), 25_400.0),
    **dict.fromkeys(("cm", "centimeter", "centimetre"), 1e4),
    **dict.fromkeys(("mm", "millimeter", "millimetre"), 1e3),
    **dict.fromkeys(("µm", "μm", "um", "micron", "microns", "micrometer", "micrometre", "\\u00b5m"), 1.0),
    **dict.fromkeys(("nm", "nanometer", "nanometre"), 1e-3),
    **dict.fromkeys(("å", "angstrom", "a"), 1e-4),
    **dict.fromkeys(("pm", "picometer", "picometre"), 1e-6),
}
"""µm per unit of length, by the unit's name in lower case (both signs that look like µ, and its escaped form)."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What one source says about the pixel size.

    Attributes
    ----------
    source : str
        Where it stands, in words.
    y_um, x_um : float
        Height and width of a pixel, µm; any number, believable or not.
    """

    source: str
    y_um: float
    x_um: float


def believe(claims: Iterable[Claim]) -> tuple[PixelSize | None, str]:
    """Take the first claim in the range of a microscope.

    Returns
    -------
    PixelSize or None
        None if no claim is believable.
    str
        Its source, or ``"unknown"``, followed by the claims that were not believed.
    """
    doubts: list[str] = []
    believed, source = None, "unknown"
    for claim in claims:
        if PixelSize.plausible(claim.y_um, claim.x_um):
            believed, source = PixelSize(claim.y_um, claim.x_um), claim.source
            break
        doubts.append(f"{claim.source}: {claim.y_um:.6g} × {claim.x_um:.6g} µm")
    return believed, f"{source} (not believed: {'; '.join(doubts)})" if doubts else source
