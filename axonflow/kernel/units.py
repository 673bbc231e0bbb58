"""The only place where pixels meet micrometres."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

from axonflow.errors import PixelSizeError

__all__ = ["LARGEST_UM", "SMALLEST_UM", "PixelSize"]

SMALLEST_UM = 0.0005
LARGEST_UM = 5.0


@dataclass(frozen=True, slots=True)
class PixelSize:
    """Physical size of one pixel.

    Parameters
    ----------
    y, x : float
        Height and width of a pixel, µm.

    Raises
    ------
    PixelSizeError
        If a side lies outside 0.0005–5 µm, the range of light and electron microscopes.
    """

    y: float
    x: float

    def __post_init__(self) -> None:
        if not self.plausible(self.y, self.x):
            raise PixelSizeError(
                f"A pixel size between {SMALLEST_UM} and {LARGEST_UM} µm was expected, "
                f"{self.y:g} × {self.x:g} µm came; give the right one with --pixel-size (µm per pixel, "
                "such as 0.1; two with a comma between are height and width)."
            )

    @staticmethod
    def plausible(*sides_um: float) -> bool:
        """Tell whether every side, in µm, lies in the range of a microscope."""
        return all(SMALLEST_UM <= side <= LARGEST_UM for side in sides_um)

    @classmethod
    def square(cls, side_um: float) -> PixelSize:
        """Build the size of a square pixel from its side in µm."""
        return cls(side_um, side_um)

    @property
    def area_um2(self) -> float:
        """Area of one pixel, µm²."""
        return self.y * self.x

    @property
    def geometric_um(self) -> float:
        """Side of the square with a pixel's area, µm: √(y·x)."""
        return sqrt(self.area_um2)

    def matches(self, other: PixelSize, tolerance: float = 0.01) -> bool:
        """Tell whether both sides agree with another size within a relative tolerance."""
        return abs(self.y / other.y - 1) <= tolerance and abs(self.x / other.x - 1) <= tolerance

    def coarser(self, factor: int) -> PixelSize:
        """Return the size of a pixel that covers ``factor`` × ``factor`` of these."""
        return PixelSize(self.y * factor, self.x * factor)

    def __str__(self) -> str:
        return f"{self.y:.6g} µm" if self.y == self.x else f"{self.y:.6g} × {self.x:.6g} µm (y × x)"
