"""The embedded network, which has seen no phantom, finds its axons, and knows it as tissue."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import axonflow
from axonflow.kernel.grid import Box
from axonflow.phantom import Cord, write


def test_the_network_knows_a_cord_that_it_has_not_seen(tmp_path: Path) -> None:
    cord = Cord((1600, 2000), 1)
    write(tmp_path / "cord.tif", cord, tmp_path / "truth")
    mask = tmp_path / "truth" / "tissue.geojson"
    result = axonflow.run(tmp_path / "cord.tif", model="sem", cell=40, mask=mask, workers=1)
    found, true = result.labels["semantic"].compute(scheduler="synchronous"), cord.classes(Box.whole(cord.shape))
    for number, least in ((2, 0.88), (1, 0.84)):
        both = np.count_nonzero((found == number) & (true == number))
        assert 2 * both / (np.count_nonzero(found == number) + np.count_nonzero(true == number)) >= least
    unfamiliar = result.maps["unfamiliar"].values
    assert np.nanmean(unfamiliar) < 0.05
    assert np.isfinite(unfamiliar).sum() >= 12
