"""What hyperparameters do to effective capacity, and how a direction is read out of scores."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import chymist as cy
from chymist.cli import main
from chymist.errors import InputError, UsageError
from chymist.evidence.trends import trend
from chymist.verbs.sensing import BASE, CAPTIONS, IMAGE_VALUES, VALUES

SHORT = BASE.replace(length="5 epochs")  # where it does not matter what is learnt
NOISE = np.random.default_rng(3).normal(0, 0.01, (5, 6))


@pytest.mark.parametrize(
    ("means", "kind"),
    [
        ([0.1, 0.3, 0.5, 0.7, 0.9], "rises"),
        ([0.1, 0.9, 0.9, 0.9, 0.9], "rises"),
        ([0.9, 0.7, 0.5, 0.3, 0.1], "falls"),
        ([0.1, 0.5, 0.9, 0.5, 0.1], "has a best value"),
        ([0.9, 0.5, 0.1, 0.5, 0.9], "has a worst value"),
        ([0.5, 0.5, 0.5, 0.5, 0.5], "no effect that shows"),
    ],
)
def test_a_direction_is_read_out_of_scores(means: list[float], kind: str) -> None:
    found = trend(np.array(means)[:, None] + NOISE)
    assert found.kind == kind


def test_the_difference_is_that_of_tukeys_test_for_blocks() -> None:
    from statsmodels.formula.api import ols

    scores = np.random.default_rng(1).normal([[0.2], [0.5], [0.4]], 0.1, (3, 8))
    scores += np.linspace(0, 1, 8)
    value, repeat = np.indices(scores.shape)
    frame = pd.DataFrame({"y": scores.ravel(), "v": value.ravel(), "r": repeat.ravel()})
    fitted = ols("y ~ C(v) + C(r)", frame).fit()
    error, free = np.sqrt(fitted.mse_resid / 8), fitted.df_resid
    wide = stats.studentized_range.ppf(0.95, 3, free) * error
    found = trend(scores)
    assert free == 14
    assert found.difference == pytest.approx(np.ptp(scores.mean(1)))
    assert (found.low, found.high) == pytest.approx(
        (found.difference - wide, found.difference + wide)
    )
    assert found.p == pytest.approx(stats.studentized_range.sf(found.difference / error, 3, free))


def test_false_directions_are_rare() -> None:
    random = np.random.default_rng(2)
    said = [trend(random.normal(size=(5, 5))).kind for _ in range(20)]
    assert said.count("no effect that shows") >= 16  # 5 % of 20 are 1; three deviations are 3


@settings(max_examples=3, deadline=None)
@given(st.integers(0, 500), st.floats(0.1, 10), st.floats(-5, 5))
def test_units_of_the_score_do_not_matter(seed: int, scale: float, shift: float) -> None:
    scores = np.random.default_rng(seed).normal(size=(4, 4))
    one, other = trend(scores), trend(scale * scores + shift)
    assert (one.kind, one.best) == (other.kind, other.best)
    assert other.p == pytest.approx(one.p, rel=1e-6)
    mirrored = trend(scores[::-1])
    names = {"rises": "falls", "falls": "rises"}
    assert mirrored.kind == names.get(one.kind, one.kind)


def test_wider_networks_learn_more_by_heart_and_dropout_less() -> None:
    values = {
        "model.hidden": [(1,), (64,)],
        "model.dropout": [0.0, 0.9],
        "optimizer.lr": [0.1, 1e6],
    }
    found = cy.effects(cy.load("wine"), values=values, rows=60)
    width, dropout, rate = found.effects
    assert width.trend.kind == "rises"
    assert width.parameters == (20, 1091)  # (13 + 1) h + (h + 1) 3
    assert (width.scores[1] > width.scores[0]).all()
    assert dropout.trend.kind == "falls"
    assert rate.diverged == (0, 5)
    assert rate.sentence.endswith("; 5 diverged")
    assert found.facts["executor"] == "population"


def test_an_option_that_the_base_lacks_takes_the_part_that_has_it() -> None:
    values = {
        "loss.gamma": [0.0, 5.0],
        "loss.margin": [0.5, 2.0],
        "loss.label_smoothing": [0.0, 0.5],
    }
    found = cy.effects(cy.load("iris"), SHORT, values=values, repeats=2, rows=40)
    gamma, margin, smoothing = found.effects
    assert np.allclose(gamma.scores[0], smoothing.scores[0])  # focal with 0 is cross-entropy
    assert gamma.caption.endswith("focal is cross-entropy")
    # A net that is trained with its own loss keeps it where that has the option.
    from chymist.verbs.sensing import _recipes

    split = cy.split(cy.load("iris"))
    own = BASE.replace(loss=cy.parts.part("loss", "focal", gamma=1.0))
    assert [r.loss.name for r in _recipes(own, "loss.gamma", [2.0], split) if r.loss] == ["focal"]
    assert [r.loss.name for r in _recipes(own, "loss.margin", [2.0], split) if r.loss] == ["hinge"]
    assert margin.parameters[0] == gamma.parameters[0]


def test_a_kernel_is_tried_on_images_only() -> None:
    data = cy.load("digits")
    found = cy.effects(data, SHORT, values={"model.kernel": [1, 3, 5]}, repeats=2, rows=30)
    assert found.effects[0].parameters == tuple(
        8 * (k * k + 1) + 8 * 16 * 10 + 10 for k in (1, 3, 5)
    )
    with pytest.raises(UsageError, match="needs images"):
        cy.effects(cy.load("iris"), values={"model.kernel": [1, 3]}, repeats=2, rows=30)
    with pytest.raises(UsageError, match="no middle"):
        cy.effects(data, values={"model.kernel": [2, 3]}, repeats=2, rows=30)


def test_every_hyperparameter_of_the_table_has_a_caption() -> None:
    assert set(CAPTIONS) == {*VALUES, *IMAGE_VALUES}


def test_a_share_is_that_of_a_run_alone() -> None:
    from chymist.verbs.sensing import _labelled

    data = cy.load("iris")
    found = cy.effects(data, SHORT, values={"model.hidden": [(4,), (8,)]}, repeats=2, rows=40)
    split = _labelled(data, 40, 1)
    recipe = SHORT.replace(model=cy.models.mlp(hidden=(8,)))
    run = cy.fit(recipe, split, seed=1, doctor=False)
    hits = np.mean(cy.predict(run, split.data.take(split.train)) == np.array(
        [data.classes[n] for n in split.data.targets[split.train]]))  # fmt: skip
    assert found.effects[0].scores[1, 1] == pytest.approx(hits)


def test_what_cannot_be_measured_is_refused() -> None:
    with pytest.raises(InputError, match="learnt by heart"):
        cy.effects(cy.load("diabetes"))
    with pytest.raises(InputError, match="too few rows"):
        cy.effects(cy.load("iris"), rows=1000)
    with pytest.raises(UsageError, match="two values at least"):
        cy.effects(cy.load("iris"), values={"model.hidden": [(1,)]}, rows=40)
    with pytest.raises(UsageError, match="hiden"):
        cy.effects(cy.load("iris"), values={"model.hiden": [(1,), (2,)]}, rows=40)


@pytest.mark.parametrize("most", [2, pytest.param(8, marks=pytest.mark.hard)])
def test_the_command_prints_one_object(
    most: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    table = {name: tried[:most] for name, tried in VALUES.items()}
    monkeypatch.setattr("chymist.verbs.sensing.VALUES", table)
    assert main(["effects", "iris", "--rows", "12", "--seeds", "2", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    names = [one["name"] for one in said["effects"]]
    assert names[0] == "optimizer.lr"
    assert "depth of model.hidden" in names
    assert all(len(one["scores"]) == len(one["values"]) for one in said["effects"])
