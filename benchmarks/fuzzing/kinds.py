"""Every kind of file that axonflow is given or keeps: how a right one is made, how it is changed, and who opens it."""

from __future__ import annotations

import csv
import io
import json
import os
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import tifffile
import zarr
from google_crc32c import value as crc32c
from numpy.typing import NDArray
from PIL import Image

from axonflow.errors import AxonflowError
from axonflow.kernel.grid import Box
from axonflow.kernel.units import PixelSize
from benchmarks.fuzzing.containers import (
    changed_npz,
    changed_parquet,
    changed_png,
    changed_safetensors,
    changed_tiff,
    with_digest,
)
from benchmarks.fuzzing.values import WORDS, changed_bytes, changed_json, changed_toml, changed_xml

__all__ = ["KINDS", "ClaimError", "Kind"]

SIDE = 64
"""Of the slides, px."""


class ClaimError(Exception):
    """A store says that it is complete although what it should be made of was refused."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of input.

    Attributes
    ----------
    name : str
    share : float
        Of all cases, compared with the other kinds.
    make : callable
        Writes files that are right into a folder.
    change : callable
        Changes something in a copy of that folder.
    use : callable
        Opens what is there, as axonflow would; all but an AxonflowError that it raises is a defect.
    single : bool
        Whether only one of the files is opened, which the change leaves alone in the folder.
    """

    name: str
    share: float
    make: Callable[[Path], None]
    change: Callable[[random.Random, Path], None]
    use: Callable[[random.Random, Path], None]
    single: bool = False


def tissue() -> NDArray[np.uint8]:
    """Return classes: some axons in myelin."""
    y, x = np.mgrid[:SIDE, :SIDE]
    classes = np.zeros((SIDE, SIDE), np.uint8)
    for at_y, at_x, radius in ((16, 18, 7), (40, 44, 9), (52, 12, 5), (10, 50, 4)):
        away = np.hypot(y - at_y, x - at_x)
        classes[away <= radius + 3] = 1
        classes[away <= radius] = 2
    return classes


def _grey() -> NDArray[np.uint8]:
    noise = np.random.default_rng(0).integers(0, 12, (SIDE, SIDE), np.uint8)
    grey: NDArray[np.uint8] = np.array([128, 205, 60], np.uint8)[tissue()] + noise
    return grey


_SCALE: dict[str, Any] = {"resolution": (1e5, 1e5), "resolutionunit": "CENTIMETER"}


def misplace(chance: random.Random, path: Path) -> None:
    """Put something else in the place of a file."""
    path.unlink(missing_ok=True)
    match chance.randrange(6):
        case 0:
            path.symlink_to("/dev/zero")
        case 1:
            os.mkfifo(path)
        case 2:
            path.mkdir()
        case 3:
            with path.open("wb") as file:
                file.truncate(2**33)
        case 4:
            path.symlink_to(path.name)
        case _:
            path.write_bytes(b"")


def _replaced(chance: random.Random, path: Path, content: Callable[[], bytes]) -> None:
    if chance.random() < 0.04:
        misplace(chance, path)
    else:
        path.write_bytes(content())


def _read_some(image: Any) -> None:
    h, w = image.shape
    image.read(Box(0, 0, min(h, SIDE), min(w, SIDE)))
    image.read(Box(max(h - 8, 0), max(w - 8, 0), h, w))


# TIFF and OME-XML


def _make_tiffs(folder: Path) -> None:
    grey = _grey()
    tifffile.imwrite(folder / "tiled.tif", grey, tile=(32, 32), compression="zlib", **_SCALE)
    tifffile.imwrite(folder / "strips.tif", grey, rowsperstrip=16, compression="lzw", **_SCALE)
    tifffile.imwrite(folder / "plain.tif", grey.astype(np.uint16) * 200, **_SCALE)
    tifffile.imwrite(folder / "float.tif", grey.astype(np.float32), tile=(32, 32), predictor=True, compression="zlib")
    tifffile.imwrite(folder / "rgb.tif", np.stack([grey] * 3, -1), photometric="rgb", tile=(32, 32), compression="jpeg")
    tifffile.imwrite(folder / "palette.tif", grey, photometric="palette", colormap=np.zeros((3, 256), np.uint16))
    tifffile.imwrite(
        folder / "imagej.tif",
        np.stack([grey] * 3),
        photometric="minisblack",
        imagej=True,
        metadata={"axes": "ZYX", "spacing": 2},
    )
    tifffile.imwrite(folder / "stack.tif", np.stack([grey] * 3), tile=(32, 32), photometric="minisblack")
    svs = "Aperio Image Library v11\r\n64x64 [0,0 64x64] (32x32) J/2 |AppMag = 20|MPP = 0.5"
    tifffile.imwrite(folder / "scan.svs", grey, tile=(32, 32), description=svs, metadata=None, compression="zlib")
    with tifffile.TiffWriter(folder / "levels.tif") as out:
        out.write(grey, tile=(32, 32), subifds=1, **_SCALE)
        out.write(grey[::2, ::2], tile=(32, 32), subfiletype=1)


