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

INTRODUCTION = """\
# Performance

How fast axonflow is, in how much memory, beside the programs that do the same and beside what the machine can do. A
figure comes from a script in `benchmarks/`, which runs all sides of a comparison in turn, each in processes of its
own, several times: what disturbs the machine befalls all alike. Seconds and processor time are medians, with the
range of all runs; the peak of memory is that of a command and of all processes it starts, a page that some share
counted once. Peers run in environments of their own, in the versions that are named.

`python -m benchmarks.NAME`, in a clone of the repository, measures one of them again, and `python -m benchmarks.page`
makes this page of what was measured. Where the time goes, and what was done about it, stands in [speed](speed.md)."""


def results(folder: Path = RESULTS) -> list[dict[str, Any]]:
    """Return all results in the order of the page."""
    found = {path.stem: json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))}
    known = [name for name in ORDER if name in found]
    return [found[name] for name in (*known, *(name for name in found if name not in ORDER))]


def page(measured: Sequence[Mapping[str, Any]]) -> str:
    """Return the page, as Markdown."""
    parts = [INTRODUCTION, *([_summary(measured)] if measured else []), *map(_section, measured)]
    return "\n\n".join(parts) + "\n"


def figure(value: float, digits: int = 3) -> str:
    """Write a number with so many digits that count; all of them before the point."""
    if value and abs(value) < 100:
        return f"{value:.{digits}g}" if abs(value) >= 1e-3 else f"{value:.1e}"
    return f"{value:,.0f}"


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
    goals = [f"- {goal['what']}: {_with_unit(goal)}, {_met(goal)}" for goal in result["goals"]]
    parts = [
        f"## {_capital(result['question'])}",
        _table(("", "median, s", "from – to, s", "processor time, s", "peak, GiB", "runs"), rows),
        "\n".join(goals),
        *result["notes"],
        f"Measured with `python -m benchmarks.{result['name'].partition('-')[0]}` on {result['date']}: "
        f"{_machine(result['machine'])}. {_versions(result['versions'])}.",
    ]
    return "\n\n".join(part for part in parts if part)


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
