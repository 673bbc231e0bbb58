"""What follows when an axon is chosen, on the slide or in the list: its row, and a frame around its fiber."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any

import pandas as pd
from neuroglancer.trackable_state import ConcurrentModificationError

from axonflow.kernel.grid import Box
from axonflow.results.viewer.layers import CHOOSE, FRAME, PANEL, layer_name
from axonflow.results.viewer.scene import Scene
from axonflow.results.viewer.server import Server

__all__ = ["axon_at", "follow_selection", "select_axon"]


def axon_at(scene: Scene, place: Sequence[float]) -> int:
    """Return the axon at a place [x, y] of the page, or the one whose fiber lies there; 0 if there is none."""
    y_um, x_um = scene.to_slide(place[0], place[1])
    labels = scene.labels
    y, x = int(y_um // labels.pixel_size.y), int(x_um // labels.pixel_size.x)
    if not (0 <= y < labels.shape[0] and 0 <= x < labels.shape[1]):
        return 0
    pixel = Box(y, x, y + 1, x + 1)
    return int(labels.read(pixel)[0, 0])


def select_axon(
    state: dict[str, Any],
    scenes: Sequence[Scene],
    number: int,
    row: pd.Series[Any] | None,
    *,
    centre: bool,
    panels: bool = True,
) -> None:
    """Change a state so that an axon is chosen: visible in the list, its row shown, its fiber framed.

    Parameters
    ----------
    state : dict
        Is changed.
    scenes : sequence of Exhibit
    number : int
        Of the store.
    row : Series, optional
        Of the table; no axon is chosen when left out.
    centre : bool
        Whether to bring the axon to the middle.
    panels : bool
        Whether its row is shown beside.
    """
    scene, several = scenes[number], len(scenes)
    listed = layer_name(scene, "axons", several)
    layers = {layer["name"]: layer for layer in state["layers"]}
    if listed not in layers or layer_name(scene, FRAME, several) not in layers:
        return  # taken away on the page
    layers[listed]["segments"] = [] if row is None else [str(row["axon_id"])]
    layers[layer_name(scene, FRAME, several)]["annotations"] = [] if row is None else [_frame(scene, row)]
    state["selectedLayer"] = {**state.get("selectedLayer", {}), "layer": listed}
    state["selection"] = {
        "visible": panels and row is not None,
        "layers": {} if row is None else {listed: {"value": str(row["axon_id"])}},
        **PANEL,
        "row": 1,
    }
    if centre and row is not None:
        place = scene.to_page(row["y0 (um)"], row["x0 (um)"])
        if several == 1:
            state["position"] = place
        else:
            state["layout"]["children"][number]["position"] = {"link": "unlinked", "value": place}


def follow_selection(server: Server, scenes: Sequence[Scene]) -> None:
    """Let a page answer when an axon is chosen.

    A click on a fiber chooses its axon, a click elsewhere none. An axon that is made visible in the list is chosen
    too, and brought to the middle.
    """
    viewer = server.viewer
    lists = [layer_name(scene, "axons", len(scenes)) for scene in scenes]
    known = [_visible(viewer.shared_state.raw_state, name) for name in lists]

    def clicked(action: Any) -> None:
        if action.mouse_position is None:
            return
        selected = action.viewer_state.to_json().get("selectedLayer", {}).get("layer")
        number = lists.index(selected) if len(lists) > 1 and selected in lists else 0
        axon = axon_at(scenes[number], action.mouse_position)
        show(number, axon, centre=False)

    def show(number: int, axon: int, centre: bool) -> None:
        known[number] = {axon} if axon else set()
        _change(viewer, lambda state: select_axon(state, scenes, number, scenes[number].row(axon), centre=centre))

    def changed() -> None:
        for number, name in enumerate(lists):
            now = _visible(viewer.shared_state.raw_state, name)
            new = now - known[number]
            known[number] = now
            if len(new) == 1:
                show(number, new.pop(), centre=True)

    viewer.actions.add(CHOOSE, clicked)
    viewer.shared_state.add_changed_callback(lambda: server.soon(changed))


def _frame(scene: Scene, row: pd.Series[Any]) -> dict[str, Any]:
    """Return a frame around a fiber."""
    side = scene.labels.pixel_size
    low, high = (scene.to_page(row[f"bbox_{end}_y"] * side.y, row[f"bbox_{end}_x"] * side.x) for end in ("min", "max"))
    return {"type": "axis_aligned_bounding_box", "id": "fiber", "pointA": low, "pointB": high}


def _visible(state: dict[str, Any], layer: str) -> set[int]:
    """Return the axons that are visible in the list; those that are only starred have a mark before their id."""
    found: dict[str, Any] = next((each for each in state.get("layers", []) if each["name"] == layer), {})
    return {int(axon) for axon in found.get("segments", []) if str(axon).isdigit()}


def _change(viewer: Any, change: Callable[[dict[str, Any]], None]) -> None:
    """Change the page's state; once more if the page did at the same moment."""
    for _ in range(10):
        state, generation = viewer.shared_state.raw_state_and_generation
        state = deepcopy(state)
        change(state)
        try:
            viewer.set_state(state, existing_generation=generation)
        except ConcurrentModificationError:
            continue
        return
