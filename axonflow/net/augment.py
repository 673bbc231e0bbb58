"""The paper's augmentation (its Table 2 and code) as one resampling per patch.

Shift, rescale, rotation, elastic deformation and flips are composed into a single displacement field, so a patch is
interpolated once; blur and contrast follow. Ranges are the paper's, but for the contrast, which is ours: slides
differ in it, and nine training images do not show how much.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

__all__ = ["Augmentation"]


@dataclass(frozen=True, slots=True)
class Augmentation:
    """Ranges of the random changes.

    Attributes
    ----------
    scale : float
        Sizes change by a factor between 1/scale and scale.
    rotation : (float, float)
        Degrees.
    elastic : (float, float)
        Amplitude α, px, of a displacement that is smoothed with ``elastic_sigma``.
    elastic_sigma : float
    blur : float
        Largest σ of a Gaussian blur, px.
    contrast, brightness : float
        Gain within 1 ± contrast, offset within ± brightness, in standard deviations of the slide.
    """

    scale: float = 1.2
    rotation: tuple[float, float] = (5.0, 89.0)
    elastic: tuple[float, float] = (1.0, 8.0)
    elastic_sigma: float = 4.0
    blur: float = 1.5
    contrast: float = 0.25
    brightness: float = 0.25

    def patch(
        self, image: NDArray[np.float32], labels: NDArray[np.uint8], side: int, random: np.random.Generator
    ) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        """Cut a random, randomly changed patch.

        Parameters
        ----------
        image : (h, w) float32
        labels : (h, w) uint8
        side : int
            Of the patch, px; the image is mirrored where the patch reaches beyond it.
        random : numpy.random.Generator

        Returns
        -------
        image : (side, side) float32
        labels : (side, side) uint8
        """
        angle = np.deg2rad(random.uniform(*self.rotation))
        zoom = np.exp(random.uniform(-np.log(self.scale), np.log(self.scale)))
        flip = random.choice([-1.0, 1.0], size=2)
        centre = random.uniform(0, 1, size=2) * np.array(image.shape)
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) / zoom * flip
        offset = np.arange(side) - (side - 1) / 2
        steps = np.stack(np.meshgrid(offset, offset, indexing="ij"))
        wave = ndimage.gaussian_filter(
            random.uniform(-1, 1, (2, side, side)), (0, self.elastic_sigma, self.elastic_sigma)
        )
        wave *= random.uniform(*self.elastic) / max(float(np.abs(wave).max()), 1e-9)
        at = np.tensordot(turn, steps + wave, axes=1) + centre[:, None, None]
        grey = ndimage.map_coordinates(image, at, order=1, mode="mirror")
        grey = ndimage.gaussian_filter(grey, random.uniform(0, self.blur))
        gain, shift = (
            1 + random.uniform(-self.contrast, self.contrast),
            random.uniform(-self.brightness, self.brightness),
        )
        return (grey * gain + shift).astype(np.float32), ndimage.map_coordinates(labels, at, order=0, mode="mirror")
