"""What may pass is tried again; what will not is told at once."""

from __future__ import annotations

import errno
import time

import pytest

from axonflow.kernel.retry import PASSING, PAUSES_S, retry


class Failing:
    """Fails so many times, then answers how often it was asked."""

    def __init__(self, number: int, times: int) -> None:
        self.number, self.times, self.asked = number, times, 0

    def __call__(self) -> int:
        self.asked += 1
        if self.asked <= self.times:
            raise OSError(self.number, "no")
        return self.asked


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return what was waited for, which takes no time."""
    waited: list[float] = []
    monkeypatch.setattr(time, "sleep", waited.append)
    return waited


@pytest.mark.parametrize("number", sorted(PASSING))
def test_a_fault_that_passes_is_waited_for(number: int, pauses: list[float]) -> None:
    assert retry(Failing(number, 1)) == 2
    assert pauses == [PAUSES_S[0]]


def test_a_fault_that_stays_is_told_in_the_end(pauses: list[float]) -> None:
    work = Failing(errno.EIO, 99)
    with pytest.raises(OSError, match="no"):
        retry(work)
    assert work.asked == len(PAUSES_S) + 1
    assert pauses == list(PAUSES_S)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.ENOENT, errno.EROFS])
def test_what_does_not_pass_is_told_at_once(number: int, pauses: list[float]) -> None:
    work = Failing(number, 1)
    with pytest.raises(OSError, match="no"):
        retry(work)
    assert (work.asked, pauses) == (1, [])
