"""Options that several commands share, as groups which a command takes by name."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from axonflow.errors import InputError

if TYPE_CHECKING:
    from axonflow.engine.profile import Profile
    from axonflow.kernel.units import PixelSize

__all__ = [
    "CLUSTER",
    "ENGINE",
    "SETTINGS",
    "SlideOrStore",
    "as_flags",
    "option",
    "pixel_size_of",
    "profile_of",
    "settings_of",
    "takes",
]


def option(type_: object, flag: str, text: str, **more: Any) -> object:
    """Annotate a parameter of a command as an option with a flag and a help text."""
    return Annotated[type_, typer.Option(flag, help=text, show_default=False, **more), flag]


SETTINGS: dict[str, object] = {
    "out": option(Path | None, "--out", "The store to write. \\[default: SLIDE.ome.zarr beside the slide]"),
    "pipeline": option(str | None, "--pipeline", "Further settings: a named pipeline, or a TOML file."),
    "series": option(int | None, "--series", "Which image of a file that holds several."),
    "pixel_size": option(str | None, "--pixel-size", "Side of a pixel in µm, or height,width; overrides the file."),
    "model": option(str | None, "--model", "An embedded model, or the path of one. \\[default: sem]"),
    "halo": option(str | None, "--halo", "Pixels each window sees around its core, or 'exact'. \\[default: 25]"),
    "chunk": option(
        int | None, "--chunk", "Side of what one task writes, px; changes no result. \\[default: 4096, less if small]"
    ),
    "cell_um": option(float | None, "--cell", "Side of a map's cell, µm. \\[default: 50]"),
    "mask": option(Path | None, "--mask", "What counts: an image of any resolution, or GeoJSON polygons."),
    "mask_unit": option(str | None, "--mask-unit", "Unit of the polygons: px of the slide, or um. \\[default: px]"),
    "regions": option(Path | None, "--regions", "Regions to describe: GeoJSON polygons, or an image of their numbers."),
    "regions_unit": option(str | None, "--regions-unit", "Unit of their polygons: px, or um. \\[default: px]"),
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
CLUSTER: dict[str, object] = {
    "cluster": option(
        str | None,
        "--cluster",
        "Who works: a profile's name or file, or a scheduler's address or folder. \\[default: local]",
    ),
    "workers": option(int | None, "--workers", "How many workers. \\[default: the profile's, or one per core]", min=1),
    "adapt": option(str | None, "--adapt", "MIN:MAX workers, as many as there is work for."),
    "partition": option(str | None, "--partition", "Partition, or queue, of the jobs."),
    "account": option(str | None, "--account", "Account, or project, of the jobs."),
    "walltime": option(str | None, "--walltime", "HH:MM:SS of a worker's job."),
    "cores": option(int | None, "--cores", "Cores of a worker.", min=1),
    "memory": option(float | None, "--memory", "GiB a worker may take. \\[default: the profile's, or an even share]"),
    "gpus": option(int | None, "--gpus", "GPUs of a worker: 0 or 1."),
    "beside": option(int | None, "--beside", "Workers without a GPU beside those with one.", min=0),
    "prologue": option(list[str] | None, "--prologue", "A line of shell before a worker starts; may be given again."),
    "directives": option(list[str] | None, "--directive", "An option of the queueing system; may be given again."),
    "interface": option(str | None, "--interface", "Network interface of workers and scheduler."),
    "scratch": option(str | None, "--scratch", "Folder for a worker's own files, such as '$TMPDIR'."),
    "dashboard": option(str | None, "--dashboard", "HOST:PORT of dask's dashboard. \\[default: 127.0.0.1:0]"),
}
ENGINE: dict[str, object] = {
    **CLUSTER,
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


def as_flags(given: Mapping[str, Any], *groups: dict[str, object]) -> list[str]:
    """Return what to type for what was given, so that another process may be told the same."""
    words = []
    for name, kind in {name: kind for group in groups for name, kind in group.items()}.items():
        flag = get_args(kind)[-1]
        value = given.get(name)
        if isinstance(value, bool):
            words += [flag] if value else []
        elif value is not None:
            words += [f"{flag}={part}" for part in (value if isinstance(value, list) else [value])]
    return words


def pixel_size_of(text: str) -> PixelSize:
    """Read a pixel size as --pixel-size gives it: 0.1, or height,width, in µm."""
    from axonflow.kernel.units import PixelSize

    try:
        sides = [float(side) for side in text.split(",")]
    except ValueError:
        sides = []
    if len(sides) not in {1, 2}:
        raise InputError(f"--pixel-size was expected as 0.1 or as height,width in µm, {text!r} came.")
    return PixelSize(sides[0], sides[-1])


def profile_of(given: Mapping[str, Any]) -> Profile:
    """Return the profile that the flags of CLUSTER name, or that of this machine, with what they change of it."""
    from axonflow.engine.fleet.processes import here
    from axonflow.engine.profile import Profile

    changes = {name: given.get(name) for name in CLUSTER if name != "cluster"}
    return Profile.find(given.get("cluster") or here()).but(**changes)


def settings_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """Read flags as fields of a Config, and put them upon what the pipeline says that one of them names."""
    settings = {name: given[name] for name in SETTINGS if given.get(name) is not None}
    if "pixel_size" in settings:
        settings["pixel_size"] = pixel_size_of(settings["pixel_size"])
    if "halo" in settings and settings["halo"] != "exact":
        if not settings["halo"].isdigit():
            raise InputError(f"--halo was expected to be a number of pixels or 'exact', {settings['halo']!r} came.")
        settings["halo"] = int(settings["halo"])
    for name in ("mask_unit", "regions_unit"):
        if settings.get(name, "px") not in {"px", "um"}:
            flag = name.replace("_", "-")
            raise InputError(f"--{flag} was expected to be px or um, {settings[name]!r} came.")
    if "pipeline" not in settings:
        return settings
    from axonflow.workflow.settings import read_pipeline

    return read_pipeline(settings.pop("pipeline")) | settings
