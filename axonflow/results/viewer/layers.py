"""The page's state: which layers there are, how each is drawn, where one looks at the start.

The state is what neuroglancer's viewer keeps in its address, as plain JSON; lengths are µm.

Source: https://neuroglancer-docs.web.app/json/api/
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from axonflow.kernel.words import count
from axonflow.results.viewer.scene import IDS, SEMANTIC, Scene
from axonflow.results.viewer.segments import QUERY
from axonflow.results.viewer.shaders import SLIDE as SLIDE_SHADER
from axonflow.results.viewer.shaders import class_colours, colour_map, colours, two_colours

__all__ = ["CHOOSE", "FRAME", "PANEL", "View", "config_state", "layer_name", "legends", "span", "view_state"]

SLIDE = "slide"
FRAME = "chosen axon"
CHOOSE = "choose-axon"
"""What a click asks the server for."""

SHOW = "semantic"
"""The overlay that is visible at the start."""

DIMENSIONS = {"x": [1e-6, "m"], "y": [1e-6, "m"]}

PANEL = {"size": 360}
"""Width of the panel with the list, px."""

ROOM = (760, 640)
"""Width and height that the slide may fill at the start, px: what panels leave of a laptop's screen."""


@dataclass(frozen=True)
class View:
    """Where one looks at the start.

    Attributes
    ----------
    show : str
        Name of the visible overlay.
    at_um : (float, float), optional
        The place (y, x) in the middle, from the slide's corner; the slide's centre when left out.
    um_per_px : float, optional
        Zoom; when left out, a dozen axons are in view if there is a place, else the whole slide is.
    axon : int, optional
        The axon that is selected.
    room : (int, int)
        Width and height that the whole slide may fill, px.
    panels : bool
        Whether the layers and the axons are listed beside.
    """

    show: str = SHOW
    at_um: tuple[float, float] | None = None
    um_per_px: float | None = None
    axon: int | None = None
    room: tuple[int, int] = ROOM
    panels: bool = True


def layer_name(scene: Scene, name: str, among: int = 1) -> str:
    """Return what the page calls a layer: its title, with the store's among several."""
    title = name if name in (SLIDE, FRAME) else scene.titled(name)
    return f"{scene.title}: {title}" if among > 1 else title


def view_state(scenes: Sequence[Scene], addresses: Sequence[tuple[str, str]], view: View) -> dict[str, Any]:
    """Return the state the page starts with.

    Parameters
    ----------
    scenes : sequence of Exhibit
        Side by side, from left to right.
    addresses : sequence of (str, str)
        Of each, where its files lie and where those made on demand do.
    view : View
    """
    several = len(scenes)
    panels, layers = [], []
    for number, (scene, (store, made)) in enumerate(zip(scenes, addresses, strict=True)):
        own = _layers(scenes, number, store, made, view)
        layers += own
        h, w = _extent_um(scene)
        place = {"link": "unlinked", "value": scene.to_page(*(view.at_um or (h / 2, w / 2)))}
        panels.append({"type": "viewer", "layout": "xy", "layers": [each["name"] for each in own], "position": place})
    first = scenes[0]
    return {
        "title": "axonflow: " + ", ".join(scene.title for scene in scenes),
        "dimensions": DIMENSIONS,
        "position": first.to_page(*(view.at_um or (side / 2 for side in _extent_um(first)))),
        "crossSectionScale": _zoom(scenes, view),
        "projectionBackgroundColor": "#000000",
        "crossSectionBackgroundColor": "#202020",
        "showAxisLines": False,
        "showDefaultAnnotations": False,
        "layers": layers,
        "layout": "xy" if several == 1 else {"type": "row", "children": panels},
        "layerListPanel": {"visible": view.panels, "size": 330},
        "selectedLayer": {"visible": view.panels, "layer": layer_name(first, "axons", several), **PANEL},
    }


def legends(scenes: Sequence[Scene]) -> dict[str, dict[str, Any]]:
    """Return, by layer, what is explained beside the slide: colours, of a colour map or of words, and what has none."""
    found: dict[str, dict[str, Any]] = {}
    for scene in scenes:
        found[layer_name(scene, SEMANTIC[0], len(scenes))] = {"patches": scene.legend}
        for scaled in scene.scaled.values():
            explained = {"patches": dict(scaled.words)} if scaled.words else {"colours": colours(scaled.colours)}
            found[layer_name(scene, scaled.name, len(scenes))] = explained | (
                {"note": scaled.note} if scaled.note else {}
            )
    return found


