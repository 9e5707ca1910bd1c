"""Rules: small functions from what was recorded to a finding or nothing, one for each cause."""

from __future__ import annotations

from torch import Tensor

from chymist.doctor.finding import Finding
from chymist.doctor.probing import Probe
from chymist.doctor.reading_loss import FAILS
from chymist.doctor.record import Record
from chymist.doctor.rules.data import DATA
from chymist.doctor.rules.evidence import Seen
from chymist.doctor.rules.limits import LIMITS, Limits
from chymist.doctor.rules.training import TRAINING, explained
from chymist.doctor.rules.wiring import WIRING

RULES = (*WIRING, *DATA, *TRAINING)


def findings_of(
    record: Record,
    last: Probe | None,
    train: tuple[Tensor, Tensor] | None,
    valid: tuple[Tensor, Tensor] | None,
    limits: Limits = LIMITS,
) -> list[Finding]:
    """All that the rules say, in no order.

    Rules ask learners and losses of other packages about rows of any kind. One that cannot work
    says nothing, and the record says so.
    """
    seen = Seen(record, last, train, valid, limits)
    found: list[Finding] = []
    for rule in RULES:
        try:
            said = rule(seen)
        except FAILS as error:
            record.failures[rule.__name__] = f"{type(error).__name__}: {error}"[:200]
        else:
            found += [said] if said is not None else []
    return explained(found, seen.facts.depth >= limits.deep)
