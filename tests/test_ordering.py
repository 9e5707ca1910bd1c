"""Training error < validation error < test error: holds, violated, or cannot tell (S088, W70)."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.proportion import confint_proportions_2indep

import chymist as cy
from chymist.cli import main
from chymist.errors import InputError
from chymist.evidence import inequality, peek, score
from chymist.values import Predictions, Score


def made(right: int, n: int, split: str) -> Score:
    outputs = np.eye(2)[(np.arange(n) >= right).astype(int)]
    return score(Predictions(np.arange(n), np.zeros(n, int), outputs), "accuracy", split)


@settings(max_examples=30, deadline=None)
@given(n=st.integers(5, 300), m=st.integers(5, 300), a=st.floats(0, 1), b=st.floats(0, 1))
def test_the_interval_is_that_of_newcombe(n: int, m: int, a: float, b: float) -> None:
    right, well = round(a * n), round(b * m)
    found = inequality(made(right, n, "train"), made(well, m, "valid"))
    low, high = confint_proportions_2indep(
        m - well, m, n - right, n, method="newcomb", compare="diff"
    )
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-9)
    assert found.difference == pytest.approx(right / n - well / m)
    turned = inequality(made(well, m, "valid"), made(right, n, "train"))
    assert (turned.low, turned.high) == pytest.approx((-found.high, -found.low))
    assert {found.answer, turned.answer} in ({"holds", "violated"}, {"cannot tell"})


def test_three_answers() -> None:
    train = made(990, 1000, "train")
    answers = [inequality(train, made(k, 300, "valid")).answer for k in (240, 296, 300)]
    assert answers == ["holds", "cannot tell", "cannot tell"]
    assert inequality(made(800, 1000, "train"), made(290, 300, "valid")).answer == "violated"


def test_errors_of_a_regression_are_taken_as_they_are() -> None:
    run = cy.fit(cy.Recipe(model="linear"), cy.split(cy.load("diabetes"), test=0.2, valid=0.2))
    found = cy.error_ordering(run)
    (step,) = found.inequalities
    assert step.metric == "rmse"
    assert step.difference == pytest.approx(found.scores["valid"].value
                                            - found.scores["train"].value)  # fmt: skip
    assert found.scores["valid"].value == run.score.value
    assert found.looks is None


def test_the_test_rows_stay_sealed_until_they_are_asked_for(tmp_path: Path) -> None:
    split = cy.split(cy.load("iris"), test=0.2, valid=0.2, seed=0)
    run = cy.fit(cy.Recipe(model="softmax", length="5 epochs"), split, out=tmp_path / "run")
    fingerprint = split.data.fingerprint
    assert list(cy.error_ordering(run).scores) == ["train", "valid"]
    assert peek(fingerprint, split.test).count == 0
    found = cy.error_ordering(tmp_path / "run", test=True)
    assert [(s.smaller, s.larger) for s in found.inequalities] == [
        ("train", "valid"), ("valid", "test")]  # fmt: skip
    assert str(found.looks) == "look 1, 1 run"
    assert "look 1, 1 run" in repr(found)
    assert found.scores["test"] == cy.evaluate(run).score
    assert peek(fingerprint, split.test).count == 2


def test_the_rule_holds_on_average_only() -> None:
    """W70: over 16 splits training errors are smaller on average; single runs violate each part."""
    data, errors = cy.load("breast_cancer"), []
    for seed in range(16):
        split = cy.split(data, test=0.2, valid=0.2, seed=seed)
        found = cy.error_ordering(cy.fit(cy.Recipe(model="gaussian"), split), test=True)
        errors.append([1 - s.value for s in found.scores.values()])
    train, valid, test = np.array(errors).T
    assert train.mean() < min(valid.mean(), test.mean())
    assert (train > valid).sum() == 4
    assert (valid > test).sum() == 7
    assert ((train < valid) & (valid < test)).sum() == 4


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    split = cy.split(cy.load("iris"), test=0.2, valid=0.2, seed=0)
    folder = tmp_path / "run"
    cy.fit(cy.Recipe(model="softmax", length="5 epochs"), split, out=folder)
    assert main(["evaluate", str(folder), "--ordering", "--split", "valid", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["looks"] is None
    assert len(told["inequalities"]) == 1
    assert main(["evaluate", str(folder), "--ordering"]) == 0
    shown = capsys.readouterr().out
    assert "training < validation: " in shown
    assert "validation < test: " in shown
    assert "look 1, 1 run" in shown
    assert main(["evaluate", str(folder), "--ordering", "--split", "trian"]) == 2
    capsys.readouterr()


def test_a_part_without_rows_is_told() -> None:
    run = cy.fit(cy.Recipe(model="softmax", length="2 epochs"),
                 cy.split(cy.load("iris"), test=0, valid=0.2))  # fmt: skip
    with pytest.raises(InputError, match="no test rows"):
        cy.error_ordering(run, test=True)
