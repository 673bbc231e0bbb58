"""Files beside an image that say its pixel size are read after the image's own tags, and named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from axonflow.slide import Slide, open_slide

PIXELS = np.zeros((20, 30), np.uint8)


def assert_size(slide: Slide, y_um: float, x_um: float, source: str) -> None:
    assert slide.pixel_size is not None, slide.pixel_size_source
    assert [slide.pixel_size.y, slide.pixel_size.x] == pytest.approx([y_um, x_um])
    assert slide.pixel_size_source.startswith(source)


def image(top: Path, name: str = "sub-1_sample-2_SEM.png") -> Path:
    path = top / "sub-1" / "ses-1" / "micr" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(PIXELS).save(path)
    (top / "dataset_description.json").write_text("{}")
    return path


def say(path: Path, size: Any, unit: str | None = "um") -> None:
    path.write_text(json.dumps({"PixelSize": size} | ({"PixelSizeUnits": unit} if unit else {})))


@pytest.mark.parametrize(
    ("size", "unit", "y_um", "x_um"),
    [
        ([0.1, 0.2], "um", 0.2, 0.1),
        ([0.1, 0.2, 5], "um", 0.2, 0.1),
        ([100, 200], "nm", 0.2, 0.1),
        ([1e-4, 2e-4], "mm", 0.2, 0.1),
        ([0.1], "um", 0.1, 0.1),
        (0.1, None, 0.1, 0.1),
        ("0,1", None, 0.1, 0.1),
        ([0.1, 0.2], "micrometers", 0.2, 0.1),
    ],
)
def test_bids(tmp_path: Path, size: Any, unit: str | None, y_um: float, x_um: float) -> None:
    path = image(tmp_path)
    say(path.with_suffix(".json"), size, unit)
    assert_size(open_slide(path), y_um, x_um, "BIDS sub-1_sample-2_SEM.json")


def test_bids_is_inherited_and_the_most_particular_counts(tmp_path: Path) -> None:
    top = tmp_path / "set"
    path = image(top)
    for um, name in ((0.9, "sample-3_SEM"), (0.8, "TEM")):
        say(path.parent / f"{name}.json", um)
    say(tmp_path / "SEM.json", 0.7)
    places = [top / "SEM.json", top / "sub-1" / "sub-1_SEM.json", path.parent / "sample-2_SEM.json"]
    for um, place in zip((0.1, 0.2, 0.3), places, strict=True):
        say(place, um)
        assert_size(open_slide(path), um, um, f"BIDS {place.name}")


def test_nothing_is_inherited_outside_of_a_data_set(tmp_path: Path) -> None:
    path = image(tmp_path)
    (tmp_path / "dataset_description.json").unlink()
    say(tmp_path / "SEM.json", 0.1)
    assert open_slide(path).pixel_size is None
    plain = image(tmp_path, "slide.png")
    say(plain.with_name("other.json"), 0.1)
    assert open_slide(plain).pixel_size is None
    say(plain.with_name("slide.json"), 0.1)
    assert_size(open_slide(plain), 0.1, 0.1, "BIDS slide.json")


@pytest.mark.parametrize("text", ["0.1", "0,1", " 1e-1\n", "\ufeff0.1"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_axondeepseg(tmp_path: Path, text: str, encoding: str) -> None:
    path = image(tmp_path)
    (path.parent / "pixel_size_in_micrometer.txt").write_text(
        text.lstrip("\ufeff") if encoding == "utf-16" else text, encoding
    )
    assert_size(open_slide(path), 0.1, 0.1, "pixel_size_in_micrometer.txt")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        "null",
        '{"PixelSize": []}',
        '{"PixelSize": {}}',
        '{"PixelSize": [0.1], "PixelSizeUnits": "px"}',
        '{"PixelSize": true}',
        "[" * 100_000,
    ],
    ids=lambda text: text[:40],
)
def test_what_makes_no_sense_says_nothing(tmp_path: Path, text: str) -> None:
    path = image(tmp_path)
    path.with_suffix(".json").write_text(text)
    (path.parent / "pixel_size_in_micrometer.txt").write_bytes(b"\xff" + text.encode())
    assert open_slide(path).pixel_size is None
    (tmp_path / "sub-1" / "SEM.json").mkdir()
    assert open_slide(path).pixel_size is None


def test_the_image_itself_counts_more(tmp_path: Path) -> None:
    path = tmp_path / "slide.tif"
    tifffile.imwrite(path, PIXELS, resolution=(1e5, 1e5), resolutionunit="centimeter")
    say(tmp_path / "slide.json", 0.1)
    (tmp_path / "pixel_size_in_micrometer.txt").write_text("0.2")
    said = "TIFF resolution (0.1 × 0.1 µm was taken; pixel_size_in_micrometer.txt disagrees: 0.2 × 0.2 µm)"
    assert_size(open_slide(path), 0.1, 0.1, said)
