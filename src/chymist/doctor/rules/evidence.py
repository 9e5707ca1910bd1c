"""What rules look at: the record, and from it whether there is harm."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from torch import Tensor

from chymist.doctor.preflight import Facts
from chymist.doctor.probing import Probe
from chymist.doctor.reading_loss import hard_labels
from chymist.doctor.record import Record
from chymist.doctor.rules.limits import LIMITS, Limits
from chymist.doctor.scoring import BLINK, MORE, Reference, reference, score_of, told_apart

LONG = 30.0  # seconds of a run beside which all rows of reference learners cost 1 %


@dataclass(frozen=True)
class Seen:
    """A run as rules see it.

    Args:
        record: of signals.
        last: a look at the model as it stands.
        train, valid: the rows.
        limits: thresholds.
    """

    record: Record
    last: Probe | None
    train: tuple[Tensor, Tensor] | None
    valid: tuple[Tensor, Tensor] | None
    limits: Limits = LIMITS

    @property
    def facts(self) -> Facts:
        """What was known before the first step."""
        return self.record.facts

    @cached_property
    def reference(self) -> Reference | None:
        """What cheap learners reach on the same rows."""
        if self.train is None or self.valid is None:
            return None
        if not self.record.references:  # once a run: they cost more than all else
            link = self.facts.loss.link
            train, valid = ((x, hard_labels(y, link)) for x, y in (self.train, self.valid))
            values = BLINK if self.record.elapsed < LONG else MORE
            self.record.references.append(reference(train, valid, values))
        return self.record.references[0]

    @cached_property
    def train_score(self) -> float:
        """Of the training rows of the last look, as the model stands."""
        if self.last is None:
            return math.nan
        return score_of(self.last.outputs, self.last.targets, self.facts.loss.link)

    @cached_property
    def valid_score(self) -> float:
        """Of the validation rows, at the last epochs: their middle, for one may be a slip."""
        found = [e.score for e in self.record.epochs[-3:] if not math.isnan(e.score)]
        return float(np.median(found)) if found else math.nan

    @cached_property
    def margin(self) -> float:
        """How much lower a score must be to be poor: `limits.poor` and two standard errors."""
        rows = 0 if self.valid is None else len(self.valid[0])
        return self.limits.poor + (1.0 / math.sqrt(rows) if rows else 0.0)

    @cached_property
    def poor_train(self) -> bool:
        """Whether the model does worse on its training rows than cheap learners on new ones.

        Not if it does as well as they do on new rows: then training rows are only harder.
        """
        if self.record.bad_step is not None:
            return True
        if self.reference is None or math.isnan(self.train_score):
            return self.stuck
        least = self.reference.best - self.margin
        return self.train_score < least and not self.valid_score >= least

    @cached_property
    def poor_valid(self) -> bool:
        """Whether the model does worse on validation rows than cheap learners."""
        if self.record.bad_step is not None:
            return True
        if self.reference is None or math.isnan(self.valid_score):
            return False
        return self.valid_score < self.reference.best - self.margin

    @cached_property
    def below(self) -> bool:
        """Whether validation rows are got worse than by cheap learners, beyond chance."""
        if self.reference is None or math.isnan(self.valid_score):
            return False
        return self.valid_score < self.reference.best - (self.margin - self.limits.poor)

    @cached_property
    def stuck(self) -> bool:
        """Whether the training loss is no better than that of the best constant."""
        facts = self.facts
        if self.last is None or not self.record.losses:
            return False
        if facts.loss.link == "identity" and facts.data.classes and facts.loss.squared:
            return not self.train_score > self.limits.learned
        if not facts.floor > 0:  # unknown, or a loss that may be negative
            return False
        return self.last.loss > self.limits.stuck * facts.floor

    @cached_property
    def apart(self) -> float:
        """How well a classifier tells training from validation rows; 0.5 is not at all."""
        if self.train is None or self.valid is None:
            return 0.5
        if not self.record.apart:
            self.record.apart.append(told_apart(self.train[0], self.valid[0]))
        return self.record.apart[0]

    @cached_property
    def raw(self) -> bool:
        """Whether inputs are far from 0, of great size or tiny, with no normalisation."""
        data, first, limits = self.facts.data, self.facts.first, self.limits
        normed = first is not None and bool(first.layers) and "Norm" in first.layers[0].kind
        return not normed and (
            data.off_center > limits.off_center
            or data.largest > limits.largest
            or 0 < data.deviation < limits.faint_input
        )

    @property
    def harm(self) -> bool:
        """Whether the run is worse than it could be."""
        return self.poor_train or self.poor_valid
