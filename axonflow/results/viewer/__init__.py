"""The browser's view of a store: slide, labels, maps and axons through neuroglancer, offline, on this machine only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Thread

from axonflow.errors import InputError
from axonflow.results.analysis import open_store
from axonflow.results.viewer.layers import View, config_state, layer_name, legends, view_state
from axonflow.results.viewer.scene import LIST, Exhibit
from axonflow.results.viewer.screenshot import LEGEND_PX, check_picture, take_screenshot
from axonflow.results.viewer.selection import choose, follow
from axonflow.results.viewer.server import Server, serving

__all__ = ["View", "screenshot", "viewing"]


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
    exhibits = _exhibits(stores)
    with _served(exhibits, _checked(exhibits, view or View()), port) as server:
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
    exhibits = _exhibits(stores)
    view = _checked(exhibits, replace(view or View(), room=(size[0], size[1] - LEGEND_PX), panels=False))
    with _served(exhibits, view, 0) as server:
        take_screenshot(server, exhibits, view.show, path, size)


@contextmanager
def _served(exhibits: Sequence[Exhibit], view: View, port: int) -> Iterator[Server]:
    lists = [layer_name(exhibit, "axons", len(exhibits)) for exhibit in exhibits]
    constants = {"legends": legends(exhibits), "lists": lists}
    stores = [exhibit.analysis.store for exhibit in exhibits]
    for exhibit in exhibits:
        Thread(target=exhibit.file, args=(LIST,), daemon=True).start()  # a long one is ready when the page asks
    with serving(stores, [exhibit.file for exhibit in exhibits], constants, port) as server:
        addresses = [(server.store(number), server.made(number)) for number in range(len(stores))]
        state = view_state(exhibits, addresses, view)
        if view.axon is not None:
            choose(state, exhibits, 0, exhibits[0].row(view.axon), centre=False, panels=view.panels)
        server.viewer.set_state(state)
        follow(server, exhibits)
        config = server.viewer.config_state
        config.set_state({**config.raw_state, **config_state(exhibits)})
        yield server


def _exhibits(stores: Sequence[Path]) -> list[Exhibit]:
    exhibits = [Exhibit(open_store(store)) for store in stores]
    titles = [exhibit.title for exhibit in exhibits]
    if len(set(titles)) < len(titles):
        raise InputError(
            f"Stores of different names were expected, {', '.join(titles)} came; the page tells them apart by name."
        )
    return exhibits


def _checked(exhibits: Sequence[Exhibit], view: View) -> View:
    """Return a view with its places known, or refuse it."""
    first = exhibits[0]
    if view.show not in (names := ["none", *first.names]):
        raise InputError(f"One of the overlays {', '.join(names)} was expected, {view.show!r} came.")
    if view.axon is None:
        return view
    row = first.row(view.axon)
    if row is None:
        raise InputError(f"An axon from 1 to {len(first.fibers):,} was expected in {first.title}, {view.axon} came.")
    return replace(view, at_um=(row["y0 (um)"], row["x0 (um)"]), um_per_px=view.um_per_px or first.close_up(row))
