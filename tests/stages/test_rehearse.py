"""What stages do ahead, on a few pixels, is all that a run of them loads and compiles."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from slides import picture, tissue, write_labels, write_slide

SCRIPT = """
import sys
from pathlib import Path

from axonflow.engine.profile import Profile
from axonflow.workflow.config import Config
from axonflow.workflow.job import prepare, run_job

if __name__ == "__main__":
    slide, labels, out, more = map(Path, sys.argv[1:])
    classes = "0=background,1=myelin,2=axon,3=unmyelinated" if more.name == "kinds" else None
    given = dict(labels=labels, chunk=64, cell_um=5.0, max_myelin_um=1.0, classes=classes)
    job = prepare(Config(slide, out, **given))
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
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    env = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path / "cache"), "PYTHONPATH": os.pathsep.join(sys.path)}
    words = [str(slide), str(labels), str(tmp_path / "out"), "kinds" if kinds else "one"]
    ran = subprocess.run(
        [sys.executable, str(script), *words], env=env, capture_output=True, text=True, check=False, timeout=600
    )
    assert (ran.returncode, ran.stdout) == (0, "[]\n"), ran.stderr
    assert np.any([path.suffix == ".nbi" for path in (tmp_path / "cache").rglob("*")])
