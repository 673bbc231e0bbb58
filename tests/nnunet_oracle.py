"""nnU-Net itself, as an oracle: folders that its own trainer wrote, and what its own predictor makes of an image.

It runs in an environment of its own, made by ``scripts/nnunet``, whose Python AXONFLOW_TEST_NNUNET names. Tests that
use it carry the mark ``nnunet``.
"""

from __future__ import annotations

import atexit
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Spec", "folder", "forward", "logits", "predict"]


@dataclass(frozen=True)
class Spec:
    """What a folder of nnU-Net is to hold.

    Attributes
    ----------
    residual, old : bool
        Residual encoder; plans as versions before 2.4 wrote them.
    labels : tuple of str
        Names beside the background, from number 1 on.
    channels : tuple of str
        Names of channels, which name their normalisation: rescale_to_0_1, zscore, noNorm, rgb_to_0_1.
    folds : tuple of str
    mirrors : tuple of int, optional
        Axes that may be mirrored.
    strides : tuple of (int, int), optional
        One per level; 2 below the first unless said.
    steps : int
        Of training.
    """

    residual: bool = False
    old: bool = False
    labels: tuple[str, ...] = ("myelin", "axon")
    channels: tuple[str, ...] = ("rescale_to_0_1",)
    folds: tuple[str, ...] = ("all",)
    mirrors: tuple[int, ...] | None = (0, 1)
    patch: tuple[int, int] = (64, 96)
    features: tuple[int, ...] = (8, 16, 32)
    strides: tuple[tuple[int, int], ...] | None = None
    checkpoint: str = "checkpoint_final.pth"
    steps: int = 40
    seed: int = 0


@cache
def folder(spec: Spec) -> Path:
    """Return a folder that nnU-Net wrote; nothing of it may be changed, as other tests get the same."""
    path = Path(tempfile.mkdtemp(dir=_top())) / "Dataset002_SEM"
    _ask(do="make", spec=asdict(spec), out=str(path))
    return path


def predict(
    model: Path, image: NDArray[Any], folds: Sequence[str] | None = None, step: float = 0.5
) -> NDArray[np.uint8]:
    """Return the labels, (h, w), that nnU-Net gives to an image as a whole.

    Parameters
    ----------
    model : Path
        Of :func:`folder`.
    image : (h, w) or (channels, h, w) array
    folds : sequence of str, optional
        All that are there unless said.
    step : float
        Between windows, as a part of the patch.
    """
    labels: NDArray[np.uint8] = _predicted(model, image, folds, step)["labels"]
    return labels


def logits(
    model: Path, image: NDArray[Any], folds: Sequence[str] | None = None, step: float = 0.5
) -> NDArray[np.float16]:
    """Return the logits behind :func:`predict`, (classes, h, w), of the box around all pixels that are not 0."""
    scores: NDArray[np.float16] = _predicted(model, image, folds, step)["logits"]
    return scores


def forward(model: Path, fold: str, windows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return what the network of a fold makes of normalised windows, (n, channels, h, w) → (n, classes, h, w)."""
    given, out = _top() / "windows.npy", _top() / "scores.npy"
    np.save(given, windows)
    (checkpoint,) = (model / f"fold_{fold}").glob("*.pth")
    _ask(do="forward", folder=str(model), fold=fold, given=str(given), out=str(out), checkpoint=checkpoint.name)
    scores: NDArray[np.float32] = np.load(out)
    return scores


def _predicted(model: Path, image: NDArray[Any], folds: Sequence[str] | None, step: float) -> dict[str, NDArray[Any]]:
    there = sorted(model.glob("fold_*/*.pth"))
    given, out = _top() / "image.npy", _top() / "predicted.npz"
    np.save(given, image if image.ndim == 3 else image[None])
    _ask(
        do="predict",
        folder=str(model),
        image=str(given),
        out=str(out),
        folds=list(folds or [path.parent.name.removeprefix("fold_") for path in there]),
        checkpoint=there[0].name,
        step=step,
    )
    with np.load(out) as found:
        return dict(found)


@cache
def _top() -> Path:
    path = Path(tempfile.mkdtemp(prefix="axonflow-nnunet-"))
    atexit.register(shutil.rmtree, path)
    return path


@cache
def _process() -> subprocess.Popen[str]:
    """Return nnU-Net, started once: its import takes seconds."""
    python, program = os.environ["AXONFLOW_TEST_NNUNET"], Path(__file__).with_name("nnunet_inside.py")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    process = subprocess.Popen(
        [python, str(program)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
        cwd=_top(),
        text=True,
    )
    atexit.register(_end, process)
    return process


def _end(process: subprocess.Popen[str]) -> None:
    with process:  # it ends with its input
        pass


def _ask(**request: Any) -> None:
    process = _process()
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps(request) + "\n")
    process.stdin.flush()
    line = process.stdout.readline()
    answer = json.loads(line) if line else f"it ended with code {process.wait()}"
    if answer != "ok":
        raise AssertionError(f"nnU-Net was expected to answer, it said: {answer}")
