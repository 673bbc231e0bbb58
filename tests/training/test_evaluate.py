"""A model is scored on what a run makes of the images, and its card says what the scores say."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from slides import command, tissue, write_model, write_sample

import axonflow
from axonflow.errors import InputError
from axonflow.net.checkpoint import EMBEDDED, Checkpoint
from axonflow.net.judged import read_judged
from axonflow.slide import open_slide
from axonflow.training.card import Examined, assess, write_card
from axonflow.training.evaluate import Compared, compare, evaluate, select
from axonflow.training.score import pixel_scores

SHAPE = (300, 420)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two subjects, of whom the second has pixels half as large as the model's."""
    top = tmp_path_factory.mktemp("bids")
    for number, (subject, um) in enumerate((("sub-a", 0.1), ("sub-b", 0.05))):
        image = write_sample(top, f"{subject}_sample-1_SEM", tissue(SHAPE, number))
        image.with_suffix(".json").write_text(json.dumps({"PixelSize": [um, um]}))
    return top


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("out")


def test_what_is_scored_is_what_a_run_maps(data: Path, model: Path, out: Path) -> None:
    for image in select(data, None):
        compared = compare(model, image, out, workers=1)
        um = image.pixel_size.y
        result = axonflow.run(
            image.image, out / "again.ome.zarr", pixel_size=um, model=str(model), fresh=True, workers=1
        )
        maps = result.maps
        share = (maps["avf"] * maps["covered_area"]).sum() / maps["covered_area"].sum()
        assert float(share) == pytest.approx((compared.found == 2).mean(), abs=1e-12)
        assert compared.found.shape == compared.truth.shape == result.labels["semantic"].shape
        assert compared.pixel_size.y == 0.1
        # Labels brought to the model's grid keep their areas.
        own = np.asarray(Image.open(image.axon)) > 0
        assert (compared.truth == 2).mean() == pytest.approx(own.mean(), abs=0.01)


