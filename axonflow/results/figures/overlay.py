"""The slide as a picture: whole, with what was drawn over it; with the classes in colour; and a piece of it near by."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from textwrap import fill
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from matplotlib.transforms import Bbox
from numpy.typing import NDArray
from PIL import Image

from axonflow.kernel.classes import Classes, Labels
from axonflow.kernel.files import new_file
from axonflow.kernel.grid import Box
from axonflow.kernel.resample import Resampling, nearest_pixels
from axonflow.ngff import Pyramid
from axonflow.results.figures.outline import draw_border
from axonflow.results.figures.style import COLUMN_MM, COMPRESSION, new_figure, round_length, save, scale_bar, styled

__all__ = ["Picture", "coarse", "draw_detail", "draw_overlay", "draw_slide", "stretched"]

OUTLINE, FRAME = "#f2c14e", "#00b4d8"
KEY_LINES = 5
"""Height of what explains an overlay, in px by the size of its letters in points."""

KEY_LETTERS = 66
"""In a line below a picture that is as wide as a column."""

Picture = NDArray[np.generic]


def coarse(pyramid: Pyramid, side_px: int) -> NDArray[Any]:
    """Read the finest level that is at most ``side_px`` wide, or the coarsest one."""
    levels = pyramid.levels
    level = next((k for k in range(levels.count) if max(levels.shape_of(k)) <= side_px), levels.count - 1)
    return pyramid.read(Box.whole(levels.shape_of(level)), level)


@styled()
def draw_slide(
    grey: Picture,
    extent: tuple[float, float],
    covered: NDArray[np.bool_] | None,
    regions: dict[str, NDArray[np.bool_]],
    paths: Iterable[Path],
    frame: Bbox | None = None,
) -> None:
    """Draw the whole slide as wide as a column: what does not count is dimmed, regions are outlined and named.

    Names that have no room in their region are numbers, which are explained below.

    Parameters
    ----------
    grey : (h, w) array
        The slide, coarse.
    extent : (float, float)
        Its height and width, µm.
    covered : (m, n) bool, optional
        What counts, on any grid that covers the slide; all of it if None.
    regions : dict
        The regions by their names, likewise.
    paths : iterable of Path
        PNG, SVG or PDF.
    frame : Bbox, optional
        A piece to mark, x and y in µm.
    """
    height, width = extent
    figure = new_figure(COLUMN_MM, float(np.clip((COLUMN_MM - 4) * height / width + 8, 25, 200)))
    axes = figure.subplots()
    box = (0.0, width, height, 0.0)
    axes.imshow(stretched(grey), cmap="gray", vmin=0, vmax=1, extent=box, interpolation="antialiased")
    if covered is not None:
        veil = np.where(covered, 0.0, 0.55)
        axes.imshow(np.ones_like(veil), cmap="gray", vmin=0, vmax=1, alpha=veil, extent=box, interpolation="nearest")
        draw_border(axes, covered, extent, OUTLINE, 1.1)
    for inside in regions.values():
        draw_border(axes, inside, extent, "white", 0.8)
    if frame is not None:  # whole at the slide's edge, too
        axes.add_patch(Rectangle(frame.p0, frame.width, frame.height, fill=False, ec=FRAME, lw=1.2, clip_on=False))
    _bare(axes)
    scale_bar(axes, box)
    if regions and (key := _name_regions(figure, axes, regions, extent)):
        lines = fill("   ".join(each.replace(" ", "\N{NO-BREAK SPACE}") for each in key), KEY_LETTERS)
        figure.set_figheight(float(figure.get_figheight()) + 0.12 * (lines.count("\n") + 1))
        figure.supxlabel(lines, fontsize=6.5, color="0.2", x=0.02, ha="left", linespacing=1.3)
    save(figure, paths)


def _name_regions(
    figure: Figure, axes: Axes, regions: dict[str, NDArray[np.bool_]], extent: tuple[float, float]
) -> list[str]:
    """Write names into regions, where they lie in the region for the most part and over nothing else.

    Elsewhere a number stands, or nothing if there is no room for that. Return what the numbers mean.
    """
    figure.draw_without_rendering()  # only then it is known how large the picture is
    taken: list[Bbox] = []
    key = []
    for number, (name, inside) in enumerate(regions.items(), 1):
        place = _deepest(inside)
        y, x = ((at + 0.5) / n * side for at, n, side in zip(place, inside.shape, extent, strict=True))
        about = {"facecolor": (0, 0, 0, 0.55), "edgecolor": "none", "boxstyle": "round,pad=0.2"}
        for words in (name, fill(name, 1, break_long_words=False, break_on_hyphens=False), str(number)):
            text = axes.text(x, y, words, color="white", ha="center", va="center", fontsize=6, bbox=about)
            frame = text.get_window_extent().padded(0.25 * float(text.get_fontsize()) * figure.dpi / 72)
            within = axes.bbox.x0 <= frame.x0 and frame.x1 <= axes.bbox.x1
            within &= axes.bbox.y0 <= frame.y0 and frame.y1 <= axes.bbox.y1
            own = (
                words == str(number) or _part_inside(frame.transformed(axes.transData.inverted()), inside, extent) > 0.5
            )
            if within and own and not frame.count_overlaps(taken):
                taken.append(frame)
                key += [f"{number} {name}"] if words == str(number) else []
                break
            text.remove()
    return key


def _part_inside(frame: Bbox, inside: NDArray[np.bool_], extent: tuple[float, float]) -> float:
    """Return which part of a frame, in µm, lies in a region."""
    rows, columns = (
        slice(int(low / side * n), int(np.ceil(high / side * n)))
        for low, high, side, n in zip(
            (frame.ymin, frame.xmin), (frame.ymax, frame.xmax), extent, inside.shape, strict=True
        )
    )
    return float(inside[rows, columns].mean()) if inside[rows, columns].size else 0.0


def _deepest(inside: NDArray[np.bool_]) -> tuple[np.intp, ...]:
    """Return the pixel that lies deepest in a region; the middle of a left and a right half lies outside."""
    from scipy import ndimage

    depth = ndimage.distance_transform_edt(np.pad(inside, 1))[1:-1, 1:-1]
    return np.unravel_index(np.argmax(depth), inside.shape)


@styled()
def draw_detail(
    grey: Picture, labels: Labels, classes: Classes, extent: tuple[float, float], paths: Iterable[Path]
) -> None:
    """Draw a piece of the slide with the borders of axons, of both kinds, and of myelin, as wide as a column.

    Parameters
    ----------
    grey : (h, w) array
    labels : (h, w) uint8
    classes : Classes
        What they mean.
    extent : (float, float)
        Height and width, µm.
    paths : iterable of Path
        PNG, SVG or PDF.
    """
    height, width = extent
    figure = new_figure(COLUMN_MM, float(np.clip((COLUMN_MM - 4) * height / width + 8, 25, 200)))
    axes = figure.subplots()
    box = (0.0, width, height, 0.0)
    axes.imshow(stretched(grey), cmap="gray", vmin=0, vmax=1, extent=box, interpolation="antialiased")
    axon, myelin = labels == classes.axon, labels == classes.myelin
    if classes.unmyelinated is not None:
        draw_border(axes, labels == classes.unmyelinated, extent, classes[classes.unmyelinated].colour, 0.7)
    draw_border(axes, axon | myelin, extent, classes[classes.myelin].colour, 0.7)
    draw_border(axes, axon, extent, classes[classes.axon].colour, 0.7)
    _bare(axes)
    scale_bar(axes, box)
    lines = [Line2D([], [], color=each.colour, linewidth=1.4, label=each.name) for each in classes.legend]
    _explain(axes, lines, loc="upper right", bbox_to_anchor=(1.0, -0.01), fontsize=6.5)
    save(figure, paths)


def draw_overlay(slide: Pyramid, semantic: Pyramid, classes: Classes, path: Path, *, side_px: int = 1600) -> None:
    """Draw the classes in colour over the whole slide, at most ``side_px`` wide, with a key below, to a PNG file."""
    grey = stretched(coarse(slide, side_px))
    labels = coarse(semantic, side_px)
    there = Resampling(semantic.shape, semantic.pixel_size, slide.pixel_size).span
    span = (there[0] / slide.shape[0] * grey.shape[0], there[1] / slide.shape[1] * grey.shape[1])
    labels = labels[np.ix_(*nearest_pixels(Box.whole(grey.shape), span, labels.shape))]
    colour = np.repeat(grey[..., None], 3, axis=2)
    for each in classes.legend:
        inside = labels == each.number
        colour[inside] = 0.55 * colour[inside] + 0.45 * np.array(each.rgb, np.float32) / 255
    picture = Image.fromarray((colour * 255).astype(np.uint8))
    key = _key(classes, picture.width, slide.shape[1] * slide.pixel_size.x)
    whole = Image.new("RGB", (picture.width, picture.height + key.height), "white")
    whole.paste(picture, (0, 0))
    whole.paste(key, (0, picture.height))
    with new_file(path, durable=False) as part:
        whole.save(part, format="png", compress_level=COMPRESSION)


@styled()
def _key(classes: Classes, width_px: int, width_um: float) -> Image.Image:
    """Draw what lies below a picture of this width: a scale bar, and the colours of the classes."""
    dpi = 100
    letters = float(np.clip(width_px / 140, 7, 11))  # points
    figure = Figure(figsize=(width_px / dpi, KEY_LINES * letters / dpi), dpi=dpi)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, width_um)
    axes.set_ylim(0, 1)
    axes.set_axis_off()
    length, words = round_length(width_um / 1.5)
    axes.plot([0.01 * width_um, 0.01 * width_um + length], [0.75, 0.75], color="black", linewidth=2.5)
    axes.text(0.01 * width_um, 0.6, words, ha="left", va="top", fontsize=letters)
    patches = [Patch(color=each.colour, label=each.name) for each in classes.legend]
    _explain(figure, patches, loc="center right", fontsize=letters)
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png")
    return Image.open(drawn).convert("RGB")


def _explain(where: Axes | Figure, colours: Sequence[Artist], **how: Any) -> None:
    """Say what colours mean, side by side."""
    how |= {"handlelength": 0.9, "columnspacing": 1.0, "handletextpad": 0.4}
    where.legend(handles=colours, frameon=False, ncols=len(colours), **how)


def stretched(grey: Picture) -> NDArray[np.float32]:
    """Return greys from 0 to 1, the darkest and brightest half percent beyond."""
    values = grey.astype(np.float32)
    low, high = np.percentile(values, (0.5, 99.5))
    greys: NDArray[np.float32] = np.clip((values - low) / max(high - low, 1e-6), 0, 1).astype(np.float32)
    return greys


def _bare(axes: Axes) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