def config_state(scenes: Sequence[Scene]) -> dict[str, Any]:
    """Return how the page itself behaves: a click chooses an axon, layers stand in a list, a thinned list says so."""
    notes = {
        each.title: f"{each.title}: the {len(each.listed):,} thickest of {count(len(each.fibers), 'axon')} are listed"
        for each in scenes
        if len(each.listed) < len(each.fibers)
    }
    return {
        "statusMessages": notes,
        "inputEventBindings": {"dataView": {"at:click0": CHOOSE, "at:wheel": "zoom-via-wheel"}},
        "showLayerPanel": False,
        "showToolPaletteButton": False,
        "scaleBarOptions": {"maxWidthFraction": 0.2, "maxWidthInPixels": 200},
    }


def span(scenes: Sequence[Scene], name: str) -> tuple[float, float]:
    """Return the values in the first and the last colour of an overlay of numbers, the same for all stores."""
    scaled = [scene.scaled[name] for scene in scenes if name in scene.scaled]
    return min(each.low for each in scaled), max(each.high for each in scaled)


def _layers(scenes: Sequence[Scene], number: int, store: str, made: str, view: View) -> list[dict[str, Any]]:
    """Return a store's layers, from the bottom to the top."""
    scene, several = scenes[number], len(scenes)

    def layer(name: str, kind: str, source: object, **more: Any) -> dict[str, Any]:
        visible = name in (SLIDE, view.show)
        return {
            "type": kind,
            "name": layer_name(scene, name, several),
            "source": source,
            **({} if visible else {"visible": False}),
            **more,
        }

    low, high = scene.window
    slide = layer(
        SLIDE,
        "image",
        f"{store}|zarr3:",
        shader=SLIDE_SHADER,
        shaderControls={"brightness": {"range": [low, high], "window": [low, high]}},
        opacity=1,
    )
    shader = class_colours(scene.analysis.classes)
    semantic = layer(SEMANTIC[0], "image", f"{store}labels/semantic/|zarr3:", shader=shader, opacity=0.45)
    found = [slide, semantic]
    for name in IDS:
        source = [{"url": f"{store}labels/{name}/|zarr3:"}]
        more: dict[str, Any] = {"linkedSegmentationGroup": layer_name(scene, "axons", several)}
        if name == "axons":
            source += [{"url": f"{made}list/|neuroglancer-precomputed:"}]
            more = {"segmentQuery": QUERY}
        found.append(
            layer(name, "segmentation", source, selectedAlpha=0.6, notSelectedAlpha=0.25, tab="segments", **more)
        )
    for scaled in scene.scaled.values():
        ends = list(span(scenes, scaled.name))
        drawn: dict[str, Any] = {
            "shader": colour_map(scaled.colours),
            "shaderControls": {"range": {"range": ends, "window": ends}},
        }
        if scaled.words:
            drawn = {"shader": two_colours(*scaled.words.values())}
        found.append(
            layer(
                scaled.name,
                "image",
                f"{made}{scaled.name}/|zarr3:",
                opacity=0.6,
                tab="rendering",
                **drawn,
            )
        )
    frame = {
        "type": "annotation",
        "name": layer_name(scene, FRAME, several),
        "source": {"url": "local://annotations", "transform": {"outputDimensions": DIMENSIONS}},
        "annotationColor": "#ffffff",
        "annotations": [],
    }
    return [*found, frame]


def _zoom(scenes: Sequence[Scene], view: View) -> float:
    """Return the µm of a screen's pixel at the start, the same for all stores."""
    if view.um_per_px is not None:
        return view.um_per_px
    if view.at_um is not None:
        return scenes[0].near
    width, height = 0.97 * view.room[0] / len(scenes), 0.97 * view.room[1]
    return max(max(h / height, w / width) for h, w in map(_extent_um, scenes))


def _extent_um(scene: Scene) -> tuple[float, float]:
    h, w = scene.slide.shape
    return h * scene.slide.pixel_size.y, w * scene.slide.pixel_size.x
