"""A batch with animals leaves tables that pandas finds again in its stores, and nobody vanishes from them."""

from __future__ import annotations

import re
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from batch_folders import tabulated
from PIL import Image
from pyarrow import parquet
from reports import Report
from slides import command, picture, tissue, write_labels, write_slide

import axonflow
from axonflow.errors import InputError
from axonflow.results.batch_table import read_summary, write_summary
from axonflow.results.cohort import WORKBOOK, gather, write_tables
from axonflow.results.cohort.calibre import CALIBRES
from axonflow.results.cohort.columns import MEASURES, MEASURES_BY_CALIBRE, TAKEN
from axonflow.results.cohort.effects import FEWEST, compare
from axonflow.results.cohort.pooling import POOLED_UNMYELINATED
from axonflow.results.report.animals import forget_animals, write_animals
from axonflow.results.summary import check_further, write_results
from axonflow.workflow.batch import open_batch
from axonflow.workflow.manifest import ListedSlide, read_manifest

GROUPS = {"WT": ("w1", "w2", "w3"), "KO": ("k1", "k2", "k3")}
DENSITY = "axon_density (mm^-2)"


@dataclass(frozen=True)
class Rats:
    """A batch of two slides of each of six animals, one slide of which is excluded, one gone, and of k3 both."""

    manifest: Path

    @property
    def out(self) -> Path:
        """Its folder."""
        return self.manifest.with_suffix("")

    def read(self, name: str) -> pd.DataFrame:
        """Read a table as a user would."""
        return pd.read_parquet(self.out / "animals" / f"{name}.parquet")

    def fibers(self) -> pd.DataFrame:
        """Read all axons that count, with their animals."""
        parts = []
        for row in read_summary(self.out).to_dict("records"):
            if row["state"] == "done" and not row["exclude"]:
                axons = axonflow.open(row["store"]).counted_fibers()
                parts.append(axons.assign(animal=row["animal"], group=row["group"], place=row["region"]))
        return pd.concat(parts)


@pytest.fixture(scope="module")
def rats(tmp_path_factory: pytest.TempPathFactory) -> Rats:
    folder = tmp_path_factory.mktemp("rats")
    Image.fromarray(np.array([[1, 2]], np.uint8)).save(folder / "tracts.png")
    lines, seed = ["slide,animal,group,region,exclude,sex,=note,labels,regions"], 0
    for group, animals in GROUPS.items():
        for animal, region in product(animals, ("cervical", "thoracic")):
            name, seed = f"{animal}_{region}", seed + 1
            if animal != "k3":
                classes = tissue((120 + 5 * seed, 130), seed)
                write_slide(folder / f"{name}.tif", picture(classes, seed=seed))
                write_labels(folder / f"{name}.png", classes)
            exclude = "knife mark" if name == "w2_thoracic" else ""
            lines.append(f"{name}.tif,{animal},{group},{region},{exclude},f,=1+1,{name}.png,tracts.png")
    manifest = folder / "rats.csv"
    manifest.write_text("\n".join(lines) + "\n")
    found = Rats(manifest)
    found.out.mkdir()
    write_results(tabulated(open_batch(read_manifest(manifest), {"cell_um": 6.0}, found.out)), found.out)
    return found


def test_animals_are_as_pandas_groups_them(rats: Rats) -> None:
    fibers, animals = rats.fibers(), rats.read("animals").set_index("animal")
    summary = read_summary(rats.out).query("state == 'done' and exclude == ''")
    areas = summary.groupby("animal")["area (mm^2)"].sum()
    assert animals.index.tolist() == [name for names in GROUPS.values() for name in names]
    counted = animals.drop(index="k3")
    by = fibers.groupby("animal")
    pd.testing.assert_series_equal(
        counted["axon_count"], by.size()[counted.index], check_names=False, check_dtype=False
    )
    sheathed = fibers[fibers["myelin_area (um^2)"] > 0].groupby("animal")
    expected = {
        DENSITY: by.size() / areas,
        "axon_diam_mean (um)": by["axon_diam (um)"].mean(),
        "axon_diam_std (um)": by["axon_diam (um)"].std(ddof=0),
        "axon_diam_p25 (um)": by["axon_diam (um)"].quantile(0.25),
        "gratio_mean": sheathed["gratio"].mean(),
        "myelin_thickness_mean (um)": sheathed["myelin_thickness (um)"].mean(),
        "avf": (summary["avf"] * summary["area (mm^2)"]).groupby(summary["animal"]).sum() / areas,
    }
    for name, values in expected.items():
        pd.testing.assert_series_equal(counted[name], values[counted.index], check_names=False)


