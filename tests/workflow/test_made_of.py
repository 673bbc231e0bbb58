"""What a store was made of is kept: found where its folder was moved to, and replaced only if that is asked for."""

from __future__ import annotations

from pathlib import Path

from slides import command, contents, picture, tissue, write_labels, write_model, write_slide

import axonflow
from axonflow.workflow.record import read_record

SHAPE = (150, 170)
CLASSES = tissue(SHAPE)


def test_files_that_came_along_are_found(tmp_path: Path) -> None:
    there, here = tmp_path / "there", tmp_path / "here"
    (there / "masks").mkdir(parents=True)
    (there / "stores").mkdir()
    write_slide(there / "slide.tif", picture(CLASSES))
    labels = write_labels(there / "masks" / "labels.png", CLASSES)
    store = there / "stores" / "slide.ome.zarr"
    assert command("run", there / "slide.tif", "--labels", labels, "--out", store, "--cell", 5).code == 0
    before = axonflow.open(store).fibers
    there.rename(here)
    store = here / "stores" / "slide.ome.zarr"
    ran = command("map", store, "--cell", 4)
    assert ran.code == 0, ran.err
    assert "measuring" not in ran.out
    result = axonflow.open(store)
    assert result.record["config"]["slide"] == str(here / "slide.tif")
    assert result.record["config"]["labels"] == str(here / "masks" / "labels.png")
    assert result.record["config"]["cell_um"] == 4
    assert result.fibers.equals(before)


def test_a_slide_that_did_not_come_along_is_named_with_both_places(tmp_path: Path) -> None:
    slide, labels = tmp_path / "slide.tif", write_labels(tmp_path / "labels.png", CLASSES)
    write_slide(slide, picture(CLASSES))
    store = tmp_path / "here" / "slide.ome.zarr"
    store.parent.mkdir()
    assert command("run", slide, "--labels", labels, "--out", store, "--cell", 5).code == 0
    (tmp_path / "deep").mkdir()
    store.parent.rename(tmp_path / "deep" / "here")
    slide.rename(tmp_path / "elsewhere.tif")
    ran = command("map", (store := tmp_path / "deep" / "here" / "slide.ome.zarr"), "--cell", 4)
    assert ran.code == 2
    said = " ".join(ran.err.split())
    assert f"was expected at {slide} or {tmp_path / 'deep' / 'slide.tif'}, it is not there" in said
    assert command("map", tmp_path / "elsewhere.tif", "--labels", labels, "--out", store, "--cell", 4).code == 0


def test_a_network_replaces_own_masks_only_if_it_is_asked_for(tmp_path: Path) -> None:
    slide, labels = tmp_path / "slide.tif", write_labels(tmp_path / "labels.png", CLASSES)
    write_slide(slide, picture(CLASSES))
    store = tmp_path / "slide.ome.zarr"
    assert command("run", slide, "--labels", labels, "--cell", 5).code == 0
    before = contents(store)
    for name in ("run", "map"):
        ran = command(name, slide, "--cell", 4)
        assert ran.code == 2
        said = " ".join(ran.err.split())
        assert f"{store} was made of {labels}" in said
        assert f"axonflow run {store}" in said
    assert contents(store) == before
    assert command("map", store, "--cell", 4).code == 0
    model = write_model(tmp_path / "model", 64)
    for more in (["--model", model], ["--fresh", "--model", model]):
        assert command("segment", slide, *more).code == 0
        assert "masks" not in read_record(store)["model"]
