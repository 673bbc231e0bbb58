"""Tables as ngio and Fractal look for them: a Zarr group ``tables``, in it a group for each table, with its file.

::

    tables/                    lists the names
    ├── fibers/                says what the rows are, and of which labels
    │   └── table.parquet
    └── regions/ …

The file is a copy: what another program writes there in its place leaves the table that a run made as it is.

Source: https://biovisioncenter.github.io/ngio/stable/table_specs/overview/
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from axonflow.kernel.files import NewFiles
from axonflow.ngff.group import add_group

__all__ = ["feature_table", "generic_table", "write_tables"]

_FILE = "table.parquet"
_PARQUET = {"table_version": "1", "backend": "parquet"}


def feature_table(labels: str, index: str) -> dict[str, Any]:
    """Describe a table with a row for each label.

    Parameters
    ----------
    labels : str
        Name of the label image.
    index : str
        The column that holds the label.
    """
    return {
        "type": "feature_table",
        **_PARQUET,
        "index_key": index,
        "index_type": "int",
        "instance_key": index,
        "region": {"path": f"../labels/{labels}"},
    }


def generic_table(index: str) -> dict[str, Any]:
    """Describe a table of anything, whose rows a column of names tells apart."""
    return {"type": "generic_table", **_PARQUET, "index_key": index, "index_type": "str"}


def write_tables(folder: Path, tables: Mapping[str, Mapping[str, Any]]) -> None:
    """Write the groups of tables that lie in a folder as ``NAME.parquet``, and the list of them.

    Parameters
    ----------
    folder : Path
        ``STORE/tables``.
    tables : Mapping of str to Mapping
        What :func:`feature_table` or :func:`generic_table` returned, by name.
    """
    with NewFiles(folder) as files:
        for name, attributes in tables.items():
            with (folder / f"{name}.parquet").open("rb") as table, files.new_file(folder / name / _FILE) as copy:
                shutil.copyfileobj(table, copy)
            add_group(files, folder / name, attributes)
        add_group(files, folder, {"tables": [*tables]})
