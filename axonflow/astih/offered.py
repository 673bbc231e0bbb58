"""The models that AxonDeepSeg offers by name, of its ``model_cards.py``: zip archives of nnU-Net folders on GitHub.

No checksum of them is published: what comes is held against the length that the server says, the checksum of each file
in the archive, and the network that its plans describe.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from axonflow.astih.archive import Watch
from axonflow.astih.download import fetch_archive
from axonflow.astih.sets import Archive
from axonflow.errors import ModelError
from axonflow.net.nnunet.imported import import_model

__all__ = ["OFFERED", "OfferedModel", "fetch_model", "find_offered"]


@dataclass(frozen=True, slots=True)
class OfferedModel:
    """A model of AxonDeepSeg.

    Attributes
    ----------
    name : str
        What AxonDeepSeg calls it.
    content : str
    light, ensemble : Archive or None
        Of one network, and of several whose scores are averaged.
    pixel_size_um : float or None
        Of what it learned from.
    slides_um : (float, float) or None
        Least and largest of what it learned from, if these differ much.
    unusable : str
        Why axonflow cannot run it; empty if it can.
    """

    name: str
    content: str
    light: Archive | None
    ensemble: Archive | None
    pixel_size_um: float | None = None
    slides_um: tuple[float, float] | None = None
    unusable: str = ""


def _archive(repository: str, tag: str, file: str) -> Archive:
    return Archive(f"axondeepseg/{repository}", tag, f"{file}.zip")


OFFERED = (
    OfferedModel(
        "generalist",
        "axon and myelin in TEM, SEM, bright field and CARS",
        light=_archive("model_seg_generalist", "r20240416", "model_seg_generalist_light"),
        ensemble=_archive("model_seg_generalist", "r20240224", "model_seg_axonmyelin_generalist"),
        slides_um=(0.00236, 0.226),
    ),
    OfferedModel(
        "dedicated-BF",
        "axon and myelin in bright field",
        light=_archive("model_seg_generalist", "r20240416", "model_seg_generalist_bf_light"),
        ensemble=None,
    ),
    OfferedModel(
        "dedicated-SEM",
        "axon and myelin of rats, SEM",
        light=_archive("default-SEM-model", "r20240403", "model_seg_rat_axon-myelin_sem_light"),
        ensemble=_archive("default-SEM-model", "r20240403", "model_seg_rat_axon-myelin_sem_ensemble"),
        pixel_size_um=0.13,
    ),
    OfferedModel(
        "dedicated-CARS",
        "axon and myelin of rats, CARS",
        light=_archive("default-CARS-model", "r20240403", "model_seg_rat_axon-myelin_cars_light"),
        ensemble=_archive("default-CARS-model", "r20240403", "model_seg_rat_axon-myelin_cars_ensemble"),
        pixel_size_um=0.225,
    ),
    OfferedModel(
        "unmyelinated-TEM",
        "unmyelinated axons of mice, TEM",
        light=None,
        ensemble=_archive("model_seg_unmyelinated_tem", "v1.1.0", "model_seg_unmyelinated_sickkids_tem_best"),
        pixel_size_um=0.0048,
        unusable="it finds neither myelin nor axons that have some; axonflow astih models download "
        "model_seg_unmyelinated_tem brings one that finds all",
    ),
)


def find_offered(name: str) -> OfferedModel:
    """Return a model by its name, in letters of any case.

    Raises
    ------
    ModelError
        If there is none.
    """
    for known in OFFERED:
        if known.name.lower() == name.lower():
            return known
    raise ModelError(
        f"A model that AxonDeepSeg offers ({', '.join(known.name for known in OFFERED)}) was expected, {name!r} came."
    )


def fetch_model(model: OfferedModel, folder: Path, *, ensemble: bool = False, watch: Watch | None = None) -> Path:
    """Fetch a model and import it.

    Parameters
    ----------
    model : OfferedModel
    folder : Path
        Where it is to lie.
    ensemble : bool
        Several networks, averaged, instead of one.
    watch : callable, optional

    Returns
    -------
    Path
        Of its contract.

    Raises
    ------
    ModelError
        If axonflow cannot run it, or there is no such form of it.
    RunError
        As of :func:`axonflow.astih.archive.fetch`; what came is kept and continued by the next call.
    """
    if model.unusable:
        raise ModelError(f"A model that tells axon and myelin was expected, {model.name!r} came: {model.unusable}.")
    archive = model.ensemble if ensemble else model.light
    if archive is None:
        kind, other = ("one network", "with") if not ensemble else ("several networks", "without")
        raise ModelError(f"{model.name!r} was expected as {kind}, there is none; fetch it {other} --ensemble.")
    name = f"{model.name}-ensemble" if ensemble else model.name
    contract, file = folder / f"{name}.json", folder / f"{name}.zip"
    if contract.exists():
        return contract
    fetch_archive(archive, file, watch)
    try:
        return import_model(file, folder, name, pixel_size_um=model.pixel_size_um, slides_um=model.slides_um)
    finally:
        with suppress(FileNotFoundError):
            file.unlink()
