"""How far what was found agrees with what a person drew."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from axonflow.errors import InputError
from axonflow.kernel.classes import AXON_MYELIN, Classes, Labels
from axonflow.kernel.files import new_file
from axonflow.net.judged import QUANTITIES
from axonflow.results.figures.style import AXON, MYELIN

__all__ = ["draw_bland_altman", "draw_confidence", "draw_errors"]


def draw_errors(
    found: Labels, truth: Labels, path: Path, *, classes: Classes = AXON_MYELIN, side_px: int = 1200
) -> None:
    """Draw what was found right and wrong, without the image beneath, at most ``side_px`` wide, to a PNG file.

    Grey is right (axons dark, others light); red was drawn and not found, blue found and not drawn, axons in strong
    colours and others in pale ones.
    """
    step = -(-max(truth.shape) // side_px)
    found, truth = found[::step, ::step], truth[::step, ::step]
    n, axon = len(classes), classes.axon
    colours = np.empty((n, n, 3), np.uint8)  # by the true class and the one found
    colours[1:], colours[0] = (250, 185, 170), (170, 200, 250)
    colours[axon], colours[:, axon] = (205, 40, 30), (35, 80, 205)
    colours[range(n), range(n)] = (215, 215, 215)
    colours[axon, axon], colours[0, 0] = (130, 130, 130), (255, 255, 255)
    picture = Image.fromarray(colours[truth, found])
    with new_file(path, durable=False) as part:
        picture.quantize(16, dither=Image.Dither.NONE).save(part, format="png", optimize=True)


def draw_confidence(squares: pd.DataFrame, path: Path, *, dpi: int = 120) -> None:
    """Draw the share of wrong pixels over the network's confidence, a point per square, to a PNG, SVG or PDF file."""
    figure = Figure(figsize=(5, 3.6), layout="constrained")
    axes = figure.subplots()
    axes.scatter(squares["confidence"], squares["error"], s=14, alpha=0.7, linewidths=0)
    axes.set_xlabel("mean confidence of a square")
    axes.set_ylabel("share of its pixels that is wrong")
    axes.set_ylim(bottom=0)
    with new_file(path, durable=False) as part:
        figure.savefig(part, dpi=dpi, format="png")


def draw_bland_altman(scores: pd.DataFrame, path: Path, *, dpi: int = 200) -> None:
    """Draw how far each number of the tissue agrees with the truth, to a PNG, SVG or PDF file.

    Each image is a point: the difference found − true over the mean of both. Lines show the bias, which is the mean
    difference, and from two images on its limits of agreement, bias ± 1.96 standard deviations (of the sample).

    Parameters
    ----------
    scores : DataFrame
        One row per image, with the columns of :meth:`axonflow.training.score.Scores.row`. An image whose number is not
        known, found or true, is no point.
    path : Path
    dpi : int

    Raises
    ------
    InputError
        If there is no image.

    Notes
    -----
    Bland and Altman 1986, https://doi.org/10.1016/S0140-6736(86)90837-8.
    """
    if scores.empty:
        raise InputError("The scores of at least one image were expected, none came; score one first.")
    figure = Figure(figsize=(10.5, 6.4), layout="constrained")
    *panels, key = figure.subplots(2, 3).flat
    for axes, (name, (words, unit)) in zip(panels, QUANTITIES.items(), strict=True):
        pairs = scores[[f"{name}_found", f"{name}_true"]].to_numpy(np.float64)
        _agreement(axes, *pairs[np.isfinite(pairs).all(axis=1)].T)
        in_unit = f" ({unit})" if unit else ""
        axes.set_title(words, fontsize=10)
        axes.set_xlabel(f"mean of found and true{in_unit}", fontsize=8)
        axes.set_ylabel(f"found − true{in_unit}", fontsize=8)
        axes.tick_params(labelsize=8)
    key.set_axis_off()
    key.legend(*_named(panels), loc="center", frameon=False, fontsize=9)
    with new_file(path, durable=False) as part:
        figure.savefig(part, dpi=dpi, format="png")


def _agreement(axes: Axes, found: NDArray[np.float64], true: NDArray[np.float64]) -> None:
    """Draw one panel of :func:`draw_bland_altman`."""
    axes.axhline(0, color="0.8", linewidth=1, label="no difference")
    if len(found) == 0:
        axes.text(0.5, 0.5, "not known", transform=axes.transAxes, ha="center", va="center", color="0.5")
        axes.set_xticks([])
        axes.set_yticks([])
        return
    difference = found - true
    bias = difference.mean()
    axes.axhline(bias, color=MYELIN, linewidth=1.5, label="bias")
    levels = [bias]
    if len(found) > 1:
        spread = 1.96 * difference.std(ddof=1)
        levels += [bias - spread, bias + spread]
        for level in levels[1:]:
            axes.axhline(level, color=MYELIN, linewidth=1, linestyle="--", label="limits of agreement, bias ± 1.96 SD")
    axes.scatter((found + true) / 2, difference, s=26, color=AXON, edgecolor="white", zorder=3, label="an image")
    axes.margins(x=0.15)
    axes.locator_params(axis="x", nbins=5)
    reach = 1.3 * max(np.abs([*levels, *difference]).max(), 1e-3 * np.abs(true).max(), 1e-9)
    axes.set_ylim(-reach, reach)  # zero in the middle: which side the bias lies on is what matters


def _named(panels: Iterable[Axes]) -> tuple[list[Artist], list[str]]:
    """Return what is drawn in any panel, once for each name, for a legend."""
    named = {name: drawn for axes in panels for drawn, name in zip(*axes.get_legend_handles_labels(), strict=True)}
    return list(named.values()), list(named)
