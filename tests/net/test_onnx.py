"""The ONNX file gives the network's probabilities, in a program that knows no torch."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from nnunet_models import plan_of, write_nnunet
from slides import command

from axonflow.errors import InputError, ModelError
from axonflow.net.checkpoint import Checkpoint
from axonflow.net.onnx import difference, export_onnx


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("onnx") / "tem.onnx"
    found = export_onnx(Checkpoint.find("tem"), path)
    assert found is not None
    assert found < 1e-5
    return path


def test_a_file_says_what_its_reader_has_to_know(written: Path) -> None:
    model, checkpoint = onnx.load(written), Checkpoint.find("tem")
    onnx.checker.check_model(model)
    told = {each.key: each.value for each in model.metadata_props}
    assert json.loads(told["axonflow.classes"]) == checkpoint.classes.to_json()
    assert told["axonflow.normalisation"] == checkpoint.normalisation
    assert json.loads(told["axonflow.pixel_size_um"]) == checkpoint.pixel_size_um
    assert [value.name for value in (*model.graph.input, *model.graph.output)] == ["greys", "probabilities"]


def test_another_network_is_told_from_it(written: Path) -> None:
    net = torch.nn.Sequential(Checkpoint.find("tem").network(), torch.nn.Softmax(dim=1)).eval()
    with torch.no_grad():
        next(net.parameters()).mul_(1.5)
    assert difference(net, written) > 1e-4


def test_a_file_that_differs_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("axonflow.net.onnx.difference", lambda *_: np.nan)
    with pytest.raises(ModelError, match="not kept"):
        export_onnx(Checkpoint.find("tem"), tmp_path / "tem.onnx")
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_written_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = command("models", "export", "sem", "--out", "/proc/sem.onnx")
    assert ran.code == 2
    assert "give another with --out" in " ".join(ran.err.split())
    ran = command("models", "export", "sem", "--format", "tflite")
    assert ran.code == 2
    assert "onnx was expected" in " ".join(ran.err.split())
    with pytest.raises(InputError, match="a model of nnU-Net"):
        export_onnx(Checkpoint.find(write_nnunet(tmp_path / "nnunet", plan_of())), tmp_path / "sem.onnx")
    monkeypatch.setattr("axonflow.net.onnx.find_spec", lambda _: None)
    with pytest.raises(InputError, match="pip install onnx onnxscript"):
        export_onnx(Checkpoint.find("sem"), tmp_path / "sem.onnx")
