"""A file on disk → :class:`Slide`: lazy pixels, pixel size and identity, whatever the format; or its stored values."""

from axonflow.slide.info_bar import find_bar, without_bar
from axonflow.slide.opening import open_slide
from axonflow.slide.slide import InfoBar, Slide
from axonflow.slide.stored import StoredImage, open_stored

__all__ = ["InfoBar", "Slide", "StoredImage", "find_bar", "open_slide", "open_stored", "without_bar"]
