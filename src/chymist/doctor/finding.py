"""What the doctor says: one code, how sure it is, one sentence, the numbers, what to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Level = Literal["observation", "finding", "confirmed", "certain"]
STRONG = 4.5  # weight of evidence that tells a cause from all others
LEVELS: tuple[Level, ...] = ("observation", "finding", "confirmed", "certain")


@dataclass(frozen=True)
class Remedy:
    """What to change.

    Args:
        changes: of the recipe, by dotted name; empty if it is advice in words only.
        words: the advice.
    """

    words: str
    changes: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, or that was seen.

    Args:
        code: of the taxonomy, as "lr_too_high".
        level: "observation" is a symptom alone; "finding" a symptom and harm; "confirmed" by an
            experiment; "certain" follows from exact arithmetic.
        claim: one sentence.
        evidence: numbers, steps and names by which the claim can be checked again.
        remedy: what to do, or None.
        weight: how well the evidence tells this cause from others, for the order among equals.

    Example:
        >>> Finding("dead_relu", "observation", "12 of 64 units never fire", {"units": 12}).level
        'observation'
    """

    code: str
    level: Level
    claim: str
    evidence: Mapping[str, object] = field(default_factory=dict)
    remedy: Remedy | None = None
    weight: float = 1.0

    def to_dict(self) -> dict[str, object]:
        """Plain values, as in the JSON of `diagnose`."""
        remedy = None
        if self.remedy is not None:
            remedy = {"words": self.remedy.words, "changes": dict(self.remedy.changes)}
        return {"code": self.code, "level": self.level, "claim": self.claim,
                "evidence": dict(self.evidence), "remedy": remedy}  # fmt: skip


def ranked(findings: list[Finding]) -> list[Finding]:
    """The surest first; a code is told once, at its highest level.

    That the loss is no number is a symptom, which only strong evidence of a cause goes before.

    Example:
        >>> [f.code for f in ranked([Finding("a", "finding", ""), Finding("b", "certain", "")])]
        ['b', 'a']
    """
    strong = [f.weight for f in findings if f.level == "finding" and f.weight >= STRONG]

    def place(finding: Finding) -> tuple[int, float]:
        level = LEVELS.index(finding.level)
        if finding.code == "nan_inf_loss" and finding.weight < STRONG:
            if strong:
                return -LEVELS.index("finding"), -min(strong) + 1e-6
            level = LEVELS.index("certain")
        return -level, -finding.weight

    order = sorted(findings, key=place)
    surest: dict[str, Finding] = {}
    for finding in order:
        surest.setdefault(finding.code, finding)
    return list(surest.values())
