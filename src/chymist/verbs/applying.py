"""`apply` and `prove`: carry out a remedy, and show by paired runs whether it helps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import torch

from chymist.data import copies_across
from chymist.data.splits import hold_out
from chymist.doctor.finding import Remedy
from chymist.doctor.remedies import SPLIT_CHANGES
from chymist.doctor.suspects import suspects
from chymist.engine.assembly import HEADLINE, prepare_split
from chymist.engine.defaults import complete
from chymist.engine.rows import Flat
from chymist.engine.threads import Threads
from chymist.errors import InputError, UsageError, nearest
from chymist.evidence import PairedDifference
from chymist.evidence.intervals import student
from chymist.evidence.verdict import amount
from chymist.metrics import find, measure
from chymist.space import written
from chymist.values import Recipe, Split, whole_number
from chymist.verbs.jobs import Job, train_jobs

Effect = Literal["helped", "no difference", "hurt"]


@dataclass(frozen=True)
class Proof:
    """What a remedy did, on rows that neither run was trained on.

    Args:
        effect: "helped" or "hurt" if the interval excludes zero, else "no difference".
        sentence: the same with numbers.
        metric: that was compared.
        difference: metric with the remedy minus without, mean over seeds, with a 95 % interval.
        before, after: the metric by seed; nan where a run diverged.
        rows: how many rows were scored.
    """

    effect: Effect
    sentence: str
    metric: str
    difference: PairedDifference
    before: tuple[float, ...]
    after: tuple[float, ...]
    rows: int

    def to_dict(self) -> dict[str, object]:
        """Plain values, as in the JSON of `diagnose --fix`."""
        difference = {name: getattr(self.difference, name) for name in ("value", "low", "high")}
        return {"effect": self.effect, "sentence": self.sentence, "metric": self.metric,
                "difference": difference, "before": list(self.before), "after": list(self.after),
                "rows": self.rows}  # fmt: skip


def apply(remedy: Remedy, recipe: Recipe, split: Split) -> tuple[Recipe, Split]:
    """Carry out a remedy; recipe and split themselves stay as they are.

    Args:
        remedy: its changes are of the recipe by dotted name, or of the split.
        recipe: of the run; what it leaves open is filled where an option of it changes.
        split: of the run.

    Returns:
        The changed recipe and the changed split; what the remedy does not name is as it was.

    Raises:
        UsageError: the remedy is advice only, or names what does not exist.
        InputError: no rows are left.

    Example:
        >>> import chymist as cy
        >>> from chymist.doctor import Remedy
        >>> rows = cy.split(cy.load("iris"))
        >>> cured, same = apply(Remedy("", {"optimizer.lr": 0.1}), cy.Recipe(optimizer="sgd"), rows)
        >>> cured.optimizer, same is rows
        (sgd(lr=0.1), True)
    """
    if not remedy.changes:
        raise UsageError("this remedy is advice in words", where="remedy",
                         received=remedy.words[:80], do="follow it by hand")  # fmt: skip
    for name in remedy.changes:
        if name.startswith("split.") and name not in SPLIT_CHANGES:
            raise UsageError("unknown change of the split", where="remedy", received=f"'{name}'",
                             do=nearest(name, SPLIT_CHANGES))  # fmt: skip
    of_recipe = {k: v for k, v in remedy.changes.items() if not k.startswith("split.")}
    of_split = {k: v for k, v in remedy.changes.items() if k.startswith("split.")}
    cured = written(recipe, of_recipe, lambda partly: complete(partly, split))
    return cured, _changed(split, of_split, cured)


def prove(
    remedy: Remedy, recipe: Recipe, split: Split, seeds: int = 3, seed: int = 0, *,
    metric: str | None = None, threads: Threads = None,
) -> Proof:  # fmt: skip
    """Train with and without a remedy from the same seeds, and compare.

    Runs are scored on the validation rows that neither was trained on; the differences of the
    seeds, which are independent, have a t interval. It speaks for these rows and other seeds.

    Args:
        remedy: what to change.
        recipe: of the run.
        split: of the run; test rows are not touched.
        seeds: how many pairs, at least 2.
        seed: the first one.
        metric: to compare by; None is accuracy, or rmse.
        threads: as in `fit`.

    Returns:
        A `Proof`.

    Raises:
        UsageError: advice only, or fewer than two seeds.
        InputError: no validation rows in common.

    Example:
        >>> import chymist as cy
        >>> from chymist.doctor import Remedy
        >>> slow = cy.Recipe(model="softmax", optimizer=cy.optim.sgd(lr=1e-5), length="20 epochs")
        >>> found = prove(Remedy("", {"optimizer.lr": 0.1}), slow, cy.split(cy.load("iris")))
        >>> found.effect, len(found.before)
        ('helped', 3)

    Source: Student 1908, The probable error of a mean (paired differences).
    """
    seeds, seed = whole_number(seeds, "seeds", 2, 1000), whole_number(seed, "seed", 0)
    cured, other = apply(remedy, recipe, split)
    rows = np.setdiff1d(other.valid, np.union1d(split.train, other.train))
    rows = np.intersect1d(rows, np.union1d(split.valid, split.train))
    if not len(rows):
        raise InputError("no validation rows that neither run is trained on", where="split",
                         received=repr(split), do="give a split with validation rows")  # fmt: skip
    sides = [(recipe, replace(split, test=rows)), (cured, replace(other, test=rows))]
    jobs = [Job(what, where, seed + n) for what, where in sides for n in range(seeds)]
    metric = metric or HEADLINE[split.data.task]
    values = [
        measure(trained.predictions(), metric) if trained.error is None else np.nan
        for trained in train_jobs(jobs, threads)
    ]
    return _proof(metric, np.array(values[:seeds]), np.array(values[seeds:]), len(rows))


def _proof(metric: str, before: np.ndarray, after: np.ndarray, rows: int) -> Proof:
    """What paired metrics say; a run that diverged lost its pair."""
    lost, saved = int(np.isnan(after).sum()), int(np.isnan(before).sum())
    if lost or saved:
        effect: Effect = "helped" if saved > lost else "hurt" if lost > saved else "no difference"
        found = PairedDifference(np.nan, -np.inf, np.inf, 1.0)
        sentence = f"{effect}: {saved} runs diverged without the remedy, {lost} with it"
    else:
        differences = after - before
        spread = float(differences.std(ddof=1)) / len(differences) ** 0.5
        found = PairedDifference(
            *student(float(differences.mean()), spread, len(differences) - 1, 0.95)
        )
        better = find(metric).greater_is_better == (found.value > 0)
        effect = ("helped" if better else "hurt") if found.clear else "no difference"
        told = amount(metric, found.value, found.low, found.high)
        sentence = f"{effect}: {metric} changes by {told} on {rows} rows, {len(before)} seeds"
    return Proof(effect, sentence, metric, found, tuple(before.tolist()), tuple(after.tolist()),
                 rows)  # fmt: skip


def _changed(split: Split, changes: Mapping[str, Any], recipe: Recipe) -> Split:
    """A split with some changes of it.

    Raises:
        InputError: no training rows are left.
    """
    if "split.redraw" in changes:
        rows = np.union1d(split.train, split.valid)
        train, valid = hold_out(
            split.data, rows, len(split.valid), seed=split.seed, groups=split.groups
        )
        split = replace(split, train=train, valid=valid, method="redrawn")
    if "split.without_copies" in changes:
        split = replace(split, valid=split.valid[~_copies(split)], method="without copies")
    if "split.without_suspects" in changes:
        kept = ~_suspects(split, recipe)
        split = replace(split, train=split.train[kept], method="without suspects")
    if "split.without" in changes:
        train = split.train[~np.isin(split.train, np.asarray(changes["split.without"]))]
        split = replace(split, train=train, method="without rows")
    if not len(split.train):
        raise InputError("the remedy leaves no training rows", where=split.data.name)
    return split


def _suspects(split: Split, recipe: Recipe) -> np.ndarray:
    """Which training rows have a label that is contradicted, (training rows,); classes only."""
    if split.data.task != "classification":
        return np.zeros(len(split.train), bool)
    rows = prepare_split(complete(recipe, split), split).train
    inputs = Flat(rows, rows.take(torch.tensor([0])).numel())[:]
    return suspects(inputs, split.data.targets[split.train], split.seed)


def _copies(split: Split) -> np.ndarray:
    """Which validation rows have the inputs of a training row, (validation rows,).

    Rows are grouped by set: then only copies across the two sets count.
    """
    side = np.zeros(len(split.data), np.int64)
    side[split.valid] = 1
    rows = np.union1d(split.train, split.valid)
    return np.isin(split.valid, copies_across(split.data, rows, side))
