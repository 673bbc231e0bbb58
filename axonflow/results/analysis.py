"""A store, opened: what a run made, as dask, pandas and xarray values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from axonflow.engine.journal import entry_arrays
from axonflow.engine.proof import Damage, prove
from axonflow.errors import DamageError, StoreError
from axonflow.fiber.kinds import KIND, MYELINATED, UNMYELINATED, of_kind
from axonflow.kernel.classes import AXON_MYELIN, Classes, Labels
from axonflow.kernel.grid import Box
from axonflow.kernel.words import count, listed
from axonflow.net.familiarity import SQUARE, square_traits
from axonflow.ngff import Blocks, Pyramid
from axonflow.ngff.maps import read_map_arrays, read_maps
from axonflow.ngff.plane import Plane
from axonflow.workflow.record import read_record
from axonflow.workflow.sense import UNPROVED, Given, read_warnings

if TYPE_CHECKING:
    import dask.array as da
    import pandas as pd
    import xarray as xr

__all__ = ["Analysis", "open_store"]

LABELS = ("semantic", "axons", "fibers")


@dataclass(frozen=True)
class Analysis:
    """What a run made of one slide.

    Attributes
    ----------
    store : Path
    record : dict
        How it was made: settings, model, versions, times.
    """

    store: Path
    record: dict[str, Any]

    @property
    def warnings(self) -> tuple[Given, ...]:
        """What does not look right, each with ``.id``, ``.message`` and ``.values``; empty if nothing was found."""
        return (*self.unproved, *read_warnings(self.record))

    @property
    def unproved(self) -> tuple[Given, ...]:
        """The one of them that is of the files, not of the run: that nothing proves them; empty if something does."""
        return () if (self.store / ".axonflow" / "journal").is_dir() else (UNPROVED,)

    def pyramid(self, labels: str | None = None) -> Pyramid:
        """Return the slide with all its levels, or labels of a name with theirs."""
        self._need("slide" if labels is None else f"labels/{labels}")
        return Pyramid.open(self.store if labels is None else self.store / "labels" / labels)

    @cached_property
    def damages(self) -> tuple[Damage, ...]:
        """What is not as the run wrote it; what is in the pixels' files shows when they are read."""
        return prove(self.store / ".axonflow" / "journal", quick=True).damages

    def _need(self, part: str) -> None:
        """Refuse a part of the store that is damaged; the others can be had.

        Raises
        ------
        DamageError
        """
        for damage in self.damages:
            if damage.part == part:
                raise DamageError(
                    f"{damage.path} was expected as its run wrote it, but it {damage.what}. Run the same axonflow run "
                    f"again: it makes anew what is damaged; 'axonflow check {self.store}' lists it."
                )

    @cached_property
    def image(self) -> da.Array:
        """The slide: (h, w), its own dtype, lazy."""
        return _lazy(self.pyramid())

    @cached_property
    def labels(self) -> dict[str, da.Array]:
        """``semantic`` (uint8: numbers of the classes), ``axons`` and ``fibers`` (uint32 ids): (h, w), lazy."""
        return {name: _lazy(self.pyramid(name)) for name in LABELS}

    @cached_property
    def classes(self) -> Classes:
        """What the numbers in ``semantic`` mean: 0 background, 1 myelin, 2 axon, unless the model named others."""
        named = self.record["model"].get("classes")
        return AXON_MYELIN if named is None else Classes.from_json(named)

    @property
    def kind_columns(self) -> tuple[str, ...]:
        """The column that tells axons with myelin and without apart, if the table has it."""
        return () if self.classes.unmyelinated is None else (KIND.name,)

    @cached_property
    def network_columns(self) -> tuple[str, ...]:
        """The column with the network's probability of each axon; tables of own masks, and the first, have none."""
        from axonflow.fiber.probability import PROBABILITY
        from axonflow.fiber.table import extra_columns

        return (PROBABILITY.name,) if PROBABILITY in extra_columns(self._table) else ()

    @property
    def mapped_axons(self) -> NDArray[np.float64]:
        """Number of axons in each cell of the maps, of both kinds, (y, x); 0 where nothing counts."""
        counts: NDArray[np.float64] = np.nan_to_num(self.maps["axon_count"].to_numpy())
        if self.classes.unmyelinated is not None:
            counts += np.nan_to_num(self.maps["unmyelinated_count"].to_numpy())
        return counts

    @cached_property
    def counted(self) -> da.Array:
        """Classes as maps count them, lazy: ``semantic``, where what a rule or its size has left out is background."""
        counted = self.classes.counted(self.labels["semantic"], self.labels["axons"])
        if self._judged is None:
            return counted
        import dask.array as da

        return da.map_blocks(_without, counted, self.labels["fibers"], self._judged, dtype=np.uint8)

    def counted_in(self, box: Box) -> Labels:
        """Return the same in a box of the labels, (h, w) uint8."""
        counted = self.classes.counted(*(self.pyramid(name).read(box) for name in ("semantic", "axons")))
        return counted if self._judged is None else _without(counted, self.pyramid("fibers").read(box), self._judged)

    @cached_property
    def _judged(self) -> NDArray[np.bool_] | None:
        """By id, whether a rule has judged an axon so that its pixels do not count; None if none has."""
        from axonflow.fiber.rules import LEFT_OUT, judged

        if not self.record.get("rules", {}).keys() - {"border"}:
            return None
        out: NDArray[np.bool_] = np.r_[False, judged(self._read_fibers([LEFT_OUT.name]))]
        return out

    def above_bar(self, drawn: Labels) -> Labels:
        """Return labels that were drawn on the image as the microscope saved it without its info bar, if it was cut.

        Parameters
        ----------
        drawn : (h, w) uint8
            Of any other shape they are returned as they are.
        """
        height, width = self.record["slide"]["shape"]
        bar = self.record["slide"].get("info_bar")
        if bar and not bar["kept"] and drawn.shape == (height + bar["rows"], width):
            return drawn[:height]
        return drawn

    @cached_property
    def fibers(self) -> pd.DataFrame:
        """One row per axon, in the order of their ids; units stand in the columns' names.

        Where the classes have axons without myelin, ``kind`` tells these from the others.
        """
        return self._read_fibers()

    @property
    def axon_count(self) -> int:
        """Number of axons, those included that do not count."""
        from axonflow.fiber.table import count_axons

        return count_axons(self._table)

    @cached_property
    def regions(self) -> pd.DataFrame:
        """One row per region, in the order of the file.

        Raises
        ------
        StoreError
            If the run had no regions.
        """
        from axonflow.fiber.region_table import read_regions

        self._need("tables/regions.parquet")

        if self.record["config"].get("regions") is None:
            raise StoreError(f"Regions were expected in {self.store}, but its run had none; run it with --regions.")
        return read_regions(self.store / "tables" / "regions.parquet")

    def counted_fibers(self, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """Read the rows of the axons that count, which are those that no rule has left out.

        The table says which; in that of a store of before there were rules all count, but those outside of the mask.

        Parameters
        ----------
        columns : sequence of str, optional
            Names of those wanted, as a table of millions is large; all when left out.

        Returns
        -------
        DataFrame
            In the order of their ids.
        """
        from axonflow.fiber.rules import LEFT_OUT

        if self.decided:
            named = None if columns is None else [*dict.fromkeys([*columns, LEFT_OUT.name])]
            fibers = self._read_fibers(named)
            there = fibers[fibers[LEFT_OUT.name].isna()]
            return there if columns is None else there[[*columns]]
        fibers, rows = self._read_fibers(columns), self._counted_rows
        if rows is not None and len(rows) and not 0 <= rows[0] <= rows[-1] < len(fibers):
            raise StoreError(
                f"Rows up to {rows[-1]:,} were expected in {self._table}, it has {len(fibers):,}; run the same "
                "axonflow run again with --fresh."
            )
        return fibers if rows is None else fibers.iloc[rows]

    def counting_numbers(self, kind: str, *columns: str) -> tuple[NDArray[np.float64], ...]:
        """Return columns of the axons of one kind that count, as :meth:`counted_fibers` does, without pandas."""
        from axonflow.fiber.table import counting_numbers

        if self.decided:
            return counting_numbers(self._table, columns, kind if self.kind_columns else None)
        fibers = of_kind(self.counted_fibers([*columns, *self.kind_columns]), kind)
        return tuple(fibers[name].to_numpy() for name in columns)

    @property
    def left_out(self) -> dict[str, int]:
        """How many axons each rule has left out, by the names in the table's column ``left_out``."""
        found: dict[str, int] = self.record["stages"].get("measure.rules", {}).get("left_out", {})
        return found

    def left_out_by(self, rule: str, columns: Sequence[str]) -> pd.DataFrame:
        """Read columns of the axons that a rule has left out, in the order of their ids."""
        from axonflow.fiber.rules import LEFT_OUT

        fibers = self._read_fibers([*columns, LEFT_OUT.name])
        return fibers.loc[fibers[LEFT_OUT.name] == rule, [*columns]]

    def left_out_in_words(self, rule: str) -> str:
        """Say how many axons a rule has left out: of each kind, if there are two."""
        n = self.left_out.get(rule, 0)
        if not (n and self.kind_columns):
            return count(n, "axon")
        gone = self.left_out_by(rule, self.kind_columns)
        kinds = {kind: len(of_kind(gone, kind)) for kind in (MYELINATED, UNMYELINATED)}
        return listed(*(count(of, f"{kind} axon") for kind, of in kinds.items() if of))

    @cached_property
    def decided(self) -> bool:
        """Whether the table says which axons count; that of a store of before there were rules does not."""
        from axonflow.fiber.rules import LEFT_OUT
        from axonflow.fiber.table import extra_columns

        return LEFT_OUT in extra_columns(self._table)

    @cached_property
    def _counted_rows(self) -> NDArray[np.int64] | None:
        """Those rows' numbers in a table that does not say it, by what the stage of the maps has noted; None for all.

        If its journal is gone, the axons of the cells of which anything counts are taken.
        """
        if self.record["config"]["mask"] is None:
            return None
        rows = _noted_rows(self.store / ".axonflow" / "journal" / "map")
        if len(rows) != int(self.mapped_axons.sum()):
            fibers, side = self._read_fibers(["y0 (um)", "x0 (um)"]), float(self.maps.attrs["cell_side_um"])
            counts = self.maps["covered_area"].to_numpy() > 0
            cells = tuple(
                np.minimum((fibers[f"{axis}0 (um)"].to_numpy() / side).astype(np.int64), counts.shape[i] - 1)
                for i, axis in enumerate("yx")
            )
            rows = np.flatnonzero(counts[cells])
        return rows

    @cached_property
    def maps(self) -> xr.Dataset:
        """The maps over (y, x) in µm, with units and long names."""
        self._need("maps")
        return read_maps(self.store / "maps")

    @cached_property
    def map_arrays(self) -> Mapping[str, NDArray[np.floating[Any]]]:
        """The same by name, each (y, x): without xarray, which takes half a second to load."""
        self._need("maps")
        return read_map_arrays(self.store / "maps")

    @cached_property
    def block_sums(self) -> da.Array:
        """Sums over blocks of 16 × 16 px of the labels, :data:`axonflow.net.familiarity.SUMS`: (4, b, c) uint32, lazy.

        Raises
        ------
        StoreError
            If no network made the labels.
        """
        import dask.array as da

        array = self._blocks.array()
        return da.from_array(array, chunks=array.chunks)

    def square_traits(self, side: int = SQUARE) -> NDArray[np.float64]:
        """Return how sure the network was of each square, and what it looks like.

        Parameters
        ----------
        side : int
            Of a square, in blocks of 16 px of the labels: 256 px unless told otherwise.

        Returns
        -------
        (rows, columns, 4) float64
            Traits (:data:`axonflow.net.familiarity.TRAITS`) of the square whose first pixel of the labels lies at
            16 · side · (row, column); of one that the slide's end cuts down to less than half, NaN.

        Raises
        ------
        StoreError
            If no network made the labels.
        """
        blocks = self._blocks
        h, w = blocks.shape
        rows = (Box(y, 0, min(y + side * blocks.side, h), w) for y in range(0, h, side * blocks.side))
        return np.concatenate([square_traits(blocks.read(row), row.shape, side) for row in rows])

    @property
    def _blocks(self) -> Blocks:
        if "masks" in self.record["model"]:  # sums of an earlier run may still lie there
            raise StoreError(
                f"Labels by a network were expected in {self.store}, but they are masks of its user, which say nothing "
                "of doubt; run the slide with --model, into a store of its own."
            )
        self._need("traits")
        return Blocks.open(self.store / "traits")

    @property
    def _table(self) -> Path:
        self._need("tables/fibers.parquet")
        return self.store / "tables" / "fibers.parquet"

    def _read_fibers(self, columns: Sequence[str] | None = None) -> pd.DataFrame:
        from axonflow.fiber.table import read_parquet

        return read_parquet(self._table, columns)

    @cached_property
    def missing_myelin(self) -> int:
        """How many of the axons that count, of the class with myelin, have none; their g-ratio is 1 by definition."""
        (myelin,) = self.counting_numbers(MYELINATED, "myelin_area (um^2)")
        return int((myelin == 0).sum())

    @property
    def on_slide_pixels(self) -> bool:
        """Whether labels, and places in px, are on the pixels of the slide."""
        slide, labels = self.record["slide"], self.record["labels"]
        return all(slide[name] == labels[name] for name in ("pixel_size_um", "shape"))

    @cached_property
    def summary(self) -> dict[str, str]:
        """The numbers a reader asks for first, over all that counts, with their units."""
        from axonflow.results.headline import headline

        return headline(self)


def open_store(store: str | Path) -> Analysis:
    """Open what a run made.

    Parameters
    ----------
    store : str or Path
        The ``.ome.zarr`` folder.

    Raises
    ------
    StoreError
        If it is no store of this program, or its run was not finished.
    """
    path = Path(store)
    record = read_record(path)
    if not record["complete"]:
        raise StoreError(
            f"A finished store was expected at {path}, but its run has not come to the maps; axonflow status {path} "
            f"says whether it is at work, and axonflow run {path} completes it if not."
        )
    return Analysis(path, record)


def _noted_rows(journal: Path) -> NDArray[np.int64]:
    found = [np.zeros(0, np.int64)]
    for path in journal.glob("*/*.npz"):
        with entry_arrays(path) as arrays:
            found += [arrays[name] for name in arrays if name.endswith("/rows")]
    return np.sort(np.concatenate(found))


def _without(counted: Labels, fibers: NDArray[np.uint32], judged: NDArray[np.bool_]) -> Labels:
    """Return classes with the fibers that were judged as background, by their ids."""
    return np.where(judged[fibers], np.uint8(0), counted)


def _lazy(pyramid: Pyramid) -> da.Array:
    import dask.array as da

    plane = Plane(pyramid)
    return da.from_array(plane, chunks=plane.chunk, meta=np.empty((0, 0), plane.dtype))
