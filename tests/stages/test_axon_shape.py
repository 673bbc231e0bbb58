"""Diameters as short axes of ellipses, by AxonDeepSeg's formulas over scikit-image's measures of the whole image."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from skimage import measure
from slides import analyse, contents, picture, tissue, write_labels, write_slide

import axonflow
from axonflow.fiber.rules import LEFT_OUT
from axonflow.fiber.table import AXES, COLUMNS
from axonflow.workflow.config import Config


@pytest.mark.parametrize("chunk", [64, 128, 512])
@pytest.mark.parametrize("side_um", [0.1, (0.1, 0.25)])
def test_short_axes_are_axondeepsegs_diameters(chunk: int, side_um: Any, tmp_path: Path) -> None:
    labels = tissue((170, 210), 11)
    slide = write_slide(tmp_path / "slide.tif", picture(labels))
    drawn = write_labels(tmp_path / "labels.png", labels)
    given: dict[str, Any] = {"labels": drawn, "cell": 6.0, "max_myelin": 1.0, "workers": 1, "pixel_size": side_um}
    result = axonflow.run(slide, tmp_path / "out", chunk=chunk, axon_shape="ellipse", **given)
    table = result.fibers
    names = [column.name for column in (*COLUMNS, *AXES, LEFT_OUT)]
    assert list(table) == names
    sides = result.record["labels"]["pixel_size_um"]
    objects = [
        measure.regionprops(result.labels[name].compute(scheduler="synchronous").astype(np.int32), spacing=sides)
        for name in ("axons", "fibers")
    ]
    axon, fiber = (np.array([each.axis_minor_length for each in found]) for found in objects)
    thickness = (fiber - axon) / 2
    with np.errstate(invalid="ignore"):
        gratio = np.where(fiber > 0, (axon / 2) / (axon / 2 + thickness), 1)
    long = [[each.axis_major_length for each in found] for found in objects]
    expected = {
        "axon_diam (um)": axon,
        "myelin_thickness (um)": thickness,
        "gratio": gratio,
        "axon_minor_axis (um)": axon,
        "fiber_minor_axis (um)": fiber,
        "axon_major_axis (um)": long[0],
        "fiber_major_axis (um)": long[1],
    }
    for name, values in expected.items():
        np.testing.assert_allclose(table[name], values, rtol=1e-7, atol=1e-6, err_msg=name)
    circles = axonflow.run(slide, tmp_path / "circles", chunk=chunk, **given)
    others = [name for name in circles.fibers if name not in expected]
    assert table[others].equals(circles.fibers[others])
    known = {"axon_diameter_mean", "axon_diameter_std", "gratio_mean"}
    for each in circles.maps:
        assert circles.maps[each].equals(result.maps[each]) == (each not in known)


def test_circles_leave_no_trace_of_ellipses(tmp_path: Path) -> None:
    labels = tissue((90, 110), 5)
    slide = write_slide(tmp_path / "slide.tif", picture(labels))
    config = Config(slide, tmp_path / "out", labels=write_labels(tmp_path / "labels.png", labels), cell_um=6.0)
    analyse(config)
    before = contents(config.out)
    other = Config(**{name: getattr(config, name) for name in config.__slots__} | {"axon_shape": "ellipse"})
    assert analyse(other)[0] == "measure"
    assert analyse(config)[0] == "measure"
    assert contents(config.out) == before
