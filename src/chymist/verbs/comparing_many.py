"""Several runs on the same validation rows: the trained models on rows, the recipes over seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from chymist.errors import InputError, UsageError
from chymist.evidence.comparison import (
    LEVEL,
    Entry,
    Pair,
    compare_entries,
    comparison_verdict,
    verdict_of,
)
from chymist.evidence.intervals import mean_t
from chymist.evidence.resampled import holm
from chymist.evidence.studies import differing
from chymist.evidence.verdict import NAMES
from chymist.metrics import find
from chymist.reports.about_many_runs import FEWEST, SEED_TEST, Experiment, ManyFound, many_runs_html
from chymist.reports.notebook import glance
from chymist.values import Run
from chymist.verbs.comparing_runs import Told, check_pair, read_told
from chymist.verbs.histories import curves_of

MOST = 40  # runs


@dataclass(frozen=True)
class ManyRuns:
    """What a comparison of several runs gave.

    Args:
        found: verdicts, scores and pairs.
        folders: of the runs that were compared.
        curves: recorded series by number of the experiment and name, (seeds, epochs).
    """

    found: ManyFound
    folders: tuple[str, ...]
    curves: Mapping[str, np.ndarray] = field(default_factory=dict, compare=False, repr=False)

    @property
    def verdict(self) -> str:
        """One sentence that says which recipe wins, or which trained model."""
        return self.found.verdict

    def to_dict(self) -> dict[str, Any]:
        """The comparison as plain values."""
        found = self.found
        return {
            "verdict": found.verdict, "recipes": found.recipes, "models": found.models,
            "metric": found.metric,
            "rows": [{"run": name, **score.to_dict()} for name, score in found.scores],
            "experiments": [{"name": e.name, "runs": list(e.runs), "seeds": list(e.seeds),
                             "values": list(e.values)} for e in found.experiments],
            "pairs": [pair.to_dict() for pair in (*found.over_seeds, *found.on_rows)],
            "differs": {name: list(values) for name, values in found.differs.items()},
            "out": dict(found.out),
        }  # fmt: skip

    def page(self, lang: str = "en") -> str:
        """The report as one HTML page."""
        return many_runs_html(self.found, self.curves, self.script(), lang)

    def script(self) -> str:
        """Python source that does the same."""
        given = ", ".join(map(repr, self.folders))
        return f"import chymist as cy\n\nfound = cy.compare_runs({given})\nprint(found)\n"

    def _repr_html_(self) -> str:
        return glance(self.page())

    def __repr__(self) -> str:
        out = [f"{name} is left out: {why}" for name, why in self.found.out.items()]
        return "\n".join([self.found.recipes, self.found.models, *out])


def compare_many(runs: Sequence[Run | str | Path]) -> ManyRuns:
    """Compare finished runs: each two trained models on rows, each two recipes over their seeds.

    Recipes are compared by the mean of their differences over seeds that both have, with Student's
    interval; below three such seeds the answer is that it cannot be told. Models are compared on
    rows, as by `compare_runs`. Either is corrected for the number of pairs by Holm's method.

    Args:
        runs: run folders, or runs; those that were not scored on the rows of the first are left
            out, and said to be.

    Raises:
        InputError: no two can be compared; a run that has not ended.
    """
    if len({str(getattr(run, "path", run)) for run in runs}) < 2 or len(runs) > MOST:
        raise UsageError("a comparison takes several runs", received=str(len(runs)),
                         do=f"give 2 to {MOST} different ones")  # fmt: skip
    told = [read_told(run) for run in runs]
    kept, out = [told[0]], {}
    for one in told[1:]:
        try:
            check_pair(told[0], one)
            kept.append(one)
        except InputError as error:
            out[one.path] = f"{error.what}: {error.received}"
    if len(kept) < 2:
        check_pair(told[0], told[1])
    names = _names([one.path for one in kept])
    groups = _groups(kept)
    metric, part = kept[0].score.metric, kept[0].score.split
    experiments = tuple(_experiment(kept, names, group) for group in groups)
    ranking, pairs = compare_entries(
        [Entry(name, one.score, np.array([np.nan]), one.predictions, {})
         for name, one in zip(names, kept, strict=True)], 0.5, by_rows=True,
    )  # fmt: skip
    design = f"{kept[0].score.n:,} {NAMES.get(part, part)} rows, one training each"
    models = comparison_verdict(ranking, pairs, design, metric)
    over_seeds, recipes = _over_seeds(experiments, metric)
    clear = min(len(one.seeds) for one in experiments) >= FEWEST and len(experiments) > 1
    found = ManyFound(
        recipes if clear else f"{recipes} {models}", recipes, models, metric, part,
        tuple((entry.name, entry.score) for entry in ranking), experiments, tuple(over_seeds),
        tuple(pairs), _differs(kept, groups, experiments), out, kept[0].data["name"],
    )  # fmt: skip
    return ManyRuns(found, tuple(one.path for one in kept), _curves(kept, groups))


def _names(paths: Sequence[str]) -> list[str]:
    """The last parts of paths, or whole ones if two are equal."""
    short = [Path(path).name for path in paths]
    return short if len(set(short)) == len(short) else list(paths)


def _groups(told: Sequence[Told]) -> list[list[int]]:
    """Numbers of runs of the same recipe on the same training rows."""
    groups: list[list[int]] = []
    for number, one in enumerate(told):
        for group in groups:
            other = told[group[0]]
            if one.recipe == other.recipe and np.array_equal(one.train, other.train):
                if one.seed not in [told[n].seed for n in group]:
                    group.append(number)
                break
        else:
            groups.append([number])
    return groups


def _experiment(told: Sequence[Told], names: Sequence[str], group: Sequence[int]) -> Experiment:
    """The runs of one recipe; it is called as its first run if it has no other."""
    model = told[group[0]].recipe.model
    name = names[group[0]] + ("" if model is None else f" ({model.name})")
    ordered = sorted(group, key=lambda n: told[n].seed)
    return Experiment(
        name, tuple(names[n] for n in ordered), tuple(told[n].seed for n in ordered),
        tuple(told[n].score.value for n in ordered),
    )  # fmt: skip


def _over_seeds(experiments: Sequence[Experiment], metric: str) -> tuple[list[Pair], str]:
    """Each two recipes over the seeds that both have, and a sentence."""
    sign = -1 if find(metric).greater_is_better else 1
    ranking = sorted(experiments, key=lambda one: sign * float(np.mean(one.values)))
    if len(ranking) < 2:
        return [], "These are seeds of one recipe."
    pairs, counts = [], []
    for a, b in combinations(ranking, 2):
        shared = sorted(set(a.seeds) & set(b.seeds))
        counts.append(len(shared))
        if not shared:
            continue
        values = [np.array([one.values[one.seeds.index(s)] for s in shared]) for one in (a, b)]
        value, low, high, p = mean_t(values[0] - values[1])
        pairs.append(Pair(a.name, b.name, value, low, high, p, p, None, None, SEED_TEST))
    adjusted = holm(np.array([pair.p for pair in pairs]))
    named = {(a.name, b.name): n for (a, b), n in zip(combinations(ranking, 2), counts,
                                                     strict=True)}  # fmt: skip
    pairs = [_decided(pair, float(p), named[pair.a, pair.b], sign)
             for pair, p in zip(pairs, adjusted, strict=True)]  # fmt: skip
    least = min(counts)
    if least < FEWEST:
        count = f"{least} seed{'' if least == 1 else 's'}"
        return pairs, (f"Cannot tell which recipe is better: {count} in common, "
                       f"{FEWEST} are the least.")  # fmt: skip
    return pairs, verdict_of(ranking[0].name, pairs, f"{least} seeds", metric)


def _decided(pair: Pair, p: float, seeds: int, sign: int) -> Pair:
    """A pair with its corrected p; below three seeds nothing is decided."""
    clear = seeds >= FEWEST and (pair.low > 0 or pair.high < 0) and p < LEVEL
    better = (pair.a if sign * pair.difference < 0 else pair.b) if clear else None
    return replace(pair, p_holm=p, better=better)


def _differs(
    told: Sequence[Told], groups: Sequence[Sequence[int]], experiments: Sequence[Experiment]
) -> dict[str, list[Any]]:
    """Fields of recipes that differ, one value for each experiment."""
    recipes = {e.name: told[group[0]].recipe.to_dict()
               for e, group in zip(experiments, groups, strict=True)}  # fmt: skip
    return differing(recipes)


def _curves(told: Sequence[Told], groups: Sequence[Sequence[int]]) -> dict[str, np.ndarray]:
    """What all runs of an experiment recorded after every epoch."""
    found: dict[str, np.ndarray] = {}
    for number, group in enumerate(groups):
        names = [n for n in told[group[0]].history if n.startswith(("train_loss", "val_"))]
        plain = [{n: [tuple(p) for p in np.asarray(told[at].history[n]).tolist()] for n in names
                  if n in told[at].history} for at in group]  # fmt: skip
        found |= {f"{number}/{name}": values for name, values in curves_of(plain).items()}
    return found
