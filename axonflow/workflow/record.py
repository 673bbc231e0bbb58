"""What made a store, written beside it as ``run.json``."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from axonflow.engine.journal import Journal
from axonflow.engine.stage import Stage
from axonflow.errors import StoreError
from axonflow.fiber.rules import JUDGED, RULES, Rules
from axonflow.kernel.classes import AXON_MYELIN, Classes
from axonflow.kernel.documents import parse_json, read_file, said
from axonflow.kernel.files import remove, write_file
from axonflow.kernel.form import ANYTHING, COUNT, NUMBER, SIDE, check_form, each_of, list_of, maybe, pair
from axonflow.kernel.units import PixelSize
from axonflow.slide import Slide
from axonflow.stages.adapted import WEIGHT
from axonflow.stages.layout import Layout
from axonflow.stages.segmentation import Masks, Network, NnUNet
from axonflow.workflow.config import Config

__all__ = ["describe", "is_as_written", "is_recorded", "is_store", "read_record", "version_of", "write_record"]

SUM, COPY = ".axonflow/record.sha256", ".axonflow/run.json"
"""Files of a store: its record's checksum, which tells whether it was changed, and a copy, read in its place."""

_BESIDE = frozenset(("analysed", "warnings"))
"""What stands in a record beside what :func:`describe` returns."""

PACKAGES = ("axonflow-histology", "dask", "distributed", "numpy", "scipy", "tifffile", "torch", "zarr")


def read_record(store: Path) -> dict[str, Any]:
    """Read what is recorded of a store.

    Raises
    ------
    StoreError
        If it is not a store of this program, or the record is not as its run wrote it.
    """
    if not store.is_dir():
        raise StoreError(f"A store made by axonflow was expected at {store}, but there is no such folder.")
    try:
        record: dict[str, Any] = parse_json(_content(store))
        _check(record)
    except (OSError, ValueError) as error:
        if (store / ".axonflow" / "journal").is_dir():
            raise StoreError(
                f"A readable run.json was expected in {store}, but it is damaged or gone ({said(error)}); run the "
                f"slide again with --out {store}: it is written anew, and what was made is kept."
            ) from error
        raise StoreError(
            f"A store made by axonflow was expected at {store}, but there is no readable run.json in it "
            f"({said(error)}); give the .ome.zarr folder that 'axonflow run' wrote."
        ) from error
    return record


def is_store(path: Path) -> bool:
    """Tell whether a folder has a record that can be read."""
    try:
        read_record(path)
    except StoreError:
        return False
    return True


def _content(store: Path) -> bytes:
    """Return the record as its run wrote it: from its copy, if it was changed since.

    One of before there were copies, or checksums, is believed.
    """
    shown, copy, told = (_read(store / name) for name in ("run.json", COPY, SUM))
    if isinstance(shown, OSError) and isinstance(copy, OSError):
        raise shown
    found = [content for content in (shown, copy) if isinstance(content, bytes)]
    if isinstance(told, OSError) and isinstance(copy, OSError):
        return found[0]
    if written := [content for content in found if sha256(content).hexdigest().encode() == told]:
        return written[0]
    if shown == copy:
        return found[0]  # it is the checksum that was changed
    raise ValueError("it is not as the run wrote it")


def _read(path: Path) -> bytes | OSError:
    try:
        return read_file(path)
    except OSError as error:
        return error


def _check(record: Any) -> None:
    """Refuse what no version of this program wrote; a ValueError says where."""
    check_form(record, _FORM, "it")
    check_form(record["model"], _form_of(record["model"]), "model")
    if "masks" in record["model"] and not record["model"]["masks"]:
        raise ValueError("model.masks is empty")
    for name in ("slide", "labels"):
        if not PixelSize.plausible(*record[name]["pixel_size_um"]):
            raise ValueError(f"{name}.pixel_size_um is {record[name]['pixel_size_um']}")
    if record["complete"] and {"measure", "map"} - record["stages"].keys():
        raise ValueError("it is complete without the stages measure and map")
    if record["complete"] and "adapted" in record["model"] and "segment.adapt" not in record["stages"]:
        raise ValueError("it is complete without the stage segment.adapt")
    for name, form in _OF_STAGES.items():
        if name in record["stages"]:
            check_form(record["stages"][name], form, f"stages.{name}")
    _check_rules(record)
    if "classes" in record["model"]:
        Classes.from_json(record["model"]["classes"])
    known = {each.name for each in fields(Config)}
    Config.from_json({name: value for name, value in record["config"].items() if name in known})


def _form_of(model: Mapping[str, Any]) -> dict[str, Any]:
    """Return the form of what made the labels: masks, or a network as one of the versions described it."""
    if "masks" in model:
        return _OWN_MASKS
    if "architecture" not in model:
        return _FIRST_MODEL
    return _MODEL | (_NNUNET if model["architecture"] == "nnunet" else _WINDOWS)


