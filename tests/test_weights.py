"""Weights of training rows: in the loop, in populations, in closed form."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.utils.class_weight import compute_sample_weight

import chymist as cy
from chymist.data.weights import row_weights
from chymist.engine.assembly import Assembly, assemble
from chymist.engine.defaults import complete
from chymist.engine.events import Step
from chymist.engine.loop import train
from chymist.engine.population import together
from tests.test_population import OPTIMIZERS, check_equal

RECIPE = cy.Recipe(
    model=cy.models.mlp(hidden=(8,), activation="tanh"), optimizer=cy.optim.adam(lr=3e-3),
    schedule="constant", batch_size=16, length="100 steps", stop="none", precision="float64",
    data=cy.prepare(weights="w"),
)  # fmt: skip


def table(rows: int = 120, seed: int = 0, least: float = 0.2) -> cy.Data:
    draw = np.random.default_rng(seed)
    x = draw.normal(size=(rows, 4))
    label = np.where(x[:, 0] + 0.5 * draw.normal(size=rows) > 0.7, "rare", "often")
    columns = {f"x{n}": x[:, n] for n in range(4)} | {"w": draw.uniform(least, 3, rows)}
    return cy.load((columns, label.tolist()))


def run_of(recipe: cy.Recipe, data: cy.Data, train_rows: np.ndarray, seed: int = 0) -> Assembly:
    rest = np.setdiff1d(np.arange(len(data)), train_rows)
    split = cy.Split(data, train_rows, rest[:9], rest[9:], seed)
    return assemble(complete(recipe, split), split, seed)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(0, 3), min_size=3, max_size=30))
def test_balanced_weights_are_scikit_learn_s(labels: list[int]) -> None:
    names = [f"c{n}" for n in labels] + ["c0", "c1"]
    data = cy.load((np.arange(len(names), dtype=float)[:, None], names))
    rows = np.arange(len(names))
    expected = compute_sample_weight("balanced", names)
    np.testing.assert_allclose(row_weights(data, rows, "balanced"), expected, rtol=1e-12)


def test_a_column_of_weights_is_no_feature() -> None:
    run = run_of(RECIPE, table(), np.arange(100))
    assert run.shapes.inputs == (4,)
    np.testing.assert_allclose(run.program.weights, table().inputs["w"][:100])


def test_a_weight_of_two_is_the_row_twice() -> None:
    """Full batches, so that the order of the rows does not matter."""
    data = table()
    counts = np.random.default_rng(1).integers(1, 4, 60)
    columns = {**data.inputs, "w": np.append(counts, np.ones(60)).astype(float)}
    weighted = cy.load((columns, [data.classes[t] for t in data.targets]))
    recipe = RECIPE.replace(batch_size="all", optimizer=cy.optim.sgd(lr=0.1),
                            data=cy.prepare(weights="w", scale="none"))  # fmt: skip
    one = run_of(recipe, weighted, np.arange(60))
    many = run_of(recipe.replace(data=cy.prepare(drop=("w",), scale="none")), weighted,
                  np.repeat(np.arange(60), counts))  # fmt: skip
    for run in (one, many):
        for _ in train(run.program, run.state):
            pass
    for name, values in many.state.model.state_dict().items():
        assert torch.allclose(one.state.model.state_dict()[name], values, rtol=0, atol=1e-9), name


def test_weighted_logistic_regression_is_scikit_learn_s() -> None:
    data = table(300)
    recipe = cy.Recipe(model="logistic", optimizer=cy.optim.sgd(lr=0.5), batch_size="all",
                       length="4000 epochs", stop="none", schedule="constant", precision="float64",
                       data=cy.prepare(weights="balanced", scale="none", drop=("w",)))  # fmt: skip
    run = run_of(recipe, data, np.arange(250))
    for _ in train(run.program, run.state):
        pass
    x = np.column_stack([data.inputs[f"x{n}"] for n in range(4)])[:250].astype(np.float32)
    x = x.astype(np.float64)  # as the model gets them, in the precision of the oracle
    oracle = LogisticRegression(C=np.inf, class_weight="balanced", tol=1e-10, max_iter=10_000)
    oracle.fit(x, data.targets[:250])
    coefficients, intercept = run.state.model.state_dict().values()
    np.testing.assert_allclose(coefficients.numpy(), oracle.coef_, atol=1e-3)
    np.testing.assert_allclose(intercept.numpy(), oracle.intercept_, atol=1e-3)


def test_weighted_least_squares_is_scikit_learn_s() -> None:
    draw = np.random.default_rng(0)
    x, w = draw.normal(size=(80, 3)), draw.uniform(0, 2, 80)
    y = x @ [1.0, -2.0, 0.5] + draw.normal(size=80)
    columns = {f"x{n}": x[:, n] for n in range(3)} | {"w": w}
    data = cy.load((columns, y))
    recipe = cy.Recipe(model="linear", optimizer=cy.optim.closed_form(), precision="float64",
                       data=cy.prepare(weights="w"))  # fmt: skip
    run = cy.fit(recipe, cy.Split(data, np.arange(60), np.arange(60, 80), np.array([], np.int64)))
    oracle = LinearRegression().fit(x[:60], y[:60], sample_weight=w[:60])
    np.testing.assert_allclose(run.predictions.outputs, oracle.predict(x[60:]), atol=1e-5)


@pytest.mark.parametrize("optimizer", ["adam", "momentum"])
@pytest.mark.parametrize("how", ["w", "balanced"])
def test_members_with_weights_are_what_they_are_alone(how: str, optimizer: str) -> None:
    data = table(150)
    recipe = RECIPE.replace(data=cy.prepare(weights=how), optimizer=OPTIMIZERS[optimizer])

    def make() -> list[Assembly]:
        draw = np.random.default_rng(3)
        return [run_of(recipe, data, np.sort(draw.permutation(150)[:count]), seed)
                for seed, count in enumerate((97, 90, 101))]  # fmt: skip

    check_equal(make)


def test_accumulated_passes_make_the_weighted_mean() -> None:
    data = table()
    whole = run_of(RECIPE.replace(batch_size=32), data, np.arange(96))
    parts = run_of(RECIPE.replace(batch_size=8, accumulate=4), data, np.arange(96))
    for a, b in zip(train(whole.program, whole.state), train(parts.program, parts.state),
                    strict=True):  # fmt: skip
        if isinstance(a, Step):
            assert a.loss == pytest.approx(b.loss, abs=1e-12)
    numbers = parts.state.model.state_dict()
    for name, values in whole.state.model.state_dict().items():
        assert torch.allclose(values, numbers[name], rtol=0, atol=1e-9)


def test_rows_of_no_weight_make_no_step() -> None:
    data = table()
    weights = np.r_[np.zeros(64), np.ones(56)]
    weighted = cy.load(({**data.inputs, "w": weights}, [data.classes[t] for t in data.targets]))
    run = run_of(RECIPE.replace(batch_size=4, length="1 epoch"), weighted, np.arange(96))
    assert together([run, run])[0].reason == "some of its rows weigh nothing"
    before, still = None, 0
    for event in train(run.program, run.state):
        numbers = torch.cat([p.detach().flatten() for p in run.state.model.parameters()])
        if isinstance(event, Step):
            same = before is not None and torch.equal(before, numbers)
            assert same == (event.loss == 0.0) or before is None
            still += same
            before = numbers
    assert still > 2
    assert np.isfinite(event.values["train_loss"])


def test_a_rare_class_is_found_more_often_with_balanced_weights() -> None:
    data = table(600, seed=4)
    split = cy.split(data, seed=0)
    recipe = cy.Recipe(model="softmax", length="60 epochs")
    plain = cy.fit(recipe.replace(data=cy.prepare(drop=("w",))), split)
    balanced = cy.fit(recipe.replace(data=cy.prepare(drop=("w",), weights="balanced")), split)
    rare = data.classes.index("rare")

    def recall(run: cy.Run) -> float:
        found = run.predictions
        return float((found.labels == rare)[found.targets == rare].mean())

    assert recall(balanced) > recall(plain)


BAD = {
    "negative": ("w", [-1.0, 1.0, 1.0, 1.0] * 5, "not negative"),
    "empty": ("w", [np.nan, 1.0, 1.0, 1.0] * 5, "finite"),
    "zeros": ("w", [0.0] * 20, "zeros only"),
    "misspelt": ("v", [1.0] * 20, "known: balanced, w, x"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_what_is_no_weight(case: str) -> None:
    how, weights, said = BAD[case]
    columns = {"x": np.arange(20.0), "w": weights}
    data = cy.load((columns, ["a", "b"] * 10))
    with pytest.raises(cy.InputError, match=said):
        cy.fit(cy.Recipe(model="softmax", length="1 epoch", data=cy.prepare(weights=how)), data)


def test_balanced_is_for_classes() -> None:
    with pytest.raises(cy.UsageError, match="balanced weights are for classes"):
        cy.fit(cy.Recipe(model="linear", data=cy.prepare(weights="balanced")), cy.load("diabetes"))