def test_tracts_are_as_pandas_groups_them(rats: Rats) -> None:
    fibers, tracts = rats.fibers(), rats.read("tracts")
    keys = ["animal", "place", "region"]  # of the table of axons, whose region is the tract
    counts = fibers.groupby(keys, as_index=False).size().to_dict("records")
    for row in tracts.to_dict("records"):
        matching = [
            each["size"]
            for each in counts
            if each["animal"] == row["animal"]
            and row["region"] in ("all", each["place"])
            and row["tract"] in ("all", each["region"])
        ]
        assert row["axon_count"] == sum(matching)
        assert row[DENSITY] == pytest.approx(row["axon_count"] / row["area (mm^2)"])
    found = tracts[["region", "tract"]].drop_duplicates().to_numpy().tolist()
    assert found == [[r, t] for r, t in product(("all", "cervical", "thoracic"), ("all", "1", "2"))][1:]


def test_calibres_hold_every_axon(rats: Rats) -> None:
    calibres, animals = rats.read("calibres"), rats.read("animals").set_index("animal")
    whole = calibres.query("region == 'all' and tract == 'all'")
    assert whole["calibre"].tolist() == [*CALIBRES] * 6
    assert whole.groupby("animal")["axon_count"].sum().to_dict() == animals["axon_count"].to_dict()
    shares = whole.groupby("animal")["axon_share"].sum(min_count=1)
    assert shares.drop("k3").tolist() == pytest.approx([1] * 5)
    assert np.isnan(shares["k3"])
    density = whole.groupby("animal")[DENSITY].sum(min_count=1)[animals.index]
    assert density.tolist() == pytest.approx(animals[DENSITY].tolist(), nan_ok=True)


def test_groups_and_effects_are_of_animals(rats: Rats) -> None:
    animals, groups, effects = (rats.read(name) for name in ("animals", "groups", "effects"))
    whole = "region == 'all' and tract == 'all' and calibre == 'all'"
    for measure in MEASURES[:-2]:
        values = {name: rows[measure].dropna() for name, rows in animals.groupby("group", sort=False)}
        for row in groups.query(whole).query("measure == @measure").to_dict("records"):
            known = values[row["group"]]
            assert (row["animals"], row["mean"]) == (len(known), pytest.approx(known.mean()))
            assert row["std"] == pytest.approx(known.std(ddof=1))
        (row,) = effects.query(whole).query("measure == @measure").to_dict("records")
        expected = compare(values["WT"].tolist(), values["KO"].tolist())
        assert (row["group_a"], row["group_b"], row["animals_a"], row["animals_b"]) == ("WT", "KO", 3, 2)
        assert (row["difference"], row["hedges_g"]) == pytest.approx((expected.difference, expected.g))
        assert np.isnan(row["difference_low"])
        assert f"3 and 2 animals, and {FEWEST} in each group are the fewest" in row["note"]
    assert len(effects) == 9 * (len(MEASURES) - 2 + len(CALIBRES) * len(MEASURES_BY_CALIBRE))
    assert len(groups) == 2 * len(effects)


