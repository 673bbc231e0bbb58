"""A checkpoint is what its contract says, or is refused."""

from __future__ import annotations

import json
import pickle
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from whole_numbers import random_integers

from axonflow.errors import ModelError
from axonflow.kernel.classes import AXON_MYELIN, Classes, PixelClass
from axonflow.kernel.grid import Box
from axonflow.kernel.units import PixelSize
from axonflow.net.architecture import SEM, TEM
from axonflow.net.checkpoint import Checkpoint
from axonflow.net.lattice import Lattice
from axonflow.net.predict import Predictor
from axonflow.net.unet import UNet

FIVE = Classes(
    (
        *AXON_MYELIN,
        PixelClass(3, "unmyelinated axon", "#7fc97f", "unmyelinated"),
        PixelClass(4, "nucleus", "#beaed4", "other"),
    )
)
CONTRACT = Checkpoint("tiny", "tem", 0.1, False, 64, 25, 0.0, "", {"data": "none"})


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    torch.manual_seed(3)
    net = UNet(TEM)
    with torch.no_grad():  # batch statistics that are not 0 and 1, as after training
        for module in net.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.running_mean.uniform_(-0.2, 0.2)  # type: ignore[union-attr]
                module.running_var.uniform_(0.5, 2)  # type: ignore[union-attr]
    return CONTRACT.save(net, tmp_path_factory.mktemp("model"))


def test_round_trip(saved: Checkpoint) -> None:
    found = Checkpoint.find(saved.weights)
    assert found == replace(saved, folder=found.folder)
    assert sum(p.numel() for p in found.network().parameters()) == 1_552_387


def test_what_is_familiar_survives(saved: Checkpoint, tmp_path: Path) -> None:
    told = replace(saved, familiar={"texture": (0.1, 0.25), "confidence": (0.8, 1.0)})
    found = Checkpoint.find(told.save(saved.network(), tmp_path).weights)
    assert found == replace(told, folder=found.folder)
    assert found.familiar["texture"] == (0.1, 0.25)
    assert hash(found) == hash(replace(saved, folder=found.folder))
    assert pickle.loads(pickle.dumps(found)) == found
    assert saved.familiar == {}


def test_five_classes_travel_with_their_model(tmp_path: Path) -> None:
    told = replace(CONTRACT, classes=FIVE).save(UNet(TEM, classes=5), tmp_path)
    found = Checkpoint.find(told.weights)
    assert found == replace(told, folder=found.folder)
    assert found.classes == FIVE
    assert hash(found) == hash(replace(told, folder=found.folder))
    assert pickle.loads(pickle.dumps(found)) == found
    lattice, pixels = Lattice((64, 64), 64, 25, 16), np.zeros((64, 64), np.uint8)
    whole = Box.whole((64, 64))
    planes = Predictor(found, lattice, "float32").predict(pixels, whole, whole, np.zeros(65536, np.float32))
    assert planes.shape == (2 + 5, 64, 64)


@pytest.mark.parametrize("said", [{}, {"classes": ["background", "myelin", "axon"]}])
def test_a_contract_that_lists_no_classes_means_the_three(
    saved: Checkpoint, tmp_path: Path, said: dict[str, object]
) -> None:
    content = json.loads((saved.folder / "tiny.json").read_text())
    del content["classes"]
    (tmp_path / "tiny.json").write_text(json.dumps(content | said))
    (tmp_path / "tiny.safetensors").write_bytes(saved.weights.read_bytes())
    found = Checkpoint.find(tmp_path / "tiny.json")
    assert found == replace(saved, folder=found.folder)
    assert found.classes == AXON_MYELIN


@pytest.mark.parametrize("classes", [["background", "axon", "myelin"], [], "axon", None, [{"number": 0}], [[]], {}])
def test_a_contract_with_a_list_that_is_none_is_refused(saved: Checkpoint, tmp_path: Path, classes: object) -> None:
    content = json.loads((saved.folder / "tiny.json").read_text()) | {"classes": classes}
    (tmp_path / "tiny.json").write_text(json.dumps(content))
    with pytest.raises(ModelError, match="cannot be read"):
        Checkpoint.find(tmp_path / "tiny.json")


def test_weights_of_fewer_classes_than_the_contract_has_are_refused(saved: Checkpoint) -> None:
    with pytest.raises(ModelError, match="network of 5 classes"):
        replace(saved, classes=FIVE).network()


@pytest.mark.parametrize("familiar", [{"colour": [0, 1]}, {"texture": [1, 0]}, {"texture": [1]}, {"texture": 1}, [1]])
def test_a_contract_with_other_ranges_is_refused(saved: Checkpoint, tmp_path: Path, familiar: object) -> None:
    content = json.loads((saved.folder / "tiny.json").read_text()) | {"familiar": familiar}
    (tmp_path / "tiny.json").write_text(json.dumps(content))
    with pytest.raises(ModelError, match="cannot be read"):
        Checkpoint.find(tmp_path / "tiny.json")


