"""What made a result: the slide, the network, the settings, the machine, and how long each stage took."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from axonflow.kernel.rate import duration
from axonflow.kernel.words import count, listed, memory, number, share, size
from axonflow.results.analysis import Analysis
from axonflow.results.report.words import Fact
from axonflow.stages.segment_mended import FIRST
from axonflow.stages.titles import stage_title

__all__ = ["StageRow", "network_in_words", "origin_facts", "steps", "versions"]

DESIGNS = {"sem": "scanning electron microscopy", "tem": "transmission electron microscopy"}


@dataclass(frozen=True, slots=True)
class StageRow:
    """A stage as a row of a table; all in words."""

    name: str
    time: str
    pixels: str
    memory: str
    busy: str


def network_in_words(result: Analysis) -> str:
    """Say what decided which pixel is axon and which is myelin."""
    made_by = result.record["model"]
    if "masks" in made_by:
        names = listed(*(Path(mask["path"]).name for mask in made_by["masks"]))
        return f"Axons and myelin are as drawn in {names}; no network was at work."
    if "architecture" not in made_by:  # of the first versions
        return f"Axons and myelin were found by the network “{made_by['name']}”."
    kind = "that comes with axonflow" if made_by["embedded"] else "of your own"
    if made_by["architecture"] == "nnunet":
        at = f"{result.record['labels']['pixel_size_um'][0]:.6g} µm a pixel"
        return (
            f"Axons and myelin were found by “{made_by['name']}”, a model of nnU-Net, working at {at}, trained on "
            f"{made_by['trained_on'] or 'unknown data'}."
        )
    said = (
        f"Axons and myelin were found by the network “{made_by['name']}” {kind}: a U-Net of the design for "
        f"{DESIGNS.get(made_by['architecture'], made_by['architecture'])}, working at "
        f"{made_by['pixel_size_um']:.6g} µm a pixel"
    )
    if made_by["trained_on"]:
        said += f", trained on {made_by['trained_on']}"
    if "adapted" in made_by:
        said += ", adapted to the statistics of this slide (--adapt-to-slide on)"
    return f"{said}."


def origin_facts(result: Analysis) -> list[Fact]:
    """Return what was measured, by what, and with which settings."""
    record = result.record
    slide, labels, made_by = record["slide"], record["labels"], record["model"]
    config = record["config"]
    h, w = slide["shape"]
    um = slide["pixel_size_um"]
    facts = [
        Fact("slide", slide["path"], f"fingerprint {slide['identity'][:16]}…"),
        Fact("size", f"{h:,} × {w:,} px", size(h * um[0], w * um[1])),
        Fact("pixel size", _pixel(um), f"from {slide['pixel_size_source']}"),
        Fact("pixel size of the result", _pixel(labels["pixel_size_um"]), "{:,} × {:,} px".format(*labels["shape"])),
    ]
    if "masks" in made_by:
        facts += [Fact("own masks", mask["path"], f"fingerprint {mask['identity'][:16]}…") for mask in made_by["masks"]]
    else:
        facts += [
            Fact("network", made_by["name"], _computed(record)),
            *_weights(made_by),
            *_windows(made_by),
            *_adapted(record),
        ]
    given = {
        "image in the file": config.get("series"),
        "mask": config["mask"],
        "regions": config.get("regions"),
        "side of a cell of the maps": f"{config['cell_um']:g} µm",
        "smallest axon": number(labels.get("min_axon_area_um2", config.get("min_axon_area_um2")), "g", "µm²"),
        "smallest unmyelinated axon": number(labels.get("min_unmyelinated_area_um2"), "g", "µm²")
        if "min_unmyelinated_area_um2" in labels
        else None,
        "longest way through myelin": f"{config['max_myelin_um']:g} µm",
        "computed in squares of": f"{labels['chunk']:,} px a side, which changes no result",
    }
    if bar := slide.get("info_bar"):
        facts.append(Fact("info bar", "kept" if bar["kept"] else f"{bar['rows']} px left out", bar["found_by"]))
    facts += [Fact(name, str(value)) for name, value in given.items() if value is not None]
    return facts


def _weights(made_by: Mapping[str, Any]) -> Iterator[Fact]:
    if "sha256" in made_by:
        yield Fact("fingerprint of the network", made_by["sha256"], "sha256 of its weights")
    if "integers" in made_by:
        yield Fact("and of its whole numbers", made_by["integers"], "sha256 of what it computed in")


def _windows(made_by: Mapping[str, Any]) -> Iterator[Fact]:
    """Yield what the network saw at once; the first versions may not tell it."""
    if "patch_px" in made_by:
        h, w = made_by["patch_px"]
        mirrored = "with their mirror images" if made_by["mirrored_axes"] else "without mirror images"
        said = f"{made_by['step']:g} of one apart, {mirrored}"
        yield Fact("the network looks at", f"pieces of {h} × {w} px", said)
    elif "lattice_px" in made_by and "halo_px" in made_by:
        mends = "mended_from" in made_by
        said = f"and {made_by['halo_px']} px around each" + "; more where cuts show (--halo mend)" * mends
        yield Fact("the network looks at", f"squares of {made_by['lattice_px']} px", said)


def _adapted(record: Mapping[str, Any]) -> Iterator[Fact]:
    """Yield to which statistics the network was adapted, if it was."""
    if "adapted" in record["model"]:
        said = f"from {count(len(record['stages']['segment.adapt']['windows']), 'window')}, mixed with the training's"
        yield Fact("weight of the slide's statistics", f"{record['model']['adapted']['weight']:g}", said)


def steps(result: Analysis) -> list[StageRow]:
    """Return what each stage took, and all of them together."""
    made = result.record["stages"]
    rows = [
        StageRow(
            stage_title(name),
            duration(done["seconds"]),
            f"{done['pixels'] / 1e6:,.1f}",
            memory(done["peak_worker_bytes"]),
            _busy(done.get("busy")),
        )
        for name, done in made.items()
    ]
    seconds = sum(done["seconds"] for done in made.values())
    peak = max(done["peak_worker_bytes"] for done in made.values())
    return [*rows, StageRow("together", duration(seconds), "", memory(peak), "")]


def versions(result: Analysis) -> list[Fact]:
    """Return the computer and the programs."""
    host, programs = result.record["host"], result.record["versions"]
    return [
        Fact(
            "computer",
            host["name"],
            f"{host['machine']}, {count(host['cores'], 'core') if host['cores'] else 'of unknown cores'}",
        ),
        Fact("programs", ", ".join(f"{name} {version or '(not installed)'}" for name, version in programs.items())),
    ]


def _computed(record: dict[str, Any]) -> str:
    """Say in which precision and on what the network was computed."""
    stages = record["stages"]
    devices = stages.get(FIRST, stages.get("segment", {})).get("devices", ())
    return f"computed in {record['model']['precision']}" + (f" by {' and '.join(devices)}" if devices else "")


def _busy(busy: dict[str, float] | None) -> str:
    """Say how much of the time the workers that apply the network did so."""
    if not busy:
        return ""
    shares = np.array(list(busy.values()))
    if len(shares) == 1:
        return share(shares[0])
    return f"{share(shares.mean())} of {count(len(shares), 'worker')}, {share(shares.min())} at least"


def _pixel(um: list[float]) -> str:
    return f"{um[0]:.6g} µm" if um[0] == um[1] else f"{um[0]:.6g} × {um[1]:.6g} µm (height × width)"
