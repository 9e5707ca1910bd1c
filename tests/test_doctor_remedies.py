"""Remedies: each that changes a recipe closes at least half of the gap to the healthy one."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest

import chymist as cy
from chymist.doctor.finding import Finding, Remedy
from chymist.doctor.remedies import TREATMENTS, advice_only, remedy_for
from chymist.engine.defaults import complete
from chymist.errors import InputError, UsageError
from chymist.metrics import measure
from chymist.values import Recipe, Split
from chymist.verbs.applying import apply, prove
from chymist.verbs.jobs import Job, train_jobs

PLAIN: dict[str, Any] = {"batch_size": 64, "stop": "none", "schedule": "constant"}
TAXONOMY = re.findall(r"\w+", """
loss_activation_mismatch missing_softmax double_softmax softmax_mse shape_broadcast_loss no_update
missing_zero_grad train_eval_mode lr_too_high lr_too_low undertrained nan_inf_loss
vanishing_gradient exploding_gradient dead_relu saturated_activation symmetric_init init_scale
optimisation_failure model_bias missing_nonlinearity over_regularised dropout_misuse overfitting
bn_small_batch unnormalised_input unnormalised_target label_noise label_misalignment
constant_labels class_imbalance data_leakage distribution_mismatch unshuffled_data
data_loading_bound nondeterminism dead_output batch_leak precision hidden_activation_misuse
bad_input_values batch_too_small
""")  # fmt: skip


def digits() -> Split:
    return cy.split(cy.load("digits"), seed=0)


def cancer() -> Split:
    return cy.split(cy.load("breast_cancer"), seed=0)


def diabetes() -> Split:
    return cy.split(cy.load("diabetes"), seed=0)


def circles() -> Split:
    draw = np.random.default_rng(0)
    inputs = draw.normal(size=(600, 2))
    return cy.split(cy.load((inputs, (np.linalg.norm(inputs, axis=1) > 1.2).astype(int))), seed=0)


def noisy(share: float = 0.3) -> Split:
    """Labels of the training rows are wrong by a share; those of the others are right."""
    draw = np.random.default_rng(0)
    inputs = draw.normal(size=(900, 20))
    labels = (inputs[:, 0] + inputs[:, 1] > 0).astype(int)
    split = cy.split(cy.load((inputs, labels)), seed=0)
    wrong = split.train[draw.random(len(split.train)) < share]
    targets = split.data.targets.copy()
    targets[wrong] = 1 - targets[wrong]
    return replace(split, data=replace(split.data, targets=targets, fingerprint=f"noisy {share}"))


def rare() -> Split:
    draw = np.random.default_rng(0)
    labels = (draw.random(2000) < 0.05).astype(int)
    inputs = draw.normal(size=(2000, 4)) + 1.5 * labels[:, None] * [1, 0, 0, 0]
    return cy.split(cy.load((inputs, labels)), seed=0)


def by_class() -> Split:
    """Rows as they come when sorted by label: validation classes are hardly in training."""
    data = cy.load("digits")
    order = np.argsort(data.targets, kind="stable")
    some = order[data.targets[order] >= 8][:12]
    train = np.union1d(order[:1300], some)
    return Split(data, train, np.setdiff1d(order[1300:], some), order[:0])


def mlp(*hidden: int, **options: Any) -> cy.Part:
    return cy.models.mlp(hidden=hidden, **options)


def of(model: Any, optimizer: Any = None, length: str = "200 steps", **options: Any) -> Recipe:
    return Recipe(
        model=model, optimizer=optimizer or cy.optim.adam(lr=1e-3), length=length,
        **{**PLAIN, **options},
    )  # fmt: skip


@dataclass(frozen=True)
class Case:
    """A fault of a recipe or split, and the same without it."""

    code: str
    rows: Callable[[], Split]
    faulty: Recipe
    healthy: Recipe
    healthy_rows: Callable[[], Split] | None = None
    metric: str = "accuracy"
    gap: float = 0.1
    evidence: dict[str, object] = field(default_factory=dict)


adam, adamw, sgd = cy.optim.adam, cy.optim.adamw, cy.optim.sgd
GOOD = of(mlp(64))
RAW = cy.prepare(scale="none")

CASES = [
    Case("lr_too_high", digits, of(mlp(64), adam(lr=1.0)), GOOD),
    Case("lr_too_low", digits, of(mlp(64), adam(lr=5e-5)), GOOD),
    Case("undertrained", digits, of(mlp(64), length="15 steps"), GOOD),
    Case("nan_inf_loss", diabetes, of(mlp(64, 64), sgd(lr=3.0)), of(mlp(64, 64), sgd(lr=0.03)), metric="r2"),
    Case("vanishing_gradient", digits, of(mlp(*[32] * 5, activation="sigmoid")), of(mlp(*[32] * 5))),
    Case("hidden_activation_misuse", digits, of(mlp(*[32] * 5, activation="sigmoid")), of(mlp(*[32] * 5))),
    Case("exploding_gradient", diabetes, of(mlp(64, 64), sgd(lr=0.3, momentum=0.9)), of(mlp(64, 64), sgd(lr=0.03)), metric="r2", evidence={"median": 0.1}),
    Case("dead_relu", digits, of(mlp(64, 64), adam(lr=0.3)), of(mlp(64, 64))),
    Case("saturated_activation", cancer, of(mlp(32, activation="tanh"), data=RAW), of(mlp(32)), gap=0.02),
    Case("unnormalised_input", cancer, of(mlp(32), sgd(lr=0.01), data=RAW), of(mlp(32), sgd(lr=0.01)), gap=0.02),
    Case("optimisation_failure", digits, of(mlp(*[16] * 24), adam(lr=3e-3)), of(mlp(16, 16), adam(lr=3e-3))),
    Case("model_bias", digits, of(mlp(2), adam(lr=1e-2)), of(mlp(64), adam(lr=1e-2))),
    Case("missing_nonlinearity", circles, of("softmax", adam(lr=1e-2)), of("mlp", adam(lr=1e-2))),
    Case("over_regularised", digits, of(mlp(64), adamw(lr=1e-3, weight_decay=300.0)), GOOD),
    Case("dropout_misuse", digits, of(mlp(64, 64, dropout=0.9)), of(mlp(64, 64))),
    Case("overfitting", noisy, of(mlp(128), adam(lr=1e-2)), of("softmax", adam(lr=1e-3)), metric="log_loss"),
    Case("label_noise", noisy, of(mlp(128), adam(lr=1e-2)), of(mlp(128), adam(lr=1e-2)), lambda: noisy(0.0), metric="log_loss"),
    Case("bn_small_batch", digits, of(cy.models.cnn(channels=(8,), hidden=(16,)), batch_size=2, length="100 steps"), of(cy.models.cnn(channels=(8,), hidden=(16,)), length="100 steps")),
    Case("batch_too_small", digits, of(mlp(64), sgd(lr=0.1), batch_size=1, length="100 steps"), of(mlp(64), sgd(lr=0.1), length="100 steps")),
    Case("class_imbalance", rare, of("mlp"), of("mlp", data=cy.prepare(weights="balanced")), metric="balanced_accuracy"),
    Case("distribution_mismatch", by_class, GOOD, GOOD, digits),
    Case("unshuffled_data", by_class, GOOD, GOOD, digits),
]  # fmt: skip


def level(recipe: Recipe, split: Split, metric: str) -> float:
    """The metric on the validation rows; what diverged knows nothing."""
    trained = next(iter(train_jobs([Job(recipe, replace(split, test=split.valid), 0)])))
    if trained.error:
        return 0.0
    value = measure(trained.predictions(), metric)
    return max(value, -1.0) if metric == "r2" else value


# Remedies that another case applies too, and models that take longer.
EXHAUSTIVE = ("hidden_activation_misuse", "batch_too_small", "unshuffled_data", "label_noise",
              "exploding_gradient", "dead_relu", "saturated_activation", "lr_too_high")  # fmt: skip


@pytest.mark.parametrize("case", [
    pytest.param(case, id=case.code, marks=pytest.mark.hard if case.code in EXHAUSTIVE else ())
    for case in CASES
])  # fmt: skip
def test_a_remedy_closes_half_of_the_gap(case: Case) -> None:
    rows = case.rows()
    healthy_rows = case.healthy_rows() if case.healthy_rows else rows
    remedy = remedy_for(
        Finding(case.code, "finding", "", case.evidence), complete(case.faulty, rows)
    )
    cured, cured_rows = apply(remedy, case.faulty, rows)
    faulty = level(case.faulty, rows, case.metric)
    healthy = level(case.healthy, healthy_rows, case.metric)
    reached = level(cured, cured_rows, case.metric)
    assert abs(healthy - faulty) > case.gap
    assert (reached - faulty) / (healthy - faulty) >= 0.5


def test_copies_leave_validation_and_its_score_becomes_true() -> None:
    draw = np.random.default_rng(0)
    inputs = draw.normal(size=(900, 30))
    labels = (inputs[:, 0] + 2 * draw.normal(size=900) > 0).astype(int)
    inputs[300:400], labels[300:400] = inputs[:100], labels[:100]  # copies of training rows
    rows = np.arange(900)
    split = Split(cy.load((inputs, labels)), rows[:300], rows[300:500], rows[500:])
    remedy = remedy_for(Finding("data_leakage", "finding", ""), complete(GOOD, split))
    _, honest = apply(remedy, GOOD, split)
    assert np.array_equal(honest.valid, rows[400:500])
    recipe = of(mlp(64), adam(lr=1e-2))
    true = level(recipe, replace(split, valid=split.test), "accuracy")
    before, after = (level(recipe, one, "accuracy") for one in (split, honest))
    assert before - true > 0.1
    assert abs(after - true) <= 0.5 * (before - true)


def test_a_feature_that_tells_is_dropped_beside_those_dropped_already() -> None:
    rows = cancer()
    names = [column.name for column in rows.data.columns]
    faulty = of(mlp(8), data=cy.prepare(drop=(names[0],)))
    finding = Finding("data_leakage", "finding", "", {"feature": names[1]})
    cured, same = apply(remedy_for(finding, complete(faulty, rows)), faulty, rows)
    assert cured.data.options["drop"] == (names[0], names[1])
    assert same is rows


def test_every_code_of_the_taxonomy_has_a_remedy_that_is_tested_or_is_advice() -> None:
    assert sorted(REMEDIES) == sorted(TAXONOMY)
    tested = {case.code for case in CASES} | {"data_leakage"}
    assert {code for code in TAXONOMY if not advice_only(code)} == tested
    assert all(words for words, _ in REMEDIES.values())


@pytest.mark.parametrize("code", TAXONOMY)
@pytest.mark.parametrize("recipe", [
    Recipe(), of("softmax"), of(mlp(8, 8)), of(cy.models.cnn()), of(lambda shapes: None),
    Recipe(model="linear"),
])  # fmt: skip
def test_a_remedy_suits_any_recipe_or_says_nothing(code: str, recipe: Recipe) -> None:
    rows = diabetes() if recipe.model is not None and recipe.model.name == "linear" else digits()
    for one in (recipe, complete(recipe, rows)):
        remedy = remedy_for(Finding(code, "finding", ""), one)
        if remedy.changes:
            complete(*apply(remedy, recipe, rows))


def test_an_experiments_rate_is_taken() -> None:
    finding = Finding("lr_too_high", "confirmed", "", {"rate": 3e-3})
    assert remedy_for(finding, GOOD).changes == {"optimizer.lr": 3e-3}


def test_rows_can_be_left_out_and_recipe_and_split_stay_as_they_were() -> None:
    rows = digits()
    gone = rows.train[:5].tolist()
    before = GOOD, replace(rows)
    cured, other = apply(Remedy("", {"split.without": gone, "batch_size": 7}), GOOD, rows)
    assert np.array_equal(other.train, rows.train[5:])
    assert cured.batch_size == 7
    assert (GOOD, rows) == before


def test_what_cannot_be_applied_is_refused() -> None:
    rows = digits()
    with pytest.raises(UsageError, match="advice"):
        apply(Remedy("look at the labels"), GOOD, rows)
    with pytest.raises(UsageError, match="unknown change of the split"):
        apply(Remedy("", {"split.sort": True}), GOOD, rows)
    with pytest.raises(UsageError, match="unknown"):
        apply(Remedy("", {"optimizer.rate": 1.0}), GOOD, rows)
    with pytest.raises(InputError, match="no training rows"):
        apply(Remedy("", {"split.without": rows.train}), GOOD, rows)
    with pytest.raises(UsageError):
        prove(Remedy("", {"batch_size": 7}), GOOD, rows, seeds=1)
    with pytest.raises(InputError, match="no validation rows"):
        prove(Remedy("", {"batch_size": 7}), GOOD, replace(rows, valid=rows.valid[:0]))


# ---------------------------------------------------------------- prove
def test_proof_is_a_paired_t_interval_of_the_seeds() -> None:
    rows, slow = digits(), of(mlp(16), adam(lr=1e-4), "60 steps")
    found = prove(Remedy("", {"optimizer.lr": 3e-3}), slow, rows, seeds=3, seed=5)
    before, after = np.array(found.before), np.array(found.after)
    from scipy import stats

    test = stats.ttest_rel(after, before)
    low, high = test.confidence_interval(0.95)
    assert (found.difference.low, found.difference.high) == pytest.approx((low, high))
    assert found.effect == "helped"
    assert found.rows == len(rows.valid)
    again = cy.fit(slow, rows, seed=6)
    assert found.before[1] == pytest.approx(again.score.value)  # paired with the run of that seed


def test_proof_of_nothing_and_of_harm() -> None:
    rows, good = digits(), of(mlp(16), adam(lr=3e-3), "60 steps")
    same = prove(Remedy("", {"optimizer.lr": 3e-3}), good, rows)
    assert (same.effect, same.difference.value) == ("no difference", 0.0)
    worse = prove(Remedy("", {"optimizer.lr": 1e-5}), good, rows)
    assert worse.effect == "hurt"
    assert worse.sentence.startswith("hurt: accuracy changes by -")


def test_proof_for_values_knows_that_less_is_better() -> None:
    slow = of(mlp(16), adam(lr=1e-5), "100 steps")
    found = prove(Remedy("", {"optimizer.lr": 1e-2}), slow, diabetes())
    assert found.metric == "rmse"
    assert found.difference.value < 0
    assert found.effect == "helped"


def test_a_run_that_diverged_is_helped_by_one_that_does_not() -> None:
    wild = of(mlp(64, 64), sgd(lr=3.0))
    remedy = remedy_for(Finding("nan_inf_loss", "certain", ""), wild)
    found = prove(remedy, wild, diabetes(), seeds=2)
    assert found.effect == "helped"
    assert all(map(math.isnan, found.before))


def test_both_sides_are_scored_on_rows_that_neither_was_trained_on() -> None:
    rows = by_class()
    found = prove(Remedy("", {"split.redraw": True}), GOOD, rows, seeds=2)
    _, other = apply(Remedy("", {"split.redraw": True}), GOOD, rows)
    assert found.rows == len(np.intersect1d(rows.valid, other.valid)) > 0
    assert found.effect == "helped"
