"""What cannot be right is said, each by its identifier, and nothing is said of what can be."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image
from slides import command, picture, tissue, write_labels, write_masks, write_model, write_slide

import axonflow
from axonflow.fiber.overlap import Overlap
from axonflow.slide.scale import Claim, believe
from axonflow.stages.annotation import Fit
from axonflow.workflow.evidence import Evidence
from axonflow.workflow.sense import RULES, judge
from axonflow.workflow.signs.unit import Doubt

SOUND = Evidence(
    shape=(1000, 2000),
    pixel_um=(0.1, 0.1),
    pixel_size_source="TIFF resolution",
    cells=8,
    cell_um=50.0,
    fitting_um=20.0,
    coloured=0.0,
    model="sem",
    model_um=0.1,
    scale=1.0,
    greys=2,
    extreme=(0.05, "brightest"),
    beyond=0.0,
    avf=0.3,
    mvf=0.3,
    area_mm2=0.02,
    axons=800,
    diameter_um=2.0,
    density_mm2=40_000.0,
    enclosed=(0.9, 0.0),
    coarseness=0.9,
    coarse_limits=(0.7, 1.06),
    solidity=0.95,
    judged_px=2_000_000,
    unfamiliar=0.1,
)
"""Of a slide of which nothing is wrong."""

SCREEN, THOUSAND = (believe([Claim("TIFF", side, side), Claim("BIDS", 0.1, 0.1)])[1] for side in (25_400 / 72, 93.75))
"""A resolution that programs write whatever the image shows, and nm that were written as µm."""

UNREAD = {"tiles": 0, "not_finite_px": 0, "share": 0.0, "bad_tiles": []}
TILE = {"row": 2, "column": 1, "y_um": [12.8, 19.2], "x_um": [6.4, 12.8], "why": ""}

BESIDE: dict[str, list[tuple[dict[str, Any], bool]]] = {
    "same-file": [({"twice": (("the slide", "--labels", "a.png"),)}, True)],
    "one-value": [({"alike": (("a.png", "drawn"),)}, True)],
    "mask-proportions": [
        ({"drawings": (Fit(Path("a.png"), shape=(500, 500)),)}, True),
        ({"drawings": (Fit(Path("a.png"), shape=(10, 20)),)}, False),
        ({"drawings": (Fit(Path("a.png"), shape=(5, 11)),)}, False),  # a thumbnail is rounded to whole pixels
    ],
    "off-slide": [({"drawings": (Fit(Path("a.json"), off=("cst",)),)}, True)],
    "outlines-unit": [({"in_um": (Doubt("a.json", "are small", "--mask-unit"),)}, True)],
    "regions-overlap": [({"drawings": (Fit(Path("a.json"), overlaps=(Overlap("a", "b", 0.25),)),)}, True)],
    "left-out": [({"drawings": (Fit(Path("a.json"), left_out=("a point",)),)}, True)],
    "soft-edges": [({"between": 0.03}, True), ({"between": 0.01}, False)],
    "masks-unrelated": [
        ({"contrast": 0.59}, True),
        ({"contrast": -0.59}, True),
        ({"contrast": 0.0}, True),
        ({"contrast": 1.1}, False),
        ({"contrast": -1.1}, False),
    ],
    "myelin-covered": [({"covered": 0.91}, True), ({"covered": 0.9}, False)],
    "masks-contested": [({"contested": 0.21}, True), ({"contested": 0.2}, False)],
    "pixel-size-given": [
        ({"stated_um": (1.0, 1.0)}, True),
        ({"stated_um": (0.0001, 0.0001)}, True),
        ({"stated_um": (0.102, 0.102)}, False),
    ],
    "pixel-size-source": [
        ({"pixel_size_source": "OME (0.1 × 0.1 µm was taken; TIFF disagrees: 1 × 1 µm)"}, True),
        ({"pixel_size_source": SCREEN}, False),
        ({"pixel_size_source": THOUSAND}, True),
    ],
    "model-scale": [({"scale": 3.1}, True), ({"scale": 3.0}, False)],
    "nnunet-scale": [
        ({"scale": 7.0, "model_sees_um": (0.5, 0.07)}, True),
        ({"scale": 3.0, "model_sees_um": (0.3, 0.1)}, False),
        ({"scale": 7.0}, False),
    ],
    "info-bar-kept": [({"bar_rows": 64}, True)],
    "not-measured": [
        ({"unmeasured": UNREAD | {"tiles": 1, "share": 0.1, "bad_tiles": [TILE]}, "touching": 3}, True),
        ({"unmeasured": UNREAD | {"not_finite_px": 1, "share": 1e-12}}, True),
        ({"unmeasured": UNREAD}, False),
    ],
    "image-blank": [
        ({"blank": {"share": 0.02, "grey": 255.0, "first_um": [0.0, 6.4]}}, True),
        ({"blank": {"share": 0.01, "grey": 255.0, "first_um": [0.0, 6.4]}}, False),
        ({"blank": {"share": 0.9, "grey": 255.0, "first_um": [0.0, 6.4]}, "greys": 1}, False),  # it is constant
    ],
    "image-coloured": [({"coloured": 0.3}, True), ({"coloured": 0.1}, False)],
    "image-constant": [({"greys": 1}, True)],
    "image-saturated": [
        ({"extreme": (0.4, "darkest")}, True),
        ({"extreme": (0.3, "darkest")}, False),
        ({"extreme": (1.0, "darkest"), "greys": 1}, False),  # it is constant
    ],
    "image-inverted": [
        ({"inverted": (0.01, 0.3)}, True),
        ({"inverted": (0.01, 0.02)}, False),
        ({"inverted": (0.11, 0.12)}, False),
    ],
    "too-small-to-judge": [({"judged_px": 900, "too_few": True}, True)],
    "unfamiliar": [
        ({"unfamiliar": 0.51, "unfamiliar_words": "All that counts looks"}, True),
        ({"unfamiliar": 0.5}, False),
    ],
    "scale-unfamiliar": [
        ({"coarseness": 0.69}, True),
        ({"coarseness": 0.7}, False),
        ({"coarseness": 1.06}, False),
        ({"coarseness": 1.07}, True),
        ({"coarseness": None}, False),
    ],
    "axons-ragged": [
        ({"solidity": 0.86}, True),
        ({"solidity": 0.87}, False),
        ({"solidity": 0.86, "axons": 4}, False),
        ({"solidity": None}, False),
    ],
    "nothing-counts": [({"area_mm2": 0.0, "axons": 0}, True)],
    "no-axons": [({"axons": 0}, True), ({"axons": 0, "area_mm2": 0.0}, False)],
    "one-label": [({"one_label": "myelin"}, True)],
    "avf-large": [({"avf": 0.91}, True), ({"avf": 0.9}, False)],
    "axon-myelin-swapped": [
        ({"enclosed": (0.0, 0.8)}, True),
        ({"enclosed": (0.4, 0.3)}, False),
        ({"enclosed": (0.0, 0.05)}, False),
    ],
    "no-myelin": [({"bare": 800}, True), ({"bare": 799}, False), ({"axons": 0}, False)],
    "axons-bare": [({"bare": 401}, True), ({"bare": 400}, False), ({"bare": 800}, False)],
    "unmyelinated-diameter": [
        ({"unmyelinated_um": 3.1}, True),
        ({"unmyelinated_um": 3.0, "diameter_um": 4.0, "unmyelinated": 9}, False),
        ({"unmyelinated_um": 2.1, "unmyelinated": 5}, True),
        ({"unmyelinated_um": 2.1, "unmyelinated": 4}, False),
        ({"unmyelinated_um": 1.9, "unmyelinated": 500}, False),
    ],
    "myelin-out-of-reach": [({"beyond": 0.06}, True), ({"beyond": 0.05}, False)],
    "axons-specks": [
        ({"specks": (17, 0), "label_um2": 0.01}, True),
        ({"specks": (16, 0), "label_um2": 0.01}, False),
        ({"specks": (0, 2), "unmyelinated": 99, "label_um2": 0.01}, True),
        ({"specks": (0, 2), "unmyelinated": 100, "label_um2": 0.01}, False),
    ],
    "axon-diameter": [({"diameter_um": um}, not 0.2 <= um <= 20) for um in (0.19, 0.2, 20.0, 20.1)],
    "axon-density": [({"density_mm2": n}, not 1e3 <= n <= 5e6) for n in (999.0, 1e3, 2.5e6, 5.1e6)],
    "few-cells": [({"cells": n}, 0 < n < 5) for n in (0, 1, 4, 5)],
}
"""What to change of it, and whether that is said."""


def test_nothing_is_said_of_what_is_sound() -> None:
    assert judge(SOUND) == ()


def test_every_warning_has_its_case() -> None:
    assert list(BESIDE) == [rule.id for rule in RULES]
    assert all(any(said for _, said in cases) for cases in BESIDE.values())


@pytest.mark.parametrize(("id_", "changed", "said"), [(i, *case) for i, cases in BESIDE.items() for case in cases])
def test_a_warning_is_given_where_its_condition_holds(id_: str, changed: dict[str, Any], said: bool) -> None:
    given = [each for each in judge(replace(SOUND, **changed)) if each.id == id_]
    assert bool(given) == said
    for each in given:
        assert each.message == each.message.strip()
        assert not set("{}") & set(each.message)
        assert json.loads(json.dumps(each.to_json())) == each.to_json() | {
            "values": {name: list(v) if isinstance(v, tuple) else v for name, v in each.values.items()}
        }


@pytest.mark.parametrize(("judged_um", "lost"), [(19.0, False), (20.0, False), (21.0, True)])
def test_cells_too_small_to_be_judged_are_not_advised_without_a_word(judged_um: float, lost: bool) -> None:
    (given,) = judge(replace(SOUND, cells=4, fitting_um=20.0, judged_um=judged_um, density_mm2=60_000.0))
    assert given.message.count("--cell 20") == 1
    assert ("In cells of less than 21 µm nothing says" in given.message) == lost


@pytest.mark.parametrize(("per_mm2", "useless"), [(48_000, True), (51_000, False)])
def test_cells_of_too_few_axons_are_not_advised(per_mm2: float, useless: bool) -> None:
    (given,) = judge(replace(SOUND, cells=4, fitting_um=20.0, axons=100, density_mm2=per_mm2))
    assert ("too few axons to differ by more than chance" in given.message) == useless
    assert (", or smaller cells: --cell 20." in given.message) != useless


@pytest.mark.parametrize("id_", [rule.id for rule in RULES if rule.of_network])
def test_a_networks_run_is_not_told_of_masks(id_: str) -> None:
    changed = next(changed for changed, said in BESIDE[id_] if said)
    for model, of_masks in (("sem", False), ("", True)):
        (given,) = (each for each in judge(replace(SOUND, **changed, model=model)) if each.id == id_)
        assert ("mask" in given.message) == of_masks


def test_a_mask_of_axons_alone_is_thought_of_where_a_network_finds_hardly_anything_else() -> None:
    (given,) = judge(replace(SOUND, avf=0.95, masked=True))
    assert "does --mask draw axons alone?" in given.message


def test_before_a_run_nothing_of_its_result_is_said() -> None:
    bare = Evidence(shape=(10, 10), pixel_um=(0.1, 0.1), pixel_size_source="TIFF resolution")
    assert judge(bare) == ()


SHAPE = (300, 420)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A slide whose masks are right."""
    folder = tmp_path_factory.mktemp("desk")
    classes = tissue(SHAPE)
    write_slide(folder / "slide.tif", picture(classes))
    write_labels(folder / "labels.png", classes)
    write_masks(folder, classes)
    for name, grey in (("nothing", 0), ("everything", 255), ("all-myelin", 127)):
        Image.fromarray(np.full(SHAPE, grey, np.uint8)).save(folder / f"{name}.png")
    axon, myelin = (np.asarray(Image.open(folder / f"{name}.png")) > 0 for name in ("axon", "myelin"))
    for name, drawn in (("inverted", ~axon), ("fibers", axon | myelin)):
        Image.fromarray(drawn.astype(np.uint8) * 255).save(folder / f"{name}.png")
    nearly = np.full(SHAPE, 255, np.uint8)
    nearly[:10], nearly[10:20] = 0, 127
    Image.fromarray(nearly).save(folder / "nearly.png")
    Image.fromarray(np.array([[0], [255]], np.uint8).repeat(40, 0)).save(folder / "tall.png")
    specks = axon.copy()
    specks[2::40, 2::40] = True
    Image.fromarray(specks.astype(np.uint8) * 255).save(folder / "specks.png")
    return folder


