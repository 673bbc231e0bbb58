"""The curve of a training: one JSON object a step in a text file, and TensorBoard's files where it is installed."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from axonflow.kernel.files import make_durable, write_file

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

__all__ = ["Curve", "Point"]


@dataclass(frozen=True, slots=True)
class Point:
    """One step.

    Attributes
    ----------
    step : int
        Counted from 1.
    loss, rate : float
        Loss of its batch, and learning rate.
    scores : dict of str to float
        Of the validation images after it; empty but at every so many steps.
    """

    step: int
    loss: float
    rate: float
    scores: dict[str, float] = field(default_factory=dict)


class Curve(AbstractContextManager["Curve"]):
    """``curve.jsonl`` and ``tensorboard/`` in a training's folder, continued after a step.

    Parameters
    ----------
    folder : Path
    after : int
        What was written of later steps is taken back: they come again.
    """

    def __init__(self, folder: Path, after: int) -> None:
        path = folder / "curve.jsonl"
        kept = [line for line in _lines(path) if json.loads(line)["step"] <= after]
        write_file(path, "".join(kept).encode())
        self._path, self._file = path, path.open("a")
        self._board = _board(folder / "tensorboard", after)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        if self._board is not None:
            self._board.close()

    def keep(self) -> None:
        """Bring what was written to the disk: a state must not be there without the steps that led to it."""
        make_durable([self._path], self._path.parent)

    def write(self, point: Point) -> None:
        """Add a step."""
        row = asdict(point)
        row |= row.pop("scores")
        self._file.write(json.dumps(row) + "\n")
        self._file.flush()
        if self._board is not None:
            for name in row.keys() - {"step"}:
                place = f"validation/{name}" if name in point.scores else name
                self._board.add_scalar(place, row[name], point.step)


def _lines(path: Path) -> list[str]:
    """Return the whole lines of a file; the last may have been cut off."""
    if not path.exists():
        return []
    return [line for line in path.read_text().splitlines(keepends=True) if line.endswith("\n")]


def _board(folder: Path, after: int) -> SummaryWriter | None:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(folder, purge_step=after + 1)
