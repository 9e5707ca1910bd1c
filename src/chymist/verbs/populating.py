"""`fit_population`: many runs on one split, trained as one program; each is an ordinary run."""

from __future__ import annotations

import os
import shutil
import weakref
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from chymist.engine.assembly import HEADLINE, predictions_for
from chymist.engine.defaults import check_split
from chymist.engine.events import Epoch
from chymist.engine.folder import create_folder, whole_folder, write_json
from chymist.engine.member_record import FILE as MEMBERS
from chymist.engine.member_record import write_members
from chymist.engine.place import MEMORY
from chymist.engine.population import Plan
from chymist.engine.running import facts_of
from chymist.engine.store import Recorder
from chymist.engine.threads import Threads
from chymist.errors import Diverged, UsageError
from chymist.evidence import score
from chymist.evidence.intervals import Estimate, mean_t
from chymist.reports.notebook import glance
from chymist.values import Data, Floor, Predictions, Recipe, Run, Score, Split, show, whole_number
from chymist.verbs.fitting import conclude, floors_of_run, score_of, write_run
from chymist.verbs.histories import Histories, History, curves_of
from chymist.verbs.jobs import Job, Trained, Watcher, train_jobs
from chymist.verbs.live_populations import living
from chymist.verbs.sources import as_split
from chymist.verbs.study_origin import how_of
from chymist.verbs.study_pages import population_page, write_page
from chymist.verbs.tensorboard import MemberBoards


