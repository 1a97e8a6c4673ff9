"""Photographs the page in its main states at two widths: python -m tests.benchmarks.screenshots FOLDER [SCALE].

The page uses the fonts of the reader's system. A bare Debian has none that one would want to see: apt-get install
fonts-inter fonts-sil-charis.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from rag.wiring import open_indexer
from tests.conftest import SEEDS, settings_for
from tests.test_page import CHROMIUM, FLAGS, PATIENCE, PHONE, WIDE, ask, marked, serving

COLOURS = 96  # of a palette: text on plain ground needs no more, and takes a fifth of the space


def main(folder: Path, scale: float) -> None:
    """Write NAME-WIDTH.png for every state and width."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as index:
        settings = settings_for(Path(index) / "index")
        with closing(open_indexer(settings)) as indexer:
            indexer.run([SEEDS], lambda _: None)
        with serving(settings) as url, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
            for size in (WIDE, PHONE):
                more: dict[str, Any] = {"has_touch": size is PHONE, "reduced_motion": "reduce"}
                page = browser.new_page(viewport=size, device_scale_factor=scale, **more)  # type: ignore[arg-type]
                page.set_default_timeout(PATIENCE)
                for name, show in states():
                    page.goto("about:blank")
                    page.goto(url)
                    page.locator(".example").first.wait_for()
                    show(page)
                    page.mouse.move(2, size["height"] / 2)
                    page.wait_for_timeout(500)
                    photograph(page, folder / f"{name}-{size['width']}.png")
            browser.close()


def states() -> Iterator[tuple[str, Callable[[Page], None]]]:
    """The states by name, each with what leads to it."""
    yield "start", lambda page: page.locator("#question").focus()
    yield "answered", lambda page: open_citation(page, "Who founded Scale AI?", 1)
    yield "disputed", lambda page: open_citation(page, "What was Scale AI's last valuation?", 0)
    yield "positions", lambda page: ask(page, "What was Scale AI's last valuation?")
    yield "refusal", lambda page: ask(page, "How many moons has Jupiter?")
    yield "thread", follow_up
    yield "error", lose


def open_citation(page: Page, question: str, number: int) -> None:
    """Ask, and open a citation of the answer."""
    ask(page, question)
    page.locator(".prose a.chip").nth(number).click()
    marked(page)


def follow_up(page: Page) -> None:
    """Ask twice, the second question leaning on the first."""
    ask(page, "Who founded Scale AI?")
    ask(page, "When was it founded?")


def lose(page: Page) -> None:
    """Ask a server that cannot be reached any more."""
    page.context.set_offline(True)
    page.fill("#question", "Who founded Scale AI?")
    page.press("#question", "Enter")
    page.locator(".turn .problem").wait_for()
    page.context.set_offline(False)


def photograph(page: Page, path: Path) -> None:
    """Write what is seen as a small PNG."""
    page.screenshot(path=path)
    with Image.open(path) as image:
        image.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)
    print(f"{path} {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]) if len(sys.argv) > 2 else 1.0)