def _change_one(change: Callable[[random.Random, bytes], bytes]) -> Callable[[random.Random, Path], None]:
    """Return what keeps one file of a folder, and changes that."""

    def one(chance: random.Random, folder: Path) -> None:
        path = chance.choice(sorted(folder.iterdir()))
        for other in folder.iterdir():
            if other != path:
                other.unlink()
        _replaced(chance, path, lambda: change(chance, path.read_bytes()))

    return one


def _only(folder: Path) -> Path:
    return next(folder.iterdir())


def _use_slide(_chance: random.Random, folder: Path) -> None:
    from axonflow.slide import find_bar, open_slide

    path = _only(folder)
    try:
        slide = open_slide(path)
    except AxonflowError:
        slide = open_slide(path, series=0, channel=0 if path.is_dir() else None)
    find_bar(slide)
    _read_some(slide)


def _make_ome(folder: Path) -> None:
    grey = _grey()
    axes = {"PhysicalSizeX": 0.1, "PhysicalSizeXUnit": "µm", "PhysicalSizeY": 0.1, "PhysicalSizeYUnit": "µm"}
    tifffile.imwrite(folder / "one.ome.tif", grey, tile=(32, 32), metadata=axes)
    tifffile.imwrite(
        folder / "stack.ome.tif", np.stack([grey] * 3), photometric="minisblack", metadata={"axes": "ZYX"} | axes
    )
    tifffile.imwrite(
        folder / "channels.ome.tif", np.stack([grey] * 2), photometric="minisblack", metadata={"axes": "CYX"} | axes
    )


def _change_ome(chance: random.Random, folder: Path) -> None:
    path = chance.choice(sorted(folder.iterdir()))
    with tifffile.TiffFile(path) as tiff:
        text = str(tiff.ome_metadata)
        pixels = tiff.asarray()
    for other in folder.iterdir():
        other.unlink()
    changed = changed_xml(chance, text)
    tifffile.imwrite(path, pixels, description=changed.encode(), metadata=None, tile=(32, 32), photometric="minisblack")
    if chance.random() < 0.1:
        companion = folder / "x.companion.ome"
        companion.write_text(changed)
        path.rename(path.with_name("a.tif"))


def _use_ome(chance: random.Random, folder: Path) -> None:
    if (companion := folder / "x.companion.ome").exists():
        companion.unlink()
    _use_slide(chance, folder)


# OME-Zarr that others wrote


def _make_zarrs(folder: Path) -> None:
    grey = _grey()
    multiscales = [
        {
            "version": "0.4",
            "name": "image",
            "axes": [{"name": axis, "type": "space", "unit": "micrometer"} for axis in "yx"],
            "datasets": [{"path": "0", "coordinateTransformations": [{"type": "scale", "scale": [0.1, 0.1]}]}],
        }
    ]
    omero = {"channels": [{"color": "FFFFFF", "label": "x", "window": {"start": 0, "end": 255}}]}
    forms: tuple[tuple[str, Literal[2, 3]], ...] = (("old.zarr", 2), ("new.zarr", 3))
    for name, form in forms:
        attributes: dict[str, Any] = {"multiscales": multiscales, "omero": omero}
        if form == 3:
            attributes = {"ome": {"version": "0.5"} | attributes}
        group = zarr.create_group(folder / name, zarr_format=form, attributes=attributes)
        group.create_array("0", shape=grey.shape, dtype="uint8", chunks=(32, 32))[:] = grey
    shutil.copytree(folder / "new.zarr", folder / "sharded.zarr")
    shutil.rmtree(folder / "sharded.zarr" / "0")
    group = zarr.open_group(folder / "sharded.zarr")
    group.create_array("0", shape=grey.shape, dtype="uint8", chunks=(16, 16), shards=(32, 32))[:] = grey


