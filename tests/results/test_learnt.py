"""Whether a slide may be one that its network learnt from is told by the names of subjects, and by nothing else."""

from __future__ import annotations

import json
from pathlib import Path, PurePath
from types import SimpleNamespace
from typing import Any, cast

import pytest
from slides import write_model

from axonflow.net.checkpoint import Checkpoint, embedded_models
from axonflow.results.analysis import Analysis
from axonflow.results.learnt import Learnt, learnt_by, subjects_in


def result_of(model: Checkpoint, slide: str, **more: Any) -> Analysis:
    """A result of a network, with as much of its record as is read."""
    made_by = {"name": model.name, "path": str(model.path), "embedded": model.embedded, "sha256": model.sha256}
    return cast("Analysis", SimpleNamespace(record={"model": made_by | more, "slide": {"path": slide}}))


def learnt(result: Analysis, *further: PurePath) -> Learnt:
    found = learnt_by(result, *further)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("path", "subjects"),
    [
        ("sub-rat2_sample-data5_SEM.png", {"sub-rat2"}),
        ("/data/sub-rat2/micr/image.png", {"sub-rat2"}),
        ("sub-rat2.ome.zarr", {"sub-rat2"}),
        ("sub-rat2/micr/sub-rat3_SEM.png", {"sub-rat2", "sub-rat3"}),
        ("rat2.png", set()),
        ("my-sub-rat2.png", set()),
        ("sub-.png", set()),
        ("sub-rat2-copy.png", set()),
    ],
)
def test_a_subject_is_a_word_of_a_name(path: str, subjects: set[str]) -> None:
    assert subjects_in([PurePath(path)]) == subjects


@pytest.mark.parametrize("name", embedded_models())
def test_each_subject_of_a_model_is_known_by_its_name(name: str) -> None:
    model = Checkpoint.find(name)
    for subject in model.trained_on["subjects"]:
        for result, further in (
            (result_of(model, f"/data/{subject}/micr/{subject}_SEM.png"), []),
            (result_of(model, "slide.tif"), [PurePath(f"{subject}_truth.png")]),
        ):
            found = learnt(result, *further)
            assert found.same == (subject,)
            assert subject in found.warning
            assert found.told == found.warning
        longer = learnt(result_of(model, f"{subject}0_SEM.png"))
        assert (longer.same, longer.warning) == ((), "")
        assert subject in longer.told
        assert "do not say" in longer.told


@pytest.mark.parametrize("more", [{"sha256": "0" * 64}, {"sha256": None}, {"name": "gone"}])
def test_a_model_that_is_gone_or_another_tells_nothing(more: dict[str, Any]) -> None:
    found = learnt(result_of(Checkpoint.find("sem"), "sub-rat2_SEM.png", **more))
    assert (found.subjects, found.same, found.warning) == ({}, (), "")
    assert "not known" in found.told


def test_masks_learnt_nothing() -> None:
    assert learnt_by(result_of(Checkpoint.find("sem"), "sub-rat2_SEM.png", masks=[])) is None


def test_a_model_of_ones_own(tmp_path: Path) -> None:
    path = write_model(tmp_path)
    assert "not known" in learnt(result_of(Checkpoint.find(path), "sub-a_SEM.png")).told
    sem = Checkpoint.find("sem")
    told = {"data": "ours (2026)", "subjects": ["sub-a"], "start": {"name": "sem", "sha256": sem.sha256}}
    assert learnt(result_of(tell(path, told), "sub-a_SEM.png")).warning.startswith(
        "The network learnt from sub-a of ours, "
    )
    began = learnt(result_of(tell(path, told), f"{sem.trained_on['subjects'][0]}_SEM.png"))
    assert "of ASTIH SEM1, and so is this slide named" in began.warning
    lost = tell(path, told | {"start": {"name": "sem", "sha256": "0" * 64}})
    assert "learnt from sub-a of ours, and from others that are not known" in learnt(result_of(lost, "b.png")).told
    itself = tell(path, told | {"start": {"name": str(path), "sha256": lost.sha256}})
    assert learnt(result_of(itself, "sub-a_SEM.png")).same == ("sub-a",)


def tell(contract: Path, trained_on: dict[str, Any]) -> Checkpoint:
    contract.write_text(json.dumps(json.loads(contract.read_text()) | {"trained_on": trained_on}))
    return Checkpoint.find(contract)
