"""A person's first five minutes in the studio, as steps of a browser; each step asserts what is said.

`tools/make_studio_minutes.py` carries them out for the pictures of `docs/studio-first-minutes.md`,
a hard test to see that they are true.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

Show = Callable[[str], object]

GOOD = ("digits",)
SICK = (
    "digits",
    "--model",
    "mlp",
    "--optimizer",
    "sgd",
    "--optimizer.lr",
    "30",
    "--length",
    "5 epochs",
)
LONG = ("digits", "--model", "mlp", "--length", "20000 epochs", "--stop", "none")


def chymist(words: tuple[str, ...], folder: Path) -> subprocess.Popen[bytes]:
    """A command in a process of its own, which the studio has no part in."""
    return subprocess.Popen(
        [sys.executable, "-m", "chymist", "fit", *words, "--quiet"], cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1"}, stdout=subprocess.DEVNULL,
    )  # fmt: skip


class Minutes:
    """The way of a newcomer through the studio.

    Args:
        page: of a browser that has opened the studio's address.
        show: is told the name of what is on the screen now.
        patience: milliseconds that a step may take.
    """

    def __init__(self, page: Any, show: Show, patience: int = 120_000) -> None:
        self.page, self.show = page, show
        page.set_default_timeout(patience)

    def all(self) -> None:
        """Every step, in order."""
        self.runs()
        self.playground()
        self.overview()
        self.worst_digit()
        self.where_it_looked()
        self.doctor()
        self.steer()

    def runs(self) -> None:
        """The list is there."""
        self.page.get_by_role("link", name="digits-0001").wait_for()
        self.page.get_by_text("dead_relu").first.wait_for()
        self.show("runs")

    def playground(self) -> None:
        """XOR: a linear model fails, one hidden layer succeeds."""
        page = self.page
        page.get_by_role("link", name="Playground").click()
        page.get_by_role("button", name="XOR, linear model").click()
        page.locator('[data-verdict="no better"]').wait_for()
        self.show("xor-linear")
        page.get_by_role("button", name="XOR, one hidden layer").click()
        page.locator('[data-verdict="better"]').wait_for()
        self.show("xor-hidden")

    def overview(self) -> None:
        """A real run: the verdict is its first line."""
        self.page.get_by_role("link", name="Runs", exact=True).click()
        self.page.get_by_role("link", name="digits-0001").click()
        self.page.locator("h1.verdict").wait_for()
        self.show("overview")

    def worst_digit(self) -> None:
        """A cell off the diagonal opens its rows."""
        page = self.page
        page.get_by_role("link", name="Predictions").click()
        wrong = page.locator("td.miss button[aria-disabled=false]").first
        wrong.click()
        page.get_by_text("the surest first").wait_for()
        page.get_by_role("link", name="Why? row").first.wait_for()
        self.show("worst-digit")

    def where_it_looked(self) -> None:
        """The map of that digit, beside the map of random weights, and how far to believe it."""
        self.page.get_by_role("link", name="Why? row").first.click()
        self.page.get_by_role("heading", name="Can it be believed?").wait_for()
        self.page.locator('[aria-label="Explanation"] img').first.wait_for()
        self.show("explain")

    def doctor(self) -> None:
        """The run that learned nothing: what is wrong with it."""
        page = self.page
        page.get_by_role("link", name="Runs", exact=True).click()
        page.get_by_role("link", name="digits-0002").click()
        page.get_by_role("link", name="Doctor").click()
        page.get_by_text("What to do").first.wait_for()
        self.show("doctor")

    def steer(self) -> None:
        """A run that trains is paused, goes on, and is ended with a score."""
        page = self.page
        page.get_by_role("link", name="Runs", exact=True).click()
        page.get_by_role("link", name="digits-0003").click()
        page.get_by_role("button", name="Pause").click()
        page.get_by_role("heading", name="This run is paused").wait_for()
        self.show("paused")
        page.get_by_role("button", name="Go on").click()
        page.get_by_role("heading", name="This run trains").wait_for()
        page.get_by_role("link", name="Curves").click()
        page.locator("figure canvas").first.wait_for()
        page.wait_for_timeout(1500)
        self.show("curves")
        page.get_by_role("link", name="Overview").click()
        page.get_by_role("button", name="Stop and score").click()
        page.get_by_role("button", name="Yes: Stop and score").click()
        page.locator("h1.verdict").wait_for()
        self.show("stopped")
