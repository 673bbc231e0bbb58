"""Which of a file's statements about its pixel size is believed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from axonflow.kernel.units import PixelSize

__all__ = ["UNITS_UM", "Claim", "believe", "read_decimal"]

UNITS_UM = {
    **dict.fromkeys(("m", "meter", "metre", "meters", "metres"), 1e6),
    **dict.fromkeys(("inch", "inches", "in", '"'), 25_400.0),
    **dict.fromkeys(("cm", "centimeter", "centimetre", "centimeters", "centimetres"), 1e4),
    **dict.fromkeys(("mm", "millimeter", "millimetre", "millimeters", "millimetres"), 1e3),
    **dict.fromkeys(("µm", "μm", "um", "micron", "microns", "\\u00b5m", "\\u03bcm"), 1.0),
    **dict.fromkeys(("micrometer", "micrometre", "micrometers", "micrometres"), 1.0),
    **dict.fromkeys(("nm", "nanometer", "nanometre", "nanometers", "nanometres"), 1e-3),
    **dict.fromkeys(("å", "angstrom", "a"), 1e-4),
    **dict.fromkeys(("pm", "picometer", "picometre"), 1e-6),
}
"""µm per unit of length, by the unit's name in lower case (both signs that look like µ, and its escaped form)."""


AGREE = 0.05
"""By how much two sources may differ, relative to the one that is believed."""

_PRINTED_DPI = (72, 75, 90, 96, 100, 120, 150, 180, 200, 240, 254, 300, 350, 360, 400, 600, 720, 1200, 2400)
"""Resolutions of screens and printers, which programs write whatever the image shows."""


def read_decimal(text: Any) -> float:
    """Read a number that may have a comma in place of its point; ValueError or TypeError if it is none."""
    if isinstance(text, bool):
        raise TypeError(text)
    return float(text.replace(",", ".") if isinstance(text, str) else text)


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

    @property
    def words(self) -> str:
        """Its sides."""
        return f"{self.y_um:.6g} × {self.x_um:.6g} µm"


def believe(claims: Iterable[Claim]) -> tuple[PixelSize | None, str]:
    """Take the first claim in the range of a microscope.

    Returns
    -------
    PixelSize or None
        None if no claim is believable.
    str
        Its source, or ``"unknown"``, followed by the claims that were not believed before it, and by believable ones
        that disagree with it by more than :data:`AGREE`.
    """
    doubts: list[str] = []
    others: list[str] = []
    believed, source = None, "unknown"
    for claim in claims:
        plausible = PixelSize.plausible(claim.y_um, claim.x_um)
        if believed is None and plausible:
            believed, source = PixelSize(claim.y_um, claim.x_um), claim.source
        elif believed is None:
            doubts.append(f"{claim.source}: {claim.words}{_thousandfold(claim)}")
        elif plausible and not PixelSize(claim.y_um, claim.x_um).matches(believed, AGREE):
            others.append(f"{claim.source} disagrees: {claim.words}")
    said = [f"not believed: {'; '.join(doubts)}"] if doubts else []
    if believed is not None and others:
        said += [f"{believed.y:.6g} × {believed.x:.6g} µm was taken", *others]
    return believed, f"{source} ({'; '.join(said)})" if said else source


def _thousandfold(claim: Claim) -> str:
    """Say which flag is right if a unit was mistaken for the next one, as JEOL writes nm as µm."""
    printed = any(abs(25_400 / dpi / claim.y_um - 1) < 0.01 for dpi in _PRINTED_DPI) if claim.y_um else True
    for factor in (1e-3, 1e3):
        y, x = claim.y_um * factor, claim.x_um * factor
        if not printed and PixelSize.plausible(y, x):
            flag = f"{y:.6g}" if y == x else f"{y:.6g},{x:.6g}"
            return f", a thousand times too {'large' if factor < 1 else 'small'}? then --pixel-size {flag} is right"
    return ""
