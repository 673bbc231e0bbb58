"""A store that rots, or whose copy broke off: what is damaged is named, refused, and made anew to the same bytes."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import random
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from slides import analyse, command, files, picture, tissue, write_labels, write_model, write_slide

import axonflow
from axonflow.errors import AxonflowError, DamageError
from axonflow.ngff import Pyramid
from axonflow.results import check as checking
from axonflow.results.analysis import Analysis, open_store
from axonflow.results.check import check
from axonflow.workflow.config import Config
from benchmarks.rot import DAMAGES, flip, proved

STORE = "store.ome.zarr"


@pytest.fixture(scope="module", params=["masks", "network"])
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Config:
    """A finished store of several chunks."""
    folder = tmp_path_factory.mktemp(request.param)
    classes = tissue((150, 210), 5)
    slide = write_slide(folder / "slide.tif", picture(classes))
    config = Config(slide, folder / STORE, cell_um=6.0, chunk=64, max_myelin_um=1.0)
    if request.param == "masks":
        config = replace(config, labels=write_labels(folder / "labels.png", classes))
    else:
        config = replace(config, model=str(write_model(folder)), keep_probabilities=True)
    analyse(config)
    return config


def copied(made: Config, folder: Path) -> Config:
    shutil.copytree(made.out, folder / STORE)
    return replace(made, out=folder / STORE)


def rewrite(store: Path, record: dict[str, Any]) -> None:
    """Put another record in the place of a store's, as a run would."""
    content = json.dumps(record).encode()
    for name in ("run.json", ".axonflow/run.json"):
        (store / name).write_bytes(content)
    (store / ".axonflow" / "record.sha256").write_text(hashlib.sha256(content).hexdigest())


@pytest.mark.parametrize("kind", DAMAGES)
def test_whatever_is_damaged_is_named_and_made_anew(made: Config, tmp_path: Path, kind: str) -> None:
    chance, before = random.Random(kind), files(made.out)
    for trial in range(4):
        config = copied(made, tmp_path / str(trial))
        name = chance.choice(proved(config.out))
        DAMAGES[kind](config.out / name, chance)
        found = check(config.out)
        assert not found.sound, name
        # of the journal's own files the name may be all that is left
        assert any(str(name).startswith(str(damage.path.relative_to(config.out))) for damage in found.proof.damages)
        analyse(config)
        assert files(config.out) == before, name
        assert check(config.out).sound, name


def test_much_that_is_damaged_at_once_is_made_anew(made: Config, tmp_path: Path) -> None:
    chance, before = random.Random(0), files(made.out)
    for trial in range(3):
        config = copied(made, tmp_path / str(trial))
        for name in chance.sample(proved(config.out), 12):
            if (config.out / name).exists():
                DAMAGES[chance.choice([*DAMAGES])](config.out / name, chance)
        analyse(config)
        assert files(config.out) == before
        assert check(config.out).sound


def test_only_what_is_damaged_is_made_anew(made: Config, tmp_path: Path) -> None:
    config = copied(made, tmp_path)
    journal = config.out / ".axonflow" / "journal"
    shard = config.out / "labels" / "axons" / "s0" / "c" / "1" / "1"
    shard.write_bytes(shard.read_bytes()[:-1])
    before = {path: path.stat().st_mtime_ns for path in journal.rglob("*.npz")}
    analyse(config)
    again = {path for path in journal.rglob("*.npz") if before.get(path) != path.stat().st_mtime_ns}
    assert len(again) == 1
    assert again.pop().parents[1].name == "label"
    log = (config.out / "run.log").read_text()
    assert log.index(f"WARNING axonflow.workflow.mending: {shard} is ") < log.rindex(
        " INFO axonflow.workflow.job: run "
    )


def reading() -> dict[str, Callable[[Analysis], Any]]:
    def pixels(name: str | None) -> Callable[[Analysis], Any]:
        def read(result: Analysis) -> Any:
            image = result.image if name is None else result.labels[name]
            return image.compute()

        return read

    return {
        "s0": pixels(None),
        **{f"labels/{name}/s0": pixels(name) for name in ("semantic", "axons", "fibers")},
        "tables": lambda result: result.fibers.to_csv(),
        "maps": lambda result: {name: array.to_numpy() for name, array in result.maps.variables.items()},
    }


