"""An archive is fetched and unpacked whole, wherever a transfer breaks, or not at all; all on loopback."""

from __future__ import annotations

import os
import shutil
import stat
import zipfile
from pathlib import Path

import pytest
from astih_server import Served, contents, serving, zipped
from hypothesis import given, settings
from hypothesis import strategies as st
from slides import command

from axonflow.astih import MODELS
from axonflow.astih.archive import extract, fetch
from axonflow.errors import InputError, RunError


def test_a_published_model_is_fetched(served: Served, tmp_path: Path) -> None:
    files = {"dataset.json": b"{}", "fold_all/checkpoint_final.pth": os.urandom(5000)}
    served.archives[MODELS[2].archive.path] = zipped(files, MODELS[2].archive.name)
    ran = command("astih", "models", "download", MODELS[2].name, tmp_path / "models")
    assert ran.code == 0
    assert contents(tmp_path / "models") == {f"{MODELS[2].archive.name}/{path}": kept for path, kept in files.items()}
    assert "nnU-Net" in ran.out
    served.asked.clear()
    assert command("astih", "models", "download", MODELS[2].name, tmp_path / "models").code == 0
    assert served.asked == []


@settings(max_examples=20)
@given(size=st.integers(1, 5000), breaks=st.lists(st.integers(0, 5000), max_size=3), strong=st.booleans())
def test_a_transfer_continues_wherever_it_broke(
    tmp_path_factory: pytest.TempPathFactory, size: int, breaks: list[int], strong: bool
) -> None:
    content = os.urandom(size)
    path = tmp_path_factory.mktemp("fetched") / "file.zip"
    had = 0
    with serving() as served:
        served.archives["file.zip"], served.strong = content, strong
        for at in sorted(breaks):
            if not had < at < size:
                continue
            served.breaks["/file.zip"] = at
            with pytest.raises(RunError, match="run again to continue"):
                fetch(f"{served.url}/file.zip", path)
            assert not path.exists()
            assert served.asked[-1][1] == (f"bytes={had}-" if had and strong else None)
            had = at
        fetch(f"{served.url}/file.zip", path)
    assert path.read_bytes() == content
    assert [file.name for file in path.parent.iterdir()] == ["file.zip"]


def broken_off(served: Served, path: Path, content: bytes, at: int) -> None:
    served.archives[path.name] = content
    served.breaks[f"/{path.name}"] = at
    with pytest.raises(RunError):
        fetch(f"{served.url}/{path.name}", path)


def test_a_file_that_changed_meanwhile_is_fetched_anew(served: Served, tmp_path: Path) -> None:
    path = tmp_path / "file"
    broken_off(served, path, bytes(1000), 400)
    served.archives["file"] = bytes(range(250)) * 4
    fetch(f"{served.url}/file", path)
    assert path.read_bytes() == bytes(range(250)) * 4


def test_a_file_whose_last_byte_came_before_it_was_named_is_fetched_anew(served: Served, tmp_path: Path) -> None:
    path = tmp_path / "file"
    broken_off(served, path, bytes(1000), 400)
    (tmp_path / "file.part").write_bytes(bytes(1000))
    fetch(f"{served.url}/file", path)
    assert path.read_bytes() == bytes(1000)


def test_another_checksum_is_refused_and_nothing_of_it_is_kept(served: Served, tmp_path: Path) -> None:
    served.archives["file"] = b"other"
    with pytest.raises(RunError, match=r"sha256 0000.*fetch it anew"):
        fetch(f"{served.url}/file", tmp_path / "file", sha256="0" * 64)
    assert not (tmp_path / "file").exists()
    assert not (tmp_path / "file.part").exists()


def test_servers_that_do_not_answer_are_told_of(served: Served, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"/none was expected|answered 404"):
        fetch(f"{served.url}/none", tmp_path / "file")
    with pytest.raises(RunError, match="HTTPS_PROXY"):
        fetch("http://127.0.0.1:9/none", tmp_path / "file")
    with pytest.raises(RunError, match="SSL_CERT_FILE"):
        fetch(served.url.replace("http:", "https:"), tmp_path / "file")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_told_of(served: Served, tmp_path: Path) -> None:
    (tmp_path / "file.part").symlink_to("/dev/full")
    served.archives["file"] = bytes(5000)
    with pytest.raises(RunError, match="make room and run again"):
        fetch(f"{served.url}/file", tmp_path / "file")


