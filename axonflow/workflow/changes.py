"""What a finished store was made with and is no more so, so that its results are about to be replaced."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from axonflow.errors import StoreError
from axonflow.kernel.setting import settings
from axonflow.kernel.units import PixelSize
from axonflow.stages.segmentation import Masks, Network
from axonflow.workflow.config import Config
from axonflow.workflow.record import read_record

__all__ = ["changes_since"]


def changes_since(store: Path, config: Config, pixel_size: PixelSize, segmentation: Network | Masks) -> list[str]:
    """Say what differs, as it was and as it is; nothing of a store that is not finished.

    Parameters
    ----------
    store : Path
    config : Config
        That it is run with now.
    pixel_size : PixelSize
        Of the slide, as it is now.
    segmentation : Network or Masks
        Likewise: a network of the same name may have other weights than it had, as after an update.
    """
    try:
        record = read_record(store)
    except StoreError:
        return []
    if not record["complete"]:
        return []
    size = PixelSize(*record["slide"]["pixel_size_um"])
    changes = [] if size == pixel_size else [f"a pixel size of {size}, now {pixel_size}"]
    was = record["model"]
    if isinstance(segmentation, Network) and was.get("name") == segmentation.checkpoint.name:
        weights = was["sha256"], segmentation.checkpoint.sha256
        if weights[0] != weights[1]:
            changes.append("other weights of {} (sha256 {:.12}…, now {:.12}…)".format(was["name"], *weights))
        integers = was.get("integers"), segmentation.checkpoint.integers
        if integers[0] and segmentation.precision == "int8" and integers[0] != integers[1]:
            changes.append("other whole numbers of {} (sha256 {:.12}…, now {:.12}…)".format(was["name"], *integers))
    kept, given = record["config"], config.to_json()
    for name, known in settings(Config).items():
        if name == "precision" and isinstance(segmentation, Network) and was.get("precision") == segmentation.precision:
            continue  # however it was asked for
        if known.flag and name != "pixel_size" and name in kept | given and kept.get(name) != given.get(name):
            changes.append(f"{known.flag} {_said(kept.get(name))}, now {_said(given.get(name))}")
    return changes


def _said(value: Any) -> str:
    if value is None:
        return "unset"
    return f"{value:g}" if isinstance(value, float) else str(value)
