"""The animals of a batch → a folder of tables and figures, and the part of the batch's report that shows them."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

from axonflow.kernel.files import new_folder, remove
from axonflow.kernel.words import count, number
from axonflow.results.cohort import MOST_GROUPS, Cohort, write_tables
from axonflow.results.cohort.calibre import CALIBRES
from axonflow.results.cohort.effects import RESAMPLES
from axonflow.results.report.page import vector
from axonflow.results.report.words import TISSUE, UNMYELINATED
from axonflow.workflow.animals import EVERYTHING

if TYPE_CHECKING:
    import pandas as pd

    from axonflow.results.figures import Apart

__all__ = ["ANIMALS", "forget_animals", "write_animals"]

ANIMALS = "animals"
"""The folder, in that of the batch."""

_MOST_DRAWN = 12
"""Pairs of groups in the figure, which is 0.9 m high then."""

_MOST_SAID = 12
"""Groups whose animals are counted in a sentence."""

_FIGURES = {
    "groups": "Every point is an animal, pooled from its slides; a line across is the mean of a group, in which each "
    "animal counts once.",
    "effects": "How far the groups lie apart, in per cent of the first group’s mean; bars are 95 % intervals "
    "of that difference, drawn over animals. Hedges’ g is the difference in standard deviations between animals.",
    "tracts": "Animals by tract. A point is what an animal’s slides show of a tract.",
    "calibres": "Animals by the diameter of their axons (µm). Bins are AxonDeepSeg’s, and one for the thinnest.",
}
"""Which there may be, and what they show."""

_WORDS = {
    "axon_density (mm^-2)": ("axons per mm²", ",.0f"),
    "axon_diam_mean (um)": ("mean axon diameter (µm)", ".3f"),
    "axon_diam_p50 (um)": ("median axon diameter (µm)", ".3f"),
    "gratio_aggregate": ("aggregate g-ratio", ".3f"),
    "gratio_mean": ("mean g-ratio", ".3f"),
    "myelin_thickness_mean (um)": ("mean myelin thickness (µm)", ".3f"),
    "avf": ("AVF", ".3f"),
    "mvf": ("MVF", ".3f"),
    "unmyelinated_density (mm^-2)": ("unmyelinated axons per mm²", ",.0f"),
    "myelinated_fraction": ("myelinated share of axons", ".3f"),
    "axon_share": ("share of axons", ".3f"),
}
"""How measures are called and written."""

_OF_TRACTS = ("axon_density (mm^-2)", "axon_diam_mean (um)", "gratio_aggregate", "avf")
_OF_CALIBRES = ("axon_share", "axon_density (mm^-2)", "gratio_mean", "myelin_thickness_mean (um)")


def write_animals(cohort: Cohort, folder: Path) -> dict[str, Any]:
    """Write tables and figures into the folder :data:`ANIMALS`, which appears whole, and describe them for the report.

    Returns
    -------
    dict
        What the template ``animals.html`` shows.
    """
    with new_folder(folder / ANIMALS, durable=False) as part:
        missing = write_tables(cohort, part)
        drawn = _draw(cohort, part)
        figures = [(name, _FIGURES[name], vector(part / f"{name}.svg")) for name in drawn]
    grouped = len(cohort.groups) > 1
    return {
        "said": _said(cohort),
        "told": [*_left_out(cohort), *([("workbook", missing)] if missing else [])],
        "animals": _animals(cohort),
        "groups": _groups(cohort) if grouped else None,
        "effects": _effects(cohort) if grouped else None,
        "figures": figures,
        "resamples": RESAMPLES,
    }


def forget_animals(folder: Path) -> None:
    """Remove what an earlier batch has written of animals."""
    if (folder / ANIMALS / "animals.parquet").exists():
        remove(folder / ANIMALS)


def _draw(cohort: Cohort, folder: Path) -> list[str]:
    """Draw the figures for which there is something, and return their names."""
    from axonflow.results.figures import Panel, draw_animals, draw_effects

    def paths(name: str) -> list[Path]:
        return [folder / f"{name}.png", folder / f"{name}.svg"]

    animals, calibres, tracts = (cohort.rows(name) for name in ("animals", "calibres", "tracts"))
    whole = {EVERYTHING: animals}
    panels = [Panel(words, _values(whole, name, cohort)) for name, (words, _) in _WORDS.items() if name in animals]
    draw_animals(panels, cohort.groups, paths("groups"))
    drawn = ["groups"]
    if (effects := cohort.rows("effects")).size:
        pairs = {
            f"{b} compared with {a}": [_apart(row) for row in found]
            for (a, b), found in _pairs(_whole(effects).to_dict("records"))[:_MOST_DRAWN]
        }
        draw_effects(pairs, paths("effects"))
        drawn.append("effects")
    if tracts.size:
        parts = {
            _tract(str(region), str(tract)): rows
            for (region, tract), rows in tracts.groupby(["region", "tract"], sort=False)
        }
        draw_animals(
            [Panel(_WORDS[name][0], _values(parts, name, cohort)) for name in _OF_TRACTS],
            cohort.groups,
            paths("tracts"),
        )
        drawn.append("tracts")
    entire = calibres[(calibres["region"] == EVERYTHING) & (calibres["tract"] == EVERYTHING)]
    bins = {
        f"≥ {calibre[:-1]}" if calibre.endswith("-") else calibre.replace("-", "–"): entire[
            entire["calibre"] == calibre
        ]
        for calibre in CALIBRES
    }
    draw_animals(
        [Panel(_WORDS[name][0], _values(bins, name, cohort)) for name in _OF_CALIBRES],
        cohort.groups,
        paths("calibres"),
        categories="axon diameter (µm)",
    )
    return [*drawn, "calibres"]


def _apart(row: Mapping[Any, Any]) -> Apart:
    """Return a row of the table of effects as it is drawn."""
    from axonflow.results.figures import Apart

    of = 100 / row["mean_a"] if row["mean_a"] else float("nan")
    middle, low, high = (of * row[name] for name in ("difference", "difference_low", "difference_high"))
    return Apart(_WORDS[row["measure"]][0], middle, low, high, _difference(row), _g(row))


def _values(parts: Mapping[str, pd.DataFrame], measure: str, cohort: Cohort) -> dict[str, dict[str, list[float]]]:
    return {
        part: {group: rows.loc[rows["group"] == group, measure].tolist() for group in cohort.groups}
        for part, rows in parts.items()
    }


def _tract(region: str, tract: str) -> str:
    """Return how a place is called; what is all of its kind is not named."""
    return ", ".join(name for name in (region, tract) if name != EVERYTHING)


def _whole(rows: pd.DataFrame) -> pd.DataFrame:
    return rows[(rows[["region", "tract", "calibre"]] == EVERYTHING).all(axis=1)]


def _said(cohort: Cohort) -> str:
    """Return of what the numbers are, in sentences."""
    animals = cohort.rows("animals")
    if len(cohort.groups) > _MOST_SAID:
        n = f"{count(len(animals), 'animal')} in {len(cohort.groups)} groups"
    else:
        n = " and ".join(
            f"{count(int((animals['group'] == group).sum()), 'animal')} in {group}" for group in cohort.groups
        )
    n = n if len(cohort.groups) > 1 else count(len(animals), "animal")
    return (
        f"{n}. An animal’s density and volume fractions are those of all its tissue, so larger slides count for more; "
        "its diameters and g-ratios are of all its axons together. A group’s mean is that of its animals, each of "
        "which counts once, however many axons it has."
    )


def _left_out(cohort: Cohort) -> list[tuple[str, str]]:
    """Return which slides count for no animal, and which animals for no group."""
    told = []
    for row in cohort.rows("animals").to_dict("records"):
        if row["left_out"]:
            nothing = " No slide is left: the animal counts in no mean." if not row["slides"] else ""
            told.append((str(row["animal"]), f"left out: {row['left_out']}.{nothing}"))
    return told


def _animals(cohort: Cohort) -> dict[str, Any]:
    rows = cohort.rows("animals")
    shown = {name: said for name, said in (TISSUE | UNMYELINATED).items() if name in rows}
    return {
        "head": ["group"] * (len(cohort.groups) > 1) + ["slides", *(title for title, _ in shown.values())],
        "rows": [
            (
                row["animal"],
                [row["group"]] * (len(cohort.groups) > 1)
                + [str(row["slides"]), *(number(row[name], form) for name, (_, form) in shown.items())],
            )
            for row in rows.to_dict("records")
        ],
    }


def _groups(cohort: Cohort) -> dict[str, Any]:
    """Return the mean of each group in each measure, and its spread between animals."""
    rows = _whole(cohort.rows("groups"))
    return {
        "head": list(cohort.groups),
        "rows": [
            (_WORDS[str(measure)][0], [_mean(row, _WORDS[str(measure)][1]) for row in found.to_dict("records")])
            for measure, found in rows.groupby("measure", sort=False)
        ],
    }


def _mean(row: Mapping[Any, Any], form: str) -> str:
    spread = f" ± {number(row['std'], form)}" if row["animals"] > 1 else ""
    return f"{number(row['mean'], form)}{spread} (n = {row['animals']})"


def _effects(cohort: Cohort) -> dict[str, Any]:
    rows = _whole(cohort.rows("effects")).to_dict("records")
    return {
        "said": _which_pairs(cohort, len(_pairs(rows))),
        "pairs": [
            (f"{b} compared with {a}", [(_WORDS[row["measure"]][0], [_difference(row), _g(row)]) for row in found])
            for (a, b), found in _pairs(rows)
        ],
        "notes": [*dict.fromkeys(note for row in rows for note in row["note"].split("; ") if note)],
    }


def _which_pairs(cohort: Cohort, n: int) -> str:
    """Return in sentences which pairs of groups are compared, and which are drawn; nothing if all are."""
    said = []
    if len(cohort.groups) > MOST_GROUPS:
        said.append(
            f"More than {MOST_GROUPS} groups are not compared in all pairs, but each with the first of the list, "
            f"{cohort.groups[0]}: put the group that the others are to be compared with first."
        )
    if n > _MOST_DRAWN:
        said.append(f"The figure shows the first {_MOST_DRAWN} of {n} pairs.")
    return " ".join(said)


def _pairs(rows: list[dict[Any, Any]]) -> list[tuple[tuple[str, str], list[dict[Any, Any]]]]:
    """Return the rows of each pair of groups, in their order."""
    pairs: dict[tuple[str, str], list[dict[Any, Any]]] = {}
    for row in rows:
        pairs.setdefault((row["group_a"], row["group_b"]), []).append(row)
    return [*pairs.items()]


def _difference(row: Mapping[Any, Any]) -> str:
    return _interval(row["difference"], row["difference_low"], row["difference_high"], _WORDS[row["measure"]][1])


def _g(row: Mapping[Any, Any]) -> str:
    return _interval(row["hedges_g"], row["hedges_g_low"], row["hedges_g_high"], ".2f")


def _interval(value: float, low: float, high: float, form: str) -> str:
    """Return a signed number, and its interval if there is one."""
    if not isfinite(value):
        return number(None, form)
    ends = f" [{_signed(low, form)}, {_signed(high, form)}]" if isfinite(low) else ""
    return f"{_signed(value, form)}{ends}"


def _signed(value: float, form: str) -> str:
    return f"{value:+{form}}".replace("-", "\N{MINUS SIGN}")
