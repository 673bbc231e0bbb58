from __future__ import annotations

from itertools import pairwise
from math import pi
from pathlib import Path

import numpy as np
import oracles
import pandas as pd
import pytest
from cores import assign_cores, label_cores, measure_cores, measured_cores
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from pyarrow import parquet
from skimage import measure
from strategies import chunked_tissues

from axonflow.errors import StoreError
from axonflow.fiber import columns
from axonflow.fiber.merge import Measured, Objects, complete
from axonflow.fiber.table import (
    ADS_COLUMNS,
    COLUMNS,
    ROWS,
    fiber_table,
    read_parquet,
    read_parts,
    write_ads_csv,
    write_parquet,
)
from axonflow.kernel.grid import Box, Grid
from axonflow.kernel.units import PixelSize

SIZE = PixelSize.square(0.1)
ADS_HEADER = (
    ",x0 (px),y0 (px),gratio,axon_area (um^2),axon_perimeter (um),myelin_area (um^2),axon_diam (um),"
    "myelin_thickness (um),axonmyelin_area (um^2),axonmyelin_perimeter (um),eccentricity,orientation,"
    "fiber_eccentricity,fiber_orientation,solidity,image_border_touching,bbox_min_y,bbox_min_x,bbox_max_y,bbox_max_x"
)


def table_of(semantic: NDArray[np.uint8], boxes: list[Box], size: PixelSize = SIZE, rows: int = ROWS) -> pd.DataFrame:
    axons = label_cores(semantic == 2, boxes)
    return measure_cores(axons, assign_cores(axons, semantic == 1, 5, boxes), boxes, size, rows)


def a_table() -> pd.DataFrame:
    semantic = np.zeros((9, 20), np.uint8)
    semantic[1:8, 1:8] = 1
    semantic[3:6, 3:6] = 2
    semantic[4:6, 12:16] = 2
    return table_of(semantic, [Box.whole(semantic.shape)])


@settings(max_examples=100)
@given(chunked_tissues(), st.sampled_from((1, 2, 5, ROWS)))
def test_any_chunking_gives_the_same_table_to_the_bit(case: tuple[NDArray[np.uint8], list[Box]], rows: int) -> None:
    semantic, boxes = case
    pd.testing.assert_frame_equal(
        table_of(semantic, boxes, rows=rows), table_of(semantic, [Box.whole(semantic.shape)]), check_exact=True
    )


@settings(max_examples=60)
@given(chunked_tissues(), st.integers(1, 4))
def test_axons_are_passed_on_so_many_at_a_time_and_few_are_held_back(
    case: tuple[NDArray[np.uint8], list[Box]], rows: int
) -> None:
    semantic, boxes = case
    axons = label_cores(semantic == 2, boxes)
    cores = measured_cores(axons, assign_cores(axons, semantic == 1, 5, boxes), boxes)
    ids = [part.axons.tally.key.tolist() for part in complete(cores, rows)]
    count = int(axons.max())
    assert ids == [list(range(i, min(i + rows, count + 1))) for i in range(1, max(count, 1) + 1, rows)]


def test_axons_are_passed_on_as_soon_as_they_are_complete() -> None:
    labels = np.zeros((30, 10), np.uint32)
    for i in range(10):
        labels[3 * i + 1, 2:5] = i + 1
    read: list[Box] = []
    cores = measured_cores(labels, labels, list(Grid(labels.shape, (3, 5))), seen=read.append)
    before = [len(read) for _ in complete(cores, 2)]
    assert before == [7, 11, 15, 19, 20]  # that a row of cores has ended is seen from the next


@settings(max_examples=50)
@given(chunked_tissues(), st.sampled_from((SIZE, PixelSize(0.3, 0.1))))
def test_every_column_follows_scikit_image(case: tuple[NDArray[np.uint8], list[Box]], size: PixelSize) -> None:
    semantic, boxes = case
    assert_follows_regionprops(table_of(semantic, boxes, size), semantic, size, 5)


