"""The documentation builds without a warning, its tutorial runs, and its links lead somewhere."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from test_docs import COMMANDS

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site built from a copy, where nothing of an earlier build is left."""
    pytest.importorskip("sphinx", reason="the documentation is built where torch is")
    docs = tmp_path_factory.mktemp("site") / "docs"
    shutil.copytree(DOCS, docs, ignore=shutil.ignore_patterns("_build", "__pycache__"))
    words = ("-W", "--keep-going", "-q", "-b", "html", str(docs), str(docs / "_build" / "html"))
    built = subprocess.run([sys.executable, "-m", "sphinx", *words], capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    return docs / "_build" / "html"


def test_the_pictures_are_those_of_the_tutorial(site: Path) -> None:
    made = site.parent / "tutorial" / "phantom.ome.zarr"
    assert (made / "report.html").exists()
    for name in ("maps.png", "overlay.png"):
        assert (site / "_images" / name).read_bytes() == (made / "figures" / name).read_bytes()


def test_every_command_is_in_the_reference(site: Path) -> None:
    headings = set(re.findall(r"<h2>axonflow ([a-z -]+)<", (site / "reference" / "cli.html").read_text()))
    assert headings >= set(COMMANDS)


def test_links_resolve(site: Path) -> None:
    pages = {path: path.read_text() for path in site.rglob("*.html")}
    broken, seen = [], 0
    for page, text in pages.items():
        for href in re.findall(r'<(?:a|img|link)\b[^>]*?\b(?:href|src)="([^"]+)"', text):
            url = urlsplit(href.replace("&amp;", "&"))
            if url.scheme:
                assert url.scheme in {"http", "https"}, (page.name, href)
                assert re.fullmatch(r"[\w.-]+\.\w+(:\d+)?", url.netloc), (page.name, href)
                continue
            seen += 1
            target = (page.parent / unquote(url.path)).resolve() if url.path else page
            anchored = not url.fragment or target not in pages or f'id="{url.fragment}"' in pages[target]
            if not (target.exists() and anchored):
                broken.append((page.name, href))
    assert seen > 100
    assert not broken
