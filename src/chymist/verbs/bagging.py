"""`bag`: one recipe on many bootstraps of the training rows, and the average of what they say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from chymist import protocols
from chymist.data import read_inputs, schema_of
from chymist.engine.assembly import HEADLINE
from chymist.engine.defaults import check_split
from chymist.engine.population import Plan
from chymist.engine.threads import Threads
from chymist.errors import Diverged, InputError
from chymist.evidence import score
from chymist.evidence.intervals import Estimate, mean_t
from chymist.reports.bands import dots_chart
from chymist.reports.markup import table, tag
from chymist.reports.notebook import WIDE
from chymist.reports.numbers import interval, metric_name
from chymist.values import Data, Predictions, Recipe, Score, Split, show, whole_number
from chymist.verbs.jobs import Job, Trained, train_jobs
from chymist.verbs.predicting import Predictor, check_estimated
from chymist.verbs.sources import as_split


@dataclass(frozen=True, eq=False)
class Bag:
    """Models of one recipe, each trained on a bootstrap of the training rows.

    Args:
        split: the rows.
        jobs: the members as they were trained; those that diverged are left out.
        errors: of those that diverged, by number.
    """

    split: Split
    jobs: tuple[Trained, ...]
    errors: dict[int, Diverged]

    def __len__(self) -> int:
        return len(self.jobs)

    @property
    def metric(self) -> str:
        """Name of the headline metric."""
        return HEADLINE[self.split.data.task]

    @cached_property
    def predictions(self) -> Predictions:
        """The members' average on the validation rows, which none of them has seen."""
        found = self._each
        return replace(found[0], outputs=np.mean([one.outputs for one in found], axis=0))

    @cached_property
    def score(self) -> Score:
        """Score of the average on the validation rows."""
        return score(self.predictions, self.metric, "valid")

    @cached_property
    def scores(self) -> tuple[Score, ...]:
        """Score of each member on the validation rows."""
        return tuple(score(one, self.metric, "valid") for one in self._each)

    @cached_property
    def mean(self) -> Estimate:
        """Mean of the members' scores, with its 95 % interval over members (Student's t)."""
        return mean_t(np.array([one.value for one in self.scores]))

    def predict(self, rows: Any, *, probabilities: bool = False) -> np.ndarray:
        """The members' average for new raw rows, each prepared as the member's rows were.

        Args:
            rows: as in `cy.predict`.
            probabilities: give class probabilities (n, classes) in place of labels.

        Raises:
            InputError: a column is missing or the rows do not fit.
            UsageError: probabilities of a regression, or of a loss that estimates none.
        """
        classes = self.split.data.classes
        if probabilities:
            check_estimated(classes, self.jobs[0].run.form.estimated)
        raw, _ = read_inputs(rows, schema_of(self.split.data))
        made = []
        for job in self.jobs:
            run = job.run
            one = Predictor(run.state.model, run.preparation, run.recipe, job.job.seed)
            made.append(one.outputs(one.batches(raw)))
        outputs: np.ndarray = np.mean(made, axis=0)
        if classes:
            labels: np.ndarray = np.array(classes, dtype=object)[outputs.argmax(1)]
            return outputs if probabilities else labels
        return outputs[:, 0] if outputs.shape[1] == 1 else outputs

    def _repr_html_(self) -> str:
        values = np.array([one.value for one in self.scores])
        title = f"{metric_name(self.metric)} of the {len(self)} members, each by itself"
        picture = dots_chart(title, [("members", values)], lambda v: show(self.metric, v))
        rows = [["together", show(self.metric, self.score.value), interval(self.score)]]
        low, high = (show(self.metric, v) for v in (self.mean.low, self.mean.high))
        rows.append(["one, on average", show(self.metric, self.mean.value), f"{low} to {high}"])
        heads = ["", metric_name(self.metric), "95 % interval"]
        return tag("div", table(heads, rows, {1, 2}), picture, style=WIDE)

    def __repr__(self) -> str:
        one = show(self.metric, self.mean.value)
        return f"Bag({len(self)} members: {one} on average, together {self.score})"

    @cached_property
    def _each(self) -> Sequence[Predictions]:
        return [job.predictions() for job in self.jobs]


def bag(
    recipe: Recipe,
    split: Split | Data,
    members: int = 25,
    *,
    seed: int = 0,
    threads: Threads = None,
    plan: str | Path | None = None,
) -> Bag:
    """Bagging: train on bootstraps of the training rows as one program, and average.

    n of the n training rows are drawn with replacement for each member (groups, where the split has
    some). Those that were not drawn, about 37 %, are its validation rows, which stop it where the
    recipe says so. So the validation rows of the split choose nothing, and score the average; test
    rows stay sealed. Averaging takes variance away, not bias: it helps models that change much with
    their rows.

    Args:
        recipe: what to train.
        split: the rows, with validation rows; or data that is split with the defaults.
        members: number of bootstraps, at least 2.
        seed: of the draws; member k has the seed + k.
        threads: as in `fit`.
        plan: as in `cross_validate`.

    Returns:
        A `Bag`: the score of the average, those of the members, and predictions of new rows.

    Raises:
        Diverged: no member has a result.
        InputError: there are no validation rows.
        UsageError: as in `fit`.

    Example:
        >>> import chymist as cy
        >>> recipe = cy.Recipe(model="softmax", length="30 epochs")
        >>> found = cy.bag(recipe, cy.split(cy.load("iris"), seed=0), members=5)
        >>> len(found), found.score.n
        (5, 30)

    Source: Breiman 1996, Bagging predictors, Machine Learning 24.
    """
    members = whole_number(members, "members", 2, 10**6)
    seed = whole_number(seed, "seed", 0)
    split = as_split(split, seed)
    check_split(split)
    if not len(split.valid):
        raise InputError("bagging needs validation rows for its score", where="split",
                         received="none", do="give cy.split(..., valid=0.2)")  # fmt: skip
    drawn = protocols.cuts(
        protocols.bootstrap(times=members), split.data, split.train, seed=seed, group=split.groups
    )
    jobs = [
        Job(recipe, replace(split, train=cut.train, valid=cut.held, test=split.valid), seed + k)
        for k, cut in enumerate(drawn)
    ]
    known = Plan.of(None if plan is None else Path(plan))
    made = list(train_jobs(jobs, threads, plan=known))
    errors = {number: one.error for number, one in enumerate(made) if one.error}
    sound = tuple(one for one in made if not one.error)
    if not sound:
        raise errors[0]
    return Bag(split, sound, errors)
