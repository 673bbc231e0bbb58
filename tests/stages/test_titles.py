"""Every stage of any run is called something that a reader knows, and no two alike."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from nnunet_models import plan_of, write_nnunet
from PIL import Image
from slides import picture, tissue, write_labels, write_model, write_slide

from axonflow.stages.titles import TITLES, stage_title
from axonflow.workflow.config import Config
from axonflow.workflow.job import prepare


def test_every_stage_has_a_title(tmp_path: Path) -> None:
    classes = tissue((900, 300))
    slide = write_slide(tmp_path / "slide.tif", picture(classes, "float32"), 0.07)
    labels = write_labels(tmp_path / "labels.png", classes)
    Image.fromarray(np.array([[1, 2]], np.uint8)).save(tmp_path / "regions.png")
    network = Config(slide, tmp_path / "a", model=str(write_model(tmp_path)), chunk=64, keep_probabilities=True)
    network = replace(network, adapt_to_slide="on")
    masks = Config(slide, tmp_path / "b", labels=labels, regions=tmp_path / "regions.png", chunk=64)
    nnunet = Config(slide, tmp_path / "c", model=str(write_nnunet(tmp_path / "n", plan_of())), fast=True)
    mended = replace(network, out=tmp_path / "d", halo="mend")
    names = {stage.name for config in (network, mended, masks, nnunet) for stage in prepare(config).stages}
    assert TITLES.keys() <= names
    known = [name for name in names if "-levels-" not in name]
    assert [name for name in names if stage_title(name) != "zoom levels"] == known
    assert set(known) == TITLES.keys()
    assert len({stage_title(name) for name in known}) == len(known)
    for name in known:
        assert stage_title(name.replace(".", " ")) == stage_title(name)
        assert len(stage_title(name)) <= 18  # the progress bars' column
