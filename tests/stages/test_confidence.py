"""What a run says of the network's doubt is what its stored probabilities say, cell by cell."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage
from slides import analyse, contents, files, picture, tissue, write_labels, write_model, write_slide

import axonflow
from axonflow.errors import RunError, StoreError
from axonflow.fiber.maps import Cells
from axonflow.kernel.classes import AXON_MYELIN
from axonflow.kernel.grid import Box, Grid
from axonflow.kernel.units import PixelSize
from axonflow.net.familiarity import BLOCK, block_sums, familiar_ranges
from axonflow.net.normalise import grey_codes, grey_table, histogram
from axonflow.ngff import Blocks, Pyramid
from axonflow.results.analysis import Analysis, open_store
from axonflow.workflow.config import Config
from axonflow.workflow.job import prepare

Grey = NDArray[np.uint8]

CELL_UM = 26.0


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Config:
    """A run by a network whose contract does not say what is familiar, as one chunk."""
    folder = tmp_path_factory.mktemp("doubt")
    slide = write_slide(folder / "slide.tif", picture(tissue((310, 570), 1)))
    config = Config(
        slide, folder / "one", model=str(write_model(folder)), keep_probabilities=True, cell_um=CELL_UM, chunk=576
    )
    analyse(config)
    return config


def test_no_more_is_written_than_was_projected(config: Config) -> None:
    job = prepare(config, fresh=True)
    (segment,) = (stage for stage in job.stages if stage.name == "segment")
    kept = [config.out / "labels" / "semantic", *(config.out / "probabilities" / name for name in AXON_MYELIN.names)]
    written = sum(file.stat().st_size for folder in kept for file in folder.rglob("*") if file.is_file())
    small = 16 * 2**10  # metadata, which count on a slide as small as this
    assert written < segment.disk + small
    assert segment.disk < 4 * written


def tell(config: Config, familiar: dict[str, tuple[float, float]], folder: Path) -> Config:
    """Write the model again, with what is familiar to it."""
    contract = Path(str(config.model))
    (folder / contract.name).write_text(json.dumps(json.loads(contract.read_text()) | {"familiar": familiar}))
    weights = contract.with_suffix(".safetensors")
    (folder / weights.name).write_bytes(weights.read_bytes())
    return replace(config, model=str(folder / contract.name))


def planes(store: Path, slide: Path) -> tuple[Grey, Grey]:
    """Return the confidence, from the stored probabilities, and what the network saw, from the slide's file."""
    shares = [np.squeeze(Pyramid.open(store / "probabilities" / name).array(0)[:]) for name in AXON_MYELIN.names]
    pixels = np.asarray(Image.open(slide))
    return np.max(shares, axis=0), grey_table(histogram(pixels))[grey_codes(pixels)]


def blocks_of(shape: tuple[int, int]) -> list[Box]:
    h, w = shape
    return [Box(y, x, min(y + BLOCK, h), min(x + BLOCK, w)) for y in range(0, h, BLOCK) for x in range(0, w, BLOCK)]


def confidence_map(confidence: Grey, covered: NDArray[np.bool_], cell_um: float) -> NDArray[np.float64]:
    """Average over the blocks whose central pixel lies in the cell and is covered."""
    cells = Cells(confidence.shape, PixelSize.square(0.1), cell_um)
    out = np.full(cells.counts, np.nan)
    for i, (top, bottom) in enumerate(pairwise(cells.edges(0))):
        for j, (left, right) in enumerate(pairwise(cells.edges(1))):
            values: list[int] = []
            for box in blocks_of(confidence.shape):
                y, x = (box.y0 + box.y1) // 2, (box.x0 + box.x1) // 2
                if top <= y < bottom and left <= x < right and covered[y, x]:
                    values += confidence[box.slices].ravel().tolist()
            out[i, j] = np.mean(values) / 255 if values else np.nan
    return out


def test_the_sums_are_those_of_the_stored_probabilities(config: Config) -> None:
    sums = open_store(config.out).block_sums
    np.testing.assert_array_equal(sums.compute(scheduler="synchronous"), block_sums(*planes(config.out, config.slide)))


