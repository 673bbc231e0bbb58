"""What cannot be used, or fails on the way, gets one clear message, and never a store that claims to be complete."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from slides import Ran, command, contents, files, picture, tissue, write_labels, write_masks, write_model, write_slide

import axonflow
from axonflow.errors import StoreError
from axonflow.net.checkpoint import Checkpoint

SHAPE = (150, 170)
CLASSES = tissue(SHAPE)
PIXELS = picture(CLASSES)


@dataclass(frozen=True)
class Desk:
    """A folder with what a run needs, of which a case spoils one thing."""

    folder: Path

    @property
    def slide(self) -> Path:
        return self.folder / "slide.tif"

    @property
    def labels(self) -> Path:
        return self.folder / "labels.png"

    @property
    def out(self) -> Path:
        return self.folder / "slide.ome.zarr"

    def command(self, *more: object) -> list[object]:
        return ["run", self.slide, "--labels", self.labels, "--workers", 1, *more]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    desk = Desk(tmp_path)
    write_slide(desk.slide, PIXELS)
    write_labels(desk.labels, CLASSES)
    return desk


def assert_refused(ran: Ran, code: int, message: str, store: Path) -> None:
    said = " ".join(ran.err.split())
    assert ran.code == code, said
    assert re.search(message, said), said
    assert "Traceback" not in ran.err + ran.out
    assert said.count("axonflow:") == 1
    with pytest.raises(StoreError):
        axonflow.open(store)


Arguments = list[object]


def text(desk: Desk) -> Arguments:
    desk.slide.write_text("This is no picture.\n" * 100)
    return desk.command()


def empty_file(desk: Desk) -> Arguments:
    desk.slide.write_bytes(b"")
    return desk.command()


def truncated(desk: Desk) -> Arguments:
    write_slide(desk.slide, PIXELS, compression=None)
    os.truncate(desk.slide, desk.slide.stat().st_size * 2 // 3)
    return desk.command()


def zero_size(desk: Desk) -> Arguments:
    with tifffile.TiffFile(desk.slide, mode="r+") as tiff:
        tiff.pages.first.tags["ImageLength"].overwrite(0)
    return desk.command()


def missing_tiles(desk: Desk) -> Arguments:
    with tifffile.TiffFile(desk.slide, mode="r+") as tiff:
        tag = tiff.pages.first.tags["TileByteCounts"]
        tag.overwrite([0, *tag.value[1:]])
    return desk.command()


def broken_tile(desk: Desk) -> Arguments:
    with tifffile.TiffFile(desk.slide) as tiff:
        offset = tiff.pages.first.dataoffsets[4]
    with desk.slide.open("r+b") as file:
        file.seek(offset)
        file.write(b"\xff" * 40)
    return desk.command()


def not_a_number(desk: Desk) -> Arguments:
    pixels = picture(CLASSES, "float32")
    pixels[100, 100] = np.nan
    write_slide(desk.slide, pixels)
    return desk.command("--chunk", 64)


def infinite(desk: Desk) -> Arguments:
    pixels = picture(CLASSES, "float32")
    pixels[140:, 3] = -np.inf
    write_slide(desk.slide, pixels)
    return desk.command()


def no_pixel_size(desk: Desk) -> Arguments:
    write_slide(desk.slide, PIXELS, None)
    return desk.command()


def several_images(desk: Desk) -> Arguments:
    with tifffile.TiffWriter(desk.slide) as tiff:
        tiff.write(PIXELS)
        tiff.write(PIXELS[:100])
    return desk.command()


def out_is_a_file(desk: Desk) -> Arguments:
    desk.out.write_text("mine")
    return desk.command()


def out_below_a_file(desk: Desk) -> Arguments:
    return desk.command("--out", desk.labels / "slide.ome.zarr")


def out_where_nothing_can_be(desk: Desk) -> Arguments:
    return desk.command("--out", "/proc/slide.ome.zarr")


def out_is_of_somebody_else(desk: Desk) -> Arguments:
    desk.out.mkdir()
    (desk.out / "thesis.docx").write_text("mine")
    return desk.command()


def mask_of_another_shape(desk: Desk) -> Arguments:
    write_labels(desk.labels, CLASSES[:-1])
    return desk.command()


def labels_of_other_values(desk: Desk) -> Arguments:
    write_slide(desk.folder / "labels.tif", CLASSES.astype(np.uint16) * 200)
    return ["run", desk.slide, "--labels", desk.folder / "labels.tif"]


def one_mask(desk: Desk) -> Arguments:
    return ["run", desk.slide, "--axon-mask", desk.labels]


def both_kinds_of_masks(desk: Desk) -> Arguments:
    axon, myelin = write_masks(desk.folder, CLASSES)
    return desk.command("--axon-mask", axon, "--myelin-mask", myelin)


def region(content: str) -> Callable[[Desk], Arguments]:
    def write(desk: Desk) -> Arguments:
        (desk.folder / "region.geojson").write_text(content)
        return desk.command("--mask", desk.folder / "region.geojson")

    return write


def region_of_bytes(desk: Desk) -> Arguments:
    (desk.folder / "region.json").write_bytes(b"\xff\xfe\x00\x81" * 9)
    return desk.command("--mask", desk.folder / "region.json")


def damaged_weights(desk: Desk) -> Arguments:
    model = write_model(desk.folder)
    with model.with_suffix(".safetensors").open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"\x55")
    return ["run", desk.slide, "--model", model, "--workers", 1]


def no_weights(desk: Desk) -> Arguments:
    model = write_model(desk.folder)
    model.with_suffix(".safetensors").unlink()
    return ["run", desk.slide, "--model", model]


def broken_contract(desk: Desk) -> Arguments:
    model = write_model(desk.folder)
    model.write_text(model.read_text()[:-20])
    return ["run", desk.slide, "--model", model]


def unknown_architecture(desk: Desk) -> Arguments:
    model = write_model(desk.folder)
    model.write_text(json.dumps(json.loads(model.read_text()) | {"architecture": "transformer"}))
    return ["run", desk.slide, "--model", model]


def lattice_of_nothing(desk: Desk) -> Arguments:
    model = write_model(desk.folder)
    model.write_text(json.dumps(json.loads(model.read_text()) | {"lattice_px": 0}))
    return ["run", desk.slide, "--model", model]


def weights_of_nan(desk: Desk) -> Arguments:
    import torch

    model = Checkpoint.find(write_model(desk.folder))
    net = model.network()
    with torch.no_grad():
        next(net.parameters()).fill_(float("nan"))
    model.save(net, desk.folder)
    return ["run", desk.slide, "--model", model.path, "--workers", 1]


def chunk_of_no_lattice(desk: Desk) -> Arguments:
    return ["run", desk.slide, "--model", write_model(desk.folder, 128), "--chunk", 192]


def chunk_thinner_than_the_halo(desk: Desk) -> Arguments:
    return ["run", desk.slide, "--model", write_model(desk.folder), "--chunk", 64, "--halo", "exact"]


def flag(*flags: object) -> Callable[[Desk], Arguments]:
    return lambda desk: desk.command(*flags)


CASES: dict[str, tuple[Callable[[Desk], Arguments], str]] = {
    "text named .tif": (text, r"begins with b'This'.*no TIFF does"),
    "empty file": (empty_file, r"no TIFF does"),
    "truncated file": (truncated, r"truncated: it has \d+ bytes"),
    "no rows": (zero_size, r"slide\.tif"),
    "missing tiles": (missing_tiles, r"1 of the 9 tiles of .* are missing"),
    "broken tile": (
        broken_tile,
        r"in row \d+, column \d+ of level 0 .* µm.* cannot be decoded .* copy .* --on-bad-tile",
    ),
    "NaN": (not_a_number, r"Finite pixels were expected, 1 of"),
    "infinity": (infinite, r"Finite pixels were expected, 10 of"),
    "no pixel size": (no_pixel_size, r"--pixel-size 0\.1"),
    "implausible pixel size": (flag("--pixel-size", 50), r"between 0\.0005 and 5\.0 µm was expected, 50 × 50"),
    "pixel size of NaN": (flag("--pixel-size", "nan"), r"pixel size between"),
    "pixel size in words": (flag("--pixel-size", "small"), r"'small' came"),
    "three pixel sizes": (flag("--pixel-size", "1,2,3"), r"'1,2,3' came"),
    "several images": (several_images, r"holds 2 images, none was chosen.*--series N"),
    "no such image": (flag("--series", 7), r"--series 7"),
    "output is a file": (out_is_a_file, r"a file is there; choose another --out"),
    "output below a file": (
        out_below_a_file,
        r"Not a directory; choose another --out, in a folder of yours",
    ),
    "output where nothing can be": (out_where_nothing_can_be, r"can be written was expected at /proc"),
    "output of somebody else": (out_is_of_somebody_else, r"other files are there"),
    "mask of another shape": (mask_of_another_shape, r"slide's 150 × 170 px .* has 149 × 170"),
    "labels of other values": (labels_of_other_values, r"found: 0 .*400 .*200"),
    "one mask without the other": (one_mask, r"--axon-mask and --myelin-mask were expected together"),
    "both kinds of masks": (both_kinds_of_masks, r"both came; give one"),
    "absent mask": (flag("--mask", "/nowhere.png"), r"/nowhere\.png does not exist"),
    "absent polygons": (flag("--mask", "/nowhere.geojson"), r"/nowhere\.geojson, which does not exist"),
    "polygons that are no JSON": (region("{"), r"it is not JSON"),
    "polygons that are no areas": (region('{"type": "Point", "coordinates": [1, 2]}'), r"a 'Point'\) came"),
    "no polygons": (region('{"type": "FeatureCollection", "features": []}'), r"at least one Polygon"),
    "polygons of bytes": (region_of_bytes, r"region\.json: GeoJSON was expected"),
    "unknown model": (lambda desk: ["run", desk.slide, "--model", "owl"], r"'owl' is none; .*embedded"),
    "damaged weights": (damaged_weights, r"the file is damaged or of another model"),
    "no weights": (no_weights, r"nothing is there"),
    "broken contract": (broken_contract, r"contract was expected in .*, but it cannot be read"),
    "unknown architecture": (unknown_architecture, r"'transformer' came"),
    "chunk of no lattice": (chunk_of_no_lattice, r"multiple of the model's lattice of 128 px, 192 came; use 256"),
    "chunk thinner than the halo": (chunk_thinner_than_the_halo, r"halo of 144 px, 64 came; use 192"),
    "odd chunk": (flag("--chunk", 100), r"--chunk was expected to be a multiple of 64, 64 to 65536 px, 100 came"),
    "halo in words": (flag("--halo", "wide"), r"'wide' came"),
    "halo of a superscript": (flag("--halo", "²"), r"--halo was expected to be a whole number of px, .* '²' came"),
    "myelin without end": (flag("--max-myelin", "1e308"), r"--max-myelin .* 1000 or less µm, 1e\+308 came"),
    "no model's name": (lambda desk: ["run", desk.slide, "--model", ""], r"--model was expected to be .*, '' came"),
    "model of a blank": (lambda desk: ["run", desk.slide, "--model", " "], r"--model was expected to be .*, ' ' came"),
    "chunk of a hundred million": (flag("--chunk", 100_000_000), r"--chunk .* 64 to 65536 px, 100000000 came"),
    "lattice of nothing": (lattice_of_nothing, r"lattice_px was expected to be 16 to 65536 px, 0 came"),
    "weights that are no numbers": (weights_of_nan, r"Weights that are finite numbers"),
    "negative halo": (flag("--halo", "-3"), r"0 or more px, -3 came"),
    "cell of nothing": (flag("--cell", 0), r"--cell .* 0 came"),
    "cell smaller than a pixel": (flag("--cell", 0.05), r"at least one pixel"),
    "endless cell": (flag("--cell", "inf"), r"--cell .* inf came"),
    "endless myelin": (flag("--max-myelin", "inf"), r"--max-myelin .* inf came"),
    "negative axons": (flag("--min-axon-area", -1), r"--min-axon-area .* -1 came"),
    "unit of no length": (flag("--mask-unit", "km"), r"px or um, 'km' came"),
    "absent slide": (lambda desk: ["run", desk.folder / "no.tif"], r"no\.tif does not exist"),
    "a folder": (lambda desk: ["run", desk.folder], r"the folder .* has no multiscales metadata"),
    "no worker": (flag("--workers", 0), r"--workers was expected to be 1 or more, 0 came"),
    "workers in words": (flag("--workers", "x"), r"--workers was expected to be a whole number, 'x' came"),
    "next to no memory": (flag("--memory", 0.01), r"memory was expected to be 0\.25 to"),
}


@pytest.mark.parametrize("case", CASES)
def test_what_cannot_be_used_is_refused(desk: Desk, case: str) -> None:
    prepare, message = CASES[case]
    arguments = prepare(desk)
    before = {path: path.read_bytes() for path in desk.folder.rglob("*") if path.is_file()}
    assert_refused(command(*arguments), 2, message, desk.out)
    assert before.items() <= {path: path.read_bytes() for path in desk.folder.rglob("*") if path.is_file()}.items()


@pytest.mark.parametrize(
    "arguments",
    [["run"], ["fly"], ["run", "x.tif", "--speed", "9"], ["export", "x"]],
    ids=" ".join,
)
def test_wrong_usage_is_2(arguments: list[str]) -> None:
    ran = command(*arguments)
    assert ran.code == 2
    assert "Usage" in ran.err
    assert "Traceback" not in ran.err


def test_a_store_of_another_slide_is_refused_and_kept(desk: Desk) -> None:
    assert command(*desk.command()).code == 0
    before = files(desk.out)
    write_slide(desk.slide, picture(CLASSES, seed=1))
    ran = command(*desk.command())
    assert ran.code == 2
    assert "made of" in ran.err
    assert "--fresh" in ran.err
    assert files(desk.out) == before
    assert command(*desk.command("--fresh")).code == 0
    assert files(desk.out) != before


def test_what_is_no_store_cannot_be_opened_or_exported(desk: Desk) -> None:
    (desk.folder / "run.json").write_text('{"complete": true}')
    for path in (desk.slide, desk.folder / "nothing", desk.folder):
        ran = command("export", path, "--format", "csv")
        assert ran.code == 2
        assert "store made by axonflow was expected" in " ".join(ran.err.split())
        with pytest.raises(StoreError):
            axonflow.open(path)


def test_a_damaged_slide_can_be_mended_and_the_run_continued(desk: Desk) -> None:
    """What was converted before the damage showed stays, if the content is otherwise the same."""
    good = desk.slide.read_bytes()
    arguments = [*broken_tile(desk), "--chunk", 64]
    assert command(*arguments).code == 2
    desk.slide.write_bytes(good)
    assert command(*arguments).code == 2  # another content: the store is of the damaged slide
    assert command(*arguments, "--fresh").code == 0


def test_a_real_process_says_one_line_and_leaves_with_the_code(desk: Desk) -> None:
    """Also where a worker process is what fails."""
    arguments = [*not_a_number(desk), "--workers", 2]
    call = [sys.executable, "-c", "from axonflow.cli import main; main()", *map(str, arguments)]
    ended = subprocess.run(call, capture_output=True, text=True, timeout=120, check=False)
    assert_refused(Ran(ended.returncode, ended.stdout, ended.stderr), 2, "Finite pixels were expected", desk.out)
    assert len(ended.stderr.strip().splitlines()) == 1


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Mount a file system of a size; call again to change the size."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = shutil.which("mount")
    if mount is None or os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")

    def size(how_much: str) -> Path:
        options = f"size={how_much}" + (",remount" if os.path.ismount(disk) else "")
        done = subprocess.run([mount, "-t", "tmpfs", "-o", options, "tmpfs", disk], capture_output=True, check=False)
        if done.returncode:
            pytest.skip(f"mounting is not permitted here: {done.stderr.decode().strip()}")
        return disk

    yield size
    if os.path.ismount(disk):
        subprocess.run(["umount", "--lazy", disk], check=True)


def test_a_disk_that_is_too_small_is_refused_with_both_numbers(desk: Desk, small_disk: Any) -> None:
    out = small_disk("40k") / "out"
    ran = command(*desk.command("--out", out))
    assert_refused(ran, 2, r"\d+ [KM]iB are free .* projected to write up to \d+ [KM]iB", out)


def test_a_full_disk_ends_the_run_and_space_lets_it_continue(desk: Desk, small_disk: Any) -> None:
    """Many small shards take more than the plan projects, so that the disk fills up on the way, in several stages."""
    failed = set()
    for size in ("150k", "250k", "350k"):
        out = small_disk(size) / "out"
        ran = command(*desk.command("--out", out, "--chunk", 64))
        if ran.code == 2:  # what is left to do does not fit, and the plan knows
            assert_refused(ran, 2, r"[KM]iB are free", out)
        else:
            assert_refused(ran, 1, r"The stage '\w+' .* the disk is full; free some space", out)
            failed.add(ran.err.split("'")[1])
    assert failed
    small_disk("50m")
    assert command(*desk.command("--out", out, "--chunk", 64)).code == 0
    assert command(*desk.command("--chunk", 64)).code == 0
    assert contents(out) == contents(desk.out)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES])
def test_a_record_that_cannot_be_written_ends_the_run_with_a_sentence(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number), "run.json")

    with monkeypatch.context() as patch:
        patch.setattr("axonflow.workflow.job.write_record", refuse)
        ran = command(*desk.command())
    message = r"was expected to be read and written, but .* \(run\.json\); .* the same command again"
    assert_refused(ran, 1, message, desk.out)
    assert command(*desk.command()).code == 0


def test_a_disk_that_fills_up_while_drawing_leaves_results_without_figures(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr("axonflow.results.figures.draw_overlay", full)
        ran = command(*desk.command())
    assert (ran.code, ran.err.count("\n")) == (1, 1)
    assert "the disk is full; free some space" in ran.err
    assert axonflow.open(desk.out).record["complete"]
    assert not (desk.out / "figures").exists()
    assert not (desk.out / "report.html").exists()
    assert command(*desk.command()).code == 0
    assert {"maps.png", "maps.svg", "overlay.png"} < {path.name for path in (desk.out / "figures").iterdir()}
    assert (desk.out / "report.html").exists()
