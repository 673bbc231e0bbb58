"""TLS of a run: a key and its certificate in a folder that its owner alone can read.

A scheduler runs whatever a client sends it, so one that takes anybody's word on a cluster's network would run anyone's
code. Scheduler, workers and client of a run show one another the same self-signed certificate and accept no other::

    certificates/           0700
    ├── certificate.pem     0600
    └── key.pem             0600
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from axonflow.errors import InputError
from axonflow.kernel.documents import read_json

if TYPE_CHECKING:
    from distributed.security import Security

__all__ = ["SCHEDULER", "arguments", "discard", "made", "make", "noted", "scheduler", "security"]

SCHEDULER = "scheduler.json"
"""Where the scheduler of a folder notes its address, beside the certificates."""

_CERTIFICATE, _KEY = "certificate.pem", "key.pem"


def make(folder: Path) -> None:
    """Make a key and a certificate in a folder, in place of those that a killed run may have left.

    Raises
    ------
    InputError
        If the folder exists and others may enter it.
    """
    from distributed.security import Security

    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    there = folder.stat()
    if there.st_mode & 0o077 or there.st_uid != os.geteuid():
        raise InputError(
            f"A folder that is yours and that nobody else may enter was expected for certificates, {folder} has the "
            f"mode {there.st_mode & 0o777:o}; run 'chmod 700 {folder}', or choose another."
        )
    fresh = Security.temporary()
    for name, text in ((_CERTIFICATE, fresh.tls_ca_file), (_KEY, fresh.tls_scheduler_key)):
        path = folder / name
        path.unlink(missing_ok=True)
        # created with its mode, so that there is no moment at which others could open it
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text)


def discard(folder: Path) -> None:
    """Remove a folder with its certificates."""
    shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def made(folder: Path) -> Iterator[Path]:
    """Make certificates in a folder, and remove it at the end."""
    make(folder)
    try:
        yield folder
    finally:
        discard(folder)


def security(folder: Path) -> Security:
    """Return what scheduler, workers and client of a folder's certificates are to be given."""
    from distributed.security import Security

    certificate, key = str(folder.absolute() / _CERTIFICATE), str(folder.absolute() / _KEY)
    return Security(
        require_encryption=True,
        tls_ca_file=certificate,
        **{f"tls_{role}_cert": certificate for role in ("client", "scheduler", "worker")},
        **{f"tls_{role}_key": key for role in ("client", "scheduler", "worker")},
    )


def arguments(folder: Path) -> list[str]:
    """Return the same for the command line of ``dask scheduler`` and ``dask worker``."""
    certificate, key = str(folder.absolute() / _CERTIFICATE), str(folder.absolute() / _KEY)
    return ["--tls-ca-file", certificate, "--tls-cert", certificate, "--tls-key", key]


def scheduler(where: str) -> tuple[str, Security | None]:
    """Return address and security of a scheduler that runs already.

    Parameters
    ----------
    where : str
        The folder of ``axonflow cluster scheduler``, or an address; of one with tls:// dask's own settings name the
        certificates (``distributed.comm.tls``).

    Raises
    ------
    InputError
        If no scheduler was started in that folder.
    """
    from distributed.security import Security

    if "://" in where:
        return where, Security() if where.startswith("tls://") else None
    folder = Path(where)
    address = noted(folder)
    if address is None:
        raise InputError(
            f"A scheduler was expected in {folder}, but none is noted there; start one with "
            f"'axonflow cluster scheduler {folder}'."
        )
    return address, security(folder)


def noted(folder: Path) -> str | None:
    """Return the address that a scheduler has noted in its folder, if it is there as a whole."""
    try:
        address = read_json(folder / SCHEDULER)["address"]
    except (OSError, ValueError, LookupError, TypeError):
        return None
    return address if isinstance(address, str) else None