@pytest.mark.parametrize("cell_um", [CELL_UM, 1.0])
def test_the_map_is_the_mean_of_the_stored_probabilities(config: Config, cell_um: float, tmp_path: Path) -> None:
    confidence, _ = planes(config.out, config.slide)
    config = replace(config, cell_um=cell_um)
    analyse(config)
    result = open_store(config.out)
    covered = np.ones(confidence.shape, bool)
    found = result.maps["confidence"]
    np.testing.assert_allclose(found, confidence_map(confidence, covered, cell_um), rtol=1e-12)
    assert found.attrs == {"units": "1", "long_name": "mean maximum class probability"}
    assert "unfamiliar" not in result.maps
    assert result.record["stages"]["map"]["confidence"] == pytest.approx(confidence.mean() / 255, abs=1e-6)
    assert result.summary["confidence"].startswith(f"{confidence.mean() / 255:.3f}")


def test_only_blocks_under_the_mask_count(config: Config, tmp_path: Path) -> None:
    confidence, _ = planes(config.out, config.slide)
    covered = np.zeros(confidence.shape, bool)
    covered[20:150, 30:300] = True
    masked = replace(config, mask=tmp_path / "mask.png")
    Image.fromarray(covered).save(tmp_path / "mask.png")
    assert analyse(masked)[-1] == "map"
    found = open_store(config.out).maps["confidence"]
    np.testing.assert_allclose(found, confidence_map(confidence, covered, CELL_UM), rtol=1e-12)
    assert np.isnan(found).any()
    nothing = replace(config, mask=tmp_path / "nothing.png")
    Image.fromarray(np.zeros((31, 57), np.uint8)).save(tmp_path / "nothing.png")
    analyse(nothing)
    result = open_store(config.out)
    assert np.isnan(result.maps["confidence"]).all()
    assert result.record["stages"]["map"]["confidence"] is None
    assert "confidence" not in result.summary


def test_chunks_decide_nothing(config: Config, tmp_path: Path) -> None:
    told = tell(config, {"texture": (0.1, 0.2), "confidence": (0.7, 1.0)}, tmp_path)
    analyse(told)
    cut = replace(told, out=tmp_path / "out", chunk=128)
    analyse(cut)
    whole = contents(told.out)
    assert contents(cut.out) == whole
    assert {"traits", "maps/unfamiliar/zarr.json"} <= set(whole)
    np.testing.assert_array_equal(open_store(cut.out).square_traits(), open_store(told.out).square_traits())


