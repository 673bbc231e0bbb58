"""A file on disk → :class:`Slide`: lazy pixels, pixel size and identity, whatever the format."""

from axonflow.slide.opening import open_slide
from axonflow.slide.slide import Slide

__all__ = ["Slide", "open_slide"]
