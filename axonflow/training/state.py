"""One step of training after the other: the loss, the optimiser, the averaged weights, and how they are kept.

All that is random in a step follows from the seed and the step's number, so a saved state is network, average,
optimiser and step, and nothing else. On a GPU the deterministic kernels are used. So a training that was stopped
and one that was not end with the same weights on the same machine, to the bit.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from axonflow.errors import RunError, StoreError
from axonflow.kernel.classes import AXON_MYELIN, Classes
from axonflow.kernel.files import new_file
from axonflow.net.architecture import Architecture
from axonflow.net.checkpoint import Precision
from axonflow.net.precision import best_precision
from axonflow.net.unet import UNet
from axonflow.training.dataset import NEITHER
from axonflow.training.recipe import Recipe

__all__ = ["State", "cross_entropy", "decided", "reproducible", "soft_dice", "training_precision"]


def training_precision() -> Precision:
    """Return bfloat16 where the processor or GPU has it in hardware, else float16 on a GPU and float32 on a CPU."""
    if torch.cuda.is_available() and torch.cuda.is_bf16_supported(including_emulation=False):
        return "bfloat16"
    return best_precision()


def decided(scores: Tensor, labels: Tensor, others: list[int]) -> Tensor:
    """Put a class where is known only that it is neither axon nor myelin: of the others, the one that scores highest.

    Parameters
    ----------
    scores : (n, classes, h, w) float32 Tensor
    labels : (n, h, w) int64 Tensor
        :data:`~axonflow.training.dataset.NEITHER` at these pixels.
    others : list of int
        The classes that are neither.

    Returns
    -------
    (n, h, w) int64 Tensor
    """
    likeliest = scores.detach()[:, others].argmax(1)
    return torch.where(labels == NEITHER, torch.tensor(others, device=labels.device)[likeliest], labels)


def cross_entropy(scores: Tensor, labels: Tensor, class_weights: tuple[float, ...]) -> Tensor:
    """Return the mean over the pixels of w(class) · −log p(class), w being the weights divided by their mean.

    Parameters
    ----------
    scores : (n, classes, h, w) float32 Tensor
        Before the softmax.
    labels : (n, h, w) int64 Tensor
    class_weights : tuple of float
        By number.

    Notes
    -----
    The mean is over the pixels, as in the paper's code, and not over their weights as torch's own would be.
    """
    weights = torch.tensor(class_weights, dtype=scores.dtype, device=scores.device)
    flat = scores.movedim(1, -1).flatten(0, 2)  # the loss of whole images has no deterministic kernel on a GPU
    return F.cross_entropy(flat, labels.flatten(), weights / weights.mean(), reduction="sum") / labels.numel()


def soft_dice(scores: Tensor, labels: Tensor) -> Tensor:
    """Return 1 − the mean over the classes of 2·Σpt / (Σp + Σt), p and t summed over all pixels of the batch.

    Parameters
    ----------
    scores : (n, classes, h, w) float32 Tensor
        Before the softmax that gives p.
    labels : (n, h, w) int64 Tensor
        t is 1 where they are the class.
    """
    found = torch.softmax(scores, 1)
    true = F.one_hot(labels, found.shape[1]).movedim(-1, 1).to(found.dtype)
    both = (found * true).sum((0, 2, 3))
    return 1 - (2 * both / (found.sum((0, 2, 3)) + true.sum((0, 2, 3)) + 1e-6)).mean()


@contextmanager
def reproducible() -> Iterator[None]:
    """Have torch compute the same again, and leave its random numbers and settings as they were."""
    device = torch.cuda.is_available()
    before = torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.benchmark
    memory: Any = torch.utils.deterministic  # torch's stubs do not know what it has
    filled = memory.fill_uninitialized_memory
    threads = torch.get_num_threads()
    with torch.random.fork_rng(devices=[torch.cuda.current_device()] if device else []):
        if device:
            os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # without it cuBLAS refuses
            torch.use_deterministic_algorithms(True)
            torch.backends.cudnn.benchmark = False
            memory.fill_uninitialized_memory = False  # nothing is read that was not written
        try:
            yield
        finally:
            torch.use_deterministic_algorithms(before[0])
            torch.backends.cudnn.benchmark = before[1]
            memory.fill_uninitialized_memory = filled
            torch.set_num_threads(threads)


class State:
    """Where a training stands. It changes with each step.

    Parameters
    ----------
    architecture : Architecture
    recipe : Recipe
    classes : Classes
        What the network is to tell apart.
    start : UNet, optional
        Weights to start from, in place of random ones.
    precision : str, optional
        Of the convolutions; the weights are always float32. What :func:`training_precision` says if None.

    Attributes
    ----------
    step : int
        Steps that are done.
    threads : int
        That torch computes with.
    """

    def __init__(
        self,
        architecture: Architecture,
        recipe: Recipe,
        *,
        classes: Classes = AXON_MYELIN,
        start: UNet | None = None,
        precision: Precision | None = None,
    ) -> None:
        self.recipe, self.step, self.threads = recipe, 0, torch.get_num_threads()
        self.precision = precision or training_precision()
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        torch.manual_seed(_seed(recipe.seed))
        self._net = UNet(architecture, recipe.dropout, len(classes))
        weights = recipe.class_weights + (1.0,) * len(classes)
        self._weights = weights[: len(classes)]
        self._others = [each.number for each in classes if each.role not in {"axon", "myelin"}]
        if start is not None:
            self._net.load_state_dict(start.state_dict())
        self._net.to(self._device)
        self._net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs do not know it
        self._norms = [module for module in self._net.modules() if isinstance(module, nn.BatchNorm2d)]
        self._averaged = deepcopy(self._net) if recipe.average else None
        self._optimiser = torch.optim.Adam(self._net.parameters(), lr=recipe.rate)
        # float16 cannot hold small gradients, so they are scaled up; the others leave them alone
        self._scaler = torch.amp.GradScaler(self._device.type, enabled=self.precision == "float16")

    @property
    def network(self) -> UNet:
        """The network to use, on the CPU: of the averaged weights if there are any."""
        return deepcopy(self._averaged or self._net).cpu().eval()

    def advance(self, image: Tensor, labels: Tensor) -> float:
        """Take one step.

        Parameters
        ----------
        image : (n, 1, side, side) float32 Tensor
        labels : (n, side, side) int64 Tensor
            :data:`NEITHER` where is known only that it is neither axon nor myelin.

        Returns
        -------
        float
            The loss before it.

        Raises
        ------
        RunError
            If the loss is no number.
        """
        torch.set_num_threads(self.threads)
        torch.manual_seed(_seed(self.recipe.seed, self.step))  # of the dropout
        for group in self._optimiser.param_groups:
            group["lr"] = self.recipe.rate_at(self.step)
        for norm in self._norms:
            norm.momentum = 1 - self.recipe.momentum_at(self.step)
        self._net.train()
        image = image.to(self._device, non_blocking=True).contiguous(memory_format=torch.channels_last)
        labels = labels.to(self._device, non_blocking=True)
        dtype: torch.dtype = getattr(torch, self.precision)
        with torch.autocast(self._device.type, dtype, enabled=dtype != torch.float32):
            scores = self._net(image)
        scores = scores.float()
        if len(self._others) > 1:
            labels = decided(scores, labels, self._others)
        loss = cross_entropy(scores, labels, self._weights)
        if self.recipe.dice:
            loss = loss + self.recipe.dice * soft_dice(scores, labels)
        self._optimiser.zero_grad()
        torch.autograd.backward(self._scaler.scale(loss))
        value = loss.item()
        if not np.isfinite(value):
            raise RunError(
                f"A finite loss was expected in step {self.step + 1}, {value} came; lower the recipe's rate, and start "
                "over with --fresh."
            )
        self._scaler.step(self._optimiser)
        self._scaler.update()
        if self._averaged is not None:
            _approach(self._averaged, self._net, 0 if self.step == 0 else self.recipe.average)
        self.step += 1
        return value

    def save(self, path: Path) -> None:
        """Write the state; whenever this is stopped, either the state before it or this one is there, whole."""
        with new_file(path) as part, part.open("wb") as file:
            torch.save(self._content(), file)

    def load(self, path: Path) -> None:
        """Go on from a saved state, with as many threads as it had: sums depend on how they are shared out.

        Raises
        ------
        StoreError
            If the file does not hold the state of such a training.
        """
        try:
            content = torch.load(path, map_location="cpu", weights_only=True)
            for name, part in self._parts().items():
                part.load_state_dict(content[name])
            self.step, self.threads = int(content["step"]), int(content["threads"])
        except Exception as error:  # a damaged pickle raises what it likes
            raise StoreError(
                f"The state of this training was expected in {path}, but it cannot be read: {error}; "
                "start over with --fresh."
            ) from error

    def _parts(self) -> dict[str, Any]:
        averaged = {} if self._averaged is None else {"averaged": self._averaged}
        return {"net": self._net, "optimiser": self._optimiser, "scaler": self._scaler} | averaged

    def _content(self) -> dict[str, Any]:
        return {name: part.state_dict() for name, part in self._parts().items()} | {
            "step": self.step,
            "threads": self.threads,
        }


def _seed(*numbers: int) -> int:
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> np.uint64(1))


@torch.no_grad()
def _approach(averaged: nn.Module, net: nn.Module, keep: float) -> None:
    """Move averaged weights, and batch statistics with them, towards those of a network."""
    for ours, theirs in zip(averaged.state_dict().values(), net.state_dict().values(), strict=True):
        if keep and ours.is_floating_point():
            ours.lerp_(theirs, 1 - keep)
        else:
            ours.copy_(theirs)
