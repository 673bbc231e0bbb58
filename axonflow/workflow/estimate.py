"""How long a run will take: one window of the network, and the other stages on a corner of the slide, scaled up.

Each is done twice, as the first time pays for loading and compiling. The network is loaded only where it is going to be
needed, and labels are drawn in its place for the stages after it, so that this takes no longer than a small slide does.
"""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image

from axonflow.engine.journal import Journal
from axonflow.engine.stage import Stage
from axonflow.kernel.classes import AXON_MYELIN
from axonflow.kernel.grid import Box
from axonflow.kernel.units import PixelSize
from axonflow.net.lattice import Lattice
from axonflow.net.nnunet.cost import flops
from axonflow.net.nnunet.windows import Windows
from axonflow.slide import open_stored
from axonflow.stages.adapted import WINDOWS
from axonflow.stages.labels import open_labels
from axonflow.stages.segment_mended import FIRST
from axonflow.stages.segment_nnunet import grid_of, windows_of
from axonflow.stages.segmentation import Masks, Network, NnUNet
from axonflow.workflow.job import Job, declare_job
from axonflow.workflow.sources import cut_masks

__all__ = ["estimate_seconds", "windows_of_nnunet"]

_CORNER_PX = 1024
_FIBER_UM = 5.0
"""From the centre of a fiber to that of the next in what is drawn: some 40,000 axons per mm²."""

_SEAM_WINDOWS = 4.25
"""Windows' worth of a sampled seam: two, and one with an exact halo, which is as large as two and a quarter."""

_FIRST_WINDOWS = 1.04
"""Windows' worth of one that also predicts what lies just beyond its core."""

_MENDED_WINDOWS = 0.25
"""Windows' worth of what is computed again for each core, if as many seams show as on images of rat cord: of the two
that a core has, 17 % each, and 0.7 windows' worth beside each."""

_ADAPT_WINDOWS = 1.6 * WINDOWS
"""Windows' worth of the slide's own statistics: nothing of a window is left out, and its activations are added up."""

_AT_ONCE = 8
"""Windows of nnU-Net that are tried on a GPU: enough to fill a batch."""

_ON_GPU = 4
"""Sides of the lattice that is tried on a GPU, in cores: enough to fill its batches."""


