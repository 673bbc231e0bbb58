"""Whether a store is what its run made: every file against the journal, and its numbers against each other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from axonflow.engine.journal import summaries
from axonflow.engine.proof import DAMAGED, Damage, Proof, prove
from axonflow.errors import AxonflowError, StoreError
from axonflow.kernel.files import write_file
from axonflow.kernel.grid import Box
from axonflow.ngff import Blocks, Pyramid
from axonflow.results.analysis import LABELS, Analysis, open_store
from axonflow.workflow.leftovers import remove_left_certificates
from axonflow.workflow.record import is_as_written, read_record

__all__ = ["Checked", "check", "rests_on"]

SAMPLE = 100
"""Axons that are counted again in the labels."""

_NEXT = {
    "convert": "all that was made of the slide",
    "resample": "all that the network made",
    "segment": "axons, fibers, table and maps",
    "label": "fibers, table and maps",
    "measure": "table, regions and maps",
    "map": "figures and report",
}
"""What rests on what a stage wrote."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found of a store.

    Attributes
    ----------
    proof : Proof
        Its files against its journal.
    faults : tuple of str
        Numbers that do not agree with others, a record or metadata that cannot be read: a sentence each.
    complete : bool
        Whether the run has ended.
    """

    proof: Proof
    faults: tuple[str, ...]
    complete: bool = True

    @property
    def sound(self) -> bool:
        """Whether all is well."""
        return self.complete and not (self.proof.damages or self.proof.unproved or self.faults)


def check(
    store: str | Path, *, quick: bool = False, progress: Callable[[int, int], None] = lambda _done, _all: None
) -> Checked:
    """Check a store; nothing of it is changed, but certificates that a killed run has left are removed.

    Parameters
    ----------
    store : path
        The ``.ome.zarr`` folder; it may be a copy, or read-only, and its slide need not be there.
    quick : bool
        Whether files of pixels are looked at by presence and size alone.
    progress : callable
        Called with the bytes that were looked at and those of all files.

    Returns
    -------
    Checked

    Raises
    ------
    StoreError
        If it is no store of this program.
    """
    path = Path(store)
    journal = path / ".axonflow" / "journal"
    if not path.is_dir():
        there = "a file is" if path.exists() else "nothing is"
        raise StoreError(f"A store made by axonflow was expected at {path}, but {there} there.")
    if not journal.is_dir() and not (path / "run.json").exists():
        raise StoreError(
            f"A store made by axonflow, or the folder of a batch, was expected at {path}, but another folder is there."
        )
    if not journal.is_dir():
        raise StoreError(
            f"A store made by axonflow was expected at {path}, but it has no journal; if it is a copy, copy its folder "
            ".axonflow, too."
        )
    remove_left_certificates(path)
    proof = prove(journal, quick=quick, progress=progress)
    if proof.damages:
        _remember(path)
    try:
        record = read_record(path)
    except StoreError as error:
        return Checked(proof, (str(error),))
    complete = bool(record["complete"])
    faults = [] if is_as_written(path) else [f"{path / 'run.json'} is not as the run wrote it."]
    made = {name: summary for name, summary in summaries(journal).items() if name in record["stages"]}
    # Of a stage that there is no more, as after a change of settings, the journal stays.
    if complete and not proof.damages and not faults and made != record["stages"]:
        faults.append(f"{path / 'run.json'} is of another run than the journal of the store.")
    if complete and not proof.damages:
        faults += _faults(path)
    return Checked(proof, tuple(faults), complete)


def rests_on(damage: Damage) -> str:
    """Say what rests on a damaged file."""
    if damage.written is None:
        return "what it says was done"
    return _NEXT.get(damage.written.stage.partition(".")[0], "")


def _remember(store: Path) -> None:
    """Note for the next run that something is damaged; in a store that cannot be written it looks for itself."""
    try:
        write_file(store / ".axonflow" / DAMAGED, b"")
    except OSError:
        return


def _faults(store: Path) -> Iterator[str]:
    """Find what does not agree though every file is as it was written."""
    record, journal = read_record(store), store / ".axonflow" / "journal"
    for stage in record["stages"]:
        if not any(journal.glob(f"{stage}/*/done*")):
            yield f"The journal does not say that the stage {stage!r} is done; run it again to complete it."
            return
    analysis = open_store(store)
    try:
        yield from _metadata(analysis)
        yield from _table_and_labels(analysis)
        yield from _maps_and_table(analysis)
    except AxonflowError as error:
        yield str(error)


def _metadata(analysis: Analysis) -> Iterator[str]:
    """Open every image as what it says that it is."""
    Pyramid.open(analysis.store)
    for name in LABELS:
        Pyramid.open(analysis.store / "labels" / name)
    if "masks" not in analysis.record["model"]:
        Blocks.open(analysis.store / "traits")
    yield from ()


def _table_and_labels(analysis: Analysis) -> Iterator[str]:
    """Count the pixels of a sample of axons in the labels again."""
    size = analysis.record["labels"]["pixel_size_um"]
    columns = ["axon_id", "axon_area (um^2)", *(f"bbox_{end}_{axis}" for end in ("min", "max") for axis in "yx")]
    fibers = analysis.counted_fibers(columns)
    axons = analysis.pyramid("axons")
    for i in np.unique(np.linspace(0, len(fibers) - 1, min(SAMPLE, len(fibers))).astype(int)):
        number, area_um2, *corners = fibers.iloc[i]
        found = int((axons.read(Box(*map(int, corners))) == number).sum())
        expected = area_um2 / (size[0] * size[1])
        if not abs(found - expected) < 0.5:
            yield f"Axon {int(number)} has {expected:,.0f} px in the table and {found:,} px in labels/axons."


def _maps_and_table(analysis: Analysis) -> Iterator[str]:
    """Count the axons of every cell in the table again."""
    maps = analysis.maps
    mapped, side = analysis.mapped_axons, float(maps.attrs["cell_side_um"])
    at = analysis.counted_fibers(["y0 (um)", "x0 (um)"]).to_numpy()
    if not ((at >= 0) & (at < 2.0**40 * side)).all():
        yield "Some axons of the table lie at places that no slide has."
        return
    cells = np.minimum((at / side).astype(np.int64), np.array(mapped.shape) - 1)
    counted = np.zeros(mapped.shape, np.int64)
    np.add.at(counted, tuple(cells.T), 1)
    wrong = int((counted != mapped).sum())
    if wrong:
        yield f"In {wrong:,} of {counted.size:,} cells maps/axon_count is not the number of axons in the table."
