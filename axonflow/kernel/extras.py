"""Libraries that are not installed with axonflow, as only some formats need them: its extras."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from axonflow.errors import InputError

__all__ = ["library"]


def library(name: str, extra: str, wanted_for: str) -> ModuleType:
    """Import a library.

    Parameters
    ----------
    name : str
        Of the module, which is that of its package.
    extra : str
        Which extra of axonflow brings it.
    wanted_for : str
        In words, for a message.

    Raises
    ------
    InputError
        If it is not installed; it says how to install it.
    """
    try:
        return import_module(name)
    except ImportError as error:
        raise InputError(
            f"The Python package {name!r} was expected for {wanted_for}, but it cannot be imported ({error}). Install "
            f"it beside axonflow: pip install {name}, or axonflow with its extra [{extra}]."
        ) from error
