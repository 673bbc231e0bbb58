"""What stages are called where people read of them; keys, journals and records have their names."""

from __future__ import annotations

__all__ = ["TITLES", "stage_title"]

TITLES = {
    "convert": "reading the slide",
    "convert.greys": "counting greys",
    "resample": "resampling",
    "segment": "axons and myelin",
    "segment.adapt": "adapting",
    "segment.bounds": "finding bounds",
    "segment.fast": "comparing labels",
    "segment.first": "a first look",
    "segment.seams": "checking seams",
    "label.survey": "finding axons",
    "label": "numbering axons",
    "measure": "measuring axons",
    "measure.regions": "describing regions",
    "measure.rules": "applying rules",
    "map": "mapping",
}
"""Titles by the names of stages. The passes that complete the coarse levels of an image share one: see below."""

_LEVELS = "zoom levels"


def stage_title(name: str) -> str:
    """Return the title of a stage; a name that is not known is its own.

    Parameters
    ----------
    name : str
        ``stage`` or ``stage.pass``, or with a blank in place of the point, as status files have it.
    """
    name = name.replace(" ", ".")
    return _LEVELS if "-levels-" in name else TITLES.get(name, name.replace(".", " "))
