"""A manifest says of which animal and group a slide is, and carries what it does not know, but for slips of the pen."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from axonflow.errors import InputError
from axonflow.kernel.text import from_cell
from axonflow.workflow.animals import NOBODY, Subject
from axonflow.workflow.manifest import COLUMNS, ListedSlide, read_manifest


def read(folder: Path, text: str) -> tuple[ListedSlide, ...]:
    path = folder / "rats.csv"
    path.write_text(text, encoding="utf-8")
    return read_manifest(path)


def test_slides_have_animals(tmp_path: Path) -> None:
    slides = read(
        tmp_path,
        "slide,Animal,group,region,exclude\na.tif,r1,WT,cervical,\nb.tif,r1,WT,thoracic,knife mark\n"
        "c.tif,r2,KO,cervical,no\nd.tif,r2,KO,thoracic,yes\n",
    )
    assert [slide.subject for slide in slides] == [
        Subject("r1", "WT", "cervical", ""),
        Subject("r1", "WT", "thoracic", "knife mark"),
        Subject("r2", "KO", "cervical", ""),
        Subject("r2", "KO", "thoracic", "no reason given"),
    ]
    assert read(tmp_path, "slide,animal,group\na.tif,,\n")[0].subject == NOBODY


def test_a_slide_runs_as_without_an_animal(tmp_path: Path) -> None:
    (bare,) = read(tmp_path, "slide,cell_um\na.tif,20\n")
    (told,) = read(tmp_path, "slide,cell_um,animal,group,region,exclude,sex\na.tif,20,r1,WT,CST,yes,f\n")
    assert told.config({}, tmp_path) == bare.config({}, tmp_path)


WORD = st.text(st.characters(exclude_categories=["C", "Z"], exclude_characters="\"',;\t="), min_size=1, max_size=8)


@given(
    header=WORD,
    cells=st.lists(st.text(st.characters(codec="utf-8", exclude_categories=["C"]), max_size=9), min_size=1, max_size=4),
)
def test_further_columns_are_carried_as_they_are(
    tmp_path_factory: pytest.TempPathFactory, header: str, cells: list[str]
) -> None:
    header = f"my {header}"  # like nothing that has a meaning
    table = io.StringIO(newline="")
    csv.writer(table).writerows([("slide", header), *((f"a{i}.tif", cell) for i, cell in enumerate(cells))])
    slides = read(tmp_path_factory.getbasetemp(), table.getvalue())
    assert [slide.further for slide in slides] == [{header: from_cell(cell)} for cell in cells]


@pytest.mark.parametrize("name", ["sex", "side", "age", "slice", "genotype", "stain", "weight", "batch", "resolution"])
def test_what_nobody_mistakes_is_carried(tmp_path: Path, name: str) -> None:
    assert read(tmp_path, f"slide,{name}\na.tif,x\n")[0].further == {name: "x"}


@pytest.mark.parametrize("known", COLUMNS[1:])
def test_slips_of_the_pen_are_refused(tmp_path: Path, known: str) -> None:
    slips = {f"{known}s", f"{known[0]}{known}"} if len(known) > 3 else set()
    slips |= {known[1] + known[0] + known[2:]}
    for slip in slips - set(COLUMNS):
        with pytest.raises(InputError, match=f"{slip!r} came. Rename it"):
            read(tmp_path, f"slide,{slip}\na.tif,x\n")


def test_a_flag_is_no_column(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"'cell_um', or .* 'cell' came"):
        read(tmp_path, "slide,cell\na.tif,20\n")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "slide,animal,group\na,r1,WT\nb,r1,KO\n",
            r"One group for the animal 'r1' .* 'WT' came in row 2 and 'KO' in row 3.*'WT-r1'",
        ),
        ("slide,animal,group\na,r1,WT\nb,r2,\n", r"The group of every slide .* row 2 names one, but row 3 has none"),
        ("slide,animal\na,\nb,r2\n", r"The animal of every slide .* row 3 names one, but row 2 has none"),
        ("slide,animal,region\na,r1,CST\nb,r1,\n", r"The region of every slide"),
        ("slide,group\na,WT\nb,KO\n", r"A column 'animal' .* compared by their animals"),
        ("slide,animal\na,Rat1\nb,rat1\n", r"One spelling of each animal .* 'Rat1' came in row 2 and 'rat1' in row 3"),
        ("slide,animal,group\na,r1,wt\nb,r2,WT\n", r"One spelling of each group"),
        ("slide,animal,region\na,r1,tracts.geojson\n", r"the file 'tracts.geojson' came; .* column 'regions'"),
        ("slide,animal,region\na,r1,All\n", r"'All' came, which the tables call all regions together"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read(tmp_path, text)
