"""Remedies: each that changes a recipe closes at least half of the gap to the healthy one."""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import chymist as cy
from chymist.cli.findings import finding_lines
from chymist.cli.inputs import recipe_of
from chymist.cli.options import parse
from chymist.doctor.finding import Finding, Remedy
from chymist.doctor.remedies import (
    METRICS,
    SPLIT_CHANGES,
    TREATMENTS,
    advice_only,
    options_of,
    remedy_for,
    with_remedy,
    words_of,
)
from chymist.doctor.suspects import suspects
from chymist.doctor.texts import CODES
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
    """A fault of a recipe or split, the same without it, and how much the remedy must close."""

    code: str
    rows: Callable[[], Split]
    faulty: Recipe
    healthy: Recipe
    share: float  # of the gap, mean of SEEDS: what was measured, less a twentieth or so
    healthy_rows: Callable[[], Split] | None = None
    metric: str = "accuracy"
    gap: float = 0.1
    evidence: dict[str, object] = field(default_factory=dict)


adam, adamw, sgd = cy.optim.adam, cy.optim.adamw, cy.optim.sgd
GOOD = of(mlp(64))
RAW = cy.prepare(scale="none")
IMAGES = cy.models.cnn(channels=(8,), hidden=(16,))
SEEDS = (0, 1, 2)

CASES = [
    Case("lr_too_high", digits, of(mlp(64), adam(lr=1.0)), GOOD, 0.9),
    Case("lr_too_low", digits, of(mlp(64), adam(lr=5e-5)), GOOD, 0.9),
    Case("undertrained", digits, of(mlp(64), length="15 steps"), GOOD, 0.8),
    Case("nan_inf_loss", diabetes, of(mlp(64, 64), sgd(lr=3.0)), of(mlp(64, 64), sgd(lr=0.03)), 0.65, metric="r2"),
    Case("vanishing_gradient", digits, of(mlp(*[32] * 5, activation="sigmoid")), of(mlp(*[32] * 5)), 1.0),
    Case("hidden_activation_misuse", digits, of(mlp(*[32] * 5, activation="sigmoid")), of(mlp(*[32] * 5)), 1.0),
    Case("exploding_gradient", diabetes, of(mlp(64, 64), sgd(lr=0.3, momentum=0.9)), of(mlp(64, 64), sgd(lr=0.03)), 0.9, metric="r2", evidence={"median": 0.1}),
    Case("dead_relu", digits, of(mlp(64, 64), adam(lr=0.3)), of(mlp(64, 64)), 0.9),
    Case("saturated_activation", cancer, of(mlp(32, activation="tanh"), data=RAW), of(mlp(32)), 0.9, gap=0.02),
    Case("init_scale", cancer, of(mlp(32), sgd(lr=0.01), data=RAW), of(mlp(32), sgd(lr=0.01)), 0.9, gap=0.02),
    Case("unnormalised_input", cancer, of(mlp(32), sgd(lr=0.01), data=RAW), of(mlp(32), sgd(lr=0.01)), 0.9, gap=0.02),
    Case("optimisation_failure", digits, of(mlp(*[16] * 24), adam(lr=3e-3)), of(mlp(16, 16), adam(lr=3e-3)), 0.9),
    Case("model_bias", digits, of(mlp(2), adam(lr=1e-2)), of(mlp(64), adam(lr=1e-2)), 0.9),
    Case("missing_nonlinearity", circles, of("softmax", adam(lr=1e-2)), of("mlp", adam(lr=1e-2)), 0.9),
    Case("over_regularised", digits, of(mlp(64), adamw(lr=1e-3, weight_decay=300.0)), GOOD, 0.9),
    Case("dropout_misuse", digits, of(mlp(64, 64, dropout=0.9)), of(mlp(64, 64)), 0.9),
    Case("overfitting", noisy, of(mlp(128), adam(lr=1e-2)), of("softmax", adam(lr=1e-3)), 1.0, metric="log_loss"),
    Case("label_noise", noisy, of(mlp(128), adam(lr=1e-2)), of(mlp(128), adam(lr=1e-2)), 0.75, lambda: noisy(0.0), metric="log_loss"),
    Case("bn_small_batch", digits, of(IMAGES, batch_size=2, length="100 steps"), of(IMAGES, length="100 steps"), 0.85),
    Case("batch_too_small", digits, of(mlp(64), sgd(lr=0.1), batch_size=1, length="100 steps"), of(mlp(64), sgd(lr=0.1), length="100 steps"), 0.9),
    Case("class_imbalance", rare, of("mlp"), of("mlp", data=cy.prepare(weights="balanced")), 0.9, metric="balanced_accuracy"),
    Case("distribution_mismatch", by_class, GOOD, GOOD, 0.9, digits),
    Case("unshuffled_data", by_class, GOOD, GOOD, 0.9, digits),
]  # fmt: skip


