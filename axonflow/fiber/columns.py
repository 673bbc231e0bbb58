"""Tables on disk: Parquet files whose every column says its unit and what it means; and text that is safe in CSV."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from axonflow.errors import DamageError, StoreError
from axonflow.kernel.documents import open_file, said
from axonflow.kernel.files import new_file
from axonflow.kernel.text import to_cell

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    from pyarrow import parquet

__all__ = [
    "ROWS",
    "Column",
    "column_names",
    "count_rows",
    "for_csv",
    "read_columns",
    "read_groups",
    "read_numbers",
    "write_columns",
]

ROWS = 2**16
"""Of a group in a file: what is read at once, a few MB."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table.

    Attributes
    ----------
    name : str
        As it stands in the table.
    unit : str
        ``um``, ``um^2``, ``mm^2``, ``mm^-2``, ``px``, ``rad``, ``1`` for a pure number, or nothing for a name.
    meaning : str
        What it says, and its formula.
    dtype : str
        A numpy type, ``str`` (which may be missing) or ``list[int64]``.
    optional : bool
        Whether a number may be missing: it is NaN in memory and nothing in the file.
    """

    name: str
    unit: str
    meaning: str
    dtype: str = "float64"
    optional: bool = False

    @property
    def field(self) -> pa.Field:
        """The column as Parquet has it, with ``unit`` and ``description`` in its metadata."""
        import pyarrow as pa

        kind = pa.list_(pa.int64()) if self.dtype == "list[int64]" else pa.type_for_alias(self.dtype)
        about = {"unit": self.unit, "description": self.meaning}
        return pa.field(self.name, kind, nullable=self.optional or self.dtype == "str", metadata=about)


def write_columns(parts: Iterable[pd.DataFrame], columns: Sequence[Column], path: Path) -> None:
    """Write these columns of a table; the file appears whole or not at all, and equal tables give equal bytes.

    The table comes in parts of :data:`ROWS` rows or a multiple, but for the last.
    """
    import pyarrow as pa
    from pyarrow import parquet

    schema = pa.schema([column.field for column in columns])
    repeated = [column.name for column in columns if column.dtype == "str"]  # of numbers, few are twice the same
    with (
        new_file(path) as unnamed,
        parquet.ParquetWriter(
            unnamed, schema, compression="zstd", use_dictionary=repeated, write_page_checksum=True
        ) as file,
    ):
        for part in parts:
            arrays = [pa.array(part[field.name].to_numpy(), field.type, from_pandas=field.nullable) for field in schema]
            file.write_table(pa.Table.from_arrays(arrays, schema=schema), row_group_size=ROWS)


def for_csv(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table as it may be written as CSV: text that a spreadsheet would run begins with an apostrophe.

    :func:`axonflow.kernel.text.from_cell` takes it away again. So do names of columns, which a user may have given.
    Numbers and missing values are as they were.
    """
    from pandas.api.types import is_numeric_dtype

    safe = table.copy(deep=False)
    for name in table:
        if not is_numeric_dtype(table[name]):
            safe[name] = table[name].map(_cell)
    return safe.rename(columns=_cell)


def _cell(value: object) -> object:
    return to_cell(value) if isinstance(value, str) else value


def column_names(path: Path, what: str) -> list[str]:
    """Return the names of the columns that a table has; ``what`` is in it, in the message if it cannot be read.

    Raises
    ------
    StoreError
        If there is no such table, or the file is something else.
    """
    names: list[str] = _opened(path, what).schema_arrow.names
    return names


def count_rows(path: Path, what: str) -> int:
    """Return how many rows a table has; parameters and errors as of :func:`column_names`."""
    return int(_opened(path, what).metadata.num_rows)


def read_columns(path: Path, columns: Sequence[Column], what: str) -> pd.DataFrame:
    """Read columns of a table.

    Raises
    ------
    StoreError
        If there is no such table, it lacks one of them, or the file is something else.
    """
    table = _read(path, columns, what)
    frame: pd.DataFrame = table.to_pandas(ignore_metadata=True)
    return frame


