"""Values that programs stumble over, and documents with such a value in some place."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

__all__ = ["changed_bytes", "changed_json", "changed_toml", "changed_xml"]

NESTED, DIGITS = 100_000, 5_000
_DEEP_LIST, _DEEP_OBJECT, _LONG_NUMBER = "@deep list@", "@deep object@", "@long number@"
_WRITTEN = {
    _DEEP_LIST: "[" * NESTED + "]" * NESTED,
    _DEEP_OBJECT: '{"a":' * NESTED + "1" + "}" * NESTED,
    _LONG_NUMBER: "9" * DIGITS,
}
"""What no library writes, put in its place in the text."""

NUMBERS: tuple[Any, ...] = (
    *(0, 1, -1, 2, 3, 255, 256, 65_535, 2**31 - 1, 2**31, 2**32, 2**53 + 1, 2**63 - 1, 2**63, 2**64, -(2**63)),
    *(10**6, 10**12, 10**18, 10**30, 10**400, 0.0, -0.0, 0.5, 1e-308, 1e308, -1e308, 1e-9),
    *(float("nan"), float("inf"), -float("inf")),
)
WORDS = (
    *("", " ", "a" * 10_000, "\0", "\n", "\x1b[31m", "é", "\ud800", "nan", "inf", "-1", "1e999", "0x10", "1_0", "１"),
    *("../../../../etc/passwd", "/etc/passwd", "/dev/zero", "..", ".", "/", "~", "~nobody-there/x", "C:\\x", "a/b"),
    *("%s%n", "{0}", "{}", "[bold]", "__proto__", "null", "None", "true", "x" * 255, "é" * 200),
)


def scalar(chance: random.Random) -> Any:
    """Return some value that may be in any place."""
    kind = chance.random()
    if kind < 0.45:
        return chance.choice(NUMBERS)
    if kind < 0.8:
        return chance.choice(WORDS)
    return chance.choice([None, True, False, [], {}, [[]], [None], {"": None}, [1, 2, 3, 4, 5, 6], list(range(2000))])


def changed_bytes(chance: random.Random, content: bytes) -> bytes:
    """Flip, cut, double, insert or overwrite some bytes."""
    changed = bytearray(content)
    for _ in range(chance.choice((1, 1, 1, 2, 4, 16))):
        at = chance.randrange(len(changed) + 1)
        length = chance.choice((1, 2, 4, 8, 64, 1024))
        match chance.randrange(7):
            case 0 if changed:
                changed[min(at, len(changed) - 1)] ^= 1 << chance.randrange(8)
            case 1:
                del changed[at:]
            case 2:
                del changed[at : at + length]
            case 3:
                changed[at:at] = chance.randbytes(length)
            case 4:
                changed[at : at + length] = chance.choice((b"\0", b"\xff", b"\x7f", b"\x80")) * length
            case 5:
                changed[at:at] = changed[at : at + length]
            case _:
                number = chance.choice((0, 1, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, 2**64 - 1))
                size = chance.choice((4, 8))
                changed[at : at + size] = (number % 2 ** (8 * size)).to_bytes(size, "little")
    return bytes(changed)


def changed_json(chance: random.Random, document: Any) -> bytes:
    """Write a document of JSON in which some values are others, gone, twice there or somewhere else."""
    document = copy.deepcopy(document)
    for _ in range(chance.choice((1, 1, 1, 2, 3, 8))):
        document = _changed(chance, document)
    try:
        text = json.dumps(document)
    except ValueError:  # it holds itself
        text = "[]"
    for word, written in _WRITTEN.items():
        text = text.replace(f'"{word}"', written)
    content = text.encode()
    return changed_bytes(chance, content) if chance.random() < 0.08 else content


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every container of a document with each of its keys."""
    if isinstance(value, dict):
        items: Any = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    else:
        return
    for key, inner in items:
        yield value, key
        yield from _places(inner)


