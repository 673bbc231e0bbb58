"""How the tests in canaries/ say which library has changed, and where axonflow relies on what it was.

A canary holds what a library does not promise although axonflow needs it. It fails when a new release has changed that,
before anything of axonflow fails in a way that is harder to read. Run them with the newest releases before the versions
in ``constraints.txt`` are raised.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version

import pytest


@contextmanager
def relied_on(library: str, what: str, where: str) -> Iterator[None]:
    """Say, if anything fails within, which library has changed and where axonflow relies on what it was."""
    try:
        yield
    except (Exception, pytest.fail.Exception) as error:  # the latter is what pytest.raises ends with
        pytest.fail(
            f"{library} {version(library)} has changed what axonflow relies on: {what}. It said "
            f"{type(error).__name__}: {error}. Look at {where}; mend it for both releases, or bound {library} in "
            "pyproject.toml and say why."
        )
