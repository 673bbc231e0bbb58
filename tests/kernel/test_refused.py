"""What a file system refuses is said in words: no number, no name of a class, where it was, and what to do."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from axonflow.kernel.files import new_file
from axonflow.kernel.refused import refused


@pytest.mark.parametrize("number", sorted(errno.errorcode))
def test_no_number_is_shown(number: int) -> None:
    said = refused(OSError(number, os.strerror(number), Path("here")))
    assert "rrno" not in said
    assert "(here)" in said
    assert errno.errorcode[number] not in said


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS])
def test_what_can_be_done_is_said(number: int) -> None:
    assert "; " in refused(OSError(number, os.strerror(number)))


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM, errno.EROFS])
def test_where_a_flag_takes_another_folder_it_is_named(number: int) -> None:
    error = OSError(number, os.strerror(number))
    assert "choose another folder with --out" in refused(error, "--out")
    assert "{}" not in refused(error)
    assert "--out" not in refused(error)


@pytest.mark.parametrize("kind", [str, Path])
def test_a_file_is_called_as_it_was_asked_for(kind: type, tmp_path: Path) -> None:
    asked = tmp_path / "none" / "maps.png"
    asked.parent.mkdir()
    with new_file(asked) as part:
        part.write_bytes(b"")
    assert part != asked
    assert f"({asked})" in refused(OSError(errno.EACCES, os.strerror(errno.EACCES), kind(part)))


@pytest.mark.parametrize(("error", "said"), [(OSError("words"), "words"), (OSError(), "OSError")])
def test_an_error_of_a_library_says_what_it_has(error: OSError, said: str) -> None:
    assert refused(error) == said