def test_native_scores_lie_on_the_images_own_pixels(data: Path, model: Path, out: Path) -> None:
    (image,) = select(data, ["sub-b"])
    coarse, fine = (compare(model, image, out, native=native, workers=1) for native in (False, True))
    assert coarse.found.shape == (SHAPE[0] // 2, SHAPE[1] // 2)
    assert fine.found.shape == fine.truth.shape == SHAPE
    np.testing.assert_array_equal(fine.found[::2, ::2], coarse.found)
    np.testing.assert_array_equal(fine.found[1::2, 1::2], coarse.found)


def test_labels_of_an_image_with_an_info_bar_are_cut_as_it_is(model: Path, tmp_path: Path) -> None:
    """To lay them over what is left of the image would compare rows that are not the same."""
    shape, rows = (150, 210), 24
    plain, barred = tmp_path / "plain", tmp_path / "barred"
    for top, below in ((plain, 0), (barred, rows)):
        image = write_sample(top, "sub-a_sample-1_SEM", np.pad(tissue(shape), ((0, below), (0, 0))))
        pixels = np.clip(np.asarray(Image.open(image)), 1, 254)
        pixels[shape[0] :] = np.kron(np.eye(2), np.full((rows // 2, shape[1] // 2), 255))[:below]
        Image.fromarray(pixels).save(image)
        image.with_suffix(".json").write_text(json.dumps({"PixelSize": [0.05, 0.05]}))
    for native in (False, True):
        whole, cut = (compare(model, select(top, None)[0], top, native=native, workers=1) for top in (plain, barred))
        np.testing.assert_array_equal(cut.truth, whole.truth)
        np.testing.assert_array_equal(cut.found, whole.found)


def test_labels_of_another_image_are_refused(model: Path, tmp_path: Path) -> None:
    image = write_sample(tmp_path, "sub-a_sample-1_SEM", tissue(SHAPE))
    image.with_suffix(".json").write_text(json.dumps({"PixelSize": [0.1, 0.1]}))
    Image.open(image).crop((0, 0, SHAPE[1], SHAPE[0] - 1)).save(image)
    (labelled,) = select(tmp_path, None)
    for native in (False, True):
        with pytest.raises(InputError, match=r"299 × 420 px .* has 300 × 420; give the masks of this image"):
            compare(model, labelled, tmp_path, native=native, workers=1)


@pytest.mark.parametrize(
    "said",
    [
        {"PixelSize": [0.1, 0.2]},
        {"PixelSize": [0.1, 0.2, 5], "PixelSizeUnits": "um"},
        {"PixelSize": [100, 200], "PixelSizeUnits": "nm"},
        {"PixelSize": [1e-4, 2e-4], "PixelSizeUnits": "mm"},
        {"PixelSize": 0.1},
    ],
    ids=str,
)
def test_a_pixel_is_as_large_as_for_a_run(said: dict[str, object], tmp_path: Path) -> None:
    image = write_sample(tmp_path, "sub-a_sample-1_SEM", tissue(SHAPE))
    image.with_suffix(".json").write_text(json.dumps(said))
    (labelled,) = select(tmp_path, None)
    assert labelled.pixel_size == open_slide(image).pixel_size


def test_one_row_an_image(data: Path, model: Path, out: Path) -> None:
    seen: list[Compared] = []
    scores = evaluate(model, select(data, None), out, workers=1, watch=seen.append)
    assert list(scores["subject"]) == ["sub-a", "sub-b"]
    for compared, accuracy in zip(seen, scores["accuracy"], strict=True):
        assert accuracy == pixel_scores(compared.found, compared.truth).accuracy


def test_subjects_that_are_not_there_are_refused_with_those_that_are(data: Path) -> None:
    with pytest.raises(InputError, match="sub-a, sub-b were expected, sub-z came"):
        select(data, ["sub-a", "sub-z"])


def test_a_closer_look_agrees_with_the_pixels(data: Path, model: Path, out: Path) -> None:
    compared = compare(model, select(data, ["sub-a"])[0], out, workers=1)
    perfect = assess(replace(compared, found=compared.truth))
    drawn = perfect.axons[perfect.axons["drawn"]]
    assert len(drawn) * 2 == len(perfect.axons)
    np.testing.assert_array_equal(drawn["diameter_um"], perfect.axons.loc[~perfect.axons["drawn"], "diameter_um"])
    assert (perfect.squares["error"] == 0).all()
    real = assess(compared)
    assert len(real.squares) == 2  # 300 × 420 px have two squares of 256 px that are not cut down to a quarter
    wrong = (compared.found != compared.truth)[:256, :256]
    assert real.squares["error"].iloc[0] == wrong.mean()
    nothing = assess(replace(compared, found=np.zeros_like(compared.truth)))
    assert not nothing.axons["met"].any()


def test_the_command_writes_scores_and_card(data: Path, model: Path, out: Path, tmp_path: Path) -> None:
    contract = json.loads(model.read_text())
    learned = Checkpoint.find(model)
    folder = tmp_path / "model"
    replace(learned, trained_on={"subjects": ["sub-a"], "recipe": {"patches": 3}}).save(learned.network(), folder)
    ran = command("evaluate", folder / model.name, data, "--out", out, "--workers", 1)
    assert ran.code == 0, ran.out + ran.err
    scores = pd.read_csv(out / "scores.csv")
    card = (out / "card.md").read_text()
    for row in scores.to_dict("records"):
        kind = "trained on" if row["subject"] == "sub-a" else "held out"
        assert f"| {row['image']} | {kind} | {row['accuracy']:.3f} |" in card
        assert f"({row['mvf_error']:+.1%})" in card
        assert (out / "card" / f"{row['image']}.png").exists() == (kind == "held out")
    assert contract["sha256"] in card
    assert (out / "card" / "bland-altman.png").exists()
    assert "too few to tell" in card  # of squares, on so small an image


def test_a_model_of_all_subjects_is_scored_by_those_that_never_saw_them(
    data: Path, model: Path, tmp_path: Path
) -> None:
    """The pixels of an image are as the network without its subject labels them, and the card says so."""
    learned = Checkpoint.find(model)
    made: dict[str, Path] = {}
    for name, subjects in (("all", ["sub-a", "sub-b"]), ("a", ["sub-a"]), ("b", ["sub-b"]), ("other", ["sub-b"])):
        network = learned.network()
        if name == "a":  # which sees axons nowhere
            next(reversed([*network.parameters()])).data[2] = -1e3
        told = {"subjects": subjects, "recipe": {"patches": 4 if name == "other" else 3, "seed": len(made)}}
        replace(learned, name=name, trained_on=told).save(network, tmp_path / name)
        made[name] = tmp_path / name / f"{name}.json"
    run = ("evaluate", made["all"], data, "--out", tmp_path / "out", "--workers", 1, "--cross-validated")
    ran = command(*run, f"{made['a']},{made['b']}")
    assert ran.code == 0, ran.out + ran.err
    scores = pd.read_csv(tmp_path / "out" / "scores.csv").set_index("subject")
    assert scores["axons_found"]["sub-b"] == 0 < scores["axons_found"]["sub-a"]
    card = (tmp_path / "out" / "card.md").read_text()
    assert "scored by cross-validation" in card
    assert "trained on |" not in card
    for wrong, said in (
        (f"{made['a']},{made['other']}", "trained by another"),
        (f"{made['a']}", "been trained without sub-a, none was"),
        (f"{made['a']},{made['b']},{made['b']}", "trained without sub-a, .* and .* was"),
    ):
        refused = command(*run, wrong)
        assert refused.code == 2
        assert re.search(said, " ".join(refused.err.split()))


def test_a_card_warns_of_what_is_far_off_and_only_of_that(model: Path, tmp_path: Path) -> None:
    numbers = {f"{name}_{kind}": 1.0 for name in ("density", "avf", "gratio", "diameter") for kind in ("found", "true")}
    errors = {f"{name}_error": 0.01 for name in ("density", "avf", "gratio", "diameter")}
    scored = dict.fromkeys(
        ("accuracy", "dice_axon", "dice_myelin", "mean_iou", "sensitivity", "precision", "instance_f1"), 0.9
    )
    row = {"subject": "s", "image": "i", "mvf_found": 1.2, "mvf_true": 1.0, "mvf_error": 0.2}
    axons = pd.DataFrame({"diameter_um": [1.0, 1.0], "drawn": [True, False], "met": [True, True]})
    squares = pd.DataFrame({"confidence": [0.5, 0.7, 0.9], "error": [0.3, 0.2, 0.1]})
    card = tmp_path / "card.md"
    (tmp_path / "card").mkdir()
    for error, warned in ((0.2, True), (0.05, False)):
        scores = pd.DataFrame([row | numbers | errors | scored | {"mvf_error": error}])
        write_card(Checkpoint.find(model), scores, {"i": Examined(axons, squares)}, card, tmp_path / "card")
        text = card.read_text()
        assert ("myelin volume fraction (MVF) on i (up to 20.0%)" in text) == warned
        assert ("each of these is within 5% of the truth" in text) != warned
        assert "-1.00" in text  # the rank correlation
        assert (tmp_path / "card" / "confidence.png").exists()
        judged = read_judged(tmp_path / "card", Checkpoint.find(model).sha256)
        assert judged is not None
        assert (judged.images, judged.subjects, judged.cross_validated) == (1, 1, False)
        assert judged.errors["mvf"] == (error, error)
        assert judged.scores["accuracy"] == (0.9, 0.9)
    learned = replace(Checkpoint.find(model), trained_on={"subjects": ["s"]})
    write_card(learned, scores, {"i": Examined(axons, squares)}, card, tmp_path / "card")
    assert read_judged(tmp_path / "card", Checkpoint.find(model).sha256) is None  # nothing was held out


@pytest.mark.parametrize("name", sorted(path.stem for path in EMBEDDED.glob("*.json")))
def test_an_embedded_model_has_its_card(name: str) -> None:
    checkpoint = Checkpoint.find(name)
    card = checkpoint.card.read_text()
    assert checkpoint.sha256 in card
    judged = read_judged(checkpoint.folder / name, checkpoint.sha256)
    assert judged is not None
    rows = [line.strip("| ").split(" | ") for line in card.splitlines() if line.startswith("| sub-") and "%)" in line]
    errors = pd.DataFrame([[float(cell.split("(")[1].rstrip("%)")) for cell in row[1:]] for row in rows])
    by_subject = errors.groupby([row[0].split("_")[0] for row in rows]).mean().abs()
    for column, (mean, worst) in enumerate(judged.errors.values()):
        assert 100 * mean == pytest.approx(by_subject[column].mean(), abs=0.06)
        assert 100 * worst == pytest.approx(by_subject[column].max(), abs=0.06)
    assert judged.subjects == len(by_subject)
    for link in [line.split("](")[1].rstrip(")") for line in card.splitlines() if line.startswith("![")]:
        assert (checkpoint.folder / link).exists()


def test_a_network_is_no_worse_on_what_it_learned_from(real_data: Path, tmp_path: Path) -> None:
    (image,) = select(real_data / "sem", ["sub-rat8"])
    (row,) = evaluate("sem", [image], tmp_path, workers=1).to_dict("records")
    (line,) = (
        line for line in Checkpoint.find("sem").card.read_text().splitlines() if f"| {image.name} | held out" in line
    )
    columns = ("accuracy", "dice_axon", "dice_myelin", "mean_iou", "sensitivity", "precision", "instance_f1")
    cells = [float(cell) for cell in line.strip("| ").split(" | ")[2:]]  # of networks that never saw this rat
    better = [row[column] - cell for column, cell in zip(columns, cells, strict=True)]
    assert np.mean(better) > 0
    assert min(better) > -0.02
