"""A running fit in a notebook: one display that is drawn over at most twice a second."""

from __future__ import annotations

import sys
from collections.abc import Callable
from time import perf_counter
from typing import Any, Protocol, cast

import numpy as np

from chymist.engine.events import Epoch, Event
from chymist.reports.about_training import loss_figure, metric_figures, steps_figure
from chymist.reports.markup import Markup, join, safe, tag
from chymist.reports.notebook import pictures_of
from chymist.values import Run, show

WAIT = 0.5  # seconds between two drawings
MOST_STEPS = 2000  # that are kept until there are two epochs; of more, every other one


class Picture:
    """What is on display: static markup, and the same in words."""

    def __init__(self, html: str, words: str) -> None:
        self.html, self.words = html, words

    def _repr_html_(self) -> str:
        return self.html

    def __repr__(self) -> str:
        return self.words


class Display(Protocol):
    """A place in a notebook that can be drawn over."""

    def update(self, picture: Picture) -> object:
        """Draw over what is there."""


class Live:
    """Follows the events of one run; an observer for `fit` and `resume`, see `live`.

    Args:
        begin: puts a first picture into the notebook and gives its place; None draws nothing.
        clock: seconds.
    """

    def __init__(self, begin: Callable[[Picture], Display] | None, clock: Callable[[], float]):
        self.begin, self.clock = begin, clock
        self.place: Display | None = None
        self.drawn = clock()
        self.steps: list[tuple[int, float]] = []
        self.every = 1
        self.epochs: list[Epoch] = []

    def __call__(self, event: Event) -> None:
        """Take note of an event; draw if it is time."""
        if self.begin is None:
            return
        if isinstance(event, Epoch):
            self.epochs.append(event)
        elif len(self.epochs) < 2 and event.step % self.every == 0:
            self.steps.append((event.step, event.loss))
            if len(self.steps) > MOST_STEPS:
                self.steps, self.every = self.steps[1::2], 2 * self.every
        now, last = self.clock(), isinstance(event, Epoch) and event.last
        if now - self.drawn < WAIT and not last:
            return
        self.drawn = now
        picture = self.picture(event)
        if self.place is None:
            self.place = self.begin(picture)
        else:
            self.place.update(picture)
        if last:
            self.begin = self.place = None

    def picture(self, event: Event) -> Picture:
        """The curves so far, under a line of words."""
        words = self.words(event)
        run = cast(Run, _Course(self.epochs, self.steps))  # curves read history and facts
        drawn: list[Markup] = []
        if len(self.epochs) > 1:
            figures = [loss_figure(run), *metric_figures(run)]
            drawn = [one for figure in figures for one in pictures_of(figure)]
        elif len(self.steps) > 1:
            drawn = pictures_of(steps_figure(run))
        style = "display:inline-block;width:49%;min-width:320px;max-width:460px"
        boxes = join(*(tag("div", one, style=style) for one in drawn[:2]))
        return Picture(tag("div", tag("p", safe(words)), boxes), words)

    def words(self, event: Event) -> str:
        """Where the run is, with its newest values."""
        if not self.epochs:
            return f"Training, step {event.step:,}"
        newest = self.epochs[-1]
        state = "Trained" if newest.last else "Training"
        values = [f"{name.replace('_', ' ')} {show(name.removeprefix('val_'), value)}"
                  for name, value in newest.values.items()]  # fmt: skip
        where = f"{state}, epoch {newest.epoch:,}, step {event.step:,}"
        return ": ".join([where, ", ".join(values)] if values else [where])


class _Course:
    """A run so far, as far as its curves are concerned."""

    floors = ()

    def __init__(self, epochs: list[Epoch], steps: list[tuple[int, float]]) -> None:
        names = dict.fromkeys(name for one in epochs for name in one.values)
        self.history = {
            name: np.array([(e.step, e.values[name]) for e in epochs if name in e.values])
            for name in names
        }
        self.history["loss"] = np.array(steps, np.float64).reshape(-1, 2)
        first = epochs[0] if epochs else None
        self.facts = {"steps_per_epoch": first.step / first.epoch if first else None}


def live() -> Live:
    """Show a fit while it runs, in a notebook; anywhere else nothing is shown.

    The curves are drawn into one display, at most twice a second and once at the end, and stay
    there as a static picture. It reads what the loop says, so the run has the same bits with and
    without it. Each fit takes its own.

    Returns:
        An observer for `fit` and `resume`.

    Example:
        >>> import chymist as cy
        >>> split = cy.split(cy.load("iris"), seed=0)
        >>> run = cy.fit(cy.Recipe(model="softmax"), split, observer=cy.live())
    """
    return Live(_notebook(), perf_counter)


def _notebook() -> Callable[[Picture], Display] | None:
    """How to show something in the notebook that this is, if it is one.

    Who sits in a notebook has IPython loaded, so nothing needs to be imported to find out.
    """
    shell: Any = sys.modules.get("IPython")
    known = shell.get_ipython() if shell is not None else None
    if getattr(known, "kernel", None) is None:
        return None

    def begin(picture: Picture) -> Display:
        from IPython import display

        shown: Any = display.display  # which has no types
        return cast(Display, shown(picture, display_id=True))

    return begin
