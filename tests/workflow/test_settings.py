"""A setting decides the stages that it says it decides, and no others."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from nnunet_models import plan_of, write_nnunet
from PIL import Image
from slides import picture, tissue, write_labels, write_model, write_slide

from axonflow.kernel.setting import settings
from axonflow.workflow.config import Config
from axonflow.workflow.job import Job, prepare

SETTINGS = settings(Config)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("settings")
    classes = tissue((160, 200), 2)
    write_slide(folder / "slide.tif", picture(classes))
    write_labels(folder / "labels.png", classes)
    write_labels(folder / "others.png", tissue((160, 200), 3))
    for name, number in (("axon", 2), ("myelin", 1)):
        Image.fromarray(((classes == number) * 255).astype(np.uint8)).save(folder / f"{name}.png")
        Image.fromarray(((tissue((160, 200), 3) == number) * 255).astype(np.uint8)).save(folder / f"other-{name}.png")
    Image.fromarray(classes).save(folder / "numbers.png")
    Image.fromarray(((classes == 0) * 255).astype(np.uint8)).save(folder / "uaxon.png")
    Image.fromarray(np.eye(2, dtype=np.uint8)).save(folder / "drawn.png")
    triangle = '{"type": "Polygon", "coordinates": [[[0, 0], [9, 0], [9, 9], [0, 0]]]}'
    (folder / "drawn.geojson").write_text(triangle)
    (folder / "rules.toml").write_text("min_axon_area_um2 = 0.5\nmin_solidity = 0.8\n")
    (folder / "more").mkdir()
    write_model(folder / "more", 128)
    write_model(folder)
    write_nnunet(folder / "nnunet", plan_of())
    return folder


def changes(folder: Path) -> dict[str, tuple[dict[str, Any], dict[str, Any]]]:
    """Return for each setting what two runs have that differ in it alone."""
    network, masks = {"model": str(next(folder.glob("*.json")))}, {"labels": folder / "labels.png"}
    drawing = masks | {"mask": folder / "drawn.geojson", "regions": folder / "drawn.geojson"}
    named = {"labels": folder / "numbers.png", "classes": "0=background,1=unmyelinated,2=axon,3=myelin"}
    pair = {"axon_mask": folder / "axon.png", "myelin_mask": folder / "myelin.png"}
    outlines = pair | {"axon_mask": folder / "drawn.geojson", "outlines_unit": "px"}
    nnunet = {"model": str(folder / "nnunet" / "small.json")}
    return {
        "working_pixel_size_um": (nnunet | {"working_pixel_size_um": 0.15}, {"working_pixel_size_um": 0.2}),
        "fast": (nnunet, {"fast": True}),
        "step": (nnunet, {"step": 0.4}),
        "pixel_size": (masks, {"pixel_size": SETTINGS["pixel_size"].read(0.2, "")}),
        "model": (network, {"model": str(next((folder / "more").glob("*.json")))}),
        "on_bad_tile": (masks, {"on_bad_tile": "fill"}),
        "halo": (network, {"halo": 3}),
        "adapt_to_slide": (network, {"adapt_to_slide": "on"}),
        "precision": (network | {"precision": "float32"}, {"precision": "float16"}),
        "chunk": (masks, {"chunk": 128}),
        "cell_um": (masks, {"cell_um": 3.0}),
        "mask": (drawing, {"mask": folder / "drawn.png"}),
        "mask_unit": (drawing, {"mask_unit": "um"}),
        "regions": (masks, {"regions": folder / "drawn.png"}),
        "regions_unit": (drawing, {"regions_unit": "um"}),
        "axon_mask": (pair, {"axon_mask": folder / "other-axon.png"}),
        "myelin_mask": (pair, {"myelin_mask": folder / "other-myelin.png"}),
        "uaxon_mask": (pair, {"uaxon_mask": folder / "uaxon.png"}),
        "outlines_unit": (outlines, {"outlines_unit": "um"}),
        "classes": (named, {"classes": "0=background,1=myelin,2=axon,3=unmyelinated"}),
        "labels": (masks, {"labels": folder / "others.png"}),
        "keep_probabilities": (network, {"keep_probabilities": True}),
        "min_axon_area_um2": (masks, {"min_axon_area_um2": 0.5}),
        "min_unmyelinated_area_um2": (named, {"min_unmyelinated_area_um2": 0.5}),
        "max_myelin_um": (masks, {"max_myelin_um": 2.0}),
        "axon_shape": (masks, {"axon_shape": "ellipse"}),
        "rules": (masks, {"rules": str(folder / "rules.toml")}),
        "border": (masks, {"border": "all"}),
        "need_myelin": (masks, {"need_myelin": True}),
        **{
            name: (masks, {name: 0.5})
            for name in ("min_solidity", "max_eccentricity", "min_gratio", "max_gratio", "min_diameter_um")
        },
        "min_axon_probability": (network, {"min_axon_probability": 0.5}),
        "max_diameter_um": (masks, {"max_diameter_um": 2.0}),
        "max_axon_area_um2": (masks, {"max_axon_area_um2": 2.0}),
    }


def keys(job: Job) -> dict[str, str]:
    return {stage.name: stage.key for stage in job.stages}


OF_THE_FILE = {"series", "channel", "keep_bar"}
"""What chooses among what a slide's file holds; tests of the formats have such files."""


@pytest.mark.parametrize("name", sorted(SETTINGS.keys() - OF_THE_FILE))
def test_a_setting_decides_what_it_says(folder: Path, name: str) -> None:
    first, other = changes(folder)[name]
    config = Config(folder / "slide.tif", folder / "never", **first)
    before, after = prepare(config), prepare(replace(config, **other))
    decided = [stage for stage in before.stages if stage.name in SETTINGS[name].decides]
    assert {stage.name for stage in decided} == set(SETTINGS[name].decides)
    expected = {s.name for s in before.stages if any(s is stage or s.rests_on(stage) for stage in decided)}
    changed = {stage for stage, key in keys(before).items() if key != keys(after)[stage]}
    assert changed == (keys(before).keys() if name == "chunk" else expected)  # the boxes are others, the results not
