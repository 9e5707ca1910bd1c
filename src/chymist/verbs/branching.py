"""`branch`: a new run that goes on from a checkpoint of another, with a change of its recipe."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from chymist.data import reload
from chymist.engine.assembly import Assembly, assemble
from chymist.engine.checkpoint import MISFIT, load_checkpoint, save_checkpoint
from chymist.engine.defaults import complete
from chymist.engine.folder import Saved, check_place, create_folder, open_folder, run_id
from chymist.engine.history import Entry, write_history
from chymist.engine.manifest import kept_checkpoints
from chymist.engine.place import Place, choose_device
from chymist.engine.randomness import foreign_randomness
from chymist.engine.running import Observer
from chymist.engine.space import check_space
from chymist.engine.store import check_record
from chymist.engine.threads import using_threads
from chymist.errors import InputError, UsageError
from chymist.evidence.studies import differing
from chymist.optim import is_solved
from chymist.parts import Part, part
from chymist.schedules import Watched
from chymist.values import Data, Recipe, Run
from chymist.verbs.fitting import Interrupt, Started, resume
from chymist.verbs.sources import with_model
from chymist.verbs.watching import Doctor

FIXED = {  # fields that a branch cannot change, and why
    "data": "the preparation is part of what the weights have learned",
    "init": "the weights are those of the checkpoint",
    "precision": "the moments of the optimiser are of its type",
    "batch_size": "the position in the order of rows counts batches",
    "accumulate": "the position in the order of rows counts steps",
}


@dataclass(frozen=True)
class Beginning:
    """Where a branch begins.

    Args:
        parent: the run that it comes from.
        step: of the checkpoint.
        assembly: the new run, put where the checkpoint stands.
        changes: of the recipe, a line each.
        lost: what could not be carried over, a sentence each.
    """

    parent: Saved
    step: int
    assembly: Assembly
    changes: tuple[str, ...]
    lost: tuple[str, ...]

    def write(self, draft: Path) -> None:
        """Put checkpoint, record and history into the draft of a run folder."""
        save_checkpoint(draft / "checkpoints", self.assembly.state)
        record = check_record(self.parent.path / "records.sqlite").absolute()
        with (
            closing(sqlite3.connect(f"{record.as_uri()}?mode=ro", uri=True)) as theirs,
            closing(sqlite3.connect(draft / "records.sqlite")) as ours,
        ):
            theirs.backup(ours)  # a whole one, also while its trainer writes
        facts = {"parent": str(self.parent.path), "parent_id": run_id(self.parent.path),
                 "changes": list(self.changes), "lost": list(self.lost)}  # fmt: skip
        write_history(draft, [Entry(time.time(), self.step, "branch", facts=facts)])


def branch(
    run: str | Path,
    changes: Mapping[str, Any] | None = None,
    *,
    out: str | Path,
    step: int | None = None,
    model: Any = None,
    data: Data | None = None,
    observer: Observer | None = None,
    interrupted: Interrupt | None = None,
    started: Started | None = None,
    doctor: Doctor = True,
) -> Run:
    """Train a new run that begins at a checkpoint of another, with a change of its recipe.

    Weights, moments of the optimiser, order of rows and position are those of the checkpoint;
    without a change the branch ends with the same bits as its parent. The parent stays untouched,
    and may be training.

    Args:
        run: folder of the parent.
        changes: recipe fields by name: a value as `cy.Recipe` takes it, or options of the part
            that is there: `{"optimizer": {"lr": 1e-4}, "length": "20 epochs"}`.
        out: the folder of the branch (absent or empty).
        step: of the checkpoint; None takes the newest one. Only kept ones can be taken.
        model: the user's own module or factory, if the parent was made with one.
        data: the rows, if they came from arrays in memory.
        observer, interrupted, started, doctor: as in `fit`.

    Returns:
        The finished branch; its notes say where it comes from and what was not carried over.

    Raises:
        InputError: no such checkpoint, or it does not fit the changed model.
        UsageError: a field that cannot be changed, or nothing is left to train.

    Example:
        >>> import chymist as cy, tempfile, pathlib
        >>> runs = pathlib.Path(tempfile.mkdtemp())
        >>> split = cy.split(cy.load("iris"), seed=0)
        >>> run = cy.fit(cy.Recipe(model="softmax", length="20 steps"), split, out=runs / "a")
        >>> longer = cy.branch(runs / "a", {"length": "30 steps"}, out=runs / "b")
        >>> longer.facts["steps"], longer.facts["notes"][0].endswith("length 20 steps -> 30 steps")
        (30, True)
    """
    folder = Path(out)
    check_place(folder)
    saved = open_folder(run)
    parent = with_model(saved.recipe, model)
    split = saved.split_of(data if data is not None else reload(saved.source))
    seed, told = int(saved.environment["seed"]), saved.environment
    place = Place(choose_device(told.get("device", "cpu")), told.get("workers"))
    path, step = _checkpoint(saved.path, step)
    with foreign_randomness(seed), using_threads(int(told["threads"])):
        recipe = changed(parent, changes or {})
        recipe = complete(recipe, split) if recipe != parent else recipe
        assembly = assemble(recipe, split, seed, place)
        beginning = _begin(saved, parent, path, assembly)
        check_space(folder, assembly.state.model)
        parts = assembly.preparation, assembly.shapes, seed, place
        create_folder(folder, recipe, split, *parts, partial(Beginning.write, beginning))
    return resume(
        folder, model=model, data=split.data, observer=observer, interrupted=interrupted,
        started=started, doctor=doctor,
    )[0]  # fmt: skip


def changed(recipe: Recipe, changes: Mapping[str, Any]) -> Recipe:
    """A recipe with some fields changed; options alone change those of the part that is there.

    Example:
        >>> changed(Recipe(optimizer="adam"), {"optimizer": {"lr": 0.1}}).optimizer
        adam(lr=0.1)
    """
    given: dict[str, Any] = {}
    for name, value in changes.items():
        there = getattr(recipe, name, None)
        if isinstance(value, Mapping):
            options = {key: one for key, one in value.items() if key != "name"}
            kind = value.get("name", there.name if isinstance(there, Part) else None)
            if kind is None:
                raise UsageError("options of a part without its name", where=name)
            if isinstance(there, Part) and kind == there.name:
                value = there.replace(**options)
            else:
                value = part(name, kind, **options)
        given[name] = value
    found = recipe.replace(**given)
    for name, why in FIXED.items():
        if getattr(found, name) != getattr(recipe, name):
            raise UsageError("a branch cannot change this", where=name,
                             received=str(getattr(found, name))[:60],
                             do=f"{why}; start anew with fit")  # fmt: skip
    return found


def _checkpoint(folder: Path, step: int | None) -> tuple[Path, int]:
    """The checkpoint of a step, or the newest one.

    Raises:
        InputError: it is not there, or damaged.
    """
    kept = {one.step: one.damage for one in kept_checkpoints(folder)}
    sound = [number for number, damage in kept.items() if not damage]
    listed = f"kept: {', '.join(map(str, sound))}" if sound else "none is kept"
    step = max(sound, default=None) if step is None else step
    if step is None or step not in kept:
        raise InputError("no such checkpoint", where=str(folder), do=listed,
                         received="" if step is None else f"step {step}")  # fmt: skip
    if kept[step]:
        raise InputError("the checkpoint is damaged", where=f"step {step} of {folder}",
                         received=kept[step], do=listed)  # fmt: skip
    return folder / "checkpoints" / f"step-{step:08d}", step


def _begin(saved: Saved, parent: Recipe, path: Path, assembly: Assembly) -> Beginning:
    """Put a new run where a checkpoint of another stands.

    Raises:
        InputError: the checkpoint does not fit the model.
        UsageError: nothing is left to train.
    """
    recipe, state, program = assembly.recipe, assembly.state, assembly.program
    if is_solved(recipe) or is_solved(parent):
        raise UsageError("a solver has no steps to branch from", where="optimizer",
                         received=f"'{recipe.optimizer}'", do="fit it anew")  # fmt: skip
    rate, kept = state.rate, _same_moments(parent.optimizer, recipe.optimizer)
    try:
        load_checkpoint(path, state, kept)
    except InputError as error:
        if error.code != MISFIT:
            raise
        raise InputError("the checkpoint does not fit the changed model", where=path.name,
                         received=str(recipe.model),
                         do="keep the shapes of its layers, or fit anew") from None  # fmt: skip
    state.rate, lost = rate, []
    if not kept:
        lost.append("the moments of the optimizer could not be carried over: they start anew")
    if not _same_memory(parent, recipe):
        if state.best_value is not None and program.rule is not None:
            lost.append("what early stopping remembered could not be carried over: it starts anew")
        state.best, state.best_value, state.best_step = None, None, state.step
    if recipe.schedule != parent.schedule:
        state.watched = Watched()
    if recipe.stop != parent.stop:
        waited, rule = state.step - state.best_step, program.rule
        state.stopped = rule is not None and waited >= rule.patience
    over = program.total_steps + (state.loss_rows > 0)  # an evaluation is still to come
    if state.stopped or state.step >= over:
        raise UsageError("nothing is left to train", where=f"step {state.step}",
                         received=f"a length of {recipe.length}, stop {recipe.stop}",
                         do="give a longer --length, more --stop.patience, or an earlier --step",
                         )  # fmt: skip
    found = differing({"parent": parent.to_dict(), "branch": recipe.to_dict()})
    changes = (f"{name} {_said(old)} -> {_said(new)}" for name, (old, new) in found.items())
    return Beginning(saved, state.step, assembly, tuple(changes), tuple(lost))


def _said(value: Any) -> str:
    return "unset" if value is None else str(value)


def _same_moments(old: Part, new: Part) -> bool:
    """Whether what an optimiser remembers means the same to another: rates and decays may differ.

    Example:
        >>> _same_moments(part("optimizer", "adam", lr=0.1), part("optimizer", "adam", lr=0.2))
        True
    """
    if old.name != new.name:
        return False
    names = {**old.options, **new.options}
    differ = [n for n in names if old.options.get(n) != new.options.get(n)]
    values = (v for n in differ for v in (old.options.get(n), new.options.get(n)))
    return not any(isinstance(value, bool | str) for value in values)


def _same_memory(old: Recipe, new: Recipe) -> bool:
    """Whether the best value so far means the same under another recipe; patience may differ."""
    if old.loss != new.loss or old.stop.name != new.stop.name:
        return False
    first, second = ({k: v for k, v in r.stop.items if k != "patience"} for r in (old, new))
    return first == second