@pytest.mark.parametrize("part", reading())
def test_a_bit_is_never_read_as_another(made: Config, tmp_path: Path, part: str) -> None:
    """Whoever reads through the API gets what was written, or an error."""
    chance, read = random.Random(part), reading()[part]
    config = copied(made, tmp_path)
    right = read(open_store(config.out))
    inside = [
        path for path in sorted((config.out / part).rglob("*" if part != "tables" else "*.parquet")) if path.is_file()
    ]
    inside = [path for path in inside if part != "tables" or path.parent.name == "tables"]  # beside copies for others
    refused = 0
    for _ in range(30):
        path = chance.choice(inside)
        content = path.read_bytes()
        flip(path, chance)
        try:
            came = read(open_store(config.out))
        except DamageError:
            refused += 1
        else:
            np.testing.assert_equal(came, right)
        path.write_bytes(content)
    assert refused > 20


def test_what_is_whole_is_served_beside_what_is_damaged(made: Config, tmp_path: Path) -> None:
    config = copied(made, tmp_path)
    array = config.out / "maps" / "avf" / "c" / "0" / "0"
    flip(array, random.Random(0))
    result = axonflow.open(config.out)
    assert len(result.fibers) == len(axonflow.open(made.out).fibers)
    with pytest.raises(DamageError, match=r"avf.*check"):
        _ = result.maps
    ran = command("export", config.out, "--format", "netcdf")
    assert ran.code == 2
    assert "axonflow check" in ran.err.replace("\n", " ")
    assert command("export", config.out, "--format", "ads-csv").code == 0


def test_a_changed_setting_does_not_build_on_damage(made: Config, tmp_path: Path) -> None:
    changes: list[dict[str, Any]] = [{"cell_um": 9.0}, {"max_myelin_um": 0.5}, {"min_axon_area_um2": 0.3}]
    for trial, change in enumerate(changes):
        config = copied(made, tmp_path / str(trial))
        for name in ("semantic", "axons"):
            next((config.out / "labels" / name / "s0").rglob("c/0/1")).unlink()
        analyse(replace(config, **change))
        fresh = replace(made, out=tmp_path / f"fresh{trial}" / STORE, **change)
        analyse(fresh)
        assert files(config.out) == files(fresh.out)


@pytest.mark.parametrize("jump_s", [-1e9, 1e9])
def test_metadata_are_put_back_as_they_were_last_whatever_the_clock_says(
    made: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jump_s: float
) -> None:
    config, clock = replace(made, out=tmp_path / STORE), time.time
    jumps = itertools.count()
    with monkeypatch.context() as patch:
        patch.setattr(time, "time", lambda: clock() + jump_s * next(jumps))
        analyse(config)
    assert files(config.out) == files(made.out)
    for metadata in config.out.rglob("zarr.json"):
        metadata.unlink()
    analyse(config)
    assert files(config.out) == files(made.out)


def test_what_is_found_on_the_way_is_made_anew(made: Config, tmp_path: Path) -> None:
    """A bit within a shard shows only when it is read, here by the stage that a changed setting runs again."""
    config = replace(copied(made, tmp_path), max_myelin_um=0.5)
    flip(config.out / "labels" / "semantic" / "s0" / "c" / "1" / "2", random.Random(1))
    analyse(config)
    fresh = replace(config, out=tmp_path / "fresh" / STORE)
    analyse(fresh)
    assert files(config.out) == files(fresh.out)


