"""Where a run's workers come from and how large they are: one frozen value, read from a TOML file and from flags.

A profile is this machine, a queueing system whose jobs are the workers, or a scheduler that already runs. The named
ones lie in ``cluster/``; a site's own, ``~/.config/axonflow/cluster/NAME.toml``, goes before one of the same name and
may build upon another: ``extends = "slurm"``. The keys of a file and the flags of the command are the same words in
the same units: GiB, HH:MM:SS, MIN:MAX.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, Self, get_args

from axonflow.errors import InputError

__all__ = ["PROFILES", "Profile", "System", "profile_names", "site_profiles"]

_PLACES = Path(__file__).parents[1] / "cluster", Path(__file__).parents[2] / "cluster"
PROFILES = next((place for place in _PLACES if place.is_dir()), _PLACES[0])
"""The folder of the named profiles: in the package once it is installed, beside it in a checkout."""

System = Literal["local", "slurm", "pbs", "lsf", "sge", "scheduler"]
"""What starts the workers."""

THREADS = 4
"""Workers of this machine that may be threads of one process. A process of its own costs each two seconds and 250 MB
at the start; but threads take turns with whatever is not compiled, and many of them would wait for each other."""

_GIB = 2**30
_LARGEST_GIB = 2**20


def site_profiles() -> Path:
    """Return the folder of a site's or user's own profiles, whether or not it exists."""
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "axonflow" / "cluster"


def profile_names() -> list[str]:
    """Return the names that :meth:`Profile.find` knows, the shipped ones and a site's own."""
    return sorted({path.stem for folder in (site_profiles(), PROFILES) for path in folder.glob("*.toml")})


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """Where a run's workers come from and how large they are.

    Attributes
    ----------
    name : str
    system : System
        "scheduler" is one that runs already.
    address : str, optional
        Of a scheduler: tcp://…, tls://…, or the folder in which ``axonflow cluster scheduler`` was started.
    workers : int, optional
        How many are wanted; what fits if None.
    adapt : (int, int), optional
        Least and most workers, as the work asks for them; in place of ``workers``.
    beside : int
        Workers without a GPU next to those that have one.
    cores : int, optional
        Of a worker.
    memory : int, optional
        Of a worker, bytes.
    gpus : int
        Of a worker: 0 or 1.
    walltime_s : int, optional
        After which the queueing system ends a worker's job, s.
    partition, account : str, optional
        Where jobs are queued, and on whose account.
    prologue : tuple of str
        Lines of shell before a job's command: modules, environments.
    directives : tuple of str
        Further options of the queueing system, as they stand after ``#SBATCH``.
    interface : str, optional
        Network interface of workers and scheduler.
    scratch : str, optional
        Folder of a worker's own files; the shell of a job expands ``$TMPDIR`` in it.
    dashboard : str
        HOST:PORT it listens on.
    driver_cores, driver_memory, driver_walltime_s : int
        Of the job that the driver becomes with ``axonflow submit``; cores, bytes, s.
    """

    name: str
    system: System
    address: str | None = None
    workers: int | None = None
    adapt: tuple[int, int] | None = None
    beside: int = 0
    cores: int | None = None
    memory: int | None = None
    gpus: int = 0
    walltime_s: int | None = None
    partition: str | None = None
    account: str | None = None
    prologue: tuple[str, ...] = ()
    directives: tuple[str, ...] = ()
    interface: str | None = None
    scratch: str | None = None
    dashboard: str = "127.0.0.1:0"
    driver_cores: int = 1
    driver_memory: int = 4 * _GIB
    driver_walltime_s: int = 24 * 3600

    def __post_init__(self) -> None:
        wrong = self._wrong()
        if wrong:
            raise InputError(f"{wrong}; change the profile {self.name!r} or the flag.")

    @property
    def queued(self) -> bool:
        """Whether workers are jobs of a queueing system."""
        return self.system not in {"local", "scheduler"}

    @property
    def in_process(self) -> bool:
        """Whether workers are threads of the driver's process."""
        return self.system == "local" and not self.gpus and (self.workers or 1) <= THREADS

    @classmethod
    def find(cls, name: str) -> Self:
        """Return the profile of a name, of a TOML file's path, or of a scheduler's address or folder.

        Raises
        ------
        InputError
            If there is none, or its file cannot be used.
        """
        if re.match(r"(tcp|tls)://.", name):
            return cls(name=name, system="scheduler", address=name)
        if path := _named(name):
            return cls._read(path, ())
        if name and Path(name).is_dir():
            return cls(name=name, system="scheduler", address=str(Path(name).absolute()))
        raise InputError(
            f"A profile among {', '.join(profile_names())}, the path of a .toml file, a scheduler's address "
            f"(tcp://host:port) or folder was expected, {name!r} came; profiles of your own lie in {site_profiles()}."
        )

    @classmethod
    def _read(cls, path: Path, extending: tuple[Path, ...]) -> Self:
        try:
            table = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise InputError(f"A profile was expected in {path}, but it cannot be read: {error}.") from error
        base = table.pop("extends", None)
        if (base is None) is ("system" not in table):
            raise InputError(f'Either system = "…" or extends = "…" was expected in {path}; give one of them.')
        try:
            _check_keys(table, ("extends", *_KEYS))
            if base is None:
                return cls(name=path.stem, **_fields(table))
            # a site's slurm.toml that extends "slurm" means the shipped one
            above = _named(base, without=(*extending, path)) if isinstance(base, str) else None
            if above is None:
                raise InputError(f"extends was expected to name another profile, {base!r} came.")
            return replace(cls._read(above, (*extending, path)), name=path.stem).but(**table)
        except InputError as error:
            raise InputError(f"{error} It was read in {path}.") from error

    def but(self, **given: Any) -> Self:
        """Return this profile with other settings, in the words and units of its file; None leaves one as it is.

        Lines of ``prologue`` and ``directives`` are added to those that there are.

        Raises
        ------
        InputError
            If a key is unknown or a value cannot be used.

        Examples
        --------
        >>> profile = Profile.find("slurm").but(partition="short", memory=8, walltime="01:30:00", adapt="0:16")
        >>> profile.memory, profile.walltime_s, profile.adapt
        (8589934592, 5400, (0, 16))
        """
        _check_keys(given, tuple(_KEYS))
        values = _fields(given)
        for field in ("prologue", "directives"):
            values[field] = (*getattr(self, field), *values.get(field, ()))
        if "workers" in values:
            values.setdefault("adapt", None)
        return replace(self, **values)

    def _wrong(self) -> str | None:
        """Return what is wrong with the values, if anything is."""
        for key, known in _KEYS.items():
            value = getattr(self, known.field)
            if known.least is not None and value is not None and value < known.read(known.least):
                return f"{key} was expected to be {known.least} or more, less came"
        if self.gpus not in {0, 1}:
            return f"gpus was expected to be 0 or 1, as each worker has one GPU at most, {self.gpus} came"
        if self.adapt and not 0 <= self.adapt[0] <= self.adapt[1] >= 1:
            return f"adapt was expected as MIN:MAX with 0 <= MIN <= MAX and MAX >= 1, {self.adapt} came"
        if (self.system == "scheduler") is not (self.address is not None):
            return "an address was expected for a scheduler that runs already, and for nothing else"
        if any("\n" in line for line in (*self.directives, self.partition or "", self.account or "")):
            return "a directive, partition or account was expected on one line, several lines came"
        if self.queued and None in {self.cores, self.memory, self.walltime_s}:
            return f"cores, memory and walltime were expected for jobs of {self.system}, one of them is missing"
        return None


