"""Class probabilities of windows, in the best precision that the processor or the GPU offers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

from axonflow.kernel.grid import Box
from axonflow.net.checkpoint import Checkpoint, Precision
from axonflow.net.device import Device, computing_device, faults, turn, use_cores
from axonflow.net.lattice import Lattice
from axonflow.net.loaded import PLANES, LoadedNetwork, load_network
from axonflow.net.normalise import Codes, grey_codes
from axonflow.net.statistics import Statistics

__all__ = ["Predictor", "Read", "Take"]

Read = Callable[[Box], tuple[NDArray[np.generic], Box]]
"""From a core to pixels that hold it with its halo, and where they lie."""

Take = Callable[[Box, NDArray[np.uint8]], None]
"""What becomes of a core and its planes."""


@dataclass(frozen=True, slots=True)
class Predictor:
    """A checkpoint at work on one slide.

    Parameters
    ----------
    checkpoint : Checkpoint
    lattice : Lattice
    precision : str
        Of the convolutions; the softmax is always float32.
    device : Device
        What computes: the GPU of this process, or the processor if it has none.
    codes : callable
        The slide's grey codes, on which its normalisation is built.
    statistics : Statistics, optional
        By which batch norm goes; those of the training if None.
    cores : callable, optional
        Says before each window how many cores of the processor it may use; as this thread has it if None.

    Notes
    -----
    The processor computes one window after the other. A GPU computes batches of windows of equal shape
    (:mod:`axonflow.net.batches`). There results may depend, in the last bits, on the kind of GPU and on the size of
    its batches, but not on which windows share a batch: each is filled up to the same size.
    """

    checkpoint: Checkpoint
    lattice: Lattice
    precision: Precision
    device: Device = field(default_factory=computing_device)
    codes: Codes = grey_codes
    statistics: Statistics | None = None
    cores: Callable[[], int] | None = None

    def probabilities(
        self, core: Box, pixels: NDArray[np.generic], have: Box, table: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], Box]:
        """Predict one core of the lattice.

        Parameters
        ----------
        core : Box
        pixels : (h, w) uint8, uint16 or float32
            Pixels that hold the core with its halo.
        have : Box
            Where they lie.
        table : (65536,) float32
            The slide's normalisation, of :func:`axonflow.net.normalise.lookup_table`.

        Returns
        -------
        shares : (classes, h, w) float32
            Probability of each class over the whole window, halo included.
        inner : Box
            Where the core lies in it.

        Raises
        ------
        DeviceError
            If the GPU fails, or has no memory for a single window.
        """
        window, inner = self.lattice.window(core, pixels, have)
        with faults():
            net = self._network()
            work = partial(net.shares, net.table(table), Box.whole((window.shape[0], window.shape[1])))
            (shares,) = net.batches.through(work, self._codes, [window])
        return shares, inner

    def planes(
        self, core: Box, part: Box, pixels: NDArray[np.generic], have: Box, table: NDArray[np.float32], count: int
    ) -> NDArray[np.uint8]:
        """Predict a part of what the window of a core shows; the rest of it is not computed.

        Parameters
        ----------
        core : Box
        part : Box
            In the core with its halo, which may lie beyond the image.
        pixels, have, table
            As for :meth:`probabilities`.
        count : int
            How many planes of :meth:`predict` are wanted, at least two.

        Returns
        -------
        (count, part.shape) uint8

        Raises
        ------
        DeviceError
            If the GPU fails, or has no memory for a single window.
        """
        window, inner = self.lattice.window(core, pixels, have)
        y, x = inner.y0 - core.y0, inner.x0 - core.x0
        wanted = Box(part.y0 + y, part.x0 + x, part.y1 + y, part.x1 + x)
        with faults():
            net = self._network()
            (planes,) = net.batches.through(partial(net.planes, net.table(table), wanted, count), self._codes, [window])
        made: NDArray[np.uint8] = planes
        return made

    def predict(
        self,
        pixels: NDArray[np.generic],
        have: Box,
        box: Box,
        table: NDArray[np.float32],
        out: NDArray[np.uint8] | None = None,
    ) -> NDArray[np.uint8]:
        """Predict every core of the lattice in a box.

        Parameters
        ----------
        pixels, have, table
            As for :meth:`probabilities`.
        box : Box
            Cut along the lattice.
        out : (n, h, w) uint8, optional
            To be filled with the first n planes, at least two; a new array of all if left out.

        Returns
        -------
        (n, h, w) uint8
            :data:`axonflow.net.loaded.PLANES`, then the probability of each class by number; all in 255ths but the
            class itself.

        Raises
        ------
        DeviceError
            If the GPU fails, or has no memory for a single window.
        """
        if out is None:
            out = np.empty((len(PLANES) + len(self.checkpoint.classes), *box.shape), np.uint8)

        def take(core: Box, planes: NDArray[np.uint8]) -> None:
            out[:, *core.relative_to(box).slices] = planes

        groups = self.groups(self.lattice.cores(box), pixels, have)
        self.each(groups, lambda _: (pixels, have), table, len(out), take)
        return out

    def groups(self, cores: Iterable[Box], pixels: NDArray[np.generic], have: Box) -> list[tuple[Box, ...]]:
        """Put together cores of one shape whose windows are of one grey throughout; any other is a group of its own.

        Parameters
        ----------
        cores : iterable of Box
        pixels, have
            As for :meth:`probabilities`.
        """
        groups: dict[object, list[Box]] = {}
        for core in cores:
            seen = pixels[core.grow(self.lattice.halo, self.lattice.shape).relative_to(have).slices]
            grey = seen[0, 0]
            even = grey == seen[-1, -1] and (seen[0] == grey).all() and (seen == grey).all()
            groups.setdefault((core.shape, grey.item()) if even else core, []).append(core)
        return [tuple(group) for group in groups.values()]

    def each(
        self,
        groups: Iterable[tuple[Box, ...]],
        read: Read,
        table: NDArray[np.float32],
        count: int,
        take: Take,
        around: int = 0,
    ) -> None:
        """Predict cores of the lattice, wherever they lie.

        Parameters
        ----------
        groups : iterable of tuple of Box
            Cores; those of one shape that see the same are given together, and are computed once.
        read : callable
            From a core to pixels that hold it with its halo, and where they lie.
        table : (65536,) float32
            As for :meth:`probabilities`.
        count : int
            How many planes of :meth:`predict` are wanted, at least two.
        take : callable
            Called with each core and its (count, h + 2·around, w + 2·around) uint8 planes; those of one shape follow
            each other.
        around : int
            How much of what surrounds a core is wanted, too, px; at most the halo.

        Raises
        ------
        DeviceError
            If the GPU fails, or has no memory for a single window.
        """

        def cut(group: tuple[Box, ...]) -> NDArray[np.uint16]:
            return self._codes(self.lattice.window(group[0], *read(group[0]))[0])

        with faults():
            net = self._network()
            codes = net.table(table)
            for alike in _of_one_shape(groups):
                inner = self.lattice.inner(alike[0][0])
                wanted = Box(inner.y0 - around, inner.x0 - around, inner.y1 + around, inner.x1 + around)
                work = partial(net.planes, codes, wanted, count)
                for group, planes in zip(alike, net.batches.through(work, cut, alike), strict=True):
                    for core in group:
                        take(core, planes)
            if self.device.where.type == "cpu":
                self.device.forget()  # other stages follow; on a GPU nobody else waits for it

    def _codes(self, window: NDArray[np.generic]) -> NDArray[np.uint16]:
        if self.cores is not None:
            use_cores(self.cores())
        return self.codes(window)

    def _network(self) -> LoadedNetwork:
        with turn(self.device):  # threads that begin together are to load one network
            if self.statistics is None:  # one of a process, however it was asked for
                return load_network(self.checkpoint, self.precision, self.device)
            return load_network(self.checkpoint, self.precision, self.device, self.statistics)


def _of_one_shape(groups: Iterable[tuple[Box, ...]]) -> list[list[tuple[Box, ...]]]:
    """Part cores by their shape, which is also what tells the shapes of their windows."""
    parts: dict[tuple[int, int], list[tuple[Box, ...]]] = {}
    for group in groups:
        parts.setdefault(group[0].shape, []).append(group)
    return list(parts.values())
