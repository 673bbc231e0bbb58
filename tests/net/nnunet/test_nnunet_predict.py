"""Boxes of a slide have the scores that nnU-Net's way over the whole image gives, to the bit."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
from cards import Card
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nnunet_models import blobs, content_of, networks, plan_of, seen_by
from oracles import nnunet_scores
from torch import Tensor, nn

from axonflow.errors import DeviceError, ModelError
from axonflow.kernel.grid import Box, Grid
from axonflow.net.device import Device, Processor
from axonflow.net.nnunet.loaded import Loaded, ready
from axonflow.net.nnunet.normalise import Content
from axonflow.net.nnunet.plan import NnUNetPlan
from axonflow.net.nnunet.predict import NnUNetPredictor
from axonflow.net.nnunet.windows import Windows


def predictor(plan: NnUNetPlan, classes: int, content: Content, threads: int = 1) -> NnUNetPredictor:
    nets = networks(plan, classes)

    def load(device: Device) -> Loaded:
        return ready(nets, "float32", device)

    return NnUNetPredictor(
        load,
        Windows(content.inside, plan.patch, plan.step),
        plan.mirrors,
        classes,
        len(plan.channels),
        partial(seen_by, plan, content),
        threads,
        Processor(),
    )


CASES = {
    "plain": (plan_of(), 3, (100, 131), "uint8", 0),
    "smaller than the patch": (plan_of(), 3, (25, 37), "uint8", 0),
    "smaller one way": (plan_of(), 3, (90, 37), "uint8", 0),
    "black margins": (plan_of(), 3, (110, 120), "uint8", 13),
    "small inside margins": (plan_of(), 3, (60, 61), "uint8", 20),
    "16 bits": (plan_of(normalisations=("ZScoreNormalization",)), 3, (75, 99), "uint16", 0),
    "as it is": (plan_of(normalisations=("NoNormalization",), mirrors=()), 3, (75, 99), "uint8", 0),
    "mirrored along rows": (plan_of(mirrors=(0,)), 3, (80, 70), "uint8", 0),
    "mirrored along columns": (plan_of(mirrors=(1,)), 3, (80, 70), "uint8", 0),
    "three folds": (plan_of(folds=("0", "1", "2")), 3, (80, 90), "uint8", 5),
    "five classes": (plan_of(step=0.75), 5, (80, 90), "uint8", 0),
    "a grid that does not divide": (plan_of((32, 32), step=0.4), 2, (77, 83), "uint8", 0),
}


@pytest.mark.parametrize("name", CASES)
@settings(max_examples=2, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(core=st.tuples(st.integers(40, 90), st.integers(40, 90)), threads=st.integers(1, 3))
def test_every_chunking_gives_the_scores_of_the_whole_image(name: str, core: tuple[int, int], threads: int) -> None:
    plan, classes, shape, dtype, margin = CASES[name]
    image = blobs(shape, dtype, margin=margin)
    content = content_of(image)
    whole = Box.whole(shape)
    torch.set_num_threads(1)
    expected = nnunet_scores(
        seen_by(plan, content, image[content.inside.slices]),
        networks(plan, classes),
        classes,
        plan.patch,
        plan.step,
        plan.mirrors,
    )
    labels = np.zeros(shape, int)
    labels[content.inside.slices] = expected.argmax(axis=0)
    assert len(np.unique(labels)) == classes
    ours = predictor(plan, classes, content, threads)
    everything = np.empty((2 + classes, *shape), np.uint8)
    ours.predict(image, whole, whole, everything)
    np.testing.assert_array_equal(everything[0], labels)
    reach = max(plan.patch) - 1
    for box in Grid(shape, core):
        have, part = box.grow(reach, shape), box & content.inside
        if part.size:
            scores = ours.scores(image[have.slices], have, box)
            np.testing.assert_array_equal(scores, expected[:, *part.relative_to(content.inside).slices])
    for planes, box in ((2 + classes, Box(0, 0, *core) & whole), (2, Box(core[0] // 2, 3, core[0], core[1]) & whole)):
        have, out = box.grow(reach, shape), np.empty((planes, *box.shape), np.uint8)
        ours.predict(image[have.slices], have, box, out)
        np.testing.assert_array_equal(out, everything[:planes, *box.slices])


def test_colours_are_seen_by_three_channels() -> None:
    plan = plan_of(normalisations=("RGBTo01Normalization",) * 3)
    image = blobs((3, 70, 80), margin=7)
    content = content_of(image)
    seen = seen_by(plan, content, image[:, *content.inside.slices])
    torch.set_num_threads(1)
    expected = nnunet_scores(seen, networks(plan), 3, plan.patch, plan.step, plan.mirrors)
    whole = Box.whole((70, 80))
    packed = (image[0].astype(np.uint32)) | image[1].astype(np.uint32) << 8 | image[2].astype(np.uint32) << 16
    ours = predictor(plan, 3, content)

    def unpack(pixels: np.ndarray) -> np.ndarray:
        return seen_by(plan, content, np.stack([pixels >> shift & 255 for shift in (0, 8, 16)]))

    ours = NnUNetPredictor(ours.load, ours.windows, ours.mirrors, 3, 3, unpack, 2, Processor())
    np.testing.assert_array_equal(ours.scores(packed, whole, whole), expected)


def test_what_is_empty_is_background() -> None:
    plan = plan_of()
    image = blobs((60, 61), margin=20)
    ours, box = predictor(plan, 3, content_of(image)), Box(0, 0, 15, 15)
    out = np.empty((5, 15, 15), np.uint8)
    ours.predict(image, Box.whole((60, 61)), box, out)
    assert [np.unique(plane).tolist() for plane in out] == [[0], [255], [255], [0], [0]]


@pytest.mark.parametrize("factor", [1e6, float("nan")])
def test_scores_that_are_no_numbers_are_refused(factor: float) -> None:
    plan, image = plan_of(), blobs((40, 50))
    ours = predictor(plan, 3, content_of(image))
    with torch.no_grad():
        for net in ours.load(Processor()).folds:
            [module for module in net.modules() if isinstance(module, torch.nn.Conv2d)][-1].weight.mul_(factor)
    nets = ours.load(Processor()).folds
    broken = NnUNetPredictor(
        lambda device: ready(nets, "float32", device), ours.windows, (), 3, 1, ours.normalise, 1, Processor()
    )
    whole = Box.whole((40, 50))
    with pytest.raises(ModelError, match="others came"):
        broken.scores(image, whole, whole)


class OnCard(nn.Module):
    """A network that takes a card's memory; it computes one by one, as a convolution's bits depend on the batch."""

    def __init__(self, net: nn.Module, card: Card) -> None:
        super().__init__()
        self.net, self.card = net, card

    def forward(self, windows: Tensor) -> Tensor:
        self.card.compute(windows)
        return torch.cat([self.net(window[None]) for window in windows])


def on_card(card: Card, plan: NnUNetPlan, content: Content) -> NnUNetPredictor:
    nets = [OnCard(net, card) for net in networks(plan)]
    plain = predictor(plan, 3, content)
    return NnUNetPredictor(
        lambda device: ready(nets, "float32", device),
        plain.windows,
        plain.mirrors,
        3,
        1,
        plain.normalise,
        device=card,
    )


@pytest.mark.parametrize(
    ("card", "largest"), [(Card(), 8), (Card(fits=3), 2), (Card(free=800, takes=100), 4), (Card(moody=[True]), 4)]
)
def test_batches_on_a_gpu_give_the_same(card: Card, largest: int) -> None:
    plan, image = plan_of(folds=("0", "1")), blobs((80, 90))
    content, whole = content_of(image), Box.whole((80, 90))
    expected = predictor(plan, 3, content).scores(image, whole, whole)
    np.testing.assert_array_equal(on_card(card, plan, content).scores(image, whole, whole), expected)
    assert card.batches[-1] == largest


def test_a_gpu_without_memory_for_a_window_is_refused() -> None:
    plan, image = plan_of(), blobs((80, 90))
    whole = Box.whole((80, 90))
    with pytest.raises(DeviceError, match="one window"):
        on_card(Card(fits=0), plan, content_of(image)).scores(image, whole, whole)


def test_what_follows_uses_as_many_cores_as_before() -> None:
    plan, image = plan_of(), blobs((40, 50))
    whole, before = Box.whole((40, 50)), torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        predictor(plan, 3, content_of(image), threads=2).scores(image, whole, whole)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
