"""The page as a picture, drawn by the system's Chromium without a display, with its colours explained beneath."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from textwrap import fill
from typing import Any

import matplotlib as mpl
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from PIL import Image

from axonflow.errors import InputError, RunError
from axonflow.kernel.files import new_file
from axonflow.results.viewer.layers import span
from axonflow.results.viewer.scene import SEMANTIC, Scene
from axonflow.results.viewer.server import Server

__all__ = ["FLAGS", "LEGEND_PX", "check_picture", "find_browser", "take_screenshot"]

BROWSERS = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)

FLAGS = ("--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader")
"""With which Chromium draws WebGL on the processor."""

LEGEND_PX = 64
SMALLEST_PX = 200
PATIENCE_S = 180


def find_browser() -> str:
    """Return the path of the system's Chromium or Chrome.

    Raises
    ------
    InputError
        If there is none.
    """
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        raise InputError(
            "Chromium or Chrome was expected on the path to draw the page with, but there is none; "
            "install one, for instance with: apt install chromium."
        )
    return found


def check_picture(path: Path, size: tuple[int, int]) -> None:
    """Refuse a picture that could not be drawn or written.

    Raises
    ------
    InputError
        If the file's name is of no image, the picture too small, or there is no browser.
    """
    if path.suffix.lower() not in Image.registered_extensions():
        raise InputError(f"The name of an image file such as slide.png was expected, {path} came.")
    if min(size) < SMALLEST_PX:
        raise InputError(
            f"A picture with a width,height of at least {SMALLEST_PX} px was expected, {size[0]},{size[1]} came."
        )
    find_browser()


def take_screenshot(server: Server, scenes: Sequence[Scene], show: str, path: Path, size: tuple[int, int]) -> None:
    """Write what the page shows, once all of it is loaded, to an image file.

    Parameters
    ----------
    server : Server
        With the page's state, without panels.
    scenes : sequence of Exhibit
    show : str
        Name of the visible overlay, which is explained.
    path : Path
    size : (int, int)
        Width and height, px; the legend takes part of the height.

    Raises
    ------
    InputError
        If there is no browser.
    RunError
        If the browser drew nothing.
    """
    legend = _legend(scenes, show, size[0])
    width, height = size[0], size[1] - (legend.height if legend else 0)
    replies: list[Any] = []
    come = threading.Event()

    def arrived(reply: Any) -> None:
        replies.append(reply.screenshot)
        come.set()

    with server.viewer.config_state.txn() as config:
        config.show_ui_controls = False
        config.show_panel_borders = False
        config.viewer_size = [width, height]
    with _browser(server.page, (width, height)) as process:
        deadline = time.monotonic() + PATIENCE_S
        while not replies or (replies[-1].width, replies[-1].height) != (width, height):  # before the page has its size
            come.clear()
            server.viewer.async_screenshot(arrived)
            while not come.wait(0.2):
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RunError(
                        f"A picture of the page was expected from the browser within {PATIENCE_S} s, "
                        "but none came; look at the page with 'axonflow view' and without --screenshot."
                    )
    picture = Image.open(io.BytesIO(replies[-1].image)).convert("RGB")
    if legend:
        whole = Image.new("RGB", size, "white")
        whole.paste(picture, (0, 0))
        whole.paste(legend, (0, height))
        picture = whole
    with new_file(path, durable=False) as part:
        picture.save(part, format=Image.registered_extensions()[path.suffix.lower()])


@contextmanager
def _browser(page: str, size: tuple[int, int]) -> Iterator[subprocess.Popen[bytes]]:
    """Open the page without a display, until the context is left."""
    with tempfile.TemporaryDirectory(prefix="axonflow-", ignore_cleanup_errors=True) as profile:
        command = [find_browser(), "--headless=new", *FLAGS, f"--user-data-dir={profile}", "--no-first-run"]
        command += ["--disable-background-networking", "--hide-scrollbars", f"--window-size={size[0]},{size[1]}"]
        if os.name == "posix" and os.geteuid() == 0:
            command.append("--no-sandbox")  # Chromium refuses root without it
        process = subprocess.Popen([*command, page], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _legend(scenes: Sequence[Scene], show: str, width: int) -> Image.Image | None:
    """Draw the colours of an overlay, at a picture's width; nothing if its colours mean nothing."""
    dpi = 100
    figure = Figure(figsize=(width / dpi, LEGEND_PX / dpi), dpi=dpi)
    scaled = scenes[0].scaled.get(show)
    if scaled is not None and not scaled.words:
        axes = figure.add_axes((0.3, 0.5, 0.4, 0.2))
        low, high = span(scenes, show)
        colours = ScalarMappable(Normalize(low, high), mpl.colormaps[scaled.colours])
        figure.colorbar(colours, cax=axes, orientation="horizontal").ax.tick_params(labelsize=9)
        figure.text(0.28, 0.6, scaled.title, ha="right", va="center", fontsize=10)
        _note(figure, scenes, show, width)
    elif show == SEMANTIC[0] or scaled is not None:
        legend = {name: colour for each in scenes for name, colour in each.legend.items()}
        if scaled is not None:
            figure.text(0.02, 0.5, scaled.title, ha="left", va="center", fontsize=10)
            legend = dict(scaled.words)
            _note(figure, scenes, show, width)
        patches = [Patch(color=colour, label=name) for name, colour in legend.items()]
        figure.legend(handles=patches, loc="center", ncols=len(patches), frameon=False, fontsize=11)
    else:
        return None
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png")
    return Image.open(drawn).convert("RGB")


def _note(figure: Figure, scenes: Sequence[Scene], show: str, width: int) -> None:
    """Say at the right what an overlay does not paint, of each store that has a note."""
    notes = {scene.title: scene.scaled[show].note for scene in scenes if show in scene.scaled}
    said = [note if len(scenes) == 1 else f"{title}: {note}" for title, note in notes.items() if note]
    if said:
        words = fill("; ".join(said), max(int(0.26 * width / 6.5), 12), break_long_words=False)
        figure.text(0.73, 0.5, words, ha="left", va="center", fontsize=8.5, color="0.3")
