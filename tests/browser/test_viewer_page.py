"""The page in a real browser: what it asks for, what it draws, what follows a click."""

from __future__ import annotations

import io
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from numpy.typing import NDArray
from PIL import Image
from slides import command
from viewed import write_viewed_store

from axonflow.kernel.classes import AXON_MYELIN
from axonflow.results.analysis import Analysis, open_store
from axonflow.results.viewer import View, screenshot, viewing
from axonflow.results.viewer.scene import Scene
from axonflow.results.viewer.screenshot import FLAGS, find_browser
from axonflow.results.viewer.segments import COLUMNS
from axonflow.results.viewer.server import Server

pytestmark = pytest.mark.browser

MIDDLE_UM = (30.0, 35.0)
ZOOM = 0.025  # µm of a screen's pixel: four of them to a pixel of the slide
PATIENCE_MS = 60_000

Colours = NDArray[np.float64]


class Page:
    """A page that is open, with all it asked for and complained of."""

    def __init__(self, page: Any, server: Server) -> None:
        self.page, self.server = page, server
        self.asked: list[str] = []
        self.complaints: list[str] = []
        page.on("request", lambda request: self.asked.append(request.url))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda said: self.complaints.append(said.text) if said.type == "error" else None)

    @property
    def faults(self) -> list[str]:
        """Its complaints, but that the server wrote the state at the same moment, upon which the page takes that."""
        return [said for said in self.complaints if "412" not in said]

    def open(self) -> None:
        self.page.goto(self.server.page)
        self.until("typeof viewer !== 'undefined' && viewer.layerManager.managedLayers.length > 0")
        self.settle()

    def until(self, condition: str) -> None:
        """Ask from outside: the page's policy lets nothing evaluate text in it."""
        end = time.monotonic() + PATIENCE_MS / 1000
        while not self.page.evaluate(condition):
            assert time.monotonic() < end, f"{condition} was waited for in vain"
            self.page.wait_for_timeout(50)

    def settle(self) -> None:
        self.until("viewer.isReady()")
        self.page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def middle(self) -> tuple[float, float]:
        box = self.page.locator(".neuroglancer-rendered-data-panel").first.bounding_box()
        return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    def at(self, y_um: float, x_um: float) -> tuple[float, float]:
        """Where on the screen a place of the slide is."""
        x, y = self.middle()
        return x + (x_um - MIDDLE_UM[1]) / ZOOM, y + (y_um - MIDDLE_UM[0]) / ZOOM

    def colours(self, places_um: NDArray[np.float64]) -> Colours:
        """Colours, 0–1, of places (y, x) on the slide."""
        drawn = np.asarray(Image.open(io.BytesIO(self.page.screenshot())).convert("RGB")) / 255
        columns, rows = np.array([self.at(y, x) for y, x in places_um]).T.astype(int)
        found: Colours = drawn[rows, columns]
        return found

    def chosen(self) -> tuple[str, dict[str, str]]:
        """The id and the row that are shown."""
        self.page.wait_for_selector(".neuroglancer-selection-details-segment-property", timeout=PATIENCE_MS)
        axon = self.page.locator(".neuroglancer-selection-details-segment").get_attribute("data-id")
        names, values = (
            self.page.locator(f".neuroglancer-selection-details-segment-property-{part}").all_inner_texts()
            for part in ("name", "value")
        )
        return axon, dict(zip(names, values, strict=True))


Open = Callable[..., Any]


