"""`fix`: carry out the remedy of a finding, prove it by paired runs, and keep the cured run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from chymist.data import reload
from chymist.doctor import Finding
from chymist.doctor.finding import Remedy
from chymist.doctor.remedies import METRICS, options_of
from chymist.engine.files import write_file
from chymist.engine.folder import open_folder
from chymist.engine.threads import Threads
from chymist.errors import Diverged, UsageError, nearest
from chymist.losses import FORMS
from chymist.values import Data, Recipe, Run, Split
from chymist.verbs.applying import Proof, apply, prove
from chymist.verbs.diagnosing import Diagnosis, diagnose
from chymist.verbs.fitting import fit
from chymist.verbs.reporting import command_for
from chymist.verbs.sources import with_model

FILE = "fix.json"
LEAK = "what the score loses is what the leak gave it"


@dataclass(frozen=True, eq=False)
class Plan:
    """What would be changed, and nothing is changed yet.

    Args:
        run: folder of the run.
        finding: that is to be cured; None if there is nothing to fix.
        sentence: what would be done, or why nothing can be.
        command: that trains the changed recipe on the same rows; empty if none can.
    """

    run: str
    finding: Finding | None
    sentence: str
    command: str = ""

    @property
    def remedy(self) -> Remedy | None:
        """The remedy, if it changes anything."""
        found = None if self.finding is None else self.finding.remedy
        return found if found is not None and found.changes else None


@dataclass(frozen=True, eq=False)
class Fixed:
    """What came of a remedy.

    Args:
        plan: what was changed.
        sentence: in one sentence: helped, no difference or hurt, with numbers.
        proof: paired runs with and without; None if there was nothing to change.
        cured: the run with the remedy; None if there is none, or if it diverged.
    """

    plan: Plan
    sentence: str
    proof: Proof | None = None
    cured: Run | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as in the JSON of `diagnose --fix`."""
        plan, remedy = self.plan, self.plan.remedy
        return {
            "code": None if plan.finding is None else plan.finding.code,
            "changes": dict(remedy.changes) if remedy else {},
            "command": plan.command,
            "sentence": self.sentence,
            "proof": self.proof.to_dict() if self.proof else None,
            "cured": str(self.cured.path) if self.cured else None,
        }

    def _repr_html_(self) -> str:
        from chymist.verbs.diagnosis_pages import fixed_view  # it knows remedies

        return fixed_view(self)

    def __str__(self) -> str:
        return self.sentence

    def __repr__(self) -> str:
        return f"Fixed({self.sentence})"


@dataclass(frozen=True, eq=False)
class Patient:
    """What a run was made from.

    Args:
        path: its folder.
        recipe, split, seed: of the run.
        threads: it was trained with.
    """

    path: Path
    recipe: Recipe
    split: Split
    seed: int
    threads: int


