"""`chymist diagnose RUN --fix`: what is changed, whether it helps, and the cured run."""

from __future__ import annotations

import argparse
import math
from functools import partial
from pathlib import Path
from typing import Any

import chymist as cy
from chymist.cli.commands import moved_data, screen_of
from chymist.cli.findings import language_of
from chymist.cli.summaries import near
from chymist.cli.terminal import Screen
from chymist.doctor.remedies import options_of, words_of
from chymist.engine.folder import in_free_folder
from chymist.values import show
from chymist.verbs.fixing import Fixed, Plan, plan_fix


def fix(options: argparse.Namespace) -> dict[str, Any]:
    """Carry out `--fix`; returns plain values, for the JSON of `diagnose`."""
    screen, code = screen_of(options), options.fix or None
    data = moved_data(options)
    plan = plan_fix(options.run, code, data=data)
    if plan.remedy is None:
        screen.line("Fix", plan.sentence, result=True)
        return Fixed(plan, plan.sentence).to_dict()
    print_plan(screen, plan, options)
    path = Path(plan.run)
    work = partial(_fixed, options, code, data)
    found = (
        work(Path(options.out))
        if options.out
        else in_free_folder(f"{path.name}-fixed", work, path.parent)
    )
    print_fixed(screen, found)
    return found.to_dict()


def _fixed(options: argparse.Namespace, code: str | None, data: cy.Data | None, out: Path) -> Fixed:
    return cy.fix(options.run, code, options.seeds, out=out, data=data, threads="auto")


def print_plan(screen: Screen, plan: Plan, options: argparse.Namespace) -> None:
    """What is about to be changed, before it is."""
    if plan.finding is None:
        return
    words = words_of(plan.finding, language_of(options.lang))
    screen.line("Fix", f"{plan.finding.code}: {words}", result=True)
    screen.line("Changes", options_of(plan.remedy), result=True)
    if plan.command:
        screen.line("Command", plan.command)
    screen.line("Pairs", f"{options.seeds} seeds, each with and without; the run stays as it is")


def print_fixed(screen: Screen, found: Fixed) -> None:
    """Whether it helped, by seed, and where the cured run is."""
    proof = found.proof
    if proof is not None:
        before, after = (", ".join(_shown(proof.metric, value) for value in side)
                         for side in (proof.before, proof.after))  # fmt: skip
        screen.line("Before", f"{proof.metric} {before}")
        screen.line("After", f"{proof.metric} {after}")
    screen.line("Effect", found.sentence, result=True)
    if proof is not None and proof.effect == "no difference" and proof.difference.value:
        screen.line("Note", f"more pairs give a narrower interval: --seeds {3 * len(proof.after)}")
    if found.cured is not None:
        screen.line("Cured", f"{found.cured.score}", result=True)
        screen.line("Run", near(found.cured.path), result=True)


def _shown(metric: str, value: float) -> str:
    return "diverged" if math.isnan(value) else show(metric, value)