def _change_zarr(chance: random.Random, folder: Path) -> None:
    path = chance.choice(sorted(folder.iterdir()))
    for other in folder.iterdir():
        if other != path:
            shutil.rmtree(other)
    files = sorted(each for each in path.rglob("*") if each.is_file())
    metadata = [each for each in files if each.name in {"zarr.json", ".zattrs", ".zarray", ".zgroup"}]
    for _ in range(chance.choice((1, 1, 2))):
        if chance.random() < 0.75:
            target = chance.choice(metadata)
            if target.is_file() and not target.is_symlink():
                _replaced(chance, target, partial(_json_file, chance, target))
        else:
            target = chance.choice([each for each in files if each not in metadata])
            if target.is_file() and not target.is_symlink():
                if chance.random() < 0.4:
                    misplace(chance, target)
                else:
                    target.write_bytes(changed_bytes(chance, target.read_bytes()))


def _json_file(chance: random.Random, path: Path) -> bytes:
    content = path.read_bytes()
    try:
        return changed_json(chance, json.loads(content))
    except (RecursionError, ValueError):  # it was changed before
        return changed_bytes(chance, content)


# Drawings and masks


def _make_geojson(folder: Path) -> None:
    ring = [[5, 5], [40, 6], [38.5, 50], [5, 5]]
    polygon = {"type": "Polygon", "coordinates": [ring, [[10, 10], [20, 10], [20, 20], [10, 10]]]}
    features = [
        {
            "type": "Feature",
            "geometry": polygon,
            "properties": {"classification": {"name": "tract", "color": [1, 2, 3]}},
        },
        {"type": "Feature", "geometry": polygon | {"type": "MultiPolygon", "coordinates": [[ring]]}, "properties": {}},
        {"type": "Feature", "geometry": {"type": "Point", "coordinates": [1, 2]}, "properties": {"name": "here"}},
        {"type": "Feature", "geometry": {"type": "GeometryCollection", "geometries": [polygon]}, "properties": None},
    ]
    (folder / "tracts.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": features}))


def _change_geojson(chance: random.Random, folder: Path) -> None:
    path = folder / "tracts.geojson"
    _replaced(chance, path, lambda: _json_file(chance, path))


def _use_geojson(chance: random.Random, folder: Path) -> None:
    from axonflow.stages.annotation import open_annotation, open_regions
    from axonflow.stages.layout import Frame

    frame = Frame((SIDE, SIDE), PixelSize(0.1, 0.1))
    whole = Box(0, 0, SIDE, SIDE)
    path = folder / "tracts.geojson"
    open_annotation(path, "px", frame, frame).cover(whole)
    open_regions(path, "um" if chance.random() < 0.2 else "px", frame, frame).label(whole)


def _make_masks(folder: Path) -> None:
    classes = tissue()
    axon = ((classes == 2) * 255).astype(np.uint8)
    Image.fromarray(axon).save(folder / "axon.png")
    Image.fromarray(np.array([0, 127, 255], np.uint8)[classes]).save(folder / "labels.png")
    palette = Image.fromarray(classes, mode="P")
    palette.putpalette([0, 0, 0, 0, 0, 255, 255, 0, 0])
    palette.save(folder / "palette.png", transparency=0)
    Image.fromarray(axon).convert("1").save(folder / "bilevel.png")
    Image.fromarray(axon).save(folder / "soft.jpg")
    Image.fromarray(np.stack([axon] * 3, -1)).save(folder / "rgb.png")
    tifffile.imwrite(folder / "ids.tif", classes.astype(np.uint32), tile=(32, 32), compression="zlib")
    Image.fromarray(axon).convert("1").save(folder / "fax.tif", compression="group4")


def _change_mask(chance: random.Random, content: bytes) -> bytes:
    if content.startswith(b"\x89PNG"):
        return changed_png(chance, content)
    return changed_tiff(chance, content) if content.startswith(b"II") else changed_bytes(chance, content)


