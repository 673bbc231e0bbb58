"""The card of a model: what it is, what it learned from, how well it does on each image, and where it fails.

All of it is made from the model's contract and from its runs on labelled images; nothing is written by hand.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from axonflow.kernel.files import make_folder, remove, write_file
from axonflow.net.checkpoint import Checkpoint
from axonflow.net.familiarity import BLOCK, SQUARE
from axonflow.net.judged import JUDGED, QUANTITIES, SCORES, Judged
from axonflow.training.agreement import draw_bland_altman, draw_confidence, draw_errors
from axonflow.training.evaluate import Compared
from axonflow.training.matching import axon_ids, centroids

__all__ = ["Examined", "assess", "draw_pictures", "judged_by", "write_card"]

DIAMETERS = (0.0, 0.5, 1.0, 2.0, 4.0)
"""Edges of the classes of axon diameter in which detection is reported, as parts of the mean diameter."""

SIDE_PX = BLOCK * SQUARE
"""Side of the squares whose confidence and error are reported, px."""

FEWEST_SQUARES = 3

TOLERABLE = 0.05
"""Relative error of a map's number from which on the card warns."""


_CROSSED = (
    "Nothing that this network learned from can judge it. So images of such subjects were scored by cross-validation: "
    "networks of the same recipe were each trained without some subjects, and each image was given to the one that had "
    "never seen its subject. This is the honest estimate of what the network does on a new subject."
)


@dataclass(frozen=True, eq=False)
class Examined:
    """What the card tells of one image, besides its scores.

    Attributes
    ----------
    axons : DataFrame
        Of each axon, drawn by a person or found by the model: ``diameter_um``, ``drawn``, and whether it was ``met``: a
        drawn one by the centroid of a found one, a found one by having its centroid in a drawn one.
    squares : DataFrame
        Of each square of 256 px: ``confidence``, and ``error``: the share of its pixels that were found to be of
        another class than drawn.
    """

    axons: pd.DataFrame
    squares: pd.DataFrame

    @classmethod
    def joined(cls, parts: list[Examined]) -> Examined:
        """Put several images together."""
        return cls(*(pd.concat([getattr(part, name) for part in parts]) for name in ("axons", "squares")))


def assess(compared: Compared) -> Examined:
    """Look at one image closer; its labels must lie on the model's grid."""
    drawn, found = (axon_ids(labels, compared.analysis.classes) for labels in (compared.truth, compared.found))
    ids, at = centroids(found)
    below = drawn[at[:, 0], at[:, 1]]
    frames = []
    for labels, met, is_drawn in ((drawn, below, True), (found, ids[below > 0], False)):
        areas_um2 = np.bincount(labels.ravel())[1:] * compared.pixel_size.area_um2
        frame = pd.DataFrame({"diameter_um": np.sqrt(4 / np.pi * areas_um2), "drawn": is_drawn, "met": False})
        frame.loc[np.unique(met[met > 0]) - 1, "met"] = True
        frames.append(frame)
    confidence = compared.analysis.square_traits()[..., 0]
    wrong = (compared.found != compared.truth).astype(np.int64)
    pixels = np.ones_like(wrong)
    for axis in (0, 1):
        starts = np.arange(0, wrong.shape[axis], SIDE_PX)
        wrong, pixels = (np.add.reduceat(values, starts, axis=axis) for values in (wrong, pixels))
    squares = pd.DataFrame({"confidence": confidence.ravel(), "error": (wrong / pixels).ravel()}).dropna()
    return Examined(pd.concat(frames), squares)


def draw_pictures(compared: Compared, folder: Path) -> None:
    """Draw what was right and wrong on one image."""
    make_folder(folder)
    path = folder / f"{compared.image.name}.png"
    draw_errors(compared.found, compared.truth, path, classes=compared.analysis.classes)


