"""``axonflow score``: whatever holds prediction and truth, the numbers are those of their classes on one grid."""

from __future__ import annotations

import csv
import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from math import isnan
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from slides import analyse, command, picture, tissue, write_labels, write_model, write_slide

import axonflow
from axonflow.kernel.classes import WITH_UNMYELINATED
from axonflow.kernel.units import PixelSize
from axonflow.net.checkpoint import Checkpoint
from axonflow.ngff import Pyramid
from axonflow.results.export import export_store
from axonflow.training.score import score, without_small_axons
from axonflow.workflow.config import Config

Classes = NDArray[np.uint8]

SHAPE = (220, 290)
TRUTH, OTHER = tissue(SHAPE, 4), np.roll(tissue(SHAPE, 4), 2, axis=1)
SIZE = PixelSize.square(0.1)
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Labels, and a run on other ones that left small axons out."""
    folder = tmp_path_factory.mktemp("score")
    write_labels(folder / "truth.png", TRUTH)
    write_labels(folder / "other.png", OTHER)
    slide = write_slide(folder / "slide.tif", picture(TRUTH))
    store = folder / "slide.ome.zarr"
    analyse(Config(slide, store, labels=folder / "other.png", min_axon_area_um2=0.9, cell_um=7.0))
    return folder


def rows_of(file: Path) -> dict[str, str]:
    with file.open(newline="", encoding="utf-8") as stream:
        (row,) = csv.DictReader(stream)
    return row


def scored(folder: Path, *arguments: object) -> tuple[dict[str, float], str]:
    """Run the command; return the numbers it wrote and what it said, in one line."""
    file = folder / "scores.csv"
    ran = command("score", *arguments, "--csv", file)
    assert ran.code == 0, ran.err
    row = rows_of(file)
    assert (row.pop("prediction"), row.pop("truth"), row.pop("trained_on")) == (*map(str, arguments[:2]), "")
    return {name: float(value) for name, value in row.items()}, " ".join(ran.out.split())


def test_label_images(folder: Path) -> None:
    row, said = scored(folder, folder / "other.png", folder / "truth.png", "--pixel-size", 0.1)
    expected = score(OTHER, TRUTH, SIZE)
    assert row == pytest.approx(expected.row(), rel=1e-12)
    assert f"axon {expected.pixels.dice[2]:.3f} {expected.pixels.iou[2]:.3f}" in said
    assert f"by centroid {expected.detection.precision:.3f} {expected.detection.sensitivity:.3f}" in said
    shares = (getattr(expected.matching, name) for name in ("precision", "recall", "accuracy", "f1"))
    assert "by overlap (IoU ≥ 0.5) " + " ".join(f"{share:.3f}" for share in shares) in said
    assert f"found {expected.found.axons}, true {expected.truth.axons}" in said
    assert f"aggregate g-ratio {expected.found.gratio:.3f} {expected.truth.gratio:.3f}" in said
    assert f"axon density {expected.found.density_mm2:,.0f} mm⁻² {expected.truth.density_mm2:,.0f} mm⁻²" in said
    errors = [f"{value:+.1%}".replace("%", " %") for name, value in row.items() if name.endswith("_error")]
    assert "+0.0 %" in errors  # which of the two it is, is rounding
    for error in errors:
        assert f" {error[1:] if error[1:] == '0.0 %' else error}" in said
    assert "+0.0 %" not in said
    assert "--pixel-size" not in said


def test_without_a_pixel_size_the_rest_is_scored(folder: Path) -> None:
    row, said = scored(folder, folder / "other.png", folder / "truth.png")
    assert row == pytest.approx(score(OTHER, TRUTH).row(), rel=1e-12, nan_ok=True)
    assert isnan(row["density_true"])
    assert f"axon density – – {row['density_error']:+.1%}".replace("%", " %") in said
    assert "given with --pixel-size" in said


@pytest.mark.parametrize("named", [0, 1])
def test_either_file_may_say_the_pixel_size(folder: Path, tmp_path: Path, named: int) -> None:
    greys = np.array([0, 127, 255], np.uint8)
    files = [folder / "other.png", folder / "truth.png"]
    files[named] = write_slide(tmp_path / "said.tif", greys[(OTHER, TRUTH)[named]], side_um=0.2)
    assert scored(folder, *files)[0] == pytest.approx(score(OTHER, TRUTH, PixelSize.square(0.2)).row(), rel=1e-6)
    given = scored(folder, *files, "--pixel-size", "0.1,0.3")[0]
    assert given == pytest.approx(score(OTHER, TRUTH, PixelSize(0.1, 0.3)).row(), rel=1e-12)


@pytest.mark.parametrize(
    "drawn",
    [
        lambda classes: classes,  # 0, 1, 2
        lambda classes: np.array([0, 128, 255], np.uint8)[classes],
        lambda classes: np.array([3, 130, 250], np.uint8)[classes],
        lambda classes: np.repeat(np.array([0, 127, 255], np.uint8)[classes][..., None], 4, axis=2),
    ],
    ids=["classes", "128", "stray", "RGBA"],
)
def test_labels_may_be_drawn_in_many_ways(
    folder: Path, tmp_path: Path, drawn: Callable[[Classes], NDArray[np.uint8]]
) -> None:
    Image.fromarray(drawn(OTHER)).save(tmp_path / "drawn.png")
    row, _ = scored(folder, tmp_path / "drawn.png", folder / "truth.png", "--pixel-size", 0.1)
    assert row == pytest.approx(score(OTHER, TRUTH, SIZE).row(), rel=1e-12)


def test_a_store_is_scored_without_the_axons_it_left_out(folder: Path) -> None:
    row, said = scored(folder, folder / "slide.ome.zarr", folder / "truth.png")
    kept = without_small_axons(OTHER, SIZE, 0.9)
    assert (kept != OTHER).any()
    assert row == pytest.approx(score(kept, TRUTH, SIZE).row(), rel=1e-6)
    assert "--pixel-size" not in said
    doubled = scored(folder, folder / "slide.ome.zarr", folder / "truth.png", "--pixel-size", 0.2)[0]
    assert doubled["density_found"] == pytest.approx(row["density_found"] / 4)


def test_a_store_on_another_grid_is_looked_up_by_the_nearest_pixel(folder: Path, tmp_path: Path) -> None:
    store = tmp_path / "coarse.ome.zarr"
    model = write_model(tmp_path, pixel_size_um=0.17)
    analyse(Config(folder / "slide.tif", store, model=str(model), halo=0, cell_um=7.0))
    labels = np.asarray(Pyramid.open(store / "labels" / "semantic").array(0)[:])
    axons = np.asarray(Pyramid.open(store / "labels" / "axons").array(0)[:])
    assert labels.shape != SHAPE
    h, w = labels.shape
    found = labels * ((labels != 2) | (axons > 0))
    y, x = (np.minimum((2 * np.arange(n) + 1) * 10 // 34, m - 1) for n, m in zip(SHAPE, (h, w), strict=True))
    row, _ = scored(folder, store, folder / "truth.png")
    assert row == pytest.approx(score(found[np.ix_(y, x)], TRUTH, SIZE).row(), rel=1e-6, nan_ok=True)

    exported = export_store(axonflow.open(store), "ads-mask", tmp_path / "exported.png")
    row, _ = scored(folder, store, exported)
    assert row["accuracy"] == 1  # both look up the same pixels

    on_its_grid = write_labels(tmp_path / "coarse.png", TRUTH[:h, :w])
    row, _ = scored(folder, store, on_its_grid)
    assert row == pytest.approx(score(found, TRUTH[:h, :w], PixelSize.square(0.17)).row(), rel=1e-6, nan_ok=True)


def test_an_infinite_error_and_none_are_told_apart(folder: Path, tmp_path: Path) -> None:
    empty = write_labels(tmp_path / "empty.png", np.zeros(SHAPE, np.uint8))
    said = " ".join(command("score", folder / "truth.png", empty, "--pixel-size", 0.1).out.split())
    assert "AVF) 0." in said
    assert "0.000 ∞ " in said
    assert "aggregate g-ratio 0." in said
    row, said = scored(folder, empty, empty)
    assert "axon – –" in said
    assert row["accuracy"] == 1
    assert isnan(row["sensitivity"])


def test_a_mask_of_axons_alone_says_nothing_of_myelin(folder: Path, tmp_path: Path) -> None:
    axons = write_labels(tmp_path / "axons.png", np.where(TRUTH == 2, TRUTH, 0))
    row, said = scored(folder, folder / "other.png", axons, "--pixel-size", 0.1)
    whole = score(OTHER, TRUTH, SIZE).row()
    left_out = {name for name, value in row.items() if isnan(value)}
    assert left_out == {
        *("accuracy", "mean_iou", "dice_myelin", "iou_myelin"),
        *(f"{name}_{of}" for name in ("mvf", "gratio") for of in ("found", "true", "error")),
    }
    assert {name: row[name] for name in row.keys() - left_out} == pytest.approx(
        {name: whole[name] for name in whole.keys() - left_out}, rel=1e-12
    )
    assert "∞" not in said
    assert "MVF" not in said
    assert "axons.png holds no myelin" in said
    assert "mask of the myelin?" not in said


def test_a_mask_of_myelin_is_told_from_one_of_axons(folder: Path, tmp_path: Path) -> None:
    myelin = write_labels(tmp_path / "myelin.png", np.where(TRUTH == 1, np.uint8(2), np.uint8(0)))
    said = " ".join(command("score", folder / "truth.png", myelin, "--pixel-size", 0.1).out.split())
    assert "is 100% myelin and 0% axon of the prediction. Is it a mask of the myelin?" in said


def save(path: Path, pixels: NDArray[np.generic]) -> Path:
    Image.fromarray(pixels).save(path)
    return path


def test_what_cannot_be_scored_is_refused(folder: Path, tmp_path: Path) -> None:
    truth, store = folder / "truth.png", folder / "slide.ome.zarr"
    small = write_labels(tmp_path / "small.png", TRUTH[:100])
    deep = save(tmp_path / "deep.png", TRUTH.astype(np.uint16) * 200)
    noise = save(tmp_path / "noise.png", np.random.default_rng(0).integers(0, 256, SHAPE, np.uint8))
    five = save(tmp_path / "five.png", np.full(SHAPE, 5, np.uint8))
    (tmp_path / "folder").mkdir()
    for arguments, words in (
        ((small, truth), "220 × 290 px (height × width) was expected, .* has 100 × 290; give"),
        ((store, small), "100 × 290 px (height × width) was expected, .* has 220 × 290; give"),
        ((deep, truth), "found: 0 .*Give an image of labels"),
        ((truth, noise), "were expected in .*noise.png; found: "),
        ((five, truth), "found: 5 (100.0%)"),
        ((folder / "slide.tif", truth), "slide.tif; found: .* more values"),
        ((truth, store), "as TRUTH, the store .* came; give the store first"),
        ((tmp_path / "folder", truth), "A store made by axonflow was expected"),
        ((tmp_path / "none.png", truth), "does not exist"),
        ((store, tmp_path / "none.png"), "does not exist"),
        ((truth, truth, "--pixel-size", "wide"), "--pixel-size was expected"),
        ((truth, truth, "--csv", tmp_path / "none" / "scores.csv"), "A file that can be written was expected"),
    ):
        ran = command("score", *arguments)
        assert ran.code == 2
        assert re.search(words.replace("(", r"\(").replace(")", r"\)"), " ".join(ran.err.split())), ran.err


def test_it_says_which_axons_of_a_store_are_compared(folder: Path, tmp_path: Path) -> None:
    """What the border or a mask leaves out was found, and counts; what a rule judges does not."""
    left = np.zeros(SHAPE, np.uint8)
    left[:, : SHAPE[1] // 2] = 255
    plain = Config(folder / "slide.tif", tmp_path / "plain", labels=folder / "other.png", cell_um=7.0, border="all")
    for config, words in (
        (plain, "found and true."),
        (
            replace(plain, border="frame"),
            r"found and true\. Among them are \d+ axons? \(frame\), which the run did not",
        ),
        (
            replace(plain, border="inside", mask=save(tmp_path / "left.png", left)),
            r"are \d+ axons? \(mask\) and \d+ axons? \(border\), which .* mask is not looked at",
        ),
        (
            replace(plain, min_diameter_um=1.2, min_axon_area_um2=0.4),
            r"maps, are \d+ axons? \(diameter\), which its rules .* 0\.4 µm²",
        ),
    ):
        analyse(config)
        row, said = scored(folder, plain.out, folder / "truth.png")
        assert re.search(words, said), said
        result = axonflow.open(plain.out)
        here = sum(n for rule, n in result.left_out.items() if rule in {"frame", "border", "mask"})
        assert row["axons_found"] == len(result.counted_fibers()) + here
    assert "Compared are" not in scored(folder, folder / "other.png", folder / "truth.png")[1]


def test_axons_without_myelin_may_be_a_mask(folder: Path, tmp_path: Path) -> None:
    """It is the same as a truth of all classes, as a run reads the same masks."""
    bare = np.zeros(SHAPE, bool)
    bare[5:60:12, 5:200:12] = bare[6:60:12, 5:200:12] = bare[5:60:12, 6:200:12] = True
    whole = np.where(bare & (TRUTH == 0), np.uint8(3), TRUTH)
    found = np.where(bare & (OTHER == 0), np.uint8(3), OTHER)
    uaxons = save(tmp_path / "uaxons.png", bare.astype(np.uint8) * 255)
    store = tmp_path / "store"
    analyse(
        Config(
            folder / "slide.tif",
            store,
            cell_um=7.0,
            border="all",
            labels=save(tmp_path / "found.png", found),
            classes="0=background,1=myelin,2=axon,3=unmyelinated",
        )
    )
    row, said = scored(folder, store, folder / "truth.png", "--uaxon-mask", uaxons)
    expected = score(found, whole, SIZE, classes=WITH_UNMYELINATED).row()
    assert {name.replace("_axon", "") for name in row} == {name.replace("_axon", "") for name in expected}
    assert [*row.values()] == pytest.approx([*expected.values()], rel=1e-6)
    assert row == scored(folder, store, save(tmp_path / "whole.png", whole))[0]
    assert "are not scored" not in said
    undrawn, said = scored(folder, store, folder / "truth.png")
    assert "or --uaxon-mask, to score them" in said
    assert "unmyelinated axons precision" not in said
    assert "Compared are the myelinated axons of the whole image" in said
    assert {name for name, value in undrawn.items() if np.isnan(value)} == {
        name for name in row if "unmyelinated" in name
    }
    for prediction, mask, refused in (
        (folder / "other.png", uaxons, "A store with axons without myelin was expected with --uaxon-mask"),
        (folder / "slide.ome.zarr", uaxons, "has none: its classes are background, myelin, axon"),
        (
            store,
            save(tmp_path / "small.png", bare[:99].astype(np.uint8) * 255),
            "220 × 290 px .* --uaxon-mask, .* 99 × 290",
        ),
        (store, folder / "slide.tif", "A mask of two values"),
    ):
        ran = command("score", prediction, folder / "truth.png", "--uaxon-mask", mask)
        assert ran.code == 2
        assert re.search(refused.replace("(", r"\("), " ".join(ran.err.split())), ran.err


def test_a_subject_of_the_training_is_named(folder: Path, tmp_path: Path) -> None:
    store = folder / "slide.ome.zarr"
    said = scored(folder, store, folder / "truth.png")[1]
    assert "learnt" not in said  # masks have learnt nothing
    copy, truth = tmp_path / "copy.ome.zarr", write_labels(tmp_path / "sub-rat2_truth.png", TRUTH)
    shutil.copytree(store, copy, ignore=shutil.ignore_patterns(".axonflow"))
    record, sem = json.loads((copy / "run.json").read_text()), Checkpoint.find("sem")
    record["model"] = {
        "name": "sem",
        "path": str(sem.path),
        "embedded": True,
        "sha256": sem.sha256,
        "precision": "int8",
    }
    (copy / "run.json").write_text(json.dumps(record))
    for drawn, named in ((truth, "sub-rat2"), (folder / "truth.png", "")):
        ran = command("score", copy, drawn, "--csv", tmp_path / "scores.csv")
        assert ran.code == 0, ran.err
        assert rows_of(tmp_path / "scores.csv")["trained_on"] == named
        assert ("and so is this slide named" in ran.out, "do not say" in ran.out) == (bool(named), not named)


def test_an_unfinished_store_is_refused(folder: Path, tmp_path: Path) -> None:
    record = json.loads((folder / "slide.ome.zarr" / "run.json").read_text())
    (tmp_path / "run.json").write_text(json.dumps(record | {"complete": False}))
    ran = command("score", tmp_path, folder / "truth.png")
    assert ran.code == 2
    assert "completes it if not" in " ".join(ran.err.split())


def test_the_columns_are_listed() -> None:
    page = (ROOT / "docs" / "reference" / "scores.md").read_text()
    listed = [
        name for line in re.findall(r"^\| (`.*?) \|", page, re.MULTILINE) for name in re.findall(r"`(\w+)`", line)
    ]
    row = score(OTHER, TRUTH, SIZE, classes=WITH_UNMYELINATED).row()
    assert listed == [name for name in row if name != "dice_unmyelinated_axon"]