def read_numbers(
    path: Path, columns: Sequence[Column], what: str, where: Mapping[Column, str | None]
) -> tuple[NDArray[np.float64], ...]:
    """Read columns of numbers without pandas, which takes a third of a second to load.

    Parameters
    ----------
    path, columns, what
        As of :func:`read_columns`.
    where : Mapping
        Columns of text, and what stands there in the rows that are wanted; None is nothing.

    Raises
    ------
    StoreError
        As :func:`read_columns`.
    """
    import pyarrow.compute as pc

    table = _read(path, [*columns, *where], what)
    for column, text in where.items():
        cells = table[column.name]
        table = table.filter(pc.is_null(cells) if text is None else pc.equal(cells, text))
    return tuple(np.concatenate([np.zeros(0), *map(_numbers, table[column.name].chunks)]) for column in columns)


def _numbers(part: pa.Array) -> NDArray[np.float64]:
    # an array's own way to numpy loads pandas
    return np.asarray(part.to_numpy(zero_copy_only=False) if part.null_count else np.from_dlpack(part), np.float64)


def _read(path: Path, columns: Sequence[Column], what: str) -> pa.Table:
    from pyarrow import parquet

    names = [column.name for column in columns]
    found = column_names(path, what)
    missing = [name for name in names if name not in found]
    if missing:
        raise StoreError(
            f"A table of {what} was expected at {path}, but it has no column {', '.join(missing)}; "
            "run the measure stage again."
        )
    try:
        with parquet.ParquetFile(path, page_checksum_verification=True) as file:  # read_table would load pandas
            return _checked(file.read(columns=names).select(names), columns)
    except _reasons() as reason:
        raise _unreadable(path, what, reason) from reason


def read_groups(
    path: Path, columns: Sequence[Column], what: str, within: tuple[str, float, float] | None = None
) -> Iterator[tuple[int, pd.DataFrame]]:
    """Yield the groups of rows of a table with the number of their first row.

    Those are left out that have nothing between two values of a column, given as (name, low, high).

    Raises
    ------
    StoreError
        If there is no such table, or the file is something else.
    """
    from pyarrow import parquet

    names = [column.name for column in columns]
    first = 0
    try:
        with parquet.ParquetFile(path, page_checksum_verification=True) as file:
            for i in range(file.num_row_groups):
                group = file.metadata.row_group(i)
                if within is None or _reaches(group.column(file.schema_arrow.get_field_index(within[0])), *within[1:]):
                    group_of_rows = _checked(file.read_row_group(i, columns=names), columns)
                    yield first, group_of_rows.to_pandas(ignore_metadata=True)
                first += group.num_rows
    except _reasons() as reason:
        raise _unreadable(path, what, reason) from reason


def _reasons() -> tuple[type[Exception], ...]:
    """Return what pyarrow raises over a file that is no table, or another one."""
    from pyarrow import ArrowException

    return ArrowException, LookupError, OSError, TypeError, ValueError


def _checked(table: pa.Table, columns: Sequence[Column]) -> pa.Table:
    """Return a table whose columns are of the kinds that were written; a ValueError says of which that is not so."""
    for column in columns:
        wanted, found = column.field, table.schema.field(column.name)
        if found.type != wanted.type or (table[column.name].null_count and not wanted.nullable):
            raise ValueError(f"{column.name} is {found.type}, and not {wanted.type} throughout")
    return table


def _opened(path: Path, what: str) -> parquet.ParquetFile:
    from pyarrow import parquet

    try:
        open_file(path).close()
        return parquet.ParquetFile(path)
    except _reasons() as reason:
        raise _unreadable(path, what, reason) from reason


def _reaches(column: parquet.ColumnChunkMetaData, low: float, high: float) -> bool:
    known = column.statistics
    return known is None or not known.has_min_max or bool(known.min <= high and known.max >= low)


def _unreadable(path: Path, what: str, reason: Exception) -> DamageError:
    return DamageError(
        f"A table of {what} was expected at {path}, but it cannot be read ({said(reason)}); run the measure stage "
        "again."
    )
