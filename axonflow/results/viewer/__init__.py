"""The browser's view of a store: slide, labels, maps and axons through neuroglancer, offline, on this machine only."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Thread

from axonflow.engine.proof import Proved
from axonflow.errors import InputError
from axonflow.results.analysis import open_store
from axonflow.results.viewer.layers import View, config_state, layer_name, legends, view_state
from axonflow.results.viewer.scene import LIST, Scene
from axonflow.results.viewer.screenshot import LEGEND_PX, check_picture, take_screenshot
from axonflow.results.viewer.segments import COLUMNS
from axonflow.results.viewer.selection import follow_selection, select_axon
from axonflow.results.viewer.server import Server, serving

__all__ = ["View", "screenshot", "viewing"]

log = logging.getLogger(__name__)


@contextmanager
def viewing(stores: Sequence[Path], view: View | None = None, port: int = 0) -> Iterator[Server]:
    """Serve a page that shows stores side by side, until the context is left.

    Parameters
    ----------
    stores : sequence of Path
    view : View, optional
        Where one looks at the start.
    port : int
        0 for any that is free.

    Raises
    ------
    InputError
        If the view names an overlay or an axon that is not there, or the port cannot be had.
    StoreError
        If one is no finished store.
    """
    scenes = _scenes(stores)
    with _served(scenes, _checked(scenes, view or View()), port) as server:
        yield server


def screenshot(
    stores: Sequence[Path], path: Path, view: View | None = None, size: tuple[int, int] = (1600, 1200)
) -> None:
    """Draw what the page would show, without a display, to an image file.

    Parameters
    ----------
    stores : sequence of Path
    path : Path
    view : View, optional
    size : (int, int)
        Width and height, px.

    Raises
    ------
    InputError
        If the view names an overlay or an axon that is not there, there is no browser, or no such picture
    RunError
        If the browser drew nothing.
    StoreError
        If one is no finished store.
    """
    check_picture(path, size)
    scenes = _scenes(stores)
    view = _checked(scenes, replace(view or View(), room=(size[0], size[1] - LEGEND_PX), panels=False))
    with _served(scenes, view, 0) as server:
        take_screenshot(server, scenes, view.show, path, size)


@contextmanager
def _served(scenes: Sequence[Scene], view: View, port: int) -> Iterator[Server]:
    lists = [layer_name(scene, "axons", len(scenes)) for scene in scenes]
    overlays = [[layer_name(scene, name, len(scenes)) for name in scene.names] for scene in scenes]
    constants = {"legends": legends(scenes), "lists": lists, "overlays": overlays, "columns": COLUMNS}
    stores = [scene.analysis.store for scene in scenes]
    for scene in scenes:
        Thread(target=scene.file, args=(LIST,), daemon=True).start()  # a long one is ready when the page asks
    proved = [Proved(store / ".axonflow" / "journal") for store in stores]

    def wrong(path: Path) -> str:
        said = next(filter(None, (each.wrong(path) for each in proved)), "")
        if said:
            log.warning("not shown: %s %s", path, said)
        return said

    with serving(stores, [scene.file for scene in scenes], constants, port, wrong) as server:
        addresses = [(server.store(number), server.made(number)) for number in range(len(stores))]
        state = view_state(scenes, addresses, view)
        if view.axon is not None:
            select_axon(state, scenes, 0, scenes[0].row(view.axon), centre=False, panels=view.panels)
        server.viewer.set_state(state)
        follow_selection(server, scenes)
        config = server.viewer.config_state
        config.set_state({**config.raw_state, **config_state(scenes)})
        yield server


def _scenes(stores: Sequence[Path]) -> list[Scene]:
    scenes = [Scene(open_store(store)) for store in stores]
    titles = [scene.title for scene in scenes]
    if len(set(titles)) < len(titles):
        raise InputError(
            f"Stores of different names were expected, {', '.join(titles)} came; the page tells them apart by name."
        )
    return scenes


def _checked(scenes: Sequence[Scene], view: View) -> View:
    """Return a view with its places known, or refuse it."""
    first = scenes[0]
    if view.show not in (names := ["none", *first.names]):
        raise InputError(f"One of the overlays {', '.join(names)} was expected, {view.show!r} came.")
    if view.axon is None:
        return view
    row = first.row(view.axon)
    if row is None:
        raise InputError(f"An axon from 1 to {len(first.fibers):,} was expected in {first.title}, {view.axon} came.")
    room = (view.room[0] / len(scenes), view.room[1])
    zoom = view.um_per_px or first.close_up(row, room)
    return replace(view, at_um=(row["y0 (um)"], row["x0 (um)"]), um_per_px=zoom)
