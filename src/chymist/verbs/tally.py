"""What a verb that trains many models counts: epochs, how they were trained, and how long."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from time import perf_counter
from typing import Any

from chymist.verbs.jobs import Trained
from chymist.verbs.validation import named


class Tally:
    """Follows models as they are trained; the clock starts when it is made."""

    def __init__(self) -> None:
        self.began = perf_counter()
        self.epochs = 0.0
        self.reasons: set[str] = set()
        self.model = ""

    def sound(self, fits: Iterable[Trained], who: Callable[[int], str]) -> Iterator[Trained]:
        """The same models; the first that diverged ends them.

        Args:
            fits: trained models.
            who: what to call a model, by its number.

        Raises:
            Diverged: a model diverged.
        """
        for number, trained in enumerate(fits):
            if trained.error:
                raise named(trained.error, who(number))
            self.epochs += trained.epochs
            self.reasons |= {trained.reason} - {""}
            self.model = trained.run.recipe.model.name
            yield trained

    def facts(self) -> dict[str, Any]:
        """Model, executor, reason for a loop, epochs of all models, seconds so far."""
        return {
            "model": self.model, "executor": "loop" if self.reasons else "population",
            "reason": "; ".join(sorted(self.reasons)), "epochs": self.epochs,
            "seconds": round(perf_counter() - self.began, 3),
        }  # fmt: skip
