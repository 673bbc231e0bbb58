"""A run of a network of nnU-Net leaves the labels of nnU-Net's way over the whole slide, however it was cut and run."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from nnunet_models import blobs, content_of, networks, plan_of, seen_by, write_nnunet
from numpy.typing import NDArray
from oracles import nnunet_scores
from scipy import ndimage
from slides import LOCAL, contents, processes, write_slide

import axonflow
from axonflow.engine.profile import Profile
from axonflow.errors import InputError
from axonflow.kernel.classes import AXON_MYELIN, Classes, PixelClass
from axonflow.net.nnunet.plan import NnUNetPlan
from axonflow.net.precision import Precisions
from axonflow.ngff import Pyramid
from axonflow.slide.luminance import rec601
from axonflow.workflow.config import Config, Halo
from axonflow.workflow.estimate import estimate_seconds, windows_of_nnunet
from axonflow.workflow.job import prepare, run_job
from axonflow.workflow.record import read_record

FIVE = Classes(
    (
        PixelClass(0, "background", "#000000", "background"),
        PixelClass(1, "axon", "#3366cc", "axon"),
        PixelClass(2, "nucleus", "#beaed4", "other"),
        PixelClass(3, "myelin", "#cc3333", "myelin"),
        PixelClass(4, "unmyelinated axon", "#7fc97f", "other"),
    )
)


@dataclass
class Case:
    """A slide and a model."""

    plan: NnUNetPlan
    pixels: NDArray[Any]
    classes: Classes = AXON_MYELIN


CASES = {
    "plain": Case(plan_of(), blobs((140, 171))),
    "smaller than the patch": Case(plan_of((64, 96)), blobs((50, 80))),
    "black margins": Case(plan_of(), blobs((150, 140), margin=17)),
    "16 bits": Case(plan_of(), blobs((100, 130), "uint16")),
    "z-score": Case(plan_of(normalisations=("ZScoreNormalization",)), blobs((100, 130), "uint16", margin=9)),
    "mirrored along one axis": Case(plan_of(mirrors=(1,)), blobs((100, 130))),
    "five classes": Case(plan_of(), blobs((100, 130)), FIVE),
    "three folds": Case(plan_of(folds=("0", "1", "2")), blobs((100, 130))),
    "colours": Case(plan_of(normalisations=("RGBTo01Normalization",) * 3), blobs((3, 100, 130), margin=5)),
    "colours, each stretched": Case(plan_of(normalisations=("RescaleTo01Normalization",) * 3), blobs((3, 90, 100))),
}


def expected(case: Case) -> NDArray[np.int64]:
    content, plan = content_of(case.pixels), case.plan
    torch.set_num_threads(1)
    seen = seen_by(plan, content, case.pixels[..., *content.inside.slices])
    scores = nnunet_scores(
        seen, networks(plan, len(case.classes)), len(case.classes), plan.patch, plan.step, plan.mirrors
    )
    labels = np.zeros(case.pixels.shape[-2:], np.int64)
    labels[content.inside.slices] = scores.argmax(axis=0)
    return labels


def config_of(folder: Path, case: Case, name: str = "out", **settings: Any) -> Config:
    pixels = case.pixels if case.pixels.ndim == 2 else np.moveaxis(case.pixels, 0, -1)
    options: dict[str, Any] = {} if pixels.ndim == 2 else {"photometric": "rgb"}
    folder.mkdir(exist_ok=True)
    slide = folder / "slide.tif"
    if not slide.exists():
        write_slide(slide, pixels, **options)
    model = write_nnunet(folder / "model", case.plan, case.classes)
    return Config(slide, folder / f"{name}.ome.zarr", model=str(model), cell_um=5.0, **settings)


def labels_of(config: Config) -> NDArray[np.uint8]:
    return np.asarray(Pyramid.open(config.out / "labels" / "semantic").array()[:])


@pytest.mark.parametrize("name", CASES)
def test_labels_are_those_of_the_whole_slide(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    wanted = expected(case)
    found = {}
    for chunk in (64, None):
        config = config_of(tmp_path, case, f"{chunk}", chunk=chunk)
        run_job(prepare(config), LOCAL)
        np.testing.assert_array_equal(labels_of(config), wanted)
        found[chunk] = contents(config.out)
    assert found[64] == found[None]
    record = read_record(tmp_path / "64.ome.zarr")
    assert record["seams"] is None
    assert record["model"]["approximates"] is False
    assert "segment.fast" not in record["stages"]


def test_threads_and_processes_leave_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    case = CASES["black margins"]
    stores = {}
    fleets: dict[str, Profile] = {"one": LOCAL, "threads": Profile.find("local").but(workers=2)}
    for name, profile in fleets.items():
        config = config_of(tmp_path, case, name, chunk=64, keep_probabilities=True)
        run_job(prepare(config), profile)
        stores[name] = contents(config.out)
    config = config_of(tmp_path, case, "processes", chunk=64, keep_probabilities=True)
    run_job(prepare(config), processes(monkeypatch))
    assert stores["one"] == stores["threads"] == contents(config.out)
    result = axonflow.open(config.out)
    stored = Pyramid.open(config.out / "probabilities" / result.classes.names[result.classes.axon]).array(0)
    axons = result.labels["axons"].compute(scheduler="synchronous")
    means = ndimage.mean(np.squeeze(np.asarray(stored[:])), axons, result.fibers["axon_id"]) / 255
    np.testing.assert_allclose(result.fibers["axon_probability"], means, rtol=1e-12)


def test_a_run_goes_on_where_it_was_stopped(tmp_path: Path) -> None:
    config = config_of(tmp_path, CASES["plain"], chunk=64)
    run_job(prepare(config), LOCAL, until="convert")
    job = prepare(config)
    assert not job.journal.record(next(s for s in job.stages if s.name == "segment")).complete
    run_job(job, LOCAL)
    np.testing.assert_array_equal(labels_of(config), expected(CASES["plain"]))
    again = [stage.key for stage in prepare(config).stages]
    assert again == [stage.key for stage in job.stages]


def test_a_faster_run_says_how_far_it_is_from_nnunet(tmp_path: Path) -> None:
    case = CASES["plain"]
    config = config_of(tmp_path, case, fast=True)
    run_job(prepare(config, lambda: Precisions("bfloat16", bytes=True)), LOCAL)
    record = read_record(config.out)
    assert record["model"] | {"step": 0.75, "mirrored_axes": [], "precision": "bfloat16"} == record["model"]
    assert record["model"]["approximates"] is True
    compared = record["stages"]["segment.fast"]
    assert compared["compared_px"] > 0
    place = labels_of(config) != expected(case)
    assert 0 < place.mean() < 0.5
    assert 0 < compared["disagrees"] < 0.5
    slower = config_of(tmp_path, case, "slower", step=0.75)
    run_job(prepare(slower), LOCAL)
    wanted = expected(replace(case, plan=replace(case.plan, step=0.75)))
    np.testing.assert_array_equal(labels_of(slower), wanted)


def test_places_that_are_compared_lie_all_over_a_slide(tmp_path: Path) -> None:
    job = prepare(config_of(tmp_path, Case(plan_of(), np.pad(blobs((200, 200)), ((0, 1000), (0, 1300)))), fast=True))
    (compared,) = (stage for stage in job.stages if stage.name == "segment.fast")
    boxes = [box for batch in compared.batches for box in batch]
    assert boxes == sorted(boxes)
    assert len({box.y0 // 300 for box in boxes}) == len({box.x0 // 375 for box in boxes}) == 4
    assert len(boxes) == 8


def test_a_mixture_of_colours_is_stretched(tmp_path: Path) -> None:
    colours = blobs((3, 100, 130)) // 2 + 40
    slide, grey = Case(plan_of(), colours), rec601(*colours).astype(np.float64)
    grey = (grey - grey.min()) / (grey.max() - grey.min()) * 255 + 0.499999999  # as imageio has it for AxonDeepSeg
    for chunk in (64, None):
        config = config_of(tmp_path, slide, f"{chunk}", chunk=chunk)
        run_job(prepare(config), LOCAL, until="segment")
        np.testing.assert_array_equal(labels_of(config), expected(Case(plan_of(), grey.astype(np.uint8))))


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_another_pixel_size_is_seen_as_if_the_slide_had_it(dtype: str, tmp_path: Path) -> None:
    case = Case(plan_of(), blobs((160, 210), dtype, margin=12))
    stores = {}
    for chunk in (64, None):
        config = config_of(tmp_path, case, f"{chunk}", chunk=chunk, working_pixel_size_um=0.15)
        run_job(job := prepare(config), LOCAL)
        (seen,) = np.asarray(job.layout.input.array()[:])
        assert seen.shape == (107, 140)
        np.testing.assert_array_equal(labels_of(config), expected(Case(plan_of(), seen)))
        stores[chunk] = contents(config.out)
    assert stores[64] == stores[None]


def test_a_plan_tells_how_many_windows_are_computed(tmp_path: Path) -> None:
    for chunk, again in ((64, ", 155% more than there are, at the edges of shards"), (None, "")):
        job = prepare(config_of(tmp_path, CASES["plain"], chunk=chunk))
        said = windows_of_nnunet(job)
        assert f"of 32 × 48 px{again}; " in said
        assert estimate_seconds(job, job.journal, 1) > 0


def test_what_does_not_go_together_is_refused(tmp_path: Path) -> None:
    grey, coloured = CASES["plain"], CASES["colours"]
    with pytest.raises(InputError, match="RGB of 8 bits"):
        prepare(config_of(tmp_path / "grey", Case(coloured.plan, grey.pixels)))
    halos: tuple[Halo, ...] = (25, "exact", "mend")
    for halo in halos:
        with pytest.raises(InputError, match="no seams"):
            prepare(config_of(tmp_path / f"halo {halo}", grey, halo=halo))
    plan = plan_of(normalisations=("ZScoreNormalization",))
    floats = Case(plan, grey.pixels.astype(np.float32))
    with pytest.raises(InputError, match="integers"):
        prepare(config_of(tmp_path / "floats", floats))
    config = config_of(tmp_path / "sem", grey, fast=True)
    with pytest.raises(InputError, match="--fast"):
        prepare(replace(config, model="sem"))


def test_floats_are_stretched_from_what_is_inside(tmp_path: Path) -> None:
    for name, pixels in (
        ("margins", np.where(blobs((90, 100), margin=11) > 0, blobs((90, 100)) / np.float32(3) + 2, 0)),
        ("everywhere", blobs((90, 100)) / np.float32(7) - 9),
    ):
        case = Case(plan_of(), pixels.astype(np.float32))
        config = config_of(tmp_path / name, case)
        run_job(prepare(config), LOCAL)
        np.testing.assert_array_equal(labels_of(config), expected(case))
