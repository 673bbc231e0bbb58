from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from axonflow.kernel.words import area, count, density, length, listed, mean_and_spread, memory, number, share, size


@given(st.floats(1e-9, 1e6))
def test_an_area_is_read_without_an_exponent_and_is_right_to_a_percent(mm2: float) -> None:
    value, unit = area(mm2).split()
    assert "e" not in value
    assert float(value.replace(",", "")) * {"mm²": 1, "µm²": 1e-6}[unit] == pytest.approx(mm2, rel=0.01)


@given(st.integers(0, 10**9))
def test_one_is_one_and_others_are_several(n: int) -> None:
    assert count(n, "axon") == f"{n:,} axon" + ("" if n == 1 else "s")


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (count(1, "axon"), "1 axon"),
        (count(12_345, "axon"), "12,345 axons"),
        (number(None, ".2f", "µm"), "–"),
        (number(float("nan"), ".2f"), "–"),
        (number(1.234, ".2f", "µm"), "1.23 µm"),
        (density(79_683.4), "79,700"),
        (density(987.6), "988"),
        (density(2_512_345), "2,510,000"),
        (density(0), "0"),
        (listed("a"), "a"),
        (listed("a", "b"), "a and b"),
        (listed("a", "b", "c"), "a, b and c"),
        (density(None), "–"),
        (share(0.0), "0 %"),
        (share(0.00001), "less than 0.01 %"),
        (share(0.0123), "1.2 %"),
        (share(0.987), "99 %"),
        (length(12.34), "12.3 µm"),
        (length(4_100), "4.1 mm"),
        (size(900, 1200), "0.9 × 1.2 mm"),
        (length(999.96), "1000 µm"),
        (length(2_345_000), "2,345 mm"),
        (area(0), "0 mm²"),
        (area(0.0001), "100 µm²"),
        (area(0.00221345), "2,213 µm²"),
        (area(0.0099999), "10,000 µm²"),
        (area(0.01963), "0.0196 mm²"),
        (area(2.5), "2.5 mm²"),
        (area(12_345.6), "12,346 mm²"),
        (area(float("nan")), "–"),
        (mean_and_spread(2.619, 2.149, 741, "µm"), "2.62 ± 2.15 µm"),
        (mean_and_spread(0.0456, 0.0123, 9, "µm"), "0.046 ± 0.012 µm"),
        (mean_and_spread(2.619, 0, 1, "µm"), "2.62 µm"),
        (mean_and_spread(float("nan"), float("nan"), 0, "µm"), "–"),
        (memory(3 * 2**30), "3 GiB"),
        (memory(200 * 2**20), "200 MiB"),
        (memory(1), "1 KiB"),
        (memory(0), "0 MiB"),
    ],
)
def test_numbers_in_words(said: str, expected: str) -> None:
    assert said.replace("\N{NO-BREAK SPACE}", " ") == expected
