"""A folder of nnU-Net, or an archive of one, is read as nnU-Net reads it, or refused in one sentence; nothing runs."""

from __future__ import annotations

import json
import os
import pickle
import re
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from nnunet_folders import LABELS, LAYERS, checkpoint, plans, write_folder
from nnunet_oracle import Spec, folder, forward

from axonflow.errors import ModelError
from axonflow.kernel.classes import known_as
from axonflow.net.checkpoint import Checkpoint
from axonflow.net.nnunet.folder import open_model


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
    monkeypatch.setenv("AXONFLOW_MODELS", str(tmp_path_factory.mktemp("models")))


def archive(model: Path, file: Path, top: str = "model_seg") -> Path:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as sink:
        for path in sorted(model.rglob("*")):
            sink.write(path, f"{top}/{path.relative_to(model)}")
    return file


@pytest.mark.nnunet
@pytest.mark.parametrize(
    "spec",
    [
        Spec(steps=2),
        Spec(steps=2, old=True, mirrors=None, channels=("anything",), checkpoint="checkpoint_best.pth"),
        Spec(steps=2, residual=True, labels=("uaxon", "axon", "nucleus", "myelin", "oligo"), folds=("0", "1", "4")),
        Spec(steps=2, residual=True, old=True, mirrors=(1,), channels=("rgb_to_0_1",) * 3, folds=("1", "all")),
        Spec(steps=2, channels=("noNorm",), mirrors=(0,), strides=((1, 1), (2, 1), (2, 2))),
    ],
)
def test_what_nnunet_wrote_is_read(spec: Spec) -> None:
    model = folder(spec)
    found = Checkpoint.find(model)
    plan = found.plan
    assert plan is not None
    assert (plan.patch, plan.folds, plan.mirrors) == (spec.patch, spec.folds, spec.mirrors or ())
    assert plan.channels == spec.channels
    assert plan.layers.residual is spec.residual
    named = {"uaxon": "unmyelinated axon"}
    assert found.classes.names == ("background", *(named.get(name, name) for name in spec.labels))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as the oracle has
    windows = np.random.default_rng(1).normal(size=(1, len(spec.channels), *spec.patch)).astype(np.float32)
    try:
        for fold, net in zip(plan.folds, found.networks(), strict=True):
            with torch.inference_mode():
                np.testing.assert_array_equal(net(torch.from_numpy(windows)).numpy(), forward(model, fold, windows))
    finally:
        torch.set_num_threads(threads)


def test_an_archive_is_the_same_as_its_folder(tmp_path: Path) -> None:
    model = write_folder(tmp_path / "model", folds=("0", "3"))
    for top in ("model_seg", "deep/in/it"):
        packed = Checkpoint.find(archive(model, tmp_path / "packed.zip", top))
        assert packed.plan == Checkpoint.find(model).plan
        assert packed.sha256 == Checkpoint.find(model).sha256
    inside = Checkpoint.find(tmp_path / "model" / ".." / "model")
    assert inside.path == Checkpoint.find(model).path


def test_a_folder_in_a_folder_is_found(tmp_path: Path) -> None:
    write_folder(tmp_path / "release" / "model")
    assert Checkpoint.find(tmp_path / "release").name == "release"


def test_the_best_is_taken_before_the_final_one(tmp_path: Path) -> None:
    model = write_folder(tmp_path / "m", folds=("0", "1"), names=("checkpoint_final.pth", "checkpoint_best.pth"))
    for chosen in ("checkpoint_best.pth", "checkpoint_final.pth"):
        with open_model(model) as found:
            assert (found.checkpoint, found.plan.folds) == (chosen, ("0", "1"))
        (model / "fold_1" / "checkpoint_best.pth").unlink(missing_ok=True)


def test_folds_are_chosen(tmp_path: Path) -> None:
    model = write_folder(tmp_path / "m", folds=("0", "1", "all"))
    with open_model(model, ["1"]) as found:
        assert found.plan.folds == ("1",)
    with (
        pytest.raises(ModelError, match=r"Folds among 0, 1, all were expected of .*, 7 came"),
        open_model(model, ["7"]),
    ):
        pass


