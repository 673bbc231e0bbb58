from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from axonflow.errors import PixelSizeError
from axonflow.kernel.units import LARGEST_UM, SMALLEST_UM, PixelSize

sides = st.floats(SMALLEST_UM, LARGEST_UM)


@given(sides, sides)
def test_area_is_that_of_the_square_of_the_geometric_side(y: float, x: float) -> None:
    size = PixelSize(y, x)
    assert size.area_um2 == y * x
    assert PixelSize.square(size.geometric_um).area_um2 == pytest.approx(size.area_um2)


@pytest.mark.parametrize("side", [0.0, -0.1, SMALLEST_UM / 1.01, LARGEST_UM * 1.01, float("nan"), float("inf")])
def test_what_no_microscope_has_is_refused_on_either_side(side: float) -> None:
    for sides_um in ((side, 0.1), (0.1, side)):
        assert not PixelSize.plausible(*sides_um)
        with pytest.raises(PixelSizeError, match=r"between 0\.0005 and 5\.0 µm .* --pixel-size"):
            PixelSize(*sides_um)


@given(sides, st.floats(-0.009, 0.009))
def test_sizes_within_a_hundredth_match(side: float, off: float) -> None:
    ours, theirs = PixelSize.square(side), PixelSize.square(min(max(side * (1 + off), SMALLEST_UM), LARGEST_UM))
    assert ours.matches(theirs)
    assert theirs.matches(ours, tolerance=0.011)


def test_one_side_that_differs_is_no_match() -> None:
    size = PixelSize.square(0.1)
    assert not PixelSize(0.1, 0.102).matches(size)
    assert not PixelSize(0.102, 0.1).matches(size)


@given(st.floats(0.001, 0.01), st.floats(0.001, 0.01), st.integers(1, 500))
def test_coarser_pixels_cover_whole_ones(y: float, x: float, factor: int) -> None:
    assert PixelSize(y, x).coarser(factor).area_um2 == pytest.approx(y * x * factor**2)


def test_it_reads_as_a_size() -> None:
    assert str(PixelSize.square(0.1)) == "0.1 µm"
    assert str(PixelSize(0.1, 0.25)) == "0.1 × 0.25 µm (y × x)"
