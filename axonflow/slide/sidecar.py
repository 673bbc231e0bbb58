"""What files beside an image say about its pixel size: BIDS' JSON files, and AxonDeepSeg's text file.

In BIDS, a JSON file holds for every image in and below its folder whose name has all the parts of its own; the most
particular one counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from axonflow.kernel.documents import parse_json
from axonflow.kernel.text import read_text
from axonflow.slide.scale import UNITS_UM, Claim, read_decimal

__all__ = ["sidecar_claims", "sides_um"]

AXONDEEPSEG = "pixel_size_in_micrometer.txt"
_LONGEST = 2**20
_DEEPEST = 3
"""Folders from an image to the top of its data set: micr, session, subject."""


def sidecar_claims(path: Path) -> tuple[Claim, ...]:
    """Collect what is said beside an image; a file that cannot be understood says nothing."""
    return (*_bids(path), *_axondeepseg(path))


def _bids(path: Path) -> Iterator[Claim]:
    parts = path.name.split(".")[0].split("_")
    for folder in _folders(path):
        beside = (each for each in folder.glob("*.json") if each.stem.split("_")[-1] == parts[-1])
        fitting = [each for each in beside if set(each.stem.split("_")) <= set(parts)]
        for sidecar in sorted(fitting, key=lambda each: (-len(each.stem.split("_")), each.name)):
            try:
                claim = Claim(f"BIDS {sidecar.name}", *sides_um(parse_json(_text(sidecar))))
            except (AttributeError, LookupError, OSError, RecursionError, TypeError, ValueError):
                continue
            yield claim
            return


def sides_um(said: Mapping[str, Any]) -> tuple[float, float]:
    """Return height and width of a pixel, µm, from what a BIDS JSON file says.

    Raises
    ------
    AttributeError, LookupError, TypeError, ValueError
        If it does not say them, or in no known unit.
    """
    # BIDS wants a list of x, y and perhaps z; a single number is met, too.
    sides = said["PixelSize"] if isinstance(said["PixelSize"], list) else [said["PixelSize"]]
    unit_um = UNITS_UM[str(said.get("PixelSizeUnits", "um")).lower()]
    x_um, y_um = (read_decimal(sides[at]) * unit_um for at in (0, min(1, len(sides) - 1)))
    return y_um, x_um


def _folders(path: Path) -> list[Path]:
    """Return the image's folder, and those above it in its data set."""
    above = path.parents[1 : 1 + _DEEPEST] if path.name.startswith("sub-") else ()
    for up, folder in enumerate(above, 1):
        if (folder / "dataset_description.json").is_file():
            return [path.parent, *above[:up]]
    return [path.parent]


def _axondeepseg(path: Path) -> Iterator[Claim]:
    try:
        side = read_decimal(_text(path.with_name(AXONDEEPSEG)).strip())
    except (OSError, ValueError):
        return
    yield Claim(AXONDEEPSEG, side, side)


def _text(path: Path) -> str:
    """Read a short text file; ValueError or OSError if it is none."""
    if not path.is_file() or path.stat().st_size > _LONGEST:
        raise FileNotFoundError(path)
    return read_text(path)
