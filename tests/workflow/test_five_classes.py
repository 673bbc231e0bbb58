"""A model of five classes, numbered as no other: all of them are kept, and axons and myelin are found by role."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import oracles
import pytest
from PIL import Image
from slides import analyse, command, picture, tissue, write_model, write_slide

from axonflow.errors import ModelError
from axonflow.fiber.myelin import reach_px
from axonflow.kernel.classes import Classes, PixelClass
from axonflow.kernel.units import PixelSize
from axonflow.net.checkpoint import Checkpoint
from axonflow.ngff import Pyramid
from axonflow.results.analysis import Analysis, open_store
from axonflow.results.export import export_store
from axonflow.results.report import write_report
from axonflow.results.viewer.layers import View, legends, view_state
from axonflow.results.viewer.scene import Scene
from axonflow.training.train import prepare_training
from axonflow.workflow.config import Config
from axonflow.workflow.job import prepare

FIVE = Classes(
    (
        PixelClass(0, "background", "#000000", "background"),
        PixelClass(1, "axon", "#3366cc", "axon"),
        PixelClass(2, "nucleus", "#beaed4", "other"),
        PixelClass(3, "myelin", "#cc3333", "myelin"),
        PixelClass(4, "unmyelinated axon", "#7fc97f", "unmyelinated"),
    )
)
SIZE = PixelSize.square(0.1)


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Config:
    folder = tmp_path_factory.mktemp("five")
    slide = write_slide(folder / "slide.tif", picture(tissue((200, 230))))
    model = write_model(folder, classes=FIVE)
    return Config(
        slide,
        folder / "five.ome.zarr",
        model=str(model),
        cell_um=5.0,
        max_myelin_um=1.0,
        min_axon_area_um2=0.05,
        keep_probabilities=True,
    )


@pytest.fixture(scope="module")
def result(config: Config) -> Analysis:
    analyse(config)
    return open_store(config.out)


def test_labels_keep_all_classes_and_the_record_names_them(result: Analysis) -> None:
    semantic = result.labels["semantic"].compute(scheduler="synchronous")
    assert set(np.unique(semantic)) == set(range(5))
    assert result.classes == FIVE
    shares = [
        np.squeeze(Pyramid.open(result.store / "probabilities" / name).array(0)[:])
        for name in ("background", "axon", "nucleus", "myelin", "unmyelinated axon")
    ]
    np.testing.assert_array_equal(
        np.take_along_axis(np.array(shares), semantic[None].astype(int), 0)[0], np.max(shares, 0)
    )
    painted = json.loads((result.store / "labels" / "semantic" / "zarr.json").read_text())["attributes"]["ome"]
    colours = {each["label-value"]: each["rgba"][:3] for each in painted["image-label"]["colors"]}
    assert colours == {each.number: [*each.rgb] for each in FIVE}


def test_axons_and_myelin_are_those_of_their_roles(result: Analysis) -> None:
    semantic, axons, fibers, counted = (
        array.compute(scheduler="synchronous")
        for array in (*(result.labels[name] for name in ("semantic", "axons", "fibers")), result.counted)
    )
    kinds = np.array([0, 1, 0, 0, 2], np.uint8)[semantic]
    expected = oracles.labels_of_kinds(kinds, 5, 1)  # 0.05 µm², and 0 of the model's
    np.testing.assert_array_equal(axons, expected)
    without = semantic == 4
    myelinated = np.where(without, 0, expected).astype(np.uint32)
    grown = oracles.grown(myelinated, semantic == 3, reach_px(1.0, SIZE))
    np.testing.assert_array_equal(fibers, np.where(without, expected, grown))
    np.testing.assert_array_equal(counted, np.where(((semantic == 1) | without) & (expected == 0), 0, semantic))
    assert (counted != semantic).any()
    assert len(result.fibers) == expected.max()
    bare = result.fibers["kind"] == "unmyelinated"
    assert result.fibers[bare]["axon_id"].tolist() == np.setdiff1d(np.unique(expected[without]), [0]).tolist()
    covered = result.maps["covered_area"]
    for name, part in (("avf", myelinated > 0), ("mvf", semantic == 3), ("unmyelinated_avf", without & (expected > 0))):
        assert float((result.maps[name] * covered).sum() / covered.sum()) == pytest.approx(part.mean())


def test_who_shows_the_result_takes_its_classes(result: Analysis, tmp_path: Path) -> None:
    counted = result.counted.compute(scheduler="synchronous")
    mask = np.asarray(Image.open(export_store(result, "ads-mask", tmp_path / "mask.png")))
    np.testing.assert_array_equal(mask, np.array([0, 255, 0, 127, 0], np.uint8)[counted])
    assert write_report(result).exists()
    scene = Scene(result)
    legend = {"axon": "#3366cc", "myelin": "#cc3333", "unmyelinated axon": "#7fc97f", "nucleus": "#beaed4"}
    assert legends([scene])["axons and myelin"] == {"patches": legend}
    (layer,) = (
        each for each in view_state([scene], [("a/", "b/")], View())["layers"] if each["name"] == "axons and myelin"
    )
    for number, name in enumerate(("axon", "nucleus", "myelin", "unmyelinated_axon"), 1):
        assert f"if (found == {number}u) emitRGB({name});" in layer["shader"]
        assert f"#uicontrol vec3 {name} " in layer["shader"]


def test_all_classes_are_scored(result: Analysis, tmp_path: Path) -> None:
    Image.fromarray(result.counted.compute(scheduler="synchronous")).save(tmp_path / "truth.png")
    ran = command("score", result.store, tmp_path / "truth.png")
    assert ran.code == 0
    for name in FIVE.names:
        assert re.search(rf"^ *{name} +1\.000 +1\.000 *$", ran.out, re.MULTILINE), name


def test_other_roles_are_another_result(config: Config, result: Analysis) -> None:
    """The weights are the same, so nothing but the list says that what was made before is out of date."""
    assert analyse(config) == []
    model = Path(str(config.model))
    content = json.loads(model.read_text())
    swapped = {"axon": "other", "nucleus": "axon"}
    content["classes"] = [each | {"role": swapped.get(each["name"], each["role"])} for each in content["classes"]]
    before = model.read_text()
    try:
        model.write_text(json.dumps(content))
        assert {"segment", "label", "measure", "map"} <= set(analyse(config))
        changed = open_store(config.out)
        axons, semantic = (changed.labels[name].compute(scheduler="synchronous") for name in ("axons", "semantic"))
        kinds = np.array([0, 0, 1, 0, 2], np.uint8)[semantic]
        np.testing.assert_array_equal(axons, oracles.labels_of_kinds(kinds, 5, 1))
    finally:
        model.write_text(before)
    assert result.classes == FIVE


def test_a_contract_of_before_there_was_the_role_gives_the_same(config: Config, result: Analysis) -> None:
    """Its class of unmyelinated axons was one of the others; a store keeps its labels, and is numbered anew."""
    model = Path(str(config.model))
    before = model.read_text()
    content = json.loads(before)
    content["classes"] = [each | ({"role": "other"} if each["number"] == 4 else {}) for each in content["classes"]]
    model.write_text(json.dumps(content))
    try:
        assert Checkpoint.find(str(model)).classes == FIVE
        stages = {stage.name: stage for stage in prepare(config).stages}
    finally:
        model.write_text(before)
    assert stages["segment"].parameters["classes"] == content["classes"]
    assert stages["label.survey"].parameters == {"smallest_px": 5, "smallest_unmyelinated_px": 0}
    assert {stage.name: stage.parameters for stage in prepare(config).stages} == {
        name: stage.parameters for name, stage in stages.items()
    }
    assert result.classes == FIVE


def test_masks_of_axons_and_myelin_cannot_train_it(config: Config, tmp_path: Path) -> None:
    assert Checkpoint.find(str(config.model)).classes == FIVE
    with pytest.raises(ModelError, match=r"tells background, axon, nucleus, myelin, unmyelinated axon apart"):
        prepare_training(tmp_path, start=config.model)