def _use_mask(chance: random.Random, folder: Path) -> None:
    from axonflow.kernel.classes import AXON_MYELIN
    from axonflow.slide import open_stored
    from axonflow.stages.labels import open_labels
    from axonflow.stages.masks import open_mask

    image = open_stored(_only(folder))
    h, w = image.shape
    box = Box(0, 0, min(h, SIDE), min(w, SIDE))
    if chance.random() < 0.5:
        open_labels(image, AXON_MYELIN).read(box)
    else:
        open_mask(image).drawn(box)


# Settings: TOML, manifests


def _make_profiles(folder: Path) -> None:
    (folder / "own.toml").write_text(
        'system = "slurm"\nworkers = 4\ncores = 8\nmemory = 16\nwalltime = "02:00:00"\npartition = "short"\n'
        'account = "me"\nprologue = ["module load x"]\ndirectives = ["--exclusive"]\ninterface = "ib0"\n'
        'scratch = "$TMPDIR"\ndashboard = "127.0.0.1:0"\ngpus = 0\ndriver_memory = 2\ndriver_walltime = "24:00:00"\n'
    )
    (folder / "extending.toml").write_text('extends = "slurm"\nadapt = "0:8"\nprologue = ["true"]\nworkers = 3\n')


def _use_profile(_chance: random.Random, folder: Path) -> None:
    from axonflow.engine.jobs import driver_job, worker_script
    from axonflow.engine.profile import Profile

    profile = Profile.find(str(_only(folder)))
    str(profile)
    if profile.queued:
        for text in (worker_script(profile), driver_job(profile, ["true"], folder).job_script()):
            if any(ord(letter) < 32 and letter not in "\n\t" for letter in text):
                raise ClaimError("a control character stands in a job's script")


def _make_pipelines(folder: Path) -> None:
    (folder / "run.toml").write_text(
        '[run]\nmodel = "sem"\nchunk = 1024\nhalo = 64\ncell_um = 50\nmax_myelin_um = 10.0\nmin_axon_area_um2 = 0.1\n'
        'pixel_size = [0.1, 0.1]\nseries = 0\nmask = "mask.png"\nmask_unit = "px"\nregions = "tracts.geojson"\n'
    )
    shipped = Path(__file__).parents[2] / "pipelines"
    for name in ("paper", "finetune", "mouse-tem"):
        shutil.copy(shipped / f"{name}.toml", folder)


def _use_pipeline(_chance: random.Random, folder: Path) -> None:
    from axonflow.training.recipe import Recipe
    from axonflow.workflow.settings import configure, read_pipeline

    path = _only(folder)
    try:
        Recipe.read(path)
    except AxonflowError:
        configure(folder / "slide.tif", read_pipeline(path) if path.stem == "run" else {})
        read_pipeline(path)


_HEADER = ("slide", "level", "pixel_size", "mask", "out", "cell_um", "chunk", "series", "min_axon_area_um2")


def _make_manifest(folder: Path) -> None:
    rows = [
        _HEADER,
        ("a.tif", "C2", "0.1", "", "", "50", "1024", "", "0.2"),
        ("b.tif", "C3", "", "", "x", "", "", "0", ""),
    ]
    out = io.StringIO()
    csv.writer(out).writerows(rows)
    (folder / "slides.csv").write_text(out.getvalue())


def _change_manifest(chance: random.Random, folder: Path) -> None:
    path = folder / "slides.csv"
    cells = [*csv.reader(io.StringIO(path.read_text()))]
    for _ in range(chance.choice((1, 1, 2, 4))):
        row = chance.choice(cells)
        at = chance.randrange(len(row)) if row else 0
        special = chance.choice((*WORDS, "9" * 5_000, "x" * 200_000, "0,1", "'=1", "=cmd|x", '"', "1e400", "nan", "-0"))
        match chance.randrange(7):
            case 0 | 1 | 2 if row:
                row[at] = special
            case 3 if row:
                del row[at]
            case 4:
                row.insert(at, special)
            case 5:
                cells.insert(chance.randrange(len(cells)), [*row])
            case _:
                cells[0] = [chance.choice((name, name.upper(), "keep_probabilities", "halo")) for name in cells[0]]
    out = io.StringIO()
    csv.writer(out, delimiter=chance.choice(",,,;\t|")).writerows(cells)
    text = chance.choice(("", "", "", "sep=;\n", "sep=\0\n", "sep=\n", 'sep="\n', "sep=\r\n")) + out.getvalue()
    content = text.encode(chance.choice(("utf-8", "utf-8", "utf-16", "utf-8-sig")), errors="surrogatepass")
    _replaced(chance, path, lambda: changed_bytes(chance, content) if chance.random() < 0.2 else content)


