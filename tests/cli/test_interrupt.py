"""A run ends by Ctrl-C and by SIGTERM, also where a library swallows what they raise."""

from __future__ import annotations

import os
import signal
import sys

import pytest

from axonflow.cli.interrupt import Interrupts

SIGNALS = [signal.SIGINT, signal.SIGTERM]


@pytest.mark.parametrize("number", SIGNALS)
def test_a_swallowed_interrupt_is_raised_again(number: signal.Signals) -> None:
    heard: list[int] = []
    with Interrupts() as interrupts:
        listener = interrupts.before(heard.append)
        listener(1)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), number)
        for _ in range(2):
            with pytest.raises(KeyboardInterrupt):
                listener(2)
    assert heard == [1]


def test_signals_are_answered_as_before_at_the_end() -> None:
    before = [signal.getsignal(number) for number in SIGNALS]
    with Interrupts():
        assert [signal.getsignal(number) for number in SIGNALS] != before
    assert [signal.getsignal(number) for number in SIGNALS] == before


@pytest.mark.parametrize(("error", "told"), [(KeyboardInterrupt, 0), (ValueError, 1)])
def test_an_interrupt_where_nothing_can_be_raised_is_not_printed(
    error: type[BaseException], told: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Late:
        def __del__(self) -> None:
            raise error

    heard: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", heard.append)
    before = sys.unraisablehook
    with Interrupts():
        Late()
    assert len(heard) == told
    assert sys.unraisablehook == before
    heard.clear()
