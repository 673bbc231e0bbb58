"""A batch whose slides are listed with animals → tables of slides, animals, tracts, calibres, groups and effects.

They are tidy: a row is one thing (an animal, a tract of an animal, …), a column one number of it. ``all`` in a column
stands for everything of its kind together.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from axonflow.fiber.columns import Column
from axonflow.results.batch_table import columns_of, further_columns
from axonflow.results.cohort.calibre import CALIBRE_COLUMNS, CALIBRES, by_calibre
from axonflow.results.cohort.columns import (
    ANIMAL,
    CALIBRE,
    EXCLUDED,
    FAILED,
    GROUP,
    LEFT_OUT,
    MEASURE,
    MEASURES,
    MEASURES_BY_CALIBRE,
    OF_EFFECTS,
    OF_GROUPS,
    PAIR,
    REGION,
    SLIDES,
    TRACT,
)
from axonflow.results.cohort.effects import Effect, compare
from axonflow.results.cohort.pooling import POOLED, POOLED_UNMYELINATED, Sample, pool, samples_of
from axonflow.workflow.animals import EVERYTHING

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["MOST_GROUPS", "Cohort", "Table", "gather"]

MOST_GROUPS = 10
"""Of which every pair is compared, which are 45; of more, each with the first: pairs grow as the square of groups."""

Stratum = tuple[str, str]
"""A region and a tract."""

WHOLE: Stratum = (EVERYTHING, EVERYTHING)


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """A table, and what its columns are.

    Attributes
    ----------
    name : str
    rows : DataFrame
    columns : tuple of Column
        Those of ``rows``, in order.
    """

    name: str
    rows: pd.DataFrame
    columns: tuple[Column, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Cohort:
    """The animals of a batch.

    Attributes
    ----------
    groups : tuple of str
        In the order of the list; :data:`~axonflow.workflow.animals.EVERYTHING` alone without groups.
    tables : Mapping
        By their names: ``slides``, ``animals``, ``tracts`` if there are any, ``calibres``, ``groups``, and ``effects``
        if there are two groups: of every pair, or of more than :data:`MOST_GROUPS` of each and the first.
    """

    groups: tuple[str, ...]
    tables: Mapping[str, Table]

    def rows(self, name: str) -> pd.DataFrame:
        """Return a table's rows; none if there is no such table."""
        import pandas as pd  # loaded where it is used

        return self.tables[name].rows if name in self.tables else pd.DataFrame()


@dataclass(frozen=True, slots=True)
class _Pooled:
    """The numbers of an animal in one stratum, and of its calibres there."""

    animal: str
    group: str
    slides: int
    numbers: dict[str, Any]
    calibres: list[dict[str, Any]]


def gather(table: pd.DataFrame) -> Cohort | None:
    """Pool the slides of each animal, and compare the groups; axons of one animal are in memory at a time.

    Parameters
    ----------
    table : DataFrame
        Of the batch; rows in the order of the list. Stores of slides that are done are read.

    Returns
    -------
    Cohort or None
        None if the slides are listed without animals.
    """
    if "animal" not in table or not table["animal"].any():
        return None
    grouped = table["group"].ne("").any()
    group_of = {row["animal"]: row["group"] if grouped else EVERYTHING for row in table.to_dict("records")}
    pooled: dict[Stratum, list[_Pooled]] = {WHOLE: []}
    for animal, group in group_of.items():
        for stratum, samples in _strata(table[table["animal"] == animal]).items():
            numbers = pool(samples)
            described = by_calibre(samples, numbers["axon_density (mm^-2)"])
            pooled.setdefault(stratum, []).append(_Pooled(animal, group, len(samples), numbers, described))
    pooled = {stratum: pooled[stratum] for stratum in _in_order(pooled)}
    groups, bare = tuple(dict.fromkeys(group_of.values())), _knows_unmyelinated(table)
    values = [*_values(pooled, bare=bare)]
    tables = [
        _slides(table),
        _animals(table, pooled[WHOLE], bare=bare),
        _tracts(pooled, bare=bare),
        _calibres(pooled),
        _groups(values, group_of, groups),
        _effects(values, groups),
    ]
    return Cohort(groups, {each.name: each for each in tables if each is not None})


