"""What a window sees depends on the slide and the lattice alone."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from axonflow.kernel.grid import Box, Grid
from axonflow.net.lattice import Lattice


@settings(max_examples=150)
@given(
    st.tuples(st.integers(1, 150), st.integers(1, 150)),
    st.sampled_from([16, 32, 48]),
    st.integers(0, 40),
    st.integers(1, 3),
)
def test_windows_are_those_of_the_mirrored_slide(
    shape: tuple[int, int], core: int, halo: int, cores_in_chunk: int
) -> None:
    pixels = np.arange(shape[0] * shape[1]).reshape(shape)
    lattice = Lattice(shape, core, halo, stride=16)
    mirrored = np.pad(pixels, halo, mode="symmetric")
    seen = []
    for chunk in Grid(shape, (core * cores_in_chunk,) * 2, smallest=halo):
        have = chunk.grow(halo, shape)
        for inner in lattice.cores(chunk):
            window, at = lattice.window(inner, pixels[have.slices], have)
            assert window.shape[0] % 16 == window.shape[1] % 16 == 0
            assert (inner.y0 - at.y0) % 16 == (inner.x0 - at.x0) % 16 == 0
            y, x = at.y0 - halo, at.x0 - halo
            h, w = inner.shape
            np.testing.assert_array_equal(
                window[y : y + h + 2 * halo, x : x + w + 2 * halo],
                mirrored[inner.y0 : inner.y1 + 2 * halo, inner.x0 : inner.x1 + 2 * halo],
            )
            # What fills up to the stride comes from inside the halo.
            assert set(window.ravel()) <= set(pixels[inner.grow(halo, shape).slices].ravel())
            seen.append(inner)
    assert sorted(seen) == list(Grid(shape, (core, core)))


def test_a_core_at_the_edge_is_seen_with_its_own_pixels() -> None:
    pixels = np.arange(40 * 40).reshape(40, 40)
    window, at = Lattice((40, 40), 32, 5, 16).window(Box(32, 0, 40, 32), pixels, Box(0, 0, 40, 40))
    np.testing.assert_array_equal(window[at.slices], pixels[32:40, 0:32])
