"""A batch does what single runs do, slide by slide; one that fails is told, and stops nobody."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image
from slides import (
    LOCAL,
    Ended,
    analyse,
    command,
    contents,
    files,
    picture,
    tissue,
    write_labels,
    write_model,
    write_slide,
)

import axonflow.workflow.batch
from axonflow.engine.pool import LocalPool
from axonflow.errors import FleetError, RunError
from axonflow.fiber.maps import centroid_pixels
from axonflow.fiber.table import read_parquet
from axonflow.ngff import Pyramid
from axonflow.ngff.maps import read_maps
from axonflow.results.figures import DOUBT, PANELS, draw_levels
from axonflow.workflow.batch import COLUMNS, Entry, check, run_batch, write_results
from axonflow.workflow.config import Config
from axonflow.workflow.job import Job, run_job
from axonflow.workflow.manifest import COLUMNS as MANIFEST
from axonflow.workflow.manifest import Listed, read_manifest
from axonflow.workflow.record import read_record

SHAPES = {"C3": (150, 170), "C5": (140, 220), "T1": (190, 130)}
FLAGS = ("--cell", 6, "--workers", 1)
SETTINGS = {"cell_um": 6.0}
FIGURES = ("maps.png", "maps.svg", "distributions.png", "distributions.svg", "report.html")


@dataclass(frozen=True)
class Desk:
    """A folder of three slides, each with its labels and its row of a manifest."""

    folder: Path

    @classmethod
    def lay(cls, folder: Path) -> Desk:
        for seed, (level, shape) in enumerate(SHAPES.items()):
            classes = tissue(shape, seed)
            write_slide(folder / f"{level}.tif", picture(classes, seed=seed))
            write_labels(folder / f"{level}.png", classes)
        desk = cls(folder)
        desk.write("slide,level,labels", *(f"{level}.tif,{level},{level}.png" for level in SHAPES))
        return desk

    @property
    def manifest(self) -> Path:
        return self.folder / "cords.csv"

    @property
    def out(self) -> Path:
        return self.folder / "cords"

    @property
    def summary(self) -> pd.DataFrame:
        return pd.read_csv(self.out / "summary.csv")

    def write(self, *lines: str) -> None:
        self.manifest.write_text("\n".join(lines) + "\n")

    def check(self, **settings: Any) -> tuple[Entry, ...]:
        return check(read_manifest(self.manifest), SETTINGS | settings, self.out)

    def digests(self) -> dict[str, str]:
        stores = self.out.glob("*.zarr")
        return {f"{store.name}/{name}": digest for store in stores for name, digest in files(store).items()}


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk.lay(tmp_path)


class Tale(list[tuple[str, str, str]]):
    """What was told of the slides: level, state, reason."""

    def __call__(self, entry: Entry, state: str, reason: str) -> None:
        self.append((entry.listed.level, state, reason))


def run(entries: Sequence[Entry], tale: Tale | None = None) -> pd.DataFrame:
    return run_batch(entries, LocalPool(), LOCAL, Ended(), Tale() if tale is None else tale)


@dataclass(frozen=True)
class Finished:
    """A desk whose batch is done."""

    desk: Desk
    table: pd.DataFrame
    tale: Tale


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """A batch in which only what lies under a mask counts, a row of which wants nothing to count."""
    desk, tale = Desk.lay(tmp_path_factory.mktemp("finished")), Tale()
    for name, shape in (("mask", (15, 17)), ("nothing", (4, 4))):
        mask = np.zeros(shape, np.uint8)
        mask[2:-4, 1:-3] = name == "mask"
        Image.fromarray(mask).save(desk.folder / f"{name}.png")
    desk.write(
        "slide,level,labels,mask", "C3.tif,C3,C3.png,mask.png", "C5.tif,C5,C5.png,", "T1.tif,T1,T1.png,nothing.png"
    )
    return Finished(desk, run(desk.check(), tale), tale)


def level0(store: Path, name: str) -> NDArray[Any]:
    return np.squeeze(Pyramid.open(store / name).array(0)[:])


def test_a_broken_slide_stops_nobody_and_again_does_what_is_missing(desk: Desk) -> None:
    (desk.folder / "C5.tif").rename(desk.folder / "away.tif")
    first = command("batch", desk.manifest, *FLAGS)
    assert first.code == 1
    assert first.out.index("failed: C5 (C5.tif): A slide was expected") < first.out.index("slide 1 of 2: C3 (C3.tif)")
    assert "1 of 3 slides" in first.out
    assert desk.summary["state"].tolist() == ["done", "failed", "done"]
    assert "C5.tif does not exist" in desk.summary["reason"][1]
    assert desk.summary["axon_count"].isna().tolist() == [False, True, False]
    made, written = desk.digests(), [(desk.out / name).read_bytes() for name in ("summary.csv", *FIGURES)]

    again = command("batch", desk.manifest, *FLAGS)
    assert again.code == 1
    assert "done in" not in again.out  # which each stage says that runs
    assert desk.digests() == made
    assert [(desk.out / name).read_bytes() for name in ("summary.csv", *FIGURES)] == written

    (desk.folder / "away.tif").rename(desk.folder / "C5.tif")
    repaired = command("batch", desk.manifest, *FLAGS)
    assert repaired.code == 0
    assert repaired.out.count("convert: done in") == 1
    assert made.items() <= desk.digests().items()
    assert desk.summary["state"].tolist() == ["done"] * 3
    stores = {f"{level}.ome.zarr" for level in SHAPES}
    assert {path.name for path in desk.out.iterdir()} == {*stores, "summary.csv", *FIGURES, ".axonflow"}


def test_a_batch_is_its_runs(finished: Finished, tmp_path: Path) -> None:
    assert finished.tale == [(level, state, "") for level in SHAPES for state in ("begun", "done")]
    folder = finished.desk.folder
    analyse(Config(folder / "C3.tif", tmp_path, labels=folder / "C3.png", mask=folder / "mask.png", cell_um=6.0))
    assert contents(tmp_path) == contents(Path(finished.table["store"][0]))


def test_numbers_are_those_of_what_counts(finished: Finished) -> None:
    assert finished.table["slide"].tolist() == [f"{level}.tif" for level in SHAPES]
    for level, row in zip(("C3", "C5"), finished.table.to_dict("records"), strict=False):
        store = Path(row["store"])
        axons, semantic = level0(store, "labels/axons"), level0(store, "labels/semantic")
        counts = np.ones(SHAPES[level], bool)
        if level == "C3":
            counts = np.kron(np.asarray(Image.open(finished.desk.folder / "mask.png")), np.ones((10, 10), int)) > 0
        fibers = read_parquet(store / "tables" / "fibers.parquet")
        here = fibers[counts[centroid_pixels(fibers)]]
        assert 0 < len(here) <= len(fibers)
        area, diameters = counts.sum() * 1e-8, here["axon_diam (um)"]  # of pixels of 0.1 µm, mm²
        avf, mvf = ((image & counts).sum() / counts.sum() for image in (axons > 0, semantic == 1))
        expected = {
            "area (mm^2)": area,
            "axon_count": len(here),
            "axon_density (mm^-2)": len(here) / area,
            "avf": avf,
            "mvf": mvf,
            "gratio_aggregate": np.sqrt(avf / (avf + mvf)),
            "gratio_mean": here["gratio"][here["myelin_area (um^2)"] > 0].mean(),
            "axon_diam_mean (um)": diameters.mean(),
            "axon_diam_std (um)": diameters.std(ddof=0),
            **{f"axon_diam_p{p} (um)": np.percentile(diameters, p) for p in (5, 25, 50, 75, 95)},
        }
        assert {name: row[name] for name in expected} == pytest.approx(expected)
        assert row["reason"] == ""
        assert set(row) == set(expected) | {
            *("slide", "level", "store", "state", "reason", "confidence", "unfamiliar_cells", "warnings")
        }


def test_where_nothing_counts_nothing_is_known(finished: Finished) -> None:
    row = finished.table.iloc[2]
    assert (row["state"], row["axon_count"], row["area (mm^2)"], row["warnings"]) == ("done", 0, 0, "no axon counts")
    assert row[["avf", "gratio_mean", "axon_diam_mean (um)", "axon_diam_p50 (um)"]].isna().all()


def test_the_table_is_as_documented(finished: Finished) -> None:
    assert list(finished.table) == [column.name for column in COLUMNS]
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "batch.md").read_text()
    listed = re.findall(r"^\| `([^`]+)` \| (.*?) \| (.*?) \|$", page, re.MULTILINE)
    assert [row for row in listed if row[0] in set(finished.table)] == [
        (column.name, column.unit, column.meaning) for column in COLUMNS
    ]
    assert set(MANIFEST) <= set(re.findall(r"`(\w+)`", page))


def test_a_network_says_how_sure_it_was(desk: Desk) -> None:
    model = write_model(desk.folder)
    model.write_text(json.dumps(json.loads(model.read_text()) | {"familiar": {"texture": [0.9, 1]}}))
    write_slide(desk.folder / "large.tif", picture(tissue((190, 220))))  # enough of one cell to judge it
    desk.write("slide,level,model,cell_um", f"large.tif,C3,{model.name},25")
    table = run(desk.check())
    noted = read_record(desk.out / "large.ome.zarr")["stages"]["map"]
    assert table["confidence"].tolist() == [noted["confidence"]]
    assert table["unfamiliar_cells"].tolist() == [noted["unfamiliar_cells"]] == [1]
    assert table["warnings"][0] == "1 of 1 cells look unlike anything the network was trained on"


def test_all_is_checked_before_anything_runs(desk: Desk) -> None:
    write_slide(desk.folder / "unscaled.tif", picture(tissue((64, 64))), None)
    (desk.folder / "mask.geojson").write_text("{")
    desk.write(
        "slide,level,labels,mask,pixel_size,model,max_myelin_um",
        "unscaled.tif,a,C3.png,,,,",
        "C3.tif,b,C3.png,mask.geojson,,,",
        "C3.tif,c,T1.png,,,,",
        "C3.tif,d,C3.png,,wide,,",
        "C3.tif,e,,,,nobody,",
        "C3.tif,f,C3.png,,,,-1",
        "C3.tif,g,C3.png,,,,",
        "C3.png/x.tif,h,C3.png,,,,",
    )
    tale = Tale()
    table = run(desk.check(), tale)
    reasons = {level: reason for level, state, reason in tale if state == "failed"}
    assert [state for _, state, _ in tale] == ["failed"] * 7 + ["begun", "done"]
    for level, said in {
        "a": "--pixel-size",
        "b": "GeoJSON was expected",
        "c": "T1.png",
        "d": "pixel_size was expected",
        "e": "A model was expected",
        "f": "--max-myelin was expected",
        "h": "C3.png/x.tif",
    }.items():
        assert said in reasons.pop(level)
    assert not reasons
    assert table["state"].tolist() == ["failed"] * 6 + ["done", "failed"]
    assert [path.name for path in desk.out.iterdir()] == ["C3.ome.zarr"]


def test_a_slide_that_breaks_on_the_way_stops_nobody(desk: Desk) -> None:
    content = (desk.folder / "C3.tif").read_bytes()
    (desk.folder / "C3.tif").write_bytes(content.replace(b"\x78", b"\x00"))  # where zlib's tiles begin
    tale = Tale()
    table = run(desk.check(), tale)
    assert [told[:2] for told in tale][:3] == [("C3", "begun"), ("C3", "failed"), ("C5", "begun")]
    assert table["state"].tolist() == ["failed", "done", "done"]
    assert "C3.tif" in table["reason"][0]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (RunError("The disk was\nexpected."), "The disk was expected."),
        (ZeroDivisionError("by zero"), "ZeroDivisionError: by zero"),
        (OSError(28, "No space left"), "OSError: [Errno 28] No space left"),
    ],
)
def test_what_a_run_raises_is_the_slides_alone(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, error: Exception, reason: str
) -> None:
    def failing(job: Job, *arguments: Any, **options: Any) -> None:
        if job.config.slide.name == "C5.tif":
            raise error
        run_job(job, *arguments, **options)

    monkeypatch.setattr(axonflow.workflow.batch, "run_job", failing)
    table = run(desk.check())
    assert table["state"].tolist() == ["done", "failed", "done"]
    assert table["reason"].tolist() == ["", reason, ""]


@pytest.mark.parametrize("error", [FleetError("Nobody is left."), KeyboardInterrupt()])
def test_a_fault_of_the_pool_or_an_interrupt_ends_the_batch(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    def failing(*_arguments: Any, **_options: Any) -> None:
        raise error

    monkeypatch.setattr(axonflow.workflow.batch, "run_job", failing)
    tale = Tale()
    with pytest.raises(type(error)):
        run(desk.check(), tale)
    assert tale == [("C3", "begun", "")]
    ran = command("batch", desk.manifest, *FLAGS)
    assert ran.code == (1 if isinstance(error, FleetError) else 130)
    assert not (desk.out / "summary.csv").exists()


def test_two_slides_may_not_write_one_store(desk: Desk) -> None:
    (desk.folder / "other").mkdir()
    (desk.folder / "C3.tif").rename(desk.folder / "other" / "C5.tif")
    desk.write("slide,labels", "C5.tif,C5.png", "other/C5.tif,C3.png")
    ran = command("batch", desk.manifest, *FLAGS)
    assert ran.code == 2
    assert "C5.tif and other/C5.tif would both write" in ran.err
    assert not desk.out.exists()
    desk.write("slide,labels,out", "C5.tif,C5.png,", "other/C5.tif,C3.png,other/cords/../C5")
    assert command("batch", desk.manifest, *FLAGS).code == 0
    assert [Path(store).resolve() for store in desk.summary["store"]] == [
        desk.out / "C5.ome.zarr",
        desk.folder / "other" / "C5",
    ]


def test_slides_may_be_named_or_found(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(desk.folder)
    (desk.folder / "ours.toml").write_text("[run]\nlabels = 'C5.png'\ncell_um = 7\nmax_myelin_um = 2\n")
    ran = command("batch", "C[4-9].tif", "--pipeline", "ours.toml", *FLAGS)
    assert ran.code == 0
    config = read_record(Path("batch/C5.ome.zarr"))["config"]
    assert (config["cell_um"], config["max_myelin_um"]) == (6, 2)  # the flag's, and the pipeline's
    assert "C5.tif" in ran.out
    store = command("batch", "batch/C5.ome.zarr", "--workers", 1, "--out", "of stores")
    assert store.code == 0
    assert "done in" not in store.out
    ours, again = (pd.read_csv(f"{folder}/summary.csv") for folder in ("batch", "of stores"))
    pd.testing.assert_frame_equal(again.drop(columns="slide"), ours.drop(columns="slide"))
    fresh = command("batch", "batch/C5.ome.zarr", "--workers", 1, "--out", "of stores", "--fresh")
    assert fresh.out.count("convert: done in") == 1
    assert command("batch", "T*.png", "nothing*").code == 2


def test_run_takes_a_pipeline_too(desk: Desk) -> None:
    (desk.folder / "ours.toml").write_text("[run]\nlabels = 'C5.png'\ncell_um = 7\nmax_myelin_um = 2\n")
    ran = command("map", desk.folder / "C5.tif", "--pipeline", desk.folder / "ours.toml", *FLAGS)
    assert ran.code == 0
    config = read_record(desk.folder / "C5.ome.zarr")["config"]
    assert (config["cell_um"], config["max_myelin_um"]) == (6, 2)
    assert command("map", desk.folder / "C5.tif", "--pipeline", "paper").code == 2


def test_figures_of_slides_that_all_fail_go(finished: Finished, tmp_path: Path) -> None:
    written = write_results(finished.table, tmp_path)
    assert [path.name for path in written] == ["summary.csv", *FIGURES]
    failed = run(check([Listed("gone.tif", "C3")], {}, tmp_path))
    assert write_results(failed, tmp_path) == [tmp_path / "summary.csv"]
    assert [path.name for path in tmp_path.iterdir()] == ["summary.csv"]


def maps_of(finished: Finished) -> list[xr.Dataset]:
    return [read_maps(Path(store) / "maps") for store in finished.table["store"]]


def test_a_map_has_one_colour_scale_and_all_one_scale_of_length(
    finished: Finished, tmp_path: Path, drawn: list[Figure]
) -> None:
    ours = maps_of(finished)[:2]
    sure = [maps.assign(confidence=maps["avf"] * 0 + 0.9) for maps in ours[1:]]
    draw_levels([("C3", ours[0]), ("C4", None), ("C5", sure[0])], [tmp_path / "maps.png"], dpi=60)
    (figure,) = drawn
    rows = [figure.axes[i : i + 3] for i in range(0, len(figure.axes), 3)]  # two panels and their colour bar
    names = [name for name, _ in (*PANELS, DOUBT)]
    assert len(rows) == len(names)
    for (*panels, bar), name in zip(rows, names, strict=True):
        images = [image for panel in panels for image in panel.images]
        assert len(images) == (1 if name == "confidence" else 2)
        assert len({id(image.norm) for image in images}) == 1
        for image, maps in zip(images, ours if len(images) == 2 else sure, strict=True):
            np.testing.assert_array_equal(np.ma.filled(np.ma.asarray(image.get_array()), np.nan), maps[name])
        values = np.concatenate([maps[name].to_numpy().ravel() for maps in (ours if len(images) == 2 else sure)])
        low, high = np.nanpercentile(values, (1, 99))
        assert images[0].norm.vmin == pytest.approx(low)
        assert images[0].norm.vmax == pytest.approx(high if high > low else low + 1)
        assert bar.get_ylim() == (images[0].norm.vmin, images[0].norm.vmax)
        for panel in panels:
            pixels = panel.transData.transform([(0, 0), (0.01, 0.01)])
            assert abs(np.diff(pixels, axis=0)[0]) == pytest.approx(rows_scale(rows[0][0]))
    assert [panel.get_title() for panel in rows[0][:2]] == ["C3", "C5"]
    assert [text.get_text() for text in figure.texts] == ["left out: C4"]
    assert all(len(panel.lines) == 1 for panel in rows[-1][:2])  # scale bars


def rows_scale(panel: Any) -> list[float]:
    """Pixels of the figure per 10 µm, in both directions, of a panel."""
    (x0, y0), (x1, y1) = panel.transData.transform([(0, 0), (0.01, 0.01)])
    assert x1 - x0 == pytest.approx(y0 - y1)
    return [x1 - x0, y0 - y1]


def test_every_map_of_one_slide_is_drawn(finished: Finished, tmp_path: Path, drawn: list[Figure]) -> None:
    for i, maps in enumerate(maps_of(finished)):  # the last knows nothing of any cell
        draw_levels(
            [("a rather long name of a slide" * 2, maps)], [tmp_path / f"{i}.svg", tmp_path / f"{i}.png"], dpi=40
        )
        assert {path.name for path in tmp_path.glob(f"*{i}.*")} == {f"{i}.svg", f"{i}.png"}
    assert len(drawn) == 6
