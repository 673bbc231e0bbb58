"""What ASTIH publishes is fetched whole, split by subject, and scored on the test split alone; all on loopback."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import stat
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from astih_server import Served, contents, serving, zipped
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from slides import Classes, command, picture, tissue, write_model

from axonflow.astih import MODELS, SETS, find_set, images_of_test_split, make_splits
from axonflow.astih.archive import fetch, unpack
from axonflow.bids import LabelledImage, labelled_images, read_labels
from axonflow.cli.terminal import console
from axonflow.errors import InputError, RunError
from axonflow.fiber.matching import axon_ids, matching
from axonflow.fiber.score import score
from axonflow.net.checkpoint import Checkpoint

SEM1, TEM2 = find_set("SEM1"), find_set("TEM2")
HEAVY = ("torch", "dask", "zarr", "numba", "pandas", "xarray", "matplotlib")
NESTED = (["list"], ["download"], ["models"], ["models", "download"], ["evaluate"])
REAL = os.environ.get("AXONFLOW_TEST_DANDI") or shutil.which("dandi")


def write_image(
    top: Path, name: str, size_um: float | None = 0.1, *, kinds: Sequence[str] = ("axon", "myelin")
) -> None:
    """Write an image with its masks as BIDS has them; its pixel size too, unless a file of others is to hold for it."""
    subject = name.partition("_")[0]
    classes = tissue((40, 50), sum(map(ord, name)))
    folder, masks = top / subject / "micr", top / "derivatives" / "labels" / subject / "micr"
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture(classes)).save(folder / f"{name}.png")
    if size_um is not None:
        (folder / f"{name}.json").write_text(json.dumps({"PixelSize": [size_um, size_um]}))
    for kind in kinds:
        masks.mkdir(parents=True, exist_ok=True)
        drawn = (classes == 1) if kind == "myelin" else (classes == 2)
        Image.fromarray((drawn * 255).astype(np.uint8)).save(masks / f"{name}_seg-{kind}-manual.png")


def write_top(top: Path, name: str) -> None:
    (top / "dataset_description.json").write_text(json.dumps({"Name": name, "BIDSVersion": "1.9.0"}))
    (top / "README").write_text("A sample.")


@pytest.fixture(scope="module")
def sem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A rat cord as SEM1 is laid out: a sidecar of its own, one of a subject, an image without masks, a test rat."""
    top = tmp_path_factory.mktemp("sem")
    write_top(top, "data_axondeepseg_sem")
    write_image(top, "sub-rat1_sample-data1_SEM", 0.13, kinds=("axon", "myelin", "axonmyelin"))
    write_image(top, "sub-rat3_sample-data9_SEM", None)
    write_image(top, "sub-rat3_sample-data10_SEM", None)
    write_image(top, "sub-rat3_sample-data1_SEM", None, kinds=())
    (top / "sub-rat3" / "micr" / "sub-rat3_SEM.json").write_text('{"PixelSize": [0.07, 0.07]}')
    write_image(top, "sub-rat6_sample-data15_SEM", 0.18)
    return top


@pytest.fixture(scope="module")
def tem(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Mice as TEM2 is laid out: the dandiset, and the test archive with the same mouse in it."""
    train, test = tmp_path_factory.mktemp("tem"), tmp_path_factory.mktemp("testing")
    write_top(train, "data_axondeepseg_srf")
    write_top(test, "data_axondeepseg_srf_testing")
    write_image(train, "sub-370_sample-0001_TEM", 0.00493)
    write_image(train, "sub-371_sample-0001_TEM", 0.00493, kinds=())
    write_image(test, "sub-370_sample-0003_acq-roi_TEM", 0.00493, kinds=("axon", "myelin", "uaxon"))
    return train, test


@pytest.fixture
def served(sem: Path, tem: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    assert TEM2.test_archive is not None
    with serving() as server:
        server.dandisets[SEM1.dandi, SEM1.version] = contents(sem)
        server.dandisets[TEM2.dandi, TEM2.version] = contents(tem[0])
        server.archives[TEM2.test_archive.path] = zipped(contents(tem[1]), "data_axondeepseg_srf_testing-r1")
        monkeypatch.setenv("AXONFLOW_DANDI", f"{server.url}/api")
        monkeypatch.setenv("AXONFLOW_GITHUB", server.url)
        yield server


def install(program: str | None, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a folder that holds this dandi, or none, all that is looked at."""
    folder.mkdir()
    if program is not None:
        (folder / "dandi").write_text(f'#!/bin/sh\nexec {program} "$@"\n')
        (folder / "dandi").chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(folder / "python"))
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep if program else None)


