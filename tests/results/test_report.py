"""The report says what the store holds, whatever that is, and asks nobody for anything."""

from __future__ import annotations

import base64
import json
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image
from reports import Report
from slides import Classes, analyse, command, picture, tissue, write_labels, write_model, write_slide

import axonflow
from axonflow.errors import StoreError
from axonflow.kernel.words import area, density, memory, number, share
from axonflow.results.analysis import Analysis, open_store
from axonflow.results.figures.style import COLUMN_MM, PAGE_MM, PRINT_DPI
from axonflow.results.outlines import covered_pixels, region_pixels
from axonflow.results.report import keep_report, write_batch_report, write_report
from axonflow.results.report.methods import analysed_on, in_a_paper
from axonflow.results.report.origin import network_in_words, origin_facts
from axonflow.results.report.trust import left_out
from axonflow.results.report.words import Fact
from axonflow.stages.titles import stage_title
from axonflow.workflow.config import Config

DISTRIBUTIONS = ["diameter", "gratio", "gratio-by-diameter", "profile"]
FIGURES = ["slide", "detail", "maps", *DISTRIBUTIONS, "doubtful", "typical"]


class Reported(NamedTuple):
    """A store with its report."""

    result: Analysis
    report: Report


def run(folder: Path, classes: Classes, **settings: object) -> Analysis:
    """Run own labels of tissue."""
    slide = write_slide(folder / "slide.tif", picture(classes))
    given = {
        "labels": write_labels(folder / "labels.png", classes),
        "cell_um": 6.0,
        "chunk": 128,
        "border": "all",
    } | settings
    config = Config(slide, folder / "slide.ome.zarr", **given)  # type: ignore[arg-type]  # settings of any kind
    analyse(config)
    return open_store(config.out)


def make(folder: Path, classes: Classes, **settings: object) -> Reported:
    """Run own labels of tissue, and report it."""
    result = run(folder, classes, **settings)
    return Reported(result, Report(write_report(result)))


def polygons(path: Path, **outlines: list[tuple[int, int]]) -> Path:
    features = [
        {
            "type": "Feature",
            "properties": {"name": name},
            "geometry": {"type": "Polygon", "coordinates": [[*points, points[0]]]},
        }
        for name, points in outlines.items()
    ]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return path


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Reported:
    """All of the slide counts, an axon without myelin too."""
    classes = tissue((300, 380), 1)
    classes[278:298, 355:378] = 0
    classes[284:290, 362:370] = 2
    return make(tmp_path_factory.mktemp("plain"), classes)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Reported:
    """With a mask and two regions, one of which lies outside it; the names want care."""
    folder = tmp_path_factory.mktemp("drawn")
    mask = polygons(folder / "mask.geojson", all=[(20, 20), (300, 20), (300, 260), (20, 260)])
    regions = polygons(
        folder / "tracts.geojson",
        **{"<b>dorsal</b> & x": [(20, 20), (200, 20), (200, 150), (20, 150)]},
        outside=[(310, 0), (380, 0), (380, 300)],
    )
    return make(folder, tissue((300, 380), 1), mask=mask, regions=regions)


@pytest.fixture(scope="module")
def doubted(tmp_path_factory: pytest.TempPathFactory) -> Reported:
    """By a network that was trained on something else."""
    folder = tmp_path_factory.mktemp("doubted")
    model = write_model(folder)
    model.write_text(json.dumps(json.loads(model.read_text()) | {"familiar": {"texture": [0.9, 1]}}))
    slide = write_slide(folder / "slide.tif", picture(tissue((260, 300))))
    config = Config(slide, folder / "slide.ome.zarr", model=str(model), cell_um=25.0, chunk=128, border="all")
    analyse(config)
    result = open_store(config.out)
    return Reported(result, Report(write_report(result)))