def test_what_comes_out_otherwise_takes_what_rests_on_it_along(made: Config, tmp_path: Path) -> None:
    """As where another kind of GPU computes a window again: nothing may rest on what was there before."""
    config = copied(made, tmp_path)
    journal = config.out / ".axonflow" / "journal"
    entry = next((journal / "label").rglob("00000000.*.npz"))
    (config.out / "labels" / "axons" / "s0" / "c" / "0" / "0").unlink()
    # The record says that something else was written than will be.
    content = entry.read_bytes().replace(b'"labels/axons/s0/c/0/0": [', b'"labels/axons/s0/c/0/0": [9')
    assert content != entry.read_bytes()
    entry.write_bytes(content)
    before = {path: path.stat().st_mtime_ns for path in journal.rglob("*.npz")}
    analyse(config)
    again = {path.parents[1].name for path in journal.rglob("*.npz") if before.get(path) != path.stat().st_mtime_ns}
    assert again == {"label", "measure", "map"}
    assert files(config.out) == files(made.out)


def test_the_record_of_a_run_is_written_anew(made: Config, tmp_path: Path) -> None:
    for trial, content in enumerate((None, b"", b'{"complete": true', b"[]", b'{"complete": true, "config": 3}')):
        config = copied(made, tmp_path / str(trial))
        record = config.out / "run.json"
        was = json.loads(record.read_text())
        record.unlink() if content is None else record.write_bytes(content)
        assert not check(config.out).sound
        analyse(config)
        assert json.loads(record.read_text())["labels"] == was["labels"]
        assert check(config.out).sound


@pytest.mark.parametrize("name", ["run.json", ".axonflow/record.sha256"])
def test_a_folder_in_place_of_the_record_gives_way(made: Config, tmp_path: Path, name: str) -> None:
    config = copied(made, tmp_path)
    (config.out / name).unlink()
    (config.out / name / "deeper").mkdir(parents=True)
    assert not check(config.out).sound
    analyse(config)
    assert check(config.out).sound


def test_a_record_whose_checksum_is_gone_is_told(made: Config, tmp_path: Path) -> None:
    """But one of before there were checksums, which had no warnings either, is believed."""
    config = copied(made, tmp_path)
    (config.out / ".axonflow" / "record.sha256").unlink()
    assert not check(config.out).sound
    record = config.out / "run.json"
    before = json.loads(record.read_text())
    (config.out / ".axonflow" / "run.json").unlink()
    assert not check(config.out).sound  # what has warnings had a checksum, too
    del before["warnings"]
    record.write_text(json.dumps(before))
    assert check(config.out).sound


def test_a_record_that_is_written_anew_keeps_the_day_of_its_stages(made: Config, tmp_path: Path) -> None:
    config = copied(made, tmp_path)
    path, day = config.out / "run.json", "2025-01-01T00:00:00+00:00"
    record = json.loads(path.read_text())
    assert datetime.fromisoformat(record["analysed"]) <= datetime.now(UTC)
    rewrite(config.out, record | {"analysed": day})
    analyse(config)
    assert json.loads(path.read_text())["analysed"] == day
    rewrite(config.out, record | {"analysed": day, "stages": record["stages"] | {"map": record["stages"]["label"]}})
    analyse(config)
    assert json.loads(path.read_text())["analysed"] != day
    assert check(config.out).sound


def test_a_record_that_was_changed_is_told(made: Config, tmp_path: Path) -> None:
    config = copied(made, tmp_path)
    record = config.out / "run.json"
    record.write_text(record.read_text().replace('"complete": true', '"complete":  true'))
    assert [str(record) in fault for fault in check(config.out).faults] == [True]
    analyse(config)
    assert check(config.out).sound


def test_a_changed_record_is_read_from_its_copy(made: Config, tmp_path: Path) -> None:
    """Neither what is shown nor the settings of a run that is given the store alone come from what was changed."""
    config, before = copied(made, tmp_path), files(made.out)
    record, was = config.out / "run.json", made.out / "run.json"
    changed = json.loads(record.read_text())
    changed["config"]["cell_um"], changed["slide"]["pixel_size_um"] = 7.0, [0.2, 0.2]
    changed["slide"]["identity"] = "another"
    record.write_text(json.dumps(changed))
    assert open_store(config.out).record == json.loads(was.read_text())
    ran = command("map", config.out, "--workers", 1)
    assert ran.code == 0, ran.err
    assert files(config.out) == before
    assert check(config.out).sound


