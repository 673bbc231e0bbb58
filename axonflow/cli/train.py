"""From labelled images to a model: train."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from axonflow.cli.terminal import app, console
from axonflow.errors import InputError
from axonflow.kernel.words import count

if TYPE_CHECKING:
    from axonflow.training.curve import Point
    from axonflow.training.events import TrainingEvent
    from axonflow.training.train import Training

__all__: list[str] = []

_LINES = 50
"""Steps between two lines where the output is no terminal."""


class _Bar:
    """The progress of a training: a bar on a terminal, a line now and then in a file; a line for each validation."""

    def __init__(self) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("loss {task.fields[loss]:.4f}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(compact=True),
            console=console,
            disable=not console.is_terminal,
        )
        self._task = TaskID(0)
        self._steps = 0
        self._loss: float | None = None

    def __enter__(self) -> _Bar:
        self._progress.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._progress.stop()

    def show(self, event: TrainingEvent) -> None:
        from axonflow.training.events import Noted, StepDone, TrainingBegun

        match event:
            case TrainingBegun(done, steps):
                self._begin(done, steps)
            case StepDone(point):
                self._advance(point)
            case Noted(text):
                console.print(f"note: {text}", highlight=False, markup=False, soft_wrap=True)

    def _begin(self, done: int, steps: int) -> None:
        self._steps = steps
        if done == steps:
            console.print(f"This training is done, with {count(steps, 'step')}; --fresh starts over.")
            return
        if done:
            console.print(f"Going on after {done:,} of {count(steps, 'step')}.")
        self._task = self._progress.add_task("training", total=steps, completed=done, loss=float("nan"))

    def _advance(self, point: Point) -> None:
        # a batch's own loss jumps about, so the mean of the last ones is shown
        self._loss = point.loss if self._loss is None else 0.95 * self._loss + 0.05 * point.loss
        self._progress.update(self._task, completed=point.step, loss=self._loss)
        if point.scores:
            scores = ", ".join(f"{name.replace('_', ' ')} {value:.4f}" for name, value in point.scores.items())
            console.print(f"step {point.step}: {scores}", highlight=False, soft_wrap=True)
        elif not console.is_terminal and point.step % _LINES == 0:
            console.print(f"step {point.step} of {self._steps}: loss {self._loss:.4f}", highlight=False)


@app.command()
def train(
    dataset: Annotated[
        Path, typer.Argument(help="Top folder of a BIDS microscopy data set with labels.", show_default=False)
    ],
    arch: Annotated[
        str | None,
        typer.Option("--arch", help="sem or tem. \\[default: that of --finetune]", show_default=False),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="The training's folder. \\[default: runs/DATASET-ARCH]", show_default=False),
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option(
            "--recipe",
            help="A named pipeline or a TOML file. \\[default: paper, or finetune with --finetune]",
            show_default=False,
        ),
    ] = None,
    finetune: Annotated[
        str | None,
        typer.Option("--finetune", help="Start from this embedded model, or the path of one.", show_default=False),
    ] = None,
    validate: Annotated[
        str | None,
        typer.Option(
            "--validate",
            help="Subjects to hold out (sub-a,sub-b), their share (0.2), or none. \\[default: 0.2 of three or more]",
            show_default=False,
        ),
    ] = None,
    name: Annotated[
        str | None, typer.Option("--name", help="Of the model. \\[default: the folder's]", show_default=False)
    ] = None,
    pixel_size: Annotated[
        float | None,
        typer.Option(
            "--pixel-size",
            help="The model's working pixel size, µm. \\[default: 0.1 for sem, 0.01 for tem]",
            show_default=False,
        ),
    ] = None,
    invert: Annotated[
        bool | None,
        typer.Option(
            "--invert/--no-invert",
            help="Exchange bright and dark first. \\[default: for tem]",
            show_default=False,
        ),
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="In place of the recipe's.", show_default=False)] = None,
    patches: Annotated[
        int | None, typer.Option("--patches", help="In place of the recipe's.", show_default=False)
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers", help="Processes that draw patches. \\[default: a core less]", min=0, show_default=False
        ),
    ] = None,
    save_every: Annotated[int, typer.Option("--save-every", help="Steps between two saved states.", min=1)] = 25,
    validate_every: Annotated[int, typer.Option("--validate-every", help="Steps between validations.", min=1)] = 250,
    fresh: Annotated[bool, typer.Option("--fresh", help="Start over: remove what the folder holds.")] = False,
) -> None:
    """Train a network on labelled images; run again, it continues where it was stopped.

    Example: [bold]axonflow train DATASET --arch sem --recipe rat-cord-sem --validate sub-rat4,sub-rat8[/bold]
    """
    from axonflow.net.checkpoint import Checkpoint
    from axonflow.training.recipe import Recipe
    from axonflow.training.train import prepare_training
    from axonflow.training.train import train as train_model

    chosen = Recipe.read(recipe or ("finetune" if finetune else "paper"))
    given = {key: value for key, value in (("seed", seed), ("patches", patches)) if value is not None}
    arch = arch or (Checkpoint.find(finetune).architecture if finetune else None)
    out = out or Path("runs") / f"{dataset.resolve().name}-{arch}"
    training = prepare_training(
        dataset,
        arch=arch,
        recipe=Recipe.from_table(chosen.to_table() | given),
        validate=_held_out(validate),
        start=finetune,
        pixel_size_um=pixel_size,
        invert=invert,
        name=name or out.resolve().name,
    )
    _introduce(training, out)
    with _Bar() as bar:
        checkpoint = train_model(
            training,
            out,
            workers=workers,
            save_every=save_every,
            validate_every=validate_every,
            fresh=fresh,
            on_event=bar.show,
        )
    console.print(
        f"model       {out / f'{checkpoint.name}.json'}, smallest axon {checkpoint.smallest_axon_um2:g} µm²",
        soft_wrap=True,
        highlight=False,
    )
    console.print(
        f"next        axonflow run SLIDE --model {out / f'{checkpoint.name}.json'}", soft_wrap=True, highlight=False
    )


def _held_out(text: str | None) -> list[str] | float | None:
    """Read what is to be held out: a share, names, or nothing."""
    if text is None:
        return None
    if text.strip().lower() == "none":
        return []
    try:
        return float(text)
    except ValueError:
        names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise InputError(f"--validate was expected as sub-a,sub-b, as a share such as 0.2, or as none; {text!r} came.")
    return names


def _introduce(training: Training, out: Path) -> None:
    """Print what is going to be done, and what to think about first."""
    recipe = training.recipe
    for title, samples in (("learnt from", training.samples), ("held out", training.held_out)):
        subjects = ", ".join(dict.fromkeys(sample.subject for sample in samples))
        held = f"{count(len(samples), 'image')} of {subjects}" if samples else "none"
        console.print(f"{title:<11} {held}", soft_wrap=True, highlight=False)
    start = "" if training.start is None else f", starting from {training.start.name}"
    console.print(
        f"network     {training.architecture.name} at {training.pixel_size}{start}; {count(recipe.steps, 'step')} of "
        f"{count(recipe.batch, 'patch', 'patches')} of {recipe.side} px",
        soft_wrap=True,
        highlight=False,
    )
    console.print(f"folder      {out}, curve in {out / 'curve.jsonl'}", soft_wrap=True, highlight=False)
    for note in training.notes:
        console.print(Text.assemble(("note", "yellow"), f"        {note}"), soft_wrap=True)
