"""A step computes what it says; a state that was saved goes on as if it had not been; on a few tiny patches."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from slides import tissue, write_sample
from torch.nn import functional as F

from axonflow.errors import InputError, RunError, StoreError
from axonflow.kernel.units import PixelSize
from axonflow.net.architecture import TEM
from axonflow.net.checkpoint import Precision
from axonflow.net.normalise import histogram
from axonflow.net.unet import UNet
from axonflow.training.curve import Curve, Point
from axonflow.training.dataset import NEITHER, Patches, Sample, batches, likelihoods, read_samples
from axonflow.training.recipe import Recipe
from axonflow.training.state import State, cross_entropy, decided, reproducible, soft_dice

RECIPE = Recipe(patches=8, batch=2, side=32, momentum_period=4, average=0.5, dice=0.5, seed=1)


def sample(subject: str = "sub-1", shape: tuple[int, int] = (96, 80), seed: int = 0) -> Sample:
    random = np.random.default_rng(seed)
    labels = random.integers(0, 3, (shape[0] // 8, shape[1] // 8)).repeat(8, 0).repeat(8, 1).astype(np.uint8)
    grey = np.clip(np.array([128, 200, 60])[labels] + random.normal(0, 10, shape), 0, 255).astype(np.uint8)
    return Sample(subject, f"{subject}_{seed}", grey, histogram(grey), False, labels)


def steps(state: State, recipe: Recipe, workers: int = 0, until: int | None = None) -> list[float]:
    losses = []
    with reproducible():
        for image, labels in batches(Patches([sample(), sample(seed=1)], recipe), state.step, workers):
            losses.append(state.advance(image, labels))
            if state.step == until:
                break
    return losses


def assert_equal_weights(ours: UNet, theirs: UNet) -> None:
    for one, two in zip(ours.state_dict().values(), theirs.state_dict().values(), strict=True):
        assert torch.equal(one, two)


@pytest.fixture(scope="module")
def undisturbed() -> tuple[State, list[float]]:
    state = State(TEM, RECIPE, precision="float32")
    return state, steps(state, RECIPE)


def test_it_learns(undisturbed: tuple[State, list[float]]) -> None:
    state, losses = undisturbed
    assert state.step == len(losses) == RECIPE.steps == 4
    assert np.isfinite(losses).all()
    longer = replace(RECIPE, patches=48, dropout=0.0, rate=3e-3)
    found = steps(State(TEM, longer, precision="float32"), longer)
    assert np.mean(found[-6:]) < 0.75 * found[0]


def test_a_seed_is_a_training(undisturbed: tuple[State, list[float]]) -> None:
    state, losses = undisturbed
    again = State(TEM, RECIPE, precision="float32")
    torch.manual_seed(99)  # whatever was drawn before
    assert steps(again, RECIPE) == losses
    assert_equal_weights(again.network, state.network)
    other = replace(RECIPE, seed=2)
    assert steps(State(TEM, other, precision="float32"), other, until=1) != losses[:1]


@pytest.mark.parametrize("average", [0.0, 0.5])
def test_a_saved_state_goes_on_to_the_bit(average: float, tmp_path: Path) -> None:
    recipe = replace(RECIPE, average=average)
    whole, part, rest = (State(TEM, recipe, precision="float32") for _ in range(3))
    losses = steps(whole, recipe)
    assert steps(part, recipe, until=2) == losses[:2]
    part.save(tmp_path / "state.pt")
    torch.rand(5)
    threads = torch.get_num_threads()
    with reproducible():
        torch.set_num_threads(threads + 1)  # another machine, or another setting
        rest.load(tmp_path / "state.pt")
        assert (rest.step, rest.threads) == (2, threads)
        assert steps(rest, recipe) == losses[2:]
    assert torch.get_num_threads() == threads
    assert_equal_weights(rest.network, whole.network)


def test_a_save_that_is_cut_off_leaves_the_state_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state = State(TEM, RECIPE, precision="float32")
    state.save(tmp_path / "state.pt")
    before = (tmp_path / "state.pt").read_bytes()

    def half(_content: object, file: Any) -> None:
        file.write(before[: len(before) // 2])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", half)
    steps(state, RECIPE, until=1)
    with pytest.raises(OSError, match="No space"):
        state.save(tmp_path / "state.pt")
    assert (tmp_path / "state.pt").read_bytes() == before


def test_a_damaged_state_is_refused(tmp_path: Path) -> None:
    (tmp_path / "state.pt").write_bytes(b"nothing of the kind")
    with pytest.raises(StoreError, match="--fresh"):
        State(TEM, RECIPE).load(tmp_path / "state.pt")
    torch.save({"step": 1}, tmp_path / "state.pt")
    with pytest.raises(StoreError, match="--fresh"):
        State(TEM, RECIPE).load(tmp_path / "state.pt")


@pytest.mark.parametrize("workers", [1, 2])
def test_patches_do_not_depend_on_the_workers(workers: int) -> None:
    patches = Patches([sample(), sample(seed=1)], RECIPE)
    for ours, theirs in zip(batches(patches, 1, workers), batches(patches, 1, 0), strict=True):
        assert torch.equal(ours[0], theirs[0])
        assert torch.equal(ours[1], theirs[1])


def test_patches_are_numbered_from_the_start() -> None:
    patches = Patches([sample(), sample(seed=1)], RECIPE)
    all_of_them, last = list(batches(patches, 0, 0)), list(batches(patches, 3, 0))
    assert (len(all_of_them), len(last)) == (4, 1)
    assert torch.equal(all_of_them[3][0], last[0][0])
    image, labels = last[0]
    assert (image.shape, image.dtype) == ((2, 1, 32, 32), torch.float32)
    assert (labels.shape, labels.dtype) == ((2, 32, 32), torch.int64)
    drawn = {image.numpy().tobytes() for batch, _ in all_of_them for image in batch}
    assert len(drawn) == 8


def test_averaged_weights_are_a_moving_mean() -> None:
    plain, moving = (State(TEM, replace(RECIPE, average=a), precision="float32") for a in (0.0, 0.5))
    expected: dict[str, Any] = {}
    for until in (1, 2, 3):
        steps(plain, replace(RECIPE, average=0.0), until=until)
        for name, values in plain.network.state_dict().items():
            old = expected.get(name, values)
            expected[name] = 0.5 * old + 0.5 * values if values.is_floating_point() else values
    steps(moving, RECIPE, until=3)
    for name, values in moving.network.state_dict().items():
        torch.testing.assert_close(values, expected[name], rtol=1e-5, atol=1e-6)


def test_cross_entropy_is_weighted_by_hand() -> None:
    torch.manual_seed(0)
    scores, labels = torch.randn(2, 3, 5, 7), torch.randint(0, 3, (2, 5, 7))
    weights = np.array([1.1, 1.0, 1.3]) / np.mean([1.1, 1.0, 1.3])
    share = np.exp(scores.numpy()) / np.exp(scores.numpy()).sum(1, keepdims=True)
    chosen = np.take_along_axis(share, labels.numpy()[:, None], 1)[:, 0]
    expected = (-np.log(chosen) * weights[labels.numpy()]).mean()
    assert cross_entropy(scores, labels, (1.1, 1.0, 1.3)).item() == pytest.approx(expected, rel=1e-5)
    assert cross_entropy(scores, labels, (1, 1, 1)).item() == pytest.approx(F.cross_entropy(scores, labels).item())


def test_soft_dice_is_its_formula() -> None:
    torch.manual_seed(0)
    scores, labels = torch.randn(2, 3, 5, 7), torch.randint(0, 3, (2, 5, 7))
    share = np.exp(scores.numpy()) / np.exp(scores.numpy()).sum(1, keepdims=True)
    dice = []
    for number in range(3):
        true = labels.numpy() == number
        dice.append(2 * share[:, number][true].sum() / (share[:, number].sum() + true.sum()))
    assert soft_dice(scores, labels).item() == pytest.approx(1 - np.mean(dice), rel=1e-5)
    certain = F.one_hot(labels, 3).movedim(-1, 1) * 100.0
    assert soft_dice(certain, labels).item() == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("precision", ["bfloat16", "float32"])
def test_precisions_agree(precision: Precision, undisturbed: tuple[State, list[float]]) -> None:
    found = steps(State(TEM, RECIPE, precision=precision), RECIPE, until=1)
    assert found[0] == pytest.approx(undisturbed[1][0], rel=0.02)


def test_a_loss_that_is_no_number_ends_it() -> None:
    state = State(TEM, RECIPE, precision="float32")
    image, labels = next(iter(batches(Patches([sample()], RECIPE), 0, 0)))
    with pytest.raises(RunError, match="lower the recipe's rate"):
        state.advance(image * float("nan"), labels)
    assert state.step == 0


def test_it_starts_from_weights_and_leaves_random_numbers_alone() -> None:
    torch.manual_seed(7)
    given = UNet(TEM)
    before = torch.get_rng_state()
    with reproducible():
        state = State(TEM, RECIPE, start=given)
    assert torch.equal(torch.get_rng_state(), before)
    assert_equal_weights(state.network, given.eval())
    assert not state.network.training


@pytest.mark.parametrize(
    ("sampling", "expected"),
    [("area", [4 / 7, 2 / 7, 1 / 7]), ("image", [1 / 3, 1 / 3, 1 / 3]), ("subject", [1 / 4, 1 / 4, 1 / 2])],
)
def test_what_is_drawn_equally_often(sampling: Any, expected: list[float]) -> None:
    samples = [sample("a", (64, 64)), sample("a", (64, 32)), sample("b", (32, 32))]
    np.testing.assert_allclose(likelihoods(samples, sampling), expected)
    recipe = Recipe(patches=400, batch=1, side=16, sampling=sampling)
    patches = Patches(samples, recipe)
    patches.images = [[(np.full((16, 16), i, np.float32), np.zeros((16, 16), np.uint8))] for i in range(3)]
    drawn = np.bincount([round(float(patches[n][0].mean())) for n in range(400)], minlength=3) / 400
    np.testing.assert_allclose(drawn, expected, atol=0.1)


def test_a_curve_is_continued_after_a_step(tmp_path: Path) -> None:
    path = tmp_path / "curve.jsonl"
    with Curve(tmp_path, 0) as curve:
        for step in (1, 2, 3):
            curve.write(Point(step, 1 / step, 1e-3, {"accuracy": 0.5} if step == 2 else {}))
    with path.open("a") as file:
        file.write('{"step": 4, "lo')  # killed while it wrote
    with Curve(tmp_path, 2) as curve:
        curve.write(Point(3, 0.25, 1e-4))
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert [row["step"] for row in rows] == [1, 2, 3]
    assert rows[1] == {"step": 2, "loss": 0.5, "rate": 1e-3, "accuracy": 0.5}
    assert rows[2] == {"step": 3, "loss": 0.25, "rate": 1e-4}


@pytest.fixture
def board(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """TensorBoard's writer as a list of what it was told, so that it need not be installed."""
    told: list[Any] = []

    class Writer:
        def __init__(self, folder: Path, purge_step: int) -> None:
            told.append((folder.name, purge_step))

        def add_scalar(self, name: str, value: float, step: int) -> None:
            told.append((name, value, step))

        def close(self) -> None:
            told.append("closed")

    module = ModuleType("torch.utils.tensorboard")
    module.SummaryWriter = Writer  # type: ignore[attr-defined]  # a module has what it is given
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", module)
    return told


