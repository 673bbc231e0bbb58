"""What a slide or a store is, in words: info."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from axonflow.cli.terminal import app, say, warn

__all__: list[str] = []

Row = tuple[str, str]


@app.command()
def info(
    path: Annotated[Path, typer.Argument(help="A slide or a store.", show_default=False)],
    series: Annotated[int | None, typer.Option(help="Which image of a file that holds several.")] = None,
    channel: Annotated[int | None, typer.Option(help="Which channel of an OME-Zarr.")] = None,
) -> None:
    """Print what a slide or a store is.

    Example: [bold]axonflow info slide.svs[/bold]
    """
    stored = (path / "run.json").exists()
    rows = _of_store(path) if stored else _of_slide(path, series, channel)
    last = ""
    for name, value in rows:
        say(Text.assemble((f"{'' if name == last else name:<14}", "bold"), f" {value}"), indent=15)
        last = name
    if stored:
        from axonflow.results.analysis import Analysis
        from axonflow.workflow.record import read_record

        warn(Analysis(path, read_record(path)).warnings)


def _of_store(path: Path) -> Iterator[Row]:
    from axonflow.kernel.units import PixelSize
    from axonflow.results.analysis import Analysis
    from axonflow.workflow.record import read_record

    record = read_record(path)
    slide, labels = record["slide"], record["labels"]
    yield "slide", slide["path"]
    yield "size", _size(slide["shape"])
    yield "pixel size", f"{PixelSize(*slide['pixel_size_um'])} ({slide['pixel_size_source']})"
    yield "complete", "yes" if record["complete"] else _why_not(path)
    if Analysis(path, record).on_slide_pixels:
        yield "labels", "on the pixels of the slide, in which the table counts"
    else:
        size = f"{_size(labels['shape'])} at {PixelSize(*labels['pixel_size_um'])}"
        yield "labels", f"{size}, the network's pixels, in which the table counts"
    if smallest := labels.get("min_axon_area_um2"):
        yield "labels", f"what is smaller than {smallest:g} µm² is not taken for an axon"
    if smallest := labels.get("min_unmyelinated_area_um2"):
        yield "labels", f"what is smaller than {smallest:g} µm² is not taken for an unmyelinated axon"
    yield "cells", f"{record['config']['cell_um']:g} µm a side"
    yield from _found_by(record["model"])
    yield from _adapted(record)
    yield from _seams(record["seams"])
    yield from _mended(record["stages"].get("segment", {}).get("mended"))
    yield from _faster(record["stages"].get("segment.fast"))
    yield from _stages(record["stages"])
    if record["complete"]:
        from axonflow.results.analysis import open_store

        yield from open_store(path).summary.items()


def _why_not(store: Path) -> str:
    from axonflow.workflow.status import read_status

    if read_status(store).state == "running":
        return f"no: a run is at work on it; axonflow status {store} shows how far it is"
    return f"no: axonflow run {store} goes on"


def _of_slide(path: Path, series: int | None, channel: int | None) -> Iterator[Row]:
    from axonflow.slide import find_bar, open_slide

    slide = open_slide(path, series=series, channel=channel)
    bar = find_bar(slide)
    yield "format", slide.format
    if slide.series != _size(slide.shape):
        yield "image", slide.series
    if len(slide.series_found) > 1:
        for found in slide.series_found:
            yield "images", found
    yield "size", f"{_size(slide.shape)} (height × width)"
    yield "pixels", f"{slide.dtype} {slide.channels}"
    source = slide.pixel_size_source
    yield "pixel size", f"{slide.pixel_size} ({source})" if slide.pixel_size else source
    yield "info bar", f"{bar}; left out unless --keep-bar" if bar else "none"
    yield "stored in", f"{slide.grain[0]} × {slide.grain[1]} px blocks"
    yield "identity", slide.identity[:16]


def _found_by(model: dict[str, Any]) -> Iterator[Row]:
    """Say what decided which pixel is axon and which is myelin."""
    if "masks" in model:
        for mask in model["masks"]:
            yield "own masks", mask["path"]
        return
    where = "comes with axonflow" if model.get("embedded") else model.get("path", "")
    yield "model", f"{model['name']} ({where})" if where else str(model["name"])
    if model.get("architecture") == "nnunet":
        yield "model", f"of nnU-Net, in {model['precision']}"
    elif "pixel_size_um" in model:  # not there in the first versions
        yield "model", f"works at {model['pixel_size_um']:g} µm per pixel, in {model['precision']}"
    if model.get("architecture") != "nnunet" and "halo_px" in model and "lattice_px" in model:
        yield "model", f"windows of {model['lattice_px']} px and {model['halo_px']} px more on each side"
    if model.get("trained_on"):
        yield "model", f"trained on {model['trained_on']}"


def _adapted(record: dict[str, Any]) -> Iterator[Row]:
    """Say whether the network was adapted to the slide."""
    from axonflow.kernel.words import count

    if adapted := record["model"].get("adapted"):
        done = record["stages"].get("segment.adapt")
        where = f" {count(len(done['windows']), 'window')} of" if done else ""
        yield "model", f"adapted to the slide: statistics of{where} its own weigh {adapted['weight']:g}"


def _seams(seams: dict[str, Any] | None) -> Iterator[Row]:
    """Say what the measurement of the seams has found."""
    from axonflow.kernel.words import count, share

    if not seams:
        return
    yield "seams", f"{count(seams['seams_sampled'], 'pair')} of neighbouring windows compared"
    for field, said in (
        ("exact_halo_disagrees", "of the labels would be others with --halo exact"),
        ("neighbours_disagree", "of the labels right at a seam differ between its windows"),
    ):
        if seams[field] is not None:
            yield "seams", f"{share(seams[field])} {said}"


def _mended(mended: dict[str, Any] | None) -> Iterator[Row]:
    """Say what was computed again where seams showed."""
    from axonflow.kernel.words import count, share

    if mended:
        edges = mended["straight_edges"]
        yield "mended", f"{mended['again']:,} of {mended['seams']:,} seams, {share(mended['changed'])} of the labels"
        yield "mended", f"{count(edges['before'], 'straight edge')} on seams before, {edges['now']:,} now"


def _faster(compared: dict[str, Any] | None) -> Iterator[Row]:
    """Say how far labels that were made faster are from nnU-Net's own."""
    from axonflow.kernel.words import share

    if compared:
        yield (
            "faster",
            f"{share(compared['disagrees'])} of {compared['compared_px']:,} px differ from nnU-Net's own labels",
        )


def _stages(stages: dict[str, Any]) -> Iterator[Row]:
    """Say how long each stage took."""
    from axonflow.kernel.rate import duration
    from axonflow.stages.titles import stage_title

    for name, made in stages.items():
        yield "stages", f"{stage_title(name)}, {duration(made['seconds'])}"


def _size(shape: tuple[int, int]) -> str:
    return f"{shape[0]} × {shape[1]} px"