def levels(recipe: Recipe, split: Split, metric: str) -> np.ndarray:
    """The metric on the validation rows by seed; what diverged knows nothing."""
    jobs = [Job(recipe, replace(split, test=split.valid), seed) for seed in SEEDS]
    found = [
        0.0 if trained.error else measure(trained.predictions(), metric)
        for trained in train_jobs(jobs)
    ]
    return np.maximum(found, -1.0)


def level(recipe: Recipe, split: Split, metric: str) -> float:
    """Their mean."""
    return float(levels(recipe, split, metric).mean())


def closed(case: Case) -> float:
    """Share of the gap between a fault and its healthy twin that the remedy closes."""
    rows = case.rows()
    full = complete(case.faulty, rows)
    remedy = remedy_for(Finding(case.code, "finding", "", case.evidence), full)
    faulty = level(case.faulty, rows, case.metric)
    healthy = level(case.healthy, case.healthy_rows() if case.healthy_rows else rows, case.metric)
    assert abs(healthy - faulty) > case.gap
    return (level(*apply(remedy, case.faulty, rows), case.metric) - faulty) / (healthy - faulty)


# One of each kind of change.
QUICK = ("lr_too_low", "undertrained", "exploding_gradient", "unnormalised_input", "model_bias",
         "optimisation_failure", "overfitting", "label_noise", "class_imbalance")  # fmt: skip


@pytest.mark.parametrize("case", [
    pytest.param(case, id=case.code, marks=() if case.code in QUICK else pytest.mark.hard)
    for case in CASES
])  # fmt: skip
def test_a_remedy_closes_most_of_the_gap(case: Case) -> None:
    assert case.share >= 0.5  # what is asked of every remedy
    assert closed(case) >= case.share


def test_a_deep_perceptron_without_equal_widths_gets_fewer_layers() -> None:
    recipe = of(mlp(*range(40, 16, -1)), adam(lr=3e-3))
    remedy = remedy_for(Finding("optimisation_failure", "finding", ""), recipe)
    assert remedy.words == "fewer layers"
    assert len(remedy.changes["model.hidden"]) == 6
    again = of(mlp(*[16] * 24, residual=True))
    assert (
        "model.hidden" in remedy_for(Finding("optimisation_failure", "finding", ""), again).changes
    )


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


ADVICE = [
    "loss_activation_mismatch",
    "missing_softmax",
    "double_softmax",
    "softmax_mse",
    "shape_broadcast_loss",
    "no_update",
    "missing_zero_grad",
    "train_eval_mode",
    "symmetric_init",
    "unnormalised_target",
    "label_misalignment",
    "constant_labels",
    "data_loading_bound",
    "nondeterminism",
    "dead_output",
    "batch_leak",
    "precision",
    "bad_input_values",
]  # code of the user's own, or the data: no recipe is wrong


def test_every_code_of_the_taxonomy_has_a_remedy_that_is_tested_or_is_advice() -> None:
    tested = {case.code for case in CASES} | {"data_leakage"}
    assert sorted([*tested, *ADVICE]) == sorted(TAXONOMY)
    assert {code for code in TAXONOMY if advice_only(code)} == set(ADVICE)
    assert set(TREATMENTS) == tested
    assert set(METRICS) <= tested


def test_the_page_names_every_code_and_its_measured_share() -> None:
    page = (Path(__file__).parent.parent / "docs" / "remedies.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \|.*\| (\S+) \|$", page, re.MULTILINE)
    shares = dict(rows)
    assert sorted(shares) == sorted(TAXONOMY)
    assert {code for code, share in shares.items() if share == "advice"} == set(ADVICE)
    assert all(float(shares[case.code]) >= case.share for case in CASES)


LINEAR = Recipe(model="linear")
RECIPES = [
    Recipe(), of("softmax"), of(mlp(8, 8)), of(mlp()), of(mlp(8, 8, 8, activation="tanh")),
    of(cy.models.cnn()), of(mlp(4), cy.optim.sgd(lr=0.1), data=RAW, stop="early", precision="float64"),
    of(lambda shapes: None), LINEAR, Recipe(model="logistic", loss="binary_cross_entropy"),
]  # fmt: skip
EVIDENCE: list[dict[str, object]] = [{}, {"rate": 0.003, "median": 0.5, "feature": "x0"}]


