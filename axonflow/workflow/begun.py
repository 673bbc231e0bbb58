"""What a store that is there already decides for a run that goes on with it: its masks, precision and chunks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from axonflow.errors import StoreError
from axonflow.net.checkpoint import Precision
from axonflow.stages.segmentation import Masks, Network, NnUNet
from axonflow.workflow.config import Config
from axonflow.workflow.record import read_record

__all__ = ["masks_of", "precision_of", "with_chunk_of_store"]


def masks_of(store: Path) -> list[str]:
    """Return the masks that a store was made of; none if it was made by a network, or there is none."""
    try:
        return [mask["path"] for mask in read_record(store)["model"].get("masks", [])]
    except StoreError:
        return []


def precision_of(store: Path) -> Precision | None:
    """Return the precision in which a store's labels were made, if a network made them."""
    try:
        made: Precision | None = read_record(store)["model"].get("precision")
    except StoreError:
        return None
    return made


def with_chunk_of_store(config: Config, segmentation: Network | Masks) -> Config:
    """Return settings with the chunk that a store was made with, unless one is given or its labels come of others.

    It decides no result, and another would have all of it computed again.
    """
    try:
        record = read_record(config.out)
    except StoreError:
        return config
    chunk, weights = record["config"].get("chunk"), record["model"].get("sha256")
    if config.chunk is not None or chunk is None:
        return config
    if isinstance(segmentation, Network):
        model = segmentation.checkpoint
        fits = chunk >= segmentation.halo and not chunk % model.lattice_px
        kept = weights == model.sha256 and (fits or isinstance(segmentation, NnUNet))
    else:
        kept = weights is None
    return replace(config, chunk=chunk) if kept else config