def test_a_record_of_another_run_is_told(made: Config, tmp_path: Path) -> None:
    config, other = copied(made, tmp_path), replace(made, out=tmp_path / "other.ome.zarr", cell_um=7.0)
    analyse(other)
    for name in ("run.json", ".axonflow/run.json", ".axonflow/record.sha256"):
        shutil.copy(other.out / name, config.out / name)
    assert not check(config.out).sound
    analyse(config)
    assert check(config.out).sound


@pytest.mark.parametrize("name", ["run.json", ".axonflow/run.json", ".axonflow/record.sha256"])
@pytest.mark.parametrize("kind", ["pipe", "endless", "loop"])
def test_what_is_no_file_in_place_of_the_record_gives_way(made: Config, tmp_path: Path, name: str, kind: str) -> None:
    config = copied(made, tmp_path)
    path = config.out / name
    path.unlink()
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero" if kind == "endless" else path)
    assert open_store(config.out).axon_count > 0
    assert not check(config.out).sound
    analyse(config)
    assert check(config.out).sound


LEVELS = (".", "labels/semantic", "labels/axons")
FOLDERS = (
    "s0",
    "s0/c",
    "labels",
    "labels/semantic",
    "labels/axons/s0",
    "maps",
    "maps/avf",
    "tables",
    ".axonflow/journal",
)


@pytest.mark.parametrize("instead", ["nothing", "file", "loop"])
@pytest.mark.parametrize("name", [*FOLDERS, ".axonflow"])
def test_a_folder_that_is_gone_is_made_anew(made: Config, tmp_path: Path, name: str, instead: str) -> None:
    if name == ".axonflow" and instead != "nothing":
        pytest.skip("a folder of something else")
    config, before = copied(made, tmp_path), files(made.out)
    folder = config.out / name
    shutil.rmtree(folder)
    if instead == "file":
        folder.write_text("in the way")
    elif instead == "loop":
        folder.symlink_to(folder)
    analyse(config)
    assert files(config.out) == before
    assert check(config.out).sound


def test_a_folder_in_place_of_a_file_gives_way(made: Config, tmp_path: Path) -> None:
    config, before = copied(made, tmp_path), files(made.out)
    shards = [next(path for path in (config.out / name / "s0" / "c").rglob("*") if path.is_file()) for name in LEVELS]
    batch = next((config.out / ".axonflow" / "journal" / "measure").glob("*/*.npz"))
    for path in (
        *(*shards, batch),
        *(config.out / name for name in ("tables/fibers.parquet", "maps/avf/zarr.json")),
    ):
        path.unlink()
        (path / "deeper").mkdir(parents=True)
    analyse(config)
    assert files(config.out) == before
    assert check(config.out).sound


def test_journals_of_two_runs_side_by_side_prove_nothing(made: Config, tmp_path: Path) -> None:
    """As where a copy that was to replace an older one broke off: the files may be of either."""
    config, before = copied(made, tmp_path), files(made.out)
    other = replace(made, out=tmp_path / "other" / STORE, max_myelin_um=0.3, cell_um=7.0, min_axon_area_um2=0.5)
    analyse(other)
    shutil.copytree(other.out / ".axonflow", config.out / ".axonflow", dirs_exist_ok=True)
    shutil.copy(other.out / "run.json", config.out / "run.json")
    assert not check(config.out).sound
    result = open_store(config.out)
    for read in (lambda: result.summary, lambda: result.fibers, lambda: result.maps):
        with pytest.raises(DamageError):
            read()
    for wanted, expected in ((config, before), (replace(other, out=config.out), files(other.out))):
        analyse(wanted)
        assert files(config.out) == expected
        assert check(config.out).sound


def test_a_map_of_somebody_else_is_left_alone(made: Config, tmp_path: Path) -> None:
    config = copied(made, tmp_path)
    zarr.create_array(config.out / "maps" / "mine", data=np.arange(12.0).reshape(3, 4))
    (config.out / "maps" / "notes").mkdir()
    assert open_store(config.out).maps.identical(open_store(made.out).maps)
    assert check(config.out).sound


