"""Files of binary formats with some part changed, checksums and lengths made to fit: the parser behind is meant."""

from __future__ import annotations

import hashlib
import io
import json
import random
import struct
import zipfile
import zlib
from typing import Any

import numpy as np

from benchmarks.fuzzing.values import NUMBERS, WORDS, changed_bytes, changed_json

__all__ = ["changed_npz", "changed_parquet", "changed_png", "changed_safetensors", "changed_tiff"]

_LARGE = (0, 1, 2, 3, 7, 8, 16, 255, 4096, 65_535, 65_536, 2**20, 2**24, 2**31 - 1, 2**31, 2**32 - 1)


def changed_tiff(chance: random.Random, content: bytes) -> bytes:
    """Change entries of the directories of a classic little-endian TIFF, or the chain of these."""
    changed = bytearray(content)
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        directories = [*_directories(changed)]
        if not directories or chance.random() < 0.1:
            changed = bytearray(changed_bytes(chance, bytes(changed)))
            continue
        start = chance.choice(directories)
        (count,) = struct.unpack_from("<H", changed, start)
        entry = start + 2 + 12 * chance.randrange(max(count, 1))
        number = chance.choice((*_LARGE, len(changed), chance.randrange(len(changed)), *directories))
        match chance.randrange(8):
            case 0:
                code = chance.choice(
                    (254, 256, 257, 258, 259, 262, 270, 273, 277, 278, 279, 284, 317, 320, 322, 324, 339)
                )
                struct.pack_into("<H", changed, entry, code)
            case 1:
                struct.pack_into("<H", changed, entry + 2, chance.choice((0, 1, 2, 3, 4, 5, 11, 12, 13, 16, 99)))
            case 2:
                struct.pack_into("<I", changed, entry + 4, number)
            case 3 | 4:
                struct.pack_into("<I", changed, entry + 8, number)
            case 5:
                (place,) = struct.unpack_from("<I", changed, entry + 8)
                if place + 4 <= len(changed):
                    struct.pack_into("<I", changed, place, number)
            case 6:
                struct.pack_into("<H", changed, start, chance.choice((0, 1, count + 1, 65_535)))
            case _:
                if start + 2 + 12 * count + 4 <= len(changed):
                    struct.pack_into("<I", changed, start + 2 + 12 * count, number)
    return bytes(changed)


def _directories(content: bytes | bytearray) -> list[int]:
    found: list[int] = []
    (at,) = struct.unpack_from("<I", content, 4) if len(content) >= 8 else (0,)
    while 0 < at < len(content) - 18 and at not in found and len(found) < 8:
        found.append(at)
        (count,) = struct.unpack_from("<H", content, at)
        end = at + 2 + 12 * count
        if not 0 < count < 200 or end + 4 > len(content):
            found.pop()
            break
        (at,) = struct.unpack_from("<I", content, end)
    return found


def changed_png(chance: random.Random, content: bytes) -> bytes:
    """Change parts of a PNG, with their checksums made to fit."""
    parts, at = [], 8
    while at + 12 <= len(content):
        (length,) = struct.unpack_from(">I", content, at)
        parts.append((content[at + 4 : at + 8], content[at + 8 : at + 8 + length]))
        at += 12 + length
    for _ in range(chance.choice((1, 1, 2))):
        number = chance.randrange(len(parts))
        kind, data = parts[number]
        match chance.randrange(6):
            case 0 | 1 if kind == b"IHDR":
                field, size = chance.choice(((0, 4), (4, 4), (8, 1), (9, 1), (12, 1)))
                value = chance.choice(_LARGE) % 256**size
                data = data[:field] + value.to_bytes(size, "big") + data[field + size :]
                parts[number] = kind, data
            case 2:
                parts[number] = kind, changed_bytes(chance, data)
            case 3 if len(parts) > 1:
                del parts[number]
            case 4:
                extra = chance.choice((b"tRNS", b"PLTE", b"iCCP", b"zTXt", b"gAMA", b"acTL", b"eXIf"))
                parts.insert(number, (extra, chance.randbytes(chance.choice((0, 1, 3, 6, 300)))))
            case _:
                parts.insert(number, parts[chance.randrange(len(parts))])
    written = [content[:8]]
    for kind, data in parts:
        written.append(struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)))
    return b"".join(written)


