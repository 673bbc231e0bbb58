"""Whole-slide axon and myelin analysis: from a gigapixel slide to 50 × 50 µm maps.

>>> import axonflow
>>> result = axonflow.run("slide.tif", pixel_size=0.1)  # doctest: +SKIP
>>> result.maps["gratio_aggregate"].plot()              # doctest: +SKIP
"""

from __future__ import annotations

from axonflow.api import check, open, run  # noqa: A004  # axonflow.open reads as it should
from axonflow.errors import AxonflowError

__all__ = ["AxonflowError", "check", "open", "run"]
