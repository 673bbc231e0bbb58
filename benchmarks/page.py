"""``docs/explanation/performance.md``, made of what the benchmarks measured.

``python -m benchmarks.page``: the page says what lies in ``benchmarks/results``, and nothing else, so that the same
results always give the same page.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.measuring import GIB, RESULTS

PAGE = Path(__file__).parents[1] / "docs" / "explanation" / "performance.md"

ORDER = ("convert", "segment", "measure-axondeepseg", "measure-skimage", "growth", "memory", "cord", "resume", "start")
"""How the results follow one another; any others come after these, by name."""

TITLE = "# Performance"

EXPECT = (
    ("a whole rat cord, 34,000² px, from the file to maps and report", "cord", "axonflow run"),
    ("8192² px segmented by `sem`", "segment", "axonflow"),
    ("16384² px of TIFF made an OME-Zarr with all levels", "convert", "axonflow convert"),
    ("10,000 axons labelled and measured, libraries loaded", "growth", "10,000 axons"),
    ("1,000,000 axons labelled and measured", "growth", "1,000,000 axons"),
    ("`axonflow run` of a store in which nothing is left to do", "resume", "axonflow run"),
    ("`axonflow info STORE`", "start", "axonflow info STORE"),
)
"""What a user asks first: the question, and the result and the side that answer it."""

EXPLAINED = """\
With a network, nearly all the time is the network's: it grows with the pixels, shrinks with the cores, and hardly hangs
on how many axons there are. The rows with `sem` are of bfloat16. Whole numbers, which such processors compute in by
now, take six tenths of it: a cord 8.3 minutes ([speed](speed.md)). Memory does not grow with the slide: a worker takes
0.4 to 0.5 GiB.
`axonflow plan slide.tif` says memory, disk and time of your own slide before you begin."""

METHOD = """\
Every figure comes from a script in `benchmarks/`, which runs all sides of a comparison in turn, each in processes of
its own: what disturbs the machine befalls all alike. Seconds and processor time are medians, with the range of all
runs; the peak of memory is that of a command and of all processes it starts. Peers run in environments of their own.
`python -m benchmarks.NAME`, in a clone of the repository, measures one again, and `python -m benchmarks.page` makes
this page. Where the time goes, and what was done about it, stands in [speed](speed.md)."""


def results(folder: Path = RESULTS) -> list[dict[str, Any]]:
    """Return all results in the order of the page."""
    found = {path.stem: json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))}
    known = [name for name in ORDER if name in found]
    return [found[name] for name in (*known, *(name for name in found if name not in ORDER))]


def page(measured: Sequence[Mapping[str, Any]]) -> str:
    """Return the page, as Markdown."""
    parts = [TITLE]
    if measured:
        parts += [
            _expected(measured),
            EXPLAINED,
            METHOD,
            _summary(measured),
            *map(_section, measured),
            _where(measured),
        ]
    return "\n\n".join(parts) + "\n"


def figure(value: float, digits: int = 3) -> str:
    """Write a number with so many digits that count; all of them before the point."""
    if value and abs(value) < 100:
        return f"{value:.{digits}g}" if abs(value) >= 1e-3 else f"{value:.1e}"
    return f"{value:,.0f}"


def _expected(measured: Sequence[Mapping[str, Any]]) -> str:
    by_name = {result["name"]: result for result in measured}
    rows = [
        (
            what,
            _spoken(median(run["seconds"] for run in runs)),
            f"{median(run['peak_bytes'] for run in runs) / GIB:.2g} GiB",
        )
        for what, name, side in EXPECT
        if (runs := by_name.get(name, {"sides": {}})["sides"].get(side))
    ]
    return "Without a GPU, on two cores:\n\n" + _table(("", "takes", "and of memory, in all"), rows)


def _spoken(seconds: float) -> str:
    return f"{figure(seconds / 60)} min" if seconds >= 120 else f"{figure(seconds)} s"


def _summary(measured: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        ("" if i else result["question"], goal["what"], _with_unit(goal), _met(goal))
        for result in measured
        for i, goal in enumerate(result["goals"])
    ]
    return "## All goals\n\n" + _table(("", "goal", "measured", ""), rows)


def _met(goal: Mapping[str, Any]) -> str:
    return "met" if goal["met"] else "**not met**"


def _with_unit(goal: Mapping[str, Any]) -> str:
    return f"{figure(goal['value'], 4)} {goal['unit']}".strip()  # by which one sees why what looks equal was not met


def _section(result: Mapping[str, Any]) -> str:
    rows = [(side, *_row(runs)) for side, runs in result["sides"].items()]
    head = ("", "median, s", "from – to, s", "processor time, s", "peak, GiB", "runs")
    return "\n\n".join([f"## {_capital(result['question'])}", _table(head, rows), *result["notes"]])


def _where(measured: Sequence[Mapping[str, Any]]) -> str:
    alike: dict[str, list[str]] = {}
    for result in measured:
        on = f"{result['date']}, {_machine(result['machine'])}; {_versions(result['versions'])}"
        alike.setdefault(on, []).append(f"`{result['name'].partition('-')[0]}`")
    lines = [f"- {', '.join(dict.fromkeys(names))}: {on}." for on, names in alike.items()]
    return "## On what, and when\n\n" + "\n".join(lines)


def _row(runs: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    times = [run["seconds"] for run in runs]
    return (
        figure(median(times)),
        f"{figure(min(times))} – {figure(max(times))}",
        figure(median(run["processor_s"] for run in runs)),
        f"{median(run['peak_bytes'] for run in runs) / GIB:.2f}",
        str(len(runs)),
    )


def _machine(machine: Mapping[str, Any]) -> str:
    return (
        f"{machine['processor']}, {machine['cores']} cores ({', '.join(machine['arithmetic'])}), "
        f"{machine['memory_bytes'] / GIB:.0f} GiB of memory, {machine['system']}, Python {machine['python']}"
    )


def _versions(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {number}" for name, number in versions.items())


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(results()), encoding="utf-8")
    print(f"written: {PAGE}")


if __name__ == "__main__":
    main()
