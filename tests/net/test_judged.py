"""What a model is expected to be off by is read as it was written, of its own weights alone, or not at all."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from axonflow.net.judged import JUDGED, QUANTITIES, SCORES, Judged, read_judged

SPREADS = st.tuples(st.floats(0, 1), st.floats(0, 1))
JUDGEMENTS = st.builds(
    Judged,
    st.text("0123456789abcdef", min_size=1),
    st.integers(9, 99),
    st.integers(1, 9),
    st.booleans(),
    st.dictionaries(st.sampled_from(list(SCORES)), SPREADS),
    st.dictionaries(st.sampled_from(list(QUANTITIES)), SPREADS),
)


@given(JUDGEMENTS)
def test_it_is_read_as_it_was_written_and_of_other_weights_nothing_is(judged: Judged) -> None:
    with TemporaryDirectory() as folder:
        judged.write(Path(folder))
        assert read_judged(Path(folder), judged.sha256) == judged
        assert read_judged(Path(folder), judged.sha256 + "0") is None


@pytest.mark.parametrize(
    "change",
    [
        {"errors": 3},
        {"errors": {"avf": [float("nan"), 1]}},
        {"errors": {"avf": [0.1]}},
        {"errors": {"avf": [0.1, 1e300]}},
        {"errors": {"avf": [-1, 0]}},
        {"scores": {"accuracy": [7, 1]}},
        {"images": None},
        {"images": 0},
        {"subjects": 2},
    ],
)
def test_what_is_none_says_nothing(tmp_path: Path, change: dict[str, Any]) -> None:
    assert read_judged(tmp_path, "a") is None
    Judged("a", 1, 1, True, {}, {"avf": (0.1, 0.2)}).write(tmp_path)
    assert read_judged(tmp_path, "a") is not None
    path = tmp_path / JUDGED
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    assert read_judged(tmp_path, "a") is None
    path.write_text("[")
    assert read_judged(tmp_path, "a") is None
