"""The command says what it does, does nothing twice, and loads no more than it needs."""

from __future__ import annotations

import csv
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import typer
import xarray as xr
from batch_folders import BatchFolder
from PIL import Image
from pyarrow import parquet
from slides import command, files, picture, tissue, write_labels, write_model, write_slide

import axonflow
from axonflow.cli import app
from axonflow.errors import InputError, StoreError
from axonflow.net.precision import best_precision
from axonflow.results.export import FORMATS
from axonflow.workflow.manifest import read_manifest
from axonflow.workflow.record import read_record

ADS_HEADER = (
    ",x0 (px),y0 (px),gratio,axon_area (um^2),axon_perimeter (um),myelin_area (um^2),axon_diam (um),"
    "myelin_thickness (um),axonmyelin_area (um^2),axonmyelin_perimeter (um),eccentricity,orientation,"
    "fiber_eccentricity,fiber_orientation,solidity,image_border_touching,bbox_min_y,bbox_min_x,bbox_max_y,bbox_max_x"
)


def names(program: typer.Typer) -> list[str]:
    return sorted(str(known.name or getattr(known.callback, "__name__", "")) for known in program.registered_commands)


GROUPS = {str(group.name): names(group.typer_instance) for group in app.registered_groups if group.typer_instance}
COMMANDS = [*names(app), *(f"{group} {name}" for group, inner in GROUPS.items() for name in inner), "astih models"]
HEAVY = ("torch", "dask", "zarr", "numba", "pandas", "xarray", "matplotlib")


