"""Experiments on a finished run: from its folder to a verdict, and back into its folder."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

from chymist.data import reload
from chymist.doctor.experiments_findings import settle
from chymist.doctor.experiments_reading import Experiments
from chymist.doctor.finding import Finding
from chymist.doctor.remedies import with_remedy
from chymist.engine.assembly import assemble
from chymist.engine.folder import Saved, alone_in, open_folder
from chymist.values import Data, Recipe, Run
from chymist.verbs.diagnosing import read_findings, read_signalled, write_experiments
from chymist.verbs.diagnosing_experiments import experiments_on, losses_of, run_experiments
from chymist.verbs.records import load_run
from chymist.verbs.reporting import write_report
from chymist.verbs.sources import with_model

RATES = "lr x "  # experiments with other rates, by their names


def experiment(run: Run | str | Path, budget: float, model: Any, data: Data | None) -> Experiments:
    """Make experiments on a run that has ended, and keep what they found in its folder.

    Args:
        run: a run, or its folder.
        budget: steps, as a share of those of the run.
        model: the user's own module or factory, or None.
        data: the rows, or None.

    Returns:
        What they found.

    Raises:
        InputError: the run has not ended; its rows or its module are not at hand.
        UsageError: a closed-form solution.
    """
    if isinstance(run, Run):
        path, whole = run.path, run
    else:
        saved = open_folder(run)
        path = saved.path
        if saved.result.get("status") == "diverged":
            return _kept(path, _of_diverged(saved, budget, model, data, path))
        whole = load_run(path, model=model, data=data)
    found = run_experiments(whole.recipe, whole.split, whole.seed, budget, run=whole,
                            suspects=_suspects(path), threads=whole.facts["threads"])  # fmt: skip
    _kept(path, found)
    stored = read_findings(path)
    if stored is not None:
        write_report(
            replace(whole, findings=tuple(stored.findings), experiments=stored.experiments)
        )
    return found


def _of_diverged(
    saved: Saved, budget: float, model: Any, data: Data | None, path: Path
) -> Experiments:
    """Experiments on a run whose loss was not finite: it left no weights, but its recipe."""
    split = saved.split_of(data if data is not None else reload(saved.source))
    recipe = with_model(saved.recipe, model)
    base = assemble(recipe, split, int(saved.environment["seed"]))
    losses = replace(losses_of(base), train=math.inf, valid=math.inf,
                     steps=base.program.total_steps)  # fmt: skip
    return experiments_on(base, losses, split, budget, "training", suspects=_suspects(path),
                          threads=int(saved.environment["threads"]))  # fmt: skip


def _kept(path: Path, found: Experiments) -> Experiments:
    """Write what was found, and the findings as it leaves them."""
    recipe = open_folder(path).recipe
    settled = [_treated(finding, recipe) for finding in settle(_signalled(path), found)]
    with alone_in(path):
        write_experiments(path, settled, found.to_dict())
    return found


def _treated(finding: Finding, recipe: Recipe) -> Finding:
    """A finding with the remedy for the recipe; an experiment with another rate gives that one."""
    made, old = str(finding.evidence.get("experiment", "")), recipe.optimizer
    rate = None if old is None else old.options.get("lr")
    if made.startswith(RATES) and isinstance(rate, float):
        better = float(f"{rate * float(made.removeprefix(RATES)):.3g}")
        finding = replace(finding, evidence={**finding.evidence, "rate": better})
    return with_remedy(finding, recipe)


def _signalled(path: Path) -> list[Finding]:
    """What signals said, whatever experiments were made before."""
    stored = read_signalled(path)
    return [] if stored is None else stored.findings


def _suspects(path: Path) -> list[str]:
    """Codes that experiments are to look at first."""
    return [f.code for f in _signalled(path) if f.level != "observation"]
