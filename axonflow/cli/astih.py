"""The public data sets of ASTIH: ``axonflow astih list | download | models | evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from axonflow.cli.terminal import app, console, listing
from axonflow.cli.transfer import bar
from axonflow.kernel.words import count

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pandas as pd

    from axonflow.training.bids import LabelledImage

__all__: list[str] = []

astih = typer.Typer(help="The public data sets of ASTIH, and how models do on them.", no_args_is_help=True)
models = typer.Typer(
    help="List the models that ASTIH publishes, or fetch one.\n\nExample: [bold]axonflow astih models[/bold]",
    invoke_without_command=True,
)
app.add_typer(astih, name="astih")
astih.add_typer(models, name="models")

SetName = Annotated[str, typer.Argument(metavar="SET", help="TEM1, TEM2, SEM1, BF1 or BF2.", show_default=False)]


@astih.command("list")
def list_sets() -> None:
    """List the data sets: what they hold, their licences, and who tests.

    Example: [bold]axonflow astih list[/bold]
    """
    from axonflow.astih import SETS

    table = listing("set", "", show_header=False)
    for known in SETS:
        facts = {
            "holds": known.content,
            "images": known.images,
            "pixel size": known.pixel_size,
            "size": known.size,
            "licence": known.licence,
            "DANDI": f"{known.dandi}/{known.version}",
            "test split": known.test_split,
        }
        for k, (name, value) in enumerate(facts.items()):
            table.add_row(Text("" if k else known.name, "bold"), f"{name}: {value}")
    console.print(table)
    console.print("next    axonflow astih download SET DIR --make-splits", soft_wrap=True)


@astih.command("download")
def download_set(
    name: SetName,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where it is to lie.", show_default=False)],
    splits: Annotated[
        bool, typer.Option("--make-splits", help="Lay out DIR/train and DIR/test by the official test split.")
    ] = False,
) -> None:
    """Fetch a data set from DANDI; run again, it continues, and checks what is there.

    Example: [bold]axonflow astih download SEM1 sem1 --make-splits[/bold]
    """
    from axonflow.astih import download, find_set, make_splits

    data_set = find_set(name)
    with bar() as watch:
        download(data_set, folder, watch=watch)
    console.print(f"set     {folder / data_set.dandi}", soft_wrap=True)
    if splits:
        for side, images in make_splits(data_set, folder).items():
            console.print(f"{side:<7} {folder / side}, {count(images, 'image')}", soft_wrap=True)
        flags = {"TEM": "--arch tem", "SEM": "--arch sem", "BF": "--arch sem --invert"}[data_set.name.rstrip("12")]
        console.print(f"next    axonflow train {folder / 'train'} {flags}", soft_wrap=True)


@models.callback()
def list_models(context: typer.Context) -> None:
    """List the models that ASTIH publishes, unless a command follows."""
    if context.invoked_subcommand:
        return
    from axonflow.astih import MODELS
    from axonflow.astih.download import GITHUB

    table = listing("model", "tag", "of set", "what it finds")
    for known in MODELS:
        table.add_row(known.name, known.archive.tag, known.data_set, known.content)
    console.print(table)
    for known in MODELS:
        console.print(f"{GITHUB}/{known.archive.path}", soft_wrap=True)
    console.print("next    axonflow astih models download NAME DIR", soft_wrap=True)


@models.command("download")
def download_one(
    name: Annotated[str, typer.Argument(help="Of a published model.", show_default=False)],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where it is to lie.", show_default=False)],
) -> None:
    """Fetch a published model; run again, it continues.

    Example: [bold]axonflow astih models download default-SEM-model models[/bold]
    """
    from axonflow.astih import download_model, find_model
    from axonflow.errors import ModelError
    from axonflow.net.nnunet.imported import import_model

    model = find_model(name)
    with bar() as watch:
        there = download_model(model, folder, watch=watch)
    console.print(f"model   {there}, a folder of nnU-Net, for AxonDeepSeg, too", soft_wrap=True)
    contract = folder / f"{model.name}.json"
    try:
        if not contract.exists():
            import_model(there, folder, model.name)
    except ModelError as error:
        console.print(f"axonflow cannot run it: {error}", soft_wrap=True)
    else:
        console.print(f"next    axonflow run SLIDE --model {contract}", soft_wrap=True)


@astih.command("evaluate")
def evaluate_model(
    name: SetName,
    model: Annotated[str, typer.Argument(help="Name of an embedded model, or path of one.", show_default=False)],
    data: Annotated[
        Path | None,
        typer.Option("--data", help="The DIR of the download, or a BIDS folder. \\[default: SET]", show_default=False),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="For stores and tables. \\[default: evaluation-SET-MODEL]", show_default=False),
    ] = None,
    allow_seen: Annotated[
        bool, typer.Option("--allow-seen", help="Score subjects that the model learned from, and say so.")
    ] = False,
    workers: Annotated[
        int | None, typer.Option("--workers", help="How many workers.", min=1, show_default=False)
    ] = None,
) -> None:
    """Score a model as ASTIH does, on the official test split only.

    Example: [bold]axonflow astih evaluate SEM1 sem --data sem1[/bold]
    """
    from axonflow.astih import find_set
    from axonflow.astih.evaluation import evaluate_set

    data_set = find_set(name)
    folder = data or Path(data_set.name)
    place = out or Path(f"evaluation-{data_set.name}-{Path(model).stem}")
    result = evaluate_set(data_set, model, folder, place, allow_seen=allow_seen, workers=workers, shown=_named)
    if result.doubt:
        word = "not a test:" if result.seen else "perhaps not a test:"
        console.print(Text.assemble((word, "bold yellow"), f" {result.doubt}"), soft_wrap=True)
    for title, frame in (
        ("pixels", result.pixels),
        ("fibers, matched at IoU ≥ 0.5, as ASTIH does", result.objects("fiber")),
        ("axons alone, matched at IoU ≥ 0.5", result.objects("axon")),
        ("all images, by least IoU", result.summary),
    ):
        console.print(_drawn(frame, title))
    for path in result.write(place):
        console.print(f"written: {path}", soft_wrap=True)


def _named(images: Sequence[LabelledImage]) -> Iterator[LabelledImage]:
    """Name each image as its turn comes: a large network takes minutes for it."""
    for number, image in enumerate(images, 1):
        console.print(f"image {number} of {len(images)}: {image.name}", soft_wrap=True)
        yield image


def _drawn(frame: pd.DataFrame, title: str) -> Table:
    table = listing(*map(str, frame.columns))
    table.title = title
    for row in frame.itertuples(index=False):
        table.add_row(*(f"{value:.3f}" if isinstance(value, float) else str(value) for value in row))
    return table
