"""The weights of an nnU-Net: from a checkpoint of its training, and in the safetensors that axonflow keeps them in.

A checkpoint is a pickle, which could run anything. It is read by torch's reader of weights alone, which builds tensors,
numbers and containers of them and refuses all else; nnU-Net needs a few of numpy's numbers beside them.
"""

from __future__ import annotations

import hashlib
import pickle
import re
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from axonflow.errors import ModelError
from axonflow.kernel.documents import open_file, said, shown
from axonflow.net.nnunet.networks import build, own
from axonflow.net.nnunet.plan import NnUNetPlan

__all__ = ["Read", "join", "load_networks", "read_checkpoint"]

LARGEST_CHECKPOINT = 2**33
"""Bytes of a checkpoint, which holds the optimizer's state, too."""

MOST_WEIGHTS = 2**29
"""Numbers of one network; the largest of nnU-Net's presets have a quarter of it."""

_LARGEST_PICKLE = 2**25
"""Bytes of what stands beside the tensors: losses of a thousand epochs are some hundred thousand."""

_ASKED = re.compile(r"GLOBAL ([\w.]+)")


@dataclass(frozen=True, slots=True)
class Read:
    """What a checkpoint holds.

    Attributes
    ----------
    weights : dict of Tensor
        By the names of :func:`axonflow.net.nnunet.networks.build`; empty if no plan was given.
    configuration : str
        Which configuration of the plans it is of.
    mirrors : tuple of int
        Axes that may be mirrored.
    """

    weights: dict[str, Tensor]
    configuration: str
    mirrors: tuple[int, ...]


def read_checkpoint(path: Path, plan: NnUNetPlan | None, classes: int) -> Read:
    """Read a checkpoint of nnU-Net's training, and its weights if the plan is known.

    Parameters
    ----------
    path : Path
    plan : NnUNetPlan or None
    classes : int

    Raises
    ------
    ModelError
        If it holds something else than tensors, numbers and text, or weights of another network.
    """
    content = _unpickled(path)
    try:
        arguments, axes = content["init_args"], content.get("inference_allowed_mirroring_axes")
        configuration, weights = arguments["configuration"], content["network_weights"]
        mirrors = tuple(axes or ())
        if not isinstance(configuration, str) or not isinstance(weights, dict):
            raise TypeError("its configuration should be text, its weights tensors by name")
        if any(type(axis) is not int or axis not in (0, 1) for axis in mirrors) or len(set(mirrors)) < len(mirrors):
            raise ValueError(f"axes 0 and 1 should be mirrored, {shown(axes, 40)} came")
        kept = {} if plan is None else _fitting(weights, plan, classes)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        missing = f"{error} is missing" if isinstance(error, KeyError) else said(error)
        raise ModelError(
            f"A checkpoint of nnU-Net was expected in {path}, but it cannot be used: {missing}."
        ) from error
    return Read(kept, configuration, mirrors)


