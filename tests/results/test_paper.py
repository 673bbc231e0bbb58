"""Figures for a paper: their files, their width, their text, and the limits of several stores."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from batch_folders import Finished
from matplotlib.figure import Figure
from slides import command

from axonflow.errors import InputError
from axonflow.results.analysis import open_store
from axonflow.results.cells import colour_range
from axonflow.results.paper import draw_figure, width_in_mm


@pytest.fixture
def stores(masked_batch: Finished) -> list[Path]:
    return [Path(store) for store in masked_batch.table["store"]][:2]


@pytest.mark.parametrize("n", [1, 2])
def test_three_files_hold_text_and_are_as_wide_as_was_asked(stores: list[Path], tmp_path: Path, n: int) -> None:
    ran = command(
        "figure", *stores[:n], "--maps", "density,gratio", "--width", "120mm", "--out", tmp_path / "figure.pdf"
    )
    assert ran.code == 0, ran.err
    svg = ET.parse(tmp_path / "figure.svg").getroot()
    assert float(svg.attrib["width"].removesuffix("pt")) == pytest.approx(120 / 25.4 * 72, rel=1e-3)
    words = " ".join("".join(text.itertext()) for text in svg.iter("{http://www.w3.org/2000/svg}text"))
    assert "axon density" in words
    assert "µm" in words
    pdf = (tmp_path / "figure.pdf").read_bytes()
    assert b"/FontFile2" in pdf
    assert b"/Type3" not in pdf
    assert b"CreationDate" not in pdf
    assert (tmp_path / "figure.png").stat().st_size > 1000


def test_equal_stores_give_equal_files(stores: list[Path], tmp_path: Path) -> None:
    results = [open_store(store) for store in stores]
    first, second = (draw_figure(results, ["avf"], 100, tmp_path / name) for name in ("a", "b"))
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_several_stores_have_the_same_limits(stores: list[Path], tmp_path: Path, drawn: list[Figure]) -> None:
    results = [open_store(store) for store in stores]
    draw_figure(results, ["diameter"], 100, tmp_path / "a")
    images = [image for axes in drawn[0].axes for image in axes.images]
    low, high, _ = colour_range([result.maps for result in results], "axon_diameter_mean")
    assert len(images) == 2
    assert {(image.norm.vmin, image.norm.vmax) for image in images} == {(low, high)}


@pytest.mark.parametrize("side", [0.0, 20.0])
def test_sizes_of_cells_stand_above_the_slides_and_on_the_terminal_if_they_differ(
    stores: list[Path], tmp_path: Path, drawn: list[Figure], monkeypatch: pytest.MonkeyPatch, side: float
) -> None:
    results = [open_store(store) for store in stores]
    same = float(results[0].maps.attrs["cell_side_um"])
    assert float(results[1].maps.attrs["cell_side_um"]) == same != 20.0
    if side:
        ran = command("run", stores[1], "--cell", "20", "--out", tmp_path / "other.ome.zarr")
        assert ran.code == 0, ran.err
    other = tmp_path / "other.ome.zarr" if side else stores[1]
    ran = command("figure", stores[0], other, "--maps", "avf", "--out", tmp_path / "figure")
    assert ran.code == 0, ran.err
    said = [line for line in ran.out.splitlines() if line.startswith("sizes of cells differ")]
    above = re.findall(r">cells of ([\d.]+) µm<", (tmp_path / "figure.svg").read_text())
    assert [float(each) for each in above] == ([same, 20.0] if side else [])
    assert len(said) == bool(side)
    assert not side or all(f" {each:g} µm" in said[0] for each in (same, 20.0))


def test_the_files_lie_beside_the_first_store(stores: list[Path]) -> None:
    paths = draw_figure([open_store(stores[0])], ["avf"], 60)
    assert {path.parent for path in paths} == {stores[0].resolve().parent}
    for path in paths:
        path.unlink()


@pytest.mark.parametrize(("text", "mm"), [("180mm", 180), ("85", 85), ("8.5 cm", 85), ("7in", 177.8)])
def test_a_width_has_a_unit(text: str, mm: float) -> None:
    assert width_in_mm(text) == pytest.approx(mm)


@pytest.mark.parametrize("text", ["", "wide", "-3mm", "2mm", "9000mm", "nan", "1e3mm", "10px"])
def test_a_width_that_no_page_has_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="--width was expected"):
        width_in_mm(text)


def test_a_map_that_is_not_there_is_refused_with_those_that_are(stores: list[Path]) -> None:
    ran = command("figure", stores[0], "--maps", "density,speed")
    assert ran.code == 2
    assert "speed came" in ran.err
    assert "gratio_aggregate" in ran.err
