"""Where models lie that did not come with the package: those of the user, and what is kept of nnU-Net folders."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from axonflow.errors import ModelError
from axonflow.kernel.caches import can_be_written, temporary_cache, user_folder

__all__ = ["kept_models", "remove_user_model", "user_model_names", "user_models", "writable_user_models"]


def user_models() -> Path | None:
    """Return the folder of the user's models: AXONFLOW_MODELS, or one below XDG_DATA_HOME; None without a home."""
    if named := os.environ.get("AXONFLOW_MODELS"):
        return Path(named)
    data = user_folder("XDG_DATA_HOME", ".local/share")
    return None if data is None else data / "axonflow" / "models"


def user_model_names() -> list[str]:
    """Return the names of the user's models."""
    folder = user_models()
    return [] if folder is None else sorted(file.stem for file in folder.glob("*.json"))


def writable_user_models() -> Path:
    """Return the folder of the user's models, made if it is not there.

    Raises
    ------
    ModelError
        If there is no home, or nothing can be written there.
    """
    folder = user_models()
    if folder is None or not can_be_written(folder):
        where = "" if folder is None else f" at {folder}"
        raise ModelError(
            f"A folder for your models that can be written was expected{where}, there is none; name one in the "
            "variable AXONFLOW_MODELS."
        )
    return folder


def remove_user_model(name: str) -> Path:
    """Remove one of the user's models with its weights and its card, and return its contract's path.

    Raises
    ------
    ModelError
        If the user has no such model, or it cannot be removed.
    """
    folder = user_models()
    if folder is None or name not in user_model_names():
        own = ", ".join(user_model_names())
        raise ModelError(
            f"A model of yours was expected, {name!r} is none; {f'they are {own}' if own else 'you have none'}. Those "
            "that come with axonflow stay, and one that lies elsewhere is removed with its files."
        )
    contract = folder / f"{name}.json"
    try:
        contract.unlink()  # first: without it there is no model, whatever else is left
        for suffix in (".safetensors", ".int8.safetensors", ".md"):
            contract.with_suffix(suffix).unlink(missing_ok=True)
        if (pictures := contract.with_suffix("")).is_dir():
            shutil.rmtree(pictures)
    except OSError as error:
        raise ModelError(f"Leave to remove {contract} and the files beside it was expected: {error}.") from None
    return contract


def kept_models() -> Path:
    """Return the folder for what can be made again of nnU-Net folders.

    Raises
    ------
    ModelError
        If neither the user's cache nor a temporary folder can be written.
    """
    cache = user_folder("XDG_CACHE_HOME", ".cache")
    if cache is not None and can_be_written(cache / "axonflow" / "models"):
        return cache / "axonflow" / "models"
    if temporary := temporary_cache("models"):
        return temporary
    raise ModelError(
        "A cache or a temporary folder that can be written was expected for the model, there is none; name one in "
        "the variable XDG_CACHE_HOME."
    )
