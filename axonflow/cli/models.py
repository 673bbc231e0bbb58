"""``axonflow models``: what models there are, and how further ones come here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from axonflow.cli.terminal import app, console, listing, say
from axonflow.cli.transfer import bar

if TYPE_CHECKING:
    from axonflow.net.checkpoint import Checkpoint

__all__: list[str] = []

models = typer.Typer(help="Models that come with axonflow, or of your own.", no_args_is_help=True)
app.add_typer(models, name="models")

Model = Annotated[str, typer.Argument(help="Name of a model, or path of one.", show_default=False)]


@models.command("list")
def list_models() -> None:
    """List the models that come with axonflow, and yours.

    Example: [bold]axonflow models list[/bold]
    """
    from axonflow.errors import ModelError
    from axonflow.net.checkpoint import Checkpoint, embedded_models
    from axonflow.net.places import user_model_names

    table = listing("model", "network", "pixel size", "smallest axon")
    unreadable: list[str] = []
    learnt: dict[str, str] = {}
    for name in [*embedded_models(), *(name for name in user_model_names() if name not in embedded_models())]:
        try:
            model = Checkpoint.find(name)
        except ModelError as error:
            unreadable.append(str(error))
            continue
        table.add_row(name, _network(model), _pixel_size(model), f"{model.smallest_axon_um2:g} µm²")
        learnt[name] = str(model.trained_on.get("data", "unknown"))
    console.print(table)
    if learnt:
        console.print()
    for name, data in learnt.items():  # long, and more than a column has room for
        words = "does not say what it was trained on" if data == "unknown" else f"was trained on {data}"
        say(Text.assemble((name, "bold"), f" {words}"))
    if learnt:
        console.print()
    for error_ in unreadable:
        console.print(error_, soft_wrap=True)
    console.print("next    axonflow models show NAME", soft_wrap=True)


@models.command("show")
def show_model(
    model: Model,
    card: Annotated[bool, typer.Option("--card", help="The whole card: every image, and where it fails.")] = False,
) -> None:
    """Print what a model is, what it learned from, and how well it does.

    Example: [bold]axonflow models show sem[/bold]
    """
    from axonflow.cli.card import Card, summary  # its parser would be loaded by every command
    from axonflow.errors import ModelError
    from axonflow.net.checkpoint import Checkpoint

    checkpoint = Checkpoint.find(model)
    if card:
        if not checkpoint.card.exists():
            raise ModelError(
                f"A card was expected at {checkpoint.card}, there is none; axonflow evaluate {model} DATASET --card "
                f"{checkpoint.card} makes one."
            )
        console.print(Card(checkpoint.card.read_text()))
        return
    if checkpoint.card.exists():
        for part in summary(checkpoint, _network(checkpoint), _pixel_size(checkpoint)):
            console.print(part)
        console.print(f"whole   axonflow models show {model} --card", soft_wrap=True)
        console.print(f"card    {checkpoint.card}", soft_wrap=True)
        return
    if checkpoint.plan is not None:
        for title, said in _of_nnunet(checkpoint):
            console.print(Text.assemble((f"{title:<15}", "bold"), said), soft_wrap=True)
        return
    for name, value in checkpoint.contract.items():
        console.print(Text.assemble((f"{name:<18}", "bold"), f" {value}"), soft_wrap=True)
    console.print(
        f"card    none yet; axonflow evaluate {model} DATASET --card {checkpoint.card} makes one", soft_wrap=True
    )


@models.command("path")
def path_of(model: Model) -> None:
    """Print where a model lies, for other programs.

    Example: [bold]axonflow models path sem[/bold]
    """
    from axonflow.net.checkpoint import Checkpoint

    checkpoint = Checkpoint.find(model)
    typer.echo(Path(checkpoint.folder) / f"{checkpoint.name}.json")


@models.command("import")
def import_one(
    folder: Annotated[
        Path, typer.Argument(help="A folder that nnU-Net's training wrote, or a .zip of one.", show_default=False)
    ],
    name: Annotated[
        str | None, typer.Option("--name", help="What to call it. \\[default: as the folder]", show_default=False)
    ] = None,
    folds: Annotated[
        str | None,
        typer.Option(
            "--folds", help="Which to average, such as 0,1 or all. \\[default: every one]", show_default=False
        ),
    ] = None,
    pixel_size: Annotated[
        float | None,
        typer.Option("--pixel-size", help="Of what it learned from, µm; others are refused then.", show_default=False),
    ] = None,
) -> None:
    """Make a model of nnU-Net, such as AxonDeepSeg's, a model of axonflow; nothing in it is executed.

    Example: [bold]axonflow models import model_seg_generalist_light --name generalist[/bold]
    """
    from axonflow.errors import ModelError
    from axonflow.net.checkpoint import Checkpoint, embedded_models
    from axonflow.net.nnunet.folder import is_nnunet
    from axonflow.net.nnunet.imported import import_model, name_of
    from axonflow.net.places import writable_user_models

    if not is_nnunet(folder):
        raise ModelError(f"A folder of nnU-Net, or a .zip of one, was expected at {folder}, there is none.")
    called = name or name_of(folder)
    place = writable_user_models()
    if called in embedded_models() or (place / f"{called}.json").exists():
        raise ModelError(
            f"A name that no model has was expected, {called!r} is one's already; give another with --name"
            f"{'' if called in embedded_models() else f', or remove {place / called}.json'}."
        )
    chosen = None if folds is None else [fold.strip().removeprefix("fold_") for fold in folds.split(",")]
    path = import_model(folder, place, called, folds=chosen, pixel_size_um=pixel_size)
    _introduce(Checkpoint.find(path))


@models.command("fetch")
def fetch_one(
    name: Annotated[
        str,
        typer.Argument(help="As AxonDeepSeg calls it: generalist, dedicated-SEM, dedicated-BF, …", show_default=False),
    ],
    ensemble: Annotated[
        bool, typer.Option("--ensemble", help="All its networks, averaged: better, and as many times slower.")
    ] = False,
) -> None:
    """Fetch a model that AxonDeepSeg offers, and import it; run again, it continues.

    Example: [bold]axonflow models fetch generalist[/bold]
    """
    from axonflow.astih import fetch_model, find_offered
    from axonflow.net.checkpoint import Checkpoint
    from axonflow.net.places import writable_user_models

    model = find_offered(name)
    place = writable_user_models()
    with bar() as watch:
        path = fetch_model(model, place, ensemble=ensemble, watch=watch)
    _introduce(Checkpoint.find(path))


@models.command("quantise")
def quantise_one(
    model: Model,
    dataset: Annotated[
        Path,
        typer.Argument(help="The BIDS microscopy folder with labels that it was trained on.", show_default=False),
    ],
) -> None:
    """Give a trained model a network of whole numbers, for --precision int8.

    Example: [bold]axonflow models quantise model.json data/sem[/bold]
    """
    from axonflow.net.checkpoint import Checkpoint
    from axonflow.training.calibrate import quantise

    with console.status("choosing whole numbers, for some minutes"):
        checkpoint, subjects = quantise(Checkpoint.find(model), dataset)
    console.print(f"chosen on   {', '.join(subjects)}", soft_wrap=True)
    console.print(f"written     {checkpoint.integers_path}", soft_wrap=True)
    console.print(f"contract    {checkpoint.path}", soft_wrap=True)


@models.command("remove")
def remove_one(name: Annotated[str, typer.Argument(help="Of a model of yours.", show_default=False)]) -> None:
    """Remove a model that was imported or fetched; stores made with it stay as they are.

    Example: [bold]axonflow models remove generalist[/bold]
    """
    from axonflow.net.places import remove_user_model

    console.print(f"removed {remove_user_model(name)}", soft_wrap=True)


@models.command("export")
def export_one(
    model: Model,
    out: Annotated[
        Path | None, typer.Option("--out", help="The file to write. \\[default: NAME.onnx]", show_default=False)
    ] = None,
    form: Annotated[str, typer.Option("--format", help="onnx, the only one so far.")] = "onnx",
) -> None:
    """Write one of the paper's networks for programs other than axonflow, and hold it against the original.

    Example: [bold]axonflow models export sem --format onnx[/bold]
    """
    from axonflow.errors import InputError
    from axonflow.net.checkpoint import Checkpoint
    from axonflow.net.onnx import export_onnx

    if form != "onnx":
        raise InputError(f"The format onnx was expected, {form!r} came; it is the only one so far.")
    checkpoint = Checkpoint.find(model)
    path = out or Path(f"{checkpoint.name}.onnx")
    if not path.name or path.is_dir() or not path.absolute().parent.is_dir():
        raise InputError(f"A file in a folder that is there was expected for --out, {str(path)!r} came; name one.")
    try:
        found = export_onnx(checkpoint, path)
    except OSError as error:
        raise InputError(
            f"A file that can be written was expected at {path}, but: {error.strerror}; give another with --out."
        ) from error
    console.print(f"written: {path}", soft_wrap=True)
    if found is None:
        console.print("not held against the original: that needs onnxruntime (pip install onnxruntime)", soft_wrap=True)
    else:
        console.print(f"checked  probabilities differ from the original's by {found:.1g} at most", soft_wrap=True)


def _introduce(model: Checkpoint) -> None:
    """Print what came, and what to do with it."""
    console.print(f"model   {model.path}", soft_wrap=True)
    for title, said in _of_nnunet(model):
        console.print(Text.assemble((f"{title:<15}", "bold"), said), soft_wrap=True)
    console.print(f"next    axonflow run SLIDE --model {model.name}", soft_wrap=True)


def _of_nnunet(model: Checkpoint) -> Iterator[tuple[str, str]]:
    """Say in words what a model of nnU-Net is."""
    plan = model.plan
    assert plan is not None
    kind = "residual" if plan.layers.residual else "plain"
    yield "name", model.name
    yield (
        "network",
        f"of nnU-Net, {kind}, {len(plan.layers.features)} levels of {_listed(plan.layers.features)} features",
    )
    yield "folds", f"{_listed(plan.folds)}{', averaged' if len(plan.folds) > 1 else ''}"
    yield "windows", "{} × {} px, the next begins after {:g} of that".format(*plan.patch, plan.step)
    yield "mirrored", " and ".join(("up and down", "left and right")[axis] for axis in sorted(plan.mirrors)) or "no"
    yield "channels", _listed([f"{n} ({s})" for n, s in zip(plan.channels, plan.normalisations, strict=True)])
    yield "classes", _listed([f"{each.number} {each.name}" for each in model.classes])
    yield "pixel size", _pixel_size(model)
    yield "trained on", str(model.trained_on.get("data", "unknown"))
    yield "sha256", model.sha256


def _network(model: Checkpoint) -> str:
    if model.plan is None:
        return model.architecture
    folds = len(model.plan.folds)
    return f"nnU-Net, {folds} folds" if folds > 1 else "nnU-Net"


def _pixel_size(model: Checkpoint) -> str:
    """Say at which pixel size a model works, and which slides it is for."""
    if not model.on_own_pixels:
        works_at = " or ".join(f"{size.y:g}" for size in model.working_sizes)
        made_for = "" if model.slides_um is None else ", slides of {:g} to {:g} µm".format(*model.slides_um)
        return f"{works_at} µm{made_for}"
    if model.slides_um is not None:
        return "the slide's, {:g} to {:g} µm".format(*model.slides_um)
    return f"the slide's, about {model.pixel_size_um:g} µm" if model.pixel_size_um else "the slide's, any"


def _listed(values: object) -> str:
    assert isinstance(values, list | tuple)
    return ", ".join(map(str, values))