def _changed(chance: random.Random, document: Any) -> Any:
    places = [*_places(document)]
    if not places or chance.random() < 0.02:
        return scalar(chance)
    holder, key = chance.choice(places)
    value = holder[key]
    match chance.randrange(12):
        case 0 | 1 | 2:
            holder[key] = scalar(chance)
        case 3:
            del holder[key]
        case 4 if isinstance(holder, dict):
            holder[chance.choice(WORDS)] = holder.pop(key)
        case 5:
            other, at = chance.choice(places)
            holder[key] = copy.deepcopy(other[at])
        case 6:
            holder[key] = [value]
        case 7:
            holder[key] = {"name": value}
        case 8 if isinstance(value, int | float) and not isinstance(value, bool):
            third = value / 3 if abs(value) < 1e300 else value  # a float has no room for some integers
            holder[key] = chance.choice((-value, value + 1, value * 2**20, third, str(value)))
        case 9 if isinstance(value, list):
            holder[key] = value * chance.choice((0, 2, 3, 100)) if len(str(value)) < 200 else value[: len(value) // 2]
        case 10:
            holder[key] = chance.choice([*_WRITTEN])
        case 11 if isinstance(value, str):
            holder[key] = chance.choice((value + "x", value.upper(), value[:-1], value * 3, value + "\0"))
        case _:
            holder[key] = scalar(chance)
    return document


def changed_xml(chance: random.Random, text: str) -> str:
    """Return an XML document in which some attributes, elements or texts are others, gone, or there many times."""
    for prefix in ("http://www.openmicroscopy.org/Schemas/OME/2016-06",):
        ElementTree.register_namespace("", prefix)
    root = ElementTree.fromstring(text)
    for _ in range(chance.choice((1, 1, 2, 3, 6))):
        every = [*root.iter()]
        element = chance.choice(every)
        match chance.randrange(8):
            case 0 | 1 | 2 | 3:
                if element.attrib:
                    name = chance.choice([*element.attrib])
                    element.set(name, _in_xml(chance))
            case 4 if element.attrib:
                del element.attrib[chance.choice([*element.attrib])]
            case 5 if len(element):
                inner = chance.choice([*element])
                if chance.random() < 0.5:
                    element.remove(inner)
                else:
                    element.extend([inner] * chance.choice((1, 2, 1000)))
            case 6:
                element.text = _in_xml(chance)
            case _:
                element.tag = chance.choice((element.tag + "x", chance.choice(every).tag, "a"))
    try:
        changed = ElementTree.tostring(root, "unicode")
    except (TypeError, ValueError, UnicodeError):
        changed = text
    if chance.random() < 0.06:
        entities = "".join(f'<!ENTITY a{i} "{f"&a{i - 1};" * 10 if i else "lol"}">' for i in range(12))
        changed = f"<!DOCTYPE OME [{entities}]>" + changed.replace("</OME>", "<a>&a11;</a></OME>")
    if chance.random() < 0.04:
        changed = changed.replace("</OME>", "<a>" * NESTED + "</a>" * NESTED + "</OME>")
    return changed


def _in_xml(chance: random.Random) -> str:
    value = chance.choice((*NUMBERS, *WORDS, _LONG_NUMBER, *(str(k) for k in (10**5, 10**7, 10**9, 4097, 70_000))))
    said = "9" * DIGITS if value == _LONG_NUMBER else str(value)
    return "".join(letter for letter in said if letter >= " " and not "\ud800" <= letter <= "\udfff")


_IN_TOML = (
    *("0", "-1", "1e400", "nan", "-inf", "true", "9" * DIGITS, "0x" + "f" * DIGITS, "9223372036854775808", '""', "[]"),
    *("[" * 5_000 + "]" * 5_000, "{a = " * 3_000 + "1" + "}" * 3_000, "1979-05-27T07:32:00Z", "07:32:00", "{}"),
    *('"\\u0000"', '"\\n"', '"\\u001b[2J"', '"/dev/zero"', '"../../x"', f'"{"a" * 10_000}"', "'''\n\n'''", "[1, 'a']"),
    *("'local'", "'slurm'", "'sem'", "[[1, 2], [3]]", "{a = {b = 1}}", "1_000", "0.1", "'8:4'", "'99999999:00:00'"),
)


def changed_toml(chance: random.Random, text: str) -> bytes:
    """Write a TOML file some of whose lines are others, gone or twice there."""
    lines = text.splitlines()
    for _ in range(chance.choice((1, 1, 2, 3))):
        at = chance.randrange(len(lines))
        name, divider, _value = lines[at].partition("=")
        match chance.randrange(8):
            case 0 | 1 | 2 | 3 if divider:
                lines[at] = f"{name}= {chance.choice(_IN_TOML)}"
            case 4:
                lines.insert(at, lines[chance.randrange(len(lines))])
            case 5 if len(lines) > 1:
                del lines[at]
            case 6:
                deep = "a." * chance.choice((3, 3_000))
                lines.insert(at, chance.choice((f"{deep}b = 1", f"[{deep}b]", "[[run]]", "[run.x]", "=", "[", "x = 1")))
            case _:
                lines[at] = chance.choice(WORDS) + lines[at]
    content = "\n".join(lines).encode(errors="surrogatepass")
    return changed_bytes(chance, content) if chance.random() < 0.1 else content
