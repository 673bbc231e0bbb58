"""Zip archives over HTTPS: fetched in one piece or in several, and unpacked whole or not at all.

Nothing counts until it is whole: a file that is being fetched ends in ``.part``, and is kept so that it can be
continued; it gets its name at the end, as a folder that is being unpacked does.
"""

from __future__ import annotations

import errno
import hashlib
import lzma
import shutil
import ssl
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPException, HTTPResponse
from pathlib import Path, PurePosixPath
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from axonflow.errors import AxonflowError, InputError, RunError
from axonflow.kernel.files import make_folder, new_folder, rename
from axonflow.kernel.zips import astray

__all__ = ["Watch", "extract", "fetch"]

Watch = Callable[[int, int | None], None]
"""Told the bytes that are there, and all that are expected, if that is known."""

_BLOCK = 1 << 20
_PATIENCE_S = 60
_PARTIAL, _NOTHING_LEFT = 206, 416
_END_RECORD_MOST = 22 + 0xFFFF
"""Bytes of a zip archive's end record with the longest comment."""
_COUNTED_ELSEWHERE = 0xFFFF
"""The number of members in the end record of an archive that has too many for it."""
_DAMAGE = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, RuntimeError, ValueError)
"""What reading a damaged zip archive may raise."""


def fetch(url: str, path: Path, *, sha256: str | None = None, watch: Watch | None = None) -> None:
    """Fetch a file; one that was broken off is continued if the server can and has the same still.

    Proxies and certificates are those of the environment: ``HTTPS_PROXY``, ``SSL_CERT_FILE``.

    Parameters
    ----------
    url : str
    path : Path
    sha256 : str, optional
        What it must be.
    watch : callable, optional

    Raises
    ------
    RunError
        If it did not come, or not whole; what came of it is kept and continued by the next call.
    """
    make_folder(path.parent)
    part, tag = path.with_name(f"{path.name}.part"), path.with_name(f"{path.name}.etag")
    with _told(url):
        try:
            _receive(url, part, tag, watch)
        except HTTPError as error:
            error.close()  # it is the answer, too, with its connection
            if error.code != _NOTHING_LEFT:
                raise
            part.unlink()  # it may be whole, but the server will not say so
            _receive(url, part, tag, watch)
    if sha256 is not None:
        with part.open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
        if found != sha256:
            part.unlink()
            raise RunError(
                f"A file with sha256 {sha256[:16]}… was expected from {url}, {found[:16]}… came, and was removed; run "
                "again to fetch it anew."
            )
    rename(part, path)
    tag.unlink(missing_ok=True)


def extract(file: Path, folder: Path) -> None:
    """Unpack a zip archive into a folder, without the one folder that it may hold everything in.

    Raises
    ------
    InputError
        If a member would be written outside the folder.
    RunError
        If the archive is damaged; it is removed then.
    """
    try:
        with _room(), new_folder(folder) as part, zipfile.ZipFile(file) as archive:
            _extract(archive, file, part)
    except AxonflowError:
        raise
    except (*_DAMAGE, OSError) as error:
        if isinstance(error, OSError) and error.errno not in {None, errno.EINVAL}:
            raise  # of the disk: those of a damaged archive have no number, or that of a place before its beginning
        file.unlink()
        raise RunError(
            f"A zip archive was expected in {file}, it is damaged ({error}) and was removed; run again to fetch it "
            "anew."
        ) from error


def _extract(archive: zipfile.ZipFile, file: Path, folder: Path) -> None:
    _refuse_lost(archive, file)
    members = [info for info in archive.infolist() if not info.filename.startswith("__MACOSX/")]
    if not members:
        raise zipfile.BadZipFile("it is empty")
    for info in members:
        _refuse_outside(info, file)
    tops = {PurePosixPath(info.filename).parts[0] for info in members}
    depth = int(len(tops) == 1 and all("/" in info.filename for info in members))
    for info in members:
        with archive.open(info) as source:  # holds the name against the member's own: no file passes for a folder
            if not info.is_dir():
                target = folder.joinpath(*PurePosixPath(info.filename).parts[depth:])
                target.parent.mkdir(parents=True, exist_ok=True)
                with target.open("wb") as sink:
                    shutil.copyfileobj(source, sink, _BLOCK)  # checks the member's CRC at its end


def _receive(url: str, part: Path, tag: Path, watch: Watch | None) -> None:
    start = part.stat().st_size if part.exists() and tag.exists() else 0
    request = Request(url, headers={"User-Agent": "axonflow"})
    if start:
        request.add_header("Range", f"bytes={start}-")
        request.add_header("If-Range", tag.read_text())
    answer: HTTPResponse
    with urlopen(request, timeout=_PATIENCE_S) as answer:
        if answer.status != _PARTIAL:
            start = 0
        elif not (answer.headers["Content-Range"] or "").startswith(f"bytes {start}-"):
            raise HTTPException(f"bytes from {start} on were asked for, {answer.headers['Content-Range']!r} came")
        etag = answer.headers["ETag"]
        if etag and not etag.startswith("W/"):  # only a strong one vouches for every byte
            tag.write_text(etag)
        else:
            tag.unlink(missing_ok=True)
        length = answer.headers["Content-Length"]
        total = None if length is None else start + int(length)
        done = start
        with part.open("ab" if start else "wb") as stream:
            while block := answer.read(_BLOCK):
                stream.write(block)
                done += len(block)
                if watch:
                    watch(done, total)
    if total is not None and done < total:
        raise HTTPException(f"{total} bytes were announced, it ended after {done}")


@contextmanager
def _told(url: str) -> Iterator[None]:
    """Say what went wrong with a transfer, and what to do."""
    try:
        with _room():
            yield
    except HTTPError as error:
        raise RunError(
            f"A file was expected at {url}, the server answered {error.code} {error.reason}; run again later, or look "
            "whether it has moved."
        ) from error
    except (URLError, HTTPException, ssl.SSLError, TimeoutError, ConnectionError) as error:
        reason = getattr(error, "reason", error)
        raise RunError(
            f"{url} could not be fetched whole: {reason}. What came is kept: run again to continue. Behind a proxy, "
            "set HTTPS_PROXY; if certificates are refused, SSL_CERT_FILE. Without a network here, fetch the file "
            "elsewhere and copy it; a model is taken in with axonflow models import FILE."
        ) from error


@contextmanager
def _room() -> Iterator[None]:
    """Say that the disk is full."""
    try:
        yield
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
            raise
        raise RunError(
            "Room on the disk was expected, there is none left; what came is kept: make room and run again to continue."
        ) from error


def _refuse_lost(archive: zipfile.ZipFile, file: Path) -> None:
    """Hold the members that were found against their number in the archive's end record, which zipfile does not read.

    A damaged length in the list of members can swallow the members after it.
    """
    with file.open("rb") as stream:
        stream.seek(max(0, file.stat().st_size - _END_RECORD_MOST))
        tail = stream.read()
    (said,) = struct.unpack_from("<H", tail, tail.rfind(b"PK\5\6") + 10)
    found = len(archive.infolist())
    if said not in {found, _COUNTED_ELSEWHERE}:
        raise zipfile.BadZipFile(f"it should have {said} members, {found} were found")


def _refuse_outside(info: zipfile.ZipInfo, file: Path) -> None:
    if named := astray(info):
        raise InputError(
            f"An archive whose files stay in its folder was expected, {file} holds {named}; nothing was unpacked: do "
            "not trust where it came from."
        )
