"""An animal's numbers are those of all its tissue together: as pandas finds them in one long table of axons."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from axonflow.fiber.kinds import KIND, MYELINATED, UNMYELINATED
from axonflow.fiber.region_table import PERCENTILES
from axonflow.results.cohort.calibre import CALIBRE_COLUMNS, CALIBRES, EDGES_UM, by_calibre
from axonflow.results.cohort.pooling import POOLED, POOLED_UNMYELINATED, Sample, pool


def sample(n: int, seed: int, *, kinds: bool = False) -> Sample:
    """Some axons in some area, of which every fifth has no myelin, and with kinds every third is of those without."""
    random = np.random.default_rng(seed)
    diameter = random.gamma(3, 0.5, n)
    diameter[: n // 7] = random.choice(EDGES_UM[1:-1], n // 7)  # just on the edges of bins
    bare = np.arange(n) % 5 == 0
    gratio = np.where(bare, 1.0, random.uniform(0.4, 0.9, n))
    axons = pd.DataFrame(
        {
            "axon_diam (um)": diameter,
            "gratio": gratio,
            "myelin_area (um^2)": np.where(bare, 0.0, 1.0),
            "myelin_thickness (um)": diameter * (1 / gratio - 1) / 2,
        }
    )
    area, avf, mvf = random.uniform(0.01, 0.1), random.uniform(0.1, 0.4), random.uniform(0.1, 0.4)
    numbers: dict[str, float] = {"avf": avf, "mvf": mvf}
    if kinds:
        without = np.arange(n) % 3 == 0
        axons[KIND.name] = np.where(without, UNMYELINATED, MYELINATED)
        numbers |= {"unmyelinated_count": int(without.sum()), "unmyelinated_avf": avf / 3}
        numbers["unmyelinated_density (mm^-2)"] = without.sum() / area
        n -= int(without.sum())
    return Sample("all", numbers | {"area (mm^2)": area, "axon_count": n, "axon_density (mm^-2)": n / area}, axons)


def joined(samples: Sequence[Sample]) -> pd.DataFrame:
    axons = pd.concat([each.axons for each in samples])
    return axons if KIND.name not in axons else axons[axons[KIND.name] == MYELINATED]


some = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 9999)), min_size=1, max_size=4)


@given(parts=some, kinds=st.booleans())
def test_numbers_are_those_of_all_axons_over_all_tissue(parts: list[tuple[int, int]], kinds: bool) -> None:
    samples = [sample(n, seed, kinds=kinds) for n, seed in parts]
    axons, found = joined(samples), pool(samples)
    areas = np.array([each.numbers["area (mm^2)"] for each in samples])
    avf, mvf = (areas @ [each.numbers[name] for each in samples] / areas.sum() for name in ("avf", "mvf"))
    sheathed = axons[axons["myelin_area (um^2)"] > 0]
    diameter = axons["axon_diam (um)"]
    expected = {
        "area (mm^2)": areas.sum(),
        "axon_count": len(axons),
        "axon_density (mm^-2)": len(axons) / areas.sum(),
        "avf": avf,
        "mvf": mvf,
        "gratio_aggregate": np.sqrt(avf / (avf + mvf)),
        "gratio_mean": sheathed["gratio"].mean(),
        "axon_diam_mean (um)": diameter.mean(),
        "axon_diam_std (um)": diameter.std(ddof=0),
        **{f"axon_diam_p{p} (um)": diameter.quantile(p / 100) for p in PERCENTILES},
        "myelin_thickness_mean (um)": sheathed["myelin_thickness (um)"].mean(),
    }
    if kinds:
        bare = pd.concat([each.axons for each in samples]).query("kind == 'unmyelinated'")
        n = len(bare)
        expected |= {
            "unmyelinated_count": n,
            "unmyelinated_density (mm^-2)": n / areas.sum(),
            "unmyelinated_avf": avf / 3,
            "unmyelinated_diam_mean (um)": bare["axon_diam (um)"].mean(),
            "unmyelinated_diam_std (um)": bare["axon_diam (um)"].std(ddof=0),
            "myelinated_fraction": len(axons) / (len(axons) + n) if len(axons) + n else np.nan,
        }
    assert found == pytest.approx(expected, nan_ok=True)
    assert list(found) == [column.name for column in (*POOLED, *(POOLED_UNMYELINATED if kinds else ()))]


@given(parts=some, kinds=st.booleans(), seed=st.integers(0, 99))
def test_the_order_of_slides_says_nothing(parts: list[tuple[int, int]], kinds: bool, seed: int) -> None:
    samples = [sample(n, each, kinds=kinds) for n, each in parts]
    turned = [samples[i] for i in np.random.default_rng(seed).permutation(len(samples))]
    assert pool(turned) == pytest.approx(pool(samples), nan_ok=True)


def test_an_animal_of_nothing_has_no_numbers() -> None:
    nothing = Sample("all", {"area (mm^2)": 0.0, "axon_count": 0}, sample(0, 0).axons)
    for samples in ((), (nothing,)):
        found = pool(samples)
        assert (found["area (mm^2)"], found["axon_count"]) == (0, 0)
        assert all(np.isnan(value) for name, value in found.items() if name not in {"area (mm^2)", "axon_count"})
        assert [each["axon_count"] for each in by_calibre(samples, np.nan)] == [0] * len(CALIBRES)
    with_tissue = [sample(30, 1), nothing]
    assert pool(with_tissue) == pool(with_tissue[:1])


@given(parts=some, kinds=st.booleans())
def test_bins_are_those_of_axondeepseg(parts: list[tuple[int, int]], kinds: bool) -> None:
    samples = [sample(n, seed, kinds=kinds) for n, seed in parts]
    axons, density = joined(samples), pool(samples)["axon_density (mm^-2)"]
    # As its aggregate.py bins and names them, but for the first.
    bins, labels = [0.5, 1, 1.25, 1.5, 1.75, np.inf], ["0.5-1", "1-1.25", "1.25-1.5", "1.5-1.75", "1.75-"]
    axons = axons.assign(bin=pd.cut(axons["axon_diam (um)"], [0, *bins], labels=["0-0.5", *labels], right=False))
    found = by_calibre(samples, density)
    assert [*CALIBRES] == ["0-0.5", *labels]
    assert sum(each["axon_count"] for each in found) == len(axons)
    for calibre, each in zip(CALIBRES, found, strict=True):
        rows = axons[axons["bin"] == calibre]
        sheathed = rows[rows["gratio"] < 1]
        expected: dict[str, float] = {"axon_count": len(rows), "with_myelin_count": len(sheathed)}
        expected["axon_share"] = len(rows) / len(axons) if len(axons) else np.nan
        expected["axon_density (mm^-2)"] = len(rows) / sum(part.numbers["area (mm^2)"] for part in samples)
        for name, of in (("axon_diam (um)", rows), ("gratio", sheathed), ("myelin_thickness (um)", sheathed)):
            stem, _, unit = name.partition(" ")
            values = of[name]
            for what, value in zip(
                ("mean", "std", "min", "max", "p50"),
                (values.mean(), values.std(ddof=0), values.min(), values.max(), values.median()),
                strict=True,
            ):
                expected[f"{stem}_{what}{' ' * bool(unit)}{unit}"] = value
        assert each == pytest.approx(expected, nan_ok=True)
        assert list(each) == [column.name for column in CALIBRE_COLUMNS]
