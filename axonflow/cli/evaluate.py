"""How good a model is: evaluate, on all labelled images of a data set."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from axonflow.cli.terminal import app, console, listing

if TYPE_CHECKING:
    import pandas as pd

    from axonflow.training.evaluate import Compared

__all__: list[str] = []

_SHOWN = (
    {
        "accuracy": "accuracy",
        "dice_axon": "Dice axon",
        "dice_myelin": "Dice myelin",
        "sensitivity": "sensitivity",
        "precision": "precision",
        "instance_f1": "F1",
    },
    {
        "density_error": "density",
        "avf_error": "AVF",
        "mvf_error": "MVF",
        "gratio_error": "g-ratio",
        "diameter_error": "diameter",
    },
)
"""What the terminal shows of the scores, in two tables; all of them stand in scores.csv."""


@app.command()
def evaluate(
    model: Annotated[str, typer.Argument(help="Name of an embedded model, or path of one.", show_default=False)],
    dataset: Annotated[Path, typer.Argument(help="A BIDS microscopy folder with labels.", show_default=False)],
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for stores, scores and card. \\[default: evaluation-MODEL]")
    ] = None,
    subjects: Annotated[
        str | None, typer.Option("--subjects", help="Only these, as sub-a,sub-b. \\[default: all]", show_default=False)
    ] = None,
    cross_validated: Annotated[
        str | None,
        typer.Option(
            "--cross-validated",
            help="Networks of the same recipe that were each trained without some subjects, as a.json,b.json: each "
            "image is scored by the one that never saw its subject, and the card of MODEL says so.",
            show_default=False,
        ),
    ] = None,
    native: Annotated[
        bool, typer.Option("--native", help="Score on the images' own pixels instead of the model's.")
    ] = False,
    card: Annotated[
        Path | None,
        typer.Option("--card", help="Where to write the card. \\[default: card.md in --out]", show_default=False),
    ] = None,
    workers: Annotated[
        int | None, typer.Option("--workers", help="How many workers.", min=1, show_default=False)
    ] = None,
) -> None:
    """Score a model on labelled images, and write its card; images that were run already are not run again.

    Example: [bold]axonflow evaluate sem data/sem --out evaluation[/bold]
    """
    from rich.progress import track

    from axonflow.fiber.columns import for_csv
    from axonflow.kernel.files import make_folder, write_file
    from axonflow.net.checkpoint import Checkpoint
    from axonflow.training.card import Examined, assess, draw_pictures, write_card
    from axonflow.training.evaluate import evaluate as scores_of
    from axonflow.training.evaluate import held_out_by, select

    checkpoint = Checkpoint.find(model)
    images = select(dataset, None if subjects is None else subjects.split(","))
    out = out or Path(f"evaluation-{checkpoint.name}")
    make_folder(out)
    card = card or out / "card.md"
    pictures = card.with_suffix("")
    learned = set(checkpoint.trained_on.get("subjects", ()))
    crossed = {} if cross_validated is None else held_out_by(model, cross_validated.split(","), images)
    learned -= crossed.keys()
    examined: dict[str, Examined] = {}

    def watch(compared: Compared) -> None:
        if native:
            return  # the card's squares lie on the model's pixels
        examined[compared.image.name] = assess(compared)
        if compared.image.subject not in learned:
            draw_pictures(compared, pictures)

    shown = track(images, "evaluating", console=console, disable=not console.is_terminal, transient=True)
    scores = scores_of(
        lambda image: crossed.get(image.subject, model), shown, out, native=native, workers=workers, watch=watch
    )
    write_file(out / "scores.csv", for_csv(scores).to_csv(index=False).encode())
    for columns in _SHOWN:
        console.print(_table(scores, columns, learned))
        console.print()
    console.print(f"scores  {out / 'scores.csv'}", soft_wrap=True)
    if not native:
        write_card(checkpoint, scores, examined, card, pictures, crossed=crossed)
        console.print(f"card    {card}", soft_wrap=True)
    console.print(f"runs    {out / (images[0].name + '.ome.zarr')} …", soft_wrap=True)


def _table(scores: pd.DataFrame, shown: dict[str, str], learned: set[str]) -> Table:
    table = listing("image", *shown.values())
    for row in scores.to_dict("records"):
        cells = (f"{row[name]:+.1%}" if name.endswith("_error") else f"{row[name]:.3f}" for name in shown)
        table.add_row(row["image"] + (" (trained on)" if row["subject"] in learned else ""), *cells)
    return table
