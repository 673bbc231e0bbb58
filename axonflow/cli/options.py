"""Options that several commands share, as groups which a command takes by name."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from axonflow.errors import InputError

if TYPE_CHECKING:
    from axonflow.units import PixelSize

__all__ = ["ENGINE", "SETTINGS", "SlideOrStore", "option", "pixel_size_of", "takes"]


def option(type_: object, flag: str, text: str, **more: Any) -> object:
    """Annotate a parameter of a command as an option with a flag and a help text."""
    return Annotated[type_, typer.Option(flag, help=text, show_default=False, **more)]


SETTINGS: dict[str, object] = {
    "out": option(Path | None, "--out", "The store to write. \\[default: SLIDE.ome.zarr beside the slide]"),
    "series": option(int | None, "--series", "Which image of a file that holds several."),
    "pixel_size": option(str | None, "--pixel-size", "Side of a pixel in µm, or height,width; overrides the file."),
    "model": option(str | None, "--model", "An embedded model, or the path of one. \\[default: sem]"),
    "halo": option(str | None, "--halo", "Pixels each window sees around its core, or 'exact'. \\[default: 25]"),
    "chunk": option(int | None, "--chunk", "Side of what one task writes, px; changes no result. \\[default: 4096]"),
    "cell_um": option(float | None, "--cell", "Side of a map's cell, µm. \\[default: 50]"),
    "mask": option(Path | None, "--mask", "What counts: an image of any resolution, or GeoJSON polygons."),
    "mask_unit": option(str | None, "--mask-unit", "Unit of the polygons: px of the slide, or um. \\[default: px]"),
    "axon_mask": option(Path | None, "--axon-mask", "Own axon mask in place of the network (non-zero is axon)."),
    "myelin_mask": option(Path | None, "--myelin-mask", "Own myelin mask, with --axon-mask."),
    "labels": option(Path | None, "--labels", "Own masks as one image: 0 background, 127 myelin, 255 axon."),
    "keep_probabilities": option(bool | None, "--keep-probabilities", "Store the class probabilities."),
    "min_axon_area_um2": option(
        float | None, "--min-axon-area", "Leave out smaller axons, µm². \\[default: the model's]"
    ),
    "max_myelin_um": option(
        float | None, "--max-myelin", "Longest way from an axon through its myelin, µm. \\[default: 5]"
    ),
}
ENGINE: dict[str, object] = {
    "workers": option(int | None, "--workers", "Worker processes. \\[default: one per core]", min=1),
    "memory": option(float | None, "--memory", "GiB a worker may take. \\[default: an even share]"),
    "fresh": option(bool, "--fresh", "Start over: remove what the store holds."),
}
SlideOrStore = Annotated[Path, typer.Argument(help="A slide, or the store of an earlier run.", show_default=False)]


def takes(*groups: dict[str, object]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the options of these groups; they arrive as keyword arguments."""

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        own = [p for p in inspect.signature(command, eval_str=True).parameters.values() if p.kind is not p.VAR_KEYWORD]
        options = {name: kind for group in groups for name, kind in group.items()}
        extra = [
            inspect.Parameter(
                name, inspect.Parameter.KEYWORD_ONLY, default=False if name == "fresh" else None, annotation=kind
            )
            for name, kind in options.items()
        ]
        command.__signature__ = inspect.Signature([*own, *extra])  # type: ignore[attr-defined]
        command.__annotations__ = {p.name: p.annotation for p in (*own, *extra)}
        return command

    return decorate


def pixel_size_of(text: str) -> PixelSize:
    """Read a pixel size as --pixel-size gives it: 0.1, or height,width, in µm."""
    from axonflow.units import PixelSize

    try:
        sides = [float(side) for side in text.split(",")]
    except ValueError:
        sides = []
    if len(sides) not in {1, 2}:
        raise InputError(f"--pixel-size was expected as 0.1 or as height,width in µm, {text!r} came.")
    return PixelSize(sides[0], sides[-1])
