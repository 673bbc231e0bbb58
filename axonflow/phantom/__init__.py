"""Synthetic slides of any size whose truth is known.

::

    cord      a size and a seed → any box of a cord, and its truth
    anatomy   where its tracts lie, and what their fibers are like
    packing   where its fibers and cells lie
    offers    how many are tried, so that each tract gets its own
    shapes    what each becomes between its neighbours
    paint     what a microscope shows of them
    slide     the other look: ellipses in squares, for simple arithmetic
    loops     the compiled loops that place, draw and measure these
    truth     what was counted → the table of true axons
    files     slide and truth → files
"""

from axonflow.phantom.cord import Cord
from axonflow.phantom.files import write
from axonflow.phantom.slide import SEM_PIXEL, Phantom

__all__ = ["SEM_PIXEL", "Cord", "Phantom", "write"]
