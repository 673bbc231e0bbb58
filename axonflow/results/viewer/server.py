"""What is served to whom: the page and the stores, on one port that only this machine reaches, to who knows the token.

The page is neuroglancer's, from its own server, beside which the routes of this file are hung. Nothing is answered
unless the request names this server as its host, and this server's page, or nobody, as its origin.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from secrets import token_urlsafe
from types import MappingProxyType
from typing import Any

from neuroglancer import server as page_server
from neuroglancer.viewer_base import ViewerBase
from tornado.httputil import HTTPServerRequest
from tornado.ioloop import IOLoop
from tornado.routing import Matcher, Rule
from tornado.web import Application, HTTPError, RequestHandler, StaticFileHandler

from axonflow.errors import InputError

__all__ = ["Made", "Server", "serving"]

LOOPBACK = "127.0.0.1"
SCRIPT = "axonflow.js"

Made = Callable[[str], bytes]
"""Makes the file of a path that lies in no store; raises LookupError if there is none."""

Wrong = Callable[[Path], str]
"""Says what is wrong with a file of a store; nothing if it is as it was written."""


@dataclass(frozen=True)
class Server:
    """A server that answers.

    Attributes
    ----------
    port : int
    token : str
        Which every address must hold.
    viewer : neuroglancer.viewer_base.ViewerBase
        The state of the page, which it follows and writes.
    soon : callable
        Calls what it is given in the server's own thread, when that is free.
    """

    port: int
    token: str
    viewer: Any
    soon: Callable[[Callable[[], None]], object]

    @property
    def page(self) -> str:
        """Address of the page."""
        return f"http://{LOOPBACK}:{self.port}/v/{self.token}/"

    def store(self, number: int) -> str:
        """Return the address beneath which the files of a store lie."""
        return f"http://{LOOPBACK}:{self.port}/store/{self.token}/{number}/"

    def made(self, number: int) -> str:
        """Return the address beneath which lies what is made of a store on demand."""
        return f"http://{LOOPBACK}:{self.port}/made/{self.token}/{number}/"


@contextmanager
def serving(
    stores: Sequence[Path],
    made: Sequence[Made],
    constants: Mapping[str, object] = MappingProxyType({}),
    port: int = 0,
    wrong: Wrong = lambda _path: "",
) -> Iterator[Server]:
    """Serve stores, each with what is made of it on demand, until the context is left.

    Parameters
    ----------
    stores : sequence of Path
    made : sequence of Made
        As many.
    constants : mapping of str to object
        What the page's script reads as ``AXONFLOW``; JSON can hold it.
    port : int
        0 for any that is free.
    wrong : callable
        Says what is wrong with a file of a store, which is then not served: the page does not look at checksums.

    Raises
    ------
    InputError
        If the port cannot be had.
    """
    token = token_urlsafe(24)
    _check_free(port)
    pages = page_server.Server(LOOPBACK, port)
    try:
        viewer = ViewerBase(token=token)  # with a token of its own it hands out no credentials
        pages.viewers[token] = viewer
        routes: list[Any] = [
            (rf"/v/{token}/", _Page, {"constants": dict(constants)}),
            (rf"/v/{token}/{SCRIPT}", _Script),
        ]
        for number, (store, make) in enumerate(zip(stores, made, strict=True)):
            routes += [
                (rf"/store/{token}/{number}/(.*)", _StoreFile, {"path": str(store.resolve()), "wrong": wrong}),
                (rf"/made/{token}/{number}/(.*)", _MadeFile, {"make": make}),
            ]
        _hang(pages.app, routes, pages.port)
        yield Server(pages.port, token, viewer, pages.loop.call_soon_threadsafe)
    finally:
        pages.stop()


def _check_free(port: int) -> None:
    """Refuse a port that is taken, which the page's server would do with a socket left open."""
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((LOOPBACK, port))
        except OSError as error:
            raise InputError(f"Port {port} was expected to be free: {error.strerror}; give another one.") from error


def _hang(app: Application, routes: list[Any], port: int) -> None:
    """Add routes to the page's server, and before all of them the one that refuses."""
    app.add_handlers(".*", routes)
    app.default_router.rules.insert(0, Rule(_Foreign(port), _Refused))


