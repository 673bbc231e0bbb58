"""What the viewer needs of neuroglancer's page and server, and of tornado, on which both stand."""

from __future__ import annotations

import http.client
import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from canary import relied_on
from neuroglancer import server as page_server
from neuroglancer.trackable_state import ConcurrentModificationError
from neuroglancer.viewer_base import ViewerBase
from tornado.httputil import HTTPServerRequest
from tornado.routing import Matcher, Rule
from tornado.web import Application, RequestHandler
from viewed import write_viewed_store

from axonflow.results.analysis import open_store
from axonflow.results.viewer.layers import View, config_state, view_state
from axonflow.results.viewer.scene import Scene
from axonflow.results.viewer.server import SCRIPT, serving

ROUTES = {
    *("ACTION", "CREDENTIALS", "DATA", "EVENTS", "INFO", "MESH", "SET_STATE", "SKELETON", "SKELETON_INFO", "STATIC"),
    *("VOLUME_CHUNK_RESPONSE", "VOLUME_INFO_RESPONSE"),
}
"""What neuroglancer's server answers beside ours, each looked at: all want the viewer's token, or a volume's."""

SERVER = "axonflow/results/viewer/server.py"


@pytest.fixture(scope="module")
def bundle() -> str:
    """All scripts and styles of neuroglancer's page."""
    client = files("neuroglancer.static") / "client"
    parts = [part for part in client.iterdir() if part.name.endswith((".js", ".css"))]
    return "\n".join(part.read_text() for part in parts)


def test_the_page_of_neuroglancer_can_be_added_to(tmp_path: Path) -> None:
    with (
        relied_on(
            "neuroglancer",
            "server.global_static_content_source.get('', '') is the page and its type once a server has begun, the "
            "page has one </head> and its title is neuroglancer",
            f"{SERVER}: _Page",
        ),
        serving([tmp_path], [str.encode]),
    ):
        page, kind = page_server.global_static_content_source.get("", "")
        assert kind == "text/html"
        assert (page.count(b"</head>"), page.count(b">neuroglancer<")) == (1, 1)


def test_neuroglancer_serves_what_was_looked_at(tmp_path: Path) -> None:
    with relied_on(
        "neuroglancer",
        f"its server has the routes {', '.join(sorted(ROUTES))} and no other; a new one is answered here, too. See "
        "who may ask it, and add it to ROUTES",
        f"neuroglancer/server.py, then {SERVER}",
    ):
        routes = {name.removesuffix("_PATH_REGEX") for name in vars(page_server) if name.endswith("_PATH_REGEX")}
        assert routes == ROUTES, f"{sorted(routes ^ ROUTES)} differ"
        with serving([tmp_path], [str.encode]) as server:
            connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
            connection.request("POST", f"/credentials/{server.token}", '{"key": "google", "parameters": {}}')
            status = connection.getresponse().status
            connection.close()
            assert status == 403, f"credentials are answered with {status} although the viewer has its own token"


def test_neuroglancer_keeps_a_state_that_both_sides_change() -> None:
    with relied_on(
        "neuroglancer",
        "ViewerBase(token=) has shared_state, config_state, actions and async_screenshot; set_state(state, "
        "existing_generation=) raises ConcurrentModificationError if the page was first",
        "axonflow/results/viewer/selection.py, screenshot.py and __init__.py",
    ):
        viewer = ViewerBase(token="token")
        for name in ("async_screenshot", "actions"):
            assert hasattr(viewer, name), f"without {name}"
        called: list[str] = []
        viewer.shared_state.add_changed_callback(lambda: called.append("changed"))
        _, generation = viewer.shared_state.raw_state_and_generation
        viewer.set_state({"title": "ours"}, existing_generation=generation)
        assert called
        assert viewer.shared_state.raw_state == {"title": "ours"}
        with pytest.raises(ConcurrentModificationError):
            viewer.set_state({"title": "late"}, existing_generation=generation)
        with viewer.config_state.txn() as config:
            config.show_ui_controls = False
            config.show_panel_borders = False
            config.viewer_size = [300, 200]
        wanted = {"showUIControls": False, "showPanelBorders": False, "viewerSize": [300, 200]}
        assert wanted.items() <= viewer.config_state.raw_state.items()


def test_the_page_has_what_our_script_looks_for(bundle: str) -> None:
    script = (files("axonflow.results.viewer") / SCRIPT).read_text()
    listed = "neuroglancer-layer-list-panel-item"
    classes = set(re.findall(r"\.(neuroglancer-[a-z-]+)", script)) | {f"{listed}-name", f"{listed}-number"}
    names = {"selectedLayer", "layerManager", "getLayerByName", "setVisible", "shaderControls", "archived"}
    with relied_on("neuroglancer", "its page has these classes and names", f"axonflow/results/viewer/{SCRIPT}"):
        assert len(classes) > 5
        missing = sorted(name for name in classes | names if name not in bundle)
        assert not missing, f"without {', '.join(missing)}"


def test_the_page_knows_every_word_of_its_state(bundle: str, tmp_path: Path) -> None:
    scenes = [Scene(open_store(write_viewed_store(tmp_path)))]
    state = [view_state(scenes, [("http://a/", "http://b/")], View()), config_state(scenes)]
    words = {word for part in state for word in words_of(part)} - {"dataView", "at:click0", "at:wheel", "x", "y"}
    with relied_on("neuroglancer", "these are words of its state", "axonflow/results/viewer/layers.py"):
        assert {"crossSectionScale", "segmentQuery", "linkedSegmentationGroup", "inputEventBindings"} <= words
        missing = sorted(word for word in words if not re.search(rf"\b{word}\b", bundle))
        assert not missing, f"without {', '.join(missing)}"


def words_of(state: object) -> Iterator[str]:
    """Yield the names in a state that are the page's own, not those of layers and of shaders' controls."""
    if isinstance(state, dict):
        for name, value in state.items():
            yield name
            if name not in {"shaderControls", "statusMessages"}:
                yield from words_of(value)
    elif isinstance(state, list):
        for value in state:
            yield from words_of(value)


def test_tornado_has_its_rules_in_a_list() -> None:
    class Everything(Matcher):
        def match(self, request: HTTPServerRequest) -> dict[str, Any]:  # noqa: ARG002  # the protocol's
            return {}

    with relied_on(
        "tornado",
        "Application.default_router.rules is a list in whose order requests are matched: the first refuses strangers",
        f"{SERVER}: _hang",
    ):
        app = Application([(r"/", RequestHandler)])
        app.add_handlers(".*", [(r"/other", RequestHandler)])
        first = Rule(Everything(), RequestHandler)
        app.default_router.rules.insert(0, first)
        assert app.default_router.rules[0] is first
        assert len(app.default_router.rules) == 3
