"""Training one of the paper's networks on labelled images, resumable after a kill.

The recipe is the paper's (Adam, learning rate 1e-3 with polynomial decay of power 0.9, batch norm momentum
0.7 → 0.9, dropout 0.25, cross-entropy) without its class weights: they move the boundary of the axons outwards, and
area fractions with it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from axonflow.net.architecture import Architecture
from axonflow.net.augment import Augmentation
from axonflow.net.dataset import Sample
from axonflow.net.unet import UNet

__all__ = ["Recipe", "train"]


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that decides a training, but the data.

    Attributes
    ----------
    patches : int
        How many the network is shown in all.
    batch : int
        Patches a step.
    side : int
        Of a patch, px.
    rate, power : float
        Learning rate at the start, and the power of its decay to 0.
    momentum : (float, float)
        Share of the running batch statistics that is kept each step, at the start and at the end.
    dropout : float
        Share of the activations left out.
    average : float
        Share of the averaged weights that is kept each step; these are what is saved for use.
    seed : int
    augmentation : Augmentation
    """

    patches: int = 24_000
    batch: int = 8
    side: int = 512
    rate: float = 1e-3
    power: float = 0.9
    momentum: tuple[float, float] = (0.7, 0.9)
    dropout: float = 0.25
    average: float = 0.98
    seed: int = 0
    augmentation: Augmentation = field(default_factory=Augmentation)

    @property
    def steps(self) -> int:
        """Number of optimiser steps."""
        return self.patches // self.batch


def train(
    architecture: Architecture,
    samples: list[Sample],
    recipe: Recipe,
    folder: Path,
    *,
    start: UNet | None = None,
    save_every: int = 25,
    dtype: torch.dtype = torch.bfloat16,
    watch: Callable[[int, float], None] | None = None,
) -> UNet:
    """Train a network, or go on with a training that was interrupted.

    Parameters
    ----------
    architecture : Architecture
    samples : list of Sample
        Training images; large and small ones are drawn equally often.
    recipe : Recipe
    folder : Path
        Where the state is kept; a training found there is continued to the same result.
    start : UNet, optional
        Weights to start from, in place of random ones.
    save_every : int
        Steps between two saved states.
    dtype : torch.dtype
        Precision of the convolutions.
    watch : callable, optional
        Called with step and loss after each step.

    Returns
    -------
    UNet
        With the averaged weights.
    """
    torch.manual_seed(recipe.seed)
    net = UNet(architecture, recipe.dropout)
    if start:
        net.load_state_dict(start.state_dict())
    net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs do not know it
    moving = torch.optim.swa_utils.get_ema_multi_avg_fn(recipe.average)  # type: ignore[no-untyped-call]
    # Batch statistics are averaged like the weights.
    averaged = torch.optim.swa_utils.AveragedModel(net, multi_avg_fn=moving, use_buffers=True)
    optimiser = torch.optim.Adam(net.parameters(), lr=recipe.rate)
    state_file = folder / "state.pt"
    first = 0
    if state_file.exists():
        state = torch.load(state_file, weights_only=True)
        net.load_state_dict(state["net"])
        averaged.load_state_dict(state["averaged"])
        optimiser.load_state_dict(state["optimiser"])
        torch.set_rng_state(state["random"])
        first = state["step"]
    for step in range(first, recipe.steps):
        progress = step / recipe.steps
        for group in optimiser.param_groups:
            group["lr"] = recipe.rate * (1 - progress) ** recipe.power
        low, high = recipe.momentum
        for module in net.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = 1 - (high - (high - low) * np.exp(-10 * progress))
        random = np.random.default_rng([recipe.seed, step])  # per step, so that a resumed training draws alike
        drawn = [
            recipe.augmentation.patch(samples[i].image, samples[i].labels, recipe.side, random)
            for i in random.choice(len(samples), recipe.batch)
        ]
        image = torch.from_numpy(np.stack([grey for grey, _ in drawn])[:, None]).to(memory_format=torch.channels_last)
        labels = torch.from_numpy(np.stack([classes for _, classes in drawn]).astype(np.int64))
        net.train()
        with torch.autocast("cpu", dtype=dtype, enabled=dtype != torch.float32):
            scores = net(image)
        loss = F.cross_entropy(scores.float(), labels)
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()
        averaged.update_parameters(net)
        if watch:
            watch(step, loss.item())
        if (step + 1) % save_every == 0 or step + 1 == recipe.steps:
            _save(
                {
                    "net": net.state_dict(),
                    "averaged": averaged.state_dict(),
                    "optimiser": optimiser.state_dict(),
                    "random": torch.get_rng_state(),
                    "step": step + 1,
                },
                state_file,
            )
            with (folder / "loss.jsonl").open("a") as log:
                log.write(json.dumps({"step": step + 1, "loss": loss.item()}) + "\n")
    trained = averaged.module
    assert isinstance(trained, UNet)
    return trained.eval()


def _save(state: dict[str, object], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(state, path.with_suffix(".part"))
    path.with_suffix(".part").replace(path)