def test_the_command_says_what_and_where(made: Config, tmp_path: Path) -> None:
    config = copied(made, tmp_path)
    sound = command("check", config.out)
    assert sound.code == 0
    assert "all is as the run wrote it" in sound.out
    (config.out / "labels" / "semantic" / "s0" / "c" / "0" / "1").unlink()
    (config.out / "tables" / "fibers.parquet").write_bytes(b"")
    ran = command("check", config.out, "--quick")
    assert ran.code == 1
    assert "labels/semantic/s0/c/0/1 is gone" in ran.out
    assert "tables/fibers.parquet is 0 bytes long" in ran.out
    assert "the same axonflow run again" in ran.out


def test_many_stores_are_checked_and_the_unsound_named(made: Config, tmp_path: Path) -> None:
    """Given one by one, or as the folder that a batch left; one that cannot be read hides no other."""
    stores = [tmp_path / f"{name}.ome.zarr" for name in "abc"]
    for store in stores:
        shutil.copytree(made.out, store)
    for given in ([tmp_path], stores):
        ran = command("check", *given)
        assert ran.code == 0
        assert "3 of 3 stores are as their runs wrote them" in ran.out
    (stores[0] / "tables" / "fibers.parquet").unlink()
    shutil.rmtree(stores[1] / ".axonflow")
    for given in ([tmp_path], stores):
        ran = command("check", *given)
        assert ran.code == 1
        said = " ".join(ran.out.split())
        assert f"1 of 3 stores are as their runs wrote them, 2 not: {stores[0]} and {stores[1]}" in said
        assert "tables/fibers.parquet is gone" in said
        assert "has no journal" in said
    ran = command("check", tmp_path / "none")
    assert ran.code == 2
    assert "nothing is there" in " ".join(ran.err.split())


@pytest.mark.parametrize("kind", ["gone", "cut off", "empty"])
def test_neither_plan_nor_status_call_it_done(made: Config, tmp_path: Path, kind: str) -> None:
    config, chance = copied(made, tmp_path), random.Random(kind)
    assert "done" in command("status", config.out).out
    assert "Nothing is left to do" in command("plan", config.out).out
    shards = sorted(path for path in config.out.glob("**/c/*/*") if path.is_file())
    for path in chance.sample(shards, 5):
        DAMAGES[kind](path, chance)
    before = files(config.out)
    for words in ("status", "plan"):
        ran = command(words, config.out)
        assert ran.code == 0
        assert any(str(path.relative_to(config.out)) in ran.out for path in shards)
        assert " and 2 more" in ran.out
        assert "done" not in ran.out.replace("Damaged since it was done", "")
        assert "Nothing is left to do" not in ran.out
    assert files(config.out) == before
    analyse(config)
    assert "done" in command("status", config.out).out
    assert "Nothing is left to do" in command("plan", config.out).out


def test_numbers_that_do_not_agree_are_found_though_every_file_is_as_written(
    made: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = copied(made, tmp_path)
    read = Pyramid.read
    monkeypatch.setattr(Pyramid, "read", lambda self, box, level=0: read(self, box, level) * 0)
    assert any("px in the table and 0 px" in fault for fault in check(config.out).faults)
    monkeypatch.undo()
    monkeypatch.setattr(Analysis, "counted_fibers", lambda self, columns: self.fibers[columns][1:])
    assert any("maps/axon_count" in fault for fault in check(config.out).faults)


def test_a_store_that_cannot_be_written_is_checked(
    made: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = copied(made, tmp_path)
    flip(config.out / "tables" / "fibers.parquet", random.Random(0))

    def refuse(path: Path, content: bytes) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(checking, "write_file", refuse)
    assert not check(config.out).sound


def test_a_copy_without_its_journal_is_told_from_a_store(made: Config, tmp_path: Path) -> None:
    shutil.copytree(made.out, tmp_path / STORE, ignore=shutil.ignore_patterns(".axonflow"))
    with pytest.raises(AxonflowError, match="no journal"):
        check(tmp_path / STORE)
