"""A drawing lies over the slide as it is, on whatever pixels the labels are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from axonflow.kernel.grid import Box
from axonflow.kernel.resample import Resampling
from axonflow.kernel.units import PixelSize
from axonflow.slide import open_stored
from axonflow.stages.annotation import open_annotation, open_regions
from axonflow.stages.layout import Frame

sides = st.integers(3, 60)


def frames(shape: tuple[int, int], native_um: float, work_um: float) -> tuple[Frame, Frame]:
    native, work = PixelSize.square(native_um), PixelSize.square(work_um)
    return Frame(shape, native), Frame(Resampling(shape, native, work).out_shape, work)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(st.tuples(sides, sides), st.tuples(sides, sides), st.sampled_from([0.05, 0.07, 0.1, 0.13, 0.31]))
def test_a_drawing_of_any_resolution_lies_where_it_was_drawn_in_micrometres(
    tmp_path: Path, shape: tuple[int, int], drawn: tuple[int, int], native_um: float
) -> None:
    numbers = np.random.default_rng(0).integers(0, 3, drawn, np.uint8)
    numbers[:2, 0] = 0, 1
    mask, regions = tmp_path / "mask.png", tmp_path / "regions.png"
    Image.fromarray((numbers > 0).astype(np.uint8) * 255).save(mask)
    Image.fromarray(numbers).save(regions)
    native, work = frames(shape, native_um, 0.1)
    whole = Box.whole(work.shape)
    covered = open_annotation(mask, "px", native, work).cover(whole)
    labelled = open_regions(regions, "px", native, work).label(whole)
    at, clear = [], []
    for axis in (0, 1):
        # the drawing is as wide as the slide, in µm
        place = (np.arange(work.shape[axis]) + 0.5) * 0.1 / (shape[axis] * native_um) * drawn[axis]
        at.append(np.minimum(place, drawn[axis] - 1).astype(int))
        clear.append(np.abs(place - np.round(place)) > 1e-3)
    inner = np.ix_(*clear)
    np.testing.assert_array_equal(labelled[inner], numbers[np.ix_(*at)][inner])
    np.testing.assert_array_equal(covered[inner], (numbers > 0)[np.ix_(*at)][inner])


@pytest.mark.parametrize(("shape", "native_um", "as_before"), [((40, 60), 0.1, True), ((40, 60), 0.05, True),
    ((71, 700), 0.07, False), ((100, 700), 0.07, True), ((41, 60), 0.05, False)])  # fmt: skip
def test_only_a_drawing_that_lies_elsewhere_than_it_did_is_another(
    shape: tuple[int, int], native_um: float, as_before: bool, tmp_path: Path
) -> None:
    Image.fromarray(np.eye(5, dtype=np.uint8) * 255).save(tmp_path / "drawn.png")
    identity = open_stored(tmp_path / "drawn.png").identity
    native, work = frames(shape, native_um, 0.1)
    assert (open_annotation(tmp_path / "drawn.png", "px", native, work).identity == identity) is as_before
    assert (open_regions(tmp_path / "drawn.png", "px", native, work).identity == identity) is as_before
