"""A record changed by hand, in a copy without its journal, is read or refused in a sentence, by every reader."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from slides import analyse, command, picture, tissue, write_labels, write_masks, write_model, write_slide

import axonflow
from axonflow.cli.info import _of_store
from axonflow.cli.score import _compared
from axonflow.errors import AxonflowError, StoreError
from axonflow.fiber.kinds import MYELINATED, of_kind
from axonflow.results.analysis import Analysis, open_store
from axonflow.results.export.origin import origin
from axonflow.results.export.place import check_place
from axonflow.results.learnt import learnt_by
from axonflow.results.outlines import drawn_over
from axonflow.results.report.methods import in_a_paper
from axonflow.results.report.origin import network_in_words, origin_facts, steps, versions
from axonflow.results.report.slide import _regions
from axonflow.results.report.trust import doubts, expected_errors, left_out
from axonflow.workflow.config import Config
from axonflow.workflow.record import read_record

Record = dict[str, Any]
Place = tuple[str | int, ...]

SHAPE = (150, 200)
OTHERS: tuple[Any, ...] = (None, "x", 0, -2.5, ["x"], {"x": 1})
"""What may stand in the place of a value; all of it is tried."""

READ = (
    network_in_words, expected_errors, learnt_by, origin_facts, steps, versions, drawn_over, origin, _compared,
    _regions,
    lambda result: check_place(result, Path("out.csv")),
    lambda result: in_a_paper(result, result.counted_fibers()),
    lambda result: list(doubts(result, of_kind(result.counted_fibers(), MYELINATED))),
    lambda result: list(left_out(result, result.counted_fibers())),
    lambda result: (result.classes, result.warnings, result.summary),
    lambda result: list(_of_store(result.store)),
)  # fmt: skip
"""What reads a record: info, report, score, export, figure, view."""


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Copies without their journals: of a network's run with all that a record may have, and of a run of masks."""
    folder = tmp_path_factory.mktemp("changed")
    classes = tissue(SHAPE)
    slide, labels = write_slide(folder / "slide.tif", picture(classes)), write_labels(folder / "labels.png", classes)
    (axons, _), model, made = write_masks(folder, classes), write_model(folder), {}
    kinds: dict[str, dict[str, Any]] = {
        "network": {"model": str(model), "adapt_to_slide": "on", "halo": "mend", "min_solidity": 0.5},
        "masks": {"labels": labels, "mask": axons, "regions": labels, "max_axon_area_um2": 9.0},
    }
    for kind, more in kinds.items():
        analyse(Config(slide, folder / kind, cell_um=5.0, chunk=128, **more))
        made[kind] = folder / f"{kind}.ome.zarr"
        shutil.copytree(folder / kind, made[kind], ignore=shutil.ignore_patterns(".axonflow"))
    return made


def records(stores: dict[str, Path]) -> Iterator[tuple[Path, Record, tuple[Place, ...]]]:
    """Yield stores with each form that a record may have, and the places that are looked at in it; as made, at last."""
    found = {kind: read_record(store) for kind, store in stores.items()}
    model, nnunet = found["network"]["model"], deepcopy(found["network"])
    first = {name: model[name] for name in ("name", "sha256", "halo_px", "lattice_px", "precision")}
    yield stores["network"], found["network"] | {"model": first}, (("model",),)
    nnunet["model"] = {name: value for name, value in model.items() if name not in {"adapted", "halo_px", "lattice_px"}}
    nnunet["model"] |= {"architecture": "nnunet", "patch_px": [64, 96], "step": 0.5, "mirrored_axes": [0, 1]}
    nnunet["model"] |= {"folds": ["0"], "approximates": True}
    nnunet["stages"]["segment.fast"] = {"seconds": 1.0, "pixels": 1, "peak_worker_bytes": 1}
    nnunet["stages"]["segment.fast"] |= {"compared_px": 9, "disagrees": 0.1}
    yield stores["network"], nnunet, (("model",), ("stages", "segment.fast"))
    for kind, record in found.items():
        yield stores[kind], record, ((),)


def places(value: Any, above: Place = ()) -> Iterator[Place]:
    if above:
        yield above
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, each in inner:
        yield from places(each, (*above, name))


def changed(record: Record, within: Place) -> Iterator[tuple[str, Record]]:
    """Yield a record without each of its values, and with one of another type in its place."""
    for place in places(record):
        if place[: len(within)] != within:
            continue
        for other in (*OTHERS, ...):
            copy = deepcopy(record)
            at: Any = copy
            for name in place[:-1]:
                at = at[name]
            if other is ...:
                del at[place[-1]]
            elif type(at[place[-1]]) is not type(other):
                at[place[-1]] = other
            else:
                continue
            yield f"{'.'.join(map(str, place))}: {'left out' if other is ... else repr(other)}", copy


def test_every_reader_takes_it_or_says_what_is_wrong(stores: dict[str, Path]) -> None:
    refused, failed = 0, []
    kept = {}  # of the files, which are not what is changed
    for store in stores.values():
        result = open_store(store)
        kept[store] = {name: getattr(result, name) for name in ("fibers", "maps", "map_arrays")}
    for store, record, looked_at in records(stores):
        for what, copy in [("as it was", record), *(each for place in looked_at for each in changed(record, place))]:
            (store / "run.json").write_text(json.dumps(copy))
            try:
                result = Analysis(store, read_record(store))
            except StoreError as error:
                refused += 1
                if "run.json" not in str(error) or what == "as it was":
                    failed.append(f"{store.name}: {what}: {error}")
                continue
            result.__dict__.update(kept[store])
            for read in READ:
                try:
                    read(result)
                except AxonflowError:
                    continue
                except Exception as error:  # which is what is looked for
                    failed.append(f"{store.name}: {what}: {type(error).__name__}: {error}")
        (store / "run.json").write_text(json.dumps(record))
    assert not failed
    assert refused > 500


@pytest.mark.parametrize("kind", ["network", "masks"])
@pytest.mark.parametrize("place", [("slide", "path"), ("labels", "shape"), ("config", "cell_um"), ("model", "name")])
def test_commands_end_in_a_sentence(stores: dict[str, Path], tmp_path: Path, kind: str, place: tuple[str, str]) -> None:
    store = tmp_path / "copy.ome.zarr"
    shutil.copytree(stores[kind], store)
    record = read_record(store)
    name = place[-1]
    del record[place[0]][name if name in record[place[0]] else "masks"]  # without which a network's name is missed
    (store / "run.json").write_text(json.dumps(record))
    for words in (["info"], ["report"], ["export", "--format", "csv"], ["figure"], ["view"], ["score"]):
        drawn = [stores[kind].with_name("labels.png")] if words == ["score"] else []
        ran = command(words[0], store, *drawn, *words[1:])
        said = " ".join(ran.err.split())
        assert (ran.code, "no readable run.json in it" in said, f"has no '{name}'" in said) == (2, True, True), said
    with pytest.raises(StoreError, match=f"has no '{name}'"):
        axonflow.open(store)