def test_tensorboard_is_told(board: list[Any], tmp_path: Path) -> None:
    with Curve(tmp_path, 4) as curve:
        curve.write(Point(5, 0.5, 1e-3, {"accuracy": 0.9}))
    assert board[0] == ("tensorboard", 5)
    assert set(board[1:-1]) == {("loss", 0.5, 5), ("rate", 1e-3, 5), ("validation/accuracy", 0.9, 5)}
    assert board[-1] == "closed"


def test_bids_folder(tmp_path: Path) -> None:
    micr, truth = tmp_path / "sub-a" / "micr", tmp_path / "derivatives" / "labels" / "sub-a" / "micr"
    micr.mkdir(parents=True)
    truth.mkdir(parents=True)
    with pytest.raises(InputError, match="none came"):
        read_samples(tmp_path, PixelSize.square(0.1))
    axon = np.zeros((40, 60), np.uint8)
    axon[10:20, 10:30] = 255
    myelin = np.zeros_like(axon)
    myelin[5:25, 5:35] = 128
    myelin[axon > 0] = 0
    Image.fromarray(axon).save(micr / "sub-a_sample-1_SEM.png")
    (micr / "sub-a_SEM.json").write_text('{"PixelSize": [0.2, 0.2]}')
    Image.merge("LA", (Image.fromarray(axon), Image.new("L", (60, 40), 255))).save(
        truth / "sub-a_sample-1_SEM_seg-axon-manual.png"
    )
    Image.fromarray(myelin).save(truth / "sub-a_sample-1_SEM_seg-myelin-manual.png")
    (read,) = read_samples(tmp_path, PixelSize.square(0.1))
    assert (read.subject, read.name, read.labels.shape) == ("sub-a", "sub-a_sample-1_SEM", (80, 120))
    np.testing.assert_array_equal(np.unique(read.labels), [0, 1, 2])
    assert np.count_nonzero(read.labels == 2) == 4 * np.count_nonzero(axon)
    (inverted,) = read_samples(tmp_path, PixelSize.square(0.1), invert=True)
    np.testing.assert_array_equal(inverted.image, -read.image)
    assert inverted.identity == read.identity != replace(read, labels=read.labels * 0).identity
    Image.fromarray(axon[:-1]).save(micr / "sub-a_sample-1_SEM.png")
    with pytest.raises(InputError, match="Masks of the image's size"):
        read_samples(tmp_path, PixelSize.square(0.1))


