"""A file is there whole or as it was before, and what was written or removed stays so when the power goes."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random
from uuid import uuid4

import pytest
from power import Disk

from axonflow.kernel.files import (
    NewFiles,
    make_durable,
    make_folder,
    make_folders,
    new_file,
    new_folder,
    remove,
    rename,
    sweep,
    write_file,
)

OLD, NEW = b"old " * 100, b"new" * 200


def several(top: Path) -> None:
    with NewFiles(top) as files:
        for name in ("a/b/one", "a/b/two", "a/three"):
            with files.new_file(top / name) as file:
                file.write(NEW)


def several_in_folders(top: Path) -> None:
    make_folders([top / "a" / "b", top / "c"], top)
    with NewFiles(top, made=True) as files:
        for name in ("a/b/one", "a/b/two", "c/three", "never/made"):
            with files.new_file(top / name) as file:
                file.write(NEW)


def folder(top: Path) -> None:
    with new_folder(top / "folder") as part:
        (part / "inner").mkdir()
        (part / "inner" / "file").write_bytes(NEW)
        (part / "file").write_bytes(NEW)


def by_hand(top: Path) -> None:
    (top / "deep" / "er").mkdir(parents=True)
    (top / "deep" / "er" / "file").write_bytes(NEW)
    make_durable([top / "deep" / "er" / "file", top / "deep" / "never"], top)


def continued(top: Path) -> None:
    (top / "there.part").write_bytes(NEW)
    rename(top / "there.part", top / "there")


WAYS: dict[str, Callable[[Path], None]] = {
    "a new file": lambda top: write_file(top / "new", NEW),
    "in place of another": lambda top: write_file(top / "there", NEW),
    "one that was continued": continued,
    "several": several,
    "several in folders that were made": several_in_folders,
    "a new folder": folder,
    "a folder made": lambda top: make_folder(top / "a" / "b" / "c", top),
    "by a library": by_hand,
    "a file removed": lambda top: remove(top / "there", top / "never"),
    "a folder removed": lambda top: remove(top / "folder"),
}


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="needs to know which files are open")
@pytest.mark.parametrize("way", WAYS)
def test_what_has_returned_is_certain_and_before_it_is_old_or_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    top = tmp_path / "disk"
    (top / "folder" / "inner").mkdir(parents=True)
    for path in (top / "there", top / "folder" / "inner" / "file", top / "folder" / "other"):
        path.write_bytes(OLD)
    disk, chance, left = Disk(top), Random(way), list[Path]()

    def heard(_call: str, _path: Path) -> None:
        for keeping in (0.0, 0.5, 0.9):
            left.append(tmp_path / str(len(left)))
            disk.cut(left[-1], chance, keeping)

    with disk.watched(monkeypatch, heard):
        WAYS[way](top)
        disk.cut(tmp_path / "after", chance, 0.0)
    assert not [name for name in tree(top) if name.endswith(".partial")]
    sweep(tmp_path / "after")  # what was removed may come back by the name it had at the end
    assert tree(tmp_path / "after") == tree(top)
    for after in left:
        sweep(after)
        (after / "there.part").unlink(missing_ok=True)
        if way != "by a library":
            assert set(tree(after).values()) <= {None, OLD, NEW}
        if (after / "folder").exists():  # whole
            inside = tree(after / "folder")
            assert {"inner/file", "file" if NEW in inside.values() else "other"} <= inside.keys()


def tree(top: Path) -> dict[str, bytes | None]:
    return {str(path.relative_to(top)): path.read_bytes() if path.is_file() else None for path in top.rglob("*")}


def fail(path: Path) -> None:
    (path / "file" if path.is_dir() else path).write_bytes(NEW)
    raise EOFError


def fail_at_the_third(top: Path) -> None:
    with NewFiles(top) as files:
        with files.new_file(top / "file") as file:
            file.write(NEW)
        with files.new_file(top / "other") as file:
            file.write(NEW[:100])
            raise EOFError


@pytest.mark.parametrize("durable", [True, False])
def test_what_fails_leaves_what_was_there(tmp_path: Path, durable: bool) -> None:
    write_file(tmp_path / "file", OLD)
    make_folder(tmp_path / "folder")
    write_file(tmp_path / "folder" / "file", OLD)
    before = tree(tmp_path)
    with pytest.raises(EOFError), new_file(tmp_path / "file", durable=durable) as part:
        fail(part)
    with pytest.raises(EOFError), new_folder(tmp_path / "folder", durable=durable) as part:
        fail(part)
    with pytest.raises(EOFError):
        fail_at_the_third(tmp_path)
    assert tree(tmp_path) == before


def test_a_flush_that_fails_is_heard_and_nothing_gets_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(handle: int) -> None:
        if not stat.S_ISDIR(os.fstat(handle).st_mode):
            raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(OSError, match="Input/output"):
        write_file(tmp_path / "file", NEW)
    with pytest.raises(OSError, match="Input/output"):
        several(tmp_path)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_file_systems_that_flush_no_folders_are_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(handle: int) -> None:
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(os, "fsync", refuse)
    several(tmp_path)
    folder(tmp_path)
    assert (tmp_path / "folder" / "inner" / "file").read_bytes() == NEW


def test_a_link_to_itself_is_said_by_the_file_system(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("link")
    with pytest.raises(OSError, match="link"):
        write_file(tmp_path / "link", b"1")


def test_a_link_is_followed_and_a_pipe_is_written_to(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere" / "file")
    for content in (OLD, NEW):  # a file that is not there yet, and one that is
        write_file(tmp_path / "link", content)
        assert (tmp_path / "elsewhere" / "file").read_bytes() == content
    assert (tmp_path / "link").is_symlink()
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    write_file(tmp_path / "pipe", NEW)
    assert os.read(reader, 10_000) == NEW
    os.close(reader)
    assert (tmp_path / "pipe").is_fifo()


KILLED = """
import os, sys
from pathlib import Path
from axonflow.kernel.files import NewFiles, new_file, new_folder

top = Path(sys.argv[1])
with NewFiles(top) as files, files.new_file(top / "c" / "0") as shard, new_folder(top / "maps") as maps:
    with new_file(top / "run.json") as part:
        shard.write(b"half")
        for path in (maps / "zarr.json", part):
            path.write_bytes(b"half")
        os._exit(0)
"""


def test_sweeping_takes_what_a_killed_process_left_and_nothing_else(tmp_path: Path) -> None:
    make_folder(tmp_path / "c")
    for name in ("c/1", "run.json", "download.partial", "c/0.beef.partial", "partial"):
        write_file(tmp_path / name, OLD)
    before = tree(tmp_path)
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=True)
    (tmp_path / "c" / f"0.{uuid4().hex}.partial").write_bytes(b"half")  # as Zarr names them
    assert len(tree(tmp_path)) == len(before) + 5
    sweep(tmp_path)
    assert tree(tmp_path) == before
