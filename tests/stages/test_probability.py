"""The mean probability of each axon's class is that of the stored probabilities, whatever the chunks."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from slides import analyse, contents, picture, tissue, write_labels, write_model, write_slide

import axonflow
from axonflow.errors import InputError
from axonflow.fiber.kinds import KIND, MYELINATED, UNMYELINATED
from axonflow.fiber.probability import PROBABILITY
from axonflow.fiber.rules import LEFT_OUT, RULES
from axonflow.kernel.classes import WITH_UNMYELINATED
from axonflow.kernel.words import count
from axonflow.ngff import Pyramid
from axonflow.results.analysis import Analysis
from axonflow.results.export import export_store
from axonflow.results.report.drawing import how_sure
from axonflow.results.report.methods import in_a_paper
from axonflow.results.report.trust import left_out as facts_left_out
from axonflow.results.viewer.segments import segment_properties
from axonflow.workflow.config import Config

SHAPE = (140, 200)


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Config:
    """A run by a network that knows both kinds of axons and keeps its probabilities, as one chunk."""
    folder = tmp_path_factory.mktemp("probability")
    slide = write_slide(folder / "slide.tif", picture(tissue(SHAPE, 1)))
    model = str(write_model(folder, classes=WITH_UNMYELINATED))
    config = Config(slide, folder / "one", model=model, keep_probabilities=True, border="all", cell_um=5.0, chunk=256)
    analyse(config)
    return config


def share(result: Analysis, number: int) -> NDArray[np.uint8]:
    """Return the stored probability of a class, in 255ths."""
    stored = Pyramid.open(result.store / "probabilities" / result.classes.names[number])
    return np.squeeze(np.asarray(stored.array(0)[:]))


def means(result: Analysis) -> NDArray[np.float64]:
    """Average over each axon, in the plainest way."""
    axons = result.labels["axons"].compute(scheduler="synchronous")
    shares = {kind: share(result, number) for kind, number in ((MYELINATED, 2), (UNMYELINATED, 3))}
    rows = zip(result.fibers["axon_id"], result.fibers[KIND.name], strict=True)
    return np.array([shares[kind][axons == id_].mean() / 255 for id_, kind in rows])


def test_it_is_the_mean_of_the_stored_probability_of_the_class(config: Config) -> None:
    result = axonflow.open(config.out)
    found = result.fibers[PROBABILITY.name]
    assert result.fibers[KIND.name].value_counts().min() > 5
    assert found.nunique() > 10
    np.testing.assert_allclose(found, means(result), rtol=1e-12)
    assert found.between(1 / len(result.classes), 1).all()


def test_chunks_decide_nothing(config: Config, tmp_path: Path) -> None:
    """The last ones are thinner than the halo, so that the network's boxes are larger than chunks."""
    cut = replace(config, out=tmp_path / "out", chunk=64)
    analyse(cut)
    assert contents(cut.out) == contents(config.out)


def test_the_rule_leaves_out_exactly_those_below(config: Config, tmp_path: Path) -> None:
    plain = replace(config, out=tmp_path / "out")
    shutil.copytree(config.out, plain.out)
    before = contents(plain.out)
    every = axonflow.open(plain.out).fibers
    least = float(every[PROBABILITY.name].median())
    assert analyse(replace(plain, min_axon_probability=least)) == ["measure.rules", "measure.regions", "map"]
    result = axonflow.open(plain.out)
    judged = every[KIND.name] == MYELINATED
    below = judged & (every[PROBABILITY.name] < least)
    assert 0 < below.sum() < judged.sum()
    assert (result.fibers[LEFT_OUT.name] == "probability").tolist() == below.tolist()
    pd.testing.assert_frame_equal(result.counted_fibers(), result.fibers[~below])
    assert result.record["rules"] == {"border": "all", "probability": [least, None]}
    assert result.left_out == {"probability": int(below.sum())}
    said = {fact.name: fact for fact in facts_left_out(result, result.counted_fibers())}["left out by probability"]
    assert said.value == count(int(below.sum()), "myelinated axon")
    assert said.note.startswith(f"axons have a mean probability of their class below {least:g}: ")
    assert f": a mean probability by the network below {least:g}." in in_a_paper(result, result.counted_fibers())
    fibers = result.labels["fibers"].compute(scheduler="synchronous")
    gone = np.isin(fibers, every["axon_id"][below])
    assert not result.counted.compute(scheduler="synchronous")[gone].any()
    assert axonflow.check(plain.out).faults == ()
    analyse(plain)
    assert contents(plain.out) == before


def test_report_viewer_and_exports_have_it(config: Config, tmp_path: Path) -> None:
    result = axonflow.open(config.out)
    table = result.fibers
    np.testing.assert_array_equal(how_sure(result, table), table[PROBABILITY.name])
    listed = json.loads(segment_properties(table))["inline"]["properties"]
    (values,) = (each["values"] for each in listed if each["id"] == "probability")
    np.testing.assert_allclose(values, table[PROBABILITY.name], atol=0.51e-3)
    features = json.loads(export_store(result, "geojson", tmp_path / "f.geojson").read_text())["features"]
    carried = {}
    for feature in (each["properties"] for each in features):
        if not feature["name"].startswith("fiber"):
            carried[int(feature["name"].split()[1])] = feature["measurements"][PROBABILITY.name]
        else:
            assert PROBABILITY.name not in feature["measurements"]
    assert carried == pytest.approx(dict(zip(table["axon_id"], table[PROBABILITY.name], strict=True)), rel=1e-6)


def test_own_masks_have_none_and_their_tables_do_not_speak_of_it(config: Config, tmp_path: Path) -> None:
    labels = write_labels(tmp_path / "labels.png", tissue(SHAPE, 1))
    masks = replace(config, out=tmp_path / "out", labels=labels, model=None, keep_probabilities=False)
    shutil.copytree(config.out, masks.out)  # in a network's place
    analyse(masks)
    result = axonflow.open(masks.out)
    assert PROBABILITY.name not in result.fibers
    assert how_sure(result, result.fibers) is None
    from pyarrow import parquet

    said = {}
    for each in (config, masks):
        field = parquet.read_schema(each.out / "tables" / "fibers.parquet").field(LEFT_OUT.name)
        said[each.out] = field.metadata[b"description"].decode()
    assert said[config.out] == LEFT_OUT.meaning
    assert said[masks.out] == LEFT_OUT.meaning.replace("probability, ", "")
    assert all(rule in said[config.out] for rule in RULES)
    with pytest.raises(InputError, match="A network was expected with min_axon_probability"):
        analyse(replace(masks, min_axon_probability=0.5))
