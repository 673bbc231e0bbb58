"""What stages do ahead, on a few pixels, is all that a run of them loads and compiles."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from slides import picture, tissue, write_labels, write_model, write_slide

SCRIPT = """
import json
import sys
from pathlib import Path

from axonflow.engine.profile import Profile
from axonflow.workflow.config import Config
from axonflow.workflow.job import prepare, run_job

if __name__ == "__main__":
    slide, out = map(Path, sys.argv[1:3])
    given = json.loads(sys.argv[3])
    given |= {name: Path(given[name]) for name in given.keys() & {"labels"}}
    job = prepare(Config(slide, out, chunk=64, cell_um=5.0, max_myelin_um=1.0, **given))
    for stage in job.stages:
        if stage.rehearse:
            stage.rehearse()
    from numba.core import event

    with event.install_recorder("numba:compile") as compiled:
        run_job(job, Profile.find("local").but(workers=1))
    print(sorted({each.data["dispatcher"].py_func.__qualname__ for _, each in compiled.buffer}))
"""


@pytest.mark.parametrize("sides_um", [(0.1, 0.1), (0.1, 0.25)])
@pytest.mark.parametrize("kinds", [False, True])
def test_a_run_compiles_nothing_that_was_not_rehearsed(
    sides_um: tuple[float, float], kinds: bool, tmp_path: Path
) -> None:
    classes = tissue((150, 130))
    y, x = sides_um
    slide = write_slide(tmp_path / "slide.tif", picture(classes), None, resolution=(1e4 / x, 1e4 / y), resolutionunit=3)
    labels = tmp_path / "labels.png"
    if kinds:
        classes[:9, :9] = 3
        Image.fromarray(classes).save(labels)
    else:
        write_labels(labels, classes)
    given = {"labels": str(labels)} | ({"classes": "0=background,1=myelin,2=axon,3=unmyelinated"} if kinds else {})
    assert_nothing_compiled(slide, given, tmp_path)


@pytest.mark.parametrize("halo", [None, "mend"])
def test_nor_does_a_run_of_a_network(halo: str | None, tmp_path: Path) -> None:
    slide = write_slide(tmp_path / "slide.tif", picture(tissue((150, 130))))
    model = write_model(tmp_path)
    assert_nothing_compiled(slide, {"model": str(model)} | ({"halo": halo} if halo else {}), tmp_path)


def assert_nothing_compiled(slide: Path, given: dict[str, str], folder: Path) -> None:
    """Rehearse a run's stages in a process of its own, in which nothing is compiled yet, and run it."""
    script = folder / "script.py"
    script.write_text(SCRIPT)
    env = os.environ | {"NUMBA_CACHE_DIR": str(folder / "cache"), "PYTHONPATH": os.pathsep.join(sys.path)}
    words = [str(slide), str(folder / "out"), json.dumps(given)]
    ran = subprocess.run(
        [sys.executable, str(script), *words], env=env, capture_output=True, text=True, check=False, timeout=600
    )
    assert (ran.returncode, ran.stdout) == (0, "[]\n"), ran.stderr
    assert np.any([path.suffix == ".nbi" for path in (folder / "cache").rglob("*")])
