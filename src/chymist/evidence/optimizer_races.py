"""What a race of optimisers shows: the best rate of each, how wide the good ones are, who leads."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from chymist.evidence.intervals import Estimate, mean_t
from chymist.values import show

GOOD = 1.25  # a rate is good if its loss is at most so many times that of the best rate
SURE = 0.05  # chance that any of the comparisons with the leader claims what is not so


@dataclass(frozen=True, eq=False)
class Racer:
    """One optimiser at several rates, with several seeds.

    Args:
        name: what it is called.
        optimizer: its part as text, without the rate.
        rates: learning rates, ascending, (R,).
        losses: validation loss at the end, (R, S); infinite where a member diverged.
        scores: headline metric on the validation rows, (R, S); NaN where a member diverged.
        curves: validation loss after every epoch, (R, S, E); NaN after a member diverged.
        metric: name of the headline metric.
        uninformed: loss of a model that has learned nothing, or None if it is not known.
    """

    name: str
    optimizer: str
    rates: np.ndarray
    losses: np.ndarray
    scores: np.ndarray
    curves: np.ndarray
    metric: str
    uninformed: float | None

    @cached_property
    def means(self) -> np.ndarray:
        """Mean loss over seeds of each rate, (R,); infinite where one diverged."""
        return np.asarray(self.losses.mean(1))

    @cached_property
    def best(self) -> int | None:
        """The number of the rate with the lowest mean loss; None if all diverged."""
        return int(self.means.argmin()) if np.isfinite(self.means).any() else None

    @property
    def at_end(self) -> bool:
        """Whether the best rate is the smallest or the largest that was tried."""
        return self.best in (0, len(self.rates) - 1)

    @cached_property
    def estimate(self) -> Estimate | None:
        """Mean loss at the best rate, with its 95 % interval over seeds (Student's t).

        It ends at 0 where no loss that was seen is below: most losses cannot be.
        """
        if self.best is None:
            return None
        found = mean_t(self.losses[self.best])
        below = np.isfinite(found.low) and self.losses.min() >= 0
        return found._replace(low=max(found.low, 0.0)) if below else found

    @property
    def good(self) -> tuple[float, float] | None:
        """The lowest and the highest of the good rates around the best one."""
        if self.best is None:
            return None
        fine = self.means <= GOOD * self.means[self.best]
        low = high = self.best
        while low > 0 and fine[low - 1]:
            low -= 1
        while high < len(fine) - 1 and fine[high + 1]:
            high += 1
        return float(self.rates[low]), float(self.rates[high])

    @property
    def diverged(self) -> int:
        """Members whose loss was not finite."""
        return int((~np.isfinite(self.losses)).sum())

    @property
    def lost(self) -> int:
        """Members that diverged, or ended no better than a model that has learned nothing."""
        level = np.inf if self.uninformed is None else self.uninformed
        return int((~(self.losses < level)).sum())

    def to_dict(self) -> dict[str, Any]:
        """The racer as plain values."""
        at, found, good = self.best, self.estimate, self.good
        return {
            "name": self.name, "optimizer": self.optimizer,
            "best_rate": None if at is None else float(self.rates[at]), "at_end": self.at_end,
            "val_loss": None if found is None else dict(zip(("value", "low", "high"), found[:3],
                                                            strict=True)),
            "metric": self.metric,
            "score": None if at is None else float(self.scores[at].mean()),
            "good_rates": good, "diverged": self.diverged, "lost": self.lost,
            "members": self.losses.size, "rates": self.rates.tolist(),
            "losses": self.losses.tolist(), "scores": self.scores.tolist(),
            "uninformed": self.uninformed,
        }  # fmt: skip


@dataclass(frozen=True, eq=False)
class Race:
    """Optimisers at several rates, with the same seeds on the same rows.

    Args:
        racers: those with the lowest loss at their best rate first.
        verdict: who leads, in words; it may say "cannot tell".
        pairs: of each other racer against the leader: how much higher its loss is, with the
            interval that holds for all comparisons together, and whether it excludes 0.
        seeds: of the members.
        recipe: what all have in common, as plain values.
        facts: executor, reason, seconds, epochs, and the notes that a reader needs.
        how: data and seeds, as plain values.
    """

    racers: tuple[Racer, ...]
    verdict: str
    pairs: tuple[Mapping[str, Any], ...]
    seeds: tuple[int, ...]
    recipe: Mapping[str, Any]
    facts: Mapping[str, Any]
    how: Mapping[str, Any] = field(default_factory=dict)

    # The notebook view is attached by `chymist.verbs`; evidence draws nothing.
    views: ClassVar[dict[str, Callable[..., Any]]] = {}

    @property
    def curves(self) -> dict[str, np.ndarray]:
        """Validation loss by epoch, (seeds, epochs), by numbers of racer and rate ("0/3")."""
        return {
            f"{number}/{at}": curves
            for number, one in enumerate(self.racers)
            for at, curves in enumerate(one.curves)
        }

    def to_dict(self) -> dict[str, Any]:
        """The race as plain values (the JSON contract)."""
        how = dict(self.how)
        return {
            "verdict": self.verdict, "rows": [one.to_dict() for one in self.racers],
            "pairs": [dict(pair) for pair in self.pairs], "seeds": list(self.seeds),
            "selected_on": "val_loss", "recipe": dict(self.recipe), "facts": dict(self.facts),
            "seconds": self.facts["seconds"], "data": how.pop("data", {"name": ""}), "how": how,
        }  # fmt: skip

    def _repr_html_(self) -> str:
        return str(self.views["html"](self))

    def __repr__(self) -> str:
        return f"Race({self.verdict})"


def in_order(racers: Sequence[Racer]) -> tuple[Racer, ...]:
    """Racers by the loss at their best rate; those that only diverged come last.

    Example:
        >>> one, two = (Racer(name, name, np.array([0.1]), np.full((1, 2), loss), np.ones((1, 2)),
        ...                   np.ones((1, 2, 1)), "accuracy", None)
        ...             for name, loss in (("sgd", 0.5), ("adam", 0.1)))
        >>> [racer.name for racer in in_order([one, two])]
        ['adam', 'sgd']
    """
    return tuple(sorted(racers, key=lambda one: float(one.means.min())))


def against_the_leader(racers: Sequence[Racer]) -> tuple[dict[str, Any], ...]:
    """Each racer at its best rate against the first one, paired by seed.

    Intervals are Student's, widened for the number of comparisons (Bonferroni).

    Args:
        racers: in order, see `in_order`.

    Returns:
        For each other racer that has a best rate: name, how much higher its loss is, low and high
        end, and whether it is clear.

    Example:
        >>> one, two = (Racer(name, name, np.array([0.1]), np.array([losses]), np.ones((1, 3)),
        ...                   np.ones((1, 3, 1)), "accuracy", None)
        ...             for name, losses in (("adam", [0.1, 0.2, 0.1]), ("sgd", [0.5, 0.6, 0.6])))
        >>> pair = against_the_leader([one, two])[0]
        >>> pair["name"], round(pair["higher"], 3), pair["clear"]
        ('sgd', 0.433, True)
    """
    found: list[dict[str, Any]] = []
    leader, rest = racers[0], [one for one in racers[1:] if one.best is not None]
    if leader.best is None:
        return ()
    for one in rest:
        apart = one.losses[one.best] - leader.losses[leader.best]
        value, low, high, _ = mean_t(apart, 1 - SURE / len(rest))
        found.append({"name": one.name, "higher": value, "low": low, "high": high,
                      "clear": low > 0})  # fmt: skip
    return tuple(found)


def race_verdict(racers: Sequence[Racer], pairs: Sequence[Mapping[str, Any]]) -> str:
    """Who leads, in words; a lead is claimed only where it is clear over seeds.

    Example:
        >>> one, two = (Racer(name, name, np.array([0.1]), np.array([losses]), np.ones((1, 3)),
        ...                   np.ones((1, 3, 1)), "accuracy", None)
        ...             for name, losses in (("adam", [0.1, 0.2, 0.1]), ("sgd", [0.5, 0.6, 0.6])))
        >>> print(race_verdict([one, two], against_the_leader([one, two])))
        adam at rate 0.1 ends lowest, with a validation loss of 0.133 [0, 0.277]; clearly
        higher: sgd
        >>> print(race_verdict([two, one], against_the_leader([two, one])))
        cannot tell which is best: sgd at rate 0.1 ends lowest, with a validation loss of 0.567
        [0.423, 0.71], but adam may be as low
    """
    leader, found = racers[0], racers[0].estimate
    if leader.best is None or found is None:
        return "cannot tell: every member diverged; try lower rates"
    level = f"{found.value:.3g}"
    if np.isfinite(found.low):
        level += f" [{found.low:.3g}, {found.high:.3g}]"
    lead = f"{leader.name} at rate {leader.rates[leader.best]:g} ends lowest"
    lead += f", with a validation loss of {level}"
    clear = [pair["name"] for pair in pairs if pair["clear"]]
    open_ = [pair["name"] for pair in pairs if not pair["clear"]]
    if not pairs:
        return f"{lead}; there is nothing to compare it with"
    if not clear:
        return f"cannot tell which is best: {lead}, but {_listed(open_)} may be as low"
    words = f"{lead}; clearly higher: {_listed(clear)}"
    return words + (f"; cannot tell it from {_listed(open_)}" if open_ else "")


def cells_of(racer: Racer) -> list[str]:
    """A racer as the cells of a table, see `HEADS`.

    Example:
        >>> one = Racer("sgd", "sgd()", np.array([0.1]), np.full((1, 1), 0.5), np.ones((1, 1)),
        ...             np.ones((1, 1, 1)), "accuracy", None)
        >>> cells_of(one)
        ['sgd', '0.1*', '0.5', 'unknown', '100.0 %', '0.1', '0 of 1']
    """
    at, found, good = racer.best, racer.estimate, racer.good
    state = f"{racer.lost} of {racer.losses.size}" + (
        f", {racer.diverged} not finite" if racer.diverged else ""
    )
    if at is None or found is None or good is None:
        return [racer.name, "none", "", "", "", "", state]
    interval = f"[{found.low:.3g}, {found.high:.3g}]" if np.isfinite(found.low) else "unknown"
    rates = f"{good[0]:.2g}" if good[0] == good[1] else f"{good[0]:.2g} to {good[1]:.2g}"
    return [
        racer.name, f"{racer.rates[at]:.2g}" + ("*" if racer.at_end else ""),
        f"{found.value:.3g}", interval, show(racer.metric, float(racer.scores[at].mean())),
        rates, state,
    ]  # fmt: skip


HEADS = ("optimiser", "best rate", "val. loss", "95 %, seeds", "score", "good rates", "lost")


def _listed(names: Sequence[str]) -> str:
    """Names in a sentence.

    Example:
        >>> _listed(["a", "b", "c"]), _listed(["a"])
        ('a, b and c', 'a')
    """
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else names[0]