def test_the_numbers_are_those_of_the_store(plain: Reported) -> None:
    result, numbers = plain.result, plain.report.numbers
    counted = result.counted.compute()
    avf, mvf = (counted == 2).mean(), (counted == 1).mean()
    diameter = result.fibers["axon_diam (um)"]
    mm2 = counted.size * 1e-8
    assert numbers == {
        "axons": (f"{len(diameter):,}", f"in {area(mm2)}"),
        "axon density": (density(len(diameter) / mm2), "axons per mm²"),
        "axon diameter": (f"{diameter.mean():.2f} µm", f"mean ± {diameter.std(ddof=0):.2f} µm"),
        "g-ratio": (f"{np.sqrt(avf / (avf + mvf)):.3f}", "of the tissue (aggregate): √(1 / (1 + MVF/AVF))"),
        "axon volume fraction": (f"{avf:.3f}", "AVF: part of the area that is axon"),
        "myelin volume fraction": (f"{mvf:.3f}", "MVF: part of the area that is myelin"),
    }


def test_a_paragraph_for_a_paper_holds_numbers_model_and_version(plain: Reported, doubted: Reported) -> None:
    for result, report in (plain, doubted):
        said = re.sub(r"\s+", " ", re.findall(r'<blockquote id="paper">(.*?)</blockquote>', report.source, re.S)[0])
        assert f"n = {len(result.fibers):,} axons" in said
        assert f"axonflow {result.record['versions']['axonflow-histology']}" in said
        assert analysed_on(result) in said
        assert f"{result.fibers['axon_diam (um)'].mean():.2f} ± " in said
        assert "nan" not in said
    assert doubted.result.record["model"]["sha256"][:12] in said
    assert "network tiny64" in said


def test_a_paragraph_for_a_paper_says_what_was_not_counted(tmp_path: Path) -> None:
    result = run(tmp_path, tissue((150, 210), 7), border="frame", max_gratio=0.8, axon_shape="ellipse")
    said = in_a_paper(result, result.counted_fibers())
    assert {"frame", "gratio"} <= result.left_out.keys()
    assert f"{result.left_out['frame']:,} axon" in said.partition("cut by the slide's lower or right side")[0]
    assert f"{result.left_out['gratio']:,} axons were not counted: a g-ratio above 0.8." in said
    assert "short axis of the ellipse" in said


def test_the_day_is_that_of_the_record_and_stays(plain: Reported) -> None:
    record = plain.result.record
    assert datetime.fromisoformat(record["analysed"]).tzinfo is not None
    old = replace(plain.result, record=record | {"analysed": "2025-03-09T23:59:59+00:00"})
    assert analysed_on(old) == "9 March 2025"
    assert analysed_on(replace(plain.result, record={})) == ""
    assert f"analysed on {analysed_on(plain.result)}" in plain.report.text


def test_doubt_without_a_network_is_of_the_axons_alone(plain: Reported) -> None:
    axons, report = plain.result.fibers, plain.report
    bare, cut = int((axons["myelin_area (um^2)"] == 0).sum()), int(axons["image_border_touching"].sum())
    assert bare > 0 < cut
    doubts = report.facts("doubts")
    assert list(doubts) == ["axons whose myelin is missing", "fibers at the border"]
    assert doubts["axons whose myelin is missing"].startswith(f"{bare} of {len(axons)} (")
    assert doubts["fibers at the border"].startswith(f"{cut} of {len(axons)} (")
    assert "no network can say" in report.text
    assert "as drawn in labels.png" in report.text
    assert "regions" not in report.tables
    assert report.figures == FIGURES
    assert [said.split()[-1] for said in report.warnings] == [each.id for each in plain.result.warnings]


def test_what_made_it_is_told(plain: Reported, doubted: Reported) -> None:
    for result, report in (plain, doubted):
        record = result.record
        stages = {row[0]: row[1:] for row in report.tables["steps"][1:]}
        assert list(stages) == [*map(stage_title, record["stages"]), "together"]
        for name, made in record["stages"].items():
            assert stages[stage_title(name)][2] == memory(made["peak_worker_bytes"])
        facts, programs = report.facts("settings"), report.facts("versions")
        assert record["slide"]["path"] in facts["slide"]
        assert record["slide"]["identity"][:16] in facts["slide"]
        assert facts["side of a cell of the maps"] == f"{record['config']['cell_um']:g} µm"
        assert all(f"{name} {version}" in programs["programs"] for name, version in record["versions"].items())
        assert record["host"]["name"] in programs["computer"]
    assert doubted.report.facts("settings")["fingerprint of the network"].startswith(
        doubted.result.record["model"]["sha256"]
    )
    busy = doubted.result.record["stages"]["segment"]["busy"]
    (row,) = [row for row in doubted.report.tables["steps"] if row[0] == stage_title("segment")]
    assert row[-1].replace("\N{NO-BREAK SPACE}", " ") == share(*busy.values()).replace("\N{NO-BREAK SPACE}", " ")


