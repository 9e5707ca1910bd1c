"""Rules: small functions from what was recorded to a finding or nothing, one for each cause."""

from __future__ import annotations

from torch import Tensor

from chymist.doctor.finding import Finding
from chymist.doctor.probing import Probe
from chymist.doctor.record import Record
from chymist.doctor.rules.data import DATA
from chymist.doctor.rules.evidence import Seen
from chymist.doctor.rules.limits import LIMITS, Limits
from chymist.doctor.rules.training import TRAINING, explained
from chymist.doctor.rules.wiring import WIRING


def findings_of(
    record: Record,
    last: Probe | None,
    train: tuple[Tensor, Tensor] | None,
    valid: tuple[Tensor, Tensor] | None,
    limits: Limits = LIMITS,
) -> list[Finding]:
    """All that the rules say, in no order."""
    seen = Seen(record, last, train, valid, limits)
    said = [rule(seen) for rule in (*WIRING, *DATA, *TRAINING)]
    found = [finding for finding in said if finding is not None]
    return explained(found, seen.facts.depth >= limits.deep)
