"""Tables stand where ngio looks for them, and what it writes there is its own."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import zarr

from axonflow.ngff.tables import feature_table, generic_table, write_tables


def test_the_group_lists_tables_that_say_what_they_are(tmp_path: Path) -> None:
    tables = {"fibers": feature_table("axons", "axon_id"), "regions": generic_table("region")}
    for name in tables:
        pd.DataFrame({"axon_id": [1, 2], "region": ["a", "b"]}).to_parquet(tmp_path / f"{name}.parquet")
    write_tables(tmp_path, tables)
    group = zarr.open_group(tmp_path, mode="r")
    assert group.attrs["tables"] == ["fibers", "regions"]
    for name, said in tables.items():
        table = group[name]
        assert isinstance(table, zarr.Group)
        assert dict(table.attrs) == said
        assert (tmp_path / name / "table.parquet").read_bytes() == (tmp_path / f"{name}.parquet").read_bytes()


def test_what_is_written_in_the_group_leaves_the_table_alone(tmp_path: Path) -> None:
    pd.DataFrame({"axon_id": [1]}).to_parquet(tmp_path / "fibers.parquet")
    before = (tmp_path / "fibers.parquet").read_bytes()
    write_tables(tmp_path, {"fibers": feature_table("axons", "axon_id")})
    with (tmp_path / "fibers" / "table.parquet").open("r+b") as file:
        file.write(b"changed")
    assert (tmp_path / "fibers.parquet").read_bytes() == before
