"""A list of classes says what labels mean, whatever the numbers are, and which of them count."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace
from random import Random
from typing import Any

import dask.array as da
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import generators

from axonflow.kernel.classes import AXON_MYELIN, WITH_UNMYELINATED, Classes, PixelClass


@st.composite
def lists(draw: st.DrawFn) -> Classes:
    """A background, then axon, myelin, perhaps axons without, and up to five others in any order."""
    without = ["unmyelinated"] * draw(st.integers(0, 1))
    roles = draw(st.permutations(["axon", "myelin", *without, *["other"] * draw(st.integers(0, 5))]))
    colours = st.integers(0, 2**24 - 1).map("#{:06x}".format)
    return Classes(
        tuple(
            PixelClass(number, f"class {number}", draw(colours), role)  # type: ignore[arg-type]  # a str of these
            for number, role in enumerate(["background", *roles])
        )
    )


@given(lists())
def test_a_list_survives_json_and_pickle(classes: Classes) -> None:
    assert Classes.from_json(json.loads(json.dumps(classes.to_json()))) == classes
    assert pickle.loads(pickle.dumps(classes)) == classes


@given(lists())
def test_axon_and_myelin_are_found_by_their_role(classes: Classes) -> None:
    assert classes[classes.axon].role == "axon"
    assert classes[classes.myelin].role == "myelin"
    assert [each.number for each in classes] == list(range(len(classes)))
    assert classes.names == tuple(each.name for each in classes)
    assert [each.number for each in classes.legend[:2]] == [classes.axon, classes.myelin]
    assert {*classes.legend, classes[0]} == set(classes)


@given(lists(), generators)
def test_what_has_no_id_is_background_and_all_else_stays(classes: Classes, rng: np.random.Generator) -> None:
    labels = rng.integers(0, len(classes), (13, 17), np.uint8)
    ids = np.where(rng.random(labels.shape) < 0.5, rng.integers(1, 2**32, labels.shape, np.uint32), np.uint32(0))
    expected = labels.copy()
    for at in np.ndindex(labels.shape):
        if classes[int(labels[at])].role in {"axon", "unmyelinated"} and ids[at] == 0:
            expected[at] = 0
    before = labels.copy()
    counted = classes.counted(labels, ids)
    np.testing.assert_array_equal(counted, expected)
    np.testing.assert_array_equal(labels, before)
    np.testing.assert_array_equal(classes.left_out(labels, ids), labels != expected)
    assert counted.dtype == np.uint8
    lazy: Any = classes.counted(*(da.from_array(values, chunks=(5, 6)) for values in (labels, ids)))
    assert isinstance(lazy, da.Array)
    assert lazy.dtype == np.uint8
    np.testing.assert_array_equal(lazy.compute(scheduler="synchronous"), expected)


@given(lists(), generators)
def test_greys_say_what_is_axon_and_what_is_myelin(classes: Classes, rng: np.random.Generator) -> None:
    labels = rng.integers(0, len(classes), (9, 8), np.uint8)
    axon, myelin = labels == classes.axon, labels == classes.myelin
    image = classes.greys[labels]
    np.testing.assert_array_equal(image, 255 * axon + 127 * myelin)
    expected = np.where(axon | myelin, labels, 0)
    np.testing.assert_array_equal(classes.from_greys(image), expected)
    np.testing.assert_array_equal(classes.from_masks(axon, myelin), expected)
    np.testing.assert_array_equal(classes.from_masks(axon, axon | myelin), expected)  # where both are, axon
    assert classes.from_greys(image).dtype == np.uint8


@pytest.mark.parametrize(("grey", "label"), [(0, 0), (63, 0), (64, 1), (127, 1), (190, 1), (191, 2), (255, 2)])
def test_a_grey_is_read_as_the_nearest_of_three(grey: int, label: int) -> None:
    assert AXON_MYELIN.from_greys(np.full((1, 1), grey, np.uint8)).item() == label


def test_stores_and_models_count_on_these_numbers() -> None:
    assert {each.number: (each.name, each.role, each.rgb) for each in AXON_MYELIN} == {
        0: ("background", "background", (0, 0, 0)),
        1: ("myelin", "myelin", (227, 74, 51)),
        2: ("axon", "axon", (64, 140, 242)),
    }
    assert Classes.from_json(["background", "myelin", "axon"]) == AXON_MYELIN


BACKGROUND, MYELIN, AXON = AXON_MYELIN


@pytest.mark.parametrize(
    ("classes", "words"),
    [
        ((), "a background with number 0"),
        ((BACKGROUND, MYELIN), "one class of the role axon"),
        ((BACKGROUND, MYELIN, AXON, replace(AXON, number=3, name="other axon")), "one class of the role axon"),
        ((replace(MYELIN, number=0), replace(BACKGROUND, number=1), AXON), "a background with number 0"),
        ((BACKGROUND, MYELIN, replace(AXON, number=3)), "numbered 0, 1"),
        ((BACKGROUND, replace(MYELIN, name="axon"), AXON), "different names"),
        (
            (*WITH_UNMYELINATED, replace(WITH_UNMYELINATED[3], number=4, name="more")),
            "one class of axons without myelin",
        ),
    ],
)
def test_other_lists_are_refused(classes: tuple[PixelClass, ...], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Classes(classes)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": "../axon"}, "name of letters"),
        ({"name": ""}, "name of letters"),
        ({"name": "two  spaces"}, "name of letters"),
        ({"colour": "blue"}, "a colour such as"),
        ({"colour": "#408CF2"}, "a colour such as"),
        ({"role": "nucleus"}, "a role of background, axon, myelin, unmyelinated, other"),
    ],
)
def test_other_classes_are_refused(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        replace(AXON, **change)


@given(lists(), generators)
def test_kinds_of_axons_follow_from_the_roles(classes: Classes, rng: np.random.Generator) -> None:
    labels = rng.integers(0, len(classes), (13, 17), np.uint8)
    kind = {"axon": 1, "unmyelinated": 2}
    expected = [[kind.get(classes[int(number)].role, 0) for number in row] for row in labels]
    assert classes.kinds(labels).tolist() == expected
    roles = [each.role for each in classes]
    assert classes.unmyelinated == (roles.index("unmyelinated") if "unmyelinated" in roles else None)


def test_lists_of_before_there_was_the_role_are_read_as_if_they_had_it() -> None:
    before = [each | ({"role": "other"} if each["number"] == 3 else {}) for each in WITH_UNMYELINATED.to_json()]
    assert Classes.from_json(before) != WITH_UNMYELINATED
    assert Classes.from_json(before).with_unmyelinated() == WITH_UNMYELINATED
    for classes in (AXON_MYELIN, WITH_UNMYELINATED):
        assert classes.with_unmyelinated() == classes


@given(st.permutations(["axon", "myelin", "unmyelinated", "nuclei", "processes of cells"]), st.randoms())
def test_a_list_is_written_in_words(names: list[str], random: Random) -> None:
    words = [f"{number} = {name}" for number, name in enumerate(["background", *names])]
    random.shuffle(words)
    classes = Classes.from_words(",".join(words))
    assert [each.name.removesuffix(" axon") for each in classes] == ["background", *names]
    known = ("background", "axon", "myelin", "unmyelinated")
    assert [each.role for each in classes] == [name if name in known else "other" for name in ("background", *names)]
    assert len({each.colour for each in classes}) == 6
    assert {each.colour for each in WITH_UNMYELINATED} < {each.colour for each in classes}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("", "numbers with a name"),
        ("0=background,1=axon", "one of the role myelin"),
        ("0=background,1=axon,2", "'2' came"),
        ("0=background,1=axon,1=myelin", "'1=myelin' came"),
        ("0=background,1=axon,3=myelin", "numbered 0, 1"),
        ("0=background,-1=axon,2=myelin", "'-1=axon' came"),
        ("0=background,1=axon,2=myelin,3=", "name of letters"),
        ("0=background,1=axon,2=myelin,3=../x", "name of letters"),
        ("0=background,1=axon,2=myelin,3=uaxon,4=unmyelinated", "different names"),
        ("1=background,0=axon,2=myelin", "a background with number 0"),
    ],
)
def test_other_words_are_refused(words: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Classes.from_words(words)


def test_other_masks_change_nothing_of_axons_and_myelin() -> None:
    random = np.random.default_rng(0)
    axon, myelin, without = random.random((3, 20, 30)) < 0.4
    before = AXON_MYELIN.from_masks(axon, myelin)
    labels = WITH_UNMYELINATED.from_masks(axon, myelin, {3: without})
    np.testing.assert_array_equal(labels, np.where((before == 0) & without, 3, before))
    assert WITH_UNMYELINATED.number_of("unmyelinated axon") == 3
    assert AXON_MYELIN.number_of("unmyelinated axon") is None
