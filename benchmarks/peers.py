"""What axonflow is compared with, each in an environment of its own, installed when it is first asked for."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from pathlib import Path

FOLDER = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "axonflow-benchmarks"


def python_of(name: str, *requirements: str) -> str:
    """Return the Python of an environment that holds the requirements.

    Parameters
    ----------
    name : str
        Of the environment.
    *requirements : str
        As pip takes them, with exact versions.
    """
    folder = FOLDER / name
    python, done = folder / "bin" / "python", folder / "requirements.txt"
    wanted = "\n".join(requirements)
    if not done.exists() or done.read_text() != wanted:
        print(f"installing {', '.join(requirements)} into {folder}", file=sys.stderr, flush=True)
        venv.create(folder, clear=True, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *requirements], check=True)
        done.write_text(wanted)
    return str(python)


def version_of(python: str, package: str) -> str:
    """Return the version of a package in an environment."""
    asked = f"import importlib.metadata; print(importlib.metadata.version({package!r}))"
    return subprocess.run([python, "-c", asked], capture_output=True, text=True, check=True).stdout.strip()
