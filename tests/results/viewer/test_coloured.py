"""Painted images against what the whole image would be, read through zarr itself."""

from pathlib import Path

import numpy as np
import pytest
import zarr
from numpy.typing import NDArray
from viewed import write_viewed_store
from zarr.core.buffer import default_buffer_prototype
from zarr.storage import MemoryStore

from axonflow.fiber.maps import Cells, is_whole
from axonflow.ngff.metadata import placement
from axonflow.results.analysis import Analysis, open_store
from axonflow.results.viewer.coloured import ColouredLabels
from axonflow.results.viewer.scene import Scene


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_viewed_store(tmp_path_factory.mktemp("painted"))


@pytest.fixture(scope="module")
def analysis(store: Path) -> Analysis:
    return open_store(store)


def read_back(image: ColouredLabels, level: int) -> NDArray[np.float32]:
    """Read a level as any reader of zarr would, of all files that the image says it has."""
    side, shape = image.grid.levels.chunk_of(level), image.grid.levels.shape_of(level)
    rows, columns = (-(-length // side) for length in shape)
    paths = [
        "zarr.json",
        f"s{level}/zarr.json",
        *(f"s{level}/c/{r}/{c}" for r in range(rows) for c in range(columns)),
    ]
    prototype = default_buffer_prototype()
    files = {path: prototype.buffer.from_bytes(image.file(path)) for path in paths}
    found = zarr.open_group(MemoryStore(files), mode="r", zarr_format=3)[f"s{level}"]
    assert isinstance(found, zarr.Array)
    return np.asarray(found[:], np.float32)


@pytest.mark.parametrize("name", ["gratio", "diameter"])
def test_fibers_are_painted_in_the_values_of_their_rows_on_every_level(analysis: Analysis, name: str) -> None:
    image = Scene(analysis).scaled[name].image
    column = {"gratio": "gratio", "diameter": "axon_diam (um)"}[name]
    values = np.r_[np.nan, analysis.fibers[column].to_numpy()].astype(np.float32)
    labels = analysis.pyramid("fibers")
    assert labels.count > 1
    for level in range(labels.count):
        np.testing.assert_array_equal(read_back(image, level), values[labels.array(level)[:]])


def test_a_map_is_painted_in_whole_pixels_and_ends_with_the_slide(analysis: Analysis) -> None:
    scene = Scene(analysis)
    labels = analysis.pyramid("fibers")
    density = analysis.maps["axon_density"].to_numpy().astype(np.float32)
    cells = Cells(labels.shape, labels.pixel_size, float(analysis.maps.attrs["cell_side_um"]))
    whole = np.repeat(np.repeat(density, np.diff(cells.edges(0)), axis=0), np.diff(cells.edges(1)), axis=1)
    of_cells = np.logical_not(is_whole(analysis.maps))
    rests = np.repeat(np.repeat(of_cells, np.diff(cells.edges(0)), axis=0), np.diff(cells.edges(1)), 1)
    for level in range(labels.count):
        wanted, rest = (each[:: 2**level, :: 2**level] for each in (whole, rests))
        found = read_back(scene.scaled["axon_density"].image, level)
        np.testing.assert_array_equal(np.where(rest, 0, found), np.where(rest, 0, wanted))
        y, x = np.indices(found.shape)
        np.testing.assert_array_equal(found[rest], np.where((y + x) % 8 < 4, wanted, np.nan)[rest])
    assert rests.any() == ("striped" in scene.scaled["axon_density"].note)


def test_painted_levels_lie_where_the_labels_do(analysis: Analysis) -> None:
    image = Scene(analysis).scaled["gratio"].image
    labels = analysis.pyramid("fibers")
    ome = image._group()["attributes"]["ome"]
    assert placement(ome["multiscales"][0]) == (labels.pixel_size, labels.origin_um)
    stored = zarr.open_group(labels.path, mode="r").attrs["ome"]
    assert isinstance(stored, dict)
    places = [ome["multiscales"][0]["datasets"], stored["multiscales"][0]["datasets"]]
    assert places[0] == places[1]


@pytest.mark.parametrize("path", ["", "s0", "s99/zarr.json", "s0/c/99/0", "s0/c/0", "../zarr.json", "s0/c/-1/0"])
def test_there_is_nothing_else(analysis: Analysis, path: str) -> None:
    with pytest.raises(LookupError):
        Scene(analysis).scaled["gratio"].image.file(path)