def assert_follows_regionprops(table: pd.DataFrame, semantic: NDArray[np.uint8], size: PixelSize, reach: int) -> None:
    """Compare all columns but those of the ellipses, which test_morphometry compares."""
    labels = oracles.axon_labels(semantic == 2)
    axons = measure.regionprops(labels.astype(np.int32))
    fibers = measure.regionprops(oracles.grown(labels, semantic == 1, reach).astype(np.int32))
    assert table["axon_id"].tolist() == [a.label for a in axons]
    pairs = list(zip(axons, fibers, strict=True))
    area, side = size.area_um2, size.area_um2**0.5
    diameters = [(a.equivalent_diameter_area * side, f.equivalent_diameter_area * side) for a, f in pairs]
    expected = {
        "x0 (px)": [a.centroid[1] for a in axons],
        "y0 (px)": [a.centroid[0] for a in axons],
        "gratio": [d / (d + (f - d)) for d, f in diameters],
        "axon_area (um^2)": [a.area * area for a in axons],
        "axon_perimeter (um)": [a.perimeter * side for a in axons],
        "myelin_area (um^2)": [(f.area - a.area) * area for a, f in pairs],
        "axon_diam (um)": [d for d, _ in diameters],
        "myelin_thickness (um)": [(f - d) / 2 for d, f in diameters],
        "axonmyelin_area (um^2)": [f.area * area for f in fibers],
        "axonmyelin_perimeter (um)": [f.perimeter * side for f in fibers],
        "solidity": [a.solidity for a in axons],
        "image_border_touching": [
            0 in f.bbox[:2] or f.bbox[2] == semantic.shape[0] or f.bbox[3] == semantic.shape[1] for f in fibers
        ],
        "bbox_min_y": [f.bbox[0] for f in fibers],
        "bbox_min_x": [f.bbox[1] for f in fibers],
        "bbox_max_y": [f.bbox[2] for f in fibers],
        "bbox_max_x": [f.bbox[3] for f in fibers],
        "fiber_solidity": [f.solidity for f in fibers],
        "x0 (um)": [(a.centroid[1] + 0.5) * size.x for a in axons],
        "y0 (um)": [(a.centroid[0] + 0.5) * size.y for a in axons],
    }
    for name, values in expected.items():
        np.testing.assert_allclose(table[name], np.array(values, float), rtol=1e-12, atol=1e-13, err_msg=name)


def test_columns_are_those_declared() -> None:
    table = a_table()
    assert list(table.columns) == [column.name for column in COLUMNS]
    assert [str(dtype) for dtype in table.dtypes] == [column.dtype for column in COLUMNS]
    assert all(column.meaning for column in COLUMNS)


def test_an_axon_without_myelin_is_its_own_fiber() -> None:
    naked = a_table().iloc[1]
    assert (naked["gratio"], naked["myelin_thickness (um)"], naked["myelin_area (um^2)"]) == (1, 0, 0)
    assert naked["axonmyelin_perimeter (um)"] == naked["axon_perimeter (um)"]


def test_a_known_fiber() -> None:
    fiber = a_table().iloc[0]
    assert fiber["gratio"] == pytest.approx(np.sqrt(9 / 49))
    assert fiber["axon_diam (um)"] == pytest.approx(0.1 * np.sqrt(36 / pi))
    assert (fiber["x0 (px)"], fiber["x0 (um)"]) == (4, pytest.approx(0.45))
    assert not fiber["image_border_touching"]


def test_a_slide_without_axons_has_an_empty_table(tmp_path: Path) -> None:
    table = table_of(np.zeros((5, 5), np.uint8), [Box(0, 0, 5, 5)])
    write_parquet([table], tmp_path / "t.parquet")
    pd.testing.assert_frame_equal(read_parquet(tmp_path / "t.parquet"), table)
    assert len(table) == 0


def test_tallies_that_do_not_belong_together_are_refused() -> None:
    whole = Box(0, 0, 1, 2)
    one, two = (Objects.of(np.array([ids], np.uint32), whole, whole, whole.shape) for ids in ([1, 0], [1, 2]))
    with pytest.raises(ValueError, match="1 axons with 1 hulls and 2 fibers with 2 hulls came"):
        fiber_table(Measured(one, two), SIZE, whole.shape)


def test_parquet_keeps_values_units_and_meanings(tmp_path: Path) -> None:
    table = a_table()
    for name in ("a", "b"):
        write_parquet([table], tmp_path / name)
    pd.testing.assert_frame_equal(read_parquet(tmp_path / "a"), table, check_exact=True)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]
    for column, field in zip(COLUMNS, parquet.read_schema(tmp_path / "a"), strict=True):
        assert field.metadata == {b"unit": column.unit.encode(), b"description": column.meaning.encode()}
    assert list(read_parquet(tmp_path / "a", ["y0 (px)", "x0 (px)"]).columns) == ["y0 (px)", "x0 (px)"]