def test_nobody_vanishes(rats: Rats) -> None:
    animals = rats.read("animals").set_index("animal")
    assert animals["slides"].tolist() == [2, 1, 2, 2, 2, 0]
    assert animals["slides_failed"].tolist() == [0, 0, 0, 0, 0, 2]
    assert animals["slides_excluded"].tolist() == [0, 1, 0, 0, 0, 0]
    assert animals.loc["w2", "left_out"] == "w2_thoracic.tif (excluded: knife mark)"
    groups = rats.read("groups").query("group == 'KO' and calibre == 'all' and measure == 'avf'")
    assert set(groups["without"]) == {"k3"}
    assert set(groups["animals"]) == {2}
    thoracic = rats.read("groups").query(
        "group == 'WT' and region == 'thoracic' and calibre == 'all' and measure == 'avf'"
    )
    assert set(thoracic["without"]) == {"w2"}
    report = Report(rats.out / "report.html")
    told = report.facts("animals-told")
    assert told["w2"] == "left out: w2_thoracic.tif (excluded: knife mark)."
    assert told["k3"].endswith("No slide is left: the animal counts in no mean.")
    assert [row[:3] for row in report.tables["animals"][1:]] == [
        [name, group, str(n)]
        for (group, name), n in zip(
            ((g, a) for g, names in GROUPS.items() for a in names), (2, 1, 2, 2, 2, 0), strict=True
        )
    ]
    assert report.figures[:4] == ["groups", "effects", "tracts", "calibres"]


