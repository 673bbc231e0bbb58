"""A data set is split by subject, and the split for tests is the official one."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from astih_server import Served, contents
from astih_sets import SEM1, TEM2
from slides import command

from axonflow.astih import images_of_test_split, make_splits
from axonflow.errors import InputError
from axonflow.training.bids import labelled_images, read_labels


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
