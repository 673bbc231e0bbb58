"""A task of a stage carries what it needs for its own box, however large the slide is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cloudpickle  # type: ignore[import-untyped]
import numpy as np
import pytest

from axonflow.engine.graph import build
from axonflow.engine.stage import Stage
from axonflow.kernel.classes import AXON_MYELIN
from axonflow.kernel.units import PixelSize
from axonflow.stages.label import label_axons
from axonflow.stages.layout import Frame, Layout

CHUNK = 64


def stages(side: int, folder: Path) -> tuple[Stage, ...]:
    frame = Frame((side, side), PixelSize(0.1, 0.1))
    layout = Layout(folder, frame, frame, np.dtype(np.uint8).name, CHUNK, AXON_MYELIN)
    written = Stage(
        name="segment", revision=1, parameters={}, after=(), shape=frame.shape, batches=(), task=lambda _: {}
    )
    return label_axons(layout, 0.0, 0.0, written)


def task_bytes(stage: Stage) -> int:
    batch = stage.batches[len(stage.batches) // 2]
    return len(cloudpickle.dumps(build(replace(stage, after=()), batch))) // len(batch)


@pytest.mark.parametrize("i", range(len(stages(CHUNK, Path("store")))))
def test_a_task_is_as_large_on_a_large_slide_as_on_a_small_one(i: int) -> None:
    small, large = (task_bytes(stages(side, Path("store"))[i]) for side in (4 * CHUNK, 128 * CHUNK))
    assert large < small + 64  # numbers of more digits