def test_real_images_are_read(real_data: Path) -> None:
    samples = read_samples(real_data / "sem", PixelSize.square(0.1))
    assert len(samples) == 9
    for each in samples:
        assert 0.15 < np.mean(each.labels == 2) < 0.4
        assert 0.2 < np.mean(each.labels == 1) < 0.45


def test_what_is_neither_counts_as_the_likelier_of_the_others() -> None:
    scores = torch.tensor([[0.0, 9.0, 8.0, 1.0], [2.0, 9.0, 8.0, 1.0], [0.0, 9.0, 8.0, 1.0]]).T[None, :, None]
    labels = torch.tensor([[[NEITHER, NEITHER, 2]]])
    assert decided(scores, labels, [0, 3]).tolist() == [[[3, 0, 2]]]


def test_patches_are_of_all_pixel_sizes_and_unsure_where_nobody_drew() -> None:
    sizes = [[sample(shape=(64, 64)), sample(shape=(32, 32))], [replace(sample("b"), undrawn=True)]]
    patches = Patches([each[0] for each in sizes], RECIPE, sizes)
    assert [image.shape for image, _ in patches.images[0]] == [(64, 64), (32, 32)]
    labels = sizes[1][0].labels
    np.testing.assert_array_equal(patches.images[1][0][1], np.where(labels == 0, NEITHER, labels))


def test_axons_without_myelin_are_a_class_where_they_are_drawn(tmp_path: Path) -> None:
    shape = (40, 60)
    for subject in ("sub-a", "sub-b"):
        write_sample(tmp_path, f"{subject}_TEM", tissue(shape)).with_suffix(".json").write_text('{"PixelSize": 0.1}')
    micr = tmp_path / "derivatives" / "labels" / "sub-a" / "micr"
    assert {each.labels.max() for each in read_samples(tmp_path, PixelSize.square(0.1))} == {2}
    (axon,) = micr.glob("*_seg-axon-manual.png")
    Image.fromarray(np.full(shape, 255, np.uint8)).save(axon.with_name(axon.name.replace("axon", "uaxon")))
    drawn, undrawn = read_samples(tmp_path, PixelSize.square(0.1))
    np.testing.assert_array_equal(drawn.labels, np.where(undrawn.labels == 0, 3, undrawn.labels))
    assert (drawn.undrawn, undrawn.undrawn) == (False, True)
