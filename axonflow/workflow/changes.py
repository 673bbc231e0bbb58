"""Which settings of a finished store are others now, so that its results are about to be replaced."""

from __future__ import annotations

from pathlib import Path

from axonflow.errors import StoreError
from axonflow.kernel.setting import settings
from axonflow.kernel.units import PixelSize
from axonflow.workflow.config import Config
from axonflow.workflow.record import read_record

__all__ = ["changed_settings"]


def changed_settings(store: Path, config: Config, pixel_size: PixelSize) -> list[str]:
    """Say each setting that differs, as it was and as it is; none of a store that is not finished.

    Parameters
    ----------
    store : Path
    config : Config
        That it is run with now.
    pixel_size : PixelSize
        Of the slide, as it is now.
    """
    try:
        record = read_record(store)
    except StoreError:
        return []
    if not record["complete"]:
        return []
    size = PixelSize(*record["slide"]["pixel_size_um"])
    changes = [] if size == pixel_size else [f"a pixel size of {size}, now {pixel_size}"]
    kept, given = record["config"], config.to_json()
    for name, known in settings(Config).items():
        if known.flag and name != "pixel_size" and name in kept | given and kept.get(name) != given.get(name):
            was, is_now = ("unset" if value is None else value for value in (kept.get(name), given.get(name)))
            changes.append(f"{known.flag} {was}, now {is_now}")
    return changes
