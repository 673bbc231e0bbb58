"""Where a run's workers come from and how large they are: one frozen value, read from a TOML file and from flags.

A profile is this machine, a queueing system whose jobs are the workers, or a scheduler that already runs. The named
ones lie in ``cluster/``; a site's own, ``~/.config/axonflow/cluster/NAME.toml``, goes before one of the same name and
may build upon another: ``extends = "slurm"``. The keys of a file and the flags of the command are the same words in
the same units: GiB, HH:MM:SS, MIN:MAX.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from axonflow.engine.queues import QUEUES
from axonflow.errors import InputError
from axonflow.kernel.caches import user_folder
from axonflow.kernel.documents import parse_toml, read_file, said, shown
from axonflow.kernel.kinds import NUMBER, TEXT, WHOLE, Kind, is_one_line
from axonflow.kernel.setting import check, read_words, refuse_unknown, setting, settings

__all__ = ["PROFILES", "TOPIC", "Profile", "profile_names", "site_profiles"]

_PLACES = Path(__file__).parents[1] / "cluster", Path(__file__).parents[2] / "cluster"
PROFILES = next((place for place in _PLACES if place.is_dir()), _PLACES[0])
"""The folder of the named profiles: in the package once it is installed, beside it in a checkout."""

THREADS = 4
"""Workers of this machine that may be threads of one process. A process of its own costs each two seconds and 250 MB
at the start; but threads take turns with whatever is not compiled, and many of them would wait for each other."""

GIB = 2**30
_LARGEST_GIB = 2**20


def _system(word: Any) -> str:
    if word not in ("local", *QUEUES):
        raise ValueError(word)
    return str(word)


def _lines(word: Any) -> tuple[str, ...]:
    if not isinstance(word, list | tuple) or not all(isinstance(line, str) for line in word):
        raise TypeError(word)
    return tuple(word)


def _bytes(word: Any) -> int:
    gib: float = NUMBER.read(word)
    return round(gib * GIB)


def _seconds(word: Any) -> int:
    hours, minutes, seconds = map(int, re.fullmatch(r"(\d+):([0-5]\d):([0-5]\d)", word).groups())  # type: ignore[union-attr]
    return hours * 3600 + minutes * 60 + seconds


def _clock(seconds: int) -> str:
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def _range(word: Any) -> tuple[int, int]:
    least, most = re.fullmatch(r"(\d+):(\d+)", word).groups()  # type: ignore[union-attr]
    return int(least), int(most)


TOPIC = "Who computes"
"""Under what the help lists what a profile says."""

_SYSTEM = Kind(
    " or ".join(", ".join(("local", *QUEUES)).rsplit(", ", 1)),
    _system,
    lambda value: value in ("local", "scheduler", *QUEUES),
)
_LINES = Kind("a list of lines", _lines, lambda value: isinstance(value, tuple), list[str])
_GIB = Kind("a number of GiB", _bytes, WHOLE.holds, float, lambda value: f"{value / GIB:g}")
_CLOCK = Kind("HH:MM:SS", _seconds, WHOLE.holds, str, _clock)
_RANGE = Kind("MIN:MAX", _range, lambda value: isinstance(value, tuple))


def site_profiles() -> Path:
    """Return the folder of a site's or user's own profiles, whether or not it exists."""
    return (user_folder("XDG_CONFIG_HOME", ".config") or Path("~/.config")) / "axonflow" / "cluster"


def profile_names() -> list[str]:
    """Return the names that :meth:`Profile.find` knows, the shipped ones and a site's own."""
    return sorted({path.stem for folder in (site_profiles(), PROFILES) for path in folder.glob("*.toml")})


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """Where a run's workers come from and how large they are.

    What is kept of a setting is in plain units: bytes, seconds; files and flags write GiB and HH:MM:SS.

    Attributes
    ----------
    name : str
    system : str
        What starts the workers: "local", a queueing system of :data:`axonflow.engine.queues.QUEUES`, or "scheduler",
        one that runs already.
    address : str, optional
        Of a scheduler: tcp://…, tls://…, or the folder in which ``axonflow cluster scheduler`` was started.
    """

    name: str
    system: str = setting(_SYSTEM, "What starts the workers.", required=True)
    address: str | None = None
    workers: int | None = setting(
        WHOLE, "How many workers.", flag="--workers", usual="the profile's, or one per core", least=1
    )
    adapt: tuple[int, int] | None = setting(
        _RANGE, "MIN:MAX workers, as many as there is work for; in place of --workers.", flag="--adapt"
    )
    cpu_workers: int | None = setting(
        WHOLE,
        "Additional workers without a GPU.",
        usual="the profile's; on a machine with GPUs and 8 cores or more, 3 for every 4 cores",
        key="beside",
        flag="--beside",
        least=0,
    )
    cpus: int | None = setting(WHOLE, "Cores of a worker.", key="cores", flag="--cores", least=1)
    memory: int | None = setting(
        _GIB,
        "GiB a worker may take.",
        flag="--memory",
        usual="the profile's, or an even share",
        unit="GiB",
        least=0.25,
        most=_LARGEST_GIB,
    )
    gpus: int = setting(WHOLE, "GPUs of a worker: 0 or 1.", default=0, flag="--gpus", least=0, most=1)
    walltime_s: int | None = setting(
        _CLOCK, "HH:MM:SS of a worker's job.", key="walltime", flag="--walltime", least="00:01:00"
    )
    partition: str | None = setting(TEXT, "Partition, or queue, of the jobs.", flag="--partition")
    account: str | None = setting(TEXT, "Account, or project, of the jobs.", flag="--account")
    prologue: tuple[str, ...] = setting(
        _LINES, "A line of shell before a worker starts; may be given again.", default=(), flag="--prologue"
    )
    directives: tuple[str, ...] = setting(
        _LINES, "An option of the queueing system; may be given again.", default=(), flag="--directive"
    )
    interface: str | None = setting(TEXT, "Network interface of workers and scheduler.", flag="--interface")
    scratch: str | None = setting(TEXT, "Folder for a worker's own files, such as '$TMPDIR'.", flag="--scratch")
    dashboard: str = setting(TEXT, "HOST:PORT of dask's dashboard.", default="127.0.0.1:0", flag="--dashboard")
    driver_cpus: int = setting(
        WHOLE, "Cores of the driver's job.", default=1, key="driver_cores", flag="--driver-cores", least=1
    )
    driver_memory: int = setting(
        _GIB,
        "Its memory, GiB.",
        default=4 * GIB,
        flag="--driver-memory",
        usual="4",
        unit="GiB",
        least=0.25,
        most=_LARGEST_GIB,
    )
    driver_walltime_s: int = setting(
        _CLOCK,
        "HH:MM:SS of it.",
        default=24 * 3600,
        key="driver_walltime",
        flag="--driver-walltime",
        usual="24:00:00",
        least="00:01:00",
    )

    def __post_init__(self) -> None:
        try:
            check(self)
            self._check_together()
        except InputError as error:
            raise InputError(f"{str(error).rstrip('.')}; change the profile {self.name!r} or the flag.") from error

    @property
    def queued(self) -> bool:
        """Whether workers are jobs of a queueing system."""
        return self.system in QUEUES

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
        if not isinstance(name, str):
            raise InputError(f"A profile's name was expected, {name!r} came; give one of {', '.join(profile_names())}.")
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
            table = parse_toml(read_file(path).decode())
        except (OSError, ValueError) as error:
            raise InputError(f"A profile was expected in {path}, but it cannot be read: {said(error)}.") from error
        base = table.pop("extends", None)
        if (base is None) is ("system" not in table):
            raise InputError(f'Either system = "…" or extends = "…" was expected in {path}; give one of them.')
        try:
            refuse_unknown(table, ("extends", *settings(cls)))
            if base is None:
                return cls(name=path.stem, **read_words(cls, table))
            # a site's slurm.toml that extends "slurm" means the shipped one
            above = _named(base, without=(*extending, path)) if isinstance(base, str) else None
            if above is None:
                raise InputError(f"extends was expected to name another profile, {shown(base)} came.")
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
        values = read_words(type(self), {key: value for key, value in given.items() if value is not None})
        for field in ("prologue", "directives"):
            values[field] = (*getattr(self, field), *values.get(field, ()))
        if "workers" in values:
            values.setdefault("adapt", None)
        return replace(self, **values)

    def _check_together(self) -> None:
        """Refuse values that do not go together, or that a job's script cannot hold."""
        if self.adapt and not 0 <= self.adapt[0] <= self.adapt[1] >= 1:
            raise InputError(f"adapt was expected as MIN:MAX with 0 <= MIN <= MAX and MAX >= 1, {self.adapt} came")
        if (self.system == "scheduler") is not (self.address is not None):
            raise InputError("An address was expected for a scheduler that runs already, and for nothing else")
        words = [self.partition, self.account, self.interface, self.scratch, self.address, self.dashboard]
        for word in (*self.directives, *filter(None, words)):
            if not is_one_line(word):  # in a job's script the next line would be a command
                raise InputError(
                    f"A word of a profile was expected on one line, without control characters, {word!a} came"
                )
        if self.queued and None in {self.cpus, self.memory, self.walltime_s}:
            raise InputError(f"cores, memory and walltime were expected for jobs of {self.system}, not all came")


def _named(name: str, without: tuple[Path, ...] = ()) -> Path | None:
    """Return the file of a name, or the path of a file itself, leaving some out."""
    places = [folder / f"{name}.toml" for folder in (site_profiles(), PROFILES)] if "/" not in name else []
    places += [Path(name).absolute()] if name.endswith(".toml") else []
    return next((place for place in places if place.is_file() and place not in without), None)
