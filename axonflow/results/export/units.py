"""Units and meanings of a table's columns, as its file says them."""

from __future__ import annotations

from pathlib import Path

__all__ = ["described"]


def described(path: Path) -> dict[str, tuple[str, str]]:
    """Return unit and meaning of each column of a Parquet file that this project wrote, by its name."""
    from pyarrow import parquet

    about = {field.name: field.metadata or {} for field in parquet.read_schema(path)}
    return {
        name: (said.get(b"unit", b"").decode(), said.get(b"description", b"").decode()) for name, said in about.items()
    }