MASKS = ("--axon-mask", "axon.png", "--myelin-mask", "myelin.png")

USES = {
    "right": ((*MASKS,), set()),
    "no axons": (("--labels", "nothing.png"), {"no-axons", "one-label", "one-value"}),
    "all axon": (("--labels", "everything.png"), {"avf-large", "one-label", "one-value"}),
    "all myelin": (("--labels", "all-myelin.png"), {"no-axons", "one-label", "one-value"}),
    "nearly all axon": (("--labels", "nearly.png"), {"avf-large"}),
    "specks": (("--axon-mask", "specks.png", "--myelin-mask", "myelin.png"), {"axons-specks"}),
    "specks left out": (
        ("--axon-mask", "specks.png", "--myelin-mask", "myelin.png", "--min-axon-area", "0.05"),
        set(),
    ),
    "swapped": (("--axon-mask", "myelin.png", "--myelin-mask", "axon.png"), {"axon-myelin-swapped"}),
    "axons are black": (("--axon-mask", "inverted.png", "--myelin-mask", "myelin.png"), {"myelin-covered"}),
    "fibers for axons": (("--axon-mask", "fibers.png", "--myelin-mask", "myelin.png"), {"myelin-covered"}),
    "fibers for myelin": (("--axon-mask", "axon.png", "--myelin-mask", "fibers.png"), set()),
    "region of interest is the axon mask": ((*MASKS, "--mask", "axon.png"), {"same-file", "avf-large", "one-label"}),
    "nothing counts": ((*MASKS, "--mask", "nothing.png"), {"nothing-counts", "one-value"}),
    "other proportions": ((*MASKS, "--mask", "tall.png"), {"mask-proportions"}),
    "pixel size ten times the file's": (
        (*MASKS, "--pixel-size", "1", "--cell", "50"),
        {"pixel-size-given", "axon-density"},
    ),
    "one cell": ((*MASKS, "--cell", "100"), {"few-cells"}),
}


