"""Which figures a store has, and what each of them shows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from math import pi, sqrt
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.transforms import Bbox
from numpy.typing import NDArray

from axonflow.fiber.kinds import MYELINATED, UNMYELINATED, of_kind
from axonflow.fiber.probability import PROBABILITY
from axonflow.fiber.tissue import DIAMETER, GRATIO, MYELIN_AREA
from axonflow.kernel.files import sweep
from axonflow.kernel.grid import Box
from axonflow.kernel.words import count, length, number
from axonflow.ngff import Pyramid
from axonflow.results import figures
from axonflow.results.analysis import Analysis
from axonflow.results.cells import CUT_FROM, edges_um, few, is_whole
from axonflow.results.figure_process import Answer
from axonflow.results.figures.overlay import coarse
from axonflow.results.outlines import covered_pixels, drawn_over, region_pixels
from axonflow.results.report.examples import NEEDED as CHOSEN_BY
from axonflow.results.report.examples import doubtful_and_typical

__all__ = ["NEEDED", "Figure", "draw_figures", "draw_overviews", "how_sure", "myelinated"]

NEEDED = (
    *CHOSEN_BY,
    *(f"{axis}0 (um)" for axis in "yx"),
    *(f"bbox_{end}_{axis}" for end in ("min", "max") for axis in "yx"),
)
"""The columns of the table that figures are drawn of."""

THUMBNAIL_PX = 1200
DETAIL_DIAMETERS = 30
"""Side of the piece that is drawn near by, in mean diameters of an axon."""

DETAIL_PX = (64, 1000)

CLOSE_UP_PX = 60
"""Side of a close-up, at least, so that small axons show what lies around them."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure that was drawn, as NAME.svg and NAME.png.

    Attributes
    ----------
    name : str
    caption : str
        What it shows, also for those who cannot see it.
    is_photograph : bool
        Whether it is embedded as pixels.
    """

    name: str
    caption: str
    is_photograph: bool = False


def draw_figures(result: Analysis, axons: pd.DataFrame, folder: Path, answer: Answer) -> list[Figure]:
    """Draw all figures of a store into a folder.

    Parameters
    ----------
    result : Analysis
    axons : DataFrame
        Those that count.
    folder : Path
    answer : callable
        Returns the fields of what :func:`draw_overviews` draws, which somebody else draws meanwhile; None if nobody
        does.

    Returns
    -------
    list of Figure
        Those that there is anything to draw of.
    """
    figures.draw_overlay(result.pyramid(), result.pyramid("semantic"), result.classes, folder / "overlay.png")
    others = _drawn((_distributions, _detail, _examples), result, axons, folder)
    answered = answer()
    if answered is None:
        sweep(folder)
        return [*draw_overviews(result, axons, folder), *others]
    return [*(Figure(*fields) for fields in answered), *others]


def draw_overviews(result: Analysis, axons: pd.DataFrame, folder: Path) -> list[Figure]:
    """Draw those figures of a store that show the slide and its maps as a whole; as :func:`draw_figures`."""
    return _drawn((_slide, _maps, _doubt, _unmyelinated), result, axons, folder)


Paths = Callable[[str], list[Path]]


def _drawn(
    parts: Iterable[Callable[[Analysis, pd.DataFrame, Paths], Iterator[Figure]]],
    result: Analysis,
    axons: pd.DataFrame,
    folder: Path,
) -> list[Figure]:
    return [
        figure
        for draw in parts
        for figure in draw(result, axons, lambda name: [folder / f"{name}.svg", folder / f"{name}.png"])
    ]


def _slide(result: Analysis, axons: pd.DataFrame, paths: Paths) -> Iterator[Figure]:
    grey = coarse(result.pyramid(), THUMBNAIL_PX)
    h, w = grey.shape
    covered, regions = covered_pixels(result, (h, w)), region_pixels(result, (h, w))
    extent, frame = _extent_um(result), None if axons.empty else _frame_um(result, _piece(result, axons))
    if frame is not None and frame.width * frame.height > 0.8 * extent[0] * extent[1]:
        frame = None
    figures.draw_slide(grey, extent, covered, regions, paths("slide"), frame)
    said = "The slide."
    if frame is not None:
        said += " The frame is around the piece that is drawn close up."
    if covered is not None:
        said += " Only what lies within the yellow outline counts; the rest is veiled."
    if regions:
        said += f" White outlines are the regions: {', '.join(regions)}."
    yield Figure("slide", said, is_photograph=True)


def _detail(result: Analysis, axons: pd.DataFrame, paths: Paths) -> Iterator[Figure]:
    if axons.empty:
        return
    box = _piece(result, axons)
    frame = _frame_um(result, box)
    counted = result.counted_in(box)
    figures.draw_detail(_seen(result).read(box), counted, result.classes, (frame.height, frame.width), paths("detail"))
    where = f"{length(frame.ymin)} from the top and {length(frame.xmin)} from the left"
    said = f"A typical piece close up, {where}: the inner outlines are of axons, the outer ones of their myelin."
    if result.kind_columns:
        said += " Outlines without myelin around them, in the colour of their class, are of unmyelinated axons."
    yield Figure("detail", said, is_photograph=True)


def _piece(result: Analysis, axons: pd.DataFrame) -> Box:
    """Return what is drawn close up: a typical place, as many axons across as can be told apart."""
    semantic = result.pyramid("semantic")
    um = semantic.pixel_size
    side_um = DETAIL_DIAMETERS * float(axons[DIAMETER].mean())
    sides = [
        int(np.clip(side_um / size, *DETAIL_PX).clip(max=n))
        for size, n in zip((um.y, um.x), semantic.shape, strict=True)
    ]
    y0, x0 = (
        int(np.clip(at / size - side / 2, 0, n - side))
        for at, size, side, n in zip(_typical_place_um(result), (um.y, um.x), sides, semantic.shape, strict=True)
    )
    return Box(y0, x0, y0 + sides[0], x0 + sides[1])


def _frame_um(result: Analysis, box: Box) -> Bbox:
    """Return where a box of labels lies on the slide, x and y in µm."""
    um = result.pyramid("semantic").pixel_size
    return Bbox.from_extents(box.x0 * um.x, box.y0 * um.y, box.x1 * um.x, box.y1 * um.y)


def _typical_place_um(result: Analysis) -> tuple[float, float]:
    """Return the middle of a cell whose density of axons is the median of all that have any, y and x in µm."""
    maps = result.maps
    density = np.where(maps["axon_count"] > 0, maps["axon_density"], np.nan)
    if result.kind_columns:  # as of a nerve without myelin
        there = result.mapped_axons > 0
        density = np.where(there, np.nansum([maps["axon_density"], maps["unmyelinated_density"]], axis=0), np.nan)
    whole = maps["covered_fraction"].to_numpy() > 0.99
    full = np.where(whole, density, np.nan) if np.isfinite(density[whole]).any() else density
    far = np.abs(full - np.nanmedian(full))
    y, x = np.unravel_index(int(np.nanargmin(far)), far.shape)
    return float(maps["y"][y]), float(maps["x"][x])


def _maps(result: Analysis, axons: pd.DataFrame, paths: Paths) -> Iterator[Figure]:  # noqa: ARG001
    figures.draw_maps(result.maps, paths("maps"), drawn_over(result))
    side = length(float(result.maps.attrs["cell_side_um"]))
    said = f"Maps of the tissue in cells of {side} × {side}; the last ones end with the slide."
    if few(result.maps):
        said += " There are so few whole ones that their numbers stand in them."
    elif int(is_whole(result.maps).sum()) < CUT_FROM:
        said += " Colours reach from the least to the largest value. Cells without axon and myelin are blank."
    else:
        said += (
            " Colours reach from the 1st to the 99th percentile; an arrow at the end of a bar says that cells lie "
            "beyond it. Cells without axon and myelin are blank."
        )
    if (~is_whole(result.maps) & (result.maps["covered_area"].to_numpy() > 0)).any():
        said += " Where less than half of a cell counts it is hatched, and decides no colours."
    if result.kind_columns:
        said += " All are of myelinated axons."
    yield Figure("maps", said)


def _doubt(result: Analysis, axons: pd.DataFrame, paths: Paths) -> Iterator[Figure]:  # noqa: ARG001
    if "confidence" not in result.maps:
        return
    figures.draw_doubt(result.maps, paths("confidence"), drawn_over(result))
    said = "How sure the network was of each cell: the probability of the class it chose, mean over the pixels."
    if "unfamiliar" in result.maps and np.nansum(result.maps["unfamiliar"].to_numpy()):
        said += " Cells in a red frame look unlike anything the network was trained on."
    yield Figure("confidence", said)


def _distributions(result: Analysis, axons: pd.DataFrame, paths: Paths) -> Iterator[Figure]:
    axons = of_kind(axons, MYELINATED)
    if axons.empty:
        return
    diameters, with_myelin = axons[DIAMETER].to_numpy(), myelinated(axons)
    least_um2 = result.record["labels"].get("min_axon_area_um2") or 0.0
    least_um = 2 * sqrt(least_um2 / pi) if least_um2 and result.record["config"]["axon_shape"] == "circle" else None
    figures.draw_diameters(diameters, paths("diameter"), smallest_um=least_um)
    low, high = np.percentile(diameters, (5, 95))
    said = f"Axon diameter of {count(len(axons), 'axon')}: nine in ten lie between {number(low, '.2f')} and "
    said += f"{number(high, '.2f')} µm."
    if least_um is not None:
        said += f" What is thinner than the dotted line, smaller than {least_um2:g} µm², was not taken for an axon."
    yield Figure("diameter", said)
    if not with_myelin.empty:
        gratios = with_myelin[GRATIO].to_numpy()
        figures.draw_gratios(gratios, paths("gratio"))
        mean = f"mean {number(gratios.mean(), '.3f')} ± {number(gratios.std(), '.3f')}"
        yield Figure("gratio", f"g-ratio of the {count(len(gratios), 'axon')} with myelin: {mean}.")
        thick = with_myelin[DIAMETER].to_numpy()
        figures.draw_gratio_by_diameter(thick, gratios, paths("gratio-by-diameter"))
        said = f"g-ratio against diameter of {count(len(gratios), 'axon')} with myelin."
        yield Figure("gratio-by-diameter", f"{said} {_medians(*figures.medians_by_diameter(thick, gratios))}")
    figures.draw_profiles(result.maps, paths("profile"))
    said = "Axon density along the slide: of each row and of each column of cells, of what counts."
    if not all(is_whole(result.maps).any(axis=axis).all() for axis in (0, 1)):
        said += " Dotted where less than half of every cell counts."
    yield Figure("profile", said)


def _medians(at_um: NDArray[np.float64], medians: NDArray[np.float64], width_um: float) -> str:
    """Say of which axons the line of medians is."""
    if not len(at_um):
        return f"No line of medians is drawn: there are fewer than {figures.FEWEST} axons."
    if len(medians) == 1:
        return "The dash is the median of all."
    return (
        f"The line joins the medians of bins of {width_um:.3g} µm or, where these hold fewer than {figures.FEWEST} "
        "axons, of as many side by side as hold them."
    )


def _unmyelinated(result: Analysis, axons: pd.DataFrame, paths: Paths) -> Iterator[Figure]:
    if not result.kind_columns:
        return
    figures.draw_unmyelinated(result.maps, paths("unmyelinated-maps"), drawn_over(result))
    said = (
        "Maps of the unmyelinated axons: their density, the part of the area that they are, and the share of all axons "
        "that are myelinated."
    )
    yield Figure("unmyelinated-maps", said)
    diameters = of_kind(axons, UNMYELINATED)[DIAMETER].to_numpy()
    if not len(diameters):
        return
    colour = next(each.colour for each in result.classes if each.role == "unmyelinated")
    figures.draw_diameters(diameters, paths("unmyelinated-diameter"), colour)
    low, high = np.percentile(diameters, (5, 95))
    spread = f"nine in ten lie between {number(low, '.2f')} and {number(high, '.2f')} µm"
    yield Figure("unmyelinated-diameter", f"Diameter of {count(len(diameters), 'unmyelinated axon')}: {spread}.")


def _examples(result: Analysis, axons: pd.DataFrame, paths: Paths) -> Iterator[Figure]:
    chosen = of_kind(axons, MYELINATED)
    if chosen.empty:
        return
    pixel_um2 = result.pyramid("axons").pixel_size.area_um2
    doubtful, typical = doubtful_and_typical(chosen, how_sure(result, chosen), pixel_um2)
    seen, ids = _seen(result), (result.pyramid("axons"), result.pyramid("fibers"))
    for name, examples, said in (
        ("doubtful", doubtful, "The axons that differ most from the others of the slide, the most doubtful first"),
        ("typical", typical, "Axons nearest to the slide's medians"),
    ):
        if examples:
            figures.draw_closeups(
                [_near_by(seen, *ids, chosen.iloc[each.row], each.why) for each in examples], paths(name)
            )
            said += ": id, diameter and g-ratio"
            said += ", and what is unusual." if name == "doubtful" else "."
            yield Figure(name, f"{said} 'axonflow view {result.store.name} --axon ID' goes there.", is_photograph=True)


def how_sure(result: Analysis, axons: pd.DataFrame) -> NDArray[np.float64] | None:
    """Return how sure the network was of each axon, (n,) float64; None with own masks.

    Of a store whose table does not say it yet, it is how sure it was in the cell of the maps that holds the axon.
    """
    if result.network_columns:
        return axons[PROBABILITY.name].to_numpy()
    if "confidence" not in result.maps:
        return None
    cells = [
        np.clip(np.searchsorted(edges_um(result.maps, axis), axons[f"{axis}0 (um)"], side="right") - 1, 0, n - 1)
        for axis, n in zip("yx", result.maps["confidence"].shape, strict=True)
    ]
    found: NDArray[np.float64] = result.maps["confidence"].to_numpy()[tuple(cells)]
    return found


def _near_by(
    seen: Pyramid, axons: Pyramid, fibers: Pyramid, axon: pd.Series[Any], why: tuple[str, ...]
) -> figures.CloseUp:
    """Look at an axon from near by: a square around its fiber."""
    um = fibers.pixel_size
    low, high = ([int(axon[f"bbox_{end}_{axis}"]) for axis in "yx"] for end in ("min", "max"))
    sizes = (um.y, um.x)
    extents = [(b - a) * size for a, b, size in zip(low, high, sizes, strict=True)]
    side_um = max(1.7 * max(extents), CLOSE_UP_PX * max(sizes))
    sides = [min(round(side_um / size), n) for size, n in zip(sizes, fibers.shape, strict=True)]
    y, x = (
        int(np.clip((a + b - side) // 2, 0, n - side))
        for a, b, side, n in zip(low, high, sides, fibers.shape, strict=True)
    )
    box = Box(y, x, y + sides[0], x + sides[1])
    number_ = int(axon["axon_id"])
    gratio = f", g {axon[GRATIO]:.2f}" if axon[MYELIN_AREA] > 0 else ""
    said = "\n".join((f"axon {number_:,}", f"{axon[DIAMETER]:.2f} µm{gratio}", *why))
    return figures.CloseUp(
        seen.read(box),
        axons.read(box) == number_,
        fibers.read(box) == number_,
        (sides[0] * um.y, sides[1] * um.x),
        said,
    )


def _seen(result: Analysis) -> Pyramid:
    """Return the slide as it was analysed: at the pixel size of the labels."""
    resampled = result.store / "resampled"
    same = result.record["labels"]["shape"] == result.record["slide"]["shape"]
    return result.pyramid() if same else Pyramid.open(resampled)


def _extent_um(result: Analysis) -> tuple[float, float]:
    slide = result.record["slide"]
    height, width = (n * um for n, um in zip(slide["shape"], slide["pixel_size_um"], strict=True))
    return height, width


def myelinated(axons: pd.DataFrame) -> pd.DataFrame:
    """Return the axons that have myelin; the g-ratio of the others is 1 by definition and says nothing."""
    return axons[axons[MYELIN_AREA] > 0]
