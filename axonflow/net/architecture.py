"""The paper's two networks, as far as one must know them without running them."""

from __future__ import annotations

from dataclasses import dataclass

from axonflow.errors import ModelError

__all__ = ["SEM", "TEM", "Architecture"]


@dataclass(frozen=True, slots=True)
class Architecture:
    """What tells one of the paper's networks from the other.

    Attributes
    ----------
    name : str
    convolutions : int
        Convolutions in a block.
    radius : int
        How far an input pixel can reach into the output, px, rounded up to the stride: a window with this halo sees
        all that the whole slide would show it. It follows from the layers and is held against a gradient
        measurement (141 px before and 171 px after for SEM, 109 and 139 px for TEM).
    features : tuple of int
        Channels at each level.
    """

    name: str
    convolutions: int
    radius: int
    features: tuple[int, ...] = (16, 32, 64, 128)

    @property
    def stride(self) -> int:
        """The output shifts as the input does by multiples of this, px; 16 for four levels."""
        return 1 << len(self.features)

    @staticmethod
    def named(name: str) -> Architecture:
        """Return the architecture of a name; ModelError if there is none."""
        for architecture in (SEM, TEM):
            if architecture.name == name:
                return architecture
        raise ModelError(f"The architecture 'sem' or 'tem' was expected, {name!r} came; use a model made by axonflow.")


SEM = Architecture("sem", convolutions=3, radius=176)
TEM = Architecture("tem", convolutions=2, radius=144)
