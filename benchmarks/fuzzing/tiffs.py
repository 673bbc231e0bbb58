"""TIFF, and the OME-XML in it."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import tifffile

from benchmarks.fuzzing.containers import changed_tiff
from benchmarks.fuzzing.kind import Kind, change_one
from benchmarks.fuzzing.pictures import SCALE, open_slide_at, picture
from benchmarks.fuzzing.values import changed_xml

__all__ = ["KINDS"]


def _make_tiffs(folder: Path) -> None:
    grey = picture()
    tifffile.imwrite(folder / "tiled.tif", grey, tile=(32, 32), compression="zlib", **SCALE)
    tifffile.imwrite(folder / "strips.tif", grey, rowsperstrip=16, compression="lzw", **SCALE)
    tifffile.imwrite(folder / "plain.tif", grey.astype(np.uint16) * 200, **SCALE)
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
        out.write(grey, tile=(32, 32), subifds=1, **SCALE)
        out.write(grey[::2, ::2], tile=(32, 32), subfiletype=1)


def _make_ome(folder: Path) -> None:
    grey = picture()
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
    open_slide_at(chance, folder)


KINDS = (
    Kind("TIFF", 20, _make_tiffs, change_one(changed_tiff), open_slide_at, single=True),
    Kind("OME-XML", 12, _make_ome, _change_ome, _use_ome, single=True),
)
