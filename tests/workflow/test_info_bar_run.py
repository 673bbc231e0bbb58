"""A slide ends above its info bar: its run is that of the image without one, with masks of either height."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image
from slides import analyse, command, contents, picture, tissue, write_labels, write_masks, write_model

from axonflow.errors import InputError
from axonflow.kernel.grid import Box
from axonflow.kernel.units import PixelSize
from axonflow.stages.annotation import open_regions
from axonflow.stages.layout import Frame
from axonflow.workflow.config import Config
from axonflow.workflow.record import read_record

SHAPE, ROWS = (240, 320), 33
CLASSES = tissue(SHAPE)
LETTERS = np.kron(np.random.default_rng(4).random((ROWS // 3, SHAPE[1] // 5)) < 0.4, np.ones((3, 5))).astype(bool)
SAID = f"[Image]\r\nResolutionX={SHAPE[1]}\r\nResolutionY={SHAPE[0]}\r\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same tissue with a bar that a tag speaks of, with one that is seen, and without one; and its masks."""
    folder = tmp_path_factory.mktemp("bar")
    pixels = np.clip(picture(CLASSES), 1, 254)
    barred = np.vstack([pixels, LETTERS * np.uint8(255)])
    said: dict[str, Any] = {"extratags": [(34682, 2, len(SAID) + 1, SAID, True)]}
    for name, image, options in (("tag", np.maximum(barred, 3), said), ("look", barred, {}), ("none", pixels, {})):
        resolution = {"resolution": (1e5, 1e5), "resolutionunit": "CENTIMETER"}
        tifffile.imwrite(folder / f"{name}.tif", image, metadata=None, tile=(64, 64), **resolution, **options)
    for name, classes in (("short", CLASSES), ("tall", np.pad(CLASSES, ((0, ROWS), (0, 0)), constant_values=2))):
        (folder / name).mkdir()
        write_labels(folder / name / "labels.png", classes)
        write_masks(folder / name, classes)
        Image.fromarray(classes > 0).save(folder / name / "covered.png")
        Image.fromarray(classes + np.uint8(1)).save(folder / name / "regions.png")
    write_model(folder)
    return folder


@pytest.fixture(scope="module")
def plain(folder: Path) -> Config:
    """The network's run of the image without a bar."""
    config = Config(folder / "none.tif", folder / "plain", model=str(folder / "tiny64.json"), chunk=64, cell_um=6.0)
    analyse(config)
    return config


@pytest.mark.parametrize("kind", ["tag", "look"])
def test_a_network_sees_nothing_of_it(plain: Config, folder: Path, tmp_path: Path, kind: str) -> None:
    config = replace(plain, slide=folder / f"{kind}.tif", out=tmp_path / "out")
    analyse(config)
    assert contents(config.out) == contents(plain.out)
    slide = read_record(config.out)["slide"]
    assert slide["shape"] == list(SHAPE)
    assert slide["info_bar"]["rows"] == ROWS
    assert not slide["info_bar"]["kept"]
    assert read_record(plain.out)["slide"]["info_bar"] is None
    assert "info bar: 33 px below" in (config.out / "run.log").read_text()
    assert analyse(config) == []


@pytest.mark.parametrize("kind", ["tag", "look"])
@pytest.mark.parametrize("masks", ["short", "tall"])
@pytest.mark.parametrize("given", ["labels", "two masks"])
def test_masks_of_either_height(folder: Path, tmp_path: Path, kind: str, masks: str, given: str) -> None:
    """What is drawn over the whole image is cut as it is: own masks, the region of interest, and tracts."""

    def run(slide: str, drawn: Path) -> dict[str, str]:
        own: dict[str, Any] = {"labels": drawn / "labels.png"}
        if given == "two masks":
            own = {"axon_mask": drawn / "axon.png", "myelin_mask": drawn / "myelin.png"}
        over: dict[str, Any] = {"mask": drawn / "covered.png", "regions": drawn / "regions.png"}
        out = tmp_path / slide
        analyse(Config(folder / f"{slide}.tif", out, chunk=64, cell_um=6.0, **own, **over))
        return contents(out)

    assert run(kind, folder / masks) == run("none", folder / "short")


@pytest.mark.parametrize("scale", [1, 2, 3, 7])
@pytest.mark.parametrize("of", ["short", "tall"])
def test_a_coarse_drawing_of_the_image_with_its_bar_lies_where_it_was_drawn(scale: int, of: str) -> None:
    """A drawing of half the size of the file shows the bar, too: stretched over the slide, its rows would be off."""
    rows = SHAPE[0] + (ROWS if of == "tall" else 0)
    drawn = Image.fromarray(np.arange(rows, dtype=np.uint16)[:, None].repeat(SHAPE[1], 1))
    size = (round(SHAPE[1] / scale), round(rows / scale))
    with TemporaryDirectory() as folder:
        drawn.resize(size, Image.Resampling.NEAREST).save(Path(folder) / "r.png")
        frame = Frame(SHAPE, PixelSize.square(0.1))
        regions = open_regions(Path(folder) / "r.png", "px", frame, frame, ROWS)
        found = regions.label(Box.whole(SHAPE))[:, 0].astype(int)
    assert np.abs(found - np.arange(SHAPE[0])).max() <= scale


def test_a_truth_of_either_height_is_scored_alike(folder: Path, tmp_path: Path) -> None:
    store = tmp_path / "out"
    analyse(Config(folder / "tag.tif", store, labels=folder / "short" / "labels.png", chunk=64))
    ran = [command("score", store, folder / kind / "labels.png") for kind in ("short", "tall")]
    assert ran[0].code == 0
    assert "axon 1.000 1.000" in " ".join(ran[0].out.split())
    assert ran[0].out == ran[1].out


def test_it_can_be_kept(folder: Path, tmp_path: Path) -> None:
    config = Config(folder / "tag.tif", tmp_path / "out", labels=folder / "tall" / "labels.png", chunk=64)
    analyse(config)
    kept = replace(config, keep_bar=True)
    assert {"convert", "segment"} <= set(analyse(kept))
    record = read_record(config.out)
    assert record["slide"]["shape"] == record["labels"]["shape"] == [SHAPE[0] + ROWS, SHAPE[1]]
    assert record["slide"]["info_bar"]["kept"]
    with pytest.raises(InputError, match="273 × 320"):
        analyse(replace(kept, labels=folder / "short" / "labels.png"))


def test_it_is_said(folder: Path, tmp_path: Path) -> None:
    assert "33 px below the image (FEI tag 34682" in command("info", folder / "tag.tif").out
    assert "info bar       none" in command("info", folder / "none.tif").out
    given: tuple[object, ...] = ("--labels", folder / "short" / "labels.png", "--out", tmp_path / "out", "--workers", 1)
    assert "left out; --keep-bar keeps it" in command("run", folder / "look.tif", *given).out
    assert "33 px left out" in (tmp_path / "out" / "report.html").read_text()
    given = ("--labels", folder / "tall" / "labels.png", "--keep-bar", "--out", tmp_path / "out", "--workers", 1)
    assert "black and white): kept" in command("convert", folder / "look.tif", *given).out
