"""Some windows of a slide, as they are and with bright and dark exchanged → in which of them a network finds axons."""

from __future__ import annotations

import numpy as np

from axonflow.kernel.grid import Box
from axonflow.net.lattice import Lattice
from axonflow.net.normalise import lookup_table
from axonflow.stages.convert import read_greys
from axonflow.stages.layout import Layout
from axonflow.stages.segmentation import Network

__all__ = ["axons_upright_and_inverted"]

_WINDOWS = 4


def axons_upright_and_inverted(layout: Layout, network: Network) -> tuple[float, float]:
    """Apply a network to up to four windows, twice.

    Returns
    -------
    float
        Share of their pixels that are axon as the slide is.
    float
        The same with bright and dark exchanged.
    """
    from axonflow.net.predict import Predictor

    checkpoint = network.checkpoint
    lattice = Lattice(layout.work.shape, checkpoint.lattice_px, network.halo, checkpoint.shape.stride)
    cores = list(lattice.cores(Box.whole(lattice.shape)))
    chosen = [cores[i] for i in sorted({len(cores) * (2 * k + 1) // (2 * _WINDOWS) for k in range(_WINDOWS)})]
    greys = read_greys(layout)
    predictor = Predictor(checkpoint, lattice, network.precision, codes=greys.codes)
    axons, total = np.zeros(2), 0
    for core in chosen:
        have = core.grow(lattice.halo, lattice.shape)
        pixels = layout.input.read(have)
        total += core.size
        for k, invert in enumerate((checkpoint.invert, not checkpoint.invert)):
            table = lookup_table(greys.counts, invert=invert)
            planes = np.empty((2, *core.shape), np.uint8)
            labels = predictor.predict(pixels, have, core, table, planes)[0]
            axons[k] += np.count_nonzero(labels == checkpoint.classes.axon)
    upright, inverted = (axons / total).tolist()
    return upright, inverted
