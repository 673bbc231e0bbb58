"""A model is scored on the test split alone, in the tables that ASTIH prints."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from astih_sets import SEM1, TEM2
from numpy.typing import NDArray
from oracles import axondeepseg_fibers
from slides import Classes, command, write_model

from axonflow.astih import images_of_test_split
from axonflow.astih.evaluation import THRESHOLDS
from axonflow.errors import InputError
from axonflow.kernel.classes import AXON_MYELIN
from axonflow.net.checkpoint import Checkpoint
from axonflow.training.bids import LabelledImage, read_labels
from axonflow.training.matching import axon_ids, matching
from axonflow.training.score import score


class Compare:
    """Holds truth that was moved by two pixels, in place of what a network found, against the truth."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, bool]] = []
        self.found: list[tuple[Classes, Classes]] = []

    def __call__(
        self, model: str, image: LabelledImage, out: Path, *, native: bool, workers: int | None
    ) -> SimpleNamespace:
        assert out.is_dir()
        assert workers is None
        self.asked.append((model, image.name, native))
        truth = read_labels(image)
        self.found.append((np.roll(truth, 2, axis=0), truth))
        analysis = SimpleNamespace(classes=AXON_MYELIN)
        return SimpleNamespace(image=image, analysis=analysis, found=self.found[-1][0], truth=truth)


@pytest.fixture
def compare(monkeypatch: pytest.MonkeyPatch) -> Compare:
    stand_in = Compare()
    monkeypatch.setattr("axonflow.astih.evaluation.compare", stand_in)
    return stand_in


def parted(labels: Classes) -> NDArray[np.int32]:
    """Number fibers as ASTIH does."""
    return axondeepseg_fibers(axon_ids(labels).astype(np.uint32), labels == AXON_MYELIN.myelin).astype(np.int32)


def taught(folder: Path, *subjects: str) -> Path:
    """Write a model that says whom it learned from."""
    path = write_model(folder)
    contract = json.loads(path.read_text())
    path.write_text(json.dumps(contract | {"trained_on": {"data": "a sample", "subjects": subjects}}))
    assert Checkpoint.find(path).trained_on["subjects"] == list(subjects)
    return path


def test_a_model_is_scored_on_the_test_split_alone(sem: Path, tmp_path: Path, compare: Compare) -> None:
    model = taught(tmp_path / "model", "sub-rat1", "sub-rat3")
    ran = command("astih", "evaluate", "SEM1", model, "--data", sem, "--out", tmp_path / "out")
    assert ran.code == 0, ran.err
    assert compare.asked == [(str(model), "sub-rat6_sample-data15_SEM", True)]
    (found, truth), expected = compare.found[0], score(*compare.found[0])

    pixels = pd.read_csv(tmp_path / "out" / "metrics.csv")
    assert list(pixels.columns) == ["dataset", "image", "class", "DiceMetric", "MeanIoU"]
    assert list(pixels["class"]) == ["axon", "myelin"]
    assert set(pixels["dataset"]) == {"SEM1"}
    assert set(pixels["image"]) == {"sub-rat6_sample-data15_SEM.png"}
    np.testing.assert_allclose(pixels["DiceMetric"], expected.pixels.dice[:0:-1])
    np.testing.assert_allclose(pixels["MeanIoU"], expected.pixels.iou[:0:-1])

    for file, ids in (("det_metrics", parted), ("det_metrics_axons", axon_ids)):
        objects = pd.read_csv(tmp_path / "out" / f"{file}.csv")
        assert list(objects.columns) == ["dataset", "image", "TP", "FP", "FN", "precision", "recall", "accuracy", "f1"]
        pairs = matching(ids(found), ids(truth), 0.5)
        counts = (pairs.true_positives, pairs.false_positives, pairs.false_negatives)
        assert tuple(objects.loc[0, ["TP", "FP", "FN"]]) == counts
        np.testing.assert_allclose(
            objects.loc[0, ["precision", "recall", "accuracy", "f1"]].to_numpy(float),
            [pairs.precision, pairs.recall, pairs.accuracy, pairs.f1],
        )
    sweep = pd.read_csv(tmp_path / "out" / "det_sweep.csv")
    for kind, rows in sweep.groupby("object"):
        assert list(rows["threshold"]) == list(THRESHOLDS)
        assert rows["TP"].is_monotonic_decreasing, kind
        assert rows["TP"].iloc[0] > rows["TP"].iloc[-1]
    page = (tmp_path / "out" / "scores.md").read_text()
    assert "Not a test" not in page
    for row in (tmp_path / "out").glob("*metrics*.csv"):
        for cells in csv.reader(io.StringIO(row.read_text())):
            assert cells[1] in page
    assert all(cell in ran.out for cell in ("DiceMetric", "MeanIoU", "TP", "f1"))


def test_a_model_that_learned_from_the_test_split_is_refused(sem: Path, tmp_path: Path, compare: Compare) -> None:
    model = taught(tmp_path / "model", "sub-rat1", "sub-rat6")
    words = ("astih", "evaluate", "SEM1", model, "--data", sem, "--out", tmp_path / "out")
    ran = command(*words)
    assert ran.code == 2
    said = " ".join(ran.err.split())
    assert "learned from sub-rat6 (its data: a sample)" in said
    assert "--allow-seen" in said
    assert not compare.asked
    assert not (tmp_path / "out").exists()

    ran = command(*words, "--allow-seen")
    assert ran.code == 0
    assert "not a test" in ran.out
    assert "**Not a test:** the model learned from sub-rat6" in (tmp_path / "out" / "scores.md").read_text()
    for table in (tmp_path / "out").glob("*.csv"):
        assert set(pd.read_csv(table)["learned_from"]) == {"sub-rat6"}


def test_a_folder_without_test_subjects_is_refused_with_what_to_run(
    sem: Path, tmp_path: Path, compare: Compare, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(sem, tmp_path / "rats", ignore=shutil.ignore_patterns("sub-rat6"))
    monkeypatch.chdir(tmp_path)
    for words, folder in ((("--data", "rats"), "rats"), ((), "SEM1")):
        ran = command("astih", "evaluate", "SEM1", "sem", *words)
        assert ran.code == 2
        assert f"axonflow astih download SEM1 {folder} --make-splits" in " ".join(ran.err.split())
    assert not compare.asked


def test_real_folders_are_told_apart(real_data: Path) -> None:
    with pytest.raises(InputError, match="sub-rat6"):
        images_of_test_split(SEM1, real_data / "sem")
    assert {image.subject for image in images_of_test_split(TEM2, real_data / "tem2")} >= {"sub-366A", "sub-371"}
