"""A store → its figures, and the report that shows them."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from axonflow.fiber import kinds
from axonflow.fiber.gratio import aggregate_gratio
from axonflow.fiber.region_table import HISTOGRAM
from axonflow.fiber.tissue import DIAMETER
from axonflow.kernel.files import new_folder, remove
from axonflow.kernel.words import area, count, density, number, size
from axonflow.results.analysis import Analysis
from axonflow.results.learnt import learnt_by
from axonflow.results.report.methods import analysed_on, in_a_paper
from axonflow.results.report.origin import network_in_words, origin_facts, steps, versions
from axonflow.results.report.page import photograph, spark, vector, write_page
from axonflow.results.report.trust import BORDER, doubts, expected_errors, left_out
from axonflow.results.report.words import TISSUE, UNMYELINATED, Fact

if TYPE_CHECKING:
    import pandas as pd

    from axonflow.results.figure_process import FigureProcess
    from axonflow.results.report.drawing import Figure

__all__ = ["keep_report", "write_report"]


def keep_report(
    result: Analysis, process: FigureProcess | None = None, drawing: AbstractContextManager[object] | None = None
) -> Path:
    """Write the report of a result unless it is there; a run that changes anything takes it away.

    Parameters
    ----------
    result : Analysis
    process : FigureProcess, optional
        As for :func:`write_report`.
    drawing : context manager, optional
        Entered while it is written.

    Returns
    -------
    Path
        ``STORE/report.html``.

    Raises
    ------
    OSError
        As :func:`write_report`.
    """
    report = result.store / "report.html"
    if report.exists() and (result.store / "figures").exists():
        return report
    with drawing or nullcontext():
        return write_report(result, process)


def write_report(result: Analysis, process: FigureProcess | None = None) -> Path:
    """Draw all figures of a result at print size, and write the report of it.

    Parameters
    ----------
    result : Analysis
    process : FigureProcess, optional
        Draws some of the figures.

    Returns
    -------
    Path
        ``STORE/report.html``; the figures lie in ``STORE/figures``, as SVG and PNG.

    Raises
    ------
    OSError
        What the file system says, as it is; figures and report are there whole, or not.
    """
    report, figures = result.store / "report.html", result.store / "figures"
    with new_folder(figures, durable=False) as part:
        with nullcontext(lambda: None) if process is None else process.drawing(result.store, part) as answer:
            from axonflow.results.report.drawing import NEEDED, draw_figures  # loads what the other has loaded

            columns = dict.fromkeys((*NEEDED, BORDER, *result.kind_columns, *result.network_columns))
            axons = result.counted_fibers([*columns])
            drawn = draw_figures(result, axons, part, answer)
        remove(report)  # it must not outlive its figures
    write_page(report, "slide.html", _content(result, axons, drawn, figures))
    return report


def _content(result: Analysis, axons: pd.DataFrame, drawn: list[Figure], folder: Path) -> dict[str, Any]:
    slide = result.record["slide"]
    height, width = (n * um for n, um in zip(slide["shape"], slide["pixel_size_um"], strict=True))
    (h, w), day = slide["shape"], analysed_on(result)
    myelinated, learnt = kinds.of_kind(axons, kinds.MYELINATED), learnt_by(result)
    seen = "" if learnt is None else learnt.warning
    return {
        "title": Path(slide["path"]).name,
        "subtitle": f"{size(height, width)}, {h:,} × {w:,} px{f' · analysed on {day}' if day else ''}",
        "paper": in_a_paper(result, axons),
        "network": " ".join(filter(None, (network_in_words(result), expected_errors(result), seen))),
        "warnings": result.warnings,
        "numbers": _numbers(result, myelinated),
        "unmyelinated": _unmyelinated(result, axons),
        "figures": {figure.name: (figure, _embedded(figure, folder)) for figure in drawn},
        "regions": _regions(result),
        "doubts": list(doubts(result, myelinated)),
        "left_out": list(left_out(result, axons)),
        "settings": origin_facts(result),
        "steps": steps(result),
        "versions": versions(result),
        "store": result.store.name,
    }


def _numbers(result: Analysis, axons: pd.DataFrame) -> list[Fact]:
    """Return what a reader asks for first, over all that counts."""
    maps = result.maps
    area_mm2, n = float(maps["covered_area"].sum()), len(axons)
    avf, mvf = (
        float((maps[name] * maps["covered_area"]).sum()) / area_mm2 if area_mm2 else np.nan for name in ("avf", "mvf")
    )
    diameters = axons[DIAMETER].to_numpy()
    mean, spread = (float(diameters.mean()), float(diameters.std())) if n else (np.nan, np.nan)
    return [
        Fact("myelinated axons" if result.kind_columns else "axons", count(n), f"in {area(area_mm2)}"),
        Fact("axon density", density(n / area_mm2 if area_mm2 else None), "axons per mm²"),
        Fact("axon diameter", number(mean, ".2f", "µm"), f"mean ± {number(spread, '.2f', 'µm')}"),
        Fact(
            "g-ratio",
            number(aggregate_gratio(avf, mvf) if mvf else None, ".3f"),
            "of the tissue (aggregate): √(1 / (1 + MVF/AVF))",
        ),
        Fact("axon volume fraction", number(avf, ".3f"), "AVF: part of the area that is axon"),
        Fact("myelin volume fraction", number(mvf, ".3f"), "MVF: part of the area that is myelin"),
    ]


def _unmyelinated(result: Analysis, axons: pd.DataFrame) -> list[Fact]:
    """Return the numbers of the axons without myelin, of all that count; none if they are no class."""
    if not result.kind_columns:
        return []
    maps, without = result.maps, kinds.of_kind(axons, kinds.UNMYELINATED)
    area_mm2, n = float(maps["covered_area"].sum()), len(without)
    diameters = without[DIAMETER].to_numpy()
    mean, spread, median = (diameters.mean(), diameters.std(), np.median(diameters)) if n else (np.nan,) * 3
    avf = float((maps["unmyelinated_avf"] * maps["covered_area"]).sum()) / area_mm2 if area_mm2 else np.nan
    share = (len(axons) - n) / len(axons) if len(axons) else np.nan
    by_network = "masks" not in result.record["model"]
    one, all_ = (
        ("object", f"{count(len(axons), 'axon')} and objects") if by_network else ("axon", count(len(axons), "axon"))
    )
    fraction = Fact("their volume fraction", number(avf, ".3f"), "part of the area that is unmyelinated axon")
    facts = [
        Fact(f"unmyelinated {one}s", count(n), f"{number(share, '.1%')} of {all_} are myelinated"),
        Fact("their density", density(n / area_mm2 if area_mm2 else None), f"unmyelinated {one}s per mm²"),
        Fact("their diameter", number(mean, ".2f", "µm"), f"mean ± {number(spread, '.2f', 'µm')}"),
        Fact("their median diameter", number(median, ".2f", "µm"), "half of them are thinner"),
    ]
    if by_network:
        said = "for a network sees neighbours run together: what follows is of such objects, not of axons"
        return [fraction, Fact("counted one by one", "not possible", said), *facts]
    return [*facts, fraction]


def _regions(result: Analysis) -> dict[str, Any] | None:
    """Return the head and the rows of the table by region."""
    if result.record["config"].get("regions") is None:
        return None
    shown = TISSUE | (UNMYELINATED if result.kind_columns else {})
    rows = [
        (
            row["region"],
            [number(row[name], form) for name, (_, form) in shown.items()],
            spark(list(row[HISTOGRAM.name]), f"diameters of the axons of {row['region']}, 0 to 10 µm"),
        )
        for row in result.regions.to_dict("records")
    ]
    return {"head": [title for title, _ in shown.values()], "rows": rows}


def _embedded(figure: Figure, folder: Path) -> str:
    if figure.is_photograph:
        return photograph(folder / f"{figure.name}.png")
    return vector(folder / f"{figure.name}.svg")