def changed_npz(chance: random.Random, content: bytes) -> bytes:
    """Change arrays of an .npz file: their names, types, shapes and headers, or the JSON in the one named ``files``."""
    with np.load(io.BytesIO(content)) as archive:
        arrays = {name: archive[name] for name in archive.files}
    entries = {name: _npy(array) for name, array in arrays.items()}
    for _ in range(chance.choice((1, 1, 2))):
        if not entries:
            break
        name = "files" if "files" in entries and chance.random() < 0.4 else chance.choice([*entries])
        array = arrays.get(name, np.zeros(1))
        match chance.randrange(9):
            case 0 | 1 if name == "files":
                listed = changed_json(chance, json.loads(array.tobytes()))
                entries[name] = _npy(np.frombuffer(listed, np.uint8))
            case 2:
                del entries[name]
            case 3:
                renamed = chance.choice((name + "x", "files", "0/rows", "a/b", "99999999/x", "/x", "x", ""))
                entries[renamed] = entries.pop(name)
            case 4:
                dtype = chance.choice(("uint8", "int64", "float64", "bool", "complex128", "S8", "U4"))
                entries[name] = _npy(array.astype(dtype))
            case 5:
                shape = chance.choice(
                    ("(1000000000000,)", "(-1,)", "()", "(0,)", "(2, 3)", "(99999, 99999)", "1", "None")
                )
                entries[name] = _header(chance.choice(("|u1", "<i8", "|O", "<f8", "|V99999999", "?")), shape)
            case 6:
                entries[name] = _npy(np.repeat(array, 2, axis=0) if array.ndim else array)
            case 7:
                entries[name] = _npy(np.full_like(array, chance.choice((0, 1, 127))))
            case _:
                entries[name] = changed_bytes(chance, entries[name])
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive_out:
        for name, entry in entries.items():
            archive_out.writestr(f"{name}.npy", entry)
    changed = out.getvalue()
    return changed_bytes(chance, changed) if chance.random() < 0.1 else changed


def _npy(array: Any) -> bytes:
    out = io.BytesIO()
    np.save(out, array, allow_pickle=False)
    return out.getvalue()


def _header(dtype: str, shape: str) -> bytes:
    words = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(words)) + words.encode() + b"\0" * 64


def changed_safetensors(chance: random.Random, content: bytes) -> bytes:
    """Change the header of weights, or some numbers of them."""
    (length,) = struct.unpack_from("<Q", content)
    header, values = json.loads(content[8 : 8 + length]), bytearray(content[8 + length :])
    match chance.randrange(6):
        case 0 | 1 | 2:
            written = changed_json(chance, header)
        case 3:
            written = content[8 : 8 + length]
            special = struct.pack("<f", chance.choice((float("nan"), float("inf"), -1.0, 1e38, 0.0)))
            for _ in range(chance.choice((1, 10))):
                at = chance.randrange(len(values) // 4) * 4
                values[at : at + 4] = special
        case 4:
            written = content[8 : 8 + length]
            length = chance.choice((0, 1, length - 1, length + 1, 2**31, 2**63, 2**64 - 1))
            return struct.pack("<Q", length) + written + bytes(values)
        case _:
            return changed_bytes(chance, content)
    return struct.pack("<Q", len(written)) + written + bytes(values)


def with_digest(contract: dict[str, Any], weights: bytes) -> bytes:
    """Return a model's contract that names these weights."""
    return json.dumps(contract | {"sha256": hashlib.sha256(weights).hexdigest()}).encode()


def changed_parquet(chance: random.Random, content: bytes) -> bytes:
    """Change columns of a Parquet table, or its bytes."""
    import pyarrow as pa
    from pyarrow import parquet

    if chance.random() < 0.45:
        at = chance.choice((0, max(len(content) - 3000, 0)))
        return content[:at] + changed_bytes(chance, content[at:])
    table = parquet.read_table(pa.BufferReader(content))
    for _ in range(chance.choice((1, 1, 2, 4))):
        if not table.num_columns:
            break
        at = chance.randrange(table.num_columns)
        name = table.column_names[at]
        rows = table.num_rows
        number = chance.choice([each for each in NUMBERS if isinstance(each, float)])
        word = chance.choice(WORDS).encode("utf-8", "replace").decode()
        match chance.randrange(8):
            case 0:
                table = table.remove_column(at)
            case 1:
                table = table.rename_columns([*table.column_names[:at], word, *table.column_names[at + 1 :]])
            case 2:
                table = table.set_column(at, name, pa.array([number] * rows))
            case 3:
                table = table.set_column(at, name, pa.array([word] * rows))
            case 4:
                table = table.set_column(at, name, pa.nulls(rows, pa.int64()))
            case 5:
                table = table.set_column(at, name, pa.array([[1, 2]] * rows))
            case 6:
                table = table.slice(0, chance.choice((0, 1, max(rows - 1, 0))))
            case _:
                table = table.set_column(at, name, pa.array([chance.choice((-1, 2**62, 0))] * rows, pa.int64()))
    out = pa.BufferOutputStream()
    parquet.write_table(table, out)
    return bytes(out.getvalue())