@dataclass(frozen=True, eq=False)
class Population:
    """Runs that were trained together: one a recipe and seed.

    Args:
        split: the rows.
        jobs: the members as they were trained, in order.
        histories: recorded series of each, by name.
        facts: executor, reason, plan, seconds, epochs.
    """

    split: Split
    jobs: tuple[Trained, ...]
    histories: tuple[History, ...]
    facts: Mapping[str, Any]

    def __len__(self) -> int:
        return len(self.jobs)

    @cached_property
    def scores(self) -> tuple[Score | None, ...]:
        """Score of each member on the validation rows; None for one that diverged."""
        return tuple(
            None if found is None else score_of(job.run, self.split, found, job.job.seed)
            for job, found in zip(self.jobs, self._predictions, strict=True)
        )

    @cached_property
    def mean(self) -> Estimate:
        """Mean of the members' scores, with its 95 % interval over members (Student's t).

        It says how sure the mean over seeds is for these rows; other rows are not in it.
        """
        return mean_t(np.array([s.value for s in self.scores if s]))

    @cached_property
    def ensemble(self) -> Score:
        """Score of the members' average prediction, which is another model than any of them."""
        sound = [found for found in self._predictions if found is not None]
        outputs = np.mean([found.outputs for found in sound], axis=0)
        return score(replace(sound[0], outputs=outputs), self.metric, self._part)

    @cached_property
    def floors(self) -> tuple[Floor, ...]:
        """What trivial and cheap methods reach on the same rows, strongest first."""
        for job, found in zip(self.jobs, self._predictions, strict=True):
            if found is not None:
                made = floors_of_run(job.run, self.split, found, job.job.seed)
                return tuple(Floor(one.name, one.score) for one in made)
        return ()

    @property
    def curves(self) -> dict[str, np.ndarray]:
        """Recorded series by name, (members, epochs), nan where a member had ended."""
        return curves_of(self.histories)

    @property
    def metric(self) -> str:
        """Name of the headline metric."""
        return HEADLINE[self.split.data.task]

    @property
    def errors(self) -> dict[int, Diverged]:
        """The members that diverged, by number."""
        return {n: job.error for n, job in enumerate(self.jobs) if job.error}

    def run(self, number: int, out: str | Path | None = None) -> Run:
        """A member as an ordinary run, in a folder of its own.

        Args:
            number: of the member.
            out: the run folder; None keeps the run in a temporary folder, as `fit` does.

        Raises:
            Diverged: the member has no result.
            InputError: the place is taken or not writable.
        """
        if error := self.jobs[number].error:
            raise error
        run = self._written(number, None if out is None else Path(out))
        if out is None:
            weakref.finalize(run, shutil.rmtree, run.path, ignore_errors=True)
        return run

    def save(self, folder: str | Path) -> Path:
        """Write the population as one folder: a table of its members, and each as a run folder.

        Returns:
            The folder: `population.json`, `members/0000/` and so on.

        Raises:
            InputError: the place is taken or not writable.
        """
        folder = Path(folder)
        with whole_folder(folder) as draft:
            self._write_members(draft / "members")
            write_members(draft / MEMBERS, self.histories)
            write_json(draft / "population.json", self.to_dict())
            write_page(draft, population_page(self.to_dict(), self.curves))
        return folder

    def finish(self, folder: Path) -> None:
        """Complete the folder in which the population has trained; its table comes last."""
        draft = folder / f".tmp-members-{os.getpid()}"
        try:
            self._write_members(draft)
            if draft.is_dir():
                draft.rename(folder / "members")
        finally:
            shutil.rmtree(draft, ignore_errors=True)
        write_page(folder, population_page(self.to_dict(), self.curves))
        write_json(folder / "population.json", self.to_dict())

    def _write_members(self, folder: Path) -> None:
        """Every member that has a result, as a run folder."""
        for number in sorted(set(range(len(self))) - set(self.errors)):
            self._written(number, folder / f"{number:04d}")

    def to_dict(self) -> dict[str, Any]:
        """The table of members, mean and ensemble, as plain values."""
        several = len(self) - len(self.errors) > 1  # of one there is neither spread nor ensemble
        plain = before(self.split, [job.job for job in self.jobs])
        for row, job, s in zip(plain["members"], self.jobs, self.scores, strict=True):
            row |= {"epochs": job.epochs, "score": None if s is None else s.to_dict(),
                    "error": None if job.error is None else job.error.to_dict()}  # fmt: skip
        return {
            **plain, "mean": self.mean._asdict() if several else None,
            "ensemble": self.ensemble.to_dict() if several else None,
            "facts": dict(self.facts),
            "floors": [{"name": f.name, "score": f.score.to_dict()} for f in self.floors],
        }  # fmt: skip

    def _repr_html_(self) -> str:
        return glance(population_page(self.to_dict(), self.curves))

    def __repr__(self) -> str:
        sound = len(self) - len(self.errors)
        if sound < 2:
            only = next((str(s) for s in self.scores if s), "all diverged")
            return f"Population({len(self)} members: {only}; no spread over seeds is known)"
        low, high = (show(self.metric, value) for value in (self.mean.low, self.mean.high))
        lost = f", {len(self.errors)} diverged" if self.errors else ""
        return (
            f"Population({len(self)} members{lost}: {self.metric} "
            f"{show(self.metric, self.mean.value)} on average [{low}, {high}]; "
            f"together {show(self.metric, self.ensemble.value)})"
        )

    @property
    def _part(self) -> str:
        return "valid" if len(self.split.valid) else "train"

    @cached_property
    def _predictions(self) -> tuple[Predictions | None, ...]:
        return tuple(
            None if job.error else predictions_for(job.run, self.split, self._part)
            for job in self.jobs
        )

    def _written(self, number: int, out: Path | None) -> Run:
        """A member in a run folder."""
        job = self.jobs[number]
        made = job.run
        folder = create_folder(
            out, made.recipe, self.split, made.preparation, made.shapes, job.job.seed, MEMORY
        )
        with Recorder(folder / "records.sqlite") as recorder:
            for name, points in self.histories[number].items():
                for step, value in points:
                    recorder.add(name, step, value)
            history = recorder.series()
        seconds = self.facts["seconds"] / len(self)
        facts = {**facts_of(made, seconds, made.state.step), "seconds": round(seconds, 3)}
        run = conclude(made.recipe, self.split, job.job.seed, made, folder, history, facts)
        write_run(run)
        return run


