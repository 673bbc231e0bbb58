"""The three validators disagree about what they look at, so a store has to please all of them."""

from pathlib import Path

import numpy as np
import ome_zarr_models
import pytest
import yaozarrs
import zarr
from ome_zarr.io import parse_url
from ome_zarr.reader import Reader
from ome_zarr_models.v05.image import Image
from ome_zarr_models.v05.image_label import ImageLabel

from axonflow.kernel.grid import Box
from axonflow.kernel.units import PixelSize
from axonflow.ngff import Pyramid

ome_zarr_io = pytest.importorskip("ome_zarr_io")  # it ships no types


@pytest.fixture(params=["uint8", "uint16", "float32"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A slide of three levels with two label images on a coarser grid."""
    slide = Pyramid(tmp_path / "slide.ome.zarr", (1300, 700), request.param, PixelSize(0.1, 0.13), (0.05, 0.065), 256)
    slide.create()
    for name, dtype, colours in (("semantic", "uint8", {1: (0, 0, 255, 160)}), ("axons", "uint32", None)):
        path = slide.path / "labels" / name
        Pyramid(path, (700, 300), dtype, PixelSize(0.2, 0.3), (0.1, 0.15), 256, "labels", slide.count).create(
            colours=colours
        )
    slide.set_window(3, 200)
    return slide.path


@pytest.mark.parametrize("place", ["", "labels", "labels/semantic", "labels/axons"])
def test_yaozarrs_accepts_the_store(store: Path, place: str) -> None:
    yaozarrs.validate_zarr_store(str(store / place))


@pytest.mark.parametrize(
    ("place", "model"), [("", Image), ("labels/semantic", ImageLabel), ("labels/axons", ImageLabel)]
)
def test_ome_zarr_models_accepts_the_store(store: Path, place: str, model: type) -> None:
    group = zarr.open_group(store / place, mode="r")
    assert isinstance(ome_zarr_models.open_ome_zarr(group), model)


def test_ome_zarr_models_finds_the_labels(store: Path) -> None:
    labels = Image.from_zarr(zarr.open_group(store, mode="r")).labels
    assert sorted(labels.ome_attributes.labels) == ["axons", "semantic"]


@pytest.mark.parametrize("place", ["", "labels/semantic", "labels/axons"])
@pytest.mark.parametrize("strict", [False, True])
def test_ome_zarr_io_accepts_the_store(store: Path, place: str, strict: bool) -> None:
    """Strictly taken ids should have colours, too; but napari shows no id that a list of colours leaves out."""
    errors = ome_zarr_io.validate(store / place, strict=strict).errors
    uncoloured = [("'colors' is a required property", "labels/axons")] if strict and not place else []
    assert [(error.message, error.location) for error in errors] == uncoloured


def test_ome_zarr_io_describes_the_image_as_it_was_meant(store: Path) -> None:
    report = ome_zarr_io.validate(store)
    assert [(level.path, level.shape, level.scale) for level in report.levels] == [
        ("s0", (1, 1300, 700), [1.0, 0.1, 0.13]),
        ("s1", (1, 650, 350), [1.0, 0.2, 0.26]),
        ("s2", (1, 325, 175), [1.0, 0.4, 0.52]),
    ]
    assert sorted((label.name, label.dtype) for label in report.labels) == [("axons", "uint32"), ("semantic", "uint8")]
    assert [(channel.label, channel.window["start"], channel.window["end"]) for channel in report.channels] == [
        ("slide", 3, 200)
    ]


def test_ome_zarr_reads_the_levels_and_the_labels(store: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 200, (1300, 700)).astype(Pyramid.open(store).dtype)
    Pyramid.open(store).write(Box.whole((1300, 700)), pixels)
    nodes = list(Reader(parse_url(store))())
    levels = next(node.data for node in nodes if node.zarr.basename() == store.name)
    assert [level.shape for level in levels] == [(1, 1300, 700), (1, 650, 350), (1, 325, 175)]
    np.testing.assert_array_equal(levels[0][0], pixels)
    assert {node.zarr.basename() for node in nodes} >= {"semantic", "axons"}
