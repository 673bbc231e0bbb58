"""One of the paper's networks as an ONNX file, for programs that know no torch."""

from __future__ import annotations

import json
import logging
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from axonflow.errors import InputError, ModelError
from axonflow.kernel.files import new_file
from axonflow.net.checkpoint import Checkpoint

if TYPE_CHECKING:
    import torch

__all__ = ["MOST", "difference", "export_onnx"]

MOST = 1e-4
"""By how much a probability of the file may differ from the network's; measured: a few millionths."""


def export_onnx(checkpoint: Checkpoint, path: Path) -> float | None:
    """Write a network as an ONNX file, and hold it against the original where ``onnxruntime`` is installed.

    Its input ``greys`` is (n, 1, h, w) float32: windows at the model's pixel size, normalised as the file's metadata
    say; h and w are multiples of its stride. Its output ``probabilities`` is (n, classes, h, w) float32.

    Parameters
    ----------
    checkpoint : Checkpoint
        Of a network of the paper.
    path : Path
        The file to write.

    Returns
    -------
    float or None
        The largest difference of a probability, over windows of noise; None if nothing could be compared.

    Raises
    ------
    InputError
        If the model is one of nnU-Net, or what writes ONNX is not installed.
    ModelError
        If the file gives other probabilities; it is not kept.
    """
    if checkpoint.plan is not None:
        raise InputError(
            f"One of the paper's networks was expected, {checkpoint.name!r} is a model of nnU-Net; export it with "
            "nnU-Net itself."
        )
    if missing := [name for name in ("onnx", "onnxscript") if find_spec(name) is None]:
        raise InputError(
            f"The package {' and '.join(missing)} was expected for ONNX, it is not installed; install it with: "
            "pip install onnx onnxscript."
        )
    import torch

    net = torch.nn.Sequential(checkpoint.network(), torch.nn.Softmax(dim=1)).eval()
    said = logging.getLogger("torch.onnx")
    level = said.level
    said.setLevel(logging.ERROR)  # it warns of packages that this network does not need
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's own, of its own exporter
            program = torch.onnx.export(
                net,
                (torch.zeros(1, 1, 64, 96),),
                input_names=["greys"],
                output_names=["probabilities"],
                dynamic_shapes=({0: "windows", 2: "height", 3: "width"},),
                dynamo=True,
                verbose=False,
            )
    finally:
        said.setLevel(level)
    assert program is not None
    for name, value in _told(checkpoint).items():
        program.model.metadata_props[name] = value
    with new_file(path) as part:
        program.save(part, external_data=False)
        found = difference(net, part) if find_spec("onnxruntime") else None
        if found is not None and not found <= MOST:
            raise ModelError(
                f"An ONNX file whose probabilities differ by {MOST:g} at most was expected, {found:.2g} came; it was "
                "not kept: use another release of torch, onnxscript or onnxruntime."
            )
    return found


def difference(net: torch.nn.Module, path: Path) -> float:
    """Return by how much, at most, an ONNX file's output differs from a module's, over windows of noise."""
    import onnxruntime
    import torch

    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    noise, largest = np.random.default_rng(0), 0.0
    for shape in ((1, 1, 64, 96), (2, 1, 160, 128)):
        greys = noise.normal(size=shape).astype(np.float32)
        (found,) = session.run(None, {session.get_inputs()[0].name: greys})
        with torch.inference_mode():
            wanted = net(torch.from_numpy(greys)).numpy()
        largest = max(largest, float(np.abs(found - wanted).max()))
    return largest


def _told(checkpoint: Checkpoint) -> dict[str, str]:
    """Return what a reader of the file has to know, as ONNX's metadata hold it: text by name."""
    told: dict[str, Any] = {
        "name": checkpoint.name,
        "architecture": checkpoint.architecture,
        "pixel_size_um": checkpoint.pixel_size_um,
        "working_pixel_sizes_um": [size.y for size in checkpoint.working_sizes],
        "normalisation": checkpoint.normalisation,
        "invert": checkpoint.invert,
        "multiple_of_px": checkpoint.shape.stride,
        "classes": checkpoint.classes.to_json(),
        "sha256_of_weights": checkpoint.sha256,
    }
    return {f"axonflow.{name}": value if isinstance(value, str) else json.dumps(value) for name, value in told.items()}
