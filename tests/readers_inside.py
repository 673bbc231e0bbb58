"""Runs in the environment of ``scripts/readers``: other programs' readers open a store, and it says what they see.

    python readers_inside.py STORE SPATIALDATA PAGE OUT

PAGE is the documentation whose example for napari is run. OUT is a folder for what they see: ``seen.json``, and tables.
"""

from __future__ import annotations

import json
import os
import re
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np

warnings.simplefilter("ignore")


def layers_of(viewer: Any) -> dict[str, Any]:
    """Return by name what a viewer of napari shows."""
    seen = {}
    for layer in viewer.layers:
        bottom = np.asarray(layer.data[0] if layer.multiscale else layer.data)
        found = {
            "kind": type(layer).__name__,
            "sum": int(bottom.astype(np.int64).sum()),
            "levels": len(layer.data) if layer.multiscale else 1,
            "scale": [float(side) for side in layer.scale],
            "translate": [float(side) for side in layer.translate],
            "units": [str(unit) for unit in layer.units],
        }
        if found["kind"] == "Labels":
            ids = np.unique(bottom)
            found["colours"] = np.asarray(layer.colormap.map(ids)).tolist()
            found["features"] = sorted(layer.features)
        else:
            found["limits"] = [float(limit) for limit in layer.contrast_limits]
        seen[layer.name] = found
    return seen


def by_napari(store: Path) -> dict[str, Any]:
    from napari.components import ViewerModel
    from napari_ome_zarr import napari_get_reader

    viewer = ViewerModel()
    read = napari_get_reader(str(store))
    assert read is not None
    for data, given, kind in read():
        getattr(viewer, f"add_{kind}")(data, **given)
    return layers_of(viewer)


def by_the_example(store: Path, page: Path) -> dict[str, Any]:
    import napari
    from napari.components import ViewerModel

    napari.Viewer, napari.run = ViewerModel, lambda: None  # no window
    os.chdir(store.parent)
    blocks = re.findall(r"^```python\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)
    names: dict[str, Any] = {}
    exec(next(block for block in blocks if "import napari" in block), names)
    return layers_of(names["viewer"])


def by_ngio(store: Path, out: Path) -> dict[str, Any]:
    import ngio

    container = ngio.open_ome_zarr_container(store, mode="r")
    tables = {name: container.get_table(name) for name in container.list_tables()}
    for name, table in tables.items():
        table.dataframe.reset_index().to_pickle(out / f"ngio-{name}.pkl")
    labels = container.get_label("axons")
    return {
        "labels": sorted(container.list_labels()),
        "tables": {name: type(table).__name__ for name, table in tables.items()},
        "of": tables["fibers"].reference_label,
        "pixel_um": [labels.pixel_size.y, labels.pixel_size.x],
        "sum": int(labels.get_as_numpy().astype(np.int64).sum()),
    }


def by_spatialdata(store: Path, out: Path) -> dict[str, Any]:
    import spatialdata

    data = spatialdata.read_zarr(store)
    found: dict[str, Any] = {"elements": sorted(name for _, name, _ in data.gen_elements())}
    found["extents"] = {}
    for name in ("slide", *data.labels):
        extent = spatialdata.get_extent(data[name])
        found["extents"][name] = [float(side) for axis in "yx" for side in extent[axis]]
    ids, table = spatialdata.join_spatialelement_table(
        sdata=data, spatial_element_names="axons", table_name="morphometrics", how="left"
    )
    assert ids is not None
    found["annotated"] = table.n_obs
    bottom = data.labels["axons"]
    pixels = bottom["scale0"]["image"] if hasattr(bottom, "children") and bottom.children else bottom
    found["ids"] = np.unique(np.asarray(pixels)).tolist()
    table = data.tables["morphometrics"]
    table.to_df().assign(axon_id=table.obs["axon_id"].to_numpy()).to_pickle(out / "spatialdata.pkl")
    return found


if __name__ == "__main__":
    store, spatial, page, out = map(Path, sys.argv[1:])
    seen = {
        "napari": by_napari(store),
        "example": by_the_example(store, page),
        "ngio": by_ngio(store, out),
        "spatialdata": by_spatialdata(spatial, out),
    }
    (out / "seen.json").write_text(json.dumps(seen))
