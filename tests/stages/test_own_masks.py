"""Own masks become labels as they are read; what a person should know is noted, and stores of plain ones keep keys."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage
from slides import analyse, command, picture, tissue, write_labels, write_masks, write_slide

import axonflow
from axonflow.errors import InputError
from axonflow.slide import open_slide, open_stored
from axonflow.stages.masks import open_mask
from axonflow.workflow.config import Config
from axonflow.workflow.job import prepare

SHAPE = (150, 190)
CLASSES = tissue(SHAPE, 5)


@pytest.fixture
def config(tmp_path: Path) -> Config:
    slide = write_slide(tmp_path / "slide.tif", picture(CLASSES))
    axon, myelin = write_masks(tmp_path, CLASSES)
    return Config(slide, tmp_path / "out", axon_mask=axon, myelin_mask=myelin, cell_um=6.0, chunk=64)


def labels_of(store: Path) -> NDArray[np.uint8]:
    return np.asarray(axonflow.open(store).labels["semantic"])


def test_plain_masks_are_known_by_their_content_alone(config: Config) -> None:
    segment = next(stage for stage in prepare(config).stages if stage.name == "segment")
    assert config.axon_mask is not None
    assert config.myelin_mask is not None
    assert segment.revision == 1
    assert segment.parameters == {
        "masks": [open_slide(config.axon_mask).identity, open_slide(config.myelin_mask).identity],
        "pixel_size": [0.1, 0.1],
        "shard": 64,
    }


def test_another_reading_is_another_key_and_is_noted(config: Config, tmp_path: Path) -> None:
    soft = tmp_path / "soft.png"
    Image.fromarray(np.where(CLASSES == 2, 250, 3).astype(np.uint8)).save(soft)
    slide, myelin = config.slide, config.myelin_mask
    ran = command(
        *("run", slide, "--out", tmp_path / "soft", "--axon-mask", soft, "--myelin-mask", myelin, "--workers", 1)
    )
    assert ran.code == 0, ran.err
    np.testing.assert_array_equal(labels_of(tmp_path / "soft"), CLASSES)
    (note,) = json.loads((tmp_path / "soft" / "run.json").read_text())["stages"]["segment"]["notes"]
    assert "soft.png was read as two modes, 3 and 250, with a threshold of 126.5; 0.00%" in note
    assert note in " ".join((ran.out + ran.err).split())
    job = prepare(replace(config, axon_mask=soft))
    assert "readings" in next(stage for stage in job.stages if stage.name == "segment").parameters


def test_the_same_mask_twice_is_refused(config: Config, tmp_path: Path) -> None:
    assert config.axon_mask is not None
    copy = tmp_path / "copy.png"
    copy.write_bytes(config.axon_mask.read_bytes())
    for twice in (config.axon_mask, copy):
        with pytest.raises(InputError, match="the same content"):
            prepare(replace(config, myelin_mask=twice))


def test_an_empty_mask_is_said(config: Config, tmp_path: Path) -> None:
    empty = write_labels(tmp_path / "empty.png", np.zeros(SHAPE, np.uint8))
    analyse(replace(config, axon_mask=None, myelin_mask=None, labels=empty))
    said = {given.id: given.message for given in axonflow.open(config.out).warnings}
    assert str(empty) in said["one-value"]


def test_a_mask_in_tiles_or_strips_is_read_as_the_whole_file_is(config: Config, tmp_path: Path) -> None:
    ids = ndimage.label(CLASSES == 2, np.ones((3, 3)))[0].astype(np.uint16)
    ids[:, SHAPE[1] // 2 :][ids[:, SHAPE[1] // 2 :] == np.bincount(ids[ids > 0]).argmax()] = 999  # halves that touch
    found = []
    for name, options in (("whole", {}), ("tiled", {"tile": (16, 16)}), ("strips", {"rowsperstrip": 7})):
        tifffile.imwrite(tmp_path / f"{name}.tif", ids, compression="zlib", **options)
        path = tmp_path / f"{name}.tif"
        run = replace(config, axon_mask=path, out=tmp_path / name)
        assert open_mask(open_stored(path)).rule == "ids"
        analyse(run)
        found.append(labels_of(run.out))
    assert ((found[0] != 2) & (ids == 999)).any()
    for other in found[1:]:
        np.testing.assert_array_equal(other, found[0])


def test_regions_in_a_palette_are_told_apart_by_their_index(config: Config, tmp_path: Path) -> None:
    tracts = np.repeat(np.array([1, 2, 3], np.uint8), (60, 60, 70))[None].repeat(SHAPE[0], axis=0)
    colours = np.zeros((3, 256), np.uint16)
    colours[:, 1], colours[:, 2], colours[:, 3] = (0, 38550, 0), (22616, 26985, 0), (65535, 0, 0)
    tifffile.imwrite(tmp_path / "tracts.tif", tracts, photometric="palette", colormap=colours)
    Image.fromarray(tracts).save(tmp_path / "tracts.png")
    tables = []
    for name in ("tracts.tif", "tracts.png"):
        analyse(replace(config, regions=tmp_path / name))
        tables.append(axonflow.open(config.out).regions)
    assert tables[0]["region"].tolist() == ["1", "2", "3"]
    assert tables[0].equals(tables[1])


def test_outlines_off_the_slide_are_refused(config: Config, tmp_path: Path) -> None:
    ring = [[5000, 0], [5040, 0], [5040, 40], [5000, 0]]
    (tmp_path / "off.geojson").write_text(json.dumps({"type": "Polygon", "coordinates": [ring]}))
    for setting in ("regions", "mask"):
        with pytest.raises(InputError, match=r"all of .*off\.geojson lie off it"):
            prepare(replace(config, **{setting: tmp_path / "off.geojson"}))  # type: ignore[arg-type]
