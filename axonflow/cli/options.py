"""Options that several commands share, as groups which a command takes by name."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, get_args

import typer
from rich.markup import escape

from axonflow.engine.profile import TOPIC, Profile
from axonflow.kernel.setting import Setting, settings
from axonflow.workflow.config import Config

__all__ = [
    "CLUSTER",
    "DRIVER",
    "ENGINE",
    "SETTINGS",
    "SlideOrStore",
    "as_flags",
    "option",
    "profile_of",
    "settings_of",
    "takes",
]


def option(type_: object, flag: str, text: str, **more: Any) -> object:
    """Annotate a parameter of a command as an option with a flag and a help text."""
    return Annotated[type_, typer.Option(flag, help=text, show_default=False, **more), flag]


def _option_of(known: Setting, topic: str) -> object:
    """Make the option of a setting."""
    more: dict[str, Any] = {"rich_help_panel": known.topic or topic or None}
    fallback = f" \\[default: {escape(known.fallback)}]" if known.fallback else ""
    if known.kind.typed in (int, float):  # read by the setting, so that a wrong word gets the same answer everywhere
        return option(str | None, known.flag, f"{known.help}{fallback}", metavar="<number>", **more)
    return option(known.kind.typed | None, known.flag, f"{known.help}{fallback}", **more)


def _options_of(cls: type, topic: str = "") -> dict[str, object]:
    """Make the options of all settings of a class that have a flag."""
    return {key: _option_of(known, topic) for key, known in settings(cls).items() if known.flag}


SETTINGS: dict[str, object] = {
    "out": option(Path | None, "--out", "The store to write. \\[default: SLIDE.ome.zarr beside the slide]"),
    "pipeline": option(str | None, "--pipeline", "Further settings: a named pipeline, or a TOML file."),
    **_options_of(Config),
}
_PROFILE = _options_of(Profile, TOPIC)
DRIVER = {key: kind for key, kind in _PROFILE.items() if key.startswith("driver_")}
"""What the job of a driver asks for."""

CLUSTER: dict[str, object] = {
    "cluster": option(
        str | None,
        "--cluster",
        "Who works: a profile's name or file, or a scheduler's address or folder. \\[default: local]",
        rich_help_panel=TOPIC,
    ),
    **{key: kind for key, kind in _PROFILE.items() if key not in DRIVER},
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


def profile_of(given: Mapping[str, Any]) -> Profile:
    """Return the profile that the flags of CLUSTER name, or that of this machine, with what they change of it."""
    from axonflow.engine.fleet.processes import local_profile

    changes = {name: given.get(name) for name in CLUSTER if name != "cluster"}
    for name, known in settings(Profile).items():
        if changes.get(name) is not None:
            known.read(changes[name], known.flag)  # what is refused is called as it was typed
    return Profile.find(given.get("cluster") or local_profile()).but(**changes)


def settings_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """Read flags as fields of a Config, and put them upon what the pipeline says that one of them names."""
    known = settings(Config)
    read = {name: known[name].read(given[name], known[name].flag) for name in known if given.get(name) is not None}
    if given.get("out") is not None:
        read["out"] = given["out"]
    if given.get("pipeline") is None:
        return read
    from axonflow.workflow.settings import read_pipeline, without_network

    return without_network(read_pipeline(given["pipeline"]), read) | read
