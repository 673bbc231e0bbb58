"""The command that opens a store in the browser, or draws it."""

from __future__ import annotations

import getpass
import math
import os
import socket
import sys
import webbrowser
from pathlib import Path
from threading import Event
from typing import Annotated

import typer

from axonflow.cli.terminal import app, console, warn_unproved
from axonflow.errors import InputError


@app.command()
def view(
    stores: Annotated[list[Path], typer.Argument(help="Stores of finished runs, shown side by side.")],
    at: Annotated[str | None, typer.Option("--at", help="The place to look at: Y,X in µm from the top left.")] = None,
    axon: Annotated[int | None, typer.Option("--axon", help="The axon to look at, of the first store.")] = None,
    show: Annotated[
        str,
        typer.Option("--show", help="The overlay: semantic, axons, fibers, gratio, diameter, the name of a map, none."),
    ] = "semantic",
    screenshot: Annotated[
        Path | None, typer.Option("--screenshot", help="Draw to this image file instead of opening a browser.")
    ] = None,
    size: Annotated[str, typer.Option("--size", help="Width,height of the screenshot, px.")] = "1600,1200",
    port: Annotated[int, typer.Option("--port", help="The port to serve at; 0 for any.", min=0, max=65535)] = 0,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Whether to open a browser here.")] = True,
) -> None:
    """Open stores in the browser: slide, labels, maps and the list of axons; offline, for this machine only.

    Example: [bold]axonflow view slide.ome.zarr --show gratio[/bold]
    """
    from axonflow.results import viewer
    from axonflow.results.analysis import open_store

    look = viewer.View(show=show, at_um=None if at is None else _pair(at, "--at", "Y,X in µm"), axon=axon)
    warn_unproved(*map(open_store, stores))
    if screenshot is not None:
        width, height = _pair(size, "--size", "width,height in px")
        viewer.screenshot(stores, screenshot, look, (int(width), int(height)))
        console.print(f"written: {screenshot}", soft_wrap=True)
        return
    with viewer.viewing(stores, look, port) as server:
        console.print(f"page    {server.page}", soft_wrap=True, highlight=False)
        console.print(
            f"remote  ssh -L {server.port}:127.0.0.1:{server.port} {_user()}@{socket.gethostname()}"
            "  (run on your computer, then open the page there)",
            soft_wrap=True,
            highlight=False,
        )
        console.print("end     Ctrl-C", highlight=False)
        if browser and _has_display():
            webbrowser.open(server.page)
        try:
            Event().wait()
        except KeyboardInterrupt:
            console.print("closed")


def _user() -> str:
    """Return who this is, or what to put there: in a container the system may not know."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "USER"


def _has_display() -> bool:
    """Tell whether a browser opened here would be seen."""
    if "SSH_CONNECTION" in os.environ:
        return False
    return sys.platform in {"darwin", "win32"} or any(name in os.environ for name in ("DISPLAY", "WAYLAND_DISPLAY"))


def _pair(text: str, flag: str, words: str) -> tuple[float, float]:
    try:
        first, second = map(float, text.split(","))
    except ValueError:
        first = second = math.nan
    if not (math.isfinite(first) and math.isfinite(second)):
        raise InputError(f"{flag} was expected as {words}, {text!r} came.")
    return first, second