def _named(name: str, without: tuple[Path, ...] = ()) -> Path | None:
    """Return the file of a name, or the path of a file itself, leaving some out."""
    places = [folder / f"{name}.toml" for folder in (site_profiles(), PROFILES)] if "/" not in name else []
    places += [Path(name).absolute()] if name.endswith(".toml") else []
    return next((place for place in places if place.is_file() and place not in without), None)


def _check_keys(table: Mapping[str, Any], known: tuple[str, ...]) -> None:
    if unknown := [key for key in table if key not in known]:
        raise InputError(f"Settings among {', '.join(known)} were expected, {', '.join(unknown)} came.")


def _fields(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a profile from words of its file."""
    values: dict[str, Any] = {}
    for key, value in given.items():
        if value is None:
            continue
        known = _KEYS[key]
        try:
            values[known.field] = known.read(value)
        except (TypeError, ValueError, OverflowError) as error:
            raise InputError(f"{key} was expected as {known.form}, {value!r} came.") from error
    return values


def _system(value: Any) -> System:
    if value == "scheduler" or value not in get_args(System):
        raise ValueError(value)
    system: System = value
    return system


def _whole(value: Any) -> int:
    if isinstance(value, bool) or int(value) != value:
        raise ValueError(value)
    return int(value)


def _text(value: Any) -> str:
    if not isinstance(value, str | Path) or not str(value).strip():
        raise TypeError(value)
    return str(value)


def _lines(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not all(isinstance(line, str) for line in value):
        raise TypeError(value)
    return tuple(value)


def _gib(value: Any) -> int:
    if isinstance(value, bool) or not 0 <= value <= _LARGEST_GIB:
        raise ValueError(value)
    return round(float(value) * _GIB)


def _clock(value: Any) -> int:
    parts = re.fullmatch(r"(\d+):([0-5]\d):([0-5]\d)", value)
    if parts is None:
        raise ValueError(value)
    hours, minutes, seconds = map(int, parts.groups())
    return hours * 3600 + minutes * 60 + seconds


def _between(value: Any) -> tuple[int, int]:
    parts = re.fullmatch(r"(\d+):(\d+)", value)
    if parts is None:
        raise ValueError(value)
    return int(parts[1]), int(parts[2])


@dataclass(frozen=True, slots=True)
class _Key:
    """A word of a profile's file: the field it sets, how it is written and read, and its least value as written."""

    field: str
    read: Callable[[Any], Any]
    form: str
    least: int | float | str | None = None


_COUNT, _TEXT, _LINES = "a whole number", "text", "a list of lines"
_MEMORY, _TIME = "GiB", "HH:MM:SS in quotes"
_KEYS: dict[str, _Key] = {
    "system": _Key("system", _system, "local, slurm, pbs, lsf or sge"),
    "workers": _Key("workers", _whole, _COUNT, 1),
    "adapt": _Key("adapt", _between, "MIN:MAX in quotes"),
    "beside": _Key("beside", _whole, _COUNT, 0),
    "cores": _Key("cores", _whole, _COUNT, 1),
    "memory": _Key("memory", _gib, _MEMORY, 0.25),
    "gpus": _Key("gpus", _whole, _COUNT, 0),
    "walltime": _Key("walltime_s", _clock, _TIME, "00:01:00"),
    "partition": _Key("partition", _text, _TEXT),
    "account": _Key("account", _text, _TEXT),
    "prologue": _Key("prologue", _lines, _LINES),
    "directives": _Key("directives", _lines, _LINES),
    "interface": _Key("interface", _text, _TEXT),
    "scratch": _Key("scratch", _text, _TEXT),
    "dashboard": _Key("dashboard", _text, "HOST:PORT"),
    "driver_cores": _Key("driver_cores", _whole, _COUNT, 1),
    "driver_memory": _Key("driver_memory", _gib, _MEMORY, 0.25),
    "driver_walltime": _Key("driver_walltime_s", _clock, _TIME, "00:01:00"),
}
"""What a profile's file may hold, beside ``extends``."""
