"""A model is scored on the test split alone, in the tables that ASTIH prints."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from astih_sets import SEM1, TEM2
from slides import Classes, command, write_model

from axonflow.astih import images_of_test_split
from axonflow.errors import InputError
from axonflow.net.checkpoint import Checkpoint
from axonflow.training.bids import LabelledImage, read_labels
from axonflow.training.matching import axon_ids, matching
from axonflow.training.score import score


class Evaluate:
    """Scores truth that was moved by a pixel, in place of what a network found."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, tuple[str, ...], bool]] = []
        self.found: list[tuple[Classes, Classes]] = []

    def __call__(
        self, model: str, images: Sequence[LabelledImage], out: Path, *, native: bool, workers: int | None
    ) -> pd.DataFrame:
        assert out.is_dir()
        assert workers is None
        self.asked.append((model, tuple(image.name for image in images), native))
        rows = []
        for image in images:
            truth = read_labels(image)
            found = np.roll(truth, 2, axis=0)
            self.found.append((found, truth))
            rows.append({"subject": image.subject, "image": image.name} | score(found, truth, image.pixel_size).row())
        return pd.DataFrame(rows)


@pytest.fixture
def evaluate(monkeypatch: pytest.MonkeyPatch) -> Evaluate:
    stand_in = Evaluate()
    monkeypatch.setattr("axonflow.astih.evaluation.evaluate", stand_in)
    return stand_in


def taught(folder: Path, *subjects: str) -> Path:
    """Write a model that says whom it learned from."""
    path = write_model(folder)
    contract = json.loads(path.read_text())
    path.write_text(json.dumps(contract | {"trained_on": {"data": "a sample", "subjects": subjects}}))
    assert Checkpoint.find(path).trained_on["subjects"] == list(subjects)
    return path


def test_a_model_is_scored_on_the_test_split_alone(sem: Path, tmp_path: Path, evaluate: Evaluate) -> None:
    model = taught(tmp_path / "model", "sub-rat1", "sub-rat3")
    ran = command("astih", "evaluate", "SEM1", model, "--data", sem, "--out", tmp_path / "out")
    assert ran.code == 0, ran.err
    assert evaluate.asked == [(str(model), ("sub-rat6_sample-data15_SEM",), True)]
    (found, truth), expected = evaluate.found[0], score(*evaluate.found[0])
    pairs = matching(axon_ids(found), axon_ids(truth), 0.5)

    pixels = pd.read_csv(tmp_path / "out" / "metrics.csv")
    assert list(pixels.columns) == ["dataset", "image", "class", "DiceMetric", "MeanIoU"]
    assert list(pixels["class"]) == ["axon", "myelin"]
    assert set(pixels["dataset"]) == {"SEM1"}
    assert set(pixels["image"]) == {"sub-rat6_sample-data15_SEM.png"}
    np.testing.assert_allclose(pixels["DiceMetric"], expected.pixels.dice[:0:-1])
    np.testing.assert_allclose(pixels["MeanIoU"], expected.pixels.iou[:0:-1])

    objects = pd.read_csv(tmp_path / "out" / "det_metrics.csv")
    assert list(objects.columns) == ["dataset", "image", "TP", "FP", "FN", "precision", "recall", "accuracy", "f1"]
    assert tuple(objects.loc[0, ["TP", "FP", "FN"]]) == (
        pairs.true_positives,
        pairs.false_positives,
        pairs.false_negatives,
    )
    np.testing.assert_allclose(
        objects.loc[0, ["precision", "recall", "accuracy", "f1"]].to_numpy(float),
        [pairs.precision, pairs.recall, pairs.accuracy, pairs.f1],
    )
    page = (tmp_path / "out" / "scores.md").read_text()
    assert "Not a test" not in page
    for row in (tmp_path / "out" / "det_metrics.csv", tmp_path / "out" / "metrics.csv"):
        for cells in csv.reader(io.StringIO(row.read_text())):
            assert cells[1] in page
    assert all(cell in ran.out for cell in ("DiceMetric", "MeanIoU", "TP", "f1"))


def test_a_model_that_learned_from_the_test_split_is_refused(sem: Path, tmp_path: Path, evaluate: Evaluate) -> None:
    model = taught(tmp_path / "model", "sub-rat1", "sub-rat6")
    words = ("astih", "evaluate", "SEM1", model, "--data", sem, "--out", tmp_path / "out")
    ran = command(*words)
    assert ran.code == 2
    said = " ".join(ran.err.split())
    assert "learned from sub-rat6 (its data: a sample)" in said
    assert "--allow-seen" in said
    assert not evaluate.asked
    assert not (tmp_path / "out").exists()

    ran = command(*words, "--allow-seen")
    assert ran.code == 0
    assert "not a test" in ran.out
    assert "**Not a test:** the model learned from sub-rat6" in (tmp_path / "out" / "scores.md").read_text()


def test_a_folder_without_test_subjects_is_refused_with_what_to_run(
    sem: Path, tmp_path: Path, evaluate: Evaluate, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(sem, tmp_path / "rats", ignore=shutil.ignore_patterns("sub-rat6"))
    monkeypatch.chdir(tmp_path)
    for words, folder in ((("--data", "rats"), "rats"), ((), "SEM1")):
        ran = command("astih", "evaluate", "SEM1", "sem", *words)
        assert ran.code == 2
        assert f"axonflow astih download SEM1 {folder} --make-splits" in " ".join(ran.err.split())
    assert not evaluate.asked


def test_real_folders_are_told_apart(real_data: Path) -> None:
    with pytest.raises(InputError, match="sub-rat6"):
        images_of_test_split(SEM1, real_data / "sem")
    assert {image.subject for image in images_of_test_split(TEM2, real_data / "tem2")} >= {"sub-366A", "sub-371"}
