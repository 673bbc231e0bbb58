"""Whenever the power goes, no record is on the disk whose data is not, and the next run ends with the same bytes."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from power import Disk
from slides import analyse, files, picture, tissue, write_labels, write_slide

from axonflow.workflow.config import Config

pytestmark = pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="needs to know which files are open")

PASSING = re.compile(r"store/(run\.log|\.axonflow/(lock|status\.json)|(.*/)?[^/]+\.partial(/.*)?)")
"""What nobody relies on."""

SAYS = re.compile(r"begun|\d+\.npz|done\.json|run\.json")
"""What says that something is on the disk."""

CLEARS = re.compile(r"\.(s0|journal|label)\.\w+\.partial")
"""What outputs and records are called when they are taken away."""

CLEARED = {"s0": 0.3, "journal": 1.0, "label": 0.5}
"""How often that moment is tried."""

MOST = 6
"""How many moments of a run are tried."""

SCENES: dict[str, Callable[[Config], Config]] = {
    "from nothing": lambda config: config,
    "from nothing once more": lambda config: config,
    "another chunk": lambda config: replace(config, chunk=128),
    "fewer axons": lambda config: replace(config, min_axon_area_um2=0.3),
}


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Config:
    """A slide of three chunks in two levels with its labels, and the store of a run that nothing disturbed."""
    folder = tmp_path_factory.mktemp("given")
    classes = tissue((140, 560), 5)
    slide = write_slide(folder / "slide.tif", picture(classes))
    labels = write_labels(folder / "labels.png", classes)
    config = Config(slide, folder / "store", labels=labels, cell_um=6.0, chunk=256, max_myelin_um=1.0)
    analyse(config)
    return config


def relied_on(found: Mapping[str, bytes | None]) -> dict[str, bytes | None]:
    return {path: content for path, content in found.items() if not PASSING.fullmatch(path)}


@pytest.mark.parametrize("scene", SCENES)
def test_whenever_the_power_goes_the_next_run_ends_with_the_same_bytes(
    given: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scene: str
) -> None:
    changed = SCENES[scene](given)
    config = replace(changed, out=tmp_path / "disk" / "store")
    if scene == "from nothing":
        config.out.parent.mkdir()
    else:
        shutil.copytree(given.out, config.out)
    disk, chance, left = Disk(config.out.parent), Random(scene), list[Path]()

    def heard(call: str, path: Path) -> None:
        if call == "replace" and SAYS.fullmatch(path.name):
            assert relied_on(disk.certain()) == relied_on(disk.present()), path
        clears = CLEARS.fullmatch(path.name)
        if len(left) < MOST and chance.random() < (CLEARED[clears[1]] if clears else 0.006):
            left.append(tmp_path / f"{len(left)}")
            disk.cut(left[-1], chance, 0.9 if clears else chance.choice((0.0, 0.5, 0.9)))

    with disk.watched(monkeypatch, heard):
        analyse(config, fresh=scene == "from nothing once more")
    assert len(left) > 2
    assert files(given.out) == files(config.out) or changed != given
    monkeypatch.setattr(os, "fsync", lambda _handle: None)
    for wanted, store in {changed: config.out, given: given.out}.items():
        for number, disk_after in enumerate(left):
            again = tmp_path / f"{number} again"
            shutil.copytree(disk_after, again)
            analyse(replace(wanted, out=again / "store"))
            assert files(again / "store") == files(store)
            shutil.rmtree(again)