def test_a_contract_that_does_not_say_what_is_familiar_is_read(saved: Checkpoint, tmp_path: Path) -> None:
    content = json.loads((saved.folder / "tiny.json").read_text())
    del content["familiar"]
    (tmp_path / "tiny.json").write_text(json.dumps(content))
    (tmp_path / "tiny.safetensors").write_bytes(saved.weights.read_bytes())
    assert Checkpoint.find(tmp_path / "tiny.json").familiar == {}


def test_the_embedded_model_is_whole() -> None:
    checkpoint = Checkpoint.find("sem")
    assert checkpoint.shape == SEM
    assert sum(p.numel() for p in checkpoint.network().parameters()) == 1_953_219
    assert "sub-rat6" not in checkpoint.trained_on["subjects"]  # the test subject of ASTIH's SEM1


def test_folded_prediction_is_the_networks(saved: Checkpoint) -> None:
    lattice = Lattice((100, 90), 64, 32, 16)
    pixels = np.random.default_rng(0).integers(0, 256, (100, 90), dtype=np.uint8)
    table = np.linspace(-2, 2, 65536, dtype=np.float32) * 100
    core = Box(64, 64, 100, 90)
    shares, inner = Predictor(saved, lattice, "float32").probabilities(core, pixels, Box.whole((100, 90)), table)
    window, _ = lattice.window(core, pixels, Box.whole((100, 90)))
    with torch.inference_mode():
        expected = torch.softmax(saved.network()(torch.from_numpy(table[window.astype(int)])[None, None]), 1)[0]
    np.testing.assert_allclose(shares, expected.numpy(), atol=1e-4)
    assert inner.shape == core.shape


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_prediction_does_not_depend_on_threads_or_neighbours(saved: Checkpoint, precision: str) -> None:
    lattice = Lattice((150, 140), 64, 25, 16)
    pixels = np.random.default_rng(1).integers(0, 256, (150, 140), dtype=np.uint8)
    table = np.linspace(-200, 200, 65536, dtype=np.float32)
    predictor = Predictor(saved, lattice, precision)  # type: ignore[arg-type]
    whole = predictor.predict(pixels, Box.whole((150, 140)), Box.whole((150, 140)), table)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for core in lattice.cores(Box.whole((150, 140))):
            have = core.grow(25, (150, 140))
            alone = predictor.predict(pixels[have.slices], have, core, table)
            np.testing.assert_array_equal(alone, whole[:, *core.slices])
    finally:
        torch.set_num_threads(threads)
    chosen = np.take_along_axis(whole[2:], whole[:1], axis=0)[0]
    np.testing.assert_array_equal(chosen, whole[1])
    np.testing.assert_array_equal(chosen, whole[2:].max(axis=0))
    for planes in (2, 5):
        out = np.zeros((planes, 150, 140), np.uint8)
        predictor.predict(pixels, Box.whole((150, 140)), Box.whole((150, 140)), table, out)
        np.testing.assert_array_equal(out, whole[:planes])


