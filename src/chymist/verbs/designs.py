"""Designs: the cuts that all entries of a comparison share, and what may be concluded from them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np

from chymist.data import duplicates_across
from chymist.engine.steps import STEPWISE
from chymist.errors import UsageError
from chymist.metrics import Undefined, measure
from chymist.optim import AT_ONCE
from chymist.parts import Part
from chymist.protocols import Cut, cuts, protocol_of
from chymist.values import Data, Predictions, Recipe, Split, whole_number
from chymist.verbs.sources import groups_of, open_rows, order_of
from chymist.verbs.validation import fold_split

Folds = int | Literal["loo"] | Part

SEEDS = 3  # by default, where models start from random weights: docs/statistics.md says why
DRAWN = ("random_features", "random_forest")  # found at once, but among draws of the seed
WORDS = {
    "leave_p_out": "sets of rows left out",
    "leave_groups_out": "sets of groups left out",
    "monte_carlo": "random splits",
    "bootstrap": "bootstraps",
    "time_series": "blocks in time",
}


@dataclass(frozen=True, eq=False)
class Design:
    """Which rows are trained on and scored, and from which seeds.

    Args:
        data: the data.
        rows: the rows that may be used, ascending.
        groups: number of each row's group, or None.
        moments: what orders the rows in time, or None.
        sealed: whether test rows exist that are not given.
        seed: of the first repeat; repeat r has seed + r.
        protocol: how the rows are cut.
    """

    data: Data
    rows: np.ndarray
    groups: np.ndarray | None
    moments: np.ndarray | None
    sealed: bool
    seed: int
    protocol: Part

    @cached_property
    def cuts(self) -> list[Cut]:
        """One a training of an entry."""
        return self._cuts_of(self.rows)

    @cached_property
    def repeats(self) -> int:
        """Initialisations that several cuts share; 1 where every cut has one of its own."""
        starts = self.cuts[-1].repeat + 1
        return starts if starts < len(self.cuts) else 1

    @property
    def folds(self) -> int:
        """Cuts of one repeat."""
        return len(self.cuts) // self.repeats

    @property
    def one_seed(self) -> bool:
        """Whether all cuts share one initialisation, whose luck is then not known."""
        return self.cuts[-1].repeat == 0

    @property
    def test_share(self) -> float:
        """Rows that a cut scores, as a share of these and the different ones that it trains on.

        Of K folds it is 1/K. Rows that a bootstrap draws twice are no further ones: with them
        counted, the corrected t-test errs twice as often.
        """
        held = sum(len(cut.held) for cut in self.cuts)
        trained = sum(len(np.unique(cut.train)) for cut in self.cuts)
        return held / (held + trained)

    @property
    def single(self) -> bool:
        """Whether some cut holds one row only, which has no metric worth the name."""
        return any(len(cut.held) == 1 for cut in self.cuts)

    @property
    def words(self) -> str:
        """How it is measured."""
        if self.protocol.name in WORDS:
            return f"{len(self.cuts)} {WORDS[self.protocol.name]}"
        folds = "leave-one-out" if self.folds == len(self.rows) else f"{self.folds} folds"
        return f"{folds} x {self.repeats} seed{'s' if self.repeats > 1 else ''}"

    def with_seeds(self, seeds: int) -> Design:
        """The same with another number of repeats."""
        return replace(self, protocol=self.protocol.replace(repeats=seeds))

    def split(self, cut: Cut, stopping: bool) -> Split:
        """A cut as a split, with or without rows that decide early stopping."""
        return fold_split(self.data, cut, self.seed, stopping, self.groups, self.moments)

    def splits(self, stopping: bool, rows: np.ndarray | None = None) -> list[Split]:
        """All cuts, of all rows or of some, as splits."""
        return [
            self.split(c, stopping) for c in (self.cuts if rows is None else self._cuts_of(rows))
        ]

    def check_test(self, metric: str) -> None:
        """Refuse what can only be tested on rows, where rows are held out unequally often.

        Raises:
            UsageError: it is so.
        """
        times = np.unique(np.concatenate([cut.held for cut in self.cuts]), return_counts=True)[1]
        if np.ptp(times) and (self.single or not all(map(self._has(metric), self.cuts))):
            raise UsageError(
                f"cuts without {metric} of their own need rows that are held out equally often",
                where="folds", received=str(self.protocol),
                do='hold out more rows, or use K folds or "loo"',
            )  # fmt: skip

    def _cuts_of(self, rows: np.ndarray) -> list[Cut]:
        """The cuts of some of the rows."""
        return cuts(
            self.protocol, self.data, rows, seed=self.seed, group=self.groups, time=self.moments
        )

    def _has(self, metric: str) -> Any:
        """Whether the metric has a value on the held rows of a cut."""
        classes = len(self.data.classes)

        def has(cut: Cut) -> bool:
            targets = self.data.targets[cut.held]
            if self.data.task in STEPWISE:
                targets = targets[targets >= 0]
            said = np.full((len(targets), classes), 1 / classes) if classes else 0.0 * targets
            try:
                measure(Predictions(cut.held, targets, said), metric)
            except Undefined:
                return False
            return True

        return has

    def notes(self) -> Iterator[str]:
        """What is to be known of the rows, in sentences."""
        single = bool(self.data.row_classes)
        counts = np.bincount(self.data.targets[self.rows]) if single else np.array([])
        few = np.flatnonzero((counts > 0) & (counts < self.folds))
        if len(few) and self.protocol.name == "kfold" and not self.single:
            name, rows = self.data.classes[few[0]], counts[few[0]]
            yield f"class '{name}' has {rows} rows for {self.folds} folds: some hold none of it"
        if copies := duplicates_across(self.data, self.rows, self.groups):
            yield note_of_copies(copies, self.groups is not None)
        left = len(np.setdiff1d(self.rows, np.concatenate([cut.held for cut in self.cuts])))
        if left:
            yield f"{left:,} rows were never held out; the scores are of the others"
        if not self.sealed:
            yield "all rows were used; none is sealed for a last test"


def design_of(
    data: Data | Split, folds: Folds, seeds: int | None, seed: int, group: Any, time: Any
) -> Design:
    """How the rows that may be used are cut.

    Args:
        data: all rows, or a split.
        folds: number of folds, "loo", or a protocol.
        seeds: how often the rows are cut anew; None is once, or what the protocol says.
        seed: the first seed.
        group, time: as in `cross_validate`.

    Raises:
        UsageError: seeds beside a protocol, which has an option for them.
        InputError: the rows cannot be cut in this way.
    """
    seed = whole_number(seed, "seed", 0)
    seeds = None if seeds is None else whole_number(seeds, "seeds", 1, 10**6)
    if isinstance(folds, Part) and seeds is not None:
        raise UsageError("a protocol says itself how often it cuts", where="seeds",
                         received=str(seeds), do=f"leave it out; see {folds.name}")  # fmt: skip
    protocol = protocol_of(folds, seeds or 1)
    whole, rows, sealed = open_rows(data, protocol.name == "time_series")
    groups, moments = groups_of(data, group), order_of(data, time)
    return Design(whole, rows, groups, moments, sealed, seed, protocol)


def note_of_copies(count: int, grouped: bool) -> str:
    """What is to be known of rows that have an exact copy, in another group if there are groups."""
    what, do = "occur more than once", "group or drop them"
    if grouped:
        what, do = "have a copy in another group", "join the groups, or drop them"
    return f"{count:,} rows {what}: training may see the copy of a held-out row; {do}"


def starts_at_random(entry: Any) -> bool:
    """Whether an entry is trained from random initial weights, so that a seed may be lucky.

    Recipes are, unless they are solved in closed form and have no random features; of
    scikit-learn's estimators its networks are, and recipes in their form. What trees and forests
    draw at random differs from fold to fold, so that folds show its spread.

    Args:
        entry: a complete recipe, or an estimator.

    Example:
        >>> from sklearn.neural_network import MLPClassifier
        >>> from sklearn.svm import SVC
        >>> starts_at_random(MLPClassifier()), starts_at_random(SVC())
        (True, False)
        >>> [starts_at_random(Recipe(optimizer=name)) for name in ("lbfgs", "direct")]
        [True, False]
    """
    if isinstance(entry, Recipe):
        drawn = entry.model is not None and entry.model.name in DRAWN
        return drawn or entry.optimizer is None or entry.optimizer.name not in AT_ONCE
    options = entry.get_params() if hasattr(entry, "get_params") else {}
    return any(
        name.endswith("hidden_layer_sizes")
        or (isinstance(value, Recipe) and starts_at_random(value))
        for name, value in options.items()
    )