@pytest.fixture(scope="module")
def analysis(tmp_path_factory: pytest.TempPathFactory) -> Analysis:
    return open_store(write_viewed_store(tmp_path_factory.mktemp("page")))


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=[*FLAGS, "--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def looking(browser: Any, analysis: Analysis) -> Open:
    @contextmanager
    def looking(*stores: Path, **view: Any) -> Iterator[Page]:
        given: dict[str, Any] = {"at_um": MIDDLE_UM, "um_per_px": ZOOM} | view
        with viewing(stores or [analysis.store], View(**given)) as server:
            page = Page(browser.new_page(viewport={"width": 1440, "height": 900}), server)
            try:
                page.open()
                yield page
            finally:
                page.page.close()

    return looking


@pytest.fixture(scope="module")
def places(analysis: Analysis) -> NDArray[np.intp]:
    """Pixels (y, x) in view at :data:`ZOOM`, away from the legend, of all classes."""
    random = np.random.default_rng(1)
    return np.stack([random.integers(230, 370, 80), random.integers(280, 420, 80)], axis=1)


def greys(analysis: Analysis, places: NDArray[np.intp]) -> Colours:
    low, high = Scene(analysis).window
    seen = np.clip((analysis.image.compute()[tuple(places.T)] - low) / (high - low), 0, 1)
    found: Colours = np.repeat(seen[:, None], 3, axis=1).astype(np.float64)
    return found


def centres_um(places: NDArray[np.intp]) -> NDArray[np.float64]:
    return np.asarray((places + 0.5) * 0.1, np.float64)


def test_the_page_asks_nobody_else_and_complains_of_nothing(looking: Open) -> None:
    with looking() as page:
        own = f"http://127.0.0.1:{page.server.port}/"
        assert len(page.asked) > 10
        assert [url for url in page.asked if not url.startswith((own, "data:", "blob:" + own))] == []
        assert page.faults == []


def test_the_slide_shows_the_pixels_of_the_store(looking: Open, analysis: Analysis, places: NDArray[np.intp]) -> None:
    with looking(show="none") as page:
        np.testing.assert_allclose(page.colours(centres_um(places)), greys(analysis, places), atol=2 / 255)


def test_labels_show_the_classes_of_the_store(looking: Open, analysis: Analysis, places: NDArray[np.intp]) -> None:
    classes = analysis.labels["semantic"].compute()[tuple(places.T)]
    assert set(classes) == {0, 1, 2}
    paint = np.array([to_rgb(each.colour) for each in AXON_MYELIN])[classes]
    opacity = np.where(classes == 0, 0, 0.45)[:, None]
    wanted = (1 - opacity) * greys(analysis, places) + opacity * paint
    with looking(show="semantic") as page:
        np.testing.assert_allclose(page.colours(centres_um(places)), wanted, atol=4 / 255)


@pytest.mark.parametrize("show", ["avf", "gratio"])
def test_numbers_show_in_the_colours_of_their_range(
    looking: Open, analysis: Analysis, places: NDArray[np.intp], show: str
) -> None:
    if show == "gratio":
        values = np.r_[np.nan, analysis.fibers["gratio"]][analysis.labels["fibers"].compute()[tuple(places.T)]]
        assert np.isnan(values).any()
    else:
        cell = (centres_um(places) // analysis.maps.attrs["cell_side_um"]).astype(int)
        values = analysis.maps[show].to_numpy()[tuple(cell.T)]
    assert np.unique(values).size > 2
    scaled = Scene(analysis).scaled[show]
    paint = mpl.colormaps[scaled.colours]((values - scaled.low) / (scaled.high - scaled.low))[:, :3]
    opacity = np.where(np.isnan(values), 0, 0.6)[:, None]
    wanted = (1 - opacity) * greys(analysis, places) + opacity * paint
    with looking(show=show) as page:
        np.testing.assert_allclose(page.colours(centres_um(places)), wanted, atol=6 / 255)
        legend = page.page.locator("#axonflow-legends").inner_text()
        assert scaled.title in legend
        assert [float(end) for end in re.findall(r"^[\d.]+$", legend, re.M)] == [scaled.low, scaled.high]


def test_a_map_lies_right_over_the_whole_slide_on_coarse_levels(looking: Open, analysis: Analysis) -> None:
    h, w = analysis.image.shape
    side = 0.1
    with looking(show="avf", at_um=(h * side / 2, w * side / 2), um_per_px=0.2) as page:
        x, y = page.middle()
        drawn = np.asarray(Image.open(io.BytesIO(page.page.screenshot())).convert("RGB")).astype(int)
        row = drawn[int(y), int(x - 300) : int(x + 300)]
        inside = np.flatnonzero(np.abs(row - 0x20).max(axis=1) > 6) - 300
        assert abs(inside[0] + w * side / 0.2 / 2) <= 1  # the slide's left side, and the map's
        assert abs(inside[-1] + 1 - w * side / 0.2 / 2) <= 1
        assert page.faults == []


def test_the_whole_slide_is_in_view_at_the_start_with_one_overlay(looking: Open, analysis: Analysis) -> None:
    with looking(at_um=None, um_per_px=None) as page:
        state = page.page.evaluate("viewer.state.toJSON()")
        box = page.page.locator(".neuroglancer-rendered-data-panel").first.bounding_box()
        h, w = (side * 0.1 / state["crossSectionScale"] for side in analysis.image.shape)
        assert w <= box["width"]
        assert h <= box["height"]
        assert max(w / box["width"], h / box["height"]) > 0.6
        shown = [layer["name"] for layer in state["layers"] if layer.get("visible", True)]
        assert shown == ["slide", "axons and myelin", "chosen axon"]
        assert len(state["layers"]) == len(Scene(analysis).names) + 2


def test_a_click_on_its_name_shows_and_hides_a_layer_and_explains_its_colours(looking: Open) -> None:
    shown = "(viewer.state.toJSON().layers.find(({ name }) => name === 'fibers by g-ratio').visible ?? true) === %s"
    explained = "document.querySelector('#axonflow-legends').textContent.includes('fibers by g-ratio') === %s"
    with looking() as page:
        for visible in ("true", "false"):
            page.page.locator(".neuroglancer-layer-list-panel-item-name").nth(4).click()
            page.until(shown % visible)
            page.until(explained % visible)
        assert page.faults == []


def total_ids(words: str) -> str:
    return (
        "[...document.querySelectorAll('.neuroglancer-segment-list-status *')]"
        f".some((part) => part.textContent.includes('{words}'))"
    )


def test_a_query_narrows_the_list(looking: Open, analysis: Analysis) -> None:
    fibers = analysis.fibers
    median = round(float(np.median(fibers["axon_diam (um)"])), 2)
    thick = fibers[fibers["axon_diam (um)"].round(3) > median]
    assert 0 < len(thick) < len(fibers)
    with looking() as page:
        page.until(total_ids(f"{len(fibers)} total"))
        page.page.locator(".neuroglancer-segment-list-query").click()
        page.page.keyboard.press("Control+A")
        page.page.keyboard.type(f"diameter_um>{median} >gratio")
        page.until(total_ids(f"{len(thick)} match /{len(fibers)} total"))
        page.settle()  # what was typed last is sorted by
        listed = page.page.locator(".neuroglancer-segment-list [data-id]").evaluate_all(
            "(rows) => rows.map((row) => Number(row.dataset.id))"
        )
        assert set(listed) <= set(thick["axon_id"])
        ratios = fibers.set_index("axon_id").loc[listed, "gratio"].round(3)
        assert len(listed) > 3
        assert ratios.is_monotonic_decreasing
        box = page.page.locator(".neuroglancer-segment-list-query")
        page.until(f"document.querySelector('.neuroglancer-segment-list-query').value.endsWith('{COLUMNS}')")
        assert box.input_value() == f"diameter_um>{median} >gratio {COLUMNS}"
        marked = "viewer.state.toJSON().layers.find(({ name }) => name === 'axons')"
        page.until(f"{marked}.segments?.length === {len(thick)}")
        found = page.page.evaluate(f"{marked}.segments")
        assert {int(axon) for axon in found} == set(thick["axon_id"])
        assert page.page.evaluate(f"{marked}.visible ?? true")
        assert page.faults == []


def test_a_button_says_what_is_shown_and_shows_something_else(looking: Open, analysis: Analysis) -> None:
    with looking() as page:
        button = page.page.locator("#axonflow-shown > button")
        page.until("document.querySelector('#axonflow-shown > button').textContent.includes('axons and myelin')")
        button.click()
        choices = page.page.locator("#axonflow-shown > div > button").all_inner_texts()
        assert choices == ["the slide alone", *(Scene(analysis).titled(name) for name in Scene(analysis).names)]
        page.page.get_by_role("button", name="fibers by g-ratio", exact=True).click()
        page.until("document.querySelector('#axonflow-shown > button').textContent.includes('fibers by g-ratio')")
        state = page.page.evaluate("viewer.state.toJSON()")
        shown = [layer["name"] for layer in state["layers"] if layer.get("visible", True)]
        assert shown == ["slide", "fibers by g-ratio", "chosen axon"]
        assert page.page.locator("#axonflow-shown > div").count() == 0
        assert page.faults == []


def test_a_place_is_looked_at_from_near_by(looking: Open, analysis: Analysis) -> None:
    with looking(um_per_px=None) as page:
        zoom = page.page.evaluate("viewer.state.toJSON().crossSectionScale")
        assert zoom == pytest.approx(Scene(analysis).near)
        assert zoom <= 0.1


def in_view(row: Any, ids: NDArray[np.uint32]) -> bool:
    """Whether an axon's centroid is in view at :data:`ZOOM`, and lies in it."""
    y, x = round(row["y0 (px)"]), round(row["x0 (px)"])
    return bool(230 < y < 370 and 280 < x < 420 and ids[y, x] == row["axon_id"])


def test_a_click_shows_the_row_of_the_axon_that_lies_there(looking: Open, analysis: Analysis) -> None:
    ids = analysis.labels["axons"].compute()
    with looking(show="gratio") as page:
        rows = [row for _, row in analysis.fibers.iterrows() if in_view(row, ids)]
        assert len(rows) > 1
        for row in rows[:2]:
            y, x = round(row["y0 (px)"]), round(row["x0 (px)"])
            page.page.mouse.click(*page.at((y + 0.5) * 0.1, (x + 0.5) * 0.1))
            page.until(f"viewer.state.toJSON().selection?.layers?.axons?.value === '{row['axon_id']}'")
            axon, shown = page.chosen()
            assert int(axon) == row["axon_id"]
            assert float(shown["diameter_um"]) == pytest.approx(row["axon_diam (um)"], rel=1e-3, abs=1e-3)
            assert float(shown["gratio"]) == pytest.approx(row["gratio"], rel=1e-3, abs=1e-3)
            assert len(shown["diameter_um"]) <= 6
        assert page.faults == []


def test_dragging_chooses_nothing(looking: Open, analysis: Analysis) -> None:
    with looking() as page:
        before = page.page.evaluate("viewer.state.toJSON().position")
        x, y = page.middle()
        page.page.mouse.move(x, y)
        page.page.mouse.down()
        page.page.mouse.move(x + 80, y + 40, steps=4)
        page.page.mouse.up()
        page.until(f"Math.abs(viewer.state.toJSON().position[0] - {before[0]}) > 1")
        page.settle()
        assert page.server.viewer.shared_state.raw_state.get("selection") is None


def test_an_axon_made_visible_in_the_list_is_brought_to_the_middle(looking: Open, analysis: Analysis) -> None:
    row = analysis.fibers.nlargest(3, "axon_diam (um)").iloc[2]
    with looking() as page:
        page.until(total_ids(f"{len(analysis.fibers)} total"))
        listed = page.page.locator(f".neuroglancer-segment-list [data-id='{row['axon_id']}']").first
        listed.hover()  # its eye shows only then
        listed.locator(".neuroglancer-segment-list-entry-visible-checkbox, .neuroglancer-eye-icon").first.click()
        page.until(f"Math.abs(viewer.state.toJSON().position[0] - {row['x0 (um)']}) < 0.2")
        axon, _ = page.chosen()
        assert int(axon) == row["axon_id"]


def test_stores_stand_side_by_side_and_a_click_is_of_the_one_clicked(
    looking: Open, analysis: Analysis, tmp_path: Path
) -> None:
    other = open_store(write_viewed_store(tmp_path, seed=7))
    row = other.fibers.nlargest(1, "axon_diam (um)").iloc[0]
    with looking(analysis.store, other.store, at_um=(row["y0 (um)"], row["x0 (um)"])) as page:
        panels = page.page.locator(".neuroglancer-rendered-data-panel")
        assert panels.count() == 2
        box = panels.nth(1).bounding_box()
        page.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        page.until("viewer.state.toJSON().selection?.layers?.['tissue7: axons'] !== undefined")
        axon, _ = page.chosen()
        assert int(axon) == row["axon_id"]
        assert page.faults == []


def test_a_screenshot_shows_the_slide_and_what_its_colours_mean(analysis: Analysis, tmp_path: Path) -> None:
    screenshot([analysis.store], tmp_path / "seen.png", View(show="none"), (700, 664))
    seen = np.asarray(Image.open(tmp_path / "seen.png"))
    assert seen.shape == (664, 700, 3)
    middle = seen[200:450, 200:500].mean() / 255
    low, high = Scene(analysis).window
    assert middle == pytest.approx((analysis.image.compute().mean() - low) / (high - low), abs=0.03)


def test_the_command_draws_an_axon(analysis: Analysis, tmp_path: Path) -> None:
    out = tmp_path / "axon.png"
    ran = command("view", analysis.store, "--axon", "3", "--show", "gratio", "--screenshot", out, "--size", "500,400")
    assert ran.code == 0, ran.err
    seen = np.asarray(Image.open(out)).astype(int)
    assert seen.shape == (400, 500, 3)
    assert (np.ptp(seen[:336], axis=2) > 40).mean() > 0.05  # painted fibers
    assert (seen[-64:] > 250).mean() > 0.7  # the legend's paper
