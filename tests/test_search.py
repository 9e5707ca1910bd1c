"""Searches: plans of rungs, and that what is found is what was planted."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import chymist as cy
from chymist.errors import ChymistError, Diverged, InputError, UsageError
from chymist.values import Data, Length, Recipe
from chymist.verbs import searching
from chymist.verbs.rungs import Plan, halving, hyperband
from chymist.verbs.study_pages import search_page

QUICK = Recipe(model="softmax", optimizer="adam", length="6 epochs", batch_size=16)
RATES = {"optimizer.lr": cy.space.log(1e-4, 0.3)}


@pytest.fixture(scope="module")
def iris() -> Data:
    return cy.load("iris")


# Plans


@given(st.integers(1, 300), st.integers(1, 300))
def test_plans_hold_what_they_promise(trials: int, epochs: int) -> None:
    for make in (halving, hyperband):
        plan = make(trials, Length(epochs, "epochs"))
        counts = [rung.count for rung in plan.rungs]
        assert counts == sorted(set(counts))
        assert all(0 < count < epochs for count in counts)
        sizes = [plan.brackets.count(b) for b in range(max(plan.brackets) + 1)]
        assert sum(sizes) == trials
        for bracket, size in enumerate(sizes):
            kept = [some[bracket] for some in plan.going_on if some[bracket] is not None]
            assert [size, *kept] == sorted([size, *kept], reverse=True)
            assert all(number >= 1 for number in kept)


def test_hyperband_has_the_brackets_of_its_paper() -> None:
    # Li et al. 2018, table 1: R = 81, eta = 3, but for its fourth bracket, where they have 6 for
    # ceil(5/2 * 3) = 8.
    plan = hyperband(81 + 34 + 15 + 8 + 5, Length(81, "epochs"))
    assert [plan.brackets.count(b) for b in range(5)] == [81, 34, 15, 8, 5]
    assert [some[0] for some in plan.going_on] == [27, 9, 3, 1]
    assert [rung.count for rung in plan.rungs] == [1, 3, 9, 27]


# Searches


def test_a_planted_best_is_found(iris: Data) -> None:
    space = {"optimizer.lr": cy.space.choice(1e-6, 3e-2, 1e-5)}
    found = cy.search(QUICK, iris, space, "grid", folds=3, seeds=2)
    assert found.best.optimizer == cy.optim.adam(lr=3e-2)
    assert found.trials[0].point == {"optimizer.lr": 3e-2}
    assert found.score.selected_on == "best of 3 configurations"
    assert found.score.n == 150
    assert found.verdict.startswith("optimizer.lr 0.03 is best: accuracy")
    assert "selected among 3, so optimistic" in found.verdict
    assert found.surface.startswith("3 configurations are too few")
    assert found.facts["executor"] == "population"
    assert (found.facts["fits"], found.facts["epochs"]) == (18, 108)


def test_trials_equal_separate_cross_validations() -> None:
    data = cy.load("diabetes")
    recipe = Recipe(optimizer="adam", length="3 epochs", batch_size=64, precision="float64")
    space = {
        "model.hidden": cy.space.choice((8,), (4, 4)),
        "model.dropout": cy.space.choice(0.0, 0.3),
        "stop": cy.space.choice("none", "early"),
    }
    found = cy.search(recipe, data, space, "grid", folds=3, seeds=2, seed=5)
    assert len(found.trials) == 8
    for trial in found.trials:
        alone = cy.cross_validate(trial.recipe, data, 3, 2, 5, floors=False)
        assert trial.score is not None
        assert abs(trial.score.value - alone.score.value) < 1e-9
        assert abs(trial.score.low - alone.score.low) < 1e-9
        values = [fold["value"] for fold in alone.folds]
        np.testing.assert_allclose(trial.values, values, rtol=0, atol=1e-9)


@pytest.mark.parametrize("length", ["9 epochs", "90 steps"])
def test_halving_that_keeps_all_equals_random(
    iris: Data, monkeypatch: pytest.MonkeyPatch, length: str
) -> None:
    def keep_all(trials: int, whole: Length) -> Plan:
        plan = halving(trials, whole)
        return replace(plan, going_on=((None,),) * len(plan.rungs))

    recipe = QUICK.replace(length=length, precision="float64")
    monkeypatch.setitem(searching.RUNGS, "halving", keep_all)
    some = cy.search(recipe, iris, RATES, "halving", 9, 3)
    same = cy.search(recipe, iris, RATES, "random", 9, 3)
    assert "end" in some.trials[0].standing
    assert len(some.trials[0].standing) == 2
    for a, b in zip(some.trials, same.trials, strict=True):
        assert a.number == b.number
        np.testing.assert_allclose(a.values, b.values, rtol=0, atol=1e-9)
    assert some.facts["epochs"] == same.facts["epochs"]


def test_halving_drops_whole_configurations_and_trains_less(iris: Data) -> None:
    found = cy.search(QUICK.replace(length="9 epochs"), iris, RATES, "halving", 27, 3, 2)
    reached = [trial.reached for trial in found.trials]
    assert reached == [""] * 3 + ["3 epochs"] * 6 + ["1 epoch"] * 18
    epochs = {"": 54.0, "3 epochs": 18.0, "1 epoch": 6.0}
    assert all(trial.epochs == epochs[trial.reached] for trial in found.trials)
    assert found.facts["epochs"] == 3 * 54 + 6 * 18 + 18 * 6
    assert found.facts["full_epochs"] == 27 * 54
    assert len(found.pairs) == 2
    assert "24 dropped early" in found.verdict
    best_at_first = sorted((-t.standing["1 epoch"], t.number) for t in found.trials)[:3]
    assert {n for _, n in best_at_first} <= {t.number for t in found.trials[:9]}
    for trial in found.trials:
        last = {"": 9, "3 epochs": 3, "1 epoch": 1}[trial.reached]
        assert trial.curve[:, 0].tolist() == list(range(1, last + 1))


def test_what_has_ended_at_a_rung_is_not_dropped(iris: Data) -> None:
    # 50 rows a step end after 18 steps, before 5 rows a step end their first epoch of 20.
    space = {"batch_size": cy.space.choice(5, 50), **RATES}
    found = cy.search(QUICK.replace(length="9 epochs"), iris, space, "halving", 27, 3)
    large = [trial for trial in found.trials if trial.point["batch_size"] == 50]
    assert len(large) > 5
    assert all(trial.finished for trial in large)
    assert all(trial.finished == (trial.epochs == 27) for trial in found.trials)
    assert any("3 epochs" not in trial.standing for trial in large)
    order = [trial.finished for trial in found.trials]
    assert order == sorted(order, reverse=True)


def test_hyperband_trains_its_last_bracket_to_the_end(iris: Data) -> None:
    found = cy.search(QUICK.replace(length="9 epochs"), iris, RATES, "hyperband", 17, 3)
    numbers = {trial.number for trial in found.trials if trial.finished}
    assert numbers >= {15, 16, 17}
    assert len(numbers) == 5


def test_a_search_is_determined_by_its_seed(iris: Data) -> None:
    space = {**RATES, "batch_size": cy.space.uniform(8, 32)}

    def made(seed: int, method: str = "random") -> dict[str, Any]:
        found = cy.search(QUICK, iris, space, method, 6, 3, seed=seed).to_dict()
        return {k: v for k, v in found.items() if k not in ("seconds", "facts")}

    assert made(0) == made(0)
    assert made(0)["rows"] != made(1)["rows"]
    assert made(0, "optuna") == made(0, "optuna")


def test_what_diverges_is_kept_with_its_reason_and_loses() -> None:
    data = cy.load("diabetes")
    recipe = Recipe(model="linear", optimizer="sgd", length="9 epochs", batch_size=64)
    space = {"optimizer.lr": cy.space.choice(1e30, 1e-3, 1e29, 1e-4, 3e-4, 3e-3, 1e-2, 1e-5, 1e-6)}
    for method in ("grid", "halving"):
        found = cy.search(recipe, data, space, method, 9, 3)
        lost = [trial for trial in found.trials if trial.reason]
        assert sorted(trial.point["optimizer.lr"] for trial in lost) == [1e29, 1e30]
        assert list(found.trials[-2:]) == lost
        assert all(trial.score is None and not len(trial.values) for trial in lost)
        assert "2 diverged" in found.verdict
        assert "diverged" in search_page(found.to_dict(), found.curves)
    every = {"optimizer.lr": cy.space.choice(*(10.0**k for k in range(20, 29)))}
    for method in ("grid", "halving"):
        with pytest.raises(Diverged, match="every configuration"):
            cy.search(recipe, data, every, method, 9, 3)


def noisy(data: Data, rows: np.ndarray) -> Data:
    """The data with noise in some rows."""
    noise = np.random.default_rng(0).normal(size=(len(rows), 4)) * 50
    if isinstance(data.inputs, np.ndarray):
        inputs = data.inputs.copy()
        inputs[rows] = noise
        return replace(data, inputs=inputs)
    columns = {name: cells.copy() for name, cells in data.inputs.items()}
    for number, cells in enumerate(columns.values()):
        cells[rows] = noise[:, number]
    return replace(data, inputs=columns)


@pytest.mark.parametrize("method", ["random", "halving", "optuna"])
def test_nested_folds_never_see_their_outer_rows(iris: Data, method: str) -> None:
    recipe = QUICK.replace(length="3 epochs", stop="early")
    held = cy.data.folds(iris, 3, seed=1)[0]
    first = cy.search(recipe, iris, RATES, method, 9, 2, seed=1, nested=3, parallel=5)
    again = cy.search(recipe, noisy(iris, held), RATES, method, 9, 2, seed=1, nested=3, parallel=5)
    assert len(first.outer) == 3
    assert first.outer[0]["n"] == len(held)
    for name in ("values", "selected"):
        assert first.outer[0][name] == again.outer[0][name]
    assert first.outer[0]["value"] != again.outer[0]["value"]
    assert first.outer[1]["selected"] != again.outer[1]["selected"]
    assert first.score.value != again.score.value


def test_the_nested_score_is_of_models_that_were_chosen_inside(iris: Data) -> None:
    space = {"optimizer.lr": cy.space.choice(1e-6, 3e-2)}
    found = cy.search(QUICK, iris, space, "grid", folds=2, nested=3)
    assert [one["values"] for one in found.outer] == [{"optimizer.lr": 3e-2}] * 3
    assert found.nested is not None
    assert found.nested.selected_on is None
    assert found.nested.n == 150
    assert "by nested folds" in found.verdict
    # It is what cross-validation of the best says, since the same was chosen in all folds.
    alone = cy.cross_validate(found.best, iris, 3, floors=False)
    assert found.nested == alone.score
    assert cy.search(QUICK, iris, space, "grid", folds=2).nested is None


def test_groups_stay_together(iris: Data) -> None:
    groups = np.arange(150) % 10
    found = cy.search(QUICK, iris, RATES, trials=2, folds=5, group=groups)
    assert found.score.groups == 10


def test_test_rows_are_never_given(iris: Data) -> None:
    split = cy.split(iris, test=0.4, seed=0)
    found = cy.search(QUICK, split, RATES, trials=2, folds=3)
    assert found.sealed
    assert found.score.n == 90


def test_models_that_have_no_stacked_form_are_searched_in_turn(iris: Data) -> None:
    recipe = QUICK.replace(accumulate=2, length="2 epochs")
    found = cy.search(recipe, iris, RATES, trials=2, folds=2)
    assert found.facts["executor"] == "loop"
    assert "accumulates" in found.facts["reason"]


def test_the_kind_of_model_can_be_searched(iris: Data) -> None:
    space = {"model": cy.space.choice("softmax", "mlp"), "optimizer.lr": cy.space.log(1e-3, 0.1)}
    found = cy.search(Recipe(length="2 epochs"), iris, space, trials=8, folds=2)
    assert {trial.recipe.model.name for trial in found.trials} == {"softmax", "mlp"}


@pytest.mark.parametrize(
    ("change", "kind", "said"),
    [
        ({"trials": 0}, UsageError, "trials"),
        ({"trials": 1.5}, UsageError, "trials"),
        ({"seeds": 0}, UsageError, "seeds"),
        ({"folds": 1}, UsageError, "folds"),
        ({"folds": 151}, InputError, "150"),
        ({"nested": 1}, UsageError, "nested"),
        ({"nested": 200}, InputError, "150"),
        ({"method": "grit"}, UsageError, "did you mean 'grid'"),
        ({"method": "grid"}, UsageError, "not a range"),
        ({"method": "optuna", "parallel": 0}, UsageError, "parallel"),
        ({"space": {}}, UsageError, "nothing to search"),
        ({"space": {"optimiser.lr": cy.space.log(1, 2)}}, UsageError, "did you mean 'optimizer'"),
        ({"space": {"length": cy.space.choice("1 epoch", "2 epochs")}, "method": "halving"},
         UsageError, "leave it out"),
        ({"group": "nobody"}, ChymistError, "nobody"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line(
    iris: Data, change: dict[str, Any], kind: type[ChymistError], said: str
) -> None:
    with pytest.raises(kind) as caught:
        cy.search(QUICK, iris, **{"space": RATES, "trials": 4, **change})
    assert said in caught.value.line()
    assert len(caught.value.line()) <= 200


def test_optuna_asks_within_the_space_and_is_named_where_it_is_missing(
    iris: Data, monkeypatch: pytest.MonkeyPatch
) -> None:
    space = {
        **RATES,
        "batch_size": cy.space.log(8, 32),
        "schedule": cy.space.choice("one_cycle", "constant"),
    }
    begun: list[int] = []
    found = cy.search(QUICK, iris, space, "optuna", 11, 2, seed=2, parallel=4, started=begun.append)
    assert begun == [8, 8, 6]
    for trial in found.trials:
        rate, size, name = trial.point.values()
        assert 1e-4 <= rate <= 0.3
        assert isinstance(size, int)
        assert 8 <= size <= 32
        assert name in ("one_cycle", "constant")
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(UsageError, match=r"chymist\[search\]"):
        cy.search(QUICK, iris, RATES, "optuna", 2, 2)


def test_optuna_learns_what_does_well(iris: Data) -> None:
    recipe = QUICK.replace(length="2 epochs")
    space = {"optimizer.lr": cy.space.log(1e-6, 0.3)}
    found = cy.search(recipe, iris, space, "optuna", 24, 2, parallel=4)
    values = [t.score.value for t in sorted(found.trials, key=lambda t: t.number) if t.score]
    assert np.median(values[10:]) > np.median(values[:10]) + 0.1
