"""nnU-Net's models as models of axonflow: weights of all folds in one safetensors file, and a contract beside it.

A folder that is named on the command line is imported, too, once, into a cache: so all workers load the same.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from axonflow.errors import ModelError
from axonflow.kernel.files import make_folder, new_file, write_file
from axonflow.net.nnunet.folder import Folder, digest, open_model
from axonflow.net.nnunet.plan import NORMALISED
from axonflow.net.places import kept_models

__all__ = ["import_model", "kept", "name_of"]

LATTICE_PX = 64
"""Of nnU-Net's predictions, which lie on windows of their own, no lattice is asked; chunks are multiples of this."""

_REVISION = 1
"""Of what is kept in the cache: raised when an import would come out otherwise."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def import_model(
    path: Path,
    folder: Path,
    name: str,
    *,
    folds: Sequence[str] | None = None,
    pixel_size_um: float | None = None,
    slides_um: tuple[float, float] | None = None,
) -> Path:
    """Import a folder or a zip archive of nnU-Net.

    Parameters
    ----------
    path : Path
    folder : Path
        Where it is to lie.
    name : str
        What it is to be called.
    folds : sequence of str, optional
        Which folds to average; all that are there unless given.
    pixel_size_um : float, optional
        At which it was trained, if that is known.
    slides_um : (float, float), optional
        Least and largest pixel size of slides that it is for.

    Returns
    -------
    Path
        Of its contract.

    Raises
    ------
    ModelError
        As :func:`axonflow.net.nnunet.folder.open_model`; or if the name is none, or is another model's.
    """
    if not _NAME.fullmatch(name) or Path(name).suffix in (".json", ".safetensors", ".zip"):
        raise ModelError(f"A name of letters, digits, '.', '_' and '-' was expected for the model, {name!r} came.")
    with open_model(path, folds) as model:
        return _write(model, folder, name, pixel_size_um=pixel_size_um or 0.0, slides_um=slides_um)


def kept(path: Path) -> Path:
    """Return the contract of a folder or an archive in the cache, imported if it is not there yet.

    Raises
    ------
    ModelError
        As :func:`import_model`.
    """
    folder, name = kept_models() / f"{digest(path)[:32]}-{_REVISION}", name_of(path)
    contract = folder / f"{name}.json"
    return contract if contract.exists() else import_model(path, folder, name)


def name_of(path: Path) -> str:
    """Return what a folder or an archive is called unless the user says otherwise."""
    name = path.resolve().name
    name = name[: -len(".zip")] if name.lower().endswith(".zip") else name
    plain = re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-_")
    return plain[:64] or "nnunet"


def _write(
    model: Folder, folder: Path, name: str, *, pixel_size_um: float, slides_um: tuple[float, float] | None
) -> Path:
    from safetensors.torch import save_file

    from axonflow.net.nnunet.weights import join

    weights = join({fold: model.weights(fold) for fold in model.plan.folds})
    make_folder(folder)
    with new_file(folder / f"{name}.safetensors") as part:
        save_file(weights, part)
    with (folder / f"{name}.safetensors").open("rb") as stream:
        sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    contract: dict[str, Any] = {
        "name": name,
        "architecture": "nnunet",
        "pixel_size_um": pixel_size_um,
        "invert": False,
        "lattice_px": LATTICE_PX,
        "halo_px": 0,
        "smallest_axon_um2": 0.0,
        "sha256": sha256,
        "trained_on": {"data": model.data_set or "unknown", "checkpoint": model.checkpoint},
        "familiar": {},
        "normalisation": NORMALISED,
        "classes": model.classes.to_json(),
        **({} if slides_um is None else {"slides_um": list(slides_um)}),
        "nnunet": asdict(model.plan),
    }
    path = folder / f"{name}.json"
    write_file(path, (json.dumps(contract, indent=2, ensure_ascii=False) + "\n").encode())
    return path