def _strata(slides: pd.DataFrame) -> dict[Stratum, list[Sample]]:
    """Return what counts of the slides of an animal: all, by region, and by tract in each region."""
    strata: dict[Stratum, list[Sample]] = {WHOLE: []}
    for row in _counting(slides).to_dict("records"):
        region = str(row["region"])
        for sample in samples_of(Path(str(row["store"])), {str(name): value for name, value in row.items()}):
            for of in dict.fromkeys((EVERYTHING, region or EVERYTHING)):
                strata.setdefault((of, sample.tract), []).append(sample)
    return strata


def _in_order(strata: Iterable[Stratum]) -> list[Stratum]:
    """Return what was found in the order of regions, and in each of tracts; all of a kind stands first."""
    strata = [*strata]
    regions, tracts = ([EVERYTHING, *dict.fromkeys(names)] for names in zip(*strata, strict=True))
    return sorted(strata, key=lambda each: (regions.index(each[0]), tracts.index(each[1])))


def _counting(slides: pd.DataFrame) -> pd.DataFrame:
    return slides[(slides["state"] == "done") & (slides["exclude"] == "")]


def _knows_unmyelinated(table: pd.DataFrame) -> bool:
    return POOLED_UNMYELINATED[0].name in table and bool(table[POOLED_UNMYELINATED[0].name].notna().any())


def _slides(table: pd.DataFrame) -> Table:
    return Table("slides", table, columns_of(table))


def _animals(table: pd.DataFrame, pooled: Sequence[_Pooled], *, bare: bool) -> Table:
    further = [
        Column(name, "", "as it was listed; several if its slides differ", "str") for name in further_columns(table)
    ]
    rows = []
    for each in pooled:
        slides = table[table["animal"] == each.animal]
        out = [
            f"{row['slide']} (failed)" if row["state"] == "failed" else f"{row['slide']} (excluded: {row['exclude']})"
            for row in slides.to_dict("records")
            if row["state"] == "failed" or row["exclude"]
        ]
        failed = int((slides["state"] == "failed").sum())
        rows.append(
            {
                "animal": each.animal,
                "group": each.group,
                **{column.name: "; ".join(dict.fromkeys(filter(None, slides[column.name]))) for column in further},
                "slides": each.slides,
                "slides_failed": failed,
                "slides_excluded": len(out) - failed,
                "left_out": "; ".join(out),
                **each.numbers,
            }
        )
    return _table("animals", rows, (ANIMAL, GROUP, *further, SLIDES, FAILED, EXCLUDED, LEFT_OUT, *_numbers(bare=bare)))


def _tracts(pooled: Mapping[Stratum, Sequence[_Pooled]], *, bare: bool) -> Table | None:
    if len(pooled) == 1:
        return None
    rows = [{**_place(stratum, each), "slides": each.slides, **each.numbers} for stratum, each in _rows(pooled)]
    return _table("tracts", rows[len(pooled[WHOLE]) :], (ANIMAL, GROUP, REGION, TRACT, SLIDES, *_numbers(bare=bare)))


def _calibres(pooled: Mapping[Stratum, Sequence[_Pooled]]) -> Table:
    rows = [
        {**_place(stratum, each), "calibre": calibre, **described}
        for stratum, each in _rows(pooled)
        for calibre, described in zip(CALIBRES, each.calibres, strict=True)
    ]
    return _table("calibres", rows, (ANIMAL, GROUP, REGION, TRACT, CALIBRE, *CALIBRE_COLUMNS))


def _rows(pooled: Mapping[Stratum, Sequence[_Pooled]]) -> Iterator[tuple[Stratum, _Pooled]]:
    return ((stratum, each) for stratum, every in pooled.items() for each in every)


def _place(stratum: Stratum, each: _Pooled) -> dict[str, Any]:
    return {"animal": each.animal, "group": each.group, "region": stratum[0], "tract": stratum[1]}


def _numbers(*, bare: bool) -> tuple[Column, ...]:
    return (*POOLED, *(POOLED_UNMYELINATED if bare else ()))


@dataclass(frozen=True, slots=True)
class _Values:
    """A measure in one stratum and calibre: of each animal there its group, value, slides and axons."""

    place: dict[str, str]
    of: Mapping[str, tuple[str, float, int, int]]

    def known(self, group: str) -> list[float]:
        return [value for of, value, *_ in self.of.values() if of == group and np.isfinite(value)]


