"""Block sums → how sure the network was of each cell of the maps, and whether it was trained on the like."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from axonflow.fiber.maps import Cells
from axonflow.kernel.grid import Box
from axonflow.kernel.tally import Tally
from axonflow.net.familiarity import centres, traits, unfamiliar, weighed
from axonflow.ngff import Blocks

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["Doubt"]


@dataclass(frozen=True, slots=True)
class Doubt:
    """The network's doubt, to be mapped.

    Attributes
    ----------
    sums : Blocks
        What the segmentation left.
    cells : Cells
    familiar : Mapping
        Lowest and highest value of each trait over the training images, of the model's contract; may be empty.
    """

    sums: Blocks
    cells: Cells
    familiar: Mapping[str, tuple[float, float]]

    def count(self, covered: NDArray[np.bool_], box: Box) -> Tally:
        """Add up the blocks of a core cell by cell.

        Parameters
        ----------
        covered : (h, w) bool
            Where the slide is to be mapped: a block counts if its central pixel does.
        box : Box
            The core; it begins with whole blocks.

        Returns
        -------
        Tally
            Keys are the indices of the cells that hold the blocks' central pixels; sums as of
            :func:`axonflow.net.familiarity.weighed`.
        """
        rows, columns = (centres(side) for side in box.shape)
        counts = covered[np.ix_(rows, columns)]
        cell = self.cells.of(rows[:, None] + box.y0, columns + box.x0)
        return Tally.of(cell[counts], weighed(self.sums.read(box), box.shape)[counts])

    def onto(self, maps: xr.Dataset, counted: Tally) -> tuple[xr.Dataset, dict[str, Any]]:
        """Add the maps of the network's doubt to the others.

        Parameters
        ----------
        maps : Dataset
        counted : Tally
            What :meth:`count` found on the slide, merged.

        Returns
        -------
        maps : Dataset
            With ``confidence``, and with ``unfamiliar`` if the model's contract says what is familiar; NaN where no
            block counts.
        note : dict
            ``confidence`` over all that counts, None if nothing does, and the number of ``unfamiliar_cells``.
        """
        confidence = float(traits(counted.total.sum(axis=0))[0])
        note: dict[str, Any] = {"confidence": None if np.isnan(confidence) else round(confidence, 6)}
        found = {"confidence": (traits(counted.total)[:, 0], "mean maximum class probability")}
        if self.familiar:
            outside = unfamiliar(counted.total, self.familiar)
            found["unfamiliar"] = outside, "unlike anything the network was trained on"
            note["unfamiliar_cells"] = int(np.nansum(outside))
        return maps.assign({name: self._map(counted, *values) for name, values in found.items()}), note

    def _map(self, counted: Tally, values: NDArray[np.float64], meaning: str) -> xr.Variable:
        import xarray as xr

        cells = np.full(self.cells.counts, np.nan)
        cells.flat[counted.key] = values
        return xr.Variable(("y", "x"), cells, {"units": "1", "long_name": meaning})