def _check_rules(record: dict[str, Any]) -> None:
    """Refuse rules that nobody knows, and axons that were left out by a rule that did not hold."""
    rules, left_out = record.get("rules", {}), record["stages"].get("measure.rules", {}).get("left_out", {})
    if unknown := rules.keys() - {"border", *JUDGED}:
        raise ValueError(f"rules has {', '.join(sorted(unknown))}")
    if unknown := left_out.keys() - ({*RULES} - {*JUDGED} | rules.keys()):
        raise ValueError(f"stages.measure.rules.left_out has {', '.join(sorted(unknown))}, which rules has not")


_PLACE = {"shape": pair(SIDE), "pixel_size_um": pair(NUMBER)}

_EDGES = {"before": COUNT, "now": COUNT, "elsewhere": COUNT}

_FORM: dict[str, Any] = {
    "complete": bool,
    "slide": {
        **_PLACE,
        "path": str,
        "identity": str,
        "pixel_size_source": str,
        "info_bar?": maybe({"rows": COUNT, "found_by": str, "kept": bool}),
    },
    "labels": {**_PLACE, "chunk": SIDE, "min_axon_area_um2?": maybe(NUMBER), "min_unmyelinated_area_um2?": NUMBER},
    "rules?": {"border": str, "myelin?": bool}
    | {f"{rule}?": pair(maybe(NUMBER)) for rule in JUDGED if rule != "myelin"},
    "config": {"slide": str, "out": str, "mask": maybe(str), "cell_um": NUMBER, "max_myelin_um": NUMBER},
    "model": {},
    "seams": maybe(
        {"seams_sampled": COUNT, "exact_halo_disagrees": maybe(NUMBER), "neighbours_disagree": maybe(NUMBER)}
    ),
    "stages": each_of(
        {
            "seconds": NUMBER,
            "pixels": COUNT,
            "peak_worker_bytes": COUNT,
            "myelin_px_beyond_reach?": COUNT,
            "confidence?": maybe(NUMBER),
            "unfamiliar_cells?": maybe(COUNT),
            "compared_px?": COUNT,
            "disagrees?": NUMBER,
            "windows?": list_of(list_of(COUNT)),
            "too_small?": COUNT,
            "left_out?": each_of(COUNT),
            "mended?": maybe({"seams": COUNT, "again": COUNT, "changed": NUMBER, "straight_edges": _EDGES}),
            "devices?": list_of(str),
            "busy?": each_of(NUMBER),
        }
    ),
    "analysed?": str,
    "warnings?": list_of({"id": str, "message": str, "values": {}}),
    "versions": each_of(maybe(str)),
    "host": {"name": str, "machine": str, "cores": maybe(COUNT)},
}
"""The form of a record: what of it is read again. A name with a question mark was not there in the first versions."""

_OF_STAGES = {
    "segment.fast": {"compared_px": COUNT, "disagrees": NUMBER},
    "segment.adapt": {"windows": list_of(list_of(COUNT))},
}
"""What some stages have that others have not."""

_OWN_MASKS = {"masks": list_of({"path": str, "identity": str})}
_WINDOWS = {"halo_px": COUNT, "lattice_px": SIDE, "mended_from?": NUMBER}
_NNUNET = {
    "patch_px": pair(COUNT),
    "step": NUMBER,
    "mirrored_axes": list_of(COUNT),
    "folds": list_of(str),
    "approximates?": bool,
}
_FIRST_MODEL = {"name": str, "sha256?": str, "precision": str, "halo_px?": COUNT, "lattice_px?": SIDE}
_MODEL = {
    "name": str,
    "path": str,
    "embedded": bool,
    "sha256": str,
    "architecture": str,
    "pixel_size_um": NUMBER,
    "trained_on": ANYTHING,  # as its contract has it
    "precision": str,
    "integers?": str,
    "adapted?": {"weight": NUMBER},
}


def describe(
    config: Config,
    slide: Slide,
    layout: Layout,
    segmentation: Network | Masks,
    smallest_um2: tuple[float, float],
    rules: Rules,
    stages: Sequence[Stage],
    journal: Journal,
) -> dict[str, Any]:
    """Return what made a store, without warnings: settings as they were given, and the values that followed from them.

    ``smallest_um2`` are the areas below which nothing is an axon, or an axon of the class without myelin. It says
    complete only if every stage is.
    """
    native, work = (frame.pixel_size for frame in (layout.native, layout.work))
    made = {stage.name: journal.record(stage).summary for stage in stages if journal.record(stage).complete}
    return {
        "complete": len(made) == len(stages),
        "slide": {
            "path": str(slide.path),
            "identity": slide.identity,
            "shape": slide.shape,
            "dtype": slide.dtype.name,
            "pixel_size_um": [native.y, native.x],
            "pixel_size_source": slide.pixel_size_source,
            "info_bar": _info_bar(config, slide),
        },
        "labels": {
            "shape": layout.work.shape,
            "pixel_size_um": [work.y, work.x],
            "chunk": layout.chunk,
            "min_axon_area_um2": smallest_um2[0],
            **({} if layout.classes.unmyelinated is None else {"min_unmyelinated_area_um2": smallest_um2[1]}),
        },
        "config": config.to_json(),
        "rules": rules.to_json(),
        "model": _model(segmentation),
        "seams": made.get("segment.seams"),
        "stages": made,
        "versions": {"python": platform.python_version()} | {name: version_of(name) for name in PACKAGES},
        "host": {"name": platform.node(), "machine": platform.machine(), "cores": os.cpu_count()},
    }