def test_what_is_kept_is_what_the_folder_holds_now(tmp_path: Path) -> None:
    first = Checkpoint.find(write_folder(tmp_path / "m"))
    assert Checkpoint.find(tmp_path / "m").path == first.path
    torch.save(checkpoint(seed=9), tmp_path / "m" / "fold_all" / "checkpoint_final.pth")
    assert Checkpoint.find(tmp_path / "m").sha256 != first.sha256


@pytest.mark.parametrize(
    ("name", "role"),
    [
        *[(name, "axon") for name in ("axon", "Axon", "AXONS", "myelinated_axon")],
        *[(name, "myelin") for name in ("myelin", "Myelin", "myelin-sheath")],
        *[(name, "unmyelinated") for name in ("uaxon", "unmyelinated axon", "Unmyelinated_Axon", "uAxons")],
        *[(name, None) for name in ("nucleus", "oligodendrocyte process", "axoneme", "")],
    ],
)
def test_names_of_labels_are_known(name: str, role: str | None) -> None:
    known = known_as(name)
    assert (known and known.role) == role


def test_numbers_of_labels_stay(tmp_path: Path) -> None:
    labels = {"background": 0, "Axon": 1, "3rd (odd) name!": 2, "MYELIN": 3, "uaxon": 4, "nucleus": 5, "ignore": 6}
    model = write_folder(tmp_path / "m", labels={name: n for name, n in labels.items() if name != "ignore"})
    (model / "dataset.json").write_text(json.dumps({"labels": labels, "channel_names": {"0": "SEM"}}))
    classes = Checkpoint.find(model).classes
    assert (classes.axon, classes.myelin, len(classes)) == (1, 3, 6)
    assert classes.names == ("background", "axon", "class 3rd odd name", "myelin", "unmyelinated axon", "nucleus")


