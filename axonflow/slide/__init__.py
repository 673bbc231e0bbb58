"""A file on disk → :class:`Slide`: lazy pixels, pixel size and identity, whatever the format."""

from axonflow.slide.info_bar import find_bar, without_bar
from axonflow.slide.opening import open_slide
from axonflow.slide.slide import InfoBar, Slide

__all__ = ["InfoBar", "Slide", "find_bar", "open_slide", "without_bar"]
