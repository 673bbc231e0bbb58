"""Numbers as a person reads them, in the unit and with the digits that say something."""

from __future__ import annotations

from math import isfinite

__all__ = [
    "area",
    "count",
    "density",
    "length",
    "listed",
    "mean_and_spread",
    "memory",
    "number",
    "outside",
    "share",
    "size",
]

MISSING = "–"


def count(n: float, one: str = "", many: str = "") -> str:
    """Return a whole number with commas, and what is counted: ``1 axon``, ``1,234 axons``."""
    return f"{n:,.0f} {one if n == 1 else many or one + 's'}" if one else f"{n:,.0f}"


def listed(*words: object) -> str:
    """Return words as a sentence lists them: ``a``, ``a and b``, ``a, b and c``."""
    *first, last = map(str, words)
    return f"{', '.join(first)} and {last}" if first else last


def density(per_mm2: float | None) -> str:
    """Return a number of axons per mm² with three digits: the rest hangs on a few axons more or less."""
    return MISSING if per_mm2 is None or not isfinite(per_mm2) else f"{float(f'{per_mm2:.3g}'):,.10g}"


def number(value: float | None, form: str, unit: str = "") -> str:
    """Return a number in a format, with its unit; a dash if it is not known."""
    if value is None or not isfinite(value):
        return MISSING
    return f"{value:{form}} {unit}".rstrip()


def outside(low: float | None, high: float | None, unit: str = "") -> str:
    """Return what lies out of a range: ``below 0.4 µm or above 3 µm``; None bounds nothing."""
    bounds = ((word, bound) for word, bound in (("below", low), ("above", high)) if bound is not None)
    return " or ".join(f"{word} {bound:g} {unit}".rstrip() for word, bound in bounds)


def share(part: float) -> str:
    """Return a part of 1 in per cent, with two digits that say something."""
    if not isfinite(part):
        return MISSING
    if 0 < part < 0.0001:
        return "less than 0.01\N{NO-BREAK SPACE}%"
    return (f"{100 * part:.2g}" if part < 0.1 else f"{100 * part:.0f}") + "\N{NO-BREAK SPACE}%"


def mean_and_spread(mean: float, spread: float, n: int, unit: str) -> str:
    """Return a mean with its standard deviation, to a hundredth, or finer if it is small: ``2.62 ± 2.15 µm``.

    One value alone has no spread, and none has no mean.
    """
    if n == 0 or not isfinite(mean):
        return MISSING
    form = ".2f" if abs(mean) >= 0.1 or mean == 0 else ".2g"
    return f"{mean:{form}} ± {spread:{form}} {unit}" if n > 1 else f"{mean:{form}} {unit}"


def length(um: float) -> str:
    """Return a length in µm or mm."""
    return f"{_three(um / 1000)} mm" if um >= 1000 else f"{_three(um)} µm"


def size(height_um: float, width_um: float) -> str:
    """Return a height and a width in one unit."""
    if max(height_um, width_um) >= 1000:
        return f"{_three(height_um / 1000)} × {_three(width_um / 1000)} mm"
    return f"{_three(height_um)} × {_three(width_um)} µm"


def area(mm2: float) -> str:
    """Return an area in mm², or in µm² if it is less than a square of 100 µm."""
    if not isfinite(mm2):
        return MISSING
    return f"{_three(mm2)} mm²" if mm2 >= 0.01 or mm2 == 0 else f"{_three(mm2 * 1e6)} µm²"


def memory(bytes_: float) -> str:
    """Return an amount of memory, or of a disk."""
    if bytes_ >= 2**30:
        return f"{_three(bytes_ / 2**30)} GiB"
    return f"{bytes_ / 2**20:.0f} MiB" if bytes_ >= 2**20 or bytes_ == 0 else f"{-(-bytes_ // 1024):.0f} KiB"


def _three(value: float) -> str:
    """Return three digits, and more before the point if there are more; never an exponent."""
    return f"{round(value):,}" if value >= 1000 else f"{float(f'{value:.3g}'):.10g}"