def join(folds: Mapping[str, Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """Return the weights of all folds by one list of names, each after its fold's."""
    return {f"{fold}.{name}": values for fold, weights in folds.items() for name, values in weights.items()}


def load_networks(path: Path, sha256: str, plan: NnUNetPlan, classes: int) -> list[nn.Module]:
    """Return the network of each fold, in the order of the plan, from a file of what :func:`join` returned.

    Raises
    ------
    ModelError
        If the file has another sha256, or its weights are of other networks, or no finite numbers.
    """
    try:
        with open_file(path) as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]  # it can be read
        if found != sha256:
            raise ModelError(
                f"Weights with sha256 {sha256[:16]}… were expected in {path}, {found[:16]}… came; the file is damaged "
                "or of another model: import it again."
            )
        return _networks(load_file(path), plan, classes)
    except OSError as error:
        raise ModelError(f"Weights were expected in {path}, but they cannot be read: {error}.") from error
    except (RuntimeError, SafetensorError, TypeError, ValueError) as error:
        if isinstance(error, ModelError):
            raise
        raise ModelError(
            f"Weights of the plan's network were expected in {path}, but {said(error)}; give those that belong to the "
            "contract."
        ) from error


def _networks(weights: Mapping[str, Tensor], plan: NnUNetPlan, classes: int) -> list[nn.Module]:
    by_fold = {
        fold: {name.removeprefix(f"{fold}."): values for name, values in weights.items() if name.startswith(f"{fold}.")}
        for fold in plan.folds
    }
    if sum(map(len, by_fold.values())) != len(weights):
        raise ValueError("it holds weights of other folds")
    found = []
    for own_weights in by_fold.values():
        net = _empty(plan, classes)
        _check(own_weights, net)
        net.load_state_dict(dict(own_weights), assign=True)
        found.append(net.eval())
    return found


def _fitting(weights: Mapping[str, Any], plan: NnUNetPlan, classes: int) -> dict[str, Tensor]:
    if not all(isinstance(name, str) and isinstance(values, Tensor) for name, values in weights.items()):
        raise TypeError("tensors by name should be its weights")
    kept = own(
        {name.removeprefix("module.").removeprefix("_orig_mod."): each for name, each in weights.items()}, plan.layers
    )
    _check(kept, _empty(plan, classes))
    return {name: values.detach().float().clone(memory_format=torch.contiguous_format) for name, values in kept.items()}


def _empty(plan: NnUNetPlan, classes: int) -> nn.Module:
    """Return the plan's network without numbers, which costs no memory."""
    with torch.device("meta"):
        net = build(plan.layers, len(plan.channels), classes)
    if (count := sum(values.numel() for values in net.state_dict().values())) > MOST_WEIGHTS:
        raise ValueError(f"a network of {MOST_WEIGHTS:,} weights or fewer was expected, its plan has {count:,}")
    return net


def _check(weights: Mapping[str, Tensor], net: nn.Module) -> None:
    """Refuse weights that are not those of a network, or none that a training leaves."""
    wanted = net.state_dict()
    if odd := sorted(wanted.keys() ^ weights.keys()):
        there = "is missing" if odd[0] in wanted else "is none of them"
        raise ValueError(f"the weights of its plan's network were expected, {odd[0][:80]!r} {there}")
    for name, values in weights.items():
        if values.shape != wanted[name].shape or not values.is_floating_point():
            raise ValueError(
                f"numbers of the shape {tuple(wanted[name].shape)} were expected in {name}, {values.dtype} of "
                f"{tuple(values.shape)} came"
            )
        if not values.isfinite().all():
            raise ValueError(f"finite numbers were expected in {name}, its training failed; take another")


def _unpickled(path: Path) -> dict[str, Any]:
    with _refused(path):
        with open_file(path) as file:
            file.seek(0, 2)
            if (size := file.tell()) > LARGEST_CHECKPOINT:
                raise ValueError(f"it should have {LARGEST_CHECKPOINT:,} bytes or less, {size:,} came")
            file.seek(0)
            _refuse_packed(file)
        # Mapped, so that the optimizer's state and what else is not taken is never read.
        with torch.serialization.safe_globals(_allowed()):
            content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    if not isinstance(content, dict):
        raise ModelError(f"A checkpoint of nnU-Net was expected in {path}, {type(content).__name__} came.")
    return content


def _refuse_packed(file: Any) -> None:
    """Refuse an archive that torch did not write: it compresses nothing, so that nothing swells when it is read."""
    with zipfile.ZipFile(file) as archive:
        for info in archive.infolist():
            pickled = info.filename.endswith(".pkl")
            if info.compress_type != zipfile.ZIP_STORED or (pickled and info.file_size > _LARGEST_PICKLE):
                raise ValueError(f"{info.filename[:60]!r} in it is none that torch writes")


@contextmanager
def _refused(path: Path) -> Iterator[None]:
    """Say of which file something cannot be read, and what a pickle asked for."""
    try:
        yield
    except pickle.UnpicklingError as error:
        asked = _ASKED.search(str(error))
        raise ModelError(
            f"Tensors, numbers and text alone were expected in {path}, it asks for {asked[1][:80]}, which could run "
            "anything, and was not read further; do not trust where it came from."
            if asked
            else f"Tensors, numbers and text alone were expected in {path}, it is damaged or holds something else."
        ) from error  # torch's own words advise to read it with all that it may run
    except Exception as error:  # what torch raises of a damaged file is of any kind
        if isinstance(error, ModelError):
            raise
        raise ModelError(
            f"A checkpoint as nnU-Net writes it was expected in {path}, but it cannot be read: {said(error)}."
        ) from error


def _allowed() -> list[Any]:
    """Return what nnU-Net's checkpoints hold of numpy, under the names that its versions gave it."""
    scalar = (np._core if hasattr(np, "_core") else np.core).multiarray.scalar
    kinds = [type(np.dtype(name)) for name in ("f4", "f8", "i4", "i8", "b1")]
    return [
        np.dtype,
        *kinds,
        (scalar, "numpy.core.multiarray.scalar"),
        (scalar, "numpy._core.multiarray.scalar"),
    ]