@pytest.mark.parametrize("use", USES)
def test_a_user_is_told(desk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, use: str) -> None:
    words, expected = USES[use]
    monkeypatch.chdir(desk)
    cells = () if "--cell" in words else ("--cell", "5")
    ran = command("run", "slide.tif", *words, *cells, "--out", tmp_path / "out", "--workers", 1)
    assert ran.code == 0, ran.err
    told = axonflow.open(tmp_path / "out").warnings
    assert expected <= {each.id for each in told}
    if not expected:
        assert not told
    end = ran.out.partition("axons")[2]
    info, report = command("info", tmp_path / "out").out, (tmp_path / "out" / "report.html").read_text()
    for each in told:
        assert f"warning {each.id}: {each.message}" in end
        assert f"warning {each.id}: {each.message}" in info
        assert f"<code>{each.id}</code>" in report


def outlined(path: Path, **squares: tuple[float, float, float]) -> Path:
    """Write squares by name: x, y and side."""
    corners = ((0, 0), (1, 0), (1, 1), (0, 1))
    features = [
        {
            "type": "Feature",
            "properties": {"name": name},
            "geometry": {"type": "Polygon", "coordinates": [[[x + side * i, y + side * j] for i, j in corners]]},
        }
        for name, (x, y, side) in squares.items()
    ]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return path


