"""Pictures of a result; a module by what is drawn.

::

    style           widths, type, colours, bars: how all of them look
    maps            the maps of one slide, of several side by side, and the network's doubt
    overlay         the slide, what was drawn over it, and what was found in it
    distributions   diameters, g-ratios, density along the slide
    agreement       what was found against what a person drew
"""

from axonflow.figures.agreement import draw_bland_altman, draw_confidence, draw_errors
from axonflow.figures.distributions import (
    draw_diameters,
    draw_gratio_by_diameter,
    draw_gratios,
    draw_profiles,
    draw_spreads,
)
from axonflow.figures.maps import draw_doubt, draw_levels, draw_maps
from axonflow.figures.overlay import draw_detail, draw_overlay, draw_slide
from axonflow.figures.style import AXON, DOUBT, MYELIN, PANELS

__all__ = [
    "AXON",
    "DOUBT",
    "MYELIN",
    "PANELS",
    "draw_bland_altman",
    "draw_confidence",
    "draw_detail",
    "draw_diameters",
    "draw_doubt",
    "draw_errors",
    "draw_gratio_by_diameter",
    "draw_gratios",
    "draw_levels",
    "draw_maps",
    "draw_overlay",
    "draw_profiles",
    "draw_slide",
    "draw_spreads",
]