def files(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted((folder / "animals").iterdir()):
        yield path.name, path.read_bytes()
    yield "report", (folder / "report.html").read_bytes()


def test_equal_batches_have_equal_files(rats: Rats) -> None:
    before = dict(files(rats.out))
    assert command("report", rats.out).code == 0
    assert dict(files(rats.out)) == before


def test_files_hold_the_same(rats: Rats) -> None:
    cohort = gather(read_summary(rats.out))
    assert cohort is not None
    for name, table in cohort.tables.items():
        written = rats.read(name)
        as_csv = pd.read_csv(rats.out / "animals" / f"{name}.csv")
        assert list(written) == [column.name for column in table.columns]
        assert list(as_csv) == [column.name.replace("=note", "'=note") for column in table.columns]  # no formula
        schema = parquet.read_schema(rats.out / "animals" / f"{name}.parquet")
        for column in table.columns:
            assert schema.field(column.name).metadata[b"unit"].decode() == column.unit
            if column.dtype != "str":
                expected = table.rows[column.name].astype("float64").to_numpy(na_value=np.nan)
                for read in (written, as_csv):
                    np.testing.assert_array_equal(
                        read[column.name].astype("float64").to_numpy(na_value=np.nan), expected
                    )


def test_the_workbook_holds_every_table(rats: Rats) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    path = rats.out / "animals" / WORKBOOK
    book = openpyxl.load_workbook(path)
    cohort = gather(read_summary(rats.out))
    assert cohort is not None
    assert book.sheetnames == list(cohort.tables)
    for sheet in book:
        head, *rows = sheet.iter_rows(values_only=True)
        table = cohort.rows(sheet.title)
        assert list(head) == list(table)
        for row, expected in zip(rows, table.itertuples(index=False), strict=True):
            for cell, value in zip(row, expected, strict=True):
                missing = pd.isna(value) or value == ""
                assert cell is None if missing else cell == (value if isinstance(value, str) else pytest.approx(value))
    assert {cell.data_type for cell in book["slides"]["G"]} == {"s"}  # '=1+1' is no formula
    assert len({info.date_time for info in zipfile.ZipFile(path).infolist()}) == 1


def test_without_openpyxl_a_sentence_says_what_to_install(
    rats: Rats, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    cohort = gather(read_summary(rats.out))
    assert cohort is not None
    assert "pip install openpyxl" in write_tables(cohort, tmp_path)
    assert {path.suffix for path in tmp_path.iterdir()} == {".csv", ".parquet"}


def test_the_summary_is_read_as_it_was_written(tmp_path: Path, rats: Rats) -> None:
    table = read_summary(rats.out)
    assert table["=note"].tolist() == ["=1+1"] * 12
    assert ",'=note," in (rats.out / "summary.csv").read_text().partition("\n")[0]
    odd: dict[str, Any] = {"sex": ["NA", "", "nan", "0010", "+1", "'x", "1e5", "None", "-", "TRUE", "a,b", "ä"]}
    write_summary(table.assign(**odd), tmp_path)
    pd.testing.assert_frame_equal(read_summary(tmp_path), table.assign(**odd))


def test_without_animals_nothing_is_compared(rats: Rats, tmp_path: Path) -> None:
    table = read_summary(rats.out)
    assert gather(table.assign(animal="", group="", region="")) is None
    assert gather(table.drop(columns=["animal", "group", "region", "exclude"])) is None
    theirs, ours = tmp_path / "theirs", tmp_path / "ours"
    for folder, name in ((theirs, "photographs.txt"), (ours, "animals.parquet")):
        (folder / "animals").mkdir(parents=True)
        (folder / "animals" / name).touch()
        forget_animals(folder)
    assert (theirs / "animals").exists()
    assert not (ours / "animals").exists()


def test_animals_need_no_groups(rats: Rats, tmp_path: Path) -> None:
    cohort = gather(read_summary(rats.out).assign(group="", region=""))
    assert cohort is not None
    assert (cohort.groups, "effects" in cohort.tables) == (("all",), False)
    found, grouped = cohort.rows("animals"), rats.read("animals")
    assert found[DENSITY].tolist() == pytest.approx(grouped[DENSITY].tolist(), nan_ok=True)
    shown = write_animals(cohort, tmp_path)
    assert [name for name, _, _ in shown["figures"]] == ["groups", "tracts", "calibres"]
    assert (shown["groups"], shown["effects"]) == (None, None)


@pytest.mark.parametrize("groups", [("a", "b", "c"), ("a", "b", "c", "d")])
def test_several_groups_are_compared_in_pairs(rats: Rats, groups: tuple[str, ...]) -> None:
    table = read_summary(rats.out)
    place = {name: groups[i % len(groups)] for i, name in enumerate(dict.fromkeys(table["animal"]))}
    cohort = gather(table.assign(group=table["animal"].map(place)))
    assert cohort is not None
    pairs = cohort.rows("effects")[["group_a", "group_b"]].drop_duplicates().to_numpy().tolist()
    assert pairs == [[a, b] for i, a in enumerate(groups) for b in groups[i + 1 :]]


def test_many_groups_are_compared_with_the_first(rats: Rats, tmp_path: Path) -> None:
    """All pairs of hundreds of groups take hours, and no figure has room for them."""
    done = read_summary(rats.out).query("state == 'done'")
    names = [f"group {i}" for i in range(30)]
    table = pd.concat(
        [done.iloc[[i % len(done)]].assign(animal=f"rat {i}", group=name) for i, name in enumerate(names)]
    )
    cohort = gather(table.reset_index(drop=True))
    assert cohort is not None
    pairs = cohort.rows("effects")[["group_a", "group_b"]].drop_duplicates().to_numpy().tolist()
    assert pairs == [[names[0], other] for other in names[1:]]
    shown = write_animals(cohort, tmp_path)
    assert [name for name, _, _ in shown["figures"]] == ["groups", "effects", "tracts", "calibres"]
    assert "30 animals in 30 groups" in shown["said"]
    assert "each with the first of the list, group 0" in shown["effects"]["said"]
    assert "the first 12 of 29 pairs" in shown["effects"]["said"]
    with Image.open(tmp_path / "animals" / "effects.png") as figure:
        assert max(figure.size) < 2**14


def test_names_of_results_are_taken(tmp_path: Path) -> None:
    for name in TAKEN:
        with pytest.raises(InputError, match=re.escape(f"{name!r} came; rename it")):
            check_further([ListedSlide("a.tif", further={name: "1"})])
    manifest = tmp_path / "rats.csv"
    manifest.write_text("slide,avf\na.tif,1\n")
    assert command("batch", manifest).code == 2
    assert not (tmp_path / "rats").exists()


def test_columns_are_documented(rats: Rats) -> None:
    page = (Path(__file__).parents[3] / "docs" / "reference" / "animals.md").read_text()
    listed = set(re.findall(r"^\| `([^`]+)` \| (.*?) \| (.*?) \|$", page, re.MULTILINE))
    cohort = gather(read_summary(rats.out))
    assert cohort is not None
    written = {
        (column.name, column.unit, column.meaning)
        for name, table in cohort.tables.items()
        for column in table.columns
        if name != "slides" and column.name not in {"sex", "=note"}
    }
    written |= {(column.name, column.unit, column.meaning) for column in POOLED_UNMYELINATED}
    assert listed == written
