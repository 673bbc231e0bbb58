"""Which rules a run goes by: a file of rules, or none at all, and single ones that go before it."""

from __future__ import annotations

from math import inf
from pathlib import Path
from typing import Any

from axonflow.errors import InputError
from axonflow.fiber.rules import Rules
from axonflow.kernel.documents import parse_toml, read_file, said
from axonflow.kernel.setting import read_words, refuse_unknown, settings
from axonflow.workflow.config import Config

__all__ = ["NONE", "RULE_SETTINGS", "rules_of", "smallest_of"]

NONE = "none"
"""What is given in place of a file so that every axon counts."""

SMALLEST = ("min_axon_area_um2", "min_unmyelinated_area_um2")
"""The settings of what is too small to be an axon, and gets no id."""

RULE_SETTINGS = (
    *SMALLEST,
    "border",
    "max_axon_area_um2",
    "min_diameter_um",
    "max_diameter_um",
    "min_solidity",
    "max_eccentricity",
    "need_myelin",
    "min_gratio",
    "max_gratio",
    "min_axon_probability",
)
"""What a file of rules may state; each is a setting of its own, too."""


def rules_of(config: Config) -> Rules:
    """Return the rules by which axons count.

    Raises
    ------
    InputError
        If the file of rules cannot be read, a least value is above the greatest, or a probability is asked for that own
        masks have not.
    """
    given = _given(config)
    if config.own_masks and given.get("min_axon_probability"):
        raise InputError(
            "A network was expected with min_axon_probability, own masks came, which say no probability; leave it out "
            "of the rules."
        )

    def bounds(least: str | None, most: str | None) -> tuple[float, float]:
        low, high = (None if name is None else given.get(name) for name in (least, most))
        pair = 0.0 if low is None else low, inf if high is None else high
        if pair[0] > pair[1]:
            raise InputError(
                f"{_flag(str(least))} was expected not to be above {_flag(str(most))}, {pair[0]:g} and {pair[1]:g} "
                "came; exchange them, or leave one out."
            )
        return pair

    return Rules(
        border=given.get("border", "frame"),
        area_um2=bounds(None, "max_axon_area_um2"),
        diameter_um=bounds("min_diameter_um", "max_diameter_um"),
        solidity=bounds("min_solidity", None),
        eccentricity=bounds(None, "max_eccentricity"),
        gratio=bounds("min_gratio", "max_gratio"),
        need_myelin=bool(given.get("need_myelin")),
        probability=bounds("min_axon_probability", None),
    )


def smallest_of(config: Config) -> tuple[float | None, float | None]:
    """Return the areas, µm², of the smallest axons with myelin and without that get an id; None is the model's."""
    given = _given(config)
    axon, without = (given.get(name) for name in SMALLEST)
    return axon, without


def _given(config: Config) -> dict[str, Any]:
    """Return what was given of the rules, by settings' names: the file's, and single ones in their place."""
    found: dict[str, Any] = {}
    if config.rules == NONE:
        found = {"border": "all", **dict.fromkeys(SMALLEST, 0.0)}
    elif config.rules is not None:
        found = _read(Path(config.rules))
    return found | {name: value for name in RULE_SETTINGS if (value := getattr(config, name)) is not None}


def _read(path: Path) -> dict[str, Any]:
    try:
        content = parse_toml(read_file(path).decode())
    except (OSError, ValueError) as error:
        raise InputError(
            f"--rules was expected to be 'none' or a TOML file of rules, {path} cannot be read: {said(error)}."
        ) from error
    try:
        refuse_unknown(content, RULE_SETTINGS)
        return read_words(Config, content)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def _flag(name: str) -> str:
    return settings(Config)[name].flag