def _use_manifest(_chance: random.Random, folder: Path) -> None:
    from axonflow.workflow.batch import open_batch
    from axonflow.workflow.manifest import read_manifest

    slides = read_manifest(folder / "slides.csv")
    open_batch(slides, {}, folder / "stores")
    for slide in slides:
        slide.config({}, folder / "stores")


# Models


def _make_model(folder: Path) -> None:
    import torch

    from axonflow.net.architecture import TEM
    from axonflow.net.checkpoint import Checkpoint
    from axonflow.net.unet import UNet

    torch.manual_seed(0)
    torch.set_num_threads(1)
    Checkpoint(
        "own", "tem", 0.1, False, 64, 25, 0.0, "", {"data": "x", "subjects": ["a"]}, {"confidence": (0.5, 1.0)}
    ).save(UNet(TEM), folder)


def _change_contract(chance: random.Random, folder: Path) -> None:
    path = folder / "own.json"
    document = json.loads(path.read_bytes())
    document |= chance.choice(({}, {"working_um": [0.1, 0.2], "slides_um": [0.05, 0.5]}))
    _replaced(chance, path, lambda: changed_json(chance, document))


def _use_contract(_chance: random.Random, folder: Path) -> None:
    from axonflow.net.checkpoint import Checkpoint

    checkpoint = Checkpoint.find(folder / "own.json")
    checkpoint.working_size(PixelSize(0.1, 0.1))
    json.dumps(checkpoint.contract)


def _change_weights(chance: random.Random, folder: Path) -> None:
    weights, contract = folder / "own.safetensors", folder / "own.json"
    changed = changed_safetensors(chance, weights.read_bytes())
    contract.write_bytes(with_digest(json.loads(contract.read_bytes()), changed))
    _replaced(chance, weights, lambda: changed)


def _use_weights(_chance: random.Random, folder: Path) -> None:
    from axonflow.net.checkpoint import Checkpoint

    Checkpoint.find(folder / "own.json").network()


# Stores of axonflow


def _make_store(folder: Path) -> None:
    from axonflow.api import run

    tifffile.imwrite(folder / "slide.tif", _grey(), tile=(32, 32), compression="zlib", **_SCALE)
    Image.fromarray(np.array([0, 127, 255], np.uint8)[tissue()]).save(folder / "labels.png")
    _make_geojson(folder)
    run(
        folder / "slide.tif",
        folder / "slide.ome.zarr",
        labels=folder / "labels.png",
        regions=folder / "tracts.geojson",
        cell=2.0,
        workers=1,
    )


def _store(folder: Path) -> Path:
    return folder / "slide.ome.zarr"


def _journal_entries(folder: Path) -> list[Path]:
    return sorted(path for path in (_store(folder) / ".axonflow" / "journal").rglob("*") if path.is_file())


def renamed(path: Path, content: bytes) -> None:
    """Write a file of the journal anew, with the checksum in its name that fits."""
    name, _, kind = path.name.split(".")
    path.unlink()
    path.with_name(f"{name}.{crc32c(content):08x}.{kind}").write_bytes(content)


def _change_journal(chance: random.Random, folder: Path) -> None:
    for _ in range(chance.choice((1, 1, 2))):
        entries = [path for path in _journal_entries(folder) if path.is_file() and path.name.count(".") == 2]
        if not entries:
            return
        path = chance.choice(entries)
        kind = chance.random()
        if kind < 0.06:
            misplace(chance, path)
        elif kind < 0.12:
            path.rename(
                path.with_name(chance.choice(("begun..json", "x.npz", ".npz", "begun.json", "done.0.json", "-1.0.npz")))
            )
        elif path.suffix == ".json":
            renamed(path, _json_file(chance, path))
        else:
            try:
                changed = changed_npz(chance, path.read_bytes())
            except Exception:  # it was changed before
                changed = changed_bytes(chance, path.read_bytes())
            renamed(path, changed)


def _use_journal(chance: random.Random, folder: Path) -> None:
    _through_doors(chance, folder, ("check", "check", "run", "open", "status"))