def test_a_user_is_told_of_outlines_before_the_run_and_after(
    desk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The slide has 30 × 42 µm."""
    monkeypatch.chdir(desk)
    tracts = outlined(tmp_path / "tracts.geojson", gracile=(100, 60, 200), cuneate=(200, 60, 200), apart=(10, 10, 50))
    small = outlined(tmp_path / "um.geojson", cord=(2, 2, 25))
    drawings = ("--mask", small, "--regions", tracts)
    ran = command("run", "slide.tif", *MASKS, *drawings, "--cell", 5, "--out", tmp_path / "out", "--workers", 1)
    assert ran.code == 0, ran.err
    told = {each.id: each for each in axonflow.open(tmp_path / "out").warnings}
    for id_, words in (
        ("outlines-unit", "in pixels that is a corner of the slide of 300 × 420 px .* --mask-unit um"),
        ("regions-overlap", "the first in the file has the place: 50% of cuneate belongs to gracile. Draw or export"),
    ):
        assert re.search(words, told[id_].message)
        assert ran.out.count(f"warning {id_}: {told[id_].message}") == 2
    again = command("run", tmp_path / "out", "--mask-unit", "um", "--workers", 1)
    assert again.code == 0, again.err
    assert "outlines-unit" not in {each.id for each in axonflow.open(tmp_path / "out").warnings}


def test_what_is_known_is_said_before_the_run(desk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(desk)
    ran = command("segment", "slide.tif", "--labels", "nothing.png", "--out", tmp_path / "out", "--workers", 1)
    assert "warning one-value: " in ran.out.partition("segment: done")[0]
    assert [each["id"] for each in json.loads((tmp_path / "out" / "run.json").read_text())["warnings"]] == [
        "one-value",
        "few-cells",
    ]


@pytest.mark.parametrize("kind", ["constant", "saturated", "coloured", "grey in colours"])
def test_images_that_show_nothing_a_network_knows(tmp_path: Path, kind: str) -> None:
    grey = picture(tissue((300, 320)))
    pixels = {
        "constant": np.full_like(grey, 117),
        "saturated": np.where(grey > 110, np.uint8(255), grey),
        "coloured": np.stack([grey, grey // 3, grey // 2 + 90], axis=-1),
        "grey in colours": np.stack([grey] * 3, axis=-1),
    }[kind]
    slide = tmp_path / "slide.tif"
    colours = {"photometric": "rgb"} if pixels.ndim == 3 else {}
    tifffile.imwrite(slide, pixels, resolution=(1e5, 1e5), resolutionunit="CENTIMETER", **colours)
    result = axonflow.run(slide, model=str(write_model(tmp_path)), cell=5.0, workers=1)
    expected = {"constant": {"image-constant"}, "saturated": {"image-saturated"}, "coloured": {"image-coloured"}}
    assert {each.id for each in result.warnings if each.id.startswith("image-")} == expected.get(kind, set())


@pytest.mark.parametrize(("range_", "said"), [((0.0, 0.01), "coarser"), ((3.0, 3.1), "finer"), ((0.0, 3.0), "")])
def test_a_slide_at_another_scale_than_the_training_images(
    tmp_path: Path, range_: tuple[float, float], said: str
) -> None:
    write_slide(tmp_path / "slide.tif", picture(tissue((256, 270))))
    model = write_model(tmp_path)
    contract = json.loads(model.read_text())
    model.write_text(json.dumps(contract | {"coarseness": range_}))
    result = axonflow.run(tmp_path / "slide.tif", model=str(model), cell=5.0, workers=1)
    told = [each.message for each in result.warnings if each.id == "scale-unfamiliar"]
    assert len(told) == bool(said)
    assert all(f"What the slide shows is {said} than" in each for each in told)


def test_what_does_not_count_is_not_judged(tmp_path: Path) -> None:
    """Nothing is judged by a mask that leaves out all but a corner."""
    write_slide(tmp_path / "slide.tif", picture(tissue((256, 270))))
    model = write_model(tmp_path)
    model.write_text(json.dumps(json.loads(model.read_text()) | {"coarseness": (0.0, 0.01)}))
    corner = np.zeros((256, 270), np.uint8)
    corner[:100, :100] = 255
    Image.fromarray(corner).save(tmp_path / "corner.png")
    result = axonflow.run(tmp_path / "slide.tif", model=str(model), mask=tmp_path / "corner.png", cell=5.0, workers=1)
    assert "scale-unfamiliar" not in {each.id for each in result.warnings}


def test_an_older_store_has_none(desk: Path, tmp_path: Path) -> None:
    axonflow.run(desk / "slide.tif", tmp_path / "out", labels=desk / "nothing.png", cell=5.0, workers=1)
    record = tmp_path / "out" / "run.json"
    content = json.loads(record.read_text())
    del content["warnings"]
    record.write_text(json.dumps(content))
    for later in ("run.json", "record.sha256"):
        (tmp_path / "out" / ".axonflow" / later).unlink()
    assert axonflow.open(tmp_path / "out").warnings == ()
    again = axonflow.run(tmp_path / "out", workers=1)
    assert {each.id for each in again.warnings} >= {"no-axons"}
