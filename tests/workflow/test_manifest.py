"""A manifest says of each slide what it is to be, and what it says goes before flags, and flags before a pipeline."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from axonflow.cli.options import settings_of
from axonflow.errors import InputError
from axonflow.kernel.text import to_cell
from axonflow.kernel.units import PixelSize
from axonflow.workflow.animals import OF_ANIMALS
from axonflow.workflow.config import Config
from axonflow.workflow.manifest import COLUMNS, ListedSlide, list_slides, read_manifest
from axonflow.workflow.settings import SETTINGS, read_settings


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        path = tmp_path / "cords.csv"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_every_field_of_a_config_has_a_column() -> None:
    assert {field.name for field in fields(Config)} | {"level", *OF_ANIMALS} == set(COLUMNS)


def test_rows_become_slides(write: Callable[[str], Path], tmp_path: Path) -> None:
    path = write("slide,level,pixel_size,mask\na.tif,C3,0.1,\n\n/b/b.tif,  thoracic 4 ,,white.png\n,,,\n")
    first, second = read_manifest(path)
    assert (first.name, first.level, first.words) == ("a.tif", "C3", {"pixel_size": "0.1"})
    assert (second.name, second.level, second.words) == ("/b/b.tif", "thoracic 4", {"mask": "white.png"})
    stores = tmp_path / "stores"
    assert first.config({}, stores) == Config(
        tmp_path / "a.tif", stores / "a.ome.zarr", pixel_size=PixelSize.square(0.1)
    )
    assert second.config({}, stores) == Config(Path("/b/b.tif"), stores / "b.ome.zarr", mask=tmp_path / "white.png")


@pytest.mark.parametrize("name", ["=cmd|x.tif", "+a.tif", "-b.tif", "@c.tif", "'=d.tif", "'e.tif"])
def test_names_that_would_be_formulas_are_read_as_they_are_written(write: Callable[[str], Path], name: str) -> None:
    (slide,) = read_manifest(write(f"slide\n{to_cell(name)}\n"))
    assert slide.name == name


@pytest.mark.parametrize("divider", [",", ";", "\t"])
def test_a_spreadsheet_may_have_written_it(write: Callable[[str], Path], divider: str) -> None:
    path = write('\ufeffSlide;Pixel size;mask-unit\r\n"a, b.tif";"0.2";um\r\n'.replace(";", divider))
    (slide,) = read_manifest(path)
    assert (slide.name, slide.words) == ("a, b.tif", {"pixel_size": "0.2", "mask_unit": "um"})


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
@pytest.mark.parametrize("said", ["", "sep=;\r\n", '"sep=;";;\r\n', "\r\n;;\r\n"])
@pytest.mark.parametrize("empty", ["", ";;"])
def test_a_spreadsheet_saves_in_many_ways(tmp_path: Path, encoding: str, said: str, empty: str) -> None:
    path = tmp_path / "cords.csv"
    rows = [f"{row}{empty}\r\n" for row in ("slide;level;pixel_size", "a.tif;Hinterstränge;0.1", "b.tif;C3;0.1,0.2")]
    path.write_bytes((said + "".join(rows)).encode(encoding))
    first, second = read_manifest(path)
    assert (first.name, first.level, first.words) == ("a.tif", "Hinterstränge", {"pixel_size": "0.1"})
    assert second.words == {"pixel_size": "0.1,0.2"}


@pytest.mark.parametrize(
    ("name", "word"), [("pixel_size", "1,2"), ("pixel_size", "0,1"), ("pixel_size", "0, 1"), ("cell_um", "12,5")]
)
def test_a_decimal_comma_is_pointed_at(write: Callable[[str], Path], name: str, word: str) -> None:
    right = re.sub(r",\s*", ".", word)
    with pytest.raises(InputError, match=f"{name} with a decimal point .* {word} came: write {right}") as refused:
        read_manifest(write(f"slide;{name}\na.tif;{word}\n"))
    assert ("for height and width" in str(refused.value)) == (word == "1,2")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("slide,pixel_sise\na.tif,3", r"The column 'pixel_size', or .* expected .*cords\.csv, 'pixel_sise' came"),
        ("slide,\na.tif,x", "a column without a name came"),
        ("level\nC3", "A column 'slide' .* level came"),
        ("slide,level,Level\na,b,c", "every column once .* slide, level, level came"),
        ("", "nothing came"),
        ("slide,level\n", "At least one slide"),
        ("slide,level\na.tif,C3\nb.tif,C4,T1", r"2 cells were expected in row 3 .*3 cells came.*quotes"),
        ("slide,level\nb.tif", "row 2"),
        ("slide,level\n,C3", "A slide and 2 cells .* row 2"),
        ('slide\n"a.tif', "cannot be read"),
    ],
)
def test_refusals(write: Callable[[str], Path], text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_manifest(write(text))


def test_what_is_no_table_is_refused(tmp_path: Path) -> None:
    (tmp_path / "slide.csv").write_bytes(b"\xff\xd8\xff\xe0")
    for name in ("slide.csv", "missing.csv"):
        with pytest.raises(InputError, match=f"{name}, but it cannot be read.* Save it as CSV"):
            read_manifest(tmp_path / name)


def test_the_store_of_a_slide(tmp_path: Path) -> None:
    stores = tmp_path / "stores"
    assert ListedSlide("a/b.ome.tiff").config({}, stores).out == stores / "b.ome.zarr"
    assert ListedSlide("b.ome.zarr").config({}, stores).out == stores / "b.axonflow.ome.zarr"
    assert ListedSlide("b.tif", words={"out": "c"}, folder=tmp_path).config({}, stores).out == tmp_path / "c"


def test_patterns_find_slides_in_the_order_of_their_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("C10.tif", "C2.tif", "C2b.tif", "x[1].tif", "notes.txt"):
        (tmp_path / name).touch()
    assert [slide.name for slide in list_slides(["C*.tif"])] == ["C2.tif", "C2b.tif", "C10.tif"]
    assert [slide.name for slide in list_slides(["x[1].tif", "gone.tif"])] == ["x[1].tif", "gone.tif"]
    everything = [slide.name for slide in list_slides([f"{tmp_path}/C10.tif", f"{tmp_path}/*.tif"])]
    assert everything == [f"{tmp_path}/{name}" for name in ("C10.tif", "C2.tif", "C2b.tif", "x[1].tif")]
    with pytest.raises(InputError, match=r"'T\*\.tif', nothing is there"):
        list_slides(["T*.tif"])


@pytest.mark.parametrize(
    ("name", "word", "value"),
    [
        ("series", "2", 2),
        ("pixel_size", "0.1,0.2", PixelSize(0.1, 0.2)),
        ("pixel_size", [0.1, 0.2], PixelSize(0.1, 0.2)),
        ("pixel_size", 0.1, PixelSize.square(0.1)),
        ("model", "tem", "tem"),
        ("model", "mine.json", "/here/mine.json"),
        ("halo", "exact", "exact"),
        ("halo", "mend", "mend"),
        ("halo", "32", 32),
        ("cell_um", 20, 20.0),
        ("mask_unit", "um", "um"),
        ("keep_probabilities", "Yes", True),
        ("keep_probabilities", False, False),
        ("max_myelin_um", "1e1", 10.0),
        ("labels", "../labels.png", Path("/here/../labels.png")),
    ],
)
def test_words_are_read_as_their_fields_are(name: str, word: object, value: object) -> None:
    assert read_settings({name: word}, Path("/here")) == {name: value}


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("series", "two"),
        ("series", 2.5),
        ("chunk", True),
        ("pixel_size", "0.1,0.1,0.1"),
        ("pixel_size", "0,1"),  # a decimal comma
        ("pixel_size", True),
        ("halo", "wide"),
        ("mask_unit", "mm"),
        ("keep_probabilities", "perhaps"),
        ("model", 3),
        ("labels", 3),
    ],
)
def test_words_of_another_kind_are_refused(name: str, word: object) -> None:
    with pytest.raises(InputError, match="was expected"):
        read_settings({name: word}, Path())


NUMBERS = ("cell_um", "max_myelin_um", "min_axon_area_um2")
some = st.dictionaries(st.sampled_from(NUMBERS), st.floats(0.1, 100))


@given(pipeline=some, flags=some, row=some)
def test_a_row_goes_before_a_flag_and_a_flag_before_a_pipeline(
    tmp_path_factory: pytest.TempPathFactory, pipeline: dict[str, float], flags: dict[str, float], row: dict[str, float]
) -> None:
    path = tmp_path_factory.getbasetemp() / "pipeline.toml"
    path.write_text("[run]\n" + "".join(f"{name} = {value!r}\n" for name, value in pipeline.items()))
    listed = ListedSlide("a.tif", words={name: repr(value) for name, value in row.items()})
    config = listed.config(settings_of({"pipeline": str(path), **flags}), Path("stores"))
    default = Config(Path("a.tif"), Path("stores/a.ome.zarr"))
    for name in NUMBERS:
        sources = [source[name] for source in (row, flags, pipeline) if name in source]
        assert getattr(config, name) == (sources or [getattr(default, name)])[0]


def test_all_settings_are_known_by_one_name() -> None:
    with pytest.raises(InputError, match=", ".join(SETTINGS)):
        read_settings({"cell": 3}, Path())
