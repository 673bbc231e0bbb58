"""AxonDeepSeg's models are fetched by its names, and imported; all on loopback."""

from __future__ import annotations

from pathlib import Path

import pytest
from astih_server import contents, serving, zipped
from nnunet_folders import LABELS, write_folder
from slides import command

from axonflow.astih import MODELS, OFFERED, OfferedModel
from axonflow.net.checkpoint import Checkpoint

FETCHED = [
    (known, ensemble)
    for known in OFFERED
    for ensemble in (False, True)
    if (known.ensemble if ensemble else known.light) and not known.unusable
]


def packed(folder: Path, folds: tuple[str, ...] = ("all",), labels: dict[str, int] | None = None) -> bytes:
    return zipped(contents(write_folder(folder, folds=folds, labels=labels or LABELS)), "model_seg")


@pytest.mark.parametrize(("known", "ensemble"), FETCHED)
def test_each_is_fetched_and_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, known: OfferedModel, ensemble: bool
) -> None:
    monkeypatch.setenv("AXONFLOW_MODELS", str(tmp_path / "mine"))
    archive = known.ensemble if ensemble else known.light
    assert archive is not None
    name = f"{known.name}-ensemble" if ensemble else known.name
    with serving() as served:
        monkeypatch.setenv("AXONFLOW_GITHUB", served.url)
        served.archives[archive.path] = packed(tmp_path / "m", ("0", "1") if ensemble else ("all",))
        ran = command("models", "fetch", known.name.upper(), *["--ensemble"] * ensemble)
        assert ran.code == 0, ran.err
        assert f"--model {name}" in ran.out
        served.asked.clear()
        assert command("models", "fetch", known.name, *["--ensemble"] * ensemble).code == 0
        assert served.asked == []
    found = Checkpoint.find(name)
    assert (found.pixel_size_um, found.slides_um) == (known.pixel_size_um or 0, known.slides_um)
    assert len(found.networks()) == 1 + ensemble
    assert sorted(path.name for path in (tmp_path / "mine").iterdir()) == [f"{name}.json", f"{name}.safetensors"]


def test_one_that_broke_off_is_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AXONFLOW_MODELS", str(tmp_path / "mine"))
    archive = OFFERED[0].light
    assert archive is not None
    with serving() as served:
        monkeypatch.setenv("AXONFLOW_GITHUB", served.url)
        served.archives[archive.path] = packed(tmp_path / "m")
        served.breaks[f"/{archive.path}"] = 1000
        assert command("models", "fetch", OFFERED[0].name).code == 1
        assert command("models", "fetch", OFFERED[0].name).code == 0
        assert served.asked[-1][1] == "bytes=1000-"


@pytest.mark.parametrize("content", [b"no archive", zipped({"dataset.json": b"{}"}, "top")])
def test_what_is_no_model_is_refused_and_fetched_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    monkeypatch.setenv("AXONFLOW_MODELS", str(tmp_path / "mine"))
    archive = OFFERED[0].light
    assert archive is not None
    with serving() as served:
        monkeypatch.setenv("AXONFLOW_GITHUB", served.url)
        served.archives[archive.path] = content
        ran = command("models", "fetch", OFFERED[0].name)
        assert ran.code == 2
        assert "A model of nnU-Net was expected" in ran.err
        assert list((tmp_path / "mine").iterdir()) == []
        served.archives[archive.path] = packed(tmp_path / "m")
        assert command("models", "fetch", OFFERED[0].name).code == 0


def test_what_cannot_be_run_or_is_not_there_is_not_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AXONFLOW_MODELS", str(tmp_path / "mine"))
    with serving() as served:
        monkeypatch.setenv("AXONFLOW_GITHUB", served.url)
        for words, said in [
            (("unmyelinated-TEM",), "neither myelin"),
            (("dedicated-BF", "--ensemble"), "without --ensemble"),
            (("dedicated-AFM",), "generalist"),
        ]:
            ran = command("models", "fetch", *words)
            assert ran.code == 2
            assert said in " ".join(ran.err.split())
        assert served.asked == []


def test_a_model_of_astih_is_imported_beside_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = MODELS[1]  # its five classes
    labels = {"background": 0, "axon": 1, "uaxon": 2, "myelin": 3, "nuclei": 4, "process": 5}
    with serving() as served:
        monkeypatch.setenv("AXONFLOW_GITHUB", served.url)
        served.archives[known.archive.path] = packed(tmp_path / "m", labels=labels)
        ran = command("astih", "models", "download", known.name, tmp_path / "models")
        assert ran.code == 0
        assert f"--model {tmp_path / 'models' / known.name}.json" in ran.out
    found = Checkpoint.find(tmp_path / "models" / f"{known.name}.json")
    assert found.classes.names == ("background", "axon", "unmyelinated axon", "myelin", "nuclei", "process")