def write_card(
    checkpoint: Checkpoint,
    scores: pd.DataFrame,
    examined: Mapping[str, Examined],
    path: Path,
    pictures: Path,
    *,
    crossed: Collection[str] = (),
) -> None:
    """Write the card as Markdown, and its numbers on images that were held out as :class:`~axonflow.net.judged.Judged`.

    Parameters
    ----------
    checkpoint : Checkpoint
    scores : DataFrame
        Of :func:`axonflow.training.evaluate.evaluate`.
    examined : Mapping
        By the names of the images.
    path : Path
        The Markdown file.
    pictures : Path
        Folder of the pictures and of the numbers, in or beside the file's; those of :func:`draw_pictures` lie there
        already.
    crossed : collection of str
        Subjects that this network learned from, but whose scores are of others, which never saw them.
    """
    learned = {*checkpoint.trained_on.get("subjects", ())} - {*crossed}
    scores = scores.assign(held_out=~scores["subject"].isin(learned)).sort_values("held_out", ascending=False)
    judged = scores[scores["held_out"]]
    parts = [f"# The model `{checkpoint.name}`"]
    if notice := checkpoint.trained_on.get("notice"):  # what must be known before any of its scores is read
        parts.append(f"**{notice}**")
    parts += [_contract(checkpoint), "## Scores"]
    parts += [_CROSSED] if crossed else []
    parts += [_scores(scores)]
    parts += ["## The numbers of the maps", _numbers(scores)]
    if "unmyelinated_true" in scores:
        parts += ["## Axons without myelin, one by one", _unmyelinated(scores)]
    if not len(judged):
        remove(pictures / JUDGED)  # of an earlier evaluation
    else:
        make_folder(pictures)
        judged_by(checkpoint.sha256, judged, crossed=crossed).write(pictures)
        draw_bland_altman(judged, pictures / "bland-altman.png")
        parts += [_warning(judged), f"![Bland–Altman]({pictures.name}/bland-altman.png)"]
        together = Examined.joined([examined[name] for name in judged["image"]])
        parts += ["## Where it fails", _sizes(together.axons), *_pictures(judged, pictures)]
        parts += ["## Doubt", _doubt(together.squares)]
        if len(together.squares) >= FEWEST_SQUARES:
            draw_confidence(together.squares, pictures / "confidence.png")
            parts.append(f"![Confidence and error]({pictures.name}/confidence.png)")
    write_file(path, ("\n\n".join(parts) + "\n").encode())


def judged_by(sha256: str, judged: pd.DataFrame, *, crossed: Collection[str] = ()) -> Judged:
    """Sum up the scores of images that were held out; ``crossed`` as :func:`write_card` takes it."""
    subjects = judged.groupby("subject").mean(numeric_only=True)  # a slide of yours is of one, too
    scores = {name: subjects[name].dropna() for name in SCORES if name in subjects}
    errors = {name: subjects[f"{name}_error"].abs().dropna() for name in QUANTITIES}
    return Judged(
        sha256,
        len(judged),
        judged["subject"].nunique(),
        bool({*judged["subject"]} & {*crossed}),
        {name: (round(values.mean(), 4), round(values.min(), 4)) for name, values in scores.items() if len(values)},
        {name: (round(values.mean(), 4), round(values.max(), 4)) for name, values in errors.items() if len(values)},
    )