@pytest.fixture(scope="module")
def slide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A slide with its labels beside it."""
    folder = tmp_path_factory.mktemp("slide")
    classes = tissue((220, 290), 4)
    write_labels(folder / "labels.png", classes)
    return write_slide(folder / "slide.tif", picture(classes))


@pytest.fixture(scope="module")
def store(slide: Path) -> Path:
    ran = command("run", slide, "--labels", slide.with_name("labels.png"), "--cell", 7, "--workers", 1)
    assert ran.code == 0
    return slide.with_name("slide.ome.zarr")


def test_every_command_is_there() -> None:
    stages = {"convert", "segment", "label", "measure", "map"}
    assert set(names(app)) == stages | {
        *("run", "batch", "plan", "info", "export", "phantom", "train", "score", "evaluate"),
        *("submit", "status", "check", "doctor", "view", "report", "figure"),
    }
    assert {group: set(inner) for group, inner in GROUPS.items()} == {
        "cluster": {"list", "show", "scheduler", "worker"},
        "models": {"list", "show", "path", "import", "fetch", "export", "remove", "quantise"},
        "astih": {"list", "download", "evaluate"},  # and models, a group in a group
    }
    assert all(name in command("--help").out for name in [*names(app), *GROUPS])


@pytest.mark.parametrize("name", COMMANDS)
def test_help_has_an_example(name: str) -> None:
    ran = command(*name.split(), "--help")
    assert ran.code == 0
    assert f"Example: axonflow {name}" in " ".join(ran.out.split())


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from axonflow.cli import app\n"
        f"for words in {[[*name.split(), '--help'] for name in COMMANDS]!r} + [['--help']]:\n"
        "    try:\n"
        "        app(words)\n"
        "    except SystemExit as end:\n"
        "        assert end.code == 0\n"
        f"print('loaded', [name for name in {HEAVY!r} if name in sys.modules])\n"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.splitlines()[-1] == "loaded []"


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = f"import sys, axonflow; print([name for name in {HEAVY!r} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_neither_info_nor_a_run_that_is_done_loads_what_draws_and_counts(slide: Path, store: Path) -> None:
    labels = str(slide.with_name("labels.png"))
    for words in (
        ["info", str(store)],
        ["run", str(slide), "--labels", labels, "--cell", "7", "--workers", "1", "--out", str(store)],
    ):
        code = (
            "import sys\n"
            "from axonflow.cli import app\n"
            "try:\n"
            f"    app({words!r})\n"
            "except SystemExit as end:\n"
            "    assert end.code == 0\n"
            f"print('loaded', [name for name in {HEAVY!r} if name in sys.modules])\n"
        )
        said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        assert said.splitlines()[-1] == "loaded ['zarr']"


def test_a_run_says_what_it_found_and_where(slide: Path, store: Path) -> None:
    ran = command("run", slide, "--labels", slide.with_name("labels.png"), "--cell", 7, "--workers", 1)
    assert ran.code == 0
    said = " ".join(ran.out.split())
    summary = axonflow.open(store).summary
    assert all(f"{name} {value}" in said for name, value in summary.items())
    assert str(store / "maps") in said
    with Image.open(store / "figures" / "overlay.png") as overlay:
        assert overlay.width == 290
        assert 220 < overlay.height < 300  # what its colours mean stands below


def test_nothing_is_done_twice(slide: Path, store: Path) -> None:
    flags = ["--labels", slide.with_name("labels.png"), "--cell", 7]
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in store.rglob("*") if path.is_file()}
    for first in (["run", slide, *flags], ["run", store], ["map", slide, *flags], ["convert", store]):
        ran = command(*first)  # as many workers as there are cores: none is started
        assert ran.code == 0
    after = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in store.rglob("*") if path.is_file()}
    for written_anew in (store / "run.json", store / ".axonflow" / "record.sha256"):
        del before[written_anew], after[written_anew]
    assert after == before


def test_stages_one_by_one_are_a_run(slide: Path, store: Path, tmp_path: Path) -> None:
    out = tmp_path / "slide.ome.zarr"
    first: list[object] = [slide, "--out", out, "--labels", slide.with_name("labels.png"), "--cell", 7, "--chunk", 128]
    for name in ("convert", "segment", "label", "measure"):
        ran = command(name, *first, "--workers", 1)
        assert ran.code == 0
        assert f"{name}: done, in {out}" in ran.out
        with pytest.raises(StoreError):
            axonflow.open(out)
        assert f"no: axonflow run {out} goes on" in command("info", out).out
        first = [out]  # what was said before stays said
    assert command("map", out, "--workers", 1).code == 0
    theirs, ours = axonflow.open(store), axonflow.open(out)
    assert ours.record["config"] == theirs.record["config"] | {"chunk": 128, "out": str(out)}
    pd.testing.assert_frame_equal(ours.fibers, theirs.fibers, check_exact=True)
    xr.testing.assert_identical(ours.maps, theirs.maps)


def test_a_store_is_continued_from_any_folder_with_what_it_was_given(
    slide: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(slide.parent)
    out = tmp_path / "out"
    assert command("segment", "slide.tif", "--labels", "labels.png", "--out", out, "--workers", 1).code == 0
    monkeypatch.chdir(tmp_path)
    assert command("run", "out", "--cell", 11, "--workers", 1).code == 0
    assert axonflow.open(out).maps.attrs["cell_side_um"] == 11


def test_figures_show_the_last_maps(slide: Path, store: Path) -> None:
    shown = (store / "figures" / "maps.png").read_bytes()
    assert command("map", store, "--cell", 12, "--workers", 1).code == 0
    assert command("run", store).code == 0
    assert (store / "figures" / "maps.png").read_bytes() != shown
    assert command("run", store, "--cell", 7, "--workers", 1).code == 0
    assert (store / "figures" / "maps.png").read_bytes() == shown


def test_info_on_a_slide(slide: Path) -> None:
    ran = command("info", slide)
    assert ran.code == 0
    said = " ".join(ran.out.split())
    for words in (
        "format TIFF",
        "220 × 290 px (height × width)",
        "uint8 grey",
        "pixel size 0.1 µm",
        "64 × 64 px blocks",
    ):
        assert words in said


def test_info_names_what_is_missing(tmp_path: Path) -> None:
    write_slide(tmp_path / "slide.tif", picture(tissue((70, 70))), None)
    assert "unknown" in command("info", tmp_path / "slide.tif").out
    assert command("info", tmp_path / "none.tif").code == 2


def test_info_on_a_store(store: Path) -> None:
    ran = command("info", store)
    assert ran.code == 0
    said = " ".join(ran.out.split())
    assert "complete yes" in said
    assert "slide.tif" in said
    assert "own masks" in said
    assert "measuring axons, " in said
    assert axonflow.open(store).summary["density"] in said


def test_info_prints_words_alone(store: Path, slide: Path, tmp_path: Path) -> None:
    """Neither dictionaries nor lists, of any store: complete or not, of a network or of masks."""
    out = tmp_path / "out"
    model = write_model(tmp_path)
    assert command("segment", slide, "--out", out, "--model", model, "--workers", 1).code == 0
    first = tmp_path / "first"
    first.mkdir()
    record = read_record(out)
    record["model"] = {"name": "sem", "precision": "float32"}
    (first / "run.json").write_text(json.dumps(record))
    for path in (store, out, first, slide):
        ran = command("info", path)
        assert ran.code == 0, ran.err
        assert not re.search(r"[{}\[\]]|None|True|False|'", ran.out.replace(str(tmp_path), "").replace(str(slide), ""))
    said = " ".join(command("info", out).out.split())
    assert f"model tiny64 ({model}) works at 0.1 µm per pixel" in said


def test_all_that_open_a_store_warn_of_a_copy_without_its_journal(store: Path, tmp_path: Path) -> None:
    copies = [tmp_path / f"{name}.ome.zarr" for name in ("one", "two")]
    for copy in copies:
        shutil.copytree(store, copy, ignore=shutil.ignore_patterns(".axonflow"))
    labels, drawn = axonflow.open(store).labels["semantic"].compute(), tmp_path / "drawn.png"
    write_labels(drawn, labels)
    for words in (
        ["info"],
        ["report"],
        ["export", "--format", "csv", "--out", tmp_path / "table.csv"],
        ["figure", "--out", tmp_path / "figure"],
        ["score"],
    ):
        for path, warned in ((store, False), (copies[0], True)):
            ran = command(words[0], path, *([drawn] if words == ["score"] else []), *words[1:])
            assert ran.code == 0, ran.err
            assert ("warning unproved: " in ran.out) is warned, words
    ran = command("figure", *copies, "--out", tmp_path / "both")
    assert ran.out.count("warning unproved: ") == 2
    assert all(f"of {copy}:" in ran.out.replace("\n", "") for copy in copies)
    assert "warning unproved: " in command("view", copies[0], "--screenshot", "x.nothing").out


@pytest.mark.parametrize("format_", sorted(FORMATS.keys() - {"regions-csv"}))
def test_exports_lie_beside_the_store(store: Path, format_: str) -> None:
    ran = command("export", store, "--format", format_)
    path = store.with_name("slide" + FORMATS[format_])
    assert ran.code == 0
    assert path.stat().st_size > 100
    assert str(path) in ran.out


def test_the_ads_csv_has_axondeepsegs_columns(store: Path, tmp_path: Path) -> None:
    assert command("export", store, "--format", "ads-csv", "--out", tmp_path / "ads.csv").code == 0
    lines = (tmp_path / "ads.csv").read_text().splitlines()
    fibers = axonflow.open(store).counted_fibers()
    assert lines[0] == ADS_HEADER
    assert len(lines) == len(fibers) + 1
    first = next(csv.DictReader(lines))
    assert first[""] == "0"
    assert float(first["axon_diam (um)"]) == fibers["axon_diam (um)"].iloc[0]


def test_csv_and_parquet_hold_the_whole_table(store: Path, tmp_path: Path) -> None:
    for format_ in ("csv", "parquet"):
        assert command("export", store, "--format", format_, "--out", tmp_path / format_).code == 0
    fibers = axonflow.open(store).fibers
    written = pd.read_csv(tmp_path / "csv", dtype={"left_out": str}, keep_default_na=False)
    pd.testing.assert_frame_equal(written, fibers.fillna({"left_out": ""}), check_exact=True)
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "parquet"), fibers, check_exact=True)
    units = {field.name: field.metadata[b"unit"].decode() for field in parquet.read_schema(tmp_path / "parquet")}
    assert set(units) == set(fibers.columns)
    assert all(f"({unit})" in name for name, unit in units.items() if "(" in name)
    assert units["gratio"] == "1"


def test_netcdf_holds_the_maps(store: Path, tmp_path: Path) -> None:
    assert command("export", store, "--format", "netcdf", "--out", tmp_path / "maps.nc").code == 0
    with xr.open_dataset(tmp_path / "maps.nc", engine="h5netcdf") as maps:
        loaded = maps.load().drop_vars(["y_bounds", "x_bounds"])
    ours = axonflow.open(store).maps
    xr.testing.assert_equal(loaded, ours)
    for name, variable in loaded.variables.items():
        assert variable.attrs["units"]
        assert {**variable.attrs, **ours[name].attrs} == variable.attrs
    assert {**loaded.attrs, **ours.attrs} == loaded.attrs


def test_the_figure_is_a_picture(store: Path, tmp_path: Path) -> None:
    assert command("export", store, "--format", "png", "--out", tmp_path / "maps.png").code == 0
    with Image.open(tmp_path / "maps.png") as figure:
        assert np.asarray(figure.convert("L")).std() > 10


@pytest.mark.parametrize(
    ("format_", "out"), [("docx", "x"), ("csv", "/proc/x.csv"), ("netcdf", "/proc/x.nc"), ("png", "maps.xyz")]
)
def test_what_cannot_be_exported_is_refused(store: Path, format_: str, out: str, tmp_path: Path) -> None:
    ran = command("export", store, "--format", format_, "--out", tmp_path / out)
    assert ran.code == 2
    assert "expected" in ran.err
    assert "Traceback" not in ran.err


def test_a_plan_has_its_numbers_and_writes_nothing(slide: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    ran = command("plan", slide, "--out", out, "--labels", slide.with_name("labels.png"), "--chunk", 64, "--workers", 2)
    assert ran.code == 0
    said = " ".join(ran.out.split())
    assert "220 × 290 px at 0.1 µm" in said
    assert "masks" in said
    assert "labels.png; no network" in said
    assert "shards 64 px a side" in said
    assert "measuring axons 20 20 " in said  # tasks, and those to do
    assert "2 workers" in said
    assert "time about" in said
    assert not out.exists()


def test_a_plan_counts_what_is_left(store: Path) -> None:
    said = " ".join(command("plan", store, "--max-myelin", 1, "--workers", 1).out.split())
    assert "numbering axons 1 done " in said
    assert "measuring axons 1 1 " in said
    assert read_record(store)["complete"]


def test_a_plan_of_a_finished_store_says_that_nothing_is_left_and_what_is_there(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("axonflow.workflow.estimate.estimate_seconds", None)  # nothing is tried
    ran = command("plan", store, "--workers", 1)
    assert ran.code == 0
    assert "Nothing is left to do" in ran.out
    assert str(store / "maps") in ran.out
    assert "time" not in ran.out
    monkeypatch.undo()
    said = " ".join(command("plan", store, "--fresh", "--workers", 1).out.split())
    assert "measuring axons 1 1 " in said
    assert "time about" in said


def test_a_plan_runs_the_network_on_one_window_and_only_if_it_is_needed(
    slide: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from axonflow.net.predict import Predictor

    windows = []
    predict = Predictor.predict

    def counted(self: Predictor, *arguments: Any, **more: Any) -> Any:
        windows.append(len(list(self.lattice.cores(arguments[2]))))
        return predict(self, *arguments, **more)

    monkeypatch.setattr(Predictor, "predict", counted)
    flags = ["--model", write_model(tmp_path, pixel_size_um=0.13), "--workers", 1, "--cell", 7]
    out = tmp_path / "out"
    assert "time    about" in command("plan", slide, "--out", out, *flags).out
    assert windows == [1, 1]  # the first time pays for loading
    assert command("segment", slide, "--out", out, *flags).code == 0
    windows.clear()
    assert "time    about" in command("plan", slide, "--out", out, *flags).out
    assert windows == []


def test_a_run_says_first_what_finds_axons_and_at_which_pixel_size(slide: Path, tmp_path: Path) -> None:
    model = write_model(tmp_path, pixel_size_um=0.13)
    ran = command("convert", slide, "--out", tmp_path / "out", "--model", model, "--workers", 1)
    assert ran.out.splitlines()[:2] == [
        "slide   220 × 290 px at 0.1 µm",
        "model   tiny64 at 0.13 µm per pixel (the slide is resampled to it: 169 × 223 px), for bright myelin, "
        f"in {best_precision()}",
    ]
    ran = command("convert", slide, "--out", tmp_path / "o", "--labels", slide.with_name("labels.png"), "--workers", 1)
    assert ran.out.splitlines()[1] == f"masks   {slide.with_name('labels.png')}; no network"


def test_a_plan_refuses_what_does_not_fit_with_both_numbers(slide: Path, tmp_path: Path) -> None:
    model = write_model(tmp_path)
    ran = command("plan", slide, "--out", tmp_path / "out", "--model", model, "--memory", 0.3, "--workers", 1)
    assert ran.code == 2
    assert "0.30 GiB per worker are there" in ran.err
    assert "the stage 'segment.seams'" in ran.err  # whose windows come on top of the network and compiled loops
    assert re.search(r"need \d\.\d\d GiB", ran.err)
    assert "smaller --chunk" in ran.err


RULES = (
    *("rules", "border", "max_axon_area_um2", "min_diameter_um", "max_diameter_um", "min_solidity"),
    *("max_eccentricity", "need_myelin", "min_gratio", "max_gratio", "min_axon_probability"),
)


def test_every_setting_arrives(slide: Path, tmp_path: Path) -> None:
    region = tmp_path / "r.json"
    region.write_text(json.dumps({"type": "Polygon", "coordinates": [[[0, 0], [20, 0], [20, 20], [0, 20]]]}))
    flags = [
        *("--series", 0, "--keep-bar", "--pixel-size", "0.2,0.1", "--chunk", 192, "--cell", 5.5, "--mask", region),
        *("--mask-unit", "um", "--regions", region, "--regions-unit", "um"),
        *("--labels", slide.with_name("labels.png"), "--min-axon-area", 0.25),
        *("--max-myelin", 1.5),
    ]
    assert command("run", slide, "--out", tmp_path / "out", "--workers", 1, *flags).code == 0
    config = read_record(tmp_path / "out")["config"]
    assert config == {
        "slide": str(slide),
        "out": str(tmp_path / "out"),
        "series": 0,
        "channel": None,
        "keep_bar": True,
        "pixel_size": {"y": 0.2, "x": 0.1},
        "model": None,
        "working_pixel_size_um": None,
        "halo": None,
        "fast": False,
        "step": None,
        "chunk": 192,
        "cell_um": 5.5,
        "mask": str(region),
        "mask_unit": "um",
        "regions": str(region),
        "regions_unit": "um",
        "axon_mask": None,
        "myelin_mask": None,
        "uaxon_mask": None,
        "outlines_unit": None,
        "classes": None,
        "labels": str(slide.with_name("labels.png")),
        "keep_probabilities": False,
        "min_axon_area_um2": 0.25,
        "min_unmyelinated_area_um2": None,
        "max_myelin_um": 1.5,
        "on_bad_tile": "stop",
        "axon_shape": "circle",
        **dict.fromkeys(RULES),
    }


def test_what_replaces_a_finished_result_is_said(slide: Path, tmp_path: Path) -> None:
    words = ("run", slide, "--out", tmp_path / "out", "--workers", 1, "--labels", slide.with_name("labels.png"))
    assert "The store was made with" not in command(*words, "--cell", 5).out
    assert "The store was made with" not in command(*words, "--cell", 5).out
    ran = " ".join(command(*words, "--cell", 6, "--pixel-size", 0.2).out.split())
    assert "The store was made with a pixel size of 0.1 µm, now 0.2 µm; --cell 5, now 6." in ran


def test_settings_of_a_network_arrive(slide: Path, tmp_path: Path) -> None:
    model = write_model(tmp_path)
    flags = ["--model", model, "--halo", 30, "--keep-probabilities"]
    assert command("convert", slide, "--out", tmp_path / "out", "--workers", 1, *flags).code == 0
    config = read_record(tmp_path / "out")["config"]
    assert (config["model"], config["halo"], config["keep_probabilities"]) == (str(model), 30, True)


@pytest.mark.parametrize(
    "flags", [["--model", "tem"], ["--halo", 30], ["--keep-probabilities"], ["--min-axon-probability", 0.5]], ids=str
)
def test_what_only_a_network_heeds_is_refused_beside_own_masks(
    slide: Path, store: Path, flags: list[object], tmp_path: Path
) -> None:
    labels = slide.with_name("labels.png")
    for given in ([slide, "--labels", labels, "--out", tmp_path / "out"], [store]):
        for name in ("run", "plan"):
            ran = command(name, *given, *flags, "--workers", 1)
            assert ran.code == 2
            assert f"Either own masks or {flags[0]} was expected" in ran.err
            assert str(labels) in ran.err
    assert not (tmp_path / "out").exists()


def test_masks_that_are_given_more_closely_go_before_a_network(slide: Path, tmp_path: Path) -> None:
    labels, pipeline, manifest = slide.with_name("labels.png"), tmp_path / "p.toml", tmp_path / "m.csv"
    pipeline.write_text("[run]\nmodel = 'tem'\nhalo = 30\n")
    assert command("plan", slide, "--labels", labels, "--out", tmp_path / "o", "--pipeline", pipeline).code == 0
    manifest.write_text(f"slide,labels\n{slide},{labels}\n")
    (listed,) = read_manifest(manifest)
    assert listed.config({"model": "tem"}, tmp_path).labels == labels
    both = tmp_path / "both.csv"
    both.write_text(f"slide,labels,model\n{slide},{labels},tem\n")
    (listed,) = read_manifest(both)
    with pytest.raises(InputError, match="Either own masks or --model"):
        listed.config({}, tmp_path)


def test_a_phantom_is_a_slide(tmp_path: Path) -> None:
    for look, sides in (("grid", "600 × 600 px"), ("cord", "480 × 600 px")):
        slide, truth = tmp_path / f"{look}.tif", tmp_path / look
        assert command("phantom", slide, "--look", look, "--size", 600, "--seed", 3, "--truth", truth).code == 0
        assert sides in command("info", slide).out
        assert (truth / "labels.tif").exists()
    drawn = command("phantom", tmp_path / "p.tif", "--size", 600, "--seed", 3)
    assert drawn.code == 0
    assert (tmp_path / "p.tif").read_bytes() == (tmp_path / "cord.tif").read_bytes()


def test_the_log_tells_every_stage(store: Path) -> None:
    log = (store / "run.log").read_text()
    assert all(f"stage {name}: " in log for name in read_record(store)["stages"])
    assert len(files(store)) > 10


def test_a_stage_takes_a_pipeline_and_flags_go_before_it(batch_folder: BatchFolder) -> None:
    slide, ours = batch_folder.path / "C5.tif", batch_folder.path / "ours.toml"
    ours.write_text("[run]\nlabels = 'C5.png'\ncell_um = 7\nmax_myelin_um = 2\n")
    assert command("map", slide, "--pipeline", ours, "--cell", 6, "--workers", 1).code == 0
    config = read_record(batch_folder.path / "C5.ome.zarr")["config"]
    assert (config["cell_um"], config["max_myelin_um"]) == (6, 2)
    assert command("map", slide, "--pipeline", "paper").code == 2
