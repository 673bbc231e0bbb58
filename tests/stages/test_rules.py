"""Which axons count, held against plain statements over the whole image, whatever the chunks."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from reports import Report
from slides import analyse, command, contents, picture, tissue, write_labels, write_slide

import axonflow
from axonflow.fiber.maps import centroid_pixels
from axonflow.fiber.rules import JUDGED, LEFT_OUT, RULES, Rules, left_out
from axonflow.kernel.classes import AXON_MYELIN
from axonflow.kernel.words import count
from axonflow.results.analysis import Analysis
from axonflow.results.export import export_store
from axonflow.results.report.slide import write_report
from axonflow.results.viewer.segments import segment_properties
from axonflow.workflow.config import Config
from benchmarks.fields import compare, errors

BOUNDS = st.fixed_dictionaries(
    {},
    optional={
        "min_diameter_um": st.floats(0, 2),
        "max_diameter_um": st.floats(2, 9),
        "max_axon_area_um2": st.floats(0.5, 60),
        "min_solidity": st.floats(0.5, 1),
        "max_eccentricity": st.just(0.0) | st.floats(0.2, 1),
        "min_gratio": st.floats(0, 0.6),
        "max_gratio": st.floats(0.6, 1),
        "need_myelin": st.booleans(),
    },
)


def config_of(folder: Path, labels: NDArray[np.uint8], **given: Any) -> Config:
    slide = write_slide(folder / "slide.tif", picture(labels))
    drawn = write_labels(folder / "labels.png", labels)
    return Config(slide, folder / "out", labels=drawn, cell_um=5.0, max_myelin_um=1.0, **given)


def bare_axons(shape: tuple[int, int], seed: int) -> NDArray[np.uint8]:
    """Tissue of which some axons have lost their myelin."""
    labels = tissue(shape, seed)
    labels[:, : shape[1] // 3][labels[:, : shape[1] // 3] == 1] = 0
    return labels


def said_plainly(result: Analysis, border: str, bounds: dict[str, Any], covered: NDArray[np.bool_]) -> list[str | None]:
    """Decide axon by axon, in plain words, from the table and whole images."""
    axons = result.labels["axons"].compute(scheduler="synchronous")
    last = {*axons[-1].tolist(), *axons[:, -1].tolist()}
    y, x = centroid_pixels(result.fibers)
    said: list[str | None] = []
    for (_, axon), inside in zip(result.fibers.iterrows(), covered[y, x], strict=True):
        sheathed = axon["myelin_area (um^2)"] > 0
        reasons = {
            "area": axon["axon_area (um^2)"] > bounds.get("max_axon_area_um2", np.inf),
            "diameter": not bounds.get("min_diameter_um", 0)
            <= axon["axon_diam (um)"]
            <= bounds.get("max_diameter_um", np.inf),
            "solidity": axon["solidity"] < bounds.get("min_solidity", 0),
            "eccentricity": axon["eccentricity"] > bounds.get("max_eccentricity", 1),
            "myelin": bounds.get("need_myelin", False) and not sheathed,
            "gratio": sheathed and not bounds.get("min_gratio", 0) <= axon["gratio"] <= bounds.get("max_gratio", 1),
            "probability": False,  # masks have none
            "mask": not inside,
            "border": border == "inside" and axon["image_border_touching"],
            "frame": border == "frame" and axon["axon_id"] in last,
        }
        assert tuple(reasons) == RULES
        said.append(next((name for name, holds in reasons.items() if holds), None))
    return said


@settings(max_examples=10)
@given(
    st.tuples(st.integers(65, 190), st.integers(65, 190)),
    st.integers(0, 2**32 - 1),
    st.sampled_from((64, 128, 256)),
    st.sampled_from(("frame", "inside", "all")),
    BOUNDS,
    st.booleans(),
)
def test_the_decision_is_that_of_the_whole_image_and_all_numbers_follow(
    shape: tuple[int, int], seed: int, chunk: int, border: Any, bounds: dict[str, Any], masked: bool
) -> None:
    labels, covered = bare_axons(shape, seed), np.ones(shape, bool)
    with TemporaryDirectory() as name:
        folder = Path(name)
        config = config_of(folder, labels, chunk=chunk, border=border, **bounds)
        if masked:
            covered[: shape[0] // 2] = False
            Image.fromarray(covered).save(folder / "mask.png")
            config = replace(config, mask=folder / "mask.png")
        analyse(config)
        result = axonflow.open(config.out)
        table, fibers = result.fibers, result.labels["fibers"].compute(scheduler="synchronous")
        said = said_plainly(result, border, bounds, covered)
        assert table[LEFT_OUT.name].astype(object).where(table[LEFT_OUT.name].notna(), None).tolist() == said
        kept = table[[each is None for each in said]]
        pd.testing.assert_frame_equal(result.counted_fibers(), kept)
        assert result.left_out == {rule: said.count(rule) for rule in RULES if rule in said}
        gone = [id_ for id_, rule in zip(table["axon_id"], said, strict=True) if rule in JUDGED]
        counted = np.where(np.isin(fibers, gone), 0, labels)
        np.testing.assert_array_equal(result.counted.compute(scheduler="synchronous"), counted)
        maps, area = result.maps, result.maps["covered_area"]
        assert int(maps["axon_count"].sum()) == len(kept)
        for map_, number in (("avf", 2), ("mvf", 1)):
            assert float((maps[map_] * area).sum() / area.sum()) == pytest.approx((counted == number)[covered].mean())
        assert axonflow.check(config.out).faults == ()


def test_the_counting_frame_is_nearer_to_the_truth_than_all_that_is_seen() -> None:
    found = errors(compare(borders=("all", "frame"))).abs()
    assert (found.loc["frame"] < found.loc["all"]).all(), found
    assert found["density_bias"]["frame"] < 0.01


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Config:
    config = config_of(tmp_path_factory.mktemp("rules"), bare_axons((170, 200), 3), chunk=64)
    analyse(config)
    return config


def test_other_rules_redo_no_measurement_and_leave_no_trace(plain: Config, tmp_path: Path) -> None:
    config = replace(plain, out=tmp_path / "out")
    analyse(config)
    before = contents(config.out)
    redone = analyse(replace(config, min_diameter_um=1.0, border="inside"))
    assert redone == ["measure.rules", "measure.regions", "map"]
    assert contents(config.out) != before
    assert analyse(config) == redone
    assert contents(config.out) == before
    assert analyse(config) == []


@pytest.mark.parametrize("chunk", [128, 512])
def test_chunks_decide_nothing(plain: Config, chunk: int, tmp_path: Path) -> None:
    bounds: dict[str, Any] = {"min_diameter_um": 0.8, "max_gratio": 0.8, "need_myelin": True}
    one, two = (replace(plain, out=tmp_path / f"{k}", chunk=k, **bounds) for k in (64, chunk))
    for config in (one, two):
        analyse(config)
    tables = [(config.out / "tables" / "fibers.parquet").read_bytes() for config in (one, two)]
    assert tables[0] == tables[1]
    assert axonflow.open(one.out).maps.equals(axonflow.open(two.out).maps)


def test_a_file_of_rules_says_what_flags_say(plain: Config, tmp_path: Path) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text('border = "all"\nmin_diameter_um = 1\nmax_gratio = 0.9\nmin_axon_area_um2 = 0.2\n')
    by_file = replace(plain, out=tmp_path / "file", rules=str(rules), max_gratio=0.8)
    by_flags = replace(
        plain, out=tmp_path / "flags", border="all", min_diameter_um=1, max_gratio=0.8, min_axon_area_um2=0.2
    )
    results = []
    for config in (by_file, by_flags):
        analyse(config)
        results.append(axonflow.open(config.out))
    pd.testing.assert_frame_equal(results[0].fibers, results[1].fibers)
    assert results[0].record["rules"] == {"border": "all", "diameter": [1, None], "gratio": [None, 0.8]}
    assert results[0].record["labels"]["min_axon_area_um2"] == 0.2


def test_report_viewer_and_exports_follow(plain: Config, tmp_path: Path) -> None:
    config = replace(plain, out=tmp_path / "out.ome.zarr", min_diameter_um=1.0)
    analyse(config)
    result = axonflow.open(config.out)
    frame, thin = result.left_out["frame"], result.left_out["diameter"]
    said = Report(write_report(result)).facts("left-out")
    assert said["cut by the border"].startswith(count(frame, "axon"))
    assert "counting frame" in said["cut by the border"]
    counting, cut = (len(rows) for rows in (result.counted_fibers(), result.left_out_by("frame", ["axon_id"])))
    assert f"density would differ by {cut / counting:+.1%}" in said["cut by the border"]
    assert said["left out by diameter"].startswith(count(thin, "axon"))
    assert "below 1:" in said["left out by diameter"]
    assert result.summary["axons"] == f"{counting} (of {len(result.fibers)} found)"
    inline = json.loads(segment_properties(result.fibers))["inline"]
    *_, tags = inline["properties"]
    for rule in ("diameter", "frame"):
        at = tags["tags"].index(f"left_out_{rule}")
        assert [at in each for each in tags["values"]] == (result.fibers[LEFT_OUT.name] == rule).tolist()
    features = json.loads(export_store(result, "geojson", tmp_path / "f.geojson").read_text())["features"]
    named = [int(each["properties"]["name"].split()[1]) for each in features]
    assert sorted({*named}) == result.counted_fibers()["axon_id"].tolist()
    mask = np.asarray(Image.open(export_store(result, "ads-mask", tmp_path / "m.png")))
    np.testing.assert_array_equal(mask, AXON_MYELIN.greys[result.counted.compute(scheduler="synchronous")])


def test_none_are_the_rules_of_axondeepseg(plain: Config, tmp_path: Path) -> None:
    """All that is found counts, as in its table: every component, by its own centroid and area."""
    config = replace(plain, out=tmp_path / "out", rules="none")
    analyse(config)
    result = axonflow.open(config.out)
    assert result.record["rules"] == {"border": "all"}
    assert result.record["labels"]["min_axon_area_um2"] == 0
    assert result.fibers[LEFT_OUT.name].isna().all()
    written = pd.read_csv(export_store(result, "ads-csv", tmp_path / "ads.csv"), index_col=0)
    from scipy import ndimage

    labels = bare_axons((170, 200), 3)
    axons, n = ndimage.label(labels == 2, np.ones((3, 3)))
    assert len(written) == len(result.counted_fibers()) == int(result.maps["axon_count"].sum()) == n
    np.testing.assert_allclose(written["axon_area (um^2)"], np.bincount(axons.ravel())[1:] * 0.01, rtol=1e-12)
    np.testing.assert_array_equal(result.counted.compute(scheduler="synchronous"), labels)


def test_rules_given_anew_take_the_place_of_those_before(plain: Config, tmp_path: Path) -> None:
    out = tmp_path / "out"
    first = ("run", plain.slide, "--labels", plain.labels, "--out", out, "--cell", 5, "--workers", 1)
    assert command(*first, "--min-diameter", 1, "--need-myelin").code == 0
    made = axonflow.open(out)
    assert made.record["rules"] == {"border": "frame", "diameter": [1, None], "myelin": True}
    assert set(made.left_out) == {"diameter", "myelin", "frame"}
    assert command("run", out, "--border", "all", "--workers", 1).code == 0
    assert axonflow.open(out).record["rules"] == {"border": "all", "diameter": [1, None], "myelin": True}
    assert command("run", out, "--rules", "none", "--workers", 1).code == 0
    assert axonflow.open(out).record["rules"] == {"border": "all"}
    assert axonflow.open(out).left_out == {}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("border = 3", "border was expected to be frame, inside or all, 3 came"),
        ("chunk = 64", "among min_axon_area_um2"),
        ("min_gratio = 2", "min_gratio was expected to be 0 to 1, 2 came"),
        ("min_diameter_um = 3\nmax_diameter_um = 2", "--min-diameter was expected not to be above --max-diameter"),
        ("border", "cannot be read"),
        (None, "cannot be read"),
    ],
)
def test_rules_that_cannot_be_are_refused(plain: Config, text: str | None, said: str, tmp_path: Path) -> None:
    rules = tmp_path / "rules.toml"
    if text is not None:
        rules.write_text(text)
    ran = command("run", plain.slide, "--labels", str(plain.labels), "--out", tmp_path / "out", "--rules", rules)
    assert ran.code == 2
    assert said in " ".join(ran.err.split())


@given(st.lists(st.sampled_from(("myelinated", "unmyelinated")), max_size=8), BOUNDS)
def test_axons_of_the_class_without_myelin_are_not_judged(kinds: list[str], bounds: dict[str, Any]) -> None:
    n = len(kinds)
    table = pd.DataFrame(
        {
            "kind": pd.Series(kinds, dtype=object),
            "image_border_touching": np.zeros(n, bool),
            **{name: np.full(n, 1e-9) for name in ("axon_area (um^2)", "axon_diam (um)", "solidity", "eccentricity")},
            **{name: np.full(n, np.nan) for name in ("gratio", "myelin_area (um^2)")},
        }
    )
    rules = Rules(diameter_um=(1.0, 2.0), need_myelin=bool(bounds.get("need_myelin")))
    said = left_out(table, rules, np.zeros(n, bool), np.zeros(n, bool))
    assert said.tolist() == ["diameter" if kind == "myelinated" else None for kind in kinds]


@pytest.mark.parametrize("rules", [Rules(eccentricity=(0, 0)), Rules(diameter_um=(0, 0)), Rules(gratio=(0, 0))])
def test_a_bound_of_nothing_is_a_bound(rules: Rules) -> None:
    assert rules.judges
    assert rules.to_json() != Rules().to_json()