@pytest.mark.parametrize("cut", [(4,), (4, 8), (8,)])
def test_parts_do_not_show_in_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cut: tuple[int, ...]) -> None:
    monkeypatch.setattr(columns, "ROWS", 4)
    semantic = np.zeros((60, 9), np.uint8)
    semantic[2::6, 3:6] = 2
    table = table_of(semantic, [Box.whole(semantic.shape)])
    assert len(table) == 10
    write_parquet([table], tmp_path / "whole")
    write_parquet([table[i:j] for i, j in pairwise((0, *cut, len(table)))], tmp_path / "parts")
    assert (tmp_path / "whole").read_bytes() == (tmp_path / "parts").read_bytes()
    groups = list(read_parts(tmp_path / "parts", ["axon_id", "y0 (px)"]))
    assert [(first, part["axon_id"].tolist()) for first, part in groups] == [
        (0, [1, 2, 3, 4]),
        (4, [5, 6, 7, 8]),
        (8, [9, 10]),
    ]
    near = [first for first, _ in read_parts(tmp_path / "parts", ["axon_id"], ("y0 (px)", 20.0, 31.0))]
    assert near == [0, 4]
    assert not list(read_parts(tmp_path / "parts", ["axon_id"], ("y0 (px)", 57.0, 99.0)))


def test_what_is_no_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be read"):
        read_parquet(tmp_path / "absent")
    (tmp_path / "text").write_text("id,gratio")
    with pytest.raises(StoreError, match="cannot be read"):
        read_parquet(tmp_path / "text")
    pd.DataFrame({"axon_id": [1]}).to_parquet(tmp_path / "other")
    with pytest.raises(StoreError, match=r"no column x0 \(px\), y0 \(px\)"):
        read_parquet(tmp_path / "other")


def test_csv_is_what_axondeepseg_writes(tmp_path: Path) -> None:
    table = a_table()
    write_ads_csv(table, tmp_path / "t.csv")
    header, first, *_ = (tmp_path / "t.csv").read_text().splitlines()
    assert header == ADS_HEADER
    assert first.startswith("0,4.0,4.0,0.42857")
    names = [column.name for column in ADS_COLUMNS]
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "t.csv", index_col=0), table[names], check_exact=True)


@pytest.fixture(params=["sub-rat7", "sub-rat1"])
def rat(request: pytest.FixtureRequest, real_data: Path) -> NDArray[np.uint8]:
    """Classes of a hand-made segmentation of rat spinal cord."""
    folder = real_data / "sem" / "derivatives" / "labels" / request.param / "micr"

    def mask(kind: str) -> NDArray[np.bool_]:
        (path,) = folder.glob(f"*_seg-{kind}-manual.png")
        with Image.open(path) as image:
            return np.asarray(image.getchannel(0)) > 64

    axon = mask("axon")
    return np.where(axon, 2, mask("myelin")).astype(np.uint8)


def test_real_fibers_are_axondeepsegs(rat: NDArray[np.uint8]) -> None:
    boxes = list(Grid(rat.shape, (512, 700)))
    axons = label_cores(rat == 2, boxes)
    table = measure_cores(axons, assign_cores(axons, rat == 1, 80, boxes), boxes, SIZE)

    theirs = oracles.axondeepseg_fibers(axons, rat == 1)
    area = np.bincount(axons.ravel())[1:]
    y, x = (np.array([int(o.centroid[axis]) for o in measure.regionprops(axons.astype(np.int32))]) for axis in (0, 1))
    fiber_of = theirs[y, x]  # it looks an axon's fiber up at its centroid
    known = fiber_of > 0
    gratio = np.sqrt(area / np.bincount(theirs.ravel(), minlength=len(area) + 1)[fiber_of])
    close = np.abs(table["gratio"].to_numpy() - gratio)[known] <= 0.02
    np.testing.assert_allclose(table["axon_diam (um)"], np.sqrt(4 * area / pi) * 0.1, atol=1e-9)
    assert len(table) > 700
    assert close.mean() >= 0.995, f"{close.sum()} of {len(close)} axons"


def test_real_fibers_follow_scikit_image_in_every_column(rat: NDArray[np.uint8]) -> None:
    part = np.ascontiguousarray(rat[:1000, :1000])
    assert_follows_regionprops(table_of(part, list(Grid(part.shape, (333, 257)))), part, SIZE, 5)