names = st.text("abc", min_size=1, max_size=3)


@settings(max_examples=30)
@given(
    files=st.dictionaries(st.tuples(st.sampled_from("xyz"), names).map("/".join), st.binary(max_size=50), min_size=1),
    top=st.sampled_from(["", "top"]),
)
def test_what_was_packed_is_unpacked(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes], top: str
) -> None:
    folder = tmp_path_factory.mktemp("unpacked")
    (folder / "a.zip").write_bytes(zipped(files, top))
    extract(folder / "a.zip", folder / "a")
    alone = not top and len({path[0] for path in files}) == 1
    assert contents(folder / "a") == {path.partition("/")[2] if alone else path: kept for path, kept in files.items()}
    assert sorted(path.name for path in folder.iterdir()) == ["a", "a.zip"]


@pytest.mark.parametrize("name", ["../outside", "top/../../outside", "/outside", "top\\..\\outside", "C:/outside"])
def test_archives_that_reach_outside_are_refused(tmp_path: Path, name: str) -> None:
    file = tmp_path / "in" / "a.zip"
    file.parent.mkdir()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("top/inside", "x")
        archive.writestr(name, "x")
    with pytest.raises(InputError, match="outside"):
        extract(file, tmp_path / "in" / "a")
    assert contents(tmp_path).keys() == {"in/a.zip"}


def test_links_in_archives_are_refused(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("top/link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(link, "/etc")
        archive.writestr("top/link/outside", "x")
    with pytest.raises(InputError, match="a link"):
        extract(tmp_path / "a.zip", tmp_path / "a")
    assert contents(tmp_path).keys() == {"a.zip"}


def survives(folder: Path, archive: bytes, files: dict[str, bytes]) -> None:
    """An archive is unpacked with all its contents, or not at all."""
    (folder / "a.zip").write_bytes(archive)
    try:
        extract(folder / "a.zip", folder / "a")
    except (RunError, InputError):
        assert not (folder / "a").exists()
    else:  # a byte that says nothing of what is inside: a time, a version, a name
        assert sorted(contents(folder / "a").values()) == sorted(files.values())
        shutil.rmtree(folder / "a")


@settings(max_examples=40)
@given(at=st.floats(0, 1, exclude_max=True), flip=st.integers(0, 255))
def test_damaged_archives_never_pass(tmp_path_factory: pytest.TempPathFactory, at: float, flip: int) -> None:
    files = {"x/a": bytes(range(256)) * 8, "y/b": b"b" * 100}
    whole = zipped(files)
    place = int(at * len(whole))
    damaged = whole[:place] + bytes([whole[place] ^ flip]) + whole[place + 1 :] if flip else whole[:place]
    survives(tmp_path_factory.mktemp("damaged"), damaged, files)


@pytest.mark.parametrize("flip", [1, 49, 78, 255])
def test_no_byte_of_the_list_of_members_loses_one(tmp_path: Path, flip: int) -> None:
    files = {"x/a": bytes(range(256)) * 8, "y/b": b"b" * 100}
    whole = zipped(files)
    for place in range(whole.find(b"PK\1\2"), len(whole)):
        survives(tmp_path, whole[:place] + bytes([whole[place] ^ flip]) + whole[place + 1 :], files)


def test_a_damaged_archive_is_fetched_again(served: Served, tmp_path: Path) -> None:
    archive = MODELS[2].archive
    served.archives[archive.path] = b"no zip archive"
    ran = command("astih", "models", "download", MODELS[2].name, tmp_path)
    assert ran.code == 1
    assert "fetch it anew" in " ".join(ran.err.split())
    served.archives[archive.path] = zipped({"dataset.json": b"{}"}, "top")
    assert command("astih", "models", "download", MODELS[2].name, tmp_path).code == 0
