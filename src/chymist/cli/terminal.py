"""What a person sees while a run goes on: rich on a terminal, plain lines when piped."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from time import perf_counter
from typing import Any, TextIO

from chymist.engine.events import Epoch, Event, Step
from chymist.errors import printable
from chymist.values import show

REDRAW_SECONDS = 0.125
PLAIN_SECONDS = 5.0
LABEL = 8


class Screen:
    """Prints labelled lines and live progress.

    Args:
        quiet: print results only.
        json: keep standard output free for one JSON object; all else goes to standard error.
    """

    def __init__(self, quiet: bool = False, json: bool = False) -> None:
        self.quiet = quiet
        self.stream: TextIO = sys.stderr if json else sys.stdout
        self.live = self.stream.isatty() and not quiet

    def line(self, label: str, text: str, result: bool = False) -> None:
        """One line: a label and what there is to say; in quiet mode results only."""
        if not self.quiet or result:
            print(f"{label:<{LABEL}}{printable(text)}", file=self.stream, flush=True)

    def block(self, text: str) -> None:
        """Several lines, indented under the last label."""
        if not self.quiet:
            for row in text.splitlines():
                print(" " * LABEL + printable(row), file=self.stream, flush=True)


def counted(count: float, noun: str) -> str:
    """A number with its noun.

    Example:
        >>> counted(1, "step"), counted(2000, "step")
        ('1 step', '2,000 steps')
    """
    shown = f"{count:,}" if isinstance(count, int) else f"{count:g}"
    return f"{shown} {noun}{'' if count == 1 else 's'}"


class Progress:
    """Follows the events of one run; redraws at most eight times a second.

    Args:
        screen: where to draw.
        total_steps: length of the run.
        steps_per_epoch: steps of one epoch.
        rows: training rows of one epoch.
        at_once: whether a solver finds the answer, which says itself when it is done.
    """

    def __init__(
        self, screen: Screen, total_steps: int, steps_per_epoch: int, rows: int,
        at_once: bool = False,
    ) -> None:  # fmt: skip
        self.screen = screen
        self.total, self.per_epoch, self.rows = total_steps, steps_per_epoch, rows
        self.at_once = at_once
        self.began = self.drawn = perf_counter()
        self.first: int | None = None
        self.losses: list[float] = []
        self.values: dict[str, float] = {}
        self.bar = _LiveLine() if screen.live else None

    def __call__(self, event: Event) -> None:
        now = perf_counter()
        last = isinstance(event, Epoch) and event.last
        if isinstance(event, Epoch):
            self.values = dict(event.values)
            self.losses.append(event.values["train_loss"])
        elif self.first is None:
            self.first = event.step - 1
        wait = REDRAW_SECONDS if self.bar else PLAIN_SECONDS
        if self.screen.quiet or (now - self.drawn < wait and not last):
            return
        self.drawn = now
        text = self.text(event, now)
        if self.bar:
            self.bar.draw(text, last)
        elif isinstance(event, Epoch) or now - self.began > PLAIN_SECONDS:
            self.screen.line("Train", text)

    def text(self, event: Step | Epoch, now: float) -> str:
        """The progress line."""
        from chymist.reports.text import bar, sparkline

        done = event.step - (self.first or 0)
        speed = done / max(now - self.began, 1e-9)
        epochs = math.ceil(self.total / self.per_epoch)
        words = [f"epoch {min(math.ceil(event.step / self.per_epoch), epochs)}/{epochs}"]
        if self.at_once:
            words = [f"solved in {counted(event.step, 'step')}"]
        elif self.bar:
            words.append(bar(event.step / self.total))
        for name, value in self.values.items():
            if name.startswith("val_") and name != "val_loss":
                words.append(f"{name.replace('_', ' ')} {show(name[4:], value)}")
        if self.losses:
            words.append(f"loss {self.losses[-1]:.3g} {sparkline(self.losses[-16:])}")
        if not self.at_once:
            words.append(f"{speed * self.rows / self.per_epoch:,.0f} rows/s")
        left = (self.total - event.step) / max(speed, 1e-9)
        ended = self.at_once or (isinstance(event, Epoch) and event.last)
        if left >= 1 and not ended:
            words.append(f"{left:.0f} s left")
        return "  ".join(words)

    def close(self) -> None:
        """Leave the last line standing."""
        if self.bar:
            self.bar.close()


class Band:
    """Follows many runs at once: one line for all of them, with the range of their losses.

    Args:
        screen: where to draw.
        runs: their number.
    """

    def __init__(self, screen: Screen, runs: int) -> None:
        self.screen, self.runs = screen, runs
        self.latest: dict[int, Epoch] = {}
        self.drawn = perf_counter()
        self.bar = _LiveLine() if screen.live else None

    def __call__(self, number: int, event: Epoch) -> None:
        """Take note of an epoch of one of the runs."""
        self.latest[number] = event
        now = perf_counter()
        wait = REDRAW_SECONDS if self.bar else PLAIN_SECONDS
        if self.screen.quiet or now - self.drawn < wait:
            return
        self.drawn = now
        if self.bar:
            self.bar.draw(self.text(), False)
        else:
            self.screen.line("Train", self.text())

    def text(self) -> str:
        """The progress line."""
        ended = sum(event.last for event in self.latest.values())
        losses = sorted(event.values["train_loss"] for event in self.latest.values())
        epochs = sorted(event.epoch for event in self.latest.values())
        upto = f"{epochs[0]} to {epochs[-1]}" if epochs[0] < epochs[-1] else f"{epochs[0]}"
        middle = losses[len(losses) // 2]
        return (
            f"{len(losses)} of {self.runs} fits, {ended} ended  epoch {upto}"
            f"  loss {middle:.3g} [{losses[0]:.3g}, {losses[-1]:.3g}]"
        )

    def close(self) -> None:
        """Leave the last line standing."""
        if self.bar:
            self.bar.close()


class _LiveLine:
    """One line on a terminal that is drawn over."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.live import Live

        self.live: Any = Live(console=Console(), auto_refresh=False)
        self.live.start()

    def draw(self, text: str, last: bool) -> None:
        from rich.text import Text

        self.live.update(Text(f"{'Train':<{LABEL}}{text}", no_wrap=True, overflow="ellipsis"))
        self.live.refresh()

    def close(self) -> None:
        self.live.stop()


class Folds:
    """Follows a cross-validation: a band while folds are trained, a line for each that is scored.

    Args:
        screen: where to draw.
    """

    def __init__(self, screen: Screen) -> None:
        self.screen, self.total, self.told = screen, 0, 0
        self.band: Band | None = None

    def begin(self, fits: int) -> None:
        """The number of fits is known."""
        self.total, self.band = fits, Band(self.screen, fits)

    def __call__(self, number: int, event: Epoch) -> None:
        """An epoch of one of the fits."""
        if self.band:
            self.band(number, event)

    def tell(self, record: Mapping[str, Any]) -> None:
        """A fold is scored; of many folds a twentieth is told."""
        self.told += 1
        at, total = self.told, self.total
        if at == total or total <= 50 or at % (total // 20) == 0:
            self.screen.line("Fold", f"{at}/{total}   {record['value']:.4g} on {record['n']} rows")

    def close(self) -> None:
        """Leave the last line standing."""
        if self.band:
            self.band.close()
