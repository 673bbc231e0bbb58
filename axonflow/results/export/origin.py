"""What an exported file says of where it comes from: slide, model or masks, versions."""

from __future__ import annotations

import json

from axonflow.results.analysis import Analysis

__all__ = ["origin"]


def origin(analysis: Analysis) -> dict[str, str]:
    """Return it as texts by names that any format can hold as attributes."""
    record = analysis.record
    slide, model = record["slide"], record["model"]
    found = {
        "source": f"axonflow {record['versions'].get('axonflow-histology') or 'of an unknown version'}",
        "slide": slide["path"],
        "slide_identity": slide["identity"],
        "slide_shape_px": " ".join(map(str, slide["shape"])),
        "slide_pixel_size_um": " ".join(f"{side:.10g}" for side in slide["pixel_size_um"]),
        "labels_pixel_size_um": " ".join(f"{side:.10g}" for side in record["labels"]["pixel_size_um"]),
    }
    if "masks" in model:
        found["masks"] = " ".join(mask["path"] for mask in model["masks"])
        found["masks_identity"] = " ".join(mask["identity"] for mask in model["masks"])
    else:
        found["model"] = model["name"]
        found["model_sha256"] = model.get("sha256", "")
    config = record["config"]
    found["cell_um"] = f"{config['cell_um']:g}"
    found["rules"] = json.dumps(record.get("rules", {}))
    found |= {name: str(config[name]) for name in ("mask", "regions") if config.get(name)}
    return found | {f"version_{name}": said for name, said in record["versions"].items() if said}
