"""The precision is told without torch, and is what torch would say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from axonflow.net import precision
from axonflow.net.precision import Precisions, best_precisions

WITH = "processor\t: 0\nflags\t\t: fpu avx512_vnni avx512_bf16 amx_int8\nbugs\t\t:\n"


def test_linux_and_torch_say_the_same(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    said = best_precisions()
    monkeypatch.setattr(precision, "_CPUINFO", tmp_path / "absent")
    assert best_precisions() == said


def test_torch_is_not_loaded_for_it() -> None:
    if precision._flags() is None or any(driver.exists() for driver in precision._DRIVERS):
        pytest.skip("there may be a GPU here, or it is no Linux on x86")
    script = (
        "import sys; from axonflow.net import precision; precision.best_precisions(); print('torch' in sys.modules)"
    )
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert told.split() == ["False"]


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (WITH, Precisions("bfloat16", bytes=True)),
        (WITH.replace("avx512_bf16 ", ""), Precisions("float32", bytes=True)),
        ("flags : amx_bf16", Precisions("bfloat16")),
        ("flags : avx_vnni", Precisions("float32", bytes=True)),
        ("flags : avx avx2", Precisions("float32", bytes=True)),
        ("flags : avx sse4_2", Precisions("float32")),
    ],
)
def test_a_processor_is_known_by_its_flags(
    told: str, expected: Precisions, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "cpuinfo").write_text(told)
    monkeypatch.setattr(precision, "_CPUINFO", tmp_path / "cpuinfo")
    monkeypatch.setattr(precision, "_DRIVERS", ())
    assert best_precisions() == expected


@pytest.mark.parametrize(
    ("works", "expected"), [(True, Precisions("float16")), (False, Precisions("bfloat16", bytes=True))]
)
def test_where_there_is_a_driver_torch_is_asked(
    works: bool, expected: Precisions, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "cpuinfo").write_text(WITH)
    monkeypatch.setattr(precision, "_CPUINFO", tmp_path / "cpuinfo")
    monkeypatch.setattr(precision, "_DRIVERS", (tmp_path,))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: works)
    assert best_precisions() == expected


def test_elsewhere_torch_knows_the_processor(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(precision, "_CPUINFO", tmp_path / "absent")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": True, "avx512_f": True}, raising=False)
    assert best_precisions() == Precisions("bfloat16")
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": False, "l1d_cache_size": 1}, raising=False)
    assert best_precisions() == Precisions("float32")


def test_whole_numbers_are_for_networks_that_have_them_where_bytes_are_multiplied() -> None:
    assert Precisions("bfloat16", bytes=True).of(integers=True) == "int8"
    assert Precisions("bfloat16", bytes=True).of(integers=False) == "bfloat16"
    assert Precisions("float16").of(integers=True) == "float16"
