"""What a network of nnU-Net sees is what numpy makes of the whole image, however its greys were counted."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nnunet_models import blobs, content_of

from axonflow.net.nnunet.normalise import Content, Range, normalised
from axonflow.net.nnunet.plan import Normalisation
from axonflow.net.normalise import histogram


@given(st.lists(st.integers(0, 65535), min_size=1, max_size=60), st.integers(1, 59))
def test_ranges_follow_from_counts(greys: list[int], cut: int) -> None:
    pixels = np.array([greys], np.uint16)
    parts = [part for part in (pixels[:, :cut], pixels[:, cut:]) if part.size]
    counts = histogram(parts[0])
    for part in parts[1:]:
        counts += histogram(part)
    found = Range.of(counts)
    assert (found.low, found.high) == (min(greys), max(greys))
    assert found.mean == pytest.approx(np.mean(pixels, dtype=np.float64))
    assert found.deviation == pytest.approx(np.std(pixels, dtype=np.float64), abs=1e-6)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_numbers_are_those_of_nnunet(dtype: str) -> None:
    image = blobs((60, 70), dtype, margin=5)
    content = content_of(image)
    (known,), cut = content.ranges, image[content.inside.slices].astype(np.float32)
    wanted: dict[Normalisation, np.ndarray] = {
        "RescaleTo01Normalization": (cut - cut.min()) / (cut - cut.min()).max(),
        "NoNormalization": cut,
        "RGBTo01Normalization": cut / np.float32(255),
    }
    for how, expected in wanted.items():
        found = normalised(image[content.inside.slices], how, known)
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, expected)
    found = normalised(image[content.inside.slices], "ZScoreNormalization", known)
    np.testing.assert_allclose(found, (cut - cut.mean()) / cut.std(), atol=1e-4)


def test_a_slide_of_one_grey_is_no_division_by_zero() -> None:
    pixels = np.full((4, 5), 7, np.uint8)
    for how in ("RescaleTo01Normalization", "ZScoreNormalization"):
        found = normalised(pixels, how, Range.of(histogram(pixels)))
        assert (found == 0).all()


def test_what_a_slide_holds_survives_json() -> None:
    for stretched in (None, (3.0, 200.0)):
        content = Content(content_of(blobs((20, 30))).inside, (Range(1.0, 2.0, 1.5, 0.25),), stretched)
        assert Content.from_json(json.loads(json.dumps(content.to_json()))) == content
