"""Strikes runs at random moments, and asks of each that it end with the same bytes or with one clear sentence.

``python -m benchmarks.soak FOLDER --trials 200 --seed 1``: trial after trial a small run is started as a child process
and struck by a fault (:mod:`benchmarks.soaking.kinds`). The command that was struck, and the same command given while
the cause is still there, may end with the exit code of its kind and one sentence. Given again once the cause is gone,
it must end with the bytes of a run that nobody disturbed: labels, tables, maps, all but the times of its record.

A row is written per trial, and the same command goes on after the last one. A trial is found again by
``--kind KIND --seed SEED --trials 1 --again``.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from threading import Lock

from benchmarks.soaking.kinds import KINDS
from benchmarks.soaking.material import Material
from benchmarks.soaking.trial import Kind, Row, attempt


def rows_in(path: Path) -> list[Row]:
    """Return the trials that were done."""
    if not path.exists():
        return []
    return [Row.from_json(json.loads(line)) for line in path.read_text().splitlines()]


def table(rows: list[Row]) -> str:
    """Return what came of them, a kind a row, as Markdown."""
    kinds: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        kinds[row.kind].append(row)
    titles = ("kind", "trials", "struck", "missed", "reference bytes", "ended by a sentence", "failures")
    lines = [f"| {' | '.join(titles)} |", "|" + "---|" * len(titles)]
    for name, each in [*kinds.items(), ("all", rows)]:
        struck = sum(row.struck for row in each)
        sentences = sum(bool(row.sentences) for row in each)
        failures = ", ".join(str(row.seed) for row in each if not row.well) if name != "all" else ""
        well = sum(row.well for row in each)
        failures = failures or (str(len(each) - well) if name == "all" else "")
        lines.append(f"| {name} | {len(each)} | {struck} | {len(each) - struck} | {well} | {sentences} | {failures} |")
    return "\n".join(lines)


def main() -> None:
    """Do the trials that were not done yet, and print the table; leave with 1 if anything was wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="for slides, references, rows and the stores of what failed")
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1, help="of the first; each of the others has the next one")
    parser.add_argument("--kind", choices=[kind.name for kind in KINDS], help="this kind alone")
    parser.add_argument("--at-once", type=int, default=1, help="trials side by side")
    parser.add_argument("--again", action="store_true", help="do them though they were done, and write no row")
    given = parser.parse_args()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # what a shell's background ignores, its children would
    print(f"seed {given.seed}", flush=True)
    kinds = [kind for kind in KINDS if kind.can() and given.kind in {None, kind.name}]
    if not kinds:
        raise SystemExit("This machine cannot have such a fault.")
    folder = given.folder.absolute()
    material, written = Material(folder / "material"), folder / "rows.jsonl"
    rows = [] if given.again else rows_in(written)
    done = {(row.kind, row.seed) for row in rows}
    seeds = range(given.seed, given.seed + given.trials)
    wanted = [(kind, seed) for seed in seeds if ((kind := kinds[seed % len(kinds)]).name, seed) not in done]
    for scene in {scene.slide for kind, _ in wanted for scene in kind.scenes}:
        material.reference(scene)

    turn = Lock()

    def do(one: tuple[Kind, int]) -> None:
        row = attempt(*one, material, folder)
        line = json.dumps(asdict(row), ensure_ascii=False)
        with turn:
            rows.append(row)
            if not given.again:
                with written.open("a") as file:
                    file.write(line + "\n")
            print(line, flush=True)

    with ThreadPoolExecutor(given.at_once) as threads:
        list(threads.map(do, wanted))
    print(table(rows))
    sys.exit(not all(row.well for row in rows))


if __name__ == "__main__":
    main()
