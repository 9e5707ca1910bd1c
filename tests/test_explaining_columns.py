"""What columns are worth: permutation importance and partial dependence, beside scikit-learn."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr
from scipy.stats.contingency import association as of_table
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.inspection import partial_dependence as sklearn_dependence
from sklearn.inspection import permutation_importance as sklearn_importance

import chymist as cy
from chymist.cli import main
from chymist.errors import InputError, UsageError
from chymist.explanation.columns import alike_pairs, association, drop, number_grid, shuffles


def first_mean(means):
    return means[..., 0]


class Wrapped(ClassifierMixin, BaseEstimator):
    """A run as scikit-learn takes models."""

    def __init__(self, run=None):
        self.run, self.classes_ = run, np.arange(len(run.data.classes))

    def fit(self, x, y):
        return self

    def __sklearn_is_fitted__(self):
        return True

    def predict_proba(self, x):
        return cy.predict(self.run, x, probabilities=True)

    def predict(self, x):
        return self.predict_proba(x).argmax(1)


class WrappedValues(RegressorMixin, BaseEstimator):
    def __init__(self, run=None):
        self.run, self.fitted_ = run, True

    def fit(self, x, y):
        return self

    def predict(self, x):
        return cy.predict(self.run, x)


@pytest.fixture(scope="module")
def wine():
    recipe = cy.Recipe(model="softmax", length="15 epochs")
    return cy.fit(recipe, cy.load("wine"), doctor=False)


@pytest.fixture(scope="module")
def mixed():
    rng = np.random.default_rng(0)
    size, color = rng.normal(size=300), rng.choice(["red", "green", "blue"], 300)
    value = 2 * size + 3 * (color == "red")
    columns = {
        "size": size,
        "twin": size + 0.01 * rng.normal(size=300),
        "color": color,
        "noise": rng.normal(size=300),
    }
    recipe = cy.Recipe(model=cy.models.mlp(hidden=(16,)), length="60 epochs")
    return cy.fit(recipe, cy.load((columns, value)), doctor=False)


def sklearn_orders(rows, repeats, seed):
    """The orders that scikit-learn draws, the same for each column."""
    drawn = np.random.RandomState(seed).randint(np.iinfo(np.int32).max + 1)
    random, order, dealt, made = np.random.RandomState(drawn), np.arange(rows), np.arange(rows), []
    for _ in range(repeats):  # it shuffles on, from where it is
        random.shuffle(order)
        dealt = dealt[order]
        made.append(dealt)
    return np.stack(made)


def test_importance_is_that_of_scikit_learn_on_the_same_shuffles(wine):
    rows = wine.split.valid
    x = np.stack([wine.data.inputs[c.name][rows] for c in wine.data.columns], 1)
    y = wine.data.targets[rows]
    model = Wrapped(wine)
    model.predict_proba = lambda x: cy.predict(
        wine, {c.name: x[:, n] for n, c in enumerate(wine.data.columns)}, probabilities=True
    )
    wanted = sklearn_importance(model, x, y, n_repeats=4, random_state=3)
    orders = sklearn_orders(len(rows), 4, 3)
    base = (model.predict(x) == y)[:, None].astype(float)
    for column in range(x.shape[1]):
        hits = []
        for order in orders:
            other = x.copy()
            other[:, column] = x[order, column]
            hits.append((model.predict(other) == y)[:, None].astype(float))
        found = drop(base, np.stack(hits), orders, first_mean)
        assert found.repeats == pytest.approx(wanted.importances[column])
        assert found.value == pytest.approx(wanted.importances_mean[column])


def test_the_verb_shuffles_raw_columns(mixed):
    """What it does to prepared rows is what shuffling raw cells does."""
    found = cy.permutation_importance(mixed, repeats=3, seed=5)
    rows, inputs = mixed.split.valid, mixed.data.inputs
    truth = mixed.data.targets[rows]
    base = np.sqrt(
        np.mean((cy.predict(mixed, {n: c[rows] for n, c in inputs.items()}) - truth) ** 2)
    )
    for name in ("size", "color"):
        lost = []
        for order in shuffles(len(rows), 3, 5, name):
            raw = {n: c[rows] for n, c in inputs.items()}
            raw[name] = raw[name][order]
            lost.append(np.sqrt(np.mean((cy.predict(mixed, raw) - truth) ** 2)) - base)
        assert found.drops[name].repeats == pytest.approx(lost, rel=1e-4)


def test_columns_of_noise_cannot_be_told_from_noise_and_twins_are_named(mixed):
    found = cy.permutation_importance(mixed, repeats=10)
    assert found.drops["color"].told
    assert found.drops["size"].told
    assert not found.drops["noise"].told
    assert [pair[:2] for pair in found.alike] == [("size", "twin")]
    together = cy.permutation_importance(mixed, [("size", "twin"), "color"], repeats=10)
    assert list(together.drops) == ["size + twin", "color"]
    assert together.drops["size + twin"].value > found.drops["size"].value
    assert not together.alike
    assert "go together" in repr(found)
    assert "cannot tell" in repr(found)


def test_a_column_that_the_model_does_not_use_loses_nothing(mixed):
    with torch.no_grad():
        block = [n.startswith("noise") for n in mixed.preparation.feature_names]
        first = next(m for m in mixed.model.modules() if isinstance(m, torch.nn.Linear))
        kept = first.weight.clone()
        first.weight[:, block] = 0
        found = cy.permutation_importance(mixed, ["noise"], repeats=4).drops["noise"]
        first.weight.copy_(kept)
    assert (found.value, found.low, found.high, found.floor) == (0, 0, 0, 0)
    assert not found.told


def test_intervals_hold_what_new_rows_and_shuffles_would_give():
    """y = x + e scored by squared error: shuffling x costs 2 var(x) = 2 on average."""
    rng, held, floors = np.random.default_rng(0), 0, 0
    for trial in range(200):
        x, e = rng.normal(size=(2, 200))
        orders = shuffles(200, 5, trial, "x")
        base = -(e**2)[:, None]
        made = np.stack([-((x + e - x[order]) ** 2)[:, None] for order in orders])
        found = drop(base, made, orders, first_mean)
        held += found.low <= 2 <= found.high
        idle = np.stack([-((e - 0.5 * x[order]) ** 2)[:, None] for order in orders])
        first = -((e - 0.5 * x) ** 2)[:, None]  # x says nothing of e
        floors += (
            drop(first, idle, orders, first_mean).value
            > drop(first, idle, orders, first_mean).floor
        )
    assert 0.92 < held / 200 < 0.995
    assert floors / 200 < 0.06


def test_rows_of_a_group_are_no_independent_rows():
    rng = np.random.default_rng(1)
    base, made = np.repeat(rng.normal(size=(2, 20)), 5, 1)[..., None]
    orders = np.stack([np.arange(100)] * 2)
    plain = drop(base, np.stack([made, made]), orders, first_mean)
    grouped = drop(base, np.stack([made, made]), orders, first_mean, np.repeat(np.arange(20), 5))
    assert plain.value == pytest.approx(grouped.value)
    assert grouped.high - grouped.low > 1.8 * (plain.high - plain.low)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000), st.integers(3, 40))
def test_associations_are_those_of_scipy(seed, rows):
    rng = np.random.default_rng(seed)
    x, y = rng.integers(0, 6, (2, rows)).astype(float)
    if min(len(np.unique(x)), len(np.unique(y))) < 2:
        return
    assert association(x, y, ("number", "number")) == pytest.approx(
        abs(spearmanr(x, y).statistic), abs=1e-9
    )
    table = np.array([[np.sum((x == a) & (y == b)) for b in np.unique(y)] for a in np.unique(x)])
    assert association(x, y, ("category", "category")) == pytest.approx(of_table(table), abs=1e-9)
    ranked = association(x, y, ("category", "number"))
    assert 0 <= ranked <= 1
    assert ranked == association(y, x, ("number", "category"))
    assert association(x, x, ("category", "number")) == pytest.approx(1)


def test_empty_cells_do_not_count():
    x = np.array([1.0, 2, np.nan, 4])
    assert alike_pairs(
        {"a": x, "b": np.array([2.0, 4, 99, np.nan])}, {"a": "number", "b": "number"}
    ) == [("a", "b", 1.0)]


def test_dependence_is_that_of_scikit_learn(wine):
    rows = wine.split.valid
    names = [c.name for c in wine.data.columns]
    x = np.stack([wine.data.inputs[name][rows] for name in names], 1)
    model = Wrapped(wine)
    model.predict_proba = lambda x: cy.predict(
        wine, {name: x[:, n] for n, name in enumerate(names)}, probabilities=True
    )
    found = cy.partial_dependence(wine, "hue", points=12)
    place = names.index("hue")
    wanted = sklearn_dependence(
        model,
        x,
        [place],
        custom_values={place: found.grids[0]},
        kind="both",
        method="brute",
        response_method="predict_proba",
    )
    assert np.abs(found.average.T - wanted["average"]).max() < 1e-6
    assert np.abs(found.answers.transpose(2, 1, 0) - wanted["individual"]).max() < 1e-6
    pair = cy.partial_dependence(wine, ["hue", "ash"], points=5)
    places = [names.index("hue"), names.index("ash")]
    wanted = sklearn_dependence(
        model,
        x,
        places,
        custom_values=dict(zip(places, pair.grids, strict=True)),
        method="brute",
        response_method="predict_proba",
    )
    assert np.abs(pair.average.transpose(2, 0, 1) - wanted["average"]).max() < 1e-6


def test_dependence_of_values_and_trees_is_that_of_scikit_learn():
    data = cy.load("diabetes")
    run = cy.fit(cy.Recipe(model="cart"), data, doctor=False)
    names = [c.name for c in data.columns]
    x = np.stack([data.inputs[name][run.split.valid] for name in names], 1)
    model = WrappedValues(run)
    model.predict = lambda x: cy.predict(run, {name: x[:, n] for n, name in enumerate(names)})
    found = cy.partial_dependence(run, "bmi", points=9)
    place = names.index("bmi")
    wanted = sklearn_dependence(
        model, x, [place], custom_values={place: found.grids[0]}, method="brute"
    )
    assert np.abs(found.average[:, 0] - wanted["average"][0]).max() < 1e-4  # of values near 150
    assert found.title == "progression"
    assert found.outputs == ("progression",)


def test_dependence_of_a_category_is_asked_in_raw_rows(mixed):
    found = cy.partial_dependence(mixed, "color")
    assert found.grids[0].tolist() == ["blue", "green", "red"]
    raw = {n: c[mixed.split.valid] for n, c in mixed.data.inputs.items()}
    for place, color in enumerate(found.grids[0]):
        wanted = cy.predict(mixed, {**raw, "color": np.full(len(raw["size"]), color, object)})
        assert found.answers[place, :, 0] == pytest.approx(wanted, rel=1e-5, abs=1e-5)
    assert found.average[2, 0] - found.average[0, 0] == pytest.approx(3, abs=0.5)
    assert "green" in str(found.svg())
    assert "rows" in str(found.svg())


def test_dates_are_asked_as_days():
    days = np.array([f"2020-0{1 + n % 6}-1{n % 9}" for n in range(120)], object)
    number = np.array([int(d[5:7]) + int(d[9:]) / 31 for d in days], float)
    run = cy.fit(
        cy.Recipe(model="linear"), cy.load(({"day": days, "x": number % 2}, number)), doctor=False
    )
    found = cy.partial_dependence(run, "day", points=5)
    assert found.grids[0].dtype == float
    assert np.all(np.diff(found.average[:, 0]) > 0)


def test_grids_lie_within_the_quantiles():
    values = np.append(np.arange(1000.0), 1e6)
    grid = number_grid(values, 50)
    assert grid[0] == pytest.approx(50)
    assert grid[-1] == pytest.approx(950)
    assert len(grid) == 50
    assert number_grid(np.array([1.0, 2, 1, np.nan])).tolist() == [1, 2]
    with pytest.raises(InputError, match="hardly varies"):
        number_grid(np.append(np.zeros(5000), np.arange(100)), 50)


def test_pictures_say_what_they_are(wine, tmp_path):
    found = cy.permutation_importance(wine, repeats=3)
    assert "grey: what noise gives" in str(found.svg())
    assert found._repr_html_().startswith("<svg")
    assert len(found._repr_html_()) < 100_000
    dependence = cy.partial_dependence(wine, "hue", target="class_1")
    assert "probability of class_1" in str(dependence.svg())
    assert "change from the left end" in str(dependence.svg(centered=True))
    assert len(dependence._repr_html_()) < 100_000
    two = cy.partial_dependence(wine, ["hue", "ash"], points=4)
    assert two.save(tmp_path / "two.svg").read_text("utf-8").startswith("<svg")
    json.dumps([found.to_dict(), dependence.to_dict(), two.to_dict()])


@pytest.mark.parametrize(
    "ask",
    [
        lambda run: cy.permutation_importance(run, ["hues"]),
        lambda run: cy.permutation_importance(run, []),
        lambda run: cy.permutation_importance(run, repeats=1),
        lambda run: cy.permutation_importance(run, split="test"),
        lambda run: cy.partial_dependence(run, "hue", target="class_7"),
        lambda run: cy.partial_dependence(run, ["hue", "hue"]),
        lambda run: cy.partial_dependence(run, ["hue", "ash", "alcohol"]),
        lambda run: cy.partial_dependence(run, "hue", points=1),
    ],
)
def test_wrong_questions_are_told(wine, ask):
    with pytest.raises(UsageError):
        ask(wine)


def test_only_tables_have_columns_and_rows_are_needed(wine):
    images = cy.fit(cy.Recipe(model="softmax", length="1 epochs"), cy.load("digits"), doctor=False)
    with pytest.raises(UsageError, match="only tables have columns"):
        cy.permutation_importance(images)
    split = cy.split(cy.load("iris"), valid=0, test=0)
    run = cy.fit(cy.Recipe(model="softmax", length="2 epochs"), split, doctor=False)
    with pytest.raises(InputError, match="no valid rows"):
        cy.permutation_importance(run)
    assert len(cy.permutation_importance(run, split="train", repeats=2).drops) == 4


def test_from_the_command_line(wine, tmp_path, capsys):
    folder = str(wine.save(tmp_path / "wine").path)
    place = tmp_path / "seen.svg"
    ask = [
        "explain",
        folder,
        "--method",
        "permutation",
        "--repeats",
        "3",
        "--columns",
        "hue,ash+alcohol",
    ]
    assert main([*ask, "--out", str(place), "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    again = cy.permutation_importance(wine, ["hue", ("ash", "alcohol")], repeats=3)
    assert {c["column"]: c["drop"]["value"] for c in made["columns"]} == {
        n: d.value for n, d in again.drops.items()
    }
    assert place.read_text("utf-8").startswith("<svg")
    assert (
        main(
            [
                "explain",
                folder,
                "--method",
                "partial-dependence",
                "--columns",
                "hue",
                "--centered",
                "--out",
                str(place),
            ]
        )
        == 0
    )
    assert "mean probability" in capsys.readouterr().out
    assert "left end" in place.read_text("utf-8")
    assert main(["explain", folder, "--method", "partial-dependence", "--repeats", "3"]) == 2
    assert "it belongs to permutation" in capsys.readouterr().err


def test_one_row_cannot_be_shuffled() -> None:
    split = cy.split(cy.load("iris"), valid=1 / 150, seed=0)
    run = cy.fit(cy.Recipe(model="softmax", length="2 epochs"), split, doctor=False)
    with pytest.raises(InputError, match="one valid row, and nothing to shuffle"):
        cy.permutation_importance(run)
    assert cy.permutation_importance(run, split="train", repeats=2).drops
