"""What is served, and to whom not; without a browser."""

import http.client
import re
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest

from axonflow.errors import InputError
from axonflow.results.viewer.server import Server, serving

INSIDE = bytes(range(256)) * 8


class Answer(NamedTuple):
    status: int
    headers: http.client.HTTPMessage
    body: bytes


Ask = Callable[..., Answer]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    top = tmp_path_factory.mktemp("served")
    (top / "secret.txt").write_text("secret")
    (top / "secrets").mkdir()
    (top / "secrets" / "secret.txt").write_text("secret")
    store = top / "slide.ome.zarr"
    (store / "s0").mkdir(parents=True)
    (store / "s0" / "shard").write_bytes(INSIDE)
    (store / ".axonflow").mkdir()
    (store / ".axonflow" / "journal").write_text("secret")
    (store / "link.txt").symlink_to(top / "secret.txt")
    (store / "linked").symlink_to(top / "secrets")
    (store / "journal").symlink_to(store / ".axonflow" / "journal")
    (top / "slide.ome.zarr-not").mkdir()
    (top / "slide.ome.zarr-not" / "secret.txt").write_text("secret")
    return store


@pytest.fixture(scope="module")
def server(store: Path) -> Iterator[Server]:
    def make(path: str) -> bytes:
        return {"made": b"on demand"}[path]

    with serving([store], [make], {"word": "</script>"}) as server:
        yield server


@pytest.fixture
def ask(server: Server) -> Ask:
    def ask(path: str, method: str = "GET", **headers: str) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
        try:
            connection.putrequest(method, path, skip_host="Host" in headers)
            for name, value in headers.items():
                connection.putheader(name.replace("_", "-"), value)
            connection.endheaders()
            reply = connection.getresponse()
            return Answer(reply.status, reply.headers, reply.read())
        finally:
            connection.close()

    return ask


def path_of(address: str) -> str:
    return "/" + address.split("/", 3)[3]


def test_a_file_of_the_store_and_one_made_on_demand_are_served(server: Server, ask: Ask) -> None:
    assert ask(path_of(server.store(0)) + "s0/shard")[::2] == (200, INSIDE)
    assert ask(path_of(server.made(0)) + "made")[::2] == (200, b"on demand")
    assert ask(path_of(server.made(0)) + "other").status == 404
    assert ask(path_of(server.store(0)) + "s0/other").status == 404


@pytest.mark.parametrize(
    ("wanted", "part"), [("0-9", slice(0, 10)), ("100-199", slice(100, 200)), ("-5", slice(-5, None))]
)
def test_ranges_are_answered_with_that_part(server: Server, ask: Ask, wanted: str, part: slice) -> None:
    answer = ask(path_of(server.store(0)) + "s0/shard", Range=f"bytes={wanted}")
    assert answer[::2] == (206, INSIDE[part])
    assert answer.headers["Content-Range"].endswith(f"/{len(INSIDE)}")


@pytest.mark.parametrize(
    "path",
    [
        "../secret.txt",
        "s0/../../secret.txt",
        "%2e%2e/secret.txt",
        "..%2fsecret.txt",
        "../slide.ome.zarr-not/secret.txt",
        "/etc/passwd",
        "%2fetc%2fpasswd",
        "link.txt",
        "linked/secret.txt",
        ".axonflow/journal",
        "s0/../.axonflow/journal",
        "journal",
        "s0/%00",
        "",
        "s0",
        "s0/",
    ],
)
def test_nothing_outside_the_store_is_served(server: Server, ask: Ask, path: str) -> None:
    answer = ask(path_of(server.store(0)) + path)
    assert answer.status in {403, 404}
    assert b"secret" not in answer.body
    assert b"root:" not in answer.body


def test_nothing_is_served_without_the_token(server: Server, ask: Ask) -> None:
    for address in (server.page, server.store(0) + "s0/shard", server.made(0) + "made"):
        path = path_of(address)
        assert ask(path).status == 200
        assert ask(path.replace(server.token, server.token[:-1] + "?")).status == 404
        assert ask(path.replace(server.token, "x" * len(server.token))).status == 404
        assert ask(path.replace(f"/{server.token}", "")).status == 404
    assert len(server.token) >= 32


@pytest.mark.parametrize(
    "origin", ["http://example.org", "null", "https://127.0.0.1", "http://127.0.0.1:1", "http://localhost"]
)
def test_another_page_gets_nothing(server: Server, ask: Ask, origin: str) -> None:
    for address in (server.page, server.store(0) + "s0/shard", server.made(0) + "made"):
        for method in ("GET", "HEAD", "OPTIONS"):
            answer = ask(path_of(address), method, Origin=origin)
            assert answer.status == 403
            assert answer.headers["Access-Control-Allow-Origin"] is None


def test_another_host_name_gets_nothing(server: Server, ask: Ask) -> None:
    assert ask(path_of(server.page), Host=f"example.org:{server.port}").status == 403
    assert ask(path_of(server.page), Host=f"localhost:{server.port}").status == 200


def test_the_page_may_ask_under_either_name_of_this_machine(server: Server, ask: Ask) -> None:
    for host in ("127.0.0.1", "localhost"):
        origin = f"http://{host}:{server.port}"
        for path in (path_of(server.store(0)) + "s0/shard", path_of(server.made(0)) + "made"):
            answer = ask(path, Origin=origin)
            assert answer.status == 200
            assert answer.headers["Access-Control-Allow-Origin"] == origin
            assert ask(path, "OPTIONS", Origin=origin).headers["Access-Control-Allow-Headers"] == "Range"
    assert ask(path_of(server.store(0)) + "s0/shard").headers["Access-Control-Allow-Origin"] is None


def test_constants_cannot_end_the_script_of_the_page(server: Server, ask: Ask) -> None:
    page = ask(path_of(server.page)).body.decode()
    assert page.count("</script>") == page.count("<script")
    assert "axonflow.js" in page


def test_only_this_machine_is_listened_to(server: Server) -> None:
    open_here = psutil.Process().net_connections(kind="inet")
    assert {each.laddr.ip for each in open_here if each.laddr.port == server.port} == {"127.0.0.1"}


def test_a_port_that_is_taken_is_refused(store: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with (
            pytest.raises(InputError, match="give another"),
            serving([store], [str.encode], {}, other.getsockname()[1]),
        ):
            pass


def test_the_page_may_ask_this_server_alone(server: Server, ask: Ask) -> None:
    answers = [ask(path_of(server.page)) for _ in range(2)]
    policies = [str(answer.headers["Content-Security-Policy"]) for answer in answers]
    for answer, policy in zip(answers, policies, strict=True):
        allowed = dict(part.split(" ", 1) for part in policy.split("; "))
        assert allowed["default-src"] == allowed["base-uri"] == allowed["form-action"] == "'none'"
        assert "unsafe-inline" not in allowed["script-src"]
        assert "unsafe-eval" not in allowed["script-src"].replace("wasm-unsafe-eval", "")
        once = re.findall(r"'nonce-([\w-]+)'", allowed["script-src"])
        assert re.findall(r'<script nonce="([^"]+)">', answer.body.decode()) == once
        hosts = set(re.findall(r"http://\S+", policy))
        assert hosts == {f"http://{name}:{server.port}" for name in ("127.0.0.1", "localhost")}
    assert policies[0] != policies[1]
