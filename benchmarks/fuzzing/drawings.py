"""What a person draws: GeoJSON, and images of masks and labels."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Literal

import numpy as np
import tifffile
from PIL import Image

from axonflow.kernel.grid import Box
from axonflow.kernel.units import PixelSize
from benchmarks.fuzzing.containers import changed_png, changed_tiff
from benchmarks.fuzzing.kind import Kind, change_one, changed_json_file, only_one, replaced
from benchmarks.fuzzing.pictures import SIDE, tissue
from benchmarks.fuzzing.values import changed_bytes

__all__ = ["KINDS", "change_geojson", "make_geojson"]


def make_geojson(folder: Path) -> None:
    """Write outlines of all forms."""
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


def change_geojson(chance: random.Random, folder: Path) -> None:
    """Change them."""
    path = folder / "tracts.geojson"
    replaced(chance, path, lambda: changed_json_file(chance, path))


def _use_geojson(chance: random.Random, folder: Path) -> None:
    from axonflow.stages.annotation import open_annotation, open_regions
    from axonflow.stages.layout import Frame

    frame = Frame((SIDE, SIDE), PixelSize(0.1, 0.1))
    whole = Box(0, 0, SIDE, SIDE)
    path = folder / "tracts.geojson"
    open_annotation(path, "px", frame, frame).cover(whole)
    open_regions(path, "um" if chance.random() < 0.2 else "px", frame, frame).label(whole)


def _make_rois(folder: Path) -> None:
    import roifile

    corners = np.array([(5, 5), (40, 6), (38, 50)])
    kinds = roifile.ROI_TYPE
    whole = roifile.ImagejRoi.frompoints(corners, name="axon 1")
    exact = roifile.ImagejRoi.frompoints(corners + 0.25, name="fiber 1")
    oval = roifile.ImagejRoi(roitype=kinds.OVAL, left=3, top=4, right=30, bottom=50, name="axon 2")
    several = roifile.ImagejRoi(roitype=kinds.RECT, left=5, top=5, right=40, bottom=50, name="axon 3")
    several.multi_coordinates = np.array([0, 5, 5, 1, 40, 6, 1, 38, 50, 4, 0, 9, 9, 1, 20, 9, 1, 20, 20, 4], np.float32)
    several.shape_roi_size = len(several.multi_coordinates)
    roifile.roiwrite(folder / "rois.zip", [whole, exact, oval, several], mode="w")
    (folder / "one.roi").write_bytes(exact.tobytes())
    (folder / "several.roi").write_bytes(several.tobytes())


def _use_outlines(chance: random.Random, folder: Path) -> None:
    from axonflow.stages.drawn_masks import open_drawn

    unit: Literal["px", "um"] = "um" if chance.random() < 0.2 else "px"
    path = only_one(folder)
    mask = open_drawn(path, "myelin" if path.name == "one.roi" else "axon", unit, (SIDE, SIDE), PixelSize(0.5, 0.5))
    mask.drawn(Box(0, 0, SIDE, SIDE))


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

    image = open_stored(only_one(folder))
    h, w = image.shape
    box = Box(0, 0, min(h, SIDE), min(w, SIDE))
    if chance.random() < 0.5:
        open_labels(image, AXON_MYELIN).read(box)
    else:
        open_mask(image).drawn(box)


KINDS = (
    Kind("GeoJSON", 14, make_geojson, change_geojson, _use_geojson),
    Kind("outlines", 6, make_geojson, change_geojson, _use_outlines, single=True),
    Kind("ROIs", 8, _make_rois, change_one(changed_bytes), _use_outlines, single=True),
    Kind("masks", 12, _make_masks, change_one(_change_mask), _use_mask, single=True),
)
