"""A report as a reader finds it: its tables, its figures, its words, and whatever it would ask others for."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path


class Report(HTMLParser):
    """An HTML file, taken apart."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.source = path.read_text()
        self.tables: dict[str, list[list[str]]] = {}
        self.numbers: dict[str, tuple[str, str]] = {}
        self.figures: list[str] = []
        self.images: list[str] = []
        self.links: list[str] = []
        self.warnings: list[str] = []
        self._path: list[tuple[str, str]] = []
        self._table: list[list[str]] = []
        self._spans: list[str] = []
        self._name = ""
        self.feed(self.source)

    @property
    def text(self) -> str:
        """All that is read, without its marks."""
        return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", re.sub(r"(?s)<style>.*?</style>", "", self.source)))

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attributes}
        if tag not in {"meta", "link", "img", "br"}:
            self._path.append((tag, given.get("class", "")))
        if tag == "table":
            self._table = self.tables[given["id"]] = []
        elif tag == "tr":
            self._table.append([])
        elif tag in {"td", "th"}:
            self._table[-1].append("")
        elif tag == "figure":
            self.figures.append(given["id"].removeprefix("figure-"))
        elif tag == "dt":
            self._name = ""
        elif tag == "dd":
            self._spans = []
        elif tag == "div" and given.get("class") == "warning":
            self.warnings.append("")
        self.images += [given["src"]] if "src" in given else []
        self.links += [given["href"]] if "href" in given else []
        if tag == "img":
            assert given["alt"]

    def handle_endtag(self, tag: str) -> None:
        opened, _ = self._path.pop()
        assert opened == tag, f"{opened} was closed as {tag}"
        if tag == "dd":
            value, note = self._spans
            self.numbers[self._name] = (value, note)

    def handle_data(self, data: str) -> None:
        within = [tag for tag, _ in self._path]
        if "tr" in within and self._table[-1]:
            self._table[-1][-1] += data
        if within[-1:] == ["dt"]:
            self._name += data
        if within[-2:] == ["dd", "span"]:
            self._spans.append(data)
        if ("div", "warning") in self._path:
            self.warnings[-1] += data

    def facts(self, table: str) -> dict[str, str]:
        """Return the rows of a table of two or three columns."""
        return {row[0]: " ".join(row[1:]).replace("\N{NO-BREAK SPACE}", " ") for row in self.tables[table]}