class _Runs:
    """What a pickle can do: call anything."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.marker),)


HEAD = "decoder.seg_layers.0.bias"
Change = Callable[[Path, Path], object]


def dataset(**changed: Any) -> Change:
    content = {"channel_names": {"0": "SEM"}, "labels": LABELS} | changed
    return lambda model, _: (model / "dataset.json").write_text(json.dumps(content))


def planned(**changed: Any) -> Change:
    return lambda model, _: (model / "plans.json").write_text(json.dumps(plans(**changed)))


def top_level(**changed: Any) -> Change:
    return lambda model, _: (model / "plans.json").write_text(json.dumps(plans() | changed))


def text(name: str, content: str) -> Change:
    return lambda model, _: (model / name).write_text(content)


def weights(**changed: Any) -> Change:
    return lambda model, _: torch.save(checkpoint(**changed), model / "fold_all" / "checkpoint_final.pth")


def tensors(change: Callable[[dict[str, Any]], object]) -> Change:
    def do(model: Path, _: Path) -> None:
        content = checkpoint()
        change(content["network_weights"])
        torch.save(content, model / "fold_all" / "checkpoint_final.pth")

    return do


def raw(content: bytes) -> Change:
    return lambda model, _: (model / "fold_all" / "checkpoint_final.pth").write_bytes(content)


def runs(model: Path, marker: Path) -> None:
    torch.save(checkpoint(logging=_Runs(marker)), model / "fold_all" / "checkpoint_final.pth")


def runs_plainly(model: Path, marker: Path) -> None:
    (model / "fold_all" / "checkpoint_final.pth").write_bytes(pickle.dumps(_Runs(marker)))


def compressed(model: Path, _: Path) -> None:
    path = model / "fold_all" / "checkpoint_final.pth"
    with zipfile.ZipFile(path) as source:
        members = {info.filename: source.read(info) for info in source.infolist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as sink:
        for name, content in members.items():
            sink.writestr(name, content + (b"\0" * 2**24 if name.endswith(".pkl") else b""))


def swollen(values: dict[str, Any]) -> None:
    """A tensor of more numbers than there is memory for, of one number that is stored."""
    values["decoder.seg_layers.0.weight"] = torch.zeros(1).expand(3, 10**12, 1, 1)


def link(to: str) -> Change:
    def do(model: Path, _: Path) -> None:
        (model / "fold_all" / "checkpoint_final.pth").unlink()
        (model / "fold_all" / "checkpoint_final.pth").symlink_to(to)

    return do


REFUSED: dict[str, tuple[Change, str]] = {
    "a pickle that runs": (runs, "it asks for (posix.|os.)?mkdir"),
    "a pickle of another kind": (runs_plainly, "cannot be read"),
    "a compressed pickle": (compressed, "none that torch writes"),
    "no archive": (raw(b"no archive"), "cannot be read"),
    "an empty file": (raw(b""), "cannot be read"),
    "a list": (lambda model, _: torch.save([1], model / "fold_all" / "checkpoint_final.pth"), "list came"),
    "no weights": (weights(network_weights=None), "tensors by name"),
    "weights of text": (weights(network_weights={"a": "b"}), "tensors by name"),
    "no arguments": (weights(init_args=None), "NoneType"),
    "no such configuration": (weights(init_args={"configuration": "3d"}), "'3d' should be in plans.json"),
    "a configuration of another kind": (weights(init_args={"configuration": [2]}), "should be text"),
    "mirrors of 3-D": (weights(inference_allowed_mirroring_axes=(0, 1, 2)), "axes 0 and 1"),
    "a weight more": (tensors(lambda w: w.update({"x": torch.zeros(1)})), "'x' is none of them"),
    "a weight less": (tensors(lambda w: w.pop(HEAD)), f"{HEAD!r} is missing"),
    "another shape": (
        tensors(lambda w: w.update({HEAD: torch.zeros(4)})),
        r"\(3,\) were expected",
    ),
    "whole numbers": (tensors(lambda w: w.update({HEAD: torch.zeros(3).int()})), "int32"),
    "no finite number": (
        tensors(lambda w: w.update({HEAD: torch.full((3,), np.nan)})),
        "finite",
    ),
    "a tensor of 10¹² numbers": (tensors(swollen), r"\(3, 4, 1, 1\) were expected"),
    "a device": (link("/dev/zero"), "a device is there"),
    "a link to itself": (link("checkpoint_final.pth"), "fold_… with|cannot be read|symbolic links"),
    "no JSON": (text("plans.json", "{"), "cannot be used"),
    "deep JSON": (text("plans.json", "[" * 10**6), "nested too deep"),
    "deep JSON that is closed": (text("dataset.json", '{"labels":' * 5000 + "1" + "}" * 5000), "nested too deep"),
    "a list as plans": (text("plans.json", "[]"), "an object of JSON"),
    "a huge number": (text("plans.json", "9" * 10**5), "cannot be used"),
    "no configurations": (top_level(configurations={}), "'2d' should be in plans.json"),
    "configurations of another kind": (top_level(configurations=[]), "configurations by name"),
    "configurations in a circle": (
        top_level(configurations={"2d": {"inherits_from": "2d"}}),
        "should be in plans.json",
    ),
    "transposed": (top_level(transpose_forward=[1, 0, 2]), "transposed"),
    "a cascade": (planned(previous_stage="3d_lowres"), "cascade"),
    "another spacing": (planned(spacing=[0.5, 0.5]), "spacing of 1 px"),
    "CT": (planned(normalization_schemes=["CTNormalization"]), "CTNormalization.*came, which axonflow does not do"),
    "a mask": (
        planned(normalization_schemes=["ZScoreNormalization"], use_mask_for_norm=[True]),
        "use_mask_for_norm",
    ),
    "no normalisation": (planned(normalization_schemes=[]), "each of 1 channels"),
    "10⁹ features": (planned(features_per_stage=[10**9, 10**9]), "1 to 4096"),
    "10⁹ levels": (planned(n_stages=10**9), "n_stages of 2 to 12"),
    "10⁹ convolutions": (planned(n_conv_per_stage=[10**9, 1]), "1 to 32"),
    "kernels of 10⁹": (planned(kernel_sizes=[[10**9, 3], [3, 3]]), "1 to 15"),
    "features of text": (planned(features_per_stage="48"), "2 levels"),
    "half a feature": (planned(features_per_stage=[4.5, 8]), "1 to 4096"),
    "even kernels": (planned(kernel_sizes=[[2, 2], [3, 3]]), "odd sides"),
    "a first stride": (planned(strides=[[2, 2], [2, 2]]), "the first of stride 1"),
    "a patch that strides do not divide": (planned(patch_size=[33, 48]), "patch_size"),
    "a patch of 3-D": (planned(patch_size=[32, 48, 48]), "two numbers each"),
    "a huge patch": (planned(patch_size=[10**6, 48]), "8 to 4096"),
    "a network of another kind": (planned(network_class_name="os.system"), "PlainConvUNet or ResidualEncoderUNet"),
    "another norm": (planned(norm_op="torch.nn.BatchNorm2d"), "InstanceNorm2d"),
    "another activation": (planned(nonlin="torch.nn.GELU"), "LeakyReLU"),
    "more of the norm": (planned(norm_op_kwargs={"track_running_stats": True}), "eps and affine"),
    "no finite slope": (planned(nonlin_kwargs={"negative_slope": float("nan")}), "negative_slope"),
    "another network's weights": (planned(features_per_stage=[4, 16]), "were expected in"),
    "no labels": (dataset(labels=[]), "labels by name"),
    "regions": (dataset(labels={"background": 0, "fiber": [1, 2], "axon": 2}), "regions"),
    "labels with a gap": (dataset(labels={"background": 0, "axon": 1, "myelin": 3}), "without a gap"),
    "no background": (dataset(labels={"axon": 0, "myelin": 1}), "background 0"),
    "no myelin": (dataset(labels={"background": 0, "axon": 1}), "one label of axons and one of myelin"),
    "two of axons": (
        dataset(labels={"background": 0, "axon": 1, "myelin": 2, "axons": 3}),
        "one label of axons and one of myelin",
    ),
    "two channels": (dataset(channel_names={"0": "a", "1": "b"}), "one channel, or three"),
    "channels by other names": (dataset(channel_names={"x": "a"}), "'0' is missing"),
    "more classes than the weights have": (
        dataset(labels=LABELS | {"nucleus": 3}),
        "were expected in",
    ),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_be_used_is_refused_in_a_sentence(tmp_path: Path, kind: str) -> None:
    change, said = REFUSED[kind]
    model, marker = write_folder(tmp_path / "model"), tmp_path / "it ran"
    change(model, marker)
    with pytest.raises(ModelError) as caught:
        Checkpoint.find(model)
    assert re.search(said, str(caught.value)), str(caught.value)
    assert len(str(caught.value)) < 700
    assert "\n" not in str(caught.value)
    assert str(model) in str(caught.value)
    assert not marker.exists()


@pytest.mark.parametrize("missing", ["plans.json", "dataset.json", "fold_all", "fold_all/checkpoint_final.pth"])
def test_a_file_that_is_missing_is_named(tmp_path: Path, missing: str) -> None:
    model = write_folder(tmp_path / "model")
    path = model / missing
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    with pytest.raises(ModelError, match=re.escape(missing.partition("_")[0])):
        Checkpoint.find(model)


def zipped(members: dict[str, bytes], link: str | None = None) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        with zipfile.ZipFile(path, "w") as sink:
            for name, content in members.items():
                sink.writestr(name, content)
            if link:
                info = zipfile.ZipInfo(link)
                info.external_attr = 0o120777 << 16
                sink.writestr(info, "/etc/passwd")

    return write


def bomb(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as sink:
        sink.writestr("m/dataset.json", b"{}")
        sink.writestr("m/plans.json", b" " * 2**25)


def liar(path: Path) -> None:
    """A member that is longer than its head says."""
    bomb(path)
    content = path.read_bytes()
    path.write_bytes(content.replace((2**25).to_bytes(4, "little"), (100).to_bytes(4, "little")))


@pytest.mark.parametrize(
    ("write", "said"),
    [
        (zipped({"m/plans.json": b"{}", "../../escaped.json": b"x"}), "holds '../../escaped.json'"),
        (zipped({"m/plans.json": b"{}", "/escaped.json": b"x"}), "holds '/escaped.json'"),
        (zipped({"m/plans.json": b"{}"}, link="m/fold_all"), "a link"),
        (zipped({"readme.txt": b"x"}), "one plans.json should be in it, 0 are"),
        (zipped({"a/plans.json": b"{}", "b/plans.json": b"{}"}), "one plans.json should be in it, 2 are"),
        (bomb, "should have 16,777,216 bytes or less"),
        (liar, "cannot be used"),
        (lambda path: path.write_bytes(b"no archive"), "cannot be used"),
        (lambda path: path.write_bytes(b""), "cannot be used"),
    ],
)
def test_an_archive_that_cannot_be_used_is_refused(tmp_path: Path, write: Callable[[Path], object], said: str) -> None:
    (tmp_path / "in").mkdir()
    write(tmp_path / "in" / "model.zip")
    with pytest.raises(ModelError, match=re.escape(said)):
        Checkpoint.find(tmp_path / "in" / "model.zip")
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["model.zip"]


def test_a_contract_says_what_the_folder_said(tmp_path: Path) -> None:
    found = Checkpoint.find(write_folder(tmp_path / "m", folds=("0", "1")))
    assert found.plan is not None
    assert found.plan.layers == LAYERS
    assert found == Checkpoint.find(found.path)
    assert json.loads(json.dumps(found.contract)) == json.loads(found.path.read_text())
    assert pickle.loads(pickle.dumps(found)) == found
    assert hash(found) == hash(Checkpoint.find(found.path))


CONTRACTS: dict[str, Any] = {
    "no plan": lambda content: content.pop("nnunet"),
    "another architecture": lambda content: content.update(architecture="sem"),
    "a plan that is none": lambda content: content.update(nnunet=[]),
    "10⁹ features": lambda content: content["nnunet"]["layers"].update(features=[10**9, 8]),
    "layers of another kind": lambda content: content["nnunet"].update(layers="x"),
    "one more": lambda content: content["nnunet"].update(more=1),
    "mirrors of 3-D": lambda content: content["nnunet"].update(mirrors=[2]),
    "folds that climb": lambda content: content["nnunet"].update(folds=["../x"]),
    "no folds": lambda content: content["nnunet"].update(folds=[]),
    "one fold twice": lambda content: content["nnunet"].update(folds=["0", "0"]),
    "no finite step": lambda content: content["nnunet"].update(step=float("inf")),
    "two channels": lambda content: content["nnunet"].update(channels=["a", "b"]),
    "a negative pixel size": lambda content: content.update(pixel_size_um=-1),
    "no pixel size": lambda content: content.pop("pixel_size_um"),
}


@pytest.mark.parametrize("kind", CONTRACTS)
def test_a_contract_that_cannot_be_used_is_refused(tmp_path: Path, kind: str) -> None:
    path = Checkpoint.find(write_folder(tmp_path / "m")).path
    content = json.loads(path.read_text())
    CONTRACTS[kind](content)
    path.write_text(json.dumps(content))
    with pytest.raises(ModelError, match=re.escape(str(path))):
        Checkpoint.find(path)


def test_weights_that_were_changed_are_refused(tmp_path: Path) -> None:
    found = Checkpoint.find(write_folder(tmp_path / "m"))
    content = bytearray(found.weights.read_bytes())
    content[-1] ^= 1
    found.weights.write_bytes(content)
    with pytest.raises(ModelError, match="sha256"):
        found.networks()
