"""The network over the lattice of windows → semantic labels; how sure it was, and how far neighbours disagree.

A pixel passes to the task that writes it as planes of a byte: its grey, its class, the network's confidence, and the
probabilities if they are kept.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from axonflow.engine.cpus import cores_of_a_task, tasks_side_by_side
from axonflow.engine.stage import Overlap, Result, Stage
from axonflow.kernel.classes import AXON_MYELIN, Classes
from axonflow.kernel.compiled import COMPILED_BYTES
from axonflow.kernel.grid import Box, Grid
from axonflow.net.checkpoint import Precision
from axonflow.net.lattice import Lattice
from axonflow.ngff.plane import Plane
from axonflow.stages.layout import Layout
from axonflow.stages.levels import levels
from axonflow.stages.normalised import normalisation_of, statistics_of
from axonflow.stages.predicted import CLASS, GREY, Outputs, outputs_of
from axonflow.stages.probability import keep_sums, summed
from axonflow.stages.seam_sample import SeamSample
from axonflow.stages.segmentation import Network

if TYPE_CHECKING:
    from axonflow.net.predict import Predictor

__all__ = [
    "EXACT_WINDOW_BYTES",
    "NETWORK_BYTES",
    "WINDOW_BYTES",
    "device_of",
    "load_predictor",
    "measure_seams",
    "parameters_of",
    "predictor_of",
    "segment",
]

NETWORK_BYTES = 255 * 2**20
"""What torch and the weights take; measured."""

WINDOW_BYTES = 140 * 2**20
"""What the feature maps of one window of 576 px take; measured."""

EXACT_WINDOW_BYTES = 180 * 2**20
"""The same with a window of 864 px."""


def segment(layout: Layout, network: Network, after: tuple[Stage, ...]) -> tuple[Stage, ...]:
    """Declare the segmentation by a network.

    Parameters
    ----------
    layout : Layout
    network : Network
    after : tuple of Stage
        Those that write the network's input, count the greys, and measure the slide's own statistics if it is adapted.
    """
    checkpoint, halo = network.checkpoint, network.halo
    lattice = Lattice(layout.work.shape, checkpoint.lattice_px, halo, checkpoint.shape.stride)
    sample = SeamSample(lattice)
    # Overlapping reads want every core to be at least as wide as the halo.
    grid = Grid(layout.work.shape, (layout.chunk, layout.chunk), smallest=halo)
    outputs = outputs_of(layout, keep_probabilities=network.keep_probabilities)
    planes = outputs.planes
    parameters = parameters_of(layout, network)
    largest = max(box.grow(halo, layout.work.shape).size for box in grid)
    first = Stage(
        name="segment",
        revision=3,
        parameters=parameters | {"keep_probabilities": network.keep_probabilities} | summed(layout),
        after=after,
        shape=layout.work.shape,
        batches=tuple(grid.batches(2)),
        task=outputs.write,
        prepare=outputs.create,
        finish=partial(keep_sums, layout),
        overlap=Overlap(
            source=partial(Plane, layout.input),
            depth=halo,
            planes=planes,
            dtype="uint8",
            apply=partial(_predict, layout, network, sample, planes),
            device=device_of,
        ),
        accelerated=True,
        resident={"network": NETWORK_BYTES, "compiled": COMPILED_BYTES},
        memory=WINDOW_BYTES + largest * (2 * np.dtype(layout.dtype).itemsize + 5 + planes),
        disk=outputs.disk,
        rehearse=partial(_rehearse, network.precision, outputs),
    )
    pyramids = [stage for output in outputs.images.values() for stage in levels(output, output.path.name, first)]
    return (first, *pyramids, measure_seams(layout, network, sample, parameters, after))


def parameters_of(layout: Layout, network: Network) -> dict[str, Any]:
    """Return what decides the labels that windows of a network give, as a stage names it in its key."""
    checkpoint = network.checkpoint
    parameters: dict[str, Any] = {"model": checkpoint.sha256, "invert": checkpoint.invert}
    parameters |= {"precision": network.precision, "halo": network.halo, "lattice": checkpoint.lattice_px}
    if network.precision == "int8":
        parameters["integers"] = checkpoint.integers
    if layout.classes != AXON_MYELIN:  # no other list was known before: stores of that time go on
        parameters["classes"] = _told_apart(layout.classes)
    return parameters


def load_predictor(precision: Precision) -> None:
    """Load what predicts, and compile its loops."""
    import axonflow.net.predict  # noqa: F401  # torch, a second
    from axonflow.net.loaded import compile_loops

    compile_loops(precision)


def _rehearse(precision: Precision, outputs: Outputs) -> None:
    load_predictor(precision)
    outputs.rehearse()


def device_of() -> str:
    """Return what computes, for the record."""
    from axonflow.net.device import device_name

    return device_name()


def measure_seams(
    layout: Layout, network: Network, sample: SeamSample, parameters: dict[str, Any], after: tuple[Stage, ...]
) -> Stage:
    """Declare the measurement of how far windows disagree, on a sample of the lattice's seams.

    Parameters
    ----------
    layout : Layout
    network : Network
    sample : SeamSample
        Of the lattice of the windows that are compared.
    parameters : dict
        What decides their labels.
    after : tuple of Stage
        Those that the stage reads: of a run that mends labels the one that writes these, too.
    """
    return Stage(
        name="segment.seams",
        revision=1,
        parameters=parameters,
        after=after,
        shape=sample.lattice.shape,
        batches=tuple((pair,) for pair in sample.pairs),
        task=partial(_disagreement, layout, network, sample),
        finish=_note_seams,
        accelerated=True,
        resident={"network": NETWORK_BYTES, "compiled": COMPILED_BYTES},
        memory=EXACT_WINDOW_BYTES,
    )


def _predict(
    layout: Layout, network: Network, sample: SeamSample, planes: int, pixels: NDArray[Any], box: Box
) -> NDArray[np.uint8]:
    lattice = sample.lattice
    have = box.grow(lattice.halo, lattice.shape)
    codes, table, grey = normalisation_of(layout, network)
    out = np.empty((planes, *box.shape), np.uint8)
    out[GREY] = grey[codes(pixels[box.relative_to(have).slices])]
    predictor = predictor_of(layout, network, lattice)
    # On a GPU what is wanted of a window may decide which kernels run: there all windows are asked for the same.
    parts = sample.parts if predictor.device.where.type == "cpu" else {}
    cores, seen, count = list(lattice.cores(box)), (pixels, have), planes - CLASS

    def take(core: Box, made: NDArray[np.uint8]) -> None:
        out[CLASS:, *core.relative_to(box).slices] = made

    for core in (core for core in cores if core in parts):
        made = predictor.planes(core, parts[core], *seen, table, count)
        take(core, made[:, *core.relative_to(parts[core]).slices])
        sample.keep(core, made[0][sample.strips[core].relative_to(parts[core]).slices])
    others = predictor.groups([core for core in cores if core not in parts], *seen)
    predictor.each(others, lambda _: seen, table, count, take)
    return out


def predictor_of(layout: Layout, network: Network, lattice: Lattice) -> Predictor:
    """Return the network at work on a slide, over the windows of a lattice."""
    from axonflow.net.predict import Predictor  # torch is loaded where it is used

    cores = cores_of_a_task if tasks_side_by_side() > 1 else None
    codes, statistics = normalisation_of(layout, network).codes, statistics_of(layout, network)
    return Predictor(network.checkpoint, lattice, network.precision, codes=codes, statistics=statistics, cores=cores)


def _told_apart(classes: Classes) -> list[dict[str, Any]]:
    """Return the classes as a key names them: which of the others are axons without myelin is a matter of labelling.

    There was no such role once, and the labels of stores of that time are the same.
    """
    return [each | ({"role": "other"} if each["role"] == "unmyelinated" else {}) for each in classes.to_json()]


def _disagreement(layout: Layout, network: Network, sample: SeamSample, pair: Box) -> Result:
    """Compare two neighbours beside their seam, and the labels of one of them with what an exact halo gives."""
    lattice = sample.lattice
    exact = Lattice(lattice.shape, lattice.core, network.checkpoint.shape.radius, lattice.stride)
    have = pair.grow(exact.halo, lattice.shape)
    pixels, table = layout.input.read(have), normalisation_of(layout, network).table
    left, right = lattice.cores(pair)

    def beside_seam(core: Box) -> NDArray[np.uint8]:
        if (kept := sample.take(core)) is not None:
            return kept
        usual = predictor_of(layout, network, lattice)
        classes: NDArray[np.uint8] = usual.planes(core, sample.parts[core], pixels, have, table, 2)[0]
        return classes[sample.strips[core].relative_to(sample.parts[core]).slices]

    ours, theirs = beside_seam(left), beside_seam(right)
    planes = np.empty((2, *left.shape), np.uint8)
    truth = predictor_of(layout, network, exact).predict(pixels, have, left, table, planes)[0]
    core_differs = truth != layout.semantic.read(left)
    return {
        "strip": np.array([ours.size, np.count_nonzero(ours != theirs)]),
        "core": np.array([core_differs.size, np.count_nonzero(core_differs)]),
    }


def _note_seams(results: Iterable[tuple[Box, Result]]) -> dict[str, float | int | None]:
    counted = [(result["strip"], result["core"]) for _, result in results]
    strip, core = (sum((counts[i] for counts in counted), start=np.zeros(2, int)) for i in (0, 1))
    return {
        "seams_sampled": len(counted),
        "neighbours_disagree": float(strip[1] / strip[0]) if strip[0] else None,
        "exact_halo_disagrees": float(core[1] / core[0]) if core[0] else None,
    }
