"""A DANDI archive and a GitHub on loopback, with folders of our own: what the downloads of ASTIH talk to in tests.

It answers as https://api.dandiarchive.org/api does: info, dandiset, version, pages of assets, metadata with digests,
a download that redirects to a store of blobs; and as GitHub does: zip archives. Blobs and archives know ETag and Range.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import NAMESPACE_URL, uuid5

WHEN = "2025-05-12T16:26:00+00:00"
PAGE = 5
"""Assets on a page: few, so that a small data set has several."""


@dataclass
class Served:
    """What is served, and how badly.

    Attributes
    ----------
    url : str
    dandisets : dict
        Files of (dandiset, version), by their paths.
    archives : dict
        Zip archives, by their paths.
    breaks : dict
        Bytes after which the next transfer of a path is cut; once each.
    rotten : set
        Paths of assets whose bytes are not those of their digests.
    strong : bool
        Whether archives have an ETag that a Range can rely on.
    asked : list
        (path, Range) of all requests for bytes.
    """

    url: str = ""
    dandisets: dict[tuple[str, str], dict[str, bytes]] = field(default_factory=dict)
    archives: dict[str, bytes] = field(default_factory=dict)
    breaks: dict[str, int] = field(default_factory=dict)
    rotten: set[str] = field(default_factory=set)
    strong: bool = True
    asked: list[tuple[str, str | None]] = field(default_factory=list)

    def asset(self, identifier: str) -> tuple[str, bytes]:
        return next(
            (path, content)
            for files in self.dandisets.values()
            for path, content in files.items()
            if asset_id(path) == identifier
        )


def asset_id(path: str) -> str:
    return str(uuid5(NAMESPACE_URL, path))


def contents(folder: Path) -> dict[str, bytes]:
    """Read all files of a folder."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def zipped(files: dict[str, bytes], top: str = "") -> bytes:
    """Pack files into a zip archive, in one folder if it has a name."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        if top:
            archive.mkdir(top)
        for path, content in files.items():
            archive.writestr(f"{top}/{path}" if top else path, content)
    return stream.getvalue()


@contextmanager
def serving() -> Iterator[Served]:
    """Serve on a free port of loopback."""
    served = Served()
    server = ThreadingHTTPServer(("127.0.0.1", 0), lambda *given: _Handler(served, *given))
    served.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    def __init__(self, served: Served, *given: Any) -> None:
        self.served = served
        super().__init__(*given)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002  # the base class calls it so
        pass

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        routes: tuple[tuple[str, Callable[..., None]], ...] = (
            (r"/api/info/", self._info),
            (r"/api/dandisets/(\d+)/", self._dandiset),
            (r"/api/dandisets/(\d+)/versions/([\d.]+)/(info/)?", self._version),
            (r"/api/dandisets/(\d+)/versions/([\d.]+)/assets/", self._assets),
            (r"/api/(?:dandisets/\d+/versions/[\d.]+/)?assets/([\w-]+)/", self._metadata),
            (r"/api/(?:dandisets/\d+/versions/[\d.]+/)?assets/([\w-]+)/download/", self._redirect),
            (r"/blobs/([\w-]+)", self._blob),
        )
        for pattern, answer in routes:
            if match := re.fullmatch(pattern, path):
                try:
                    return answer(*match.groups())
                except (KeyError, StopIteration):
                    return self.send_error(404)
        if path.lstrip("/") in self.served.archives:
            return self._bytes(path, self.served.archives[path.lstrip("/")], strong=self.served.strong)
        return self.send_error(404)

    def _json(self, value: object) -> None:
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _info(self) -> None:
        self._json(
            {
                "version": "0.3.0",
                "schema_version": "0.6.9",
                "cli-minimal-version": "0.60.0",
                "cli-bad-versions": [],
                "services": {"api": {"url": f"{self.served.url}/api"}, "webui": {"url": self.served.url}},
            }
        )

    def _about(self, dandiset: str, version: str) -> dict[str, Any]:
        files = self.served.dandisets[dandiset, version]
        return {
            "version": version,
            "name": "A sample",
            "asset_count": len(files),
            "size": sum(map(len, files.values())),
            "status": "Valid",
            "created": WHEN,
            "modified": WHEN,
        }

    def _dandiset(self, dandiset: str) -> None:
        version = next(known for number, known in self.served.dandisets if number == dandiset)
        about = self._about(dandiset, version)
        self._json(
            {
                "identifier": dandiset,
                "created": WHEN,
                "modified": WHEN,
                "contact_person": "Nobody",
                "embargo_status": "OPEN",
                "draft_version": about | {"version": "draft"},
                "most_recent_published_version": about,
            }
        )

    def _version(self, dandiset: str, version: str, info: str | None) -> None:
        about = self._about(dandiset, version)
        metadata = {"identifier": f"DANDI:{dandiset}", "name": about["name"], "version": version}
        self._json(about | {"metadata": metadata} if info else metadata)

    def _assets(self, dandiset: str, version: str) -> None:
        files = sorted(self.served.dandisets[dandiset, version].items())
        page = int(parse_qs(urlsplit(self.path).query).get("page", ["1"])[0])
        base = f"{self.served.url}{urlsplit(self.path).path}"
        self._json(
            {
                "count": len(files),
                "next": f"{base}?page={page + 1}" if page * PAGE < len(files) else None,
                "previous": None,
                "results": [
                    {
                        "asset_id": asset_id(path),
                        "blob": asset_id(path),
                        "zarr": None,
                        "path": path,
                        "size": len(content),
                        "created": WHEN,
                        "modified": WHEN,
                    }
                    for path, content in files[(page - 1) * PAGE : page * PAGE]
                ],
            }
        )

    def _metadata(self, identifier: str) -> None:
        path, content = self.served.asset(identifier)
        etag = hashlib.md5(hashlib.md5(content).digest()).hexdigest()  # of files in one part
        self._json(
            {
                "id": f"dandiasset:{identifier}",
                "identifier": identifier,
                "path": path,
                "contentSize": len(content),
                "contentUrl": [f"{self.served.url}/api/assets/{identifier}/download/"],
                "encodingFormat": "application/octet-stream",
                "blobDateModified": WHEN,
                "digest": {
                    "dandi:dandi-etag": f"{etag}-1",
                    "dandi:sha2-256": hashlib.sha256(content).hexdigest(),
                },
            }
        )

    def _redirect(self, identifier: str) -> None:
        self.send_response(302)
        self.send_header("Location", f"{self.served.url}/blobs/{identifier}")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _blob(self, identifier: str) -> None:
        path, content = self.served.asset(identifier)
        self._bytes(path, bytes(len(content)) if path in self.served.rotten else content, strong=True)

    def _bytes(self, path: str, content: bytes, *, strong: bool) -> None:
        asked = self.headers["Range"]
        self.served.asked.append((path, asked))
        etag = f'"{hashlib.sha256(content).hexdigest()}"'
        start = int(asked.removeprefix("bytes=").partition("-")[0]) if asked and strong else 0
        if start and self.headers.get("If-Range", etag) != etag:
            start = 0
        if start >= len(content) > 0:
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(content)}")
            self.send_header("Content-Length", "0")
            return self.end_headers()
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("ETag", etag if strong else f"W/{etag}")
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        end = self.served.breaks.pop(path, len(content))
        self.wfile.write(content[start:end])
        return None
