"""The way to what ASTIH publishes: the ``dandi`` program for the data sets, plain HTTPS for archives on GitHub.

``dandi`` is run, not imported: it needs some hundred packages, among them a zarr no newer than 3.1.5, so it may live in
an environment of its own. It continues what was broken off, and holds every file against DANDI's checksum, also those
that are there already.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from axonflow.astih.archive import Watch, extract, fetch
from axonflow.astih.sets import Archive, DataSet, PublishedModel
from axonflow.errors import InputError, RunError

__all__ = ["DANDI", "GITHUB", "download", "download_model", "fetch_archive"]

DANDI = "https://api.dandiarchive.org/api"
"""Where data sets come from, unless the variable AXONFLOW_DANDI names a mirror."""

GITHUB = "https://github.com"
"""Where archives come from, unless the variable AXONFLOW_GITHUB names a mirror."""


def download(data_set: DataSet, folder: Path, *, watch: Watch | None = None) -> None:
    """Fetch a data set as it was published: its dandiset into ``folder/NUMBER``, its test archive beside it.

    Parameters
    ----------
    data_set : DataSet
    folder : Path
    watch : callable, optional
        Told how far the archive is; ``dandi`` tells of itself.

    Raises
    ------
    InputError
        If the ``dandi`` program is not installed.
    RunError
        If something did not come whole; what came is kept and continued by the next call.
    """
    program = _dandi()
    url = f"{_host('AXONFLOW_DANDI', DANDI)}/dandisets/{data_set.dandi}/versions/{data_set.version}/"
    folder.mkdir(parents=True, exist_ok=True)
    ended = subprocess.run(
        [program, "download", "--existing", "overwrite-different", "--output-dir", str(folder), url],
        env=os.environ | {"DANDI_NO_ET": "1"},  # it need not ask whether there is a newer one
        check=False,
    )
    if ended.returncode:
        raise RunError(
            f"{data_set.name} was expected from {url}, dandi ended with code {ended.returncode} and said why above. "
            "What came is kept: run again to continue. Behind a proxy, set HTTPS_PROXY; if certificates are refused, "
            "REQUESTS_CA_BUNDLE."
        )
    if data_set.test_archive:
        _get(data_set.test_archive, folder, watch)


def download_model(model: PublishedModel, folder: Path, *, watch: Watch | None = None) -> Path:
    """Fetch a published model, and return its folder.

    Raises
    ------
    InputError, RunError
        As of :func:`axonflow.astih.archive.fetch` and :func:`axonflow.astih.archive.extract`.
    """
    return _get(model.archive, folder, watch)


def fetch_archive(archive: Archive, file: Path, watch: Watch | None = None) -> None:
    """Fetch an archive into a file; as :func:`axonflow.astih.archive.fetch`."""
    fetch(f"{_host('AXONFLOW_GITHUB', GITHUB)}/{archive.path}", file, sha256=archive.sha256, watch=watch)


def _get(archive: Archive, folder: Path, watch: Watch | None) -> Path:
    """Fetch and unpack an archive, unless its folder is there: it only gets its name once it is whole."""
    there = folder / archive.name
    if not there.exists():
        file = folder / f"{archive.name}.zip"
        if not file.exists():
            fetch_archive(archive, file, watch)
        extract(file, there)
        file.unlink()
    return there


def _host(variable: str, default: str) -> str:
    host = os.environ.get(variable) or default
    if not host.startswith(("https://", "http://")):
        raise InputError(
            f"An address with https:// was expected in the variable {variable}, {host!r} came; correct it."
        )
    return host.rstrip("/")


def _dandi() -> str:
    """Find the program beside this Python, which need not be on the path, or on the path."""
    places = (str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath))
    program = shutil.which("dandi", path=os.pathsep.join(places))
    if program is None:
        raise InputError(
            "The dandi program was expected, as data sets come from DANDI, it is not installed; install it with: pip "
            "install 'dandi>=0.76', or in an environment of its own with: pipx install dandi."
        )
    return program
