"""Runs on outlines: the same wherever the slide is cut, on threads and processes, and refused with a way on."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from slides import analyse, command, contents, picture, processes, tissue, write_masks, write_slide

import axonflow
from axonflow.errors import InputError
from axonflow.workflow.config import Config
from axonflow.workflow.job import prepare, run_job

SHAPE = (301, 423)


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Config:
    """A slide with circles that touch, overlap, cross the borders of chunks and the slide's own."""
    folder = tmp_path_factory.mktemp("drawn")
    random = np.random.default_rng(4)
    angle = np.linspace(0, 2 * np.pi, 40)
    features = []
    for y, x, radius in random.uniform((-5, -5, 3), (306, 428, 25), (60, 3)):
        for name, size in (("Axon", radius * 0.7), ("Fiber", radius)):
            ring = np.column_stack([x + size * np.cos(angle), y + size * np.sin(angle)]).round(2).tolist()
            geometry = {"type": "Polygon", "coordinates": [ring]}
            features.append({"type": "Feature", "geometry": geometry, "properties": {"classification": {"name": name}}})
    drawn = folder / "drawn.geojson"
    drawn.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    slide = write_slide(folder / "slide.tif", picture(tissue(SHAPE)))
    return Config(slide, folder / "one", axon_mask=drawn, myelin_mask=drawn, cell_um=6.0, chunk=64, max_myelin_um=1.0)


@pytest.fixture(scope="module")
def expected(config: Config) -> dict[str, str]:
    analyse(config)
    return contents(config.out)


@pytest.mark.parametrize("chunk", [128, 448])
def test_chunks_decide_nothing(config: Config, expected: dict[str, str], chunk: int, tmp_path: Path) -> None:
    other = replace(config, out=tmp_path / "other", chunk=chunk)
    analyse(other)
    assert contents(other.out) == expected


def test_processes_draw_the_same(
    config: Config, expected: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = replace(config, out=tmp_path / "other")
    run_job(prepare(other), processes(monkeypatch))
    assert contents(other.out) == expected


def test_nothing_is_left_to_do_when_it_is_given_again(config: Config, expected: dict[str, str]) -> None:
    assert expected
    assert analyse(config) == []
    notes = axonflow.open(config.out).record["stages"]["segment"]["notes"]
    assert "outlines of 60 axons" in notes[0]
    assert axonflow.check(config.out).sound


def test_outlines_go_with_an_image(config: Config, expected: dict[str, str], tmp_path: Path) -> None:
    """The myelin as an image, the axons as outlines."""
    assert expected
    semantic = np.asarray(axonflow.open(config.out).pyramid("semantic").array()[:])
    _, myelin = write_masks(tmp_path, semantic)
    mixed = replace(config, out=tmp_path / "mixed", myelin_mask=myelin)
    analyse(mixed)
    np.testing.assert_array_equal(np.asarray(axonflow.open(mixed.out).pyramid("semantic").array()[:]), semantic)


def test_outlines_are_no_image_of_classes(config: Config) -> None:
    ran = command("run", config.slide, "--labels", config.axon_mask)
    assert ran.code == 2
    assert "holds outlines; give it with --axon-mask" in " ".join(ran.err.split())


def test_a_unit_without_outlines_is_refused(config: Config) -> None:
    with pytest.raises(InputError, match="--outlines-unit was expected with --axon-mask"):
        Config(config.slide, config.out, outlines_unit="um")


def test_one_file_without_classes_is_not_both_masks(config: Config, tmp_path: Path) -> None:
    ring = [[10, 10], [40, 10], [40, 40], [10, 40]]
    (tmp_path / "a.geojson").write_text(json.dumps({"type": "Polygon", "coordinates": [ring]}))
    both = {"axon_mask": tmp_path / "a.geojson", "myelin_mask": tmp_path / "a.geojson", "out": tmp_path / "s"}
    with pytest.raises(InputError, match="have the same content"):
        prepare(replace(config, **both))  # type: ignore[arg-type]


def test_a_store_of_before_there_were_groups_of_tables_is_whole_and_stays_so(
    config: Config, expected: dict[str, str], tmp_path: Path
) -> None:
    """What older runs wrote of tables and labels: no groups, and a colour for the background of ids."""
    assert expected
    store = tmp_path / "old"
    shutil.copytree(config.out, store)
    _forget_tables(store)
    assert axonflow.check(store).sound
    assert analyse(replace(config, out=store)) == []
    assert not (store / "tables" / "zarr.json").exists()
    assert len(axonflow.open(store).fibers) == len(axonflow.open(config.out).fibers)


def _forget_tables(store: Path) -> None:
    """Take the groups, and what the journal says of them, away."""
    from google_crc32c import value as crc32c

    shutil.rmtree(store / "tables" / "fibers")
    (store / "tables" / "zarr.json").unlink()
    (done,) = (store / ".axonflow" / "journal" / "measure.regions").glob("*/done.*.json")
    said = json.loads(done.read_text())
    for part in ("files", "contents"):
        said[part] = {
            name: each for name, each in said[part].items() if not name.startswith(("tables/fibers/", "tables/zarr"))
        }
    content = json.dumps(said, indent=1).encode()
    done.unlink()
    (done.parent / f"done.{crc32c(content):08x}.json").write_bytes(content)


def test_a_changed_copy_of_the_table_is_made_anew(config: Config, expected: dict[str, str], tmp_path: Path) -> None:
    store = tmp_path / "changed"
    shutil.copytree(config.out, store)
    table = store / "tables" / "fibers" / "table.parquet"
    table.write_bytes(b"another program's")
    assert [damage.part for damage in axonflow.check(store).proof.damages] == ["tables/fibers"]
    axonflow.open(store).fibers  # noqa: B018  # the run's own table is whole
    assert analyse(replace(config, out=store)) == ["measure.regions"]
    assert contents(store) == expected