def is_recorded(store: Path, made: Mapping[str, Any]) -> bool:
    """Tell whether a store has a record of exactly this, so that the warnings in it hold, too."""
    if any(isinstance(_read(store / name), OSError) for name in (SUM, COPY)) or not is_as_written(store):
        return False
    try:
        kept = read_record(store)
    except StoreError:
        return False
    found = {name: value for name, value in kept.items() if name not in _BESIDE}
    return "warnings" in kept and found == json.loads(json.dumps(made))


def write_record(layout: Layout, made: Mapping[str, Any], warnings: Sequence[Mapping[str, Any]]) -> None:
    """Write what made a store, of :func:`describe`, when that was, and what may be wrong with it."""
    content = json.dumps(
        {**made, "analysed": _when(layout.store, made), "warnings": [*warnings]}, indent=1, ensure_ascii=False
    ).encode()
    for name, written in ((COPY, content), ("run.json", content), (SUM, sha256(content).hexdigest().encode())):
        path = layout.store / name
        if path.is_symlink() or (path.exists() and not path.is_file()):  # which no file takes the place of
            remove(path)
        write_file(path, written)


def _when(store: Path, made: Mapping[str, Any]) -> str:
    """Return when the stages ended: now, unless the record tells it of the same ones."""
    try:
        kept = read_record(store)
    except StoreError:
        kept = {}
    if "analysed" in kept and kept["stages"] == json.loads(json.dumps(made["stages"])):
        return str(kept["analysed"])
    return datetime.now(UTC).isoformat(timespec="seconds")


def is_as_written(store: Path) -> bool:
    """Tell whether the record of a store is as its run wrote it; one of before there were sums is believed."""
    shown, copy, told = (_read(store / name) for name in ("run.json", COPY, SUM))
    if isinstance(shown, OSError):
        return False
    if isinstance(told, FileNotFoundError) and isinstance(copy, FileNotFoundError):
        try:
            return "warnings" not in read_record(store)  # which came into records before sums did
        except StoreError:
            return False
    return sha256(shown).hexdigest().encode() == told and (isinstance(copy, FileNotFoundError) or copy == shown)


def _info_bar(config: Config, slide: Slide) -> dict[str, Any] | None:
    if slide.bar is None:
        return None
    return {"rows": slide.bar.rows, "found_by": slide.bar.source, "kept": config.keep_bar}


def _model(segmentation: Network | Masks) -> dict[str, Any]:
    named = segmentation.classes
    classes: dict[str, Any] = {} if named == AXON_MYELIN else {"classes": named.to_json()}
    if isinstance(segmentation, Masks):
        images = [mask.image for mask in segmentation.images]
        return classes | {"masks": [{"path": str(image.path), "identity": image.identity} for image in images]}
    checkpoint = segmentation.checkpoint
    return classes | {
        "name": checkpoint.name,
        "path": str(checkpoint.path),
        "embedded": checkpoint.embedded,
        "sha256": checkpoint.sha256,
        "architecture": checkpoint.architecture,
        "pixel_size_um": checkpoint.pixel_size_um,
        "trained_on": checkpoint.trained_on.get("data"),
        **_windows(segmentation),
        "precision": segmentation.precision,
        **({"integers": checkpoint.integers} if segmentation.precision == "int8" else {}),
        **({"adapted": {"weight": WEIGHT}} if segmentation.adapted else {}),
    }


def _windows(network: Network) -> dict[str, Any]:
    """Return what the network sees at once."""
    if not isinstance(network, NnUNet):
        mended = {} if network.mended_from is None else {"mended_from": network.mended_from}
        return {"halo_px": network.halo, "lattice_px": network.checkpoint.lattice_px, **mended}
    plan = network.plan
    return {
        "patch_px": plan.patch,
        "step": plan.step,
        "mirrored_axes": plan.mirrors,
        "folds": plan.folds,
        "approximates": network.approximates,
    }


def version_of(name: str) -> str | None:
    """Return the version of an installed package; None if its metadata are not there."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None
