"""Synthetic slides of any size whose truth is known.

::

    slide   a size and a seed → any box of the slide, and its truth
    loops   the compiled loops that place, draw and measure its fibers
    files   slide and truth → files
"""

from axonflow.phantom.files import write
from axonflow.phantom.slide import SEM_PIXEL, Phantom

__all__ = ["SEM_PIXEL", "Phantom", "write"]