def test_a_batch_that_failed_half_written_is_written_again(
    config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut, undisturbed = (replace(config, out=tmp_path / name / "out", chunk=128) for name in ("cut", "whole"))
    analyse(undisturbed, until="segment")
    write, written = Blocks.write, list[Box]()

    def note(self: Blocks, box: Box, sums: NDArray[np.uint32]) -> None:
        if len(written) == 3 and not resumed:
            raise OSError("gone")
        written.append(box)
        write(self, box, sums)

    monkeypatch.setattr(Blocks, "write", note)
    resumed = False
    with pytest.raises(RunError, match="segment"):
        analyse(cut, until="segment")
    (cut.out / "traits" / "c" / "0" / "0" / ("0." + "0" * 32 + ".partial")).write_bytes(b"half")
    resumed = True
    analyse(cut, until="segment")
    cores = list(Grid((310, 570), (128, 128)))
    assert written[2] in cores[2:4]
    assert sorted(written) == sorted([*cores, written[2]])  # what the failed batch had written, and no more
    assert files(cut.out) == files(undisturbed.out)


@pytest.mark.parametrize(("trait", "i"), [("confidence", 0), ("brightness", 1), ("contrast", 2), ("texture", 3)])
def test_a_cell_is_unfamiliar_where_one_of_its_traits_is(config: Config, trait: str, i: int, tmp_path: Path) -> None:
    """Ranges are laid between the two cells that are large enough to be judged."""
    confidence, grey = planes(config.out, config.slide)
    values = []
    for left, right in ((0, 260), (260, 520)):  # a block counts in the cell of its central pixel
        inside = [box for box in blocks_of(grey.shape) if box.y0 + 8 < 260 and left <= box.x0 + 8 < right]
        sure, seen = (np.concatenate([plane[box.slices].ravel() for box in inside]) for plane in (confidence, grey))
        steps = [np.abs(np.diff(grey[box.slices].astype(int), axis=axis)) for box in inside for axis in (0, 1)]
        texture = np.concatenate([step.ravel() for step in steps]).mean()
        values.append(np.array([sure.mean(), seen.mean(), seen.std(), texture]) / 255)
    low, middle, high = 0.0, float(values[0][i] + values[1][i]) / 2, 1.0
    for ends in ((low, middle), (middle, high)):
        analyse(tell(config, {trait: ends}, tmp_path))
        result = open_store(config.out)
        expected = [float(not ends[0] <= value[i] <= ends[1]) for value in values]
        assert sorted(expected) == [0, 1]
        assert result.maps["unfamiliar"][0, :2].to_numpy().tolist() == expected
        assert result.record["stages"]["map"]["unfamiliar_cells"] == 1


def test_masks_know_no_doubt(config: Config, tmp_path: Path) -> None:
    labels = write_labels(tmp_path / "labels.png", tissue((310, 570), 1))
    network = replace(config, out=tmp_path / "out")
    analyse(network)
    masks = replace(network, labels=labels, keep_probabilities=False)
    analyse(masks)
    result = open_store(masks.out)
    assert not {"confidence", "unfamiliar"} & set(result.maps)
    assert "confidence" not in result.record["stages"]["map"]
    assert not {"confidence", "unfamiliar"} & set(result.summary)
    for ask in (lambda: result.block_sums, result.square_traits):
        with pytest.raises(StoreError, match="say nothing of doubt"):
            ask()


STRANGE: dict[str, Callable[[Grey], Any]] = {
    "blurred": lambda pixels: ndimage.gaussian_filter(pixels, 3),
    "noisy": lambda pixels: np.random.default_rng(9).permutation(pixels.ravel()).reshape(pixels.shape),
    "blank": lambda pixels: np.full_like(pixels, 128),
}


@pytest.fixture(scope="module")
def trained(config: Config) -> tuple[Config, dict[str, tuple[float, float]]]:
    """A run by a network whose contract states the traits of four slides."""
    folder = config.slide.parent / "trained"
    folder.mkdir()
    squares = []
    for seed in range(2, 6):
        slide = write_slide(folder / f"{seed}.tif", picture(tissue((310, 570), seed), seed=seed))
        analyse(replace(config, slide=slide, out=folder / str(seed)), until="segment")
        squares.append(Analysis(folder / str(seed), {"model": {}}).square_traits().reshape(-1, 4))
    ranges = familiar_ranges(squares)
    return tell(config, ranges, folder), ranges


def test_a_slide_as_those_trained_on_is_familiar(trained: tuple[Config, dict[str, tuple[float, float]]]) -> None:
    config, _ = trained
    assert analyse(config) == ["map"]
    result = open_store(config.out)
    assert np.nan_to_num(result.maps["unfamiliar"]).tolist() == [[0, 0, 0], [0, 0, 0]]
    assert result.record["stages"]["map"]["unfamiliar_cells"] == 0
    assert "unfamiliar" not in result.summary
    # The last row and column are cut down to a narrow strip by the slide's end: too little to be judged.
    assert np.isnan(result.maps["unfamiliar"].to_numpy()).tolist() == [[False, False, True], [True, True, True]]


@pytest.mark.parametrize("how", STRANGE)
def test_another_is_not(trained: tuple[Config, dict[str, tuple[float, float]]], how: str, tmp_path: Path) -> None:
    config, _ = trained
    slide = write_slide(tmp_path / "slide.tif", STRANGE[how](picture(tissue((310, 570), 1))))
    result = axonflow.run(slide, tmp_path / "out", model=config.model, cell=CELL_UM, workers=1)
    assert result.maps["unfamiliar"][0, :2].to_numpy().tolist() == [1, 1]
    assert result.record["stages"]["map"]["unfamiliar_cells"] == 2
    said = "2 of 2 cells look unlike anything the network was trained on; see maps/unfamiliar"
    assert result.summary["unfamiliar"] == said