def test_a_network_in_unknown_land_is_warned_of_first(doubted: Reported) -> None:
    result, report = doubted
    mapped, seams = result.record["stages"]["map"], result.record["seams"]
    (warning,) = (said for said in report.warnings if said.endswith("unfamiliar"))
    assert "The one cell that can be judged looks" in warning
    assert report.source.index('class="warning"') < report.source.index('class="numbers"')
    doubts = report.facts("doubts")
    assert doubts["confidence"].startswith(f"{mapped['confidence']:.3f} ")
    assert doubts["cells unlike the training images"].startswith(f"{mapped['unfamiliar_cells']} ")
    for name, field in (
        ("pixels that depend on the cutting", "exact_halo_disagrees"),
        ("disagreement at the cuts", "neighbours_disagree"),
    ):
        assert doubts[name].startswith(share(seams[field]).replace("\N{NO-BREAK SPACE}", " ") + " of the pixels")
    assert seams["neighbours_disagree"] >= 0.05
    assert f"meet, {seams['neighbours_disagree']:.0%} of the labels" in result.summary["cuts"]
    assert "--halo mend" in result.summary["cuts"]
    assert "confidence" in report.figures
    assert "“tiny64” of your own" in report.text


def test_a_model_is_described_as_it_was_recorded(doubted: Reported) -> None:
    model = Path(doubted.result.record["config"]["model"])
    said = network_in_words(doubted.result)
    content = model.read_text()
    model.write_text("{")
    assert network_in_words(axonflow.open(doubted.result.store)) == said
    model.write_text(content)
    of_first_versions = {name: doubted.result.record["model"][name] for name in ("name", "sha256")}
    old = replace(doubted.result, record=doubted.result.record | {"model": of_first_versions})
    assert network_in_words(old).endswith("found by the network “tiny64”.")


def test_what_a_mask_leaves_out_counts_nowhere(drawn: Reported, plain: Reported) -> None:
    result, report = drawn
    count_ = int(result.maps["axon_count"].sum())
    assert 0 < count_ < len(result.fibers)
    y, x = (np.floor(result.fibers[f"{axis}0 (px)"].to_numpy() + 0.5) for axis in "yx")
    inside = (y >= 20) & (y < 260) & (x >= 20) & (x < 300)
    np.testing.assert_array_equal(result.counted_fibers()["axon_id"], result.fibers["axon_id"][inside])
    diameter = result.fibers["axon_diam (um)"][inside]
    assert report.numbers["axons"] == (str(count_), f"in {area(240 * 280 * 1e-8)}")
    assert report.numbers["axon diameter"][0] == f"{diameter.mean():.2f} µm"
    gone = report.facts("left-out")["outside the mask"]
    assert gone.startswith(area((300 * 380 - 240 * 280) * 1e-8))
    assert f"and {len(result.fibers) - count_} axons" in gone
    assert "outside a mask" in plain.report.facts("left-out")
    assert "yellow outline" in report.text
    assert "yellow outline" not in plain.report.text


def test_where_the_table_does_not_say_it_the_maps_stage_has_noted_which_axons_a_mask_covers(drawn: Reported) -> None:
    """As in stores of before there were rules; without the journal they are those of the cells that count."""
    journal = drawn.result.store / ".axonflow" / "journal" / "map"
    known = drawn.result.counted_fibers()["axon_id"].tolist()
    noted, guessed = (open_store(drawn.result.store) for _ in range(2))
    for each in (noted, guessed):
        vars(each)["decided"] = False
    assert noted.counted_fibers()["axon_id"].tolist() == known
    journal.rename(journal.with_name("away"))
    try:
        found = set(guessed.counted_fibers()["axon_id"])
    finally:
        journal.with_name("away").rename(journal)
    assert {*known} <= found < set(drawn.result.fibers["axon_id"])