@pytest.mark.parametrize("code", TAXONOMY)
def test_every_change_is_an_option_that_the_recipe_and_the_command_line_take(
    code: str, tmp_path: Path
) -> None:
    for recipe, evidence in product(RECIPES, EVIDENCE):
        rows = rows_for(recipe)
        full = complete(recipe, rows)
        remedy = remedy_for(Finding(code, "finding", "", evidence), full)
        assert remedy.words
        changes = {k: v for k, v in remedy.changes.items() if not k.startswith("split.")}
        assert {k for k in remedy.changes if k not in changes} <= set(SPLIT_CHANGES)
        if not changes:
            continue
        cured, _ = apply(Remedy("", changes), full, rows)
        assert cured != full  # it changes something
        assert complete(cured, rows) == cured
        if full.model.source:
            continue
        file = tmp_path / "recipe.toml"
        file.write_text(full.to_toml())
        words = shlex.split(options_of(Remedy("", changes)))
        typed = recipe_of(parse(["fit", "digits", "--recipe", str(file), *words]))
        assert complete(typed, rows) == cured, words


@cache
def rows_for(recipe: Recipe) -> Split:
    """Rows that the model can be fitted to."""
    name = recipe.model.name if recipe.model is not None else ""
    return diabetes() if name == "linear" else cancer() if name == "logistic" else digits()


def test_a_change_that_changes_nothing_is_left_out() -> None:
    same = of("softmax", stop="early", data=cy.prepare(weights="balanced"))
    for code in ("overfitting", "class_imbalance", "unnormalised_input", "vanishing_gradient"):
        remedy = remedy_for(Finding(code, "finding", ""), complete(same, digits()))
        assert remedy.changes == {}
        assert remedy.words == CODES[code]["en"].remedy
    own = Finding("overfitting", "finding", "", remedy=Remedy("of the rule"))
    assert remedy_for(own).words == "of the rule"


def test_words_say_what_is_changed_in_both_languages() -> None:
    deep = complete(of(mlp(*[8] * 6)), digits())
    found = with_remedy(Finding("vanishing_gradient", "finding", ""), deep)
    assert (words_of(found), words_of(found, "zh")) == ("residual connections", "残差连接")
    assert options_of(found.remedy) == "--model.residual true"
    english, chinese = (finding_lines(found, language)[1] for language in ("en", "zh"))
    assert english == ("Remedy", "residual connections (--model.residual true)")
    assert chinese == ("Remedy", "残差连接 (--model.residual true)")
    for code, recipe in product(TREATMENTS, RECIPES):
        found = with_remedy(Finding(code, "finding", ""), complete(recipe, rows_for(recipe)))
        assert words_of(found)
        assert re.search("[\u4e00-\u9fff]", words_of(found, "zh")), code


def test_a_run_of_fit_carries_changes_and_a_watched_loop_advice(tmp_path: Path) -> None:
    rows = digits()
    run = cy.fit(of(mlp(*[8] * 16), length="60 steps"), rows, out=tmp_path / "run")
    found = {finding.code: finding for finding in cy.diagnose(run)}
    assert (
        found["optimisation_failure"].remedy
        == run.findings[list(found).index("optimisation_failure")].remedy
    )
    assert found["optimisation_failure"].remedy.changes == {"model.residual": True}
    cured, _ = cy.apply(found["optimisation_failure"].remedy, run.recipe, rows)
    assert cured.model.options["residual"] is True
    inputs = torch.linspace(-1, 1, 64).unsqueeze(1)
    model = torch.nn.Linear(1, 1)
    with cy.watch(model, None, torch.nn.functional.mse_loss, train=(inputs, inputs)) as watcher:
        pass
    watcher.record.losses.extend([1.0] * 20)
    said = [finding for finding in watcher.findings if finding.remedy is not None]
    assert said
    assert all(finding.remedy.words and not finding.remedy.changes for finding in said)


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


# ---------------------------------------------------------------- suspects
def test_suspects_are_rows_with_wrong_labels() -> None:
    rows = noisy(0.2)
    data, train = rows.data, rows.train
    right = (data.inputs[train, 0] + data.inputs[train, 1] > 0).astype(int)
    wrong = data.targets[train] != right
    found = suspects(data.inputs[train], data.targets[train])
    assert wrong[found].mean() > 0.5  # of those named
    assert found[wrong].mean() > 0.6  # of those that are wrong
    assert found[~wrong].mean() < 0.2
    clean = suspects(data.inputs[train], right)
    assert clean.mean() < 0.15  # near the border labels look contradicted


def test_no_suspects_among_values_and_few_rows() -> None:
    assert not suspects(np.zeros((3, 1)), np.array([0, 0, 0])).any()
    rows = diabetes()
    _, same = apply(Remedy("", {"split.without_suspects": True}), of("mlp"), rows)
    assert np.array_equal(same.train, rows.train)
