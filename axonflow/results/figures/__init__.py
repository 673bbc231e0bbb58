"""Pictures of a result; a module by what is drawn.

::

    style           widths, type, colours, bars: how all of them look
    outline         borders drawn over a picture
    maps            the maps of one slide, of several side by side, and the network's doubt
    overlay         the slide, what was drawn over it, and what was found in it
    closeups        single axons near by
    animals         animals as points, groups side by side
    distributions   diameters, g-ratios, density along the slide
"""

from axonflow.results.figures.animals import Apart, Panel, draw_animals, draw_effects
from axonflow.results.figures.closeups import CloseUp, draw_closeups
from axonflow.results.figures.distributions import (
    FEWEST,
    draw_diameters,
    draw_gratio_by_diameter,
    draw_gratios,
    draw_profiles,
    draw_spreads,
    medians_by_diameter,
)
from axonflow.results.figures.maps import MapOf, draw_doubt, draw_levels, draw_maps, draw_unmyelinated
from axonflow.results.figures.outline import Outlines
from axonflow.results.figures.overlay import draw_detail, draw_overlay, draw_slide
from axonflow.results.figures.style import AXON, DOUBT, MYELIN, PANELS

__all__ = [
    "AXON",
    "DOUBT",
    "FEWEST",
    "MYELIN",
    "PANELS",
    "Apart",
    "CloseUp",
    "MapOf",
    "Outlines",
    "Panel",
    "draw_animals",
    "draw_closeups",
    "draw_detail",
    "draw_diameters",
    "draw_doubt",
    "draw_effects",
    "draw_gratio_by_diameter",
    "draw_gratios",
    "draw_levels",
    "draw_maps",
    "draw_overlay",
    "draw_profiles",
    "draw_slide",
    "draw_spreads",
    "draw_unmyelinated",
    "medians_by_diameter",
]