def test_regions_have_their_rows(drawn: Reported) -> None:
    head, *rows = drawn.report.tables["regions"]
    assert len(head) == len(rows[0]) == 12
    for row, (_, known) in zip(rows, drawn.result.regions.iterrows(), strict=True):
        assert row[0] == known["region"]
        assert row[2] == str(known["axon_count"])
        assert row[4] == number(known["avf"], ".3f")
        assert row[7] == number(known["axon_diam_mean (um)"], ".2f")
    assert [row[0] for row in rows] == ["<b>dorsal</b> & x", "outside"]
    assert rows[1][2:5] == ["0", "–", "–"]
    assert "White outlines are the regions: &lt;b&gt;dorsal" in drawn.report.source


def test_what_was_drawn_is_read_again_where_it_can_be(drawn: Reported) -> None:
    shape = (150, 190)
    inside = np.zeros(shape, bool)
    inside[10:130, 10:150] = True
    np.testing.assert_array_equal(covered_pixels(drawn.result, shape), inside)
    regions = region_pixels(drawn.result, shape)
    assert list(regions) == ["<b>dorsal</b> & x", "outside"]
    inside[75:], inside[:, 100:] = False, False
    np.testing.assert_array_equal(regions["<b>dorsal</b> & x"], inside)
    paths = [Path(drawn.result.record["config"][name]) for name in ("mask", "regions")]
    for path in paths:
        path.rename(path.with_suffix(".away"))
    cells = covered_pixels(drawn.result, shape)
    assert not region_pixels(drawn.result, shape)
    for path in paths:
        path.with_suffix(".away").rename(path)
    side, maps = drawn.result.maps.attrs["cell_side_um"], drawn.result.maps
    y, x = ((np.arange(n) + 0.5) * 0.2 // side for n in shape)  # two pixels of the slide to one of these
    half = maps["covered_area"].to_numpy() >= 0.5 * (side / 1000) ** 2
    assert cells is not None
    np.testing.assert_array_equal(cells[:, :150], half[np.ix_(y.astype(int), x[:150].astype(int))])
    assert not cells[:, 160:].any()


def test_what_is_too_small_or_too_far_is_told(tmp_path: Path) -> None:
    classes = tissue((300, 380), 1)
    result = run(tmp_path, classes, min_axon_area_um2=0.5, max_myelin_um=0.3)
    semantic, ids = result.labels["semantic"].compute(), result.labels["axons"].compute()
    lost = (ids[semantic == 2] == 0).mean()
    assert lost > 0
    told = {fact.name: fact for fact in left_out(result, result.fibers)}
    assert told["too small"].value == share(lost)
    assert "smaller than 0.5 µm²" in told["too small"].note
    far = result.record["stages"]["measure"]["myelin_px_beyond_reach"]
    assert far > 0
    assert told["myelin out of reach"].value == area(far * 1e-8)
    assert Fact("smallest axon", "0.5 µm²") in origin_facts(result)


@pytest.mark.parametrize("axons", [0, 1])
def test_hardly_anything_to_report(tmp_path: Path, axons: int) -> None:
    classes = np.zeros((90, 110), np.uint8)
    if axons:
        away = np.hypot(*(np.mgrid[:90, :110] - 45))
        classes[away < 20] = 1
        classes[away < 12] = 2
    result, report = make(tmp_path, classes)
    assert len(result.fibers) == axons
    assert report.numbers["axons"][0] == str(axons)
    assert report.figures == (FIGURES[:-1] if axons else ["slide", "maps"])
    assert any(said.endswith("no-axons") for said in report.warnings) == (not axons)
    assert report.numbers["g-ratio"][0] == ("–" if not axons else number(float(result.fibers["gratio"][0]), ".3f"))


def test_axons_without_any_myelin_have_no_gratio(tmp_path: Path) -> None:
    result, report = make(tmp_path, tissue((200, 200)) // 2 * 2)
    assert len(result.fibers) > 1
    assert report.figures == [name for name in FIGURES if not name.startswith(("gratio", "typical"))]
    assert report.numbers["g-ratio"][0] == "–"


def test_nothing_lies_outside_the_file(plain: Reported, drawn: Reported, doubted: Reported) -> None:
    for _, report in (plain, drawn, doubted):
        assert all(
            image.startswith(("data:image/svg+xml;base64,", "data:image/jpeg;base64,")) for image in report.images
        )
        assert report.links == ["data:,"]
        assert not re.search(r"<script|@import|url\(|https?:|javascript:", report.source)
        for image in report.images:
            kind, content = image.split(",", 1)
            if "svg" in kind:
                svg = base64.b64decode(content).decode()
                assert "<script" not in svg
                ET.fromstring(svg)
                assert not re.search(r'href="(?!#|data:)', svg)


def test_figures_are_as_wide_as_in_print(plain: Reported) -> None:
    figures = plain.result.store / "figures"
    assert {path.name for path in figures.iterdir()} == {
        "overlay.png",
        *(f"{name}.{ending}" for name in FIGURES for ending in ("svg", "png")),
    }
    for name in FIGURES:
        mm = PAGE_MM if name in {"maps", "doubtful", "typical"} else COLUMN_MM
        with Image.open(figures / f"{name}.png") as drawn:
            assert drawn.width == pytest.approx(mm / 25.4 * PRINT_DPI, abs=1)
            assert drawn.info["dpi"] == pytest.approx((PRINT_DPI, PRINT_DPI), abs=0.1)
        points = ET.parse(figures / f"{name}.svg").getroot().attrib["width"]
        assert float(points.removesuffix("pt")) == pytest.approx(mm / 25.4 * 72, abs=0.1)


def test_the_same_store_gives_the_same_bytes(drawn: Reported) -> None:
    def contents() -> dict[str, bytes]:
        store = drawn.result.store
        return {path.name: path.read_bytes() for path in (*(store / "figures").iterdir(), store / "report.html")}

    before = contents()
    write_report(open_store(drawn.result.store))
    assert contents() == before
    assert not list(drawn.result.store.glob(".*part*"))


def test_a_report_is_kept_until_something_changes(tmp_path: Path) -> None:
    classes = tissue((120, 140), 3)
    slide = write_slide(tmp_path / "slide.tif", picture(classes))
    labels = write_labels(tmp_path / "labels.png", classes)
    ran = command("run", slide, "--labels", labels, "--cell", 5, "--workers", 1)
    report = tmp_path / "slide.ome.zarr" / "report.html"
    assert ran.code == 0
    assert f"report  {report}" in ran.out
    report.write_text("as it was")
    assert keep_report(open_store(report.parent)) == report
    assert report.read_text() == "as it was"
    assert command("map", report.parent, "--cell", 6, "--workers", 1).code == 0
    assert not report.exists()
    assert command("report", report.parent).out == f"report  {report}\n"
    assert Report(report).facts("settings")["side of a cell of the maps"] == "6 µm"
    with pytest.raises(StoreError, match=r"run\.json nor"):
        write_batch_report(tmp_path)
    assert command("report", tmp_path).code == 2


def test_a_batch_is_compared(tmp_path: Path) -> None:
    for seed in range(2):
        classes = tissue((150, 170 + 20 * seed), seed)
        write_slide(tmp_path / f"s{seed}.tif", picture(classes, seed=seed))
        write_labels(tmp_path / f"s{seed}.png", classes)
    (tmp_path / "cords.csv").write_text("slide,level,labels\ns0.tif,C3,s0.png\ns1.tif,C5 & C6,s1.png\ngone.tif,T1,\n")
    folder = tmp_path / "cords"
    ran = command("batch", tmp_path / "cords.csv", "--cell", 6, "--workers", 1)
    assert ran.code == 1
    assert f"written: {folder / 'report.html'}" in ran.out
    report = Report(folder / "report.html")
    _, *rows = report.tables["slides"]
    assert [row[0] for row in rows] == ["C3", "C5 & C6", "T1"]
    assert rows[2][1] == "failed: gone.tif"
    for row, seed in zip(rows, (0, 1), strict=False):
        result = open_store(folder / f"s{seed}.ome.zarr")
        assert row[2] == f"{len(result.counted_fibers()):,}"
        assert row[7] == f"{result.counted_fibers()['axon_diam (um)'].mean():.2f}"
        assert (result.store / "report.html").exists()
    assert report.links == ["data:,", "s0.ome.zarr/report.html", "s1.ome.zarr/report.html"]
    assert report.numbers["slides"] == ("2", "of 3 are done")
    assert report.figures == ["distributions", "maps"]
    assert "A slide was expected" in report.facts("told")["T1"]
    before = (folder / "report.html").read_bytes()
    assert command("report", folder).code == 0
    assert (folder / "report.html").read_bytes() == before
