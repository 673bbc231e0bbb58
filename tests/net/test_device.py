"""What a GPU says of itself is believed only as far as it is tried; its faults are told from others."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from axonflow.errors import DeviceError, ModelError
from axonflow.net import device
from axonflow.net.device import (
    Gpu,
    Processor,
    computing_device,
    device_name,
    faults,
    free_bytes,
    gpus,
    lacks_memory,
    works,
)

ROOT = Path(__file__).parents[2]
without_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
with_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")


@without_gpu
def test_without_a_gpu_the_processor_computes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert (computing_device(), gpus(), free_bytes(), works()) == (Processor(), 0, None, None)
    assert device_name()


@without_gpu
@pytest.mark.parametrize("named", ["0", "3", "GPU-8932f937-d72c-4106-c12f-20bd9faed9f6"])
def test_a_gpu_that_was_given_and_is_not_there_is_told(named: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def old_driver() -> bool:
        warnings.warn("The NVIDIA driver on your system is too old.", UserWarning, stacklevel=2)
        return False

    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", named)
    assert named in str(works())
    monkeypatch.setattr(torch.cuda, "is_available", old_driver)
    assert "too old" in str(works())


@pytest.mark.parametrize("named", ["", "-1"])
def test_the_processor_can_be_asked_for(named: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", named)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert works() is None


@pytest.fixture
def pretended(monkeypatch: pytest.MonkeyPatch) -> None:
    """The processor taken for a GPU."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(device, "_GPU", torch.device("cpu"))


@pytest.mark.usefixtures("pretended")
def test_a_gpu_that_computes_right_works() -> None:
    assert works() is None
    assert isinstance(computing_device(), Gpu)


@pytest.mark.usefixtures("pretended")
@pytest.mark.parametrize("kind", ["matrix product", "convolution"])
def test_a_gpu_that_miscalculates_is_found(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    products: list[Tensor] = []
    right = device._product

    def wrong(left: Tensor, kernel: Tensor) -> Tensor:
        values = right(left, kernel)
        if kernel.ndim == (2 if kind == "matrix product" else 4):
            products.append(values)
            values.flatten()[7] += len(products) == 2  # the first is the processor's
        return values

    monkeypatch.setattr(device, "_product", wrong)
    said = str(works())
    assert said.startswith(f"a {kind} was expected")
    assert ", 1 of " in said


@pytest.mark.usefixtures("pretended")
def test_a_gpu_that_cannot_be_used_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> Tensor:
        raise RuntimeError("CUDA error: no kernel image is available for execution on the device\nCUDA kernel errors")

    monkeypatch.setattr(device, "_product", fail)
    assert works() == "CUDA error: no kernel image is available for execution on the device"


def accelerator_error() -> RuntimeError:
    if not hasattr(torch, "AcceleratorError"):
        pytest.skip("this torch has no AcceleratorError")
    error: RuntimeError = torch.AcceleratorError("uncorrectable ECC error encountered")
    return error


@pytest.mark.parametrize(
    "text",
    [
        "CUDA error: an illegal memory access was encountered",
        "cuDNN error: CUDNN_STATUS_EXECUTION_FAILED",
        "CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling `cublasGemmEx`",
        "GET was unable to find an engine to execute this computation",
        "No CUDA GPUs are available",
    ],
)
def test_faults_of_a_gpu_are_told_as_such(text: str) -> None:
    with pytest.raises(DeviceError, match="expected to compute") as caught, faults():
        raise RuntimeError(f"{text}\nCompile with `TORCH_USE_CUDA_DSA`.")
    assert text in str(caught.value)
    assert "TORCH_USE" not in str(caught.value)


def test_faults_of_a_kind_are_told_whatever_they_say() -> None:
    for error in (torch.OutOfMemoryError("Allocation on device"), accelerator_error()):
        with pytest.raises(DeviceError), faults():
            raise error


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("Expected all tensors to be on the same device, but found at least two devices, cuda:0 and cpu!"),
        NotImplementedError("Could not run 'aten::foo' with arguments from the 'CUDA' backend."),
        ModelError("Weights were expected for CUDA."),
        DeviceError("Memory for one window was expected, CUDA out of memory."),
        ValueError("CUDA"),
    ],
)
def test_other_errors_stay_what_they_are(error: Exception) -> None:
    with pytest.raises(type(error)) as caught, faults():
        raise error
    assert caught.value is error


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (torch.OutOfMemoryError("Allocation on device"), True),
        (RuntimeError("CUDA error: out of memory"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"), True),
        (RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"), True),
        (RuntimeError("CUDA error: an illegal memory access was encountered"), False),
        (RuntimeError("the slide's buffer is out of memory"), False),
        (DeviceError("CUDA out of memory"), False),
    ],
)
def test_only_want_of_memory_is_helped_by_less_at_a_time(error: RuntimeError, expected: bool) -> None:
    assert lacks_memory(error) is expected


def test_the_processor_hands_memory_on_without_copies() -> None:
    here = Processor()
    buffer = here.buffer((2, 3), torch.int32)
    assert here.upload(buffer).data_ptr() == buffer.data_ptr()
    assert here.download(buffer)().ctypes.data == buffer.data_ptr()


@with_gpu
def test_a_gpu_copies_there_and_back() -> None:  # pragma: no cover
    gpu = Gpu()
    assert works() is None
    total = gpu.free
    assert total is not None
    assert total > 0
    buffer = gpu.buffer((1000, 1000), torch.int32)
    buffer.numpy()[:] = np.arange(10**6).reshape(1000, 1000)
    np.testing.assert_array_equal(gpu.download(gpu.upload(buffer) * 2)(), buffer.numpy() * 2)
    assert gpu.peak(lambda: torch.empty(2**20, device=gpu.where)) >= 2**20 * 4
    gpu.forget()


def test_the_benchmark_says_that_there_is_no_gpu() -> None:
    command = (sys.executable, "-m", "benchmarks.gpu")
    env = os.environ | {"CUDA_VISIBLE_DEVICES": ""}
    ran = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=120, check=False)
    assert (ran.returncode, ran.stdout.count("\n"), ran.stderr) == (0, 1, "")
    assert ran.stdout.startswith("There is no GPU")
