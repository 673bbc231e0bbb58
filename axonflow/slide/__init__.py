"""A file on disk → :class:`Slide`: lazy pixels, pixel size and identity, whatever the format; or its stored values."""

from axonflow.slide.info_bar import find_bar, without_bar
from axonflow.slide.opening import open_slide
from axonflow.slide.slide import InfoBar, Slide
from axonflow.slide.stored import StoredImage, open_stored
from axonflow.slide.tiles import BadTileError, Partial

__all__ = [
    "BadTileError",
    "InfoBar",
    "Partial",
    "Slide",
    "StoredImage",
    "find_bar",
    "open_slide",
    "open_stored",
    "without_bar",
]
