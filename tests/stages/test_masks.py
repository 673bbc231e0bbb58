"""What is drawn in a mask is read alike from every kind of file that says it, and refused where it is not certain."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage
from slides import tissue
from strategies import chunkings

from axonflow.errors import InputError
from axonflow.kernel.classes import AXON_MYELIN, Classes
from axonflow.kernel.grid import Box
from axonflow.slide import open_stored
from axonflow.stages.labels import open_labels, open_numbers
from axonflow.stages.masks import open_mask

SHAPE = (150, 190)
CLASSES = tissue(SHAPE, 5)
AXON = CLASSES == 2
IDS, COUNT = ndimage.label(AXON, np.ones((3, 3)))
WHOLE = Box.whole(SHAPE)

Write = Callable[[Path], object]


def tiff(pixels: NDArray[Any], **options: Any) -> tuple[str, Write]:
    return "m.tif", lambda path: tifffile.imwrite(path, pixels, **({"tile": (64, 64)} | options))


def picture(pixels: NDArray[Any], ending: str = "png", **options: Any) -> tuple[str, Write]:
    return f"m.{ending}", lambda path: Image.fromarray(pixels).save(path, **options)


def palette(index: NDArray[np.uint8], colours: list[int], ending: str = "png") -> tuple[str, Write]:
    def write(path: Path) -> None:
        image = Image.fromarray(index, "L").convert("L")
        image = Image.frombytes("P", image.size, image.tobytes())
        image.putpalette(colours + [0] * (768 - len(colours)))
        image.save(path)

    return f"m.{ending}", write


def colour(rgb: tuple[int, ...], drawn: NDArray[np.bool_] = AXON) -> NDArray[np.uint8]:
    return np.asarray(drawn[..., None] * np.array(rgb), np.uint8)


def layer(grey: int) -> NDArray[np.uint8]:
    """A drawing of one grey on a transparent layer of the same grey."""
    return np.dstack([np.full((*SHAPE, 3), grey, np.uint8), (AXON * 255).astype(np.uint8)])


DRAWN: dict[str, tuple[str, Write]] = {
    "0 and 255": picture((AXON * 255).astype(np.uint8)),
    "one bit, PNG": picture(AXON),
    "one bit, TIFF": picture(AXON, "tif"),
    "group 3": picture(AXON, "tif", compression="group3"),
    "group 4": picture(AXON, "tif", compression="group4"),
    "group 4, white is 0": picture(AXON, "tif", compression="group4", tiffinfo={262: 0}),
    "1 and 254": picture(np.where(AXON, 254, 1).astype(np.uint8)),
    "128": picture((AXON * 128).astype(np.uint8)),
    "opacity, black": picture(layer(0)),
    "opacity, white": picture(layer(255)),
    "green": picture(colour((0, 200, 40))),
    "dark green": picture(colour((0, 80, 10))),
    "RGB of 16 bits": tiff((colour((255, 255, 255)) * np.uint16(257)), photometric="rgb"),
    "white of RGB": picture(colour((255, 255, 255))),
    "palette, black and white": palette(AXON.astype(np.uint8), [0, 0, 0, 255, 255, 255]),
    "palette, the other way round": palette((~AXON).astype(np.uint8), [255, 255, 255, 0, 0, 0]),
    "palette, by index": palette(AXON.astype(np.uint8), [0, 0, 0, 0, 90, 0], "tif"),
    **{name: tiff(AXON.astype(name)) for name in ("uint16", "int16", "int32", "uint32", "int64", "float32", "float64")},
    "ids": tiff(IDS.astype(np.int32)),
    "ids as floats": tiff(IDS.astype(np.float32)),
}


def write(folder: Path, file: tuple[str, Write]) -> Path:
    name, save = file
    save(folder / name)
    return folder / name


@pytest.mark.parametrize("kind", DRAWN)
def test_every_kind_of_file_says_the_same(kind: str, tmp_path: Path) -> None:
    mask = open_mask(open_stored(write(tmp_path, DRAWN[kind])))
    np.testing.assert_array_equal(mask.drawn(WHOLE), AXON)
    assert mask.drawn_and_between(WHOLE)[1] == 0


@pytest.mark.parametrize("ending", ["jpg", "png"])
def test_soft_edges_are_cut_half_way_and_counted(ending: str, tmp_path: Path) -> None:
    soft = np.rint(ndimage.gaussian_filter(AXON * 255.0, 0.6)).astype(np.uint8)
    mask = open_mask(
        open_stored(write(tmp_path, picture(soft, ending, **({"quality": 95} if ending == "jpg" else {}))))
    )
    stored = np.asarray(Image.open(tmp_path / f"m.{ending}"))
    middle = (mask.low + mask.high) / 2
    assert mask.rule == "threshold"
    assert 120 < middle < 135
    drawn, between = mask.drawn_and_between(WHOLE)
    np.testing.assert_array_equal(drawn, stored > middle)
    reach = (mask.high - mask.low) / 8
    assert between == np.count_nonzero((stored > mask.low + reach) & (stored < mask.high - reach)) > 0


@pytest.mark.parametrize("rgb", [(255, 0, 0), (0, 0, 255), (255, 255, 0), (40, 200, 90)], ids=str)
@pytest.mark.parametrize("kind", ["soft", "jpg"])
def test_soft_edges_of_a_colour_are_its_darker_shades(kind: str, rgb: tuple[int, ...], tmp_path: Path) -> None:
    drawn = np.kron(AXON, np.ones((4, 4), np.bool_))
    edge = ndimage.gaussian_filter(drawn * 1.0, 1.5 if kind == "soft" else 0.6)
    pixels = np.rint(edge[..., None] * np.array(rgb)).astype(np.uint8)
    file = picture(pixels) if kind == "soft" else picture(pixels, "jpg", quality=80)
    mask = open_mask(open_stored(write(tmp_path, file)))
    assert (mask.form, mask.rule) == ("brightness", "threshold")
    wrong = mask.drawn(Box.whole(drawn.shape)) != drawn
    assert not (wrong & (ndimage.uniform_filter(drawn * 1.0, 7) % 1 == 0)).any()  # but on edges
    assert wrong.mean() < 0.02


UNCERTAIN: dict[str, tuple[str, Write]] = {
    "classes": picture(np.array([0, 127, 255], np.uint8)[CLASSES]),
    "numbers of classes": picture(CLASSES),
    "classes in colours": picture(np.array([(0, 0, 0), (255, 0, 0), (0, 0, 255)], np.uint8)[CLASSES]),
    "a picture": picture(np.random.default_rng(0).integers(40, 250, SHAPE, np.uint8)),
    "no zero": picture(np.where(AXON, 200, 100).astype(np.uint8)),
    "white is 0": tiff((AXON * 255).astype(np.uint8), photometric="miniswhite"),
    "transparent everywhere": picture(np.dstack([colour((255, 255, 255)), np.zeros(SHAPE, np.uint8)])),
    "two colours": picture(np.array([(0, 0, 0), (200, 0, 0), (0, 200, 0)], np.uint8)[CLASSES]),
    "1 in RGB of 16 bits": tiff(np.dstack([AXON.astype(np.uint16)] * 3), photometric="rgb"),
    "ids in RGB of 16 bits": tiff(np.dstack([IDS.astype(np.uint16)] * 3), photometric="rgb"),
    "not a number": tiff(np.where(AXON, 1, np.nan).astype(np.float32)),
    "two pages": tiff(np.stack([AXON, ~AXON]).astype(np.uint8), photometric="minisblack", metadata=None),
    "negative": tiff(np.where(AXON, 1, -1).astype(np.int16)),
}


@pytest.mark.parametrize("kind", UNCERTAIN)
def test_what_is_not_certain_is_refused(kind: str, tmp_path: Path) -> None:
    path = write(tmp_path, UNCERTAIN[kind])
    with pytest.raises(InputError, match=path.name):
        open_mask(open_stored(path))


@settings(max_examples=25, deadline=None)
@given(st.data(), st.integers(0, 2**32 - 1))
def test_ids_that_touch_stay_apart_in_any_chunking(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, seed: int
) -> None:
    """Each object keeps what of it touches none with a smaller id, so no two are neighbours."""
    random = np.random.default_rng(seed)
    shape = int(random.integers(20, 60)), int(random.integers(20, 60))
    seeds = random.uniform((0, 0), shape, (int(random.integers(4, 9)), 2))
    y, x = np.mgrid[: shape[0], : shape[1]]
    away = np.hypot(y[..., None] - seeds[:, 0], x[..., None] - seeds[:, 1])
    ids = np.where(away.min(axis=2) < 12, away.argmin(axis=2) + 1, 0).astype(np.uint16)
    ids[0] = 0  # somewhere is background
    path = tmp_path_factory.mktemp("ids") / "m.tif"
    tifffile.imwrite(path, ids, tile=(16, 16))
    mask = open_mask(open_stored(path))
    drawn = np.zeros(shape, np.bool_)
    for box in data.draw(chunkings(shape)):
        drawn[box.slices] = mask.drawn(box)
    if mask.rule == "ids":
        least = ndimage.minimum_filter(np.where(ids == 0, np.iinfo(np.uint16).max, ids), 3, mode="nearest")
        np.testing.assert_array_equal(drawn, (ids > 0) & (least == ids))
        found, count = ndimage.label(drawn, np.ones((3, 3)))
        assert all(len(np.unique(ids[found == k])) == 1 for k in range(1, count + 1))
    np.testing.assert_array_equal(mask.covered(Box.whole(shape)), ids > 0)


def test_a_value_where_nobody_looked_is_refused_with_its_place(tmp_path: Path) -> None:
    shape = (8192, 4096)
    pixels = np.zeros(shape, np.uint8)
    pixels[:400, :400] = 255
    pixels[700, 500] = 9  # between two of the tiles that are looked at
    tifffile.imwrite(tmp_path / "m.tif", pixels, tile=(256, 256), compression="zlib")
    mask = open_mask(open_stored(tmp_path / "m.tif"))
    np.testing.assert_array_equal(mask.drawn(Box(0, 0, 600, 600)), pixels[:600, :600] == 255)
    with pytest.raises(InputError, match=r"m\.tif.*y 700, x 500 has 9"):
        mask.drawn(Box(600, 0, 1200, 1000))


LABELS: dict[str, tuple[str, Write]] = {
    "greys": picture(np.array([0, 127, 255], np.uint8)[CLASSES]),
    "greys in 16 bits": tiff(np.array([0, 127, 255], np.uint16)[CLASSES]),
    "numbers": picture(CLASSES),
    "numbers as int32": tiff(CLASSES.astype(np.int32)),
    "numbers as floats": tiff(CLASSES.astype(np.float32)),
    "AxonDeepSeg's colours": picture(np.array([(0, 0, 0), (255, 0, 0), (0, 0, 255)], np.uint8)[CLASSES]),
    "its colours in a palette": palette(CLASSES, [0, 0, 0, 255, 0, 0, 0, 0, 255]),
    "in another order": palette((2 - CLASSES).astype(np.uint8), [0, 0, 255, 255, 0, 0, 0, 0, 0], "tif"),
    "other colours, by index": palette(CLASSES, [0, 0, 0, 0, 128, 0, 128, 128, 0], "tif"),
    "a palette of greys": palette(CLASSES, [0, 0, 0, 127, 127, 127, 255, 255, 255]),
}


@pytest.mark.parametrize("kind", LABELS)
def test_labels_say_the_same(kind: str, tmp_path: Path) -> None:
    labels = open_labels(open_stored(write(tmp_path, LABELS[kind])), AXON_MYELIN)
    np.testing.assert_array_equal(labels.read(WHOLE), CLASSES)
    assert labels.has_myelin


@pytest.mark.parametrize(
    "file",
    [
        picture(AXON.astype(np.uint8)),
        picture(np.rint(ndimage.gaussian_filter(AXON * 255.0, 1)).astype(np.uint8)),
        tiff(IDS.astype(np.uint16)),
        tiff(np.array([0, 127, 255], np.uint8)[CLASSES], photometric="miniswhite"),
        tiff(CLASSES / 2),
        picture(np.array([(0, 0, 0), (0, 255, 0), (255, 255, 0)], np.uint8)[CLASSES]),
    ],
    ids=["0 and 1", "a soft mask", "ids", "white is 0", "halves", "other colours"],
)
def test_labels_that_are_not_certain_are_refused(file: tuple[str, Write], tmp_path: Path) -> None:
    path = write(tmp_path, file)
    with pytest.raises(InputError, match=path.name):
        open_labels(open_stored(path), AXON_MYELIN)


FIVE = Classes.from_words("0=background,1=axon,2=nuclei,3=myelin,4=unmyelinated")
NUMBERS = np.array([0, 3, 1], np.uint8)[CLASSES]
NUMBERS[:4, :9], NUMBERS[-5:, -7:] = 4, 2

NAMED: dict[str, tuple[str, Write]] = {
    "numbers": picture(NUMBERS),
    "numbers in 16 bits": tiff(NUMBERS.astype(np.uint16)),
    "numbers as floats": tiff(NUMBERS.astype(np.float32)),
    "greys as colours": picture(np.repeat(NUMBERS[..., None], 3, axis=2)),
    "any palette, by index": palette(NUMBERS, [9, 9, 9, 0, 128, 0, 128, 128, 0, 0, 0, 255, 255, 0, 0]),
}


@pytest.mark.parametrize("kind", NAMED)
def test_numbers_that_are_named_are_read_as_they_stand(kind: str, tmp_path: Path) -> None:
    labels = open_numbers(open_stored(write(tmp_path, NAMED[kind])), FIVE)
    np.testing.assert_array_equal(labels.read(WHOLE), NUMBERS)
    assert labels.has_myelin
    assert labels.words.endswith("3 myelin, 4 unmyelinated axon")


@pytest.mark.parametrize(
    "file",
    [
        picture(np.where(NUMBERS == 4, 5, NUMBERS).astype(np.uint8)),
        picture(np.array([0, 127, 255], np.uint8)[CLASSES]),
        tiff(NUMBERS / 2),
        tiff(NUMBERS, photometric="miniswhite"),
        picture(np.array([(0, 0, 0), (255, 0, 0), (0, 0, 255)], np.uint8)[CLASSES]),
    ],
    ids=["one more", "greys", "halves", "white is 0", "colours"],
)
def test_numbers_that_nobody_named_are_refused(file: tuple[str, Write], tmp_path: Path) -> None:
    path = write(tmp_path, file)
    with pytest.raises(InputError, match=path.name):
        open_numbers(open_stored(path), FIVE)


def test_a_mask_of_axons_alone_may_be_named(tmp_path: Path) -> None:
    """Values 0 and 1 are refused where nothing says what they are."""
    labels = open_numbers(open_stored(write(tmp_path, picture(AXON.astype(np.uint8)))), FIVE)
    np.testing.assert_array_equal(labels.read(WHOLE), AXON)
    assert not labels.has_myelin


OF_CLASSES = {
    "greys": np.array([0, 127, 255], np.uint8)[CLASSES],
    "colours": np.array([(0, 0, 0), (255, 0, 0), (0, 0, 255)], np.uint8)[CLASSES],
}


@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize(
    ("kind", "another"),
    [
        *(("greys", grey) for grey in (40, 64, 90, 170, 200)),
        *(("colours", rgb) for rgb in ((255, 255, 0), (0, 255, 0), (0, 255, 255), (255, 0, 255), (160, 160, 160))),
    ],
    ids=str,
)
def test_a_class_that_is_not_known_is_never_taken_for_another(
    kind: str, another: Any, soft: bool, tmp_path: Path
) -> None:
    """However few its pixels are: one axon of many is drawn differently, as unmyelinated ones are."""
    pixels = OF_CLASSES[kind].copy()
    pixels[np.argmax(np.bincount(IDS[IDS > 0])) == IDS] = another
    pixels = np.pad(pixels, [(0, 600), (0, 600), (0, 0)][: pixels.ndim])  # most of a slide is background
    open_labels(
        open_stored(write(tmp_path, picture(np.pad(OF_CLASSES[kind], [(0, 9)] * 2 + [(0, 0)] * (pixels.ndim - 2))))),
        AXON_MYELIN,
    )
    path = write(tmp_path, picture(pixels, "jpg", quality=95, subsampling=0) if soft else picture(pixels))
    with pytest.raises(InputError, match=path.name):
        open_labels(open_stored(path), AXON_MYELIN)


@pytest.mark.parametrize("of", [open_mask, lambda image: open_labels(image, AXON_MYELIN)], ids=["mask", "labels"])
def test_a_picture_of_many_colours_is_refused(of: Callable[[Any], object], tmp_path: Path) -> None:
    y, x = np.mgrid[:1200, :1200]
    pixels = np.stack([y % 256, x % 256, (y // 256) * 40 + x // 256], axis=-1).astype(np.uint8)
    path = write(tmp_path, picture(pixels))
    with pytest.raises(InputError, match=path.name):
        of(open_stored(path))


def test_an_empty_mask_is_read_and_said(tmp_path: Path) -> None:
    image = open_stored(write(tmp_path, picture(np.zeros(SHAPE, np.uint8))))
    assert open_mask(image).alike == "not drawn"
    assert open_labels(image, AXON_MYELIN).alike == "background"
    assert not open_mask(image).drawn(WHOLE).any()


@pytest.mark.parametrize("read", [lambda image: open_labels(image, AXON_MYELIN), open_mask], ids=["labels", "mask"])
def test_labels_of_more_classes_are_refused_with_what_names_them(read: Callable[..., object], tmp_path: Path) -> None:
    more = CLASSES.copy()
    more[:20, :9] = 3
    Image.fromarray(more).save(tmp_path / "more.png")
    with pytest.raises(InputError, match="--classes"):
        read(open_stored(tmp_path / "more.png"))