def _change_record(chance: random.Random, folder: Path) -> None:
    path = _store(folder) / "run.json"
    _replaced(chance, path, lambda: _json_file(chance, path))


def _use_record(chance: random.Random, folder: Path) -> None:
    _through_doors(chance, folder, ("info", "open", "check", "status", "export", "run"))


_PRIVATE: dict[str, Any] = {
    "status.json": {"state": "running", "stage": "measure", "done_px": 4, "total_px": 9, "all_done_px": 5, "pid": 4},
    "submitted.json": {"log": "/tmp/none", "host": "h", "system": "slurm", "job": "4", "at": "2026-01-01T00:00:00"},
    "jobs.json": {"system": "slurm", "jobs": ["1", "2"]},
    "scheduler.json": {"address": "tls://127.0.0.1:8786"},
}


def _change_private(chance: random.Random, folder: Path) -> None:
    for name, content in _PRIVATE.items():
        path = _store(folder) / ".axonflow" / name
        _replaced(chance, path, partial(changed_json, chance, content))
    if chance.random() < 0.5:
        (_store(folder) / "run.json").unlink()
    if chance.random() < 0.6:
        submitted = _store(folder) / ".axonflow" / "submitted.json"
        submitted.rmdir() if submitted.is_dir() else submitted.unlink()


def _use_private(_chance: random.Random, folder: Path) -> None:
    from axonflow.engine import certificates
    from axonflow.engine.ledger import Ledger

    private = _store(folder) / ".axonflow"
    doors: list[Callable[[], object]] = [
        lambda: _door("status", _store(folder)),
        lambda: _door("status", folder),
        lambda: certificates.scheduler(str(private)),
        lambda: Ledger(private / "jobs.json").end_jobs(),
    ]
    _through(doors)


def _change_table(chance: random.Random, folder: Path) -> None:
    path = _store(folder) / "tables" / chance.choice(("fibers.parquet", "fibers.parquet", "regions.parquet"))
    _replaced(chance, path, lambda: changed_parquet(chance, path.read_bytes()))
    _agree(chance, folder, path)


def _agree(chance: random.Random, folder: Path, path: Path) -> None:
    """Have the journal say, in most cases, that a file is as it should be."""
    if chance.random() < 0.3 or not path.is_file() or path.stat().st_size > 2**24:
        return
    content = path.read_bytes()
    name = path.relative_to(_store(folder)).as_posix()
    for entry in _journal_entries(folder):
        if entry.suffix == ".json" and f'"{name}"' in entry.read_text():
            said = json.loads(entry.read_text())
            if name in said["files"]:
                said["files"][name] = [len(content), crc32c(content)]
                if name in said["contents"]:
                    said["contents"][name] = content.decode(errors="replace")
                renamed(entry, json.dumps(said).encode())


def _use_table(chance: random.Random, folder: Path) -> None:
    _through_doors(chance, folder, ("open", "check", "info", "export"))


def _change_arrays(chance: random.Random, folder: Path) -> None:
    store = _store(folder)
    paths = [path for path in sorted(store.rglob("*")) if path.is_file() and ".axonflow" not in path.parts]
    paths = [
        path
        for path in paths
        if path.parent.name != "tables" and path.suffix in {"", ".json"} and path.name != "run.json"
    ]
    for _ in range(chance.choice((1, 1, 2))):
        metadata = chance.random() < 0.7
        path = chance.choice([each for each in paths if (each.name == "zarr.json") == metadata])
        if not path.is_file() or path.is_symlink() or path.stat().st_size > 2**20:
            continue
        if metadata:
            _replaced(chance, path, partial(_json_file, chance, path))
        else:
            _replaced(chance, path, partial(changed_bytes, chance, path.read_bytes()))
        _agree(chance, folder, path)


def _use_arrays(chance: random.Random, folder: Path) -> None:
    _through_doors(chance, folder, ("open", "check", "info", "view"))


def _through_doors(chance: random.Random, folder: Path, doors: tuple[str, ...]) -> None:
    """Go through some of the doors; each may refuse, none may break."""
    _through([partial(_enter, door, folder) for door in chance.sample(doors, 2)])


def _through(doors: list[Callable[[], object]]) -> None:
    refusal: AxonflowError | None = None
    for door in doors:
        try:
            door()
        except AxonflowError as error:
            refusal = error
    if refusal is not None:
        raise refusal


