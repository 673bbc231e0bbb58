from __future__ import annotations

import sys

import numpy as np
import pytest

from axonflow.kernel.memory import begin_peak, give_back, peak

MIB = 2**20


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a peak begin anew")
def test_a_peak_is_of_what_came_since_it_began() -> None:
    much = np.ones(300 * MIB, np.uint8)
    with_much = peak()
    assert with_much >= much.nbytes
    del much
    give_back()
    begin_peak()
    assert peak() < with_much - 250 * MIB
