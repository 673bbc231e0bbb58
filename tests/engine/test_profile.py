"""A profile is what its file says, with what is changed of it; nothing else is taken."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from axonflow.engine.profile import PROFILES, Profile, profile_names
from axonflow.errors import InputError

SHIPPED = sorted(path.stem for path in PROFILES.glob("*.toml"))


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a site's own profiles."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    folder = tmp_path / "axonflow" / "cluster"
    folder.mkdir(parents=True)
    return folder


def test_those_that_are_shipped() -> None:
    assert SHIPPED == ["local", "local-gpu", "lsf", "pbs", "sge", "slurm", "slurm-gpu"]
    for name in SHIPPED:
        profile = Profile.find(name)
        assert profile.name == name
        assert profile.system == name.removesuffix("-gpu")
        assert profile.gpus == name.endswith("-gpu")
        assert profile.queued == (profile.system != "local")


def test_those_that_are_shipped_name_no_site() -> None:
    for name in SHIPPED:
        profile = Profile.find(name)
        assert (profile.partition, profile.account, profile.prologue, profile.directives) == (None, None, (), ())
        assert profile.dashboard.startswith("127.0.0.1:")


def test_one_of_a_site_extends_the_shipped_one_of_its_name(site: Path) -> None:
    (site / "slurm.toml").write_text('extends = "slurm"\npartition = "long"\nprologue = ["module load python"]\n')
    (site / "mine.toml").write_text('extends = "slurm"\nprologue = ["source env"]\nmemory = 0.5\n')
    shipped = Profile.find(str(PROFILES / "slurm.toml"))
    ours = replace(shipped, partition="long", prologue=("module load python",))
    assert Profile.find("slurm") == ours
    lines = ("module load python", "source env")
    assert Profile.find("mine") == replace(ours, name="mine", prologue=lines, memory=2**29)
    assert profile_names() == sorted([*SHIPPED, "mine"])


def test_by_path(tmp_path: Path) -> None:
    path = tmp_path / "any.toml"
    path.write_text('system = "pbs"\ncores = 2\nmemory = 3\nwalltime = "01:02:03"\nadapt = "0:9"\n')
    expected = Profile(name="any", system="pbs", cpus=2, memory=3 * 2**30, walltime_s=3723, adapt=(0, 9))
    assert Profile.find(str(path)) == expected


def test_a_scheduler_that_runs_already(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for address in ("tcp://host:8786", "tls://10.0.0.1:1"):
        assert Profile.find(address) == Profile(name=address, system="scheduler", address=address)
    assert Profile.find(str(tmp_path)).address == str(tmp_path)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fleet").mkdir()
    (tmp_path / "slurm").mkdir()
    assert Profile.find("fleet").address == str(tmp_path / "fleet")
    assert Profile.find("slurm").system == "slurm"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('system = "slrm"', "local, slurm, pbs, lsf or sge"),
        ("cores = 1", "Either system"),
        ('system = "local"\nextends = "slurm"', "give one of them"),
        ('extends = "bad"', "another profile"),
        ("extends = 3", "another profile"),
        ('system = "local"\nqueue = "long"', "queue came"),
        ('extends = "slurm"\nwalltime = 3', "HH:MM:SS"),
        ('extends = "slurm"\nprologue = "one"', "a list of lines"),
        ('system = "slurm"', "not all came"),
        ('system = "local', "cannot be read"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(site: Path, text: str, said: str) -> None:
    (site / "bad.toml").write_text(text)
    with pytest.raises(InputError) as refused:
        Profile.find("bad")
    assert said in str(refused.value)
    assert "bad" in str(refused.value)


def test_profiles_that_extend_one_another_are_refused(site: Path) -> None:
    (site / "a.toml").write_text('extends = "b"')
    (site / "b.toml").write_text('extends = "a"')
    with pytest.raises(InputError, match="another profile"):
        Profile.find("a")


@pytest.mark.parametrize("name", ["", "nix", "no/such.toml", "tcp://", "http://host:1", "../cluster/slurm"])
def test_a_name_that_is_none(name: str) -> None:
    with pytest.raises(InputError, match="slurm-gpu"):
        Profile.find(name)


@pytest.mark.parametrize(
    "change",
    [
        {"workers": 0}, {"workers": 1.5}, {"workers": True}, {"workers": "two"}, {"beside": -1}, {"cores": 0},
        {"gpus": 2}, {"gpus": -1}, {"memory": 0.1}, {"memory": 4 * 2**30}, {"memory": "much"}, {"memory": float("nan")},
        {"walltime": "1:00"}, {"walltime": "00:60:00"}, {"walltime": "00:00:59"}, {"walltime": 3600},
        {"adapt": "3"}, {"adapt": "3:2"}, {"adapt": "0:0"}, {"adapt": "-1:2"}, {"partition": ""},
        {"partition": "a\n#SBATCH -A other"}, {"directives": ["a\nrm"]}, {"directives": "a"}, {"prologue": [1]},
        {"walltime_s": 60}, {"address": "tcp://a:1"}, {"system": "scheduler"}, {"driver_cores": 0},
    ],
)  # fmt: skip
def test_a_value_that_cannot_be_used(change: dict[str, Any]) -> None:
    name = next(iter(change)).replace("_", "[-_]")
    with pytest.raises(InputError, match=f"{name}|one line"):
        Profile.find("slurm").but(**change)


def test_a_number_of_workers_takes_the_place_of_a_range() -> None:
    ranged = Profile.find("slurm").but(adapt="1:4")
    assert ranged.but(workers=3).adapt is None
    assert ranged.but(workers=3, adapt="2:5").adapt == (2, 5)
    assert ranged.but(cores=3).adapt == (1, 4)


CHANGES = st.fixed_dictionaries(
    {},
    optional={
        "workers": st.integers(1, 9999),
        "beside": st.integers(0, 99),
        "cores": st.integers(1, 256),
        "memory": st.integers(1, 4096) | st.floats(0.25, 4096),
        "gpus": st.integers(0, 1),
        "adapt": st.tuples(st.integers(0, 9), st.integers(9, 99)).map(lambda ends: f"{ends[0]}:{ends[1]}"),
        "walltime": st.integers(60, 10**7).map(lambda s: f"{s // 3600:02}:{s // 60 % 60:02}:{s % 60:02}"),
        "partition": st.text("abc-_,", min_size=1),
        "directives": st.lists(st.text("abc-= ", max_size=9), max_size=3),
    },
)


FIELDS = {"beside": "cpu_workers", "cores": "cpus", "driver_cores": "driver_cpus", "walltime": "walltime_s"}
"""Where the word of a file is not the name of the field."""


@given(CHANGES)
def test_a_file_and_flags_say_the_same(tmp_path_factory: pytest.TempPathFactory, change: dict[str, Any]) -> None:
    path = tmp_path_factory.mktemp("profile") / "slurm.toml"
    path.write_text("\n".join(['extends = "slurm"', *(f"{key} = {value!r}" for key, value in change.items())]))
    read = Profile.find(str(path))
    assert read == Profile.find("slurm").but(**change)
    changed = {field for field, value in asdict(read).items() if value != asdict(Profile.find("slurm"))[field]}
    assert changed <= {FIELDS.get(key, key) for key in change}