def fit_population(
    recipe: Recipe | Sequence[Recipe],
    split: Split | Data,
    seeds: int | Sequence[int] = 10,
    *,
    out: str | Path | None = None,
    threads: Threads = None,
    plan: str | Path | None = None,
    watcher: Watcher | None = None,
    tensorboard: str | Path | None = None,
) -> Population:
    """Train a recipe with several seeds, or several recipes, as one program; test rows stay sealed.

    Member k is what `fit(recipe_k, split, seed_k)` would give. A member that diverges is named in
    `errors`, and the others go on.

    Args:
        recipe: what to train; of several recipes each is trained with every seed.
        split: the rows, or data that is split with the defaults of `cy.split`.
        seeds: their number (0, 1, ...), or the seeds themselves.
        out: folder for the table of members and each member's run folder; it is there from the
            start, with the curves of the members while they train. None writes nothing.
        threads: as in `fit`.
        plan: as in `cross_validate`.
        watcher: called with the number of a member and each epoch of its training.
        tensorboard: folder for event files; a folder in it for the population, in that one for
            each member. None writes none.

    Returns:
        A `Population`: scores, their mean over seeds, the ensemble, and every member as a `Run`.

    Raises:
        InputError, UsageError: as in `fit`.

    Example:
        >>> import chymist as cy
        >>> recipe = cy.Recipe(model="softmax", length="30 epochs")
        >>> found = cy.fit_population(recipe, cy.split(cy.load("iris"), seed=0), seeds=5)
        >>> len(found), found.run(3).seed
        (5, 3)

    Source: deep ensembles, Lakshminarayanan et al. 2017, arXiv:1612.01474.
    """
    began = perf_counter()
    numbers = seeds_of(seeds)
    split = as_split(split, numbers[0])
    check_split(split)
    recipes = [recipe] if isinstance(recipe, Recipe) else list(recipe)
    if not recipes:
        raise UsageError("a population needs a recipe", where="recipe", received="none")
    unsealed = replace(split, test=np.array([], np.int64))  # test rows are not even prepared
    jobs = [Job(one, unsealed, seed) for one in recipes for seed in numbers]
    boards = MemberBoards.at(tensorboard, f"{split.data.name}-population")
    known = Plan.of(None if plan is None else Path(plan))
    place = None if out is None else Path(out)
    with living(place, len(jobs), lambda: before(split, jobs)) as live:
        histories = Histories(len(jobs), watched_by(jobs, watcher, boards, live))
        made = tuple(train_jobs(jobs, threads, watcher=histories, plan=known, lost=live.lost))
        found = Population(split, made, histories.series, _facts(made, known, began))
        if place is not None:
            found.finish(place)
    return found


def _facts(made: Sequence[Trained], known: Plan, began: float) -> dict[str, Any]:
    """How the members were trained."""
    reasons = sorted({one.reason for one in made} - {""})
    return {
        "executor": "loop" if reasons else "population", "reason": "; ".join(reasons),
        "plan": known.to_dict(), "seconds": round(perf_counter() - began, 3),
        "epochs": sum(one.epochs for one in made),
    }  # fmt: skip


def before(split: Split, jobs: Sequence[Job]) -> dict[str, Any]:
    """What is known of a population before it is trained, as plain values.

    Args:
        split: the rows.
        jobs: the members.
    """
    recipes = list({id(job.recipe): job.recipe for job in jobs}.values())
    places = {id(recipe): number for number, recipe in enumerate(recipes)}
    seeds = sorted({job.seed for job in jobs})
    how = {**how_of(split, None, (), seeds[0]), "seeds": len(seeds)}
    return {
        "metric": HEADLINE[split.data.task],
        "members": [
            {"member": number, "seed": job.seed, "recipe": places[id(job.recipe)], "epochs": 0.0,
             "score": None, "error": None}
            for number, job in enumerate(jobs)
        ],
        "recipes": [recipe.to_dict() for recipe in recipes],
        "data": how.pop("data"), "how": how,
    }  # fmt: skip


def watched_by(
    jobs: Sequence[Job], watcher: Watcher | None, boards: MemberBoards, live: Watcher | None = None
) -> Watcher:
    """A watcher that writes the epochs of members as event files, and tells others.

    Args:
        jobs: the members.
        watcher: sees the epochs as well.
        boards: the event files, if any are wanted.
        live: sees the epochs first.
    """

    def tell(number: int, epoch: Epoch) -> None:
        if live:
            live(number, epoch)
        boards.write(f"member-{number:04d}", epoch, jobs[number].recipe)
        if watcher:
            watcher(number, epoch)

    return tell


def seeds_of(seeds: int | Sequence[int]) -> list[int]:
    """Seeds as they are counted or given.

    Raises:
        UsageError: not whole numbers from 0, or none.
    """
    if isinstance(seeds, Iterable):
        return [whole_number(seed, "seeds", 0) for seed in seeds] or seeds_of(0)
    return list(range(whole_number(seeds, "seeds", 1, 10**6)))
