"""A run leaves the labels of nnU-Net itself, and a box has its scores to the bit."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import nnunet_oracle as nnunet
import numpy as np
import pytest
from nnunet_models import blobs, seen_by
from numpy.typing import NDArray
from slides import LOCAL, processes, write_slide

from axonflow.kernel.grid import Grid
from axonflow.net.checkpoint import Checkpoint
from axonflow.net.device import Processor
from axonflow.net.nnunet.loaded import ready
from axonflow.net.nnunet.predict import NnUNetPredictor
from axonflow.net.nnunet.windows import Windows
from axonflow.ngff import Pyramid
from axonflow.stages.bounds import read_content
from axonflow.workflow.config import Config
from axonflow.workflow.job import prepare, run_job

pytestmark = [
    pytest.mark.nnunet,
    pytest.mark.skipif("AXONFLOW_TEST_NNUNET" not in os.environ, reason="AXONFLOW_TEST_NNUNET names no nnU-Net"),
]

Spec = nnunet.Spec
CASES: dict[str, tuple[Spec, NDArray[Any]]] = {
    "plain": (Spec(), blobs((150, 231))),
    "smaller than the patch": (Spec(), blobs((50, 80))),
    "smaller one way": (Spec(), blobs((170, 80))),
    "black margins": (Spec(), blobs((180, 200), margin=19)),
    "16 bits": (Spec(), blobs((130, 150), "uint16")),
    "z-score, residual": (Spec(residual=True, channels=("zscore",)), blobs((130, 150), margin=3)),
    "mirrored along one axis": (Spec(mirrors=(1,)), blobs((130, 150))),
    "not mirrored": (Spec(mirrors=None, old=True), blobs((130, 150))),
    "three folds": (Spec(folds=("0", "1", "2")), blobs((130, 150))),
    "five classes": (Spec(labels=("axon", "nucleus", "myelin", "uaxon")), blobs((130, 150))),
    "colours": (Spec(channels=("rgb_to_0_1",) * 3), blobs((3, 130, 150), margin=5)),
}


def config_of(folder: Path, name: str, **settings: Any) -> Config:
    spec, image = CASES[name]
    pixels = image if image.ndim == 2 else np.moveaxis(image, 0, -1)
    options: dict[str, Any] = {} if image.ndim == 2 else {"photometric": "rgb"}
    slide = folder / "slide.tif"
    if not slide.exists():
        write_slide(slide, pixels, **options)
    out = folder / f"{settings}.ome.zarr"
    return Config(slide, out, model=str(nnunet.folder(spec)), cell_um=5.0, **settings)


@pytest.mark.parametrize("name", CASES)
def test_a_run_leaves_the_labels_of_nnunet(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    spec, image = CASES[name]
    wanted = nnunet.predict(nnunet.folder(spec), image)
    assert len(np.unique(wanted)) > 1
    config = config_of(tmp_path, name, chunk=64)
    job = prepare(config)
    run_job(job, LOCAL, until="segment")
    np.testing.assert_array_equal(Pyramid.open(config.out / "labels" / "semantic").array()[:], wanted)

    checkpoint = job.segmentation.checkpoint  # type: ignore[union-attr]  # no masks were given
    assert isinstance(checkpoint, Checkpoint)
    assert checkpoint.plan is not None
    plan, content, nets = checkpoint.plan, read_content(job.layout), checkpoint.networks()
    scores = nnunet.logits(nnunet.folder(spec), image)
    shape = wanted.shape
    seen = seen_by(plan, content, image)
    index = np.arange(wanted.size).reshape(shape)
    predictor = NnUNetPredictor(
        lambda device: ready(nets, "float32", device),
        Windows(content.inside, plan.patch, plan.step),
        plan.mirrors,
        len(checkpoint.classes),
        len(plan.channels),
        lambda at: seen[:, at // shape[1], at % shape[1]],
        2,
        Processor(),
    )
    for box in [*Grid((shape[0], shape[1]), (77, 90))][:2]:
        part = box & content.inside
        have = box.grow(max(plan.patch), (shape[0], shape[1]))
        found = predictor.scores(index[have.slices], have, box)
        expected = scores[:, *part.relative_to(content.inside).slices]
        if "ZScoreNormalization" in plan.normalisations:  # nnU-Net adds up the mean in float32
            np.testing.assert_allclose(found, expected, atol=0.05)
        else:
            np.testing.assert_array_equal(found, expected)


def test_two_processes_leave_the_labels_of_nnunet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    spec, image = CASES["black margins"]
    config = config_of(tmp_path, "black margins", chunk=128)
    run_job(prepare(config), processes(monkeypatch), until="segment")
    labels = Pyramid.open(config.out / "labels" / "semantic").array()[:]
    np.testing.assert_array_equal(labels, nnunet.predict(nnunet.folder(spec), image))


def test_a_larger_step_is_that_of_nnunet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    spec, image = CASES["plain"]
    config = config_of(tmp_path, "plain", step=0.8)
    run_job(prepare(config), LOCAL, until="segment")
    labels = Pyramid.open(config.out / "labels" / "semantic").array()[:]
    np.testing.assert_array_equal(labels, nnunet.predict(nnunet.folder(spec), image, step=0.8))