def fix(
    run: Run | str | Path,
    code: str | None = None,
    seeds: int = 3,
    *,
    out: str | Path | None = None,
    model: Any = None,
    data: Data | None = None,
    threads: Threads = None,
) -> Fixed:
    """Carry out the remedy of a finding on a copy, and show by paired runs whether it helps.

    The run itself stays as it is. With and without the remedy, so many seeds are trained and scored
    on the same rows; then the cured run is made, with the seed of the run.

    Args:
        run: a run, or its folder; it may have diverged.
        code: which finding; None takes the first that has changes.
        seeds: how many pairs, at least 2.
        out: folder of the cured run, as in `fit`.
        model, data: as in `load_run`, for a model of your own, or rows from memory.
        threads: as in `fit`.

    Returns:
        A `Fixed`: what was changed, whether it helped, and the cured run. Where nothing can be
        changed, `sentence` says so, or gives the advice.

    Raises:
        InputError: the run was not watched, or its data has changed.
        UsageError: the run has no such finding; fewer than two seeds.

    Example:
        >>> import chymist as cy
        >>> slow = cy.Recipe(model="softmax", optimizer=cy.optim.sgd(lr=1e-5), length="20 epochs")
        >>> run = cy.fit(slow, cy.split(cy.load("iris")))
        >>> found = cy.fix(run, "lr_too_low", seeds=2)
        >>> found.plan.remedy.changes, found.cured.recipe.optimizer
        ({'optimizer.lr': 0.01}, sgd(lr=0.01))
    """
    plan = plan_fix(run, code, model=model, data=data)
    if plan.finding is None or plan.remedy is None:
        return Fixed(plan, plan.sentence)
    case = _patient(run, model, data)
    form, metric = FORMS[case.recipe.loss.name], None
    if form.estimated and form.task == "classification":
        metric = METRICS.get(plan.finding.code)
    proof = prove(plan.remedy, case.recipe, case.split, seeds, case.seed, metric=metric,
                  threads=threads)  # fmt: skip
    sentence = proof.sentence
    if plan.finding.code == "data_leakage":
        sentence = f"{sentence}; {LEAK}"
    recipe, split = apply(plan.remedy, case.recipe, case.split)
    try:
        cured = fit(recipe, split, case.seed, out=out, threads=threads)
    except Diverged:
        return Fixed(plan, f"{sentence}; the run with the remedy diverged", proof)
    found = Fixed(plan, sentence, proof, cured)
    write_file(cured.path / FILE, msgspec.json.encode({"of": plan.run, **found.to_dict()}))
    return found


def plan_fix(
    run: Run | str | Path, code: str | None = None, *, model: Any = None, data: Data | None = None
) -> Plan:
    """What `fix` would change; nothing is trained.

    Args:
        run, code, model, data: as in `fix`.

    Raises:
        InputError: the run was not watched.
        UsageError: the run has no such finding.

    Example:
        >>> import chymist as cy
        >>> run = cy.fit(cy.Recipe(model="softmax", length="60 epochs"), cy.load("iris"))
        >>> plan_fix(run).sentence
        'nothing to fix: nothing wrong was found'
    """
    found = diagnose(run)
    finding = chosen(found, code)
    if finding is None:
        return Plan(found.run, None, "nothing to fix: nothing wrong was found")
    if finding.remedy is None or not finding.remedy.changes:
        words = finding.remedy.words if finding.remedy else "none is known"
        return Plan(found.run, finding, f"{finding.code} takes a change by hand: {words}")
    case = _patient(run, model, data)
    options = options_of(finding.remedy)
    command = ""
    if not any(name.startswith("split.") for name in finding.remedy.changes):
        command = command_for(case.recipe, case.split, case.seed, case.threads, found.run)
        command = f"{command} {options}" if command else ""
    return Plan(found.run, finding, f"{finding.remedy.words} ({options})", command)


def chosen(found: Diagnosis, code: str | None = None) -> Finding | None:
    """The finding to fix: that of a code; else the first with changes, else the first of all.

    Observations are symptoms without harm, and are fixed only if they are asked for.

    Raises:
        UsageError: no finding has the code.
    """
    if code is not None:
        for finding in found:
            if finding.code == code:
                return finding
        codes = [finding.code for finding in found]
        raise UsageError("the run has no such finding", where=found.run, received=f"'{code}'",
                         do=nearest(code, codes) if codes else "nothing was found")  # fmt: skip
    told = [finding for finding in found if finding.level != "observation"]
    with_changes = [f for f in told if f.remedy is not None and f.remedy.changes]
    return next(iter([*with_changes, *told]), None)


def _patient(run: Run | str | Path, model: Any, data: Data | None) -> Patient:
    """What a run was made from; it need not have ended well."""
    if isinstance(run, Run):
        return Patient(run.path, run.recipe, run.split, run.seed, int(run.facts["threads"]))
    saved = open_folder(run)
    split = saved.split_of(data if data is not None else reload(saved.source))
    seed, threads = (int(saved.environment[name]) for name in ("seed", "threads"))
    return Patient(saved.path, with_model(saved.recipe, model), split, seed, threads)
