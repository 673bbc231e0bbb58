"""The models at hand: ``axonflow models list | show | path``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from axonflow.cli.terminal import app, console, listing

__all__: list[str] = []

models = typer.Typer(help="Models that come with axonflow, or of your own.", no_args_is_help=True)
app.add_typer(models, name="models")

Model = Annotated[str, typer.Argument(help="Name of an embedded model, or path of one.", show_default=False)]


@models.command("list")
def list_models() -> None:
    """List the models that come with axonflow.

    Example: [bold]axonflow models list[/bold]
    """
    from axonflow.net.checkpoint import Checkpoint, embedded_models

    table = listing("model", "network", "pixel size", "smallest axon", "trained on")
    for name in embedded_models():
        model = Checkpoint.find(name)
        table.add_row(
            model.name,
            model.architecture,
            f"{model.pixel_size_um:g} µm",
            f"{model.smallest_axon_um2:g} µm²",
            str(model.trained_on.get("data", "unknown")),
        )
    console.print(table)
    console.print("next    axonflow models show NAME", soft_wrap=True)


@models.command("show")
def show_model(model: Model) -> None:
    """Print what a model is, what it learned from, and how well it does.

    Example: [bold]axonflow models show sem[/bold]
    """
    from axonflow.cli.card import Card  # its parser would be loaded by every command
    from axonflow.net.checkpoint import Checkpoint

    checkpoint = Checkpoint.find(model)
    if checkpoint.card.exists():
        console.print(Card(checkpoint.card.read_text()))
        return
    for name, value in checkpoint.contract.items():
        console.print(Text.assemble((f"{name:<18}", "bold"), f" {value}"), soft_wrap=True)
    console.print(f"card    none yet; axonflow evaluate {model} DATASET --card makes one", soft_wrap=True)


@models.command("path")
def path_of(model: Model) -> None:
    """Print where a model lies, for other programs.

    Example: [bold]axonflow models path sem[/bold]
    """
    from axonflow.net.checkpoint import Checkpoint

    checkpoint = Checkpoint.find(model)
    typer.echo(Path(checkpoint.folder) / f"{checkpoint.name}.json")
