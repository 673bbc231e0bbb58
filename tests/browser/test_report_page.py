"""The report in a real browser: it opens from its file alone, on a wide screen, a narrow one, and on paper."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from slides import analyse
from viewed import write_viewed_store

from axonflow.results.analysis import open_store
from axonflow.results.report import write_report
from axonflow.results.viewer.screenshot import find_browser
from axonflow.workflow.config import Config

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a store with regions, moved away from all it was made of."""
    folder = tmp_path_factory.mktemp("report")
    store = write_viewed_store(folder)
    regions = folder / "tracts.geojson"
    outline = [[10, 10], [690, 10], [690, 590], [10, 590], [10, 10]]
    regions.write_text(f'{{"type": "Polygon", "coordinates": [{outline}]}}')
    config = Config.from_json(open_store(store).record["config"] | {"regions": str(regions)})
    analyse(config)
    alone = folder / "else where" / "réport #1.html"
    alone.parent.mkdir()
    return write_report(open_store(store)).rename(alone)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.mark.parametrize("width", [1400, 400])
def test_it_opens_alone_on_any_screen(browser: Any, report: Path, width: int) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900}, java_script_enabled=True)
    asked: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("requestfailed", lambda request: complaints.append(request.url))
    page.on("console", lambda said: complaints.append(said.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(report.as_uri())
    page.wait_for_load_state("load")
    assert [url for url in asked if not url.startswith("data:")] == [report.as_uri()]
    assert not complaints
    images = page.locator("img")
    assert images.count() == 9
    assert images.evaluate_all("all => all.every(one => one.complete && one.naturalWidth > 100)")
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    boxes = [page.locator(f"#figure-{name}").bounding_box() for name in ("diameter", "gratio")]
    assert (boxes[0]["y"] == boxes[1]["y"]) == (width > 700)
    page.close()


def test_it_is_read_without_scripts_and_prints_on_few_pages(browser: Any, report: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(report.as_uri())
    assert page.locator("h2").all_inner_texts() == [
        "For a paper",
        "The slide",
        "Maps",
        "Axons",
        "Regions",
        "How far to trust it",
        "What made it",
    ]
    printed = page.pdf(prefer_css_page_size=True)
    assert 4 <= printed.count(b"/Type /Page\n") <= 6
    context.close()
