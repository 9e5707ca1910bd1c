"""Findings in the light of experiments: confirmed, named anew, or no more than a symptom."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from chymist.doctor.experiments_reading import Experiments, helps
from chymist.doctor.finding import LEVELS, Finding, Level, Remedy, ranked
from chymist.doctor.rules.training import SYMPTOMS
from chymist.doctor.texts import why
from chymist.doctor.verdict_words import SAID, Cause

LOWER, HIGHER = ("lr x 0.1", "lr x 0.3"), ("lr x 10", "lr x 3")
# Codes that a verdict speaks for; the first is what it is called where no signal has named it.
RELATED: dict[Cause, tuple[str, ...]] = {
    "wiring": ("loss_activation_mismatch", "double_softmax", "missing_softmax", "softmax_mse",
               "shape_broadcast_loss", "no_update", "missing_zero_grad", "symmetric_init",
               "hidden_activation_misuse", "dead_output"),
    "not_optimised": ("optimisation_failure", "vanishing_gradient", "exploding_gradient",
                      "init_scale", "dead_relu", "saturated_activation"),
    "model_bias": ("model_bias", "missing_nonlinearity"),
    "no_signal": ("label_misalignment", "constant_labels"),
    "undertrained": ("undertrained", "lr_too_low"),
    "overfitting": ("overfitting",),
    "mismatch": ("distribution_mismatch",),
    "leakage": ("data_leakage",),
}  # fmt: skip
SCALES = ("init_scale", "unnormalised_input", "unnormalised_target")  # a rate helps with these too
RATES = {
    LOWER: ("lr_too_high", "exploding_gradient", "dead_relu", "saturated_activation", *SCALES),
    HIGHER: ("lr_too_low", "vanishing_gradient", "undertrained", *SCALES),
}
# What an experiment proves by itself, whatever else holds: it changed the outcome beyond chance.
PROVES = {"lr_too_high": LOWER, "lr_too_low": HIGHER, "model_bias": ("big",),
          "missing_nonlinearity": ("big",), "optimisation_failure": ("small",)}  # fmt: skip
WITNESSES: dict[Cause, tuple[str, ...]] = {
    "wiring": ("tiny",), "rate": (*LOWER, *HIGHER, "tiny default"),
    "optimisation": (*LOWER, *HIGHER),
    "not_optimised": ("small",), "model_bias": ("big",), "undertrained": ("cont",),
    "overfitting": ("half",),
}  # fmt: skip


def settle(findings: Sequence[Finding], found: Experiments) -> list[Finding]:
    """Findings as experiments leave them.

    What an experiment bears out is confirmed; a cause that no signal has named is added; what an
    experiment refutes is left as an observation. Nothing is told twice, and what is certain stays.

    Args:
        findings: of the signals, in rank order.
        found: what experiments found.

    Returns:
        In rank order.

    Example:
        >>> from chymist.doctor.experiments_reading import Losses
        >>> from chymist.doctor.verdicts import Effect, Verdict
        >>> losses = Losses(1.0, 1.0, steps=100)
        >>> found = Experiments(Verdict("model_bias"), "training", losses,
        ...                     effects={"big": Effect(1.2, 0.4, 0.1)})
        >>> vague = Finding("optimisation_failure", "finding", "rows are not learned")
        >>> [(f.code, f.level) for f in settle([vague], found)]
        [('model_bias', 'confirmed'), ('optimisation_failure', 'observation')]
    """
    kept = list(findings)
    sure = any(f.level == "certain" and f.code not in SYMPTOMS for f in kept)
    for cause in (found.verdict.cause, *found.verdict.also):
        codes = _codes(cause, found)
        place = next((n for n, f in enumerate(kept) if f.code in codes), None)
        if place is not None:
            kept[place] = _confirmed(kept[place], _witness(cause, found))
        elif codes and not sure:
            kept.append(_named(cause, codes[0], found))
    for place, finding in enumerate(kept):
        witness = next((n for n in PROVES.get(finding.code, ()) if helps(found, n)), None)
        open_still = found.verdict.cause == "inconclusive" and finding.level == "finding"
        if witness is not None and open_still:
            kept[place] = _confirmed(finding, _numbers(witness, found))
    refuted = set(_refuted(found, kept))
    return ranked([_refute(f) if f.code in refuted else f for f in kept])


def _codes(cause: Cause, found: Experiments) -> tuple[str, ...]:
    """Codes that a verdict speaks for; for a rate it depends on which one helps."""
    if cause not in ("rate", "optimisation"):
        return RELATED.get(cause, ())
    helpful = [n for n in (*LOWER, *HIGHER) if helps(found, n)]
    best = min(helpful, key=lambda n: found.effects[n].after, default="")
    for side, codes in RATES.items():
        if best in side:
            return codes
    either = tuple(dict.fromkeys(code for codes in RATES.values() for code in codes))
    return ("optimisation_failure", *either)


def _witness(cause: Cause, found: Experiments) -> dict[str, object]:
    """The numbers of the experiment that speaks for a cause, and the shares of the gap."""
    seen = [n for n in WITNESSES.get(cause, ()) if n in found.effects or n in found.losses]
    best = min(seen, key=lambda n: found.losses[n].train if n in found.losses else 0, default=None)
    shares = {f"share of {name}": share for name, share in found.verdict.shares.items()}
    return {**(_numbers(best, found) if best else {"experiments": len(found.losses)}), **shares}


def _numbers(name: str, found: Experiments) -> dict[str, object]:
    """An experiment beside the shams."""
    effect = found.effects.get(name)
    if effect is None:
        one = found.losses[name]
        return {"experiment": name, "loss with it": one.train, "loss of a constant": one.chance}
    return {"experiment": name, "loss with it": effect.after, "loss without": effect.before,
            "by chance": effect.margin}  # fmt: skip


def _confirmed(finding: Finding, numbers: dict[str, object]) -> Finding:
    """A finding that an experiment bears out."""
    level = max(finding.level, "confirmed", key=LEVELS.index)
    return replace(finding, level=level, evidence={**finding.evidence, **numbers})


def _named(cause: Cause, code: str, found: Experiments) -> Finding:
    """A finding that experiments make by themselves."""
    level: Level = "observation" if cause == "leakage" else "confirmed"  # or the rows are easier
    return Finding(code, level, SAID[cause], _witness(cause, found), Remedy(why(code).remedy))


def _refuted(found: Experiments, findings: Sequence[Finding]) -> Iterator[str]:
    """Codes that experiments speak against."""
    if found.answers.get("rate") is False:
        yield from ("lr_too_high", "lr_too_low")
    if found.answers.get("big") is False:
        yield "model_bias"
    if "cont" in found.effects and found.verdict.cause not in ("undertrained", "inconclusive"):
        yield "undertrained"
    if any(f.level == "confirmed" and f.code != "optimisation_failure" for f in findings):
        yield "optimisation_failure"  # which has a name now


def _refute(finding: Finding) -> Finding:
    """A finding as a symptom only, unless an experiment or exact arithmetic bears it out."""
    if finding.level != "finding":
        return finding
    return replace(finding, level="observation",
                   evidence={**finding.evidence, "experiments": "do not bear it out"})  # fmt: skip