def test_refusals(saved: Checkpoint, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="embedded"):
        Checkpoint.find("nobody")
    content = json.loads((saved.folder / "tiny.json").read_text())
    (tmp_path / "tiny.json").write_text(json.dumps(content))
    with pytest.raises(ModelError, match="nothing is there"):
        Checkpoint.find(tmp_path / "tiny.json")
    (tmp_path / "tiny.safetensors").write_bytes(saved.weights.read_bytes()[:-1] + b"x")
    with pytest.raises(ModelError, match="damaged"):
        Checkpoint.find(tmp_path / "tiny.json").network()
    (tmp_path / "tiny.json").write_text(json.dumps(content | {"lattice_px": 100}))
    with pytest.raises(ModelError, match="multiple of 16"):
        Checkpoint.find(tmp_path / "tiny.json")
    (tmp_path / "tiny.json").write_text("{")
    with pytest.raises(ModelError, match="cannot be read"):
        Checkpoint.find(tmp_path / "tiny.json")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"familiar": {"contrast": [0, 10**400]}}, "cannot be read"),
        ({"lattice_px": 0}, "lattice_px was expected to be 16 to 65536 px, 0 came"),
        ({"lattice_px": "wide"}, "lattice_px was expected to be a whole number, 'wide' came"),
        ({"halo_px": -1}, "halo_px was expected to be 0 to 65536 px, -1 came"),
        ({"halo_px": 2.5}, "halo_px was expected to be a whole number, 2.5 came"),
        ({"pixel_size_um": 0}, "pixel_size_um was expected to be 0.0005 to 5 µm, 0 came"),
        ({"smallest_axon_um2": None}, "smallest_axon_um2 was expected to be a number, None came"),
        ({"invert": "perhaps"}, "invert was expected to be yes or no, 'perhaps' came"),
        ({"name": ""}, "name was expected to be text, '' came"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_contract_that_cannot_be_meant_is_refused(
    saved: Checkpoint, tmp_path: Path, change: dict[str, object], said: str
) -> None:
    content = json.loads((saved.folder / "tiny.json").read_text())
    (tmp_path / "tiny.json").write_text(json.dumps(content | change))
    with pytest.raises(ModelError, match="cannot be read") as refused:
        Checkpoint.find(tmp_path / "tiny.json")
    assert said in str(refused.value)


ODD: list[object] = [None, True, -1, 0, 1.5, 10**30, float("nan"), float("inf"), "", "odd", [], [1], {}, [[]]]


@pytest.mark.parametrize("key", sorted(CONTRACT.contract))
@pytest.mark.parametrize("value", ODD, ids=repr)
def test_whatever_a_contract_says_is_read_or_refused_in_one_sentence(
    saved: Checkpoint, tmp_path: Path, key: str, value: object
) -> None:
    content = json.loads((saved.folder / "tiny.json").read_text())
    (tmp_path / "tiny.json").write_text(json.dumps(content | {key: value}))
    (tmp_path / "tiny.safetensors").write_bytes(saved.weights.read_bytes())
    refused, found = "", saved
    try:
        found = Checkpoint.find(tmp_path / "tiny.json")
    except ModelError as error:
        refused = str(error)
    assert not refused or re.fullmatch(r".*expected.*came.*|.*expected.*nothing is there.*", refused)
    assert hash(found) == hash(pickle.loads(pickle.dumps(found)))
    assert set(found.trained_on.get("subjects", ())) >= set()
    assert found.lattice_px % found.shape.stride == 0
    assert found.halo_px >= 0


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("kind", ["weight", "bias", "running_mean", "running_var"])
def test_weights_that_are_no_numbers_are_refused_whatever_their_digest(
    saved: Checkpoint, tmp_path: Path, kind: str, value: float
) -> None:
    net = saved.network()
    name = next(name for name in net.state_dict() if name.endswith(kind))
    with torch.no_grad():
        net.state_dict()[name].flatten()[-1] = value
    broken = saved.save(net, tmp_path)
    with pytest.raises(ModelError, match=rf"finite numbers.* others came in {name}; its training failed"):
        Checkpoint.find(broken.weights).network()


def test_a_variance_below_zero_is_refused(saved: Checkpoint, tmp_path: Path) -> None:
    net = saved.network()
    name = next(name for name in net.state_dict() if name.endswith("running_var"))
    with torch.no_grad():
        net.state_dict()[name][0] = -1
    with pytest.raises(ModelError, match="variances of 0 or more"):
        saved.save(net, tmp_path).network()


def test_a_model_of_one_pixel_size_states_no_others(saved: Checkpoint) -> None:
    assert not {"working_um", "slides_um"} & json.loads(saved.path.read_text()).keys()
    assert saved.working_sizes == (saved.pixel_size,)
    assert saved.working_size(PixelSize.square(2.0)) == saved.pixel_size


def test_several_working_sizes_survive_and_the_nearest_is_taken(saved: Checkpoint, tmp_path: Path) -> None:
    told = replace(saved, working_um=(0.05, 0.1, 0.2), slides_um=(0.04, 0.3))
    found = Checkpoint.find(told.save(saved.network(), tmp_path).weights)
    assert found == replace(told, folder=found.folder)
    nearest = {0.01: 0.05, 0.07: 0.05, 0.08: 0.1, 0.1: 0.1, 0.14: 0.1, 0.1415: 0.2, 1.0: 0.2}
    assert {um: found.working_size(PixelSize.square(um)).y for um in nearest} == nearest
    assert found.working_size(PixelSize(0.05, 0.2)).y == 0.1  # by the side of the square with its area
    halves = replace(told, working_um=(0.1, 0.4), slides_um=None)
    assert halves.working_size(PixelSize.square(0.2)).y == 0.4  # as near: the coarser
    with pytest.raises(ModelError, match="working_um"):
        replace(told, working_um=(0.05, 0.2))


@pytest.mark.parametrize("stated", [{"working_um": "0.1"}, {"working_um": [0.1, 9]}, {"slides_um": [0.2, 0.1]}])
def test_pixel_sizes_that_are_none_are_refused(saved: Checkpoint, tmp_path: Path, stated: dict[str, object]) -> None:
    path = replace(saved, name="odd").save(saved.network(), tmp_path).path
    path.write_text(json.dumps(json.loads(path.read_text()) | stated))
    with pytest.raises(ModelError, match=f"{next(iter(stated))}"):
        Checkpoint.find(path)


def test_whole_numbers_belong_to_the_weights(saved: Checkpoint, tmp_path: Path) -> None:
    alone = saved.save(saved.network(), tmp_path)
    assert "integers" not in json.loads(alone.path.read_text())
    integers = random_integers(TEM)
    stated = alone.with_integers(integers)
    found = Checkpoint.find(stated.weights)
    assert found == replace(stated, folder=found.folder)
    assert found.integer_network().to_bytes() == integers.to_bytes()
    assert Checkpoint.find(found.save(found.network(), tmp_path).path).integers == ""
