"""Certificates are for their owner alone, from their first moment; and who has none is not let in."""

from __future__ import annotations

import json
import os
import socket
import ssl
from contextlib import suppress
from pathlib import Path
from stat import S_IMODE
from typing import Any

import pytest
from distributed import Client, LocalCluster
from distributed.security import Security

from axonflow.engine import certificates
from axonflow.errors import InputError


def modes(folder: Path) -> dict[str, int]:
    return {path.name: S_IMODE(path.stat().st_mode) for path in (folder, *folder.iterdir())}


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_nobody_else_can_read_them(tmp_path: Path, umask: int, monkeypatch: pytest.MonkeyPatch) -> None:
    created: list[int] = []
    real = os.open

    def watched(path: Any, flags: int, mode: int = 0o777) -> int:
        opened = real(path, flags, mode)
        created.append(S_IMODE(os.fstat(opened).st_mode))
        return opened

    monkeypatch.setattr(os, "open", watched)
    before = os.umask(umask)
    try:
        certificates.make(tmp_path / "inner" / "certificates")
    finally:
        os.umask(before)
    folder = tmp_path / "inner" / "certificates"
    assert modes(folder) == {"certificates": 0o700, "certificate.pem": 0o600, "key.pem": 0o600}
    assert created == [0o600, 0o600]


def test_a_folder_that_others_may_enter_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o750)
    with pytest.raises(InputError, match="chmod 700"):
        certificates.make(tmp_path)
    assert not list(tmp_path.iterdir())


def test_each_time_they_are_others(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    keys = set()
    for _ in range(2):
        certificates.make(tmp_path)
        keys.add((tmp_path / "key.pem").read_text())
    assert len(keys) == 2
    assert all("PRIVATE KEY" in key for key in keys)


def test_they_go_at_the_end_even_of_a_failure(tmp_path: Path) -> None:
    seen = []
    with suppress(ZeroDivisionError), certificates.made(tmp_path / "c") as folder:
        seen = sorted(path.name for path in folder.iterdir())
        raise ZeroDivisionError
    assert seen == ["certificate.pem", "key.pem"]
    assert not list(tmp_path.iterdir())
    certificates.discard(tmp_path / "c")  # again, which is no error


def test_files_and_arguments_are_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder = Path("relative")
    for role in ("client", "scheduler", "worker"):
        said = certificates.security(folder).get_tls_config_for_role(role)
        words = certificates.arguments(folder)
        assert words == ["--tls-ca-file", said["ca_file"], "--tls-cert", said["cert"], "--tls-key", said["key"]]
        assert all(Path(path).is_absolute() for path in words[1::2])
    assert certificates.security(folder).require_encryption


def knock(address: str, context: ssl.SSLContext | None) -> bytes:
    """Connect without asking who is there, and return what is said."""
    host, port = address.removeprefix("tls://").rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=10) as plain:
        if context is None:
            plain.sendall(b"hello")
            return plain.recv(100)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with context.wrap_socket(plain) as encrypted:
            return encrypted.recv(100)


def test_who_has_others_is_not_let_in(tmp_path: Path) -> None:
    others = Security.temporary().get_connection_args("client")["ssl_context"]
    none = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    with (
        certificates.made(tmp_path / "c") as folder,
        LocalCluster(
            n_workers=1,
            processes=False,
            host="127.0.0.1",
            protocol="tls://",
            security=certificates.security(folder),
            dashboard_address="127.0.0.1:0",
            silence_logs=50,
        ) as cluster,
    ):
        address, ours = cluster.scheduler_address, certificates.security(folder)
        with Client(address, security=ours) as client:
            assert client.submit(sum, [1, 2]).result() == 3
        assert knock(address, ours.get_connection_args("client")["ssl_context"])
        for context in (others, none):
            with pytest.raises(ssl.SSLError, match="alert"):
                knock(address, context)
        with suppress(ConnectionResetError):  # or it says that this is no TLS: a record of alert
            assert knock(address, None)[:1] in {b"", b"\x15"}


def test_a_scheduler_of_a_folder(tmp_path: Path) -> None:
    for left in (None, "", '{"addr'):  # not there, or half written
        if left is not None:
            (tmp_path / certificates.SCHEDULER).write_text(left)
        assert certificates.noted(tmp_path) is None
        with pytest.raises(InputError, match="axonflow cluster scheduler"):
            certificates.scheduler(str(tmp_path))
    (tmp_path / certificates.SCHEDULER).write_text(json.dumps({"address": "tls://a:1"}))
    address, security = certificates.scheduler(str(tmp_path))
    assert address == "tls://a:1"
    assert security is not None
    assert security.get_tls_config_for_role("client")["key"] == str(tmp_path / "key.pem")


def test_a_scheduler_of_an_address() -> None:
    assert certificates.scheduler("tcp://a:1") == ("tcp://a:1", None)
    address, security = certificates.scheduler("tls://a:1")
    assert address == "tls://a:1"
    assert isinstance(security, Security)
