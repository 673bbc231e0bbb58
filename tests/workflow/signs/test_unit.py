"""Outlines in µm that are taken for pixels are noticed at any scale, and pixels of a part of a slide are not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import roifile
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from strategies import generators

from axonflow.errors import InputError
from axonflow.kernel.units import PixelSize
from axonflow.stages.annotation import open_annotation, open_regions
from axonflow.stages.drawn_masks import open_drawn
from axonflow.stages.layout import Frame
from axonflow.workflow.signs.unit import doubted_units

sides = st.tuples(st.integers(500, 200_000), st.integers(500, 200_000))
large_sides = st.tuples(st.integers(10_000, 200_000), st.integers(10_000, 200_000))
"""Of slides on which an axon has room at any of these pixel sizes."""

pixel_sizes = st.sampled_from([0.00236, 0.005, 0.02, 0.07, 0.1, 0.13, 0.23, 0.3])
what = st.sampled_from(["--mask-unit", "--regions-unit"])

Points = Any

a_file = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)


def circles(centres: Points, radius: float) -> Points:
    """Return rings, (n, 24, 2), of (x, y)."""
    angle = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    return centres[:, None] + radius * np.stack([np.cos(angle), np.sin(angle)], axis=-1)


def geojson(folder: Path, rings: Points) -> Path:
    features = [
        {"type": "Feature", "properties": {}, "geometry": {"type": "Polygon", "coordinates": [ring.tolist()]}}
        for ring in rings
    ]
    path = folder / "drawn.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return path


def doubted(path: Path, flag: str, frame: Frame, unit: Literal["px", "um"] = "px") -> list[str]:
    """Return the flags that are asked for."""
    if flag == "--mask-unit":
        return [doubt.flag for doubt in doubted_units(frame, open_annotation(path, unit, frame, frame), None)]
    return [doubt.flag for doubt in doubted_units(frame, None, open_regions(path, unit, frame, frame))]


@a_file
@given(generators, sides, pixel_sizes, what)
def test_a_drawing_in_um_of_much_of_the_slide_is_doubted(
    tmp_path: Path, rng: np.random.Generator, shape: tuple[int, int], um: float, flag: str
) -> None:
    """Some tracts, or one tissue, anywhere on the slide; that they are µm can be said, and then nothing is."""
    frame = Frame(shape, PixelSize.square(um))
    in_um = np.array(shape[::-1]) * um
    low, high = in_um * rng.uniform(0, 0.2, 2), in_um * rng.uniform(0.85, 1, 2)
    ring = np.array([low, (high[0], low[1]), high, (low[0], high[1])])
    parts = [ring] if rng.random() < 0.5 else [low + (ring - low) / 3, high - (high - ring) / 3]
    path = geojson(tmp_path, parts)
    assert doubted(path, flag, frame) == [flag]
    assert doubted(path, flag, frame, "um") == []


@a_file
@given(generators, sides, pixel_sizes, what)
def test_a_drawing_in_pixels_of_a_part_of_the_slide_is_not_doubted(
    tmp_path: Path, rng: np.random.Generator, shape: tuple[int, int], um: float, flag: str
) -> None:
    """Of any size and at any place, but in that corner alone that is the whole slide in µm."""
    sides = np.array(shape[::-1], float)
    span = sides * rng.uniform(0.005, 1, 2) ** 2
    low = (sides - span) * rng.uniform(0, 1, 2)
    high = low + span
    assume((high > 1.03 * sides * um).any())
    ring = np.array([low, (high[0], low[1]), high, (low[0], high[1])])
    path = geojson(tmp_path, [ring])
    assert doubted(path, flag, Frame(shape, PixelSize.square(um))) == []


@pytest.mark.parametrize("um", [0.4, 0.6, 1.0, 2.5])
@pytest.mark.parametrize("part", [0.1, 0.25, 0.5])
def test_a_quarter_of_a_slide_of_large_pixels_is_not_doubted(tmp_path: Path, um: float, part: float) -> None:
    ring = np.array([(0, 0), (1, 0), (1, 1), (0, 1)]) * 2000 * part
    frame = Frame((2000, 2000), PixelSize.square(um))
    assert doubted(geojson(tmp_path, [ring]), "--regions-unit", frame) == []


def axons(rng: np.random.Generator, shape: tuple[int, int], um: float, part: float) -> tuple[Points, float]:
    """Return centres of axons in a part of a slide anywhere on it, and their radius, in µm."""
    in_um = np.array(shape[::-1]) * um
    radius = float(rng.uniform(0.2, min(4, in_um.min() / 8)))
    room = in_um - 2 * radius
    centres = radius + room * (rng.uniform(0, 1 - part, 2) + rng.uniform(0, part, (15, 2)))
    return centres, radius


def masks(path: Path, frame: Frame, unit: Literal["px", "um"] | None) -> list[str]:
    mask = open_drawn(path, "axon", unit, frame.shape, frame.pixel_size)
    return [doubt.flag for doubt in doubted_units(frame, None, None, (mask, mask))]


@a_file
@given(generators, large_sides, st.sampled_from([0.00236, 0.005, 0.02]), st.sampled_from([0.1, 0.3, 1.0]))
def test_axons_in_um_are_doubted_or_refused_wherever_they_are_drawn(
    tmp_path: Path, rng: np.random.Generator, shape: tuple[int, int], um: float, part: float
) -> None:
    """All that is known of a file of few axons in the middle of a slide is how thin they would be."""
    frame = Frame(shape, PixelSize.square(um))
    path = geojson(tmp_path, circles(*axons(rng, shape, um, part)))
    try:
        assert masks(path, frame, None) == ["--outlines-unit"]
    except InputError as error:
        assert "--outlines-unit" in str(error)  # noqa: PT017  # refused as before, or off the slide in pixels
    assert masks(path, frame, "um") == []


@a_file
@given(generators, large_sides, pixel_sizes, st.sampled_from([0.1, 0.3, 1.0]))
def test_axons_in_pixels_are_not_doubted(
    tmp_path: Path, rng: np.random.Generator, shape: tuple[int, int], um: float, part: float
) -> None:
    centres, radius = axons(rng, shape, um, part)
    assume((centres.max(axis=0) / um > 1.1 * np.array(shape[::-1]) * um).any())
    path = geojson(tmp_path, circles(centres / um, radius / um))
    assert masks(path, Frame(shape, PixelSize.square(um)), None) == []


def test_rois_are_judged_alike(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    rings = circles(rng.uniform(20, 60, (9, 2)), 0.6).astype(np.float32)
    found = [roifile.ImagejRoi.frompoints(ring, name=f"axon {k}") for k, ring in enumerate(rings)]
    roifile.roiwrite(tmp_path / "rois.zip", found, mode="w")
    frame = Frame((2000, 2000), PixelSize.square(0.1))
    assert masks(tmp_path / "rois.zip", frame, "px") == []
    (doubt,) = doubted_units(
        frame, None, None, (open_drawn(tmp_path / "rois.zip", "axon", None, frame.shape, frame.pixel_size),) * 2
    )
    assert doubt.flag == "--outlines-unit"
