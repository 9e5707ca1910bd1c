"""Pages in a real browser: a headless Chromium that is installed, an empty profile, no network.

`Browser` opens pages that are files, and tells what a reader would meet: the text, what the page
asked for, how long it took, what breaks the rules of accessibility, what does not fit the screen.
"""

from __future__ import annotations

import shutil
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--no-first-run",
    "--disable-dev-shm-usage",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-sync",
    "--metrics-recording-only",
    "--mute-audio",
)
ALONE = "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"  # names of which the browser knows a machine  # fmt: skip
NARROW, WIDE = 360, 1280  # pixels: a telephone and a laptop


def chromium() -> str:
    """Where a Chromium is installed; nothing if there is none."""
    return next((found for name in NAMES if (found := shutil.which(name))), "")


def refusal() -> str:
    """Why pages cannot be opened here; nothing if they can."""
    missing = [n for n in ("playwright", "axe_playwright_python") if find_spec(n) is None]
    if missing:
        return f"{' and '.join(missing)} is not installed"
    return "" if chromium() else "no Chromium is installed"


class Browser:
    """A running Chromium; every page has a context of its own. `close` ends it.

    Args:
        home: an empty folder, for whatever the browser writes.
        rules: which names lead to which machine; none leads out of this one.
    """

    def __init__(self, home: Path, rules: str = ALONE) -> None:
        from playwright.sync_api import sync_playwright

        self._playwright = sync_playwright().start()
        self._browser = self._playwright.chromium.launch(
            executable_path=chromium(), headless=True, timeout=60_000,
            args=[*ARGUMENTS, f"--host-resolver-rules={rules}"],
            env={"HOME": str(home), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
        )  # fmt: skip

    def close(self) -> None:
        """End the browser and its driver."""
        self._browser.close()
        self._playwright.stop()

    @contextmanager
    def page(
        self, path: Path, script: bool = False, width: int = WIDE, dark: bool = False
    ) -> Iterator[tuple[Any, list[str]]]:
        """A page that is loaded, and the addresses that it asked for beside its own.

        Args:
            path: a file.
            script: whether JavaScript is on.
            width: of the window in pixels.
            dark: whether the reader prefers dark colours.
        """
        context = self._browser.new_context(
            java_script_enabled=script, viewport={"width": width, "height": 900},
            color_scheme="dark" if dark else "light",
        )  # fmt: skip
        try:
            page, address, asked = context.new_page(), path.resolve().as_uri(), []
            context.on("request", lambda request: asked.append(request.url))
            page.goto(address, wait_until="load", timeout=60_000)
            asked[:] = [url for url in asked if url != address and not url.startswith("data:")]
            yield page, asked
        finally:
            context.close()

    @contextmanager
    def visit(
        self, address: str, width: int = WIDE, dark: bool = False, lang: str = "en-GB"
    ) -> Iterator[tuple[Any, list[str]]]:
        """A served page, and every address that it and those after it ask for.

        Args:
            address: on loopback.
            width: of the window in pixels.
            dark: whether the reader prefers dark colours.
            lang: that the reader prefers.
        """
        context = self._browser.new_context(
            viewport={"width": width, "height": 900}, locale=lang,
            color_scheme="dark" if dark else "light",
        )  # fmt: skip
        asked: list[str] = []
        context.on("request", lambda request: asked.append(request.url))
        try:
            page = context.new_page()
            page.goto(address, wait_until="load", timeout=60_000)
            yield page, asked
        finally:
            context.close()

    def text(self, path: Path, script: bool = False) -> str:
        """What can be read on a page: the whole text, folded parts included, styles and not."""
        with self.page(path, script) as (page, _):
            return str(page.locator("body").evaluate("body => body.textContent"))

    def asked(self, path: Path, script: bool = True) -> list[str]:
        """Addresses that a page asks for beside its own."""
        with self.page(path, script) as (page, asked):
            page.wait_for_timeout(50)  # whatever is asked for after the page has loaded
            return asked

    def seconds(self, path: Path, times: int = 5) -> float:
        """How long a page takes from its address to its last picture: the median of some tries."""
        taken = []
        for _ in range(times):
            context = self._browser.new_context(viewport={"width": WIDE, "height": 900})
            page = context.new_page()
            start = time.perf_counter()
            page.goto(path.resolve().as_uri(), wait_until="load", timeout=60_000)
            page.evaluate("() => new Promise(d => requestAnimationFrame(() => setTimeout(d, 0)))")
            taken.append(time.perf_counter() - start)
            context.close()
        return statistics.median(taken)

    def violations(self, path: Path, width: int = WIDE, dark: bool = False) -> list[str]:
        """Rules of accessibility that a page breaks, by axe, with the first place of each."""
        from axe_playwright_python.sync_playwright import Axe

        with self.page(path, script=True, width=width, dark=dark) as (page, _):
            found = Axe().run(page).response["violations"]
        return [
            f"{rule['id']}: {len(rule['nodes'])} times, {rule['nodes'][0]['html'][:200]}"
            for rule in found
        ]

    def overflow(self, path: Path, width: int = NARROW) -> int:
        """Pixels by which a page is wider than its window."""
        with self.page(path, width=width) as (page, _):
            root = page.locator("html")
            return int(root.evaluate("root => root.scrollWidth - root.clientWidth"))

    def picture(self, path: Path, to: Path, width: int = WIDE, dark: bool = False) -> Path:
        """A picture of the whole page as a PNG file, to be looked at."""
        with self.page(path, width=width, dark=dark) as (page, _):
            page.screenshot(path=str(to), full_page=True)
        return to
