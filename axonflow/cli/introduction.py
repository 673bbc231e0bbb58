"""The first lines of a run and of its plan: which slide, what finds axons and myelin in it, at which pixel size."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from axonflow.cli.options import settings_of
from axonflow.cli.terminal import say, warn
from axonflow.kernel.words import listed

if TYPE_CHECKING:
    from axonflow.workflow.config import Config
    from axonflow.workflow.job import Job

__all__ = ["config_of", "found_by", "introduce"]


def config_of(path: Path, given: dict[str, Any]) -> Config:
    """Build the settings from a slide and flags, or from a store's record and the flags that change it."""
    from axonflow.workflow.settings import configure

    return configure(path, settings_of(given))


def introduce(job: Job) -> None:
    """Print what is about to be analysed."""
    h, w = job.slide.shape
    say(f"slide   {h:,} × {w:,} px at {job.layout.native.pixel_size}")
    if job.slide.bar is not None:
        what = "kept" if job.config.keep_bar else "left out; --keep-bar keeps it"
        say(f"info bar {job.slide.bar}: {what}")
    say(found_by(job))
    from axonflow.workflow.sense import judge

    # Few cells are no reason to stop: that is said at the end, beside the maps.
    warn(given for given in judge(job.known) if given.id != "few-cells")


def found_by(job: Job) -> str:
    """Return the line that says what finds axons and myelin."""
    from axonflow.stages.segmentation import Masks

    if isinstance(job.segmentation, Masks):
        return f"masks   {listed(*(mask.image.path for mask in job.segmentation.images))}; no network"
    checkpoint, (h, w) = job.segmentation.checkpoint, job.layout.work.shape
    why = f", chosen by the slide's pixel size of {job.slide.pixel_size}; --model takes another" * job.chosen
    resampled = f" (the slide is resampled to it: {h:,} × {w:,} px)" if job.layout.resamples else " (the slide's own)"
    if checkpoint.plan is not None:
        return f"model   {checkpoint.name} of nnU-Net at {job.layout.work.pixel_size} per pixel{resampled}{why}"
    greys = "dark" if checkpoint.invert else "bright"
    adapted = ", adapted to the slide" * job.segmentation.adapted
    at = f"at {job.layout.work.pixel_size} per pixel{resampled}"
    return f"model   {checkpoint.name} {at}, for {greys} myelin{adapted}, in {job.segmentation.precision}{why}"
