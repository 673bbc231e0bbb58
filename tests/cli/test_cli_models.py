"""The models at hand can be listed, shown and found, and further ones imported."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from nnunet_folders import write_folder
from nnunet_models import blobs
from rich.console import Console
from screens import MAIN, on_terminal
from slides import command, write_slide
from typer.testing import CliRunner

from axonflow.cli import app
from axonflow.net.checkpoint import EMBEDDED, Checkpoint
from axonflow.net.judged import QUANTITIES, SCORES, read_judged

NAMES = sorted(path.stem for path in EMBEDDED.glob("*.json"))


def say(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["models", *arguments])
    assert result.exit_code == 0, result.output
    return result.output


def test_all_are_listed() -> None:
    listing = say("list")
    assert NAMES
    assert all(name in listing for name in NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_one_is_shown_with_what_it_learned_from(name: str) -> None:
    shown = " ".join(say("show", name).split())
    assert Checkpoint.find(name).sha256[:12] in shown
    for subject in Checkpoint.find(name).trained_on["subjects"]:
        assert subject in shown


@pytest.mark.parametrize("name", NAMES)
def test_one_is_shown_in_lines_that_fit_and_no_name_of_a_score_is_cut(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("axonflow.cli.models.console", Console(width=80, markup=False))
    checkpoint = Checkpoint.find(name)
    judged = read_judged(checkpoint.folder / name, checkpoint.sha256)
    assert judged is not None
    lines = say("show", name).splitlines()
    assert all(len(line) <= 80 for line in lines if not line.startswith("card"))
    for score, (mean, worst) in judged.scores.items():
        assert any(line.split() == [*SCORES[score].split(), f"{mean:.3f}", f"{worst:.3f}"] for line in lines)
    for quantity, (mean, worst) in judged.errors.items():
        words = QUANTITIES[quantity][0].split()
        assert any(line.split() == [*words, f"{mean:.1%}", f"{worst:.1%}"] for line in lines)
    assert str(checkpoint.card) in say("show", name).replace("\n", "")


@pytest.mark.parametrize("name", NAMES)
def test_the_whole_card_is_printed_with_each_image_in_one_piece(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("axonflow.cli.models.console", Console(width=80, markup=False))
    card, shown = Checkpoint.find(name).card.read_text(), say("show", name, "--card")
    assert all(len(line.rstrip()) <= 80 for line in shown.splitlines())
    images = [line.split(" | ")[0].strip("| ") for line in card.splitlines() if "| held out |" in line]
    assert len(images) > 3
    for image in images:
        assert re.search(rf"\b{re.escape(image)}\b", shown)
    numbers = set(re.findall(r"\b0\.\d{3}\b", card))
    assert numbers <= set(re.findall(r"\b0\.\d{3}\b", shown))


def test_a_card_that_is_not_there_is_refused_with_what_makes_one(mine: Path, tmp_path: Path) -> None:
    model = write_folder(tmp_path / "Model", labels={"background": 0, "axon": 1, "myelin": 2})
    assert command("models", "import", model, "--name", "nerve").code == 0
    ran = command("models", "show", "nerve", "--card")
    assert ran.code == 2
    assert "axonflow evaluate nerve" in " ".join(ran.err.split())


@pytest.mark.parametrize("name", NAMES)
def test_one_is_found_by_its_path(name: str) -> None:
    path = Path(say("path", name).strip())
    assert Checkpoint.find(path).sha256 == Checkpoint.find(name).sha256


def test_one_that_is_not_there_is_refused_with_those_that_are() -> None:
    result = CliRunner().invoke(app, ["models", "show", "human"])
    assert result.exit_code == 2
    assert "sem" in result.output


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the user's models."""
    monkeypatch.setenv("AXONFLOW_MODELS", str(tmp_path / "mine"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "mine"


def test_a_folder_of_nnunet_is_imported_and_found_by_its_name(mine: Path, tmp_path: Path) -> None:
    model = write_folder(tmp_path / "Model", folds=("0", "1", "2"), labels={"background": 0, "axon": 1, "myelin": 2})
    ran = command("models", "import", model, "--name", "nerve", "--folds", "0, fold_2", "--pixel-size", 0.2)
    assert ran.code == 0, ran.err
    assert sorted(path.name for path in mine.iterdir()) == ["nerve.json", "nerve.safetensors"]
    found = Checkpoint.find("nerve")
    assert (found.pixel_size_um, found.classes.axon) == (0.2, 1)
    assert found.plan is not None
    assert found.plan.folds == ("0", "2")
    assert len(found.networks()) == 2
    for shown in (ran.out, say("show", "nerve")):
        words = " ".join(shown.split())
        for said in (
            "0, 2, averaged",
            "32 × 48 px",
            "1 axon, 2 myelin",
            "the slide's, about 0.2 µm",
            "Dataset007_cord",
        ):
            assert said in words
    assert "nerve" in say("list")
    assert "nnU-Net, 2 folds" in " ".join(say("list").split())
    assert Path(say("path", "nerve").strip()) == (mine / "nerve.json").resolve()


def test_a_folder_is_called_as_it_is_called(mine: Path, tmp_path: Path) -> None:
    assert command("models", "import", write_folder(tmp_path / "model_seg rat (1)")).code == 0
    assert "the slide's, any" in say("show", "model_seg-rat-1")


@pytest.mark.parametrize("name", ["sem", "taken"])
def test_a_name_that_a_model_has_is_not_given_again(mine: Path, tmp_path: Path, name: str) -> None:
    model = write_folder(tmp_path / "m")
    assert command("models", "import", model, "--name", "taken").code == 0
    ran = command("models", "import", model, "--name", name)
    assert ran.code == 2
    assert f"A name that no model has was expected, {name!r}" in " ".join(ran.err.split())


@pytest.mark.parametrize("name", ["../x", "a b", ".hidden", "x.json", "x.zip", "é"])
def test_a_name_that_is_none_is_refused(mine: Path, tmp_path: Path, name: str) -> None:
    ran = command("models", "import", write_folder(tmp_path / "m"), "--name", name)
    assert ran.code == 2
    assert "A name of letters" in ran.err
    assert not list(tmp_path.rglob("*.safetensors"))


def test_folds_that_are_not_there_are_refused(mine: Path, tmp_path: Path) -> None:
    ran = command("models", "import", write_folder(tmp_path / "m", folds=("0", "1")), "--folds", "0,5")
    assert ran.code == 2
    assert "Folds among 0, 1 were expected" in " ".join(ran.err.split())


def test_what_cannot_be_imported_leaves_nothing(mine: Path, tmp_path: Path) -> None:
    model = write_folder(tmp_path / "m", labels={"background": 0, "axon": 1, "nucleus": 2})
    ran = command("models", "import", model)
    assert ran.code == 2
    assert "one of myelin" in " ".join(ran.err.split())
    assert list(mine.iterdir()) == []


@pytest.mark.parametrize("home", ["file", "none"])
def test_without_a_folder_to_write_one_sentence_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: str
) -> None:
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.delenv("AXONFLOW_MODELS", raising=False)
    (tmp_path / "file").touch()
    monkeypatch.setenv("HOME", str(tmp_path / "file" / "home"))
    if home == "none":

        def nobody(_path: object = None) -> Path:
            raise RuntimeError("Could not determine home directory.")

        monkeypatch.setattr(Path, "home", nobody)
    ran = command("models", "import", write_folder(tmp_path / "m"))
    assert ran.code == 2
    assert "AXONFLOW_MODELS" in ran.err
    assert Checkpoint.find("sem").embedded
    assert "sem" in say("list")


def test_one_of_the_users_that_is_damaged_does_not_hide_the_others(mine: Path) -> None:
    mine.mkdir()
    (mine / "broken.json").write_text("{")
    shown = " ".join(say("list").split())
    assert all(name in shown for name in NAMES)
    assert "broken.json" in shown


def test_a_model_of_nnunet_runs_to_its_report(mine: Path, tmp_path: Path) -> None:
    slide = write_slide(tmp_path / "slide.tif", blobs((120, 150)))
    assert command("models", "import", write_folder(tmp_path / "m"), "--name", "cord").code == 0
    assert mine.is_dir()
    flags = ("--model", "cord", "--cell", 5, "--out", tmp_path / "out", "--workers", 1)
    for more, said in (((), "with their mirror images"), (("--fast",), "without mirror images")):
        ran = command("run", slide, *flags, *more)
        assert ran.code == 0, ran.err
        page = (tmp_path / "out" / "report.html").read_text()
        assert "a model of nnU-Net" in page
        assert said in page
    assert command("info", tmp_path / "out").code == 0
    assert command("check", tmp_path / "out").code == 0


def test_one_of_the_users_is_removed_whole_and_none_but_the_users(mine: Path, tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "m")
    for name in ("cord", "nerve"):
        assert command("models", "import", folder, "--name", name).code == 0
    (mine / "cord.md").write_text("a card")
    (mine / "cord.int8.safetensors").write_bytes(b"")
    (mine / "cord").mkdir()
    (mine / "cord" / "picture.png").write_bytes(b"")
    ran = command("models", "remove", "cord")
    assert ran.code == 0, ran.err
    assert sorted(path.name for path in mine.iterdir()) == ["nerve.json", "nerve.safetensors"]
    for name in ("cord", "sem", str(mine / "nerve.json"), "../mine/nerve"):
        ran = command("models", "remove", name)
        assert ran.code == 2
        assert "they are nerve" in ran.err
    assert sorted(path.name for path in mine.iterdir()) == ["nerve.json", "nerve.safetensors"]
    assert "sem" in say("list")


@pytest.mark.parametrize("columns", [80, 120])
def test_a_list_says_what_each_was_trained_on_across_the_terminal(columns: int) -> None:
    lines = on_terminal(columns, MAIN, "models", "list")
    for name in NAMES:
        words = f"{name} was trained on {Checkpoint.find(name).trained_on['data']}"
        assert words in " ".join(" ".join(lines).split())
        (first,) = (line for line in lines if line.startswith(f"{name} was trained on"))
        assert len(first) > columns // 2
