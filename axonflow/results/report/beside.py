"""The second process of a report, ``python -m axonflow.results.report.beside``: it draws overviews.

It is asked by lines on its standard input, each a store and a folder, and answers each by a line of figures, all in
JSON. It ends as soon as nobody can ask any more, in the middle of a figure, too: so it outlives nobody, however that
ended.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import astuple
from pathlib import Path
from queue import SimpleQueue
from threading import Thread

from axonflow.kernel.memory import give_back
from axonflow.results.analysis import open_store
from axonflow.results.report.drawing import NEEDED, draw_overviews

__all__: list[str] = []


def _draw(store: str, folder: str) -> str:
    result = open_store(Path(store))
    axons = result.counted_fibers([*NEEDED, *result.kind_columns])
    return json.dumps([astuple(figure) for figure in draw_overviews(result, axons, Path(folder))])


def _listen(asked: SimpleQueue[str]) -> None:
    for line in sys.stdin:
        asked.put(line)
    os._exit(0)


if __name__ == "__main__":
    lines: SimpleQueue[str] = SimpleQueue()
    Thread(target=_listen, args=(lines,), daemon=True).start()
    while True:
        sys.stdout.write(_draw(*json.loads(lines.get())) + "\n")
        sys.stdout.flush()
        give_back()  # before the figures of the next slide
