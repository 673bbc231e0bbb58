"""Where torch is not installed, a test that comes to import it is skipped; all others run with what is installed.

So the newest releases of everything else can be tested before there is a torch for them.
"""

from __future__ import annotations

import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec

import pytest


class _NoTorch(MetaPathFinder):
    def find_spec(self, fullname: str, *_: object, **__: object) -> ModuleSpec | None:
        if fullname in {"torch", "monai"}:  # which stands on it
            pytest.skip("needs torch", allow_module_level=True)
        return None


if find_spec("torch") is None:
    sys.meta_path.insert(0, _NoTorch())
