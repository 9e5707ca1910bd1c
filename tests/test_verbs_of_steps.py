"""Verbs over many fits on rows of several steps: the same as plain fits, or refused in one line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chymist as cy
from chymist.errors import InputError, UsageError
from tests.test_population_steps import language, sequences, tags, texts
from tests.test_steps import nodes

DATA: dict[str, Callable[[], cy.Data]] = {
    "sequence": sequences, "text": texts, "tagging": tags, "language": language, "graph": nodes,
}  # fmt: skip


def recipe(kind: str, **more: Any) -> cy.Recipe:
    model = cy.models.gcn(hidden=(4,)) if kind == "graph" else (
        cy.models.gru(hidden=(4,), embedding=3))  # fmt: skip
    return cy.Recipe(model=model, precision="float64", **{"length": "2 epochs", **more})


@pytest.mark.parametrize("kind", DATA)
def test_out_of_fold_scores_are_those_of_plain_fits(kind: str) -> None:
    from chymist.protocols import cuts, kfold

    data, none = DATA[kind](), np.array([], np.int64)
    plain = recipe(kind, stop="none")
    found = cy.cross_validate(plain, data, folds=3, floors=False)
    for cut, fold in zip(cuts(kfold(folds=3), data), found.folds, strict=True):
        alone = cy.fit(plain, cy.Split(data, cut.train, cut.held, none), seed=0, doctor=False)
        assert fold["value"] == pytest.approx(alone.score.value, abs=1e-6)


@pytest.mark.parametrize("kind", DATA)
def test_verbs_that_know_every_kind(kind: str) -> None:
    data = DATA[kind]()
    split = cy.split(data, seed=0)
    rates = {"optimizer.lr": cy.space.log(1e-3, 1e-1)}
    entries = {"a": recipe(kind), "b": recipe(kind, batch_size=8)}
    compared = cy.compare(entries, data, folds=2, seeds=2)
    assert len(compared.entries) == 2
    assert cy.search(recipe(kind), split, rates, trials=2, folds=2).score.value > 0
    curve = cy.learning_curve(recipe(kind), data, sizes=[0.5, 1.0], folds=2)
    assert len(curve.sizes) == 2
    values = cy.validation_curve(recipe(kind), data, "optimizer.lr", [1e-3, 1e-2], folds=2)
    assert len(values.values) == 2
    assert len(cy.bag(recipe(kind), split, members=2)) == 2


def test_the_floor_of_steps_is_that_of_a_run() -> None:
    from chymist.verbs.baselines import step_baseline

    data = tags()
    rows = np.arange(150)
    made = step_baseline(cy.Split(data, rows[:100], np.array([], int), rows[100:]))
    there = data.targets[100:] >= 0
    assert (made.targets == data.targets[100:][there]).all()
    assert (made.rows == np.repeat(rows[100:], there.sum(1))).all()
    known = data.targets[:100][data.targets[:100] >= 0]
    shares = np.bincount(known, minlength=3) / len(known)
    np.testing.assert_allclose(made.outputs[0], shares, atol=1e-4)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: cy.bias_variance(recipe("tagging"), tags(), members=3), "one target a row"),
        (lambda: cy.capacity(recipe("tagging"), tags(), seeds=1), "one target a row"),
        (lambda: cy.suitability(texts()), "measured numbers"),
        (lambda: cy.leave_one_out(texts(), "lda"), "measured numbers"),
        (lambda: cy.leave_one_out(tags()), "one target a row"),
        (lambda: cy.pca(nodes()), "measured numbers"),
        (lambda: cy.kmeans(texts(), 3), "measured numbers"),
    ],
)  # fmt: skip
def test_what_is_refused_and_why(make: Callable[[], Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        make()


def test_texts_that_are_alike_are_counted() -> None:
    from chymist.data.duplicates import copies_across

    data = cy.load((["a b", "c", "a b", ""], ["x", "y", "x", "y"]), kind="text")
    assert copies_across(data, np.arange(4)).tolist() == [0, 2]


def test_rounding_that_a_recurrence_blows_up_does_not_look_like_rows_that_meet() -> None:
    draw = np.random.default_rng(1)
    x = 0.01 * draw.normal(size=(200, 200, 1))
    x[:, 0, 0] = draw.normal(size=200)
    data = cy.load((x, (x[:, 0, 0] > 0).astype(int)), kind="sequence")
    wild = cy.Recipe(
        model=cy.models.rnn(hidden=(32,)), init=cy.part("init", "orthogonal", gain=1.6),
        optimizer=cy.optim.sgd(lr=0.01), length="2 epochs",
    )  # fmt: skip
    found = cy.fit(wild, data).findings
    assert "loss_activation_mismatch" not in {finding.code for finding in found}


def sums() -> cy.Data:
    x = np.random.default_rng(0).normal(size=(400, 10, 3))
    return cy.load((x, (x[:, :, 0].sum(1) > 0).astype(int)), kind="sequence")


def opinions() -> cy.Data:
    draw = np.random.default_rng(0)
    made = [" ".join(draw.choice(["good", "bad", "film", "a"], draw.integers(2, 8)))
            for _ in range(400)]  # fmt: skip
    return cy.load((made, ["ny"[t.count("good") > t.count("bad")] for t in made]), kind="text")


@pytest.mark.parametrize("make", [sums, opinions, language, tags, nodes])
def test_short_healthy_runs_have_no_findings(make: Callable[[], cy.Data]) -> None:
    model = "gcn" if make is nodes else cy.models.gru(hidden=(16,), embedding=8)
    length = "30 epochs" if make is opinions else "8 epochs"
    assert not cy.fit(cy.Recipe(model=model, length=length), make()).findings


def test_what_a_reduced_precision_cannot_do_is_one_line() -> None:
    carrying = cy.Recipe(model=cy.models.lstm(hidden=(4,), carry=True), length="1 epochs")
    with pytest.raises(InputError, match="fails on the first batch"):
        cy.fit(carrying.replace(precision="float16"), language(), doctor=False)


@pytest.mark.parametrize("kind", ["sequence", "text"])
def test_intervals_and_effects_of_rows_with_one_target(kind: str) -> None:
    data = DATA[kind]()
    plain = recipe(kind, stop="none")
    found = cy.intervals(plain, data, data.inputs[:5], folds=3)
    assert found.sets.shape == (5, len(data.classes))
    assert found.sets.any(1).all()
    learnt = cy.effects(data, plain, {"model.hidden": [(1,), (8,)]}, repeats=2, rows=24)
    assert [effect.scores.shape for effect in learnt.effects] == [(2, 2)]


def test_intervals_of_a_value_after_several_steps() -> None:
    x = np.random.default_rng(0).normal(size=(90, 5, 2))
    data = cy.load((x, x[:, :, 0].sum(1)), kind="sequence")
    found = cy.intervals(recipe("sequence", stop="none"), data, x[:4], folds=3)
    assert (found.low < found.value).all()
    assert (found.value < found.high).all()


@pytest.mark.parametrize("kind", ["tagging", "language"])
def test_intervals_and_effects_need_one_target_a_row(kind: str) -> None:
    data = DATA[kind]()
    with pytest.raises(UsageError, match="intervals need one target a row"):
        cy.intervals(recipe(kind), data, data.inputs[:2])
    with pytest.raises(UsageError, match="need one target a row"):
        cy.effects(data, recipe(kind))
