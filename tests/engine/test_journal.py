"""The journal holds what was committed, whole or not at all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from axonflow.engine.journal import Journal
from axonflow.engine.stage import Result, Stage
from axonflow.kernel.grid import Box, Grid


def nothing(box: Box) -> Result:
    return {}


@pytest.fixture
def stage() -> Stage:
    return Stage("s", 1, {}, (), (4, 6), tuple(Grid((4, 6), (2, 2)).batches(2)), nothing)


def test_results_come_back_in_raster_order(stage: Stage, tmp_path: Path) -> None:
    record = Journal(tmp_path).record(stage)
    record.begin({})
    for i in (3, 0, 2, 1):
        record.commit(i, [{"a": np.array([box.y0, box.x0]), "b.c": np.zeros((0, 3))} for box in stage.batches[i]], {})
    found = [(box, dict(result)) for box, result in record.results()]
    assert found[0][0] == next(iter(record.results()))[0]  # again from the start
    assert [box for box, _ in found] == list(Grid((4, 6), (2, 2)))
    for box, result in found:
        np.testing.assert_array_equal(result["a"], [box.y0, box.x0])
        assert result["b.c"].shape == (0, 3)


def test_a_torn_record_does_not_count(stage: Stage, tmp_path: Path) -> None:
    record = Journal(tmp_path).record(stage)
    record.begin({})
    record.commit(1, [{}, {}], {})
    (record.folder / (".00000002.npz." + "0" * 32 + ".partial")).write_bytes(b"half")
    assert record.missing() == [0, 2, 3]
    assert not record.complete


def test_forgetting_leaves_other_stages(stage: Stage, tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.record(stage).begin({})
    journal.forget([stage])
    assert not journal.record(stage).begun


def test_the_key_tells_what_decides_the_outcome(stage: Stage) -> None:
    from dataclasses import replace

    same = replace(stage, memory=5, disk=7)
    assert same.key == stage.key
    others = [
        replace(stage, name="t"),
        replace(stage, revision=2),
        replace(stage, parameters={"a": 1}),
        replace(stage, after=(stage,)),
        replace(stage, batches=stage.batches[:1]),
    ]
    assert len({stage.key, *(other.key for other in others)}) == 6
