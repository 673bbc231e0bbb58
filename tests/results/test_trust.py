"""What a report says of how far its numbers may be off."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from axonflow.kernel.words import share
from axonflow.net.checkpoint import Checkpoint, embedded_models
from axonflow.net.judged import QUANTITIES, read_judged
from axonflow.results.analysis import Analysis
from axonflow.results.report.trust import expected_errors


def made_by(name: str, **more: Any) -> Analysis:
    """A result of an embedded network, with as much of its record as is read."""
    model = {"name": name, "path": f"/nowhere/{name}.json", "embedded": True, "sha256": Checkpoint.find(name).sha256}
    return cast("Analysis", SimpleNamespace(record={"model": model | more}))


@pytest.mark.parametrize("name", embedded_models())
def test_a_network_is_off_by_what_its_card_has(name: str) -> None:
    said = expected_errors(made_by(name))
    checkpoint = Checkpoint.find(name)
    judged = read_judged(checkpoint.folder / name, checkpoint.sha256)
    assert judged is not None
    for quantity, (mean, worst) in judged.errors.items():
        assert f"{share(mean)} in {QUANTITIES[quantity][0]} ({share(worst)} at worst)" in said
    assert f"{judged.images} images of {judged.subjects} subjects" in said


@pytest.mark.parametrize(
    "more", [{"sha256": "0" * 64}, {"adapted": {"weight": 0.5}}, {"masks": []}, {"embedded": False}]
)
def test_of_other_weights_of_adapted_ones_and_of_masks_it_says_nothing(more: dict[str, Any]) -> None:
    assert expected_errors(made_by("sem", **more)) == ""
