"""A journal whose checksums are right, but which says what no run writes: damage, and nothing outside of the store."""

from __future__ import annotations

import io
import json
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from google_crc32c import value as crc32c
from hypothesis import given
from hypothesis import strategies as st

from axonflow.engine.journal import Journal, Record, read_note
from axonflow.engine.proof import mend, prove, written
from axonflow.engine.stage import Result, Stage
from axonflow.errors import DamageError
from axonflow.kernel.files import summed, write_file
from axonflow.kernel.grid import Box, Grid

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def nothing(box: Box) -> Result:
    return {}


@pytest.fixture
def record(tmp_path: Path) -> Record:
    """A stage of two batches that is done; it has made a group."""
    stage = Stage("s", 1, {}, (), (4, 2), tuple(Grid((4, 2), (2, 2)).batches(1)), nothing)
    found = Journal(tmp_path / "store" / ".axonflow" / "journal").record(stage)
    found.store.mkdir()
    with summed() as sums:
        write_file(found.store / "zarr.json", b"{}")
    found.begin(sums)
    for i in range(2):
        found.commit(i, [{"a": np.arange(3)}], {})
    found.close({"seconds": 1}, {})
    return found


def put(entry: Path, content: bytes) -> Path:
    """Write a file of a journal anew, with its checksum."""
    name, _, kind = entry.name.split(".")
    entry.unlink()
    anew = entry.with_name(f"{name}.{crc32c(content):08x}.{kind}")
    anew.write_bytes(content)
    return anew


def entry(record: Record, name: str) -> Path:
    return next(record.folder.glob(f"{name}.*"))


def listing(names: Any) -> bytes:
    return json.dumps({"batches": 2, "files": names, "contents": {}}).encode()


@pytest.mark.parametrize("name", ["../outside", "/outside", "a/../../outside", "..", "", ".", "a\nb"])
def test_a_name_outside_of_the_store_is_damage(name: str, record: Record) -> None:
    anew = put(entry(record, "begun"), listing({name: [1, 2]}))
    with pytest.raises(DamageError, match="damaged"):
        read_note(anew)
    assert [damage.path for damage in prove(record.folder.parents[1]).damages] == [anew]


@pytest.mark.parametrize("numbers", [[1], [1, 2, 3], [-1, 2], [1.0, 2], [True, 2], [10**400, 1], "12", None, {}])
def test_a_sum_that_is_none_is_damage(numbers: Any, record: Record) -> None:
    with pytest.raises(DamageError):
        read_note(put(entry(record, "begun"), listing({"a": numbers})))


@given(content=ANYTHING.map(json.dumps) | st.text() | st.sampled_from(["[" * 100_000, "9" * 5000]))
def test_any_text_is_read_or_is_damage(content: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    encoded = content.encode(errors="surrogatepass")
    path = tmp_path_factory.getbasetemp() / f"done.{crc32c(encoded):08x}.json"
    path.write_bytes(encoded)
    with pytest.raises(DamageError):  # nothing that is drawn has files and contents
        read_note(path)
    path.unlink()


def _zip(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


def _npy(header: str) -> bytes:
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PK",
        _zip({}),
        _zip({"files": b"{}"}),
        _zip({"files.npy": b"no array"}),
        _zip({"files.npy": _npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }\n")}),
        _zip({"files.npy": _npy("{'descr': '|u1', 'fortran_order': False, 'shape': (1000000000000000,), }\n")}),
        _zip({"files.npy": _npy("{'descr': '|u1', 'fortran_order': False, 'shape': (-1,), }\n")}),
        _zip({"files.npy": b"\0" * 2**24}),
    ],
)
def test_arrays_that_are_none_are_damage(content: bytes, record: Record) -> None:
    anew = put(entry(record, "00000000"), content)
    with pytest.raises(DamageError):
        read_note(anew)
    assert [damage.path for damage in prove(record.folder.parents[1]).damages] == [anew]


@pytest.mark.parametrize("name", ["x.npz", ".npz", "00000000.npz", "begun.json", "-1.00000000.npz", "done.0.json"])
def test_a_file_of_another_name_counts_for_nothing(name: str, record: Record) -> None:
    (record.folder / name).write_bytes(b"x")
    assert sorted(record.batches()) == [0, 1]
    assert [damage.path.name for damage in prove(record.folder.parents[1]).damages] in ([name], [])


def test_metadata_that_do_not_fit_their_own_sum_are_not_put_back(record: Record) -> None:
    said = {"batches": 2, "files": {"zarr.json": [2, crc32c(b"{}")]}, "contents": {"zarr.json": "[]"}}
    put(entry(record, "begun"), json.dumps(said).encode())
    assert [each.content for each in written(record.folder.parents[1])[0]] == [None]


@pytest.mark.parametrize("link", [True, False])
def test_nothing_is_written_through_a_link_or_into_a_pipe(link: bool, record: Record, tmp_path: Path) -> None:
    other, metadata = tmp_path / "other", record.store / "zarr.json"
    other.write_text("precious")
    metadata.unlink()
    if link:
        metadata.symlink_to(other)
    else:
        os.mkfifo(metadata)
    proof = prove(record.folder.parents[1])
    assert list(mend(proof.damages)) == [metadata]
    assert other.read_text() == "precious"
    assert metadata.read_bytes() == b"{}"
    assert not metadata.is_symlink()
    assert not prove(record.folder.parents[1]).damages


def test_what_is_in_the_place_of_a_record_is_taken_away(record: Record) -> None:
    for batch, path in record.batches().items():
        path.unlink()
        path.mkdir() if batch else os.mkfifo(path)
    list(mend(prove(record.folder.parents[1]).damages))
    assert record.missing() == [0, 1]
    assert not record.complete


def test_so_many_batches_as_nobody_has_fill_no_memory(record: Record) -> None:
    said = {"batches": 10**7, "files": {}, "contents": {}}
    put(entry(record, "begun"), json.dumps(said).encode())
    assert 0 < len(prove(record.folder.parents[1]).damages) <= 10_000