def _enter(door: str, folder: Path) -> None:
    store = _store(folder)
    match door:
        case "open":
            _open(store)
        case "check":
            from axonflow.results.check import check, rests_on

            for damage in check(store).proof.damages:
                rests_on(damage)
        case "run":
            _run(folder)
        case "export":
            _door("export", store, "--format", "geojson", "--out", folder / "out.geojson")
        case "view":
            from axonflow.results.viewer.scene import Scene

            scene = Scene(_opened(store))
            _through([lambda: scene.window, lambda: scene.legend, lambda: scene.fibers])
        case _:
            _door(door, store)


def _opened(store: Path) -> Any:
    from axonflow.results.analysis import open_store

    return open_store(store)


def _open(store: Path) -> None:
    analysis = _opened(store)
    parts: list[Callable[[], object]] = [
        lambda: analysis.summary,
        lambda: analysis.warnings,
        lambda: analysis.classes,
        lambda: analysis.fibers,
        lambda: analysis.regions,
        lambda: analysis.axon_count,
        lambda: analysis.image.compute(scheduler="synchronous"),
        lambda: [each.compute(scheduler="synchronous") for each in analysis.labels.values()],
    ]
    _through(parts)


def _door(*words: object) -> None:
    """Give a command; what it refuses is raised."""
    from typer.testing import CliRunner

    from axonflow.cli import app

    result = CliRunner().invoke(app, [str(word) for word in words])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    if result.exit_code:
        raise AxonflowError(result.stderr.strip().removeprefix("axonflow: "))


def _run(folder: Path) -> None:
    """Run; what is refused must not be called complete afterwards, unless it was a finished store that is as it was."""
    from axonflow.api import run

    run(
        folder / "slide.tif",
        _store(folder),
        labels=folder / "labels.png",
        regions=folder / "tracts.geojson",
        cell=2.0,
        workers=1,
    )


# Whole runs


def _change_run(chance: random.Random, folder: Path) -> None:
    shutil.rmtree(_store(folder))
    match chance.randrange(3):
        case 0:
            path = folder / "slide.tif"
            path.write_bytes(changed_tiff(chance, path.read_bytes()))
        case 1:
            path = folder / "labels.png"
            path.write_bytes(changed_png(chance, path.read_bytes()))
        case _:
            _change_geojson(chance, folder)


def _use_run(_chance: random.Random, folder: Path) -> None:
    try:
        _run(folder)
    except BaseException:
        record = _store(folder) / "run.json"
        if record.exists() and json.loads(record.read_bytes())["complete"]:
            raise ClaimError("the store says that it is complete") from None
        raise
    from axonflow.results.check import check

    if not check(_store(folder)).sound:
        raise ClaimError("a run ended, and its store is not sound")


def _change_toml(chance: random.Random, content: bytes) -> bytes:
    return changed_toml(chance, content.decode())


KINDS = (
    Kind("TIFF", 20, _make_tiffs, _change_one(changed_tiff), _use_slide, single=True),
    Kind("OME-XML", 12, _make_ome, _change_ome, _use_ome, single=True),
    Kind("OME-Zarr", 12, _make_zarrs, _change_zarr, _use_slide, single=True),
    Kind("GeoJSON", 14, _make_geojson, _change_geojson, _use_geojson),
    Kind("masks", 12, _make_masks, _change_one(_change_mask), _use_mask, single=True),
    Kind("profiles", 8, _make_profiles, _change_one(_change_toml), _use_profile, single=True),
    Kind("pipelines", 7, _make_pipelines, _change_one(_change_toml), _use_pipeline, single=True),
    Kind("manifests", 9, _make_manifest, _change_manifest, _use_manifest),
    Kind("contracts", 9, _make_model, _change_contract, _use_contract),
    Kind("weights", 3, _make_model, _change_weights, _use_weights),
    Kind("journals", 5, _make_store, _change_journal, _use_journal),
    Kind("run records", 3, _make_store, _change_record, _use_record),
    Kind("status, jobs", 3, _make_store, _change_private, _use_private),
    Kind("Parquet", 3, _make_store, _change_table, _use_table),
    Kind("stores' arrays", 3, _make_store, _change_arrays, _use_arrays),
    Kind("whole runs", 2, _make_store, _change_run, _use_run),
)