class _Foreign(Matcher):
    """Matches what was asked under another host's name, or by another host's page."""

    def __init__(self, port: int) -> None:
        self.ours = {f"{name}:{port}" for name in (LOOPBACK, "localhost")}

    def match(self, request: HTTPServerRequest) -> dict[str, Any] | None:
        origin = request.headers.get("Origin")
        known = request.host in self.ours and (origin is None or origin.removeprefix("http://") in self.ours)
        return None if known else {}


class _Refused(RequestHandler):
    def prepare(self) -> None:
        raise HTTPError(403)


class _Shared(RequestHandler):
    """Answers the page under either name of this machine; other origins were refused before."""

    def set_default_headers(self) -> None:
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Vary", "Origin")
        if origin := self.request.headers.get("Origin"):
            self.set_header("Access-Control-Allow-Origin", origin)
            self.set_header("Access-Control-Allow-Headers", "Range")
            self.set_header("Access-Control-Expose-Headers", "Content-Range")

    def options(self, path: str) -> None:  # noqa: ARG002  # the route's
        self.set_status(204)


class _StoreFile(_Shared, StaticFileHandler):
    """A file of a store; tornado answers ranges."""

    def initialize(self, path: str, wrong: Wrong) -> None:  # type: ignore[override]  # the route gives both
        super().initialize(path)
        self.wrong = wrong

    def validate_absolute_path(self, root: str, absolute_path: str) -> str | None:
        try:
            path = Path(absolute_path).resolve()
        except (OSError, ValueError):
            raise HTTPError(404) from None
        inside = path.relative_to(root).parts if path.is_relative_to(root) else (".",)
        if any(part.startswith(".") for part in inside):
            raise HTTPError(403)
        if self.wrong(path):
            raise HTTPError(500, "%s is damaged", path)
        return super().validate_absolute_path(root, str(path))

    def compute_etag(self) -> str:
        """Shards are large, so their content is not read for it."""
        stat = Path(self.absolute_path or "").stat()
        return f'"{stat.st_mtime_ns:x}-{stat.st_size:x}"'


class _MadeFile(_Shared):
    """What is made on demand."""

    def initialize(self, make: Made) -> None:
        self.make = make

    async def get(self, path: str) -> None:
        try:
            content = await IOLoop.current().run_in_executor(None, self.make, path)
        except LookupError:
            raise HTTPError(404) from None
        self.set_header("Content-Type", "application/octet-stream")
        self.finish(content)


class _Page(RequestHandler):
    """The page's frame, with this project's script."""

    def initialize(self, constants: dict[str, object]) -> None:
        self.constants = json.dumps(constants).replace("<", "\\u003c")  # nothing in it may end the script

    def get(self) -> None:
        page, kind = page_server.global_static_content_source.get("", "")
        once = token_urlsafe(16)
        ours = (
            f'<link rel="icon" href="data:,"><script nonce="{once}">const AXONFLOW = {self.constants};</script>'
            f'<script defer src="{SCRIPT}"></script></head>'
        )
        self.set_header("Content-Type", kind)
        self.set_header("Content-Security-Policy", _policy(once, self.request.host))
        self.set_header("Referrer-Policy", "no-referrer")  # the address holds the token
        self.finish(page.decode().replace("</head>", ours, 1).replace(">neuroglancer<", ">axonflow<", 1))


def _policy(once: str, host: str) -> str:
    """Return what the page may load and ask: nothing but this server, under either of its names.

    A name in a store that came to be taken for markup could then neither run a script nor send anything away.

    Parameters
    ----------
    once : str
        What the page's own script is known by.
    host : str
        What the browser calls this server, with its port.
    """
    _, _, port = host.rpartition(":")
    us = f"'self' http://{LOOPBACK}:{port} http://localhost:{port}"
    allowed = {
        "default-src": "'none'",
        "script-src": f"'self' 'nonce-{once}' 'wasm-unsafe-eval'",
        "style-src": "'self' 'unsafe-inline'",  # neuroglancer places its parts by styles of their own
        "img-src": f"{us} data: blob:",
        "font-src": "'self' data:",
        "connect-src": f"{us} data: blob:",
        "worker-src": "'self' blob:",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'self'",
    }
    return "; ".join(f"{name} {sources}" for name, sources in allowed.items())


class _Script(RequestHandler):
    def get(self) -> None:
        self.set_header("Content-Type", "application/javascript")
        self.finish((files("axonflow.results.viewer") / SCRIPT).read_bytes())
