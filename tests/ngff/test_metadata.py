import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from axonflow.kernel.units import PixelSize
from axonflow.ngff.metadata import image_label, labels_index, multiscale, omero, placement

sides = st.floats(0.0005, 5.0)
sizes = st.builds(PixelSize, sides, sides)
origins = st.tuples(st.floats(-1e4, 1e4), st.floats(-1e4, 1e4))


@given(sizes, origins, st.sampled_from(["yx", "cyx"]))
def test_all_levels_begin_at_the_same_edge(size: PixelSize, origin: tuple[float, float], axes: str) -> None:
    described = multiscale("slide", axes, size, origin, 9, "mean")
    for level, dataset in enumerate(described["datasets"]):
        scale, translation = dataset["coordinateTransformations"]
        for axis, (side, first) in enumerate(zip((size.y, size.x), origin, strict=True), len(axes) - 2):
            assert scale["scale"][axis] == side * 2**level
            edge = translation["translation"][axis] - scale["scale"][axis] / 2
            assert edge == pytest.approx(first - side / 2, abs=1e-9, rel=1e-9)


@given(sizes, origins, st.sampled_from(["yx", "cyx"]))
def test_the_placement_survives_json(size: PixelSize, origin: tuple[float, float], axes: str) -> None:
    written = json.loads(json.dumps(multiscale("slide", axes, size, origin, 3, "mean")))
    assert placement(written) == (size, origin)


@pytest.mark.parametrize(
    ("dtype", "window", "expected"),
    [
        ("uint8", None, {"min": 0, "max": 255, "start": 0, "end": 255}),
        ("uint16", (100, 900), {"min": 0, "max": 65535, "start": 100, "end": 900}),
        ("float32", (-2.5, 0.5), {"min": -2.5, "max": 1.0, "start": -2.5, "end": 0.5}),
    ],
)
def test_the_window_of_grey_values(dtype: str, window: tuple[float, float] | None, expected: dict[str, float]) -> None:
    (channel,) = omero("slide", dtype, window)["channels"]
    assert channel["window"] == expected
    assert channel["color"] == "FFFFFF"


def test_colours_are_listed_by_value_and_the_background_is_transparent() -> None:
    background, axon = {"label-value": 0, "rgba": [0, 0, 0, 0]}, {"label-value": 2, "rgba": [255, 0, 0, 255]}
    assert image_label() == {"source": {"image": "../../"}}  # napari hides every id that a list leaves out
    assert image_label({}) == image_label()
    assert image_label({2: (255, 0, 0, 255)})["colors"] == [background, axon]
    assert image_label({0: (1, 2, 3, 4)})["colors"] == [{"label-value": 0, "rgba": [1, 2, 3, 4]}]


def test_the_index_lists_a_name_once() -> None:
    assert labels_index(["fibers", "axons", "fibers"]) == {"version": "0.5", "labels": ["axons", "fibers"]}
