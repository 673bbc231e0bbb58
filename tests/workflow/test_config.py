from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from axonflow.errors import InputError
from axonflow.kernel.units import PixelSize
from axonflow.workflow.config import Config

SLIDE, OUT = Path("/data/slide.tif"), Path("/data/slide.ome.zarr")

names = st.text("abcxyz_-. é", min_size=1, max_size=12).filter(lambda name: name.strip(". "))
paths = names.map(lambda name: Path("/data") / name)


@st.composite
def configs(draw: st.DrawFn) -> Config:
    def maybe(strategy: st.SearchStrategy[Any]) -> Any:
        return draw(st.none() | strategy)

    choices: tuple[dict[str, Any], ...] = ({}, {"labels": SLIDE}, {"axon_mask": SLIDE, "myelin_mask": OUT})
    outlines: dict[str, Any] = {"axon_mask": SLIDE, "myelin_mask": OUT, "outlines_unit": "um"}
    masks = draw(st.sampled_from((*choices, outlines)))
    return Config(
        slide=draw(paths),
        out=draw(paths),
        series=maybe(st.integers(0, 9)),
        channel=maybe(st.integers(0, 9)),
        keep_bar=draw(st.booleans()),
        on_bad_tile=draw(st.sampled_from(("stop", "fill"))),
        pixel_size=maybe(st.builds(PixelSize, st.floats(0.001, 5), st.floats(0.001, 5))),
        halo=maybe(st.integers(0, 300) | st.sampled_from(("exact", "mend"))),
        chunk=maybe(st.integers(1, 100).map(lambda k: 64 * k)),
        cell_um=draw(st.floats(0.1, 1000)),
        mask=maybe(paths),
        mask_unit=draw(st.sampled_from(("px", "um"))),
        regions=maybe(paths),
        regions_unit=draw(st.sampled_from(("px", "um"))),
        adapt_to_slide=draw(st.sampled_from((None, "on", "off"))),
        precision=draw(st.sampled_from((None, "int8", "bfloat16", "float16", "float32"))),
        keep_probabilities=draw(st.booleans()),
        min_axon_area_um2=maybe(st.floats(0, 100)),
        max_myelin_um=draw(st.floats(0.1, 50)),
        rules=maybe(st.sampled_from(("none", "/rules.toml"))),
        border=maybe(st.sampled_from(("frame", "inside", "all"))),
        min_diameter_um=maybe(st.floats(0, 100)),
        max_gratio=maybe(st.floats(0.1, 1)),
        min_axon_probability=maybe(st.floats(0, 1)),
        need_myelin=maybe(st.booleans()),
        axon_shape=draw(st.sampled_from(("circle", "ellipse"))),
        **masks,
    )


@given(configs())
def test_json_brings_it_back(config: Config) -> None:
    assert Config.from_json(json.loads(json.dumps(config.to_json()))) == config


def test_what_is_written_does_not_depend_on_where_one_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    content = Config(Path("slide.tif"), Path("out"), labels=Path("a") / "labels.png", model="net.json").to_json()
    assert content["slide"] == str(tmp_path / "slide.tif")
    assert content["labels"] == str(tmp_path / "a" / "labels.png")
    assert content["model"] == str(tmp_path / "net.json")
    assert Config(SLIDE, OUT).to_json()["model"] is None


def test_settings_of_another_version_are_refused() -> None:
    with pytest.raises(InputError, match="colour came"):
        Config.from_json(Config(SLIDE, OUT).to_json() | {"colour": 1})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"axon_mask": SLIDE}, "together, one came"),
        ({"myelin_mask": SLIDE}, "together, one came"),
        ({"axon_mask": SLIDE, "myelin_mask": SLIDE, "labels": SLIDE}, "both came"),
        ({"labels": SLIDE, "outlines_unit": "px"}, "--outlines-unit was expected with --axon-mask"),
        ({"uaxon_mask": SLIDE}, "--uaxon-mask was expected with --axon-mask"),
        ({"uaxon_mask": SLIDE, "labels": SLIDE}, "--uaxon-mask was expected with --axon-mask"),
        ({"classes": "0=background,1=myelin,2=axon"}, "--classes was expected with --labels"),
        (
            {"labels": SLIDE, "classes": "0=background,1=axon"},
            "--classes was expected to be like .* of the role myelin",
        ),
        ({"min_unmyelinated_area_um2": -0.5}, "--min-unmyelinated-area"),
        ({"cell_um": 0.0}, "--cell"),
        ({"cell_um": float("nan")}, "--cell"),
        ({"cell_um": float("inf")}, "--cell"),
        ({"max_myelin_um": -1.0}, "--max-myelin"),
        ({"max_myelin_um": float("inf")}, "--max-myelin"),
        ({"min_axon_area_um2": -0.5}, "--min-axon-area"),
        ({"min_axon_area_um2": float("nan")}, "--min-axon-area"),
        ({"border": "left"}, "--border was expected to be frame, inside or all"),
        ({"max_diameter_um": 0.0}, "--max-diameter"),
        ({"min_solidity": 1.5}, "--min-solidity"),
        ({"need_myelin": 1}, "--need-myelin"),
        ({"min_axon_area_um2": float("inf")}, "--min-axon-area"),
        ({"chunk": 0}, "multiple of 64"),
        ({"chunk": 100}, "multiple of 64"),
        ({"chunk": -64}, "multiple of 64"),
        ({"halo": -1}, "--halo"),
    ],
)
def test_what_cannot_be_meant_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Config(SLIDE, OUT, **settings)


@pytest.mark.parametrize(
    ("slide", "out"),
    [
        ("a.tif", "a.ome.zarr"),
        ("a.ome.tif", "a.ome.zarr"),
        ("a.OME.TIFF", "a.ome.zarr"),
        ("a.b.svs", "a.b.ome.zarr"),
        ("A.TIF", "A.ome.zarr"),
        ("A.OME.TIF", "A.ome.zarr"),
        ("a.SVS", "a.ome.zarr"),
        ("a.ZARR", "a.ome.zarr"),
        ("a.zarr", "a.ome.zarr"),
        ("a.ome.zarr", "a.axonflow.ome.zarr"),
        ("a", "a.ome.zarr"),
    ],
)
def test_the_store_lies_beside_the_slide(slide: str, out: str) -> None:
    assert Config.default_out(Path("dir") / slide) == Path("dir") / out


@given(paths)
def test_the_store_is_never_the_slide(slide: Path) -> None:
    assert os.fspath(Config.default_out(slide)) != os.fspath(slide)
    assert Config.default_out(slide).name.endswith(".ome.zarr")
