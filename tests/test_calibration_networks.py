"""How often comparisons of trained networks err, on simulated data.

Two recipes of one law: the same network by its name and as a factory, so that one seed initialises
them differently. Many comparisons are trained as one program; what is tested is what `compare`
does. The tests marked `hard` keep their figures in `tests/results/calibration_networks.json`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
import pytest
from torch import nn

import chymist as cy
from chymist.data import folds as make_folds
from chymist.evidence import Entry, Pair, compare_entries, corrected_t, wilson
from chymist.keys import generator
from chymist.metrics import measure
from chymist.protocols import Cut
from chymist.values import Data, Predictions, Recipe, Score
from chymist.verbs.jobs import Job, train_jobs
from chymist.verbs.validation import fold_split, joined
from tests.faults import ROOT, keep_figures

AT_ONCE = 25  # comparisons that are trained as one program
COLUMNS, HIDDEN = 8, 16
HALVES = (1.2816, 1.4758)  # half-distances of two classes that give 90 % and 93 % at best
METRICS = ("accuracy", "log_loss")
FIGURES = "calibration_networks"


def factory(shapes: cy.Shapes) -> nn.Module:
    return nn.Sequential(
        nn.Flatten(), nn.Linear(shapes.inputs[0], HIDDEN), nn.ReLU(),
        nn.Linear(HIDDEN, shapes.outputs),
    )  # fmt: skip


def named(length: str, lr: float) -> Recipe:
    return Recipe(
        model=cy.models.mlp(hidden=(HIDDEN,)), optimizer=cy.optim.adam(lr=lr), stop="none",
        schedule="constant", batch_size=90, length=length,
    )  # fmt: skip


def alike(length: str, lr: float) -> dict[str, Recipe]:
    """Two recipes of one law, which a seed initialises differently."""
    return {"named": named(length, lr), "made": named(length, lr).replace(model=factory)}


TRAINED, HALF, SHORT = alike("15 epochs", 2e-2), alike("8 epochs", 4e-3), alike("4 epochs", 2e-3)
ALL = named("12 epochs", 1e-2)
THREE_POINTS = {"all": ALL, "without": ALL.replace(data=cy.prepare(drop=["x1"]))}


@dataclass(frozen=True)
class Design:
    """How networks are compared: recipes, rows of a data set, folds, seeds."""

    recipes: dict[str, Recipe]
    rows: int
    folds: int
    seeds: int


def simulated(number: int, rows: int) -> Data:
    """Two classes, of which column x1 tells what 93 instead of 90 % takes."""
    labels = np.arange(rows) % 2
    x = generator(number, "data set", rows).standard_normal((rows, COLUMNS))
    means = np.full(COLUMNS, HALVES[0] / sqrt(COLUMNS - 1))
    means[0] = sqrt(HALVES[1] ** 2 - HALVES[0] ** 2)
    return cy.load((x + means * (2 * labels - 1)[:, None], labels))


def first_seed(number: int, seeds: int) -> int:
    return number * seeds


def trained(numbers: Sequence[int], design: Design) -> Iterator[dict[str, list[Predictions]]]:
    """What the networks of each comparison say about rows that they have not seen."""
    splits, count = [], design.folds * design.seeds
    for number in numbers:
        data, seed = simulated(number, design.rows), first_seed(number, design.seeds)
        for repeat in range(design.seeds):
            for fold, held in enumerate(make_folds(data, design.folds, seed=seed + repeat)):
                cut = Cut(np.setdiff1d(np.arange(design.rows), held), held, repeat, fold)
                splits.append(fold_split(data, cut, seed, stopping=False))
    jobs = [Job(recipe, s, s.seed) for recipe in design.recipes.values() for s in splits]
    results = [job.predictions() for job in train_jobs(jobs)]
    for k in range(len(numbers)):
        starts = (k * count + n * len(splits) for n in range(len(design.recipes)))
        yield {name: results[a : a + count] for name, a in zip(design.recipes, starts, strict=True)}


def entry(name: str, results: list[Predictions], metric: str) -> Entry:
    values = np.array([measure(result, metric) for result in results])
    score = Score(metric, float(values.mean()), 0.0, 1.0, len(values), "out-of-fold")
    return Entry(name, score, values, joined(results), {})


def pair_of(
    found: dict[str, list[Predictions]], metric: str, folds: int, seeds: int, known: bool = True
) -> Pair:
    """The two networks on their first seeds; `known` is whether the test may know of seeds."""
    entries = [entry(name, results[: folds * seeds], metric) for name, results in found.items()]
    return compare_entries(entries, 1 / folds, seeds=seeds if known else 1)[1][0]


def rates(design: Design, comparisons: int) -> dict[str, dict[str, float]]:
    """How often a winner is named: with all seeds, blind to them, and with the first one only."""
    forms = {
        f"{design.seeds} seeds": (design.seeds, True),
        f"{design.seeds} seeds, as if folds": (design.seeds, False),
        "1 seed": (1, True),
    }
    called = {metric: dict.fromkeys(forms, 0) for metric in METRICS}
    for found in simulations(design, comparisons):
        for metric in METRICS:
            for name, (seeds, known) in forms.items():
                pair = pair_of(found, metric, design.folds, seeds, known)
                called[metric][name] += pair.better is not None
    return {m: {f: count / comparisons for f, count in c.items()} for m, c in called.items()}


def simulations(design: Design, comparisons: int) -> Iterator[dict[str, list[Predictions]]]:
    for start in range(0, comparisons, AT_ONCE):
        yield from trained(range(start, min(start + AT_ONCE, comparisons)), design)


def power(design: Design, comparisons: int) -> dict[str, float]:
    """How often the better network is named, and by how much it is better on average."""
    pairs = [
        pair_of(found, "accuracy", design.folds, design.seeds)
        for found in simulations(design, comparisons)
    ]
    signs = [1 if pair.a == "all" else -1 for pair in pairs]
    differences = np.array([s * p.difference for s, p in zip(signs, pairs, strict=True)])
    return {
        "true difference": round(float(differences.mean()), 5),
        "standard error of it": round(float(differences.std() / sqrt(comparisons)), 5),
        "found": float(np.mean([pair.better == "all" for pair in pairs])),
        "wrong winner": float(np.mean([pair.better == "without" for pair in pairs])),
    }


def worst(repeats: int, folds: int, luck: Sequence[float], sims: int) -> float:
    """Largest share of clear differences without any, over normal data of several kinds.

    d[r, k] = common + luck[r] + noise[r, k]: what is common to all is the luck of the rows, whose
    variance is a part of the n_test/n_train that the test allows for.
    """
    shares = []
    for part in (0.0, 0.5, 1.0):
        for size in luck:
            rng = generator(0, "normal", repeats, folds, round(100 * part), round(100 * size))
            d = rng.standard_normal((sims, repeats, folds))
            d += sqrt(part / (folds - 1)) * rng.standard_normal((sims, 1, 1))
            d += size * rng.standard_normal((sims, repeats, 1))
            rows = d.reshape(sims, -1)
            shares.append(np.mean([corrected_t(r, 1 / folds, repeats).clear for r in rows]))
    return float(max(shares))


def test_three_seeds_suffice_whatever_the_luck() -> None:
    assert worst(3, 10, (0.0, 1.0, 4.0), 400) <= 0.06


def test_what_is_simulated_is_what_compare_does() -> None:
    design = Design(SHORT, 120, 4, 2)
    for number, found in zip((1, 3), trained((1, 3), design), strict=True):
        said = cy.compare(SHORT, simulated(number, 120), 4, 2, first_seed(number, 2))
        assert said.pairs[0] == pair_of(found, "accuracy", 4, 2)


def test_equal_networks_far_from_trained_are_seldom_called_different() -> None:
    found = rates(Design(SHORT, 300, 10, 3), 25)
    means = {
        form: np.mean([found[metric][form] for metric in METRICS]) for form in found["accuracy"]
    }
    assert means["3 seeds"] <= 0.06
    assert means["3 seeds, as if folds"] > 0.15
    assert means["1 seed"] > 0.4


def test_equal_networks_that_are_trained_are_seldom_called_different() -> None:
    found = rates(Design(TRAINED, 300, 10, 3), 15)
    assert max(share for kinds in found.values() for share in kinds.values()) <= 0.06


def test_three_points_between_networks_are_found() -> None:
    found = power(Design(THREE_POINTS, 1000, 10, 3), 12)
    assert found["found"] >= 0.8
    assert found["wrong winner"] == 0


def test_the_pages_say_what_was_measured() -> None:
    kept = json.loads((ROOT / "tests/results" / f"{FIGURES}.json").read_text())
    called = {name.split(" A/A, ")[1]: shares for name, shares in kept.items() if "A/A" in name}
    page = " ".join((ROOT / "docs/statistics.md").read_text("utf-8").split())

    def both(name: str, form: str) -> str:
        accuracy, loss = (100 * called[name][f"{metric}, {form}"][0] for metric in METRICS)
        return f"{accuracy:.1f} and {loss:.1f} %"

    for length in ("trained", "half trained", "far from trained"):
        name = f"{length}, 10 folds x 3 seeds, 300 rows"
        forms = ("3 seeds", "3 seeds, as if folds", "1 seed")
        assert " | ".join(both(name, form) for form in forms) in page
    assert both("far from trained, 5 folds x 2 seeds, 300 rows", "2 seeds") in page
    (most,) = (figures for name, figures in kept.items() if "normal model" in name)
    three, two, ten = (100 * most[f"10 folds x {seeds} seeds"] for seeds in (3, 2, 10))
    assert f"{three:.1f} % are called (10 folds; {two:.1f} % by 2 seeds, {ten:.1f} % by 10)" in page
    (found,) = (figures for name, figures in kept.items() if "at best" in name)
    assert f"found in {100 * found['found']:.0f} % of 300 cases" in page


def keep(name: str, found: dict[str, dict[str, float]], comparisons: int) -> None:
    """Keep shares with their intervals."""
    shares = {
        f"{metric}, {kind}": [share, *(round(e, 4) for e in wilson(
            round(share * comparisons), comparisons))]
        for metric, kinds in found.items() for kind, share in kinds.items()
    }  # fmt: skip
    keep_figures(FIGURES, {f"called different of {comparisons} A/A, {name}": shares})


@pytest.mark.hard
def test_2000_comparisons_of_equal_networks_that_are_trained() -> None:
    found = rates(Design(TRAINED, 300, 10, 3), 2000)
    keep("trained, 10 folds x 3 seeds, 300 rows", found, 2000)
    assert max(share for kinds in found.values() for share in kinds.values()) <= 0.06


@pytest.mark.hard
def test_2000_comparisons_of_equal_networks_far_from_trained() -> None:
    found = rates(Design(SHORT, 300, 10, 3), 2000)
    keep("far from trained, 10 folds x 3 seeds, 300 rows", found, 2000)
    for kinds in found.values():
        assert kinds["3 seeds"] <= 0.06 < 0.15 < kinds["3 seeds, as if folds"]


@pytest.mark.hard
def test_equal_networks_of_other_lengths_and_designs() -> None:
    designs = {
        "half trained, 10 folds x 3 seeds, 300 rows": (Design(HALF, 300, 10, 3), 0.06),
        "trained, 5 folds x 2 seeds, 300 rows": (Design(TRAINED, 300, 5, 2), 0.06),
        "far from trained, 5 folds x 2 seeds, 300 rows": (Design(SHORT, 300, 5, 2), 0.12),
    }
    for name, (design, most) in designs.items():
        found = rates(design, 500)
        keep(name, found, 500)
        assert max(kinds[f"{design.seeds} seeds"] for kinds in found.values()) <= most


@pytest.mark.hard
def test_normal_differences_whatever_the_luck() -> None:
    luck = (0.0, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 4.0, 10.0)
    found = {
        f"{folds} folds x {repeats} seeds": worst(repeats, folds, luck, 2000)
        for repeats, folds in ((2, 10), (3, 5), (3, 10), (5, 10), (10, 10))
    }
    keep_figures(FIGURES, {"most called different, normal model, 2000 pairs each": found})
    assert max(share for name, share in found.items() if " 2 seeds" not in name) <= 0.06
    assert found["10 folds x 2 seeds"] <= 0.1


@pytest.mark.hard
def test_power_for_three_points_between_networks() -> None:
    found = power(Design(THREE_POINTS, 1000, 10, 3), 300)
    keep_figures(FIGURES, {"300 comparisons, 90 % against 93 % at best, 10 folds x 3 seeds, "
                           "1000 rows": found})  # fmt: skip
    assert found["true difference"] == pytest.approx(0.03, abs=0.002)
    assert found["found"] >= 0.8
    assert found["wrong winner"] == 0
