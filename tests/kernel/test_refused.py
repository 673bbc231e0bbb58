"""What a file system refuses is said in words: no number, no name of a class, where it was, and what to do."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

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


@pytest.mark.parametrize(("error", "said"), [(OSError("words"), "words"), (OSError(), "OSError")])
def test_an_error_of_a_library_says_what_it_has(error: OSError, said: str) -> None:
    assert refused(error) == said