def _values(pooled: Mapping[Stratum, Sequence[_Pooled]], *, bare: bool) -> Iterator[_Values]:
    units = {column.name: column.unit for column in (*POOLED, *POOLED_UNMYELINATED, *CALIBRE_COLUMNS)}
    for (region, tract), every in pooled.items():
        place = {"region": region, "tract": tract}
        for measure in MEASURES if bare else MEASURES[:-2]:
            of = {
                each.animal: (each.group, each.numbers.get(measure, np.nan), each.slides, each.numbers["axon_count"])
                for each in every
            }
            yield _Values(place | {"calibre": EVERYTHING, "measure": measure, "unit": units[measure]}, of)
        for i, calibre in enumerate(CALIBRES):
            for measure in MEASURES_BY_CALIBRE:
                of = {
                    each.animal: (each.group, each.calibres[i][measure], each.slides, each.calibres[i]["axon_count"])
                    for each in every
                }
                yield _Values(place | {"calibre": calibre, "measure": measure, "unit": units[measure]}, of)


def _groups(values: Iterable[_Values], group_of: Mapping[str, str], groups: Sequence[str]) -> Table:
    rows = []
    for each in values:
        for group in groups:
            known = np.array(each.known(group))
            there = {name: found for name, found in each.of.items() if found[0] == group and np.isfinite(found[1])}
            without = [name for name, of in group_of.items() if of == group and name not in there]
            rows.append(
                {
                    "group": group,
                    **each.place,
                    "animals": len(known),
                    "animals_without": len(without),
                    "without": "; ".join(without),
                    "slides": sum(found[2] for found in there.values()),
                    "axon_count": sum(found[3] for found in there.values()),
                    "mean": known.mean() if len(known) else np.nan,
                    "std": known.std(ddof=1) if len(known) > 1 else np.nan,
                    "min": known.min() if len(known) else np.nan,
                    "p50": np.median(known) if len(known) else np.nan,
                    "max": known.max() if len(known) else np.nan,
                }
            )
    return _table("groups", rows, (GROUP, REGION, TRACT, CALIBRE, *MEASURE, *OF_GROUPS))


def _effects(values: Iterable[_Values], groups: Sequence[str]) -> Table | None:
    if len(groups) == 1:
        return None
    rows: list[dict[str, Any]] = []
    pairs = [*combinations(groups, 2)] if len(groups) <= MOST_GROUPS else [(groups[0], other) for other in groups[1:]]
    for each in values:
        for a, b in pairs:
            first, second = each.known(a), each.known(b)
            place = {"group_a": a, "group_b": b, **each.place}
            if first and second:
                rows.append(place | _effect(compare(first, second)))
            else:
                nobody = " and ".join(repr(group) for group, found in ((a, first), (b, second)) if not found)
                n = {"animals_a": len(first), "animals_b": len(second)}
                rows.append(place | n | {"note": f"no difference: no animal of {nobody} has a value"})
    return _table("effects", rows, (*PAIR, REGION, TRACT, CALIBRE, *MEASURE, *OF_EFFECTS))


def _effect(found: Effect) -> dict[str, Any]:
    return {
        "animals_a": found.n[0],
        "animals_b": found.n[1],
        "mean_a": found.means[0],
        "mean_b": found.means[1],
        "difference": found.difference,
        "difference_low": found.difference_interval.low,
        "difference_high": found.difference_interval.high,
        "hedges_g": found.g,
        "hedges_g_low": found.g_interval.low,
        "hedges_g_high": found.g_interval.high,
        "note": found.note,
    }


def _table(name: str, rows: Sequence[Mapping[str, Any]], columns: tuple[Column, ...]) -> Table:
    import pandas as pd

    kinds = {"str": ("object", ""), "int64": ("Int64", None)}  # which know a missing value
    frame = {}
    for column in columns:
        kind, nothing = kinds.get(column.dtype, (column.dtype, np.nan))
        frame[column.name] = pd.Series([row.get(column.name, nothing) for row in rows], dtype=kind)
    return Table(name, pd.DataFrame(frame), columns)
