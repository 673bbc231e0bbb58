"""What ASTIH publishes: five data sets with their test splits, and five models. Facts alone, nothing is done here.

From ASTIH's ``dataset_list.json`` and ``make_croissant_files.py`` (commit e29f598), and DANDI's metadata of the
versions named here. What none of them says is reported as being on DANDI, never guessed.
"""

from __future__ import annotations

from dataclasses import dataclass

from axonflow.errors import InputError

__all__ = ["MODELS", "SETS", "Archive", "DataSet", "PublishedModel", "find_model", "find_set"]

_ON_DANDI = "see DANDI"
_IN_JSON = "see its JSON files"


@dataclass(frozen=True, slots=True)
class Archive:
    """A zip archive of a GitHub repository.

    Attributes
    ----------
    repository : str
        ``owner/name``.
    tag : str
    file : str or None
        Of the tag's release; None for the repository's own files at the tag.
    sha256 : str or None
        If it is published.
    """

    repository: str
    tag: str
    file: str | None = None
    sha256: str | None = None

    @property
    def name(self) -> str:
        """What its folder is called."""
        return self.file.removesuffix(".zip") if self.file else f"{self.repository.rpartition('/')[2]}-{self.tag}"

    @property
    def path(self) -> str:
        """Its address on GitHub, without the host."""
        kept = f"releases/download/{self.tag}/{self.file}" if self.file else f"archive/refs/tags/{self.tag}.zip"
        return f"{self.repository}/{kept}"


@dataclass(frozen=True, slots=True)
class DataSet:
    """A data set of ASTIH.

    Attributes
    ----------
    name, content, licence : str
    size, images, pixel_size : str
        In words, for people.
    dandi, version : str
        Of the dandiset.
    test_subjects : tuple of str
        The subjects of the dandiset that test; empty if an archive does.
    test_archive : Archive or None
        A BIDS folder of test images, where the dandiset holds none.
    """

    name: str
    content: str
    licence: str
    size: str
    images: str
    pixel_size: str
    dandi: str
    version: str
    test_subjects: tuple[str, ...] = ()
    test_archive: Archive | None = None

    @property
    def test_split(self) -> str:
        """What tests, in words."""
        return self.test_archive.repository if self.test_archive else ", ".join(self.test_subjects)


@dataclass(frozen=True, slots=True)
class PublishedModel:
    """A model that was published along with a data set: a zip archive with a folder of nnU-Net.

    Attributes
    ----------
    name : str
        Of its repository.
    archive : Archive
    data_set : str
        What it learned from.
    content : str
    """

    name: str
    archive: Archive
    data_set: str
    content: str


SETS = (
    DataSet(
        "TEM1",
        "mouse corpus callosum, control and cuprizone, TEM",
        "CC-BY-4.0",
        _ON_DANDI,
        "158 of 20 mice",
        "0.00236 µm",
        "001436",
        "0.250512.1625",
        test_subjects=("sub-nyuMouse26",),
    ),
    DataSet(
        "TEM2",
        "mouse corpus callosum, control and SRF knock-out, TEM, 5 classes",
        "CC-BY-4.0, test split MIT",
        _ON_DANDI,
        "of 10 mice; 21 in the test split",
        "0.00493 µm",
        "001350",
        "0.250511.1527",
        test_archive=Archive("axondeepseg/data_axondeepseg_srf_testing", "r20250513-neurips2025"),
    ),
    DataSet(
        "SEM1",
        "rat cervical spinal cord, SEM",
        "CC-BY-4.0",
        "12.5 MB",
        "10 of 8 rats",
        "0.07–0.18 µm",
        "001442",
        "0.250512.1626",
        test_subjects=("sub-rat6",),
    ),
    DataSet(
        "BF1",
        "rat peripheral nerve, regenerating, bright field",
        "CC-BY-4.0",
        "144 MB",
        "8 of 8 rats",
        _IN_JSON,
        "001440",
        "0.250509.1913",
        test_subjects=("sub-uoftRat02", "sub-uoftRat07"),
    ),
    DataSet(
        "BF2",
        "rabbit peripheral nerve, repaired, bright field",
        _ON_DANDI,
        _ON_DANDI,
        _ON_DANDI,
        _IN_JSON,
        "001630",
        "0.251127.1424",
        test_subjects=("sub-22G132040x3",),
    ),
)


def _model(repository: str, tag: str, stem: str, data_set: str, content: str) -> PublishedModel:
    return PublishedModel(repository, Archive(f"axondeepseg/{repository}", tag, f"{stem}.zip"), data_set, content)


MODELS = (
    _model(
        "default-TEM-model",
        "r20240403",
        "model_seg_mouse_axon-myelin_tem_light",
        "TEM1",
        "axon and myelin of mice, TEM",
    ),
    _model(
        "model_seg_unmyelinated_tem",
        "r20240708-stanford",
        "model_seg_unmyelinated_stanford_tem_best",
        "TEM2",
        "axon, myelin, unmyelinated axon, nuclei and processes of oligodendrocytes, TEM",
    ),
    _model(
        "default-SEM-model",
        "r20240403",
        "model_seg_rat_axon-myelin_sem_light",
        "SEM1",
        "axon and myelin of rats, SEM",
    ),
    _model(
        "default-BF-model",
        "r20240405",
        "model_seg_rat_axon-myelin_bf_light",
        "BF1",
        "axon and myelin of rats, bright field",
    ),
    _model(
        "model_seg_rabbit_axon-myelin_bf",
        "r20240405",
        "model_seg_rabbit_axon-myelin_bf_light",
        "BF2",
        "axon and myelin of rabbits, bright field",
    ),
)


def find_set(name: str) -> DataSet:
    """Return a data set by its name, in letters of any case.

    Raises
    ------
    InputError
        If there is none.
    """
    for known in SETS:
        if known.name.lower() == name.lower():
            return known
    raise InputError(
        f"A data set of ASTIH ({', '.join(known.name for known in SETS)}) was expected, {name!r} came; "
        "axonflow astih list says what each holds."
    )


def find_model(name: str) -> PublishedModel:
    """Return a published model by its name.

    Raises
    ------
    InputError
        If there is none.
    """
    for known in MODELS:
        if known.name == name:
            return known
    raise InputError(
        f"A published model ({', '.join(known.name for known in MODELS)}) was expected, {name!r} came; "
        "axonflow astih models says what each is for."
    )
