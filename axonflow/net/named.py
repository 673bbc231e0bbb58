"""Which contract a model's name stands for: one that came with the package, the user's, or one at a path."""

from __future__ import annotations

from pathlib import Path

from axonflow.errors import ModelError
from axonflow.net.nnunet.folder import is_nnunet
from axonflow.net.nnunet.imported import kept
from axonflow.net.places import user_model_names, user_models

__all__ = ["EMBEDDED", "contract_of", "embedded_models"]

EMBEDDED = Path(__file__).parent / "weights"
"""The folder of the models that come with the package."""


def embedded_models() -> list[str]:
    """Return the names of the models that come with the package."""
    return sorted(file.stem for file in EMBEDDED.glob("*.json"))


def contract_of(model: str | Path) -> Path:
    """Return the file of a model's contract; a folder of nnU-Net, or an archive of one, gets one in the user's cache.

    Raises
    ------
    ModelError
        If there is no such model.
    """
    if not Path(model).name:
        raise ModelError(f"The name or path of a model was expected, {str(model)!r} came; see axonflow models list.")
    mine = user_models()
    named = [EMBEDDED / f"{model}.json", *([] if mine is None else [mine / f"{model}.json"])]
    path = next((each for each in named if each.exists()), Path(model).with_suffix(".json"))
    if path.exists():
        return path
    if is_nnunet(Path(model)):
        return kept(Path(model))
    own = ", ".join(user_model_names())
    there = "is none" if len(Path(model).parts) == 1 or Path(model).exists() else "is not there"
    raise ModelError(
        f"A model was expected, {str(model)!r} {there}; give one that is embedded ({', '.join(embedded_models())})"
        f"{f', one of yours ({own}),' if own else ''} or the path of a model's .json file with its .safetensors beside "
        "it, or of a folder or .zip of nnU-Net. Those that AxonDeepSeg publishes come with axonflow models fetch NAME."
    )