def estimate_seconds(job: Job, journal: Journal, workers: int) -> float:
    """Estimate the time of what is left of a run, s.

    Parameters
    ----------
    job : Job
    journal : Journal
        What is done.
    workers : int
        Among whom all is shared but the network, as one window uses all cpus.
    """
    left = {stage.name: _missing(stage, journal) for stage in job.stages}
    if not any(left.values()):
        return 0.0
    per_px = _corner(job)
    window = 0.0
    shared = alone = 0.0
    for stage in job.stages:
        boxes = left[stage.name]
        pixels = sum(box.size for box in boxes)
        rate = per_px.get(stage.name, per_px.get(stage.group, 0.0))
        if isinstance(job.segmentation, NnUNet) and stage.accelerated and boxes:
            window = window or _window_of_nnunet(job.segmentation)
            alone += window * _windows(job, stage.name, boxes)
        elif isinstance(job.segmentation, Network) and stage.accelerated and boxes:
            window = window or _window(job.segmentation)
            core = job.segmentation.checkpoint.lattice_px
            cores = sum(-(-box.shape[0] // core) * -(-box.shape[1] // core) for box in boxes)
            mended = job.segmentation.mended_from is not None
            alone += window * {
                "segment": _MENDED_WINDOWS * cores if mended else cores,
                FIRST: _FIRST_WINDOWS * cores,
                "segment.adapt": _ADAPT_WINDOWS,
            }.get(stage.name, _SEAM_WINDOWS * len(boxes))
        elif stage.group == "resample":  # it reads the slide once more
            native, work = job.layout.native.shape, job.layout.work.shape
            rate = per_px["convert"] * (native[0] * native[1]) / (work[0] * work[1])
        if stage.name not in {"segment.adapt", "segment.seams", "segment.fast"}:
            shared += pixels * rate
    return alone + shared / workers


def windows_of_nnunet(job: Job) -> str:
    """Say how many windows a network of nnU-Net computes, how many of them twice, and what that costs; empty of others.

    Of a slide with black margins it will be fewer.
    """
    network, layout = job.segmentation, job.layout
    if not isinstance(network, NnUNet):
        return ""
    windows = windows_of(layout, network.plan)
    computed = windows.count(grid_of(layout))
    h, w = layout.work.shape
    mflop = computed * flops(network.plan, len(network.classes)) / (h * w) / 1e6
    again = f", {computed / len(windows) - 1:.0%} more than there are, at the edges of shards" * (
        computed > len(windows)
    )
    sides = " × ".join(f"{side:,}" for side in network.plan.patch)
    return f"windows {computed:,} of {sides} px{again}; {mflop:,.3g} million operations per pixel"


def _missing(stage: Stage, journal: Journal) -> list[Box]:
    record = journal.record(stage)
    return [] if record.complete else [box for i in record.missing() for box in stage.batches[i]]


def _corner(job: Job) -> dict[str, float]:
    """Return the seconds per pixel of each stage but the network, by its name, from a corner of the slide."""
    from axonflow.engine.pool import LocalPool
    from axonflow.engine.runner import run_stages

    side = min(_CORNER_PX, *job.slide.shape)
    corner = replace(job.slide, shape=(side, side), pixel_size=job.layout.work.pixel_size)
    found: dict[str, float] = {}
    with TemporaryDirectory() as folder:
        masks = job.segmentation
        drawn = Path(folder) / "drawn.png"
        if isinstance(masks, Masks):
            masks = cut_masks(masks, (side, side))
        else:
            _draw(drawn, side, job.layout.work.pixel_size)
            masks = Masks((open_labels(open_stored(drawn), AXON_MYELIN),))
        for k in range(2):
            config = replace(job.config, out=Path(folder) / f"{k}", mask=None, regions=None)
            trial = declare_job(config, corner, masks)
            trial.layout.private.mkdir(parents=True)
            run_stages(trial.stages, trial.journal, LocalPool())
            found = {
                stage.name: trial.journal.record(stage).summary["seconds"] / stage.pixels
                for stage in trial.stages
                if stage.pixels
            }
    return found


def _draw(path: Path, side: int, pixel_size: PixelSize) -> None:
    """Draw labels of fibers side by side."""
    y, x = (np.arange(side) * um % _FIBER_UM - _FIBER_UM / 2 for um in (pixel_size.y, pixel_size.x))
    away = np.hypot(y[:, None], x) / _FIBER_UM
    classes = np.where(away < 0.25, AXON_MYELIN.axon, np.where(away < 0.4, AXON_MYELIN.myelin, 0))
    Image.fromarray(AXON_MYELIN.greys[classes].astype(np.uint8)).save(path)


def _windows(job: Job, stage: str, boxes: list[Box]) -> float:
    """Return how many windows of a run a stage of it computes, by what they cost."""
    network = job.segmentation
    assert isinstance(network, NnUNet)
    if stage == "segment":
        return windows_of(job.layout, network.plan).count(boxes)
    dearer = 2.0 ** (len(network.exact.mirrors) - len(network.plan.mirrors))
    return dearer * windows_of(job.layout, network.exact).count(boxes)


def _window_of_nnunet(network: NnUNet) -> float:
    """Return the seconds of one window with all its mirror images and folds, if all cpus compute some."""
    from axonflow.engine.cpus import cpus
    from axonflow.net.device import computing_device, cores_used
    from axonflow.net.nnunet.loaded import load
    from axonflow.net.nnunet.predict import NnUNetPredictor

    plan, side_by_side = network.plan, cpus() if computing_device().free is None else _AT_ONCE
    shape = (plan.patch[0], side_by_side * plan.patch[1])
    whole = Box.whole(shape)
    predictor = NnUNetPredictor(
        partial(load, network.checkpoint, network.precision),
        Windows(whole, plan.patch, 1.0),
        (),
        len(network.classes),
        len(plan.channels),
        lambda pixels: np.zeros((len(plan.channels), *pixels.shape), np.float32),
        cores_used() if computing_device().free is None else 1,
    )
    began = 0.0
    for _ in range(2):
        began = time.perf_counter()
        predictor.scores(np.zeros(shape, np.uint8), whole, whole)
    return (time.perf_counter() - began) / side_by_side * 2.0 ** len(plan.mirrors)


def _window(network: Network) -> float:
    """Return the seconds of one window."""
    from axonflow.net.device import computing_device
    from axonflow.net.predict import Predictor

    checkpoint = network.checkpoint
    device = computing_device()
    across = 1 if device.free is None else _ON_GPU
    side = across * checkpoint.lattice_px
    lattice = Lattice((side, side), checkpoint.lattice_px, network.halo, checkpoint.shape.stride)
    predictor = Predictor(checkpoint, lattice, network.precision, device)
    whole, pixels, table = Box.whole((side, side)), np.zeros((side, side), np.uint8), np.zeros(2**16, np.float32)
    began = 0.0
    for _ in range(2):
        began = time.perf_counter()
        predictor.predict(pixels, whole, whole, table)
    return (time.perf_counter() - began) / across**2
