"""Where models lie that did not come with the package: those of the user, and what is kept of nnU-Net folders."""

from __future__ import annotations

import os
from pathlib import Path

from axonflow.errors import ModelError
from axonflow.kernel.caches import can_be_written, temporary_cache, user_folder

__all__ = ["kept_models", "user_model_names", "user_models", "writable_user_models"]


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