def _table(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _contract(checkpoint: Checkpoint) -> str:
    networks = [checkpoint.network()] if checkpoint.plan is None else checkpoint.networks()
    parameters = sum(weights.numel() for network in networks for weights in network.parameters())
    sizes = ", ".join(f"{size.y:g}" for size in checkpoint.working_sizes)
    contract: dict[str, Any] = {
        "network": f"{checkpoint.architecture}, {parameters:,} parameters",
        "pixel size": f"{sizes} µm" if sizes else "the slide's own",
        "bright and dark exchanged": "yes" if checkpoint.invert else "no",
        "smallest axon": f"{checkpoint.smallest_axon_um2:g} µm²",
        "lattice, halo": f"{checkpoint.lattice_px} px, {checkpoint.halo_px} px",
        "weights (sha256)": checkpoint.sha256,
    }
    if checkpoint.slides_um is not None:
        contract["for slides of"] = "{:g} to {:g} µm".format(*checkpoint.slides_um)
    for name, value in checkpoint.trained_on.items():
        if name == "notice" or value in (None, []):
            continue
        if isinstance(value, Mapping):
            value = ", ".join(f"{key} {_plain(item)}" for key, item in value.items())
        contract[name.replace("_", " ")] = _plain(value)
    for name, (low, high) in checkpoint.familiar.items():
        contract[f"familiar {name}"] = f"{low:g} to {high:g}"
    return "| | |\n|---|---|\n" + "\n".join(f"| {name} | {value} |" for name, value in contract.items())


def _plain(value: object) -> str:
    if isinstance(value, Mapping):
        return "(" + ", ".join(f"{key} {_plain(item)}" for key, item in value.items()) + ")"
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _scores(scores: pd.DataFrame) -> str:
    """Return the table of scores, with the mean of the images that were held out."""
    columns = {name: words for name, words in SCORES.items() if name in scores}
    rows = [
        [image, "held out" if held_out else "trained on", *(f"{value:.3f}" for value in values)]
        for image, held_out, *values in scores[["image", "held_out", *columns]].itertuples(index=False)
    ]
    if len(judged := scores.loc[scores["held_out"], [*columns]]) > 1:
        rows.append(["mean", "held out", *(f"{value:.3f}" for value in judged.mean())])
    return _table(["image", "subject was", *columns.values()], rows)


def _numbers(scores: pd.DataFrame) -> str:
    form = {"density": "{:,.0f}", "avf": "{:.3f}", "mvf": "{:.3f}", "gratio": "{:.3f}", "diameter": "{:.2f}"}
    rows = []
    for row in scores.to_dict("records"):
        cells = [
            f"{form[name].format(row[f'{name}_found'])} / {form[name].format(row[f'{name}_true'])} "
            f"({row[f'{name}_error']:+.1%})"
            for name in QUANTITIES
        ]
        rows.append([row["image"] if row["held_out"] else f"{row['image']} (trained on)", *cells])
    judged = scores[scores["held_out"]]
    if len(judged) > 1:
        sizes = (f"{judged[f'{name}_error'].abs().mean():.1%}" for name in QUANTITIES)
        rows.append(["mean size of the error, held out", *sizes])
    header = [f"{words}{f', {unit}' if unit else ''}" for words, unit in QUANTITIES.values()]
    return "Found / true, and the relative error.\n\n" + _table(["image", *header], rows)


def _unmyelinated(scores: pd.DataFrame) -> str:
    """Return how many were found, since a class may be right by its pixels and wrong by its objects."""
    names = ["image", "unmyelinated_found", "unmyelinated_true", "unmyelinated_instance_f1"]
    rows = [
        [image, f"{found:.0f} / {true:.0f}", "–" if f1 != f1 else f"{f1:.3f}"]
        for image, found, true, f1 in scores[names].itertuples(index=False)
    ]
    total = scores[names[1:3]].sum()
    rows.append(["all", f"{total.iloc[0]:.0f} / {total.iloc[1]:.0f}", f"{scores[names[3]].mean():.3f}"])
    said = "Where they lie side by side several are found as one: believe their area rather than number and diameter."
    return f"{said}\n\n" + _table(["image", "found / drawn", "F1 at IoU 0.5"], rows)


def _warning(judged: pd.DataFrame) -> str:
    off = [
        f"{words} on {', '.join(judged['image'][errors > TOLERABLE])} (up to {errors.max():.1%})"
        for name, (words, _) in QUANTITIES.items()
        if ((errors := judged[f"{name}_error"].abs()) > TOLERABLE).any()
    ]
    if not off:
        return f"On every image that was held out, each of these is within {TOLERABLE:.0%} of the truth."
    return f"**Further than {TOLERABLE:.0%} from the truth on images that were held out:** {'; '.join(off)}."


def _sizes(axons: pd.DataFrame) -> str:
    mean = axons.loc[axons["drawn"], "diameter_um"].mean()
    edges = [*(mean * edge for edge in DIAMETERS), np.inf]
    rows = []
    for low, high in pairwise(edges):
        here = axons[(axons["diameter_um"] >= low) & (axons["diameter_um"] < high)]
        drawn, found = here[here["drawn"]], here[~here["drawn"]]
        rows.append(
            [
                f"{low:.2f} – {high:.2f}" if np.isfinite(high) else f"from {low:.2f}",
                *(str(len(part)) for part in (drawn, found)),
                *(f"{part['met'].mean():.3f}" if len(part) else "–" for part in (drawn, found)),
            ]
        )
    return "Axons by their diameter, on the images that were held out.\n\n" + _table(
        ["diameter, µm", "drawn", "found", "of the drawn, found", "of the found, drawn"], rows
    )


def _pictures(judged: pd.DataFrame, pictures: Path) -> list[str]:
    key = "Grey is right (myelin light, axons dark). Red was drawn and not found, blue found and not drawn; axons are "
    key += "in strong colours, myelin in pale ones."
    return [key, *(f"{name}\n\n![{name}]({pictures.name}/{name}.png)" for name in judged["image"])]


def _doubt(squares: pd.DataFrame) -> str:
    if len(squares) < FEWEST_SQUARES:
        return f"The images that were held out have {len(squares)} squares of {SIDE_PX} px: too few to tell."
    rho = stats.spearmanr(squares["confidence"], squares["error"]).statistic
    third = pd.qcut(squares["confidence"].rank(method="first"), 3, labels=False)
    rows = [
        [
            f"{part['confidence'].min():.3f} – {part['confidence'].max():.3f}",
            str(len(part)),
            f"{part['error'].mean():.3f}",
        ]
        for _, part in squares.groupby(third)
    ]
    told = "Low confidence goes with error" if rho < 0 else "Confidence says little here"
    return (
        f"{told}: over squares of {SIDE_PX} px of the images that were held out, Spearman's rank correlation of "
        f"mean confidence with the share of wrong pixels is {rho:+.2f}.\n\n"
    ) + _table(["confidence", "squares", "wrong pixels"], rows)