@pytest.fixture(
    params=[
        "stand-in",
        pytest.param("real", marks=pytest.mark.dandi),
    ]
)
def dandi(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The dandi program, or one that asks a server as it does."""
    stand_in = f"{sys.executable} {Path(__file__).with_name('dandi_stand_in.py')}"
    install(REAL if request.param == "real" else stand_in, tmp_path / "bin", monkeypatch)
    return str(request.param)


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(f"{sys.executable} {Path(__file__).with_name('dandi_stand_in.py')}", tmp_path / "bin", monkeypatch)


# What there is


def test_all_sets_are_listed_with_what_one_must_know(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console, "width", 300)
    lines = {line.split()[0]: line for line in command("astih", "list").out.splitlines()}
    assert len(SETS) == 5
    for known in SETS:
        told = (known.content, known.licence, known.size, known.images, known.pixel_size, known.test_split)
        assert all(text in lines[known.name] for text in told)
        assert f"{known.dandi}/{known.version}" in lines[known.name]


def test_every_set_has_one_test_split_and_one_model() -> None:
    assert all(bool(known.test_subjects) != (known.test_archive is not None) for known in SETS)
    assert [known.data_set for known in MODELS] == [known.name for known in SETS]
    assert len({known.dandi for known in SETS}) == len(SETS)


def test_published_models_are_listed_with_their_addresses() -> None:
    said = command("astih", "models").out
    for known in MODELS:
        assert known.name in said
        assert f"https://github.com/{known.archive.path}" in said.replace("\n", "")


@pytest.mark.parametrize("words", NESTED, ids=" ".join)
def test_help_has_an_example(words: list[str]) -> None:
    ran = command("astih", *words, "--help")
    assert ran.code == 0
    assert f"Example: axonflow astih {' '.join(words)}" in " ".join(ran.out.split())


def test_help_and_lists_load_nothing_heavy() -> None:
    code = (
        "import sys\nfrom axonflow.cli import app\n"
        f"for words in {[['astih', *words, '--help'] for words in NESTED] + [['astih', 'models']]!r}:\n"
        "    try:\n        app(words)\n    except SystemExit as end:\n        assert end.code == 0\n"
        f"print('loaded', [name for name in {HEAVY!r} if name in sys.modules])\n"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.splitlines()[-1] == "loaded []"


@pytest.mark.parametrize(
    "words", [("download", "SEM9", "x"), ("evaluate", "SEM9", "sem"), ("models", "download", "SEM9", "x")]
)
def test_names_that_are_unknown_are_refused_with_those_that_are_known(words: tuple[str, ...]) -> None:
    ran = command("astih", *words)
    assert ran.code == 2
    assert "SEM9" in ran.err
    assert ("default-SEM-model" if "models" in words else "BF2") in ran.err


# Data sets


def test_without_the_client_its_install_command_is_said(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(None, tmp_path / "bin", monkeypatch)
    ran = command("astih", "download", "SEM1", tmp_path / "sem1")
    assert ran.code == 2
    assert "pip install 'dandi>=0.76'" in " ".join(ran.err.split())
    assert not (tmp_path / "sem1").exists()


def test_a_set_is_fetched_and_split(served: Served, dandi: str, sem: Path, tmp_path: Path) -> None:
    folder = tmp_path / "sem1"
    ran = command("astih", "download", "sem1", folder, "--make-splits")
    assert ran.code == 0
    fetched = contents(folder / SEM1.dandi)
    fetched.pop("dandiset.yaml", None)  # of the real client's own making
    assert fetched == contents(sem)
    assert "3 images" in ran.out
    assert {image.name for image in labelled_images(folder / "test")} == {"sub-rat6_sample-data15_SEM"}

    served.asked.clear()
    assert command("astih", "download", "SEM1", folder, "--make-splits").code == 0
    assert served.asked == []


def test_what_is_damaged_here_is_fetched_again(served: Served, dandi: str, sem: Path, tmp_path: Path) -> None:
    folder = tmp_path / "sem1"
    assert command("astih", "download", "SEM1", folder, "--make-splits").code == 0
    image = Path("sub-rat1", "micr", "sub-rat1_sample-data1_SEM.png")
    damaged = bytearray((sem / image).read_bytes())
    damaged[-20] ^= 1
    (folder / SEM1.dandi / image).write_bytes(damaged)
    served.asked.clear()
    assert command("astih", "download", "SEM1", folder, "--make-splits").code == 0
    assert [path for path, _ in served.asked] == [str(image)]
    for side in (SEM1.dandi, "train"):
        assert (folder / side / image).read_bytes() == (sem / image).read_bytes()


def test_what_arrives_damaged_is_not_split(served: Served, dandi: str, sem: Path, tmp_path: Path) -> None:
    folder = tmp_path / "sem1"
    served.rotten.add("sub-rat6/micr/sub-rat6_sample-data15_SEM.png")
    ran = command("astih", "download", "SEM1", folder, "--make-splits")
    assert ran.code == 1
    assert "run again to continue" in " ".join(ran.err.split())
    assert not (folder / "train").exists()
    served.rotten.clear()
    served.asked.clear()
    assert command("astih", "download", "SEM1", folder, "--make-splits").code == 0
    assert 0 < len(served.asked) < len(contents(sem))  # what was there is not fetched again
    assert (folder / "test").exists()


@pytest.mark.dandi
def test_the_client_continues_inside_a_file(
    served: Served, sem: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(REAL, tmp_path / "bin", monkeypatch)
    path = "sub-rat6/micr/sub-rat6_sample-data15_SEM.png"
    served.breaks[path] = 500
    monkeypatch.setenv("DANDI_MAX_CHUNK_SIZE", "100")  # it keeps whole blocks, of megabytes unless told otherwise
    assert command("astih", "download", "SEM1", tmp_path / "sem1").code == 0
    assert (path, "bytes=500-") in served.asked
    assert (tmp_path / "sem1" / SEM1.dandi / path).read_bytes() == (sem / path).read_bytes()


def test_an_interrupted_download_says_how_to_continue(
    served: Served, stand_in: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*given: object, **more: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(subprocess, "run", interrupted)
    ran = command("astih", "download", "SEM1", tmp_path / "sem1")
    assert ran.code == 130
    assert "same command again" in ran.err


def test_an_address_that_is_none_is_refused(stand_in: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AXONFLOW_DANDI", "dandi")
    ran = command("astih", "download", "SEM1", tmp_path / "sem1")
    assert ran.code == 2
    assert "AXONFLOW_DANDI" in ran.err


# Splits


def test_splits_part_subjects_and_lose_no_labelled_image(sem: Path, tmp_path: Path) -> None:
    shutil.copytree(sem, tmp_path / SEM1.dandi)
    assert make_splits(SEM1, tmp_path) == {"train": 3, "test": 1}
    sides = {side: labelled_images(tmp_path / side) for side in ("train", "test")}
    assert {image.subject for image in sides["test"]} == set(SEM1.test_subjects)
    assert not {image.subject for image in sides["train"]} & set(SEM1.test_subjects)
    whole = {image.name: image for image in labelled_images(sem)}
    split = {image.name: image for images in sides.values() for image in images}
    assert split.keys() == whole.keys()
    for name, image in split.items():
        assert image.pixel_size == whole[name].pixel_size  # by sidecars of its own and of its subject
        np.testing.assert_array_equal(read_labels(image), read_labels(whole[name]))
    assert not list(tmp_path.glob("t*/sub-rat3/micr/sub-rat3_sample-data1_SEM.png"))  # has no masks
    assert len(list(tmp_path.glob("train/derivatives/labels/*/micr/*_seg-axonmyelin-manual.png"))) == 1
    assert all((tmp_path / side / "dataset_description.json").exists() for side in sides)


def test_splits_made_twice_are_the_same_and_leave_what_is_not_theirs(sem: Path, tmp_path: Path) -> None:
    shutil.copytree(sem, tmp_path / SEM1.dandi)
    make_splits(SEM1, tmp_path)
    (tmp_path / "test" / "mine.txt").write_text("mine")
    before = {side: contents(tmp_path / side) for side in ("train", "test")}
    make_splits(SEM1, tmp_path)
    assert {side: contents(tmp_path / side) for side in ("train", "test")} == before


def test_splits_are_copied_where_there_are_no_links(sem: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*given: object) -> None:
        raise OSError("no links here")

    shutil.copytree(sem, tmp_path / SEM1.dandi)
    monkeypatch.setattr(os, "link", refuse)
    make_splits(SEM1, tmp_path)
    copied = tmp_path / "test" / "README"
    assert copied.read_text() == "A sample."
    assert copied.stat().st_nlink == 1


def test_a_set_without_its_test_subject_is_not_split(sem: Path, tmp_path: Path) -> None:
    shutil.copytree(sem, tmp_path / SEM1.dandi, ignore=shutil.ignore_patterns("sub-rat6"))
    with pytest.raises(InputError, match=r"sub-rat6.*axonflow astih download SEM1"):
        make_splits(SEM1, tmp_path)
    assert not (tmp_path / "train").exists()


def test_tem2_is_tested_on_its_archive(served: Served, stand_in: None, tem: tuple[Path, Path], tmp_path: Path) -> None:
    folder = tmp_path / "tem2"
    assert command("astih", "download", "TEM2", folder, "--make-splits").code == 0
    assert [image.name for image in labelled_images(folder / "train")] == ["sub-370_sample-0001_TEM"]
    assert [image.name for image in images_of_test_split(TEM2, folder)] == ["sub-370_sample-0003_acq-roi_TEM"]
    assert contents(folder / "test") == contents(tem[1])  # its unmyelinated axons too
    assert not list(folder.glob("*.zip*"))
    assert [image.name for image in images_of_test_split(TEM2, tem[1])] == ["sub-370_sample-0003_acq-roi_TEM"]
    with pytest.raises(InputError, match="test split of TEM2"):
        images_of_test_split(TEM2, tem[0])  # the same mouse, but to train on


# Archives


def test_a_published_model_is_fetched(served: Served, tmp_path: Path) -> None:
    files = {"dataset.json": b"{}", "fold_all/checkpoint_final.pth": os.urandom(5000)}
    served.archives[MODELS[2].archive.path] = zipped(files, MODELS[2].archive.name)
    ran = command("astih", "models", "download", MODELS[2].name, tmp_path / "models")
    assert ran.code == 0
    assert contents(tmp_path / "models") == {f"{MODELS[2].archive.name}/{path}": kept for path, kept in files.items()}
    assert "nnU-Net" in ran.out
    served.asked.clear()
    assert command("astih", "models", "download", MODELS[2].name, tmp_path / "models").code == 0
    assert served.asked == []


@settings(max_examples=20)
@given(size=st.integers(1, 5000), breaks=st.lists(st.integers(0, 5000), max_size=3), strong=st.booleans())
def test_a_transfer_continues_wherever_it_broke(
    tmp_path_factory: pytest.TempPathFactory, size: int, breaks: list[int], strong: bool
) -> None:
    content = os.urandom(size)
    path = tmp_path_factory.mktemp("fetched") / "file.zip"
    had = 0
    with serving() as served:
        served.archives["file.zip"], served.strong = content, strong
        for at in sorted(breaks):
            if not had < at < size:
                continue
            served.breaks["/file.zip"] = at
            with pytest.raises(RunError, match="run again to continue"):
                fetch(f"{served.url}/file.zip", path)
            assert not path.exists()
            assert served.asked[-1][1] == (f"bytes={had}-" if had and strong else None)
            had = at
        fetch(f"{served.url}/file.zip", path)
    assert path.read_bytes() == content
    assert [file.name for file in path.parent.iterdir()] == ["file.zip"]


def broken_off(served: Served, path: Path, content: bytes, at: int) -> None:
    served.archives[path.name] = content
    served.breaks[f"/{path.name}"] = at
    with pytest.raises(RunError):
        fetch(f"{served.url}/{path.name}", path)


def test_a_file_that_changed_meanwhile_is_fetched_anew(served: Served, tmp_path: Path) -> None:
    path = tmp_path / "file"
    broken_off(served, path, bytes(1000), 400)
    served.archives["file"] = bytes(range(250)) * 4
    fetch(f"{served.url}/file", path)
    assert path.read_bytes() == bytes(range(250)) * 4


def test_a_file_whose_last_byte_came_before_it_was_named_is_fetched_anew(served: Served, tmp_path: Path) -> None:
    path = tmp_path / "file"
    broken_off(served, path, bytes(1000), 400)
    (tmp_path / "file.part").write_bytes(bytes(1000))
    fetch(f"{served.url}/file", path)
    assert path.read_bytes() == bytes(1000)


def test_another_checksum_is_refused_and_nothing_of_it_is_kept(served: Served, tmp_path: Path) -> None:
    served.archives["file"] = b"other"
    with pytest.raises(RunError, match=r"sha256 0000.*fetch it anew"):
        fetch(f"{served.url}/file", tmp_path / "file", sha256="0" * 64)
    assert not (tmp_path / "file").exists()
    assert not (tmp_path / "file.part").exists()


def test_servers_that_do_not_answer_are_told_of(served: Served, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"/none was expected|answered 404"):
        fetch(f"{served.url}/none", tmp_path / "file")
    with pytest.raises(RunError, match="HTTPS_PROXY"):
        fetch("http://127.0.0.1:9/none", tmp_path / "file")
    with pytest.raises(RunError, match="SSL_CERT_FILE"):
        fetch(served.url.replace("http:", "https:"), tmp_path / "file")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_told_of(served: Served, tmp_path: Path) -> None:
    (tmp_path / "file.part").symlink_to("/dev/full")
    served.archives["file"] = bytes(5000)
    with pytest.raises(RunError, match="make room and run again"):
        fetch(f"{served.url}/file", tmp_path / "file")


names = st.text("abc", min_size=1, max_size=3)


@settings(max_examples=30)
@given(
    files=st.dictionaries(st.tuples(st.sampled_from("xyz"), names).map("/".join), st.binary(max_size=50), min_size=1),
    top=st.sampled_from(["", "top"]),
)
def test_what_was_packed_is_unpacked(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes], top: str
) -> None:
    folder = tmp_path_factory.mktemp("unpacked")
    (folder / "a.zip").write_bytes(zipped(files, top))
    unpack(folder / "a.zip", folder / "a")
    alone = not top and len({path[0] for path in files}) == 1
    assert contents(folder / "a") == {path.partition("/")[2] if alone else path: kept for path, kept in files.items()}
    assert sorted(path.name for path in folder.iterdir()) == ["a", "a.zip"]


@pytest.mark.parametrize("name", ["../outside", "top/../../outside", "/outside", "top\\..\\outside", "C:/outside"])
def test_archives_that_reach_outside_are_refused(tmp_path: Path, name: str) -> None:
    file = tmp_path / "in" / "a.zip"
    file.parent.mkdir()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("top/inside", "x")
        archive.writestr(name, "x")
    with pytest.raises(InputError, match="outside"):
        unpack(file, tmp_path / "in" / "a")
    assert contents(tmp_path).keys() == {"in/a.zip"}


def test_links_in_archives_are_refused(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("top/link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(link, "/etc")
        archive.writestr("top/link/outside", "x")
    with pytest.raises(InputError, match="a link"):
        unpack(tmp_path / "a.zip", tmp_path / "a")
    assert contents(tmp_path).keys() == {"a.zip"}


def survives(folder: Path, archive: bytes, files: dict[str, bytes]) -> None:
    """An archive is unpacked with all its contents, or not at all."""
    (folder / "a.zip").write_bytes(archive)
    try:
        unpack(folder / "a.zip", folder / "a")
    except (RunError, InputError):
        assert not (folder / "a").exists()
    else:  # a byte that says nothing of what is inside: a time, a version, a name
        assert sorted(contents(folder / "a").values()) == sorted(files.values())
        shutil.rmtree(folder / "a")


@settings(max_examples=40)
@given(at=st.floats(0, 1, exclude_max=True), flip=st.integers(0, 255))
def test_damaged_archives_never_pass(tmp_path_factory: pytest.TempPathFactory, at: float, flip: int) -> None:
    files = {"x/a": bytes(range(256)) * 8, "y/b": b"b" * 100}
    whole = zipped(files)
    place = int(at * len(whole))
    damaged = whole[:place] + bytes([whole[place] ^ flip]) + whole[place + 1 :] if flip else whole[:place]
    survives(tmp_path_factory.mktemp("damaged"), damaged, files)


@pytest.mark.parametrize("flip", [1, 49, 78, 255])
def test_no_byte_of_the_list_of_members_loses_one(tmp_path: Path, flip: int) -> None:
    files = {"x/a": bytes(range(256)) * 8, "y/b": b"b" * 100}
    whole = zipped(files)
    for place in range(whole.find(b"PK\1\2"), len(whole)):
        survives(tmp_path, whole[:place] + bytes([whole[place] ^ flip]) + whole[place + 1 :], files)


def test_a_damaged_archive_is_fetched_again(served: Served, tmp_path: Path) -> None:
    archive = MODELS[2].archive
    served.archives[archive.path] = b"no zip archive"
    ran = command("astih", "models", "download", MODELS[2].name, tmp_path)
    assert ran.code == 1
    assert "fetch it anew" in " ".join(ran.err.split())
    served.archives[archive.path] = zipped({"dataset.json": b"{}"}, "top")
    assert command("astih", "models", "download", MODELS[2].name, tmp_path).code == 0


# Scores


class Evaluate:
    """Scores truth that was moved by a pixel, in place of what a network found."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, tuple[str, ...], bool]] = []
        self.found: list[tuple[Classes, Classes]] = []

    def __call__(
        self, model: str, images: Sequence[LabelledImage], out: Path, *, native: bool, workers: int | None
    ) -> pd.DataFrame:
        assert out.is_dir()
        assert workers is None
        self.asked.append((model, tuple(image.name for image in images), native))
        rows = []
        for image in images:
            truth = read_labels(image)
            found = np.roll(truth, 2, axis=0)
            self.found.append((found, truth))
            rows.append({"subject": image.subject, "image": image.name} | score(found, truth, image.pixel_size).row())
        return pd.DataFrame(rows)


@pytest.fixture
def evaluate(monkeypatch: pytest.MonkeyPatch) -> Evaluate:
    stand_in = Evaluate()
    monkeypatch.setattr("axonflow.astih.evaluation.evaluate", stand_in)
    return stand_in


def taught(folder: Path, *subjects: str) -> Path:
    """Write a model that says whom it learned from."""
    path = write_model(folder)
    contract = json.loads(path.read_text())
    path.write_text(json.dumps(contract | {"trained_on": {"data": "a sample", "subjects": subjects}}))
    assert Checkpoint.find(path).trained_on["subjects"] == list(subjects)
    return path


def test_a_model_is_scored_on_the_test_split_alone(sem: Path, tmp_path: Path, evaluate: Evaluate) -> None:
    model = taught(tmp_path / "model", "sub-rat1", "sub-rat3")
    ran = command("astih", "evaluate", "SEM1", model, "--data", sem, "--out", tmp_path / "out")
    assert ran.code == 0, ran.err
    assert evaluate.asked == [(str(model), ("sub-rat6_sample-data15_SEM",), True)]
    (found, truth), expected = evaluate.found[0], score(*evaluate.found[0])
    pairs = matching(axon_ids(found), axon_ids(truth), 0.5)

    pixels = pd.read_csv(tmp_path / "out" / "metrics.csv")
    assert list(pixels.columns) == ["dataset", "image", "class", "DiceMetric", "MeanIoU"]
    assert list(pixels["class"]) == ["axon", "myelin"]
    assert set(pixels["dataset"]) == {"SEM1"}
    assert set(pixels["image"]) == {"sub-rat6_sample-data15_SEM.png"}
    np.testing.assert_allclose(pixels["DiceMetric"], expected.pixels.dice[:0:-1])
    np.testing.assert_allclose(pixels["MeanIoU"], expected.pixels.iou[:0:-1])

    objects = pd.read_csv(tmp_path / "out" / "det_metrics.csv")
    assert list(objects.columns) == ["dataset", "image", "TP", "FP", "FN", "precision", "recall", "accuracy", "f1"]
    assert tuple(objects.loc[0, ["TP", "FP", "FN"]]) == (
        pairs.true_positives,
        pairs.false_positives,
        pairs.false_negatives,
    )
    np.testing.assert_allclose(
        objects.loc[0, ["precision", "recall", "accuracy", "f1"]].to_numpy(float),
        [pairs.precision, pairs.recall, pairs.accuracy, pairs.f1],
    )
    page = (tmp_path / "out" / "scores.md").read_text()
    assert "Not a test" not in page
    for row in (tmp_path / "out" / "det_metrics.csv", tmp_path / "out" / "metrics.csv"):
        for cells in csv.reader(io.StringIO(row.read_text())):
            assert cells[1] in page
    assert all(cell in ran.out for cell in ("DiceMetric", "MeanIoU", "TP", "f1"))


def test_a_model_that_learned_from_the_test_split_is_refused(sem: Path, tmp_path: Path, evaluate: Evaluate) -> None:
    model = taught(tmp_path / "model", "sub-rat1", "sub-rat6")
    words = ("astih", "evaluate", "SEM1", model, "--data", sem, "--out", tmp_path / "out")
    ran = command(*words)
    assert ran.code == 2
    said = " ".join(ran.err.split())
    assert "learned from sub-rat6 (its data: a sample)" in said
    assert "--allow-seen" in said
    assert not evaluate.asked
    assert not (tmp_path / "out").exists()

    ran = command(*words, "--allow-seen")
    assert ran.code == 0
    assert "not a test" in ran.out
    assert "**Not a test:** the model learned from sub-rat6" in (tmp_path / "out" / "scores.md").read_text()


def test_a_folder_without_test_subjects_is_refused_with_what_to_run(
    sem: Path, tmp_path: Path, evaluate: Evaluate, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(sem, tmp_path / "rats", ignore=shutil.ignore_patterns("sub-rat6"))
    monkeypatch.chdir(tmp_path)
    for words, folder in ((("--data", "rats"), "rats"), ((), "SEM1")):
        ran = command("astih", "evaluate", "SEM1", "sem", *words)
        assert ran.code == 2
        assert f"axonflow astih download SEM1 {folder} --make-splits" in " ".join(ran.err.split())
    assert not evaluate.asked


def test_real_folders_are_told_apart(real_data: Path) -> None:
    with pytest.raises(InputError, match="sub-rat6"):
        images_of_test_split(SEM1, real_data / "sem")
    assert {image.subject for image in images_of_test_split(TEM2, real_data / "tem2")} >= {"sub-366A", "sub-371"}
