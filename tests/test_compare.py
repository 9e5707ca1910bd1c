"""`compare` and `compare_runs`: paired on the same folds and seeds, and never the wrong winner."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
import pytest
from scipy.stats import t as student_t
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import cross_val_predict
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier

import chymist as cy
from chymist.data import folds as make_folds
from chymist.errors import ChymistError, Diverged, InputError, UsageError
from chymist.evidence import Entry, compare_entries
from chymist.metrics import measure
from chymist.protocols import Cut
from chymist.values import Data, Predictions, Recipe, Score, show
from chymist.verbs.baselines import BASELINES, baseline_predictions, fold_matrices, named_baseline
from chymist.verbs.validation import fold_split

MLP = Recipe(model=cy.models.mlp(hidden=(8,)), length="4 epochs", precision="float64")
SOFTMAX = Recipe(model="softmax", length="4 epochs", precision="float64")
STOPPED = MLP.replace(stop=cy.stop.early("val_loss", patience="2 epochs"))


@cache
def iris() -> Data:
    return cy.load("iris")


@cache
def diabetes() -> Data:
    return cy.load("diabetes")


def matrix(data: Data) -> np.ndarray:
    return np.stack([data.inputs[column.name] for column in data.columns], 1)


def held_out(data: Data, folds: int, seed: int) -> list[np.ndarray]:
    return make_folds(data, folds, seed=seed)


def first_cut() -> Cut:
    held = held_out(iris(), 3, 0)[0]
    return Cut(np.setdiff1d(np.arange(150), held), held, 0, 0)


def entry_of(found: Any, name: str) -> Entry:
    (entry,) = (entry for entry in found.entries if entry.name == name)
    return entry


def pair_of(found: Any, a: str, b: str) -> Any:
    (pair,) = (pair for pair in found.pairs if {pair.a, pair.b} == {a, b})
    return pair


# --- equality with what each would be alone ---


def test_entries_equal_their_own_cross_validation() -> None:
    recipes = {"mlp": MLP, "stopped": STOPPED, "softmax": SOFTMAX}
    found = cy.compare(recipes, iris(), folds=3, seeds=2, seed=5)
    for name, recipe in recipes.items():
        alone = cy.cross_validate(recipe, iris(), folds=3, repeats=2, seed=5, floors=False)
        entry = entry_of(found, name)
        assert np.array_equal(entry.predictions.rows, alone.predictions.rows)
        np.testing.assert_allclose(
            entry.predictions.outputs, alone.predictions.outputs, rtol=0, atol=1e-9
        )
        np.testing.assert_allclose(entry.values, [fold["value"] for fold in alone.folds])
        assert entry.score == alone.score
        assert entry.facts["epochs"] == alone.facts["epochs"]
        assert entry.facts["parameters"] == alone.facts["parameters"]


@pytest.mark.parametrize("seeds", [1, 3])
def test_the_interval_is_nadeau_and_bengios_with_the_luck_of_seeds(seeds: int) -> None:
    found = cy.compare({"mlp": MLP, "softmax": SOFTMAX}, iris(), folds=4, seeds=seeds)
    pair = found.pairs[0]
    d = entry_of(found, pair.a).values - entry_of(found, pair.b).values
    half = student_t.ppf(0.975, d.size - 1) * d.std(ddof=1) * np.sqrt(1 / d.size + 1 / 3)
    if seeds > 1:
        of_seeds = d.reshape(seeds, 4)
        luck = of_seeds.mean(1).var(ddof=1) - of_seeds.var(1, ddof=1).mean() / 4
        assert luck > 0
        half = np.hypot(half, student_t.ppf(0.975, seeds - 1) * np.sqrt(luck / seeds))
    ends = d.mean() - half, d.mean() + half
    assert pair.difference == pytest.approx(d.mean())
    assert (pair.low, pair.high) == pytest.approx(np.clip(ends, -1, 1))
    assert pair.p == pair.p_holm
    assert pair.test == "corrected t"


def test_a_winner_by_one_seed_is_named_with_a_caution() -> None:
    long = MLP.replace(length="30 epochs")
    prior = DummyClassifier(strategy="prior")
    verdicts = [
        cy.compare({"mlp": long, "other": other}, iris(), folds=4, seeds=seeds).verdict
        for other, seeds in ((prior, 1), (prior, 3), (long.replace(batch_size=8), 1))
    ]
    assert [said.startswith("mlp is better than other by") for said in verdicts[:2]] == [True, True]
    assert verdicts[2].startswith("cannot tell")
    caution = "corrected t); one seed: another initialisation may turn this, try 3 seeds."
    assert [said.endswith(caution) for said in verdicts] == [True, False, False]
    alone = cy.compare({"knn": KNeighborsClassifier(), "prior": prior}, iris(), folds=4).verdict
    assert alone.endswith("(4 folds x 1 seed, corrected t).")  # nothing is initialised
    exact = Recipe(model="linear", optimizer="closed_form")
    alone = cy.compare({"a": exact, "mean": named_baseline("floor", "regression")}, diabetes(),
                       folds=5).verdict  # fmt: skip
    assert alone.endswith("(5 folds x 1 seed, corrected t).")


def test_a_recipe_compared_with_itself_differs_by_nothing() -> None:
    for data, recipe in ((iris(), MLP), (diabetes(), MLP)):
        found = cy.compare({"one": recipe, "two": recipe.replace()}, data, folds=3, seeds=2)
        (pair,) = found.pairs
        assert (pair.difference, pair.low, pair.high, pair.p) == (0, 0, 0, 1)
        assert pair.equivalent == 1
        assert pair.better is None
        assert found.verdict.startswith("cannot tell one from two: 3 folds x 2 seeds, difference 0")
        assert "two is the same recipe as one: trained once" in found.notes


def test_a_recipe_that_is_complete_is_the_same_as_its_default() -> None:
    found = cy.compare(
        {"a": Recipe(length="1 epoch"), "b": Recipe(model="mlp", length="1 epoch")}, iris(), 2, 1
    )
    assert "b is the same recipe as a: trained once" in found.notes


def test_two_forms_of_one_solution_have_no_winner() -> None:
    entries = {"closed form": Recipe(model="linear"), "least squares": LinearRegression()}
    found = cy.compare(entries, diabetes(), folds=5, seeds=2)
    assert found.pairs[0].difference == 0
    assert found.verdict.startswith("cannot tell")


def test_seeds_differ_and_folds_are_shared() -> None:
    found = cy.compare({"mlp": MLP, "knn": KNeighborsClassifier()}, iris(), folds=3, seeds=2)
    rows = [entry.predictions.rows for entry in found.entries]
    assert np.array_equal(rows[0], rows[1])
    expected = [held for seed in (0, 1) for held in held_out(iris(), 3, seed)]
    assert np.array_equal(rows[0], np.concatenate(expected))
    assert not np.array_equal(rows[0][:150], rows[0][150:])


def test_test_rows_are_never_given() -> None:
    split = cy.split(iris(), test=0.3, seed=1)
    found = cy.compare({"softmax": SOFTMAX, "knn": KNeighborsClassifier()}, split, 3, 1)
    for entry in found.entries:
        assert not set(entry.predictions.rows) & set(split.test)
        assert len(entry.predictions.rows) == 105
    assert found.sealed
    assert not any("sealed" in note for note in found.notes)


def test_rows_that_stop_a_fold_are_its_own_training_rows() -> None:
    split = fold_split(iris(), first_cut(), 0, True)
    assert len(split.valid) == 10
    parts = np.concatenate([split.train, split.valid, split.test])
    assert sorted(parts) == list(range(150))
    assert np.array_equal(split.test, first_cut().held)


# --- estimators of scikit-learn ---


def test_estimators_equal_cross_val_predict() -> None:
    data = iris()
    held = held_out(data, 5, 3)
    cuts = [(np.setdiff1d(np.arange(150), rows), rows) for rows in held]
    estimators = {
        "svm": SVC(),
        "tree": DecisionTreeClassifier(random_state=3),
        "knn": KNeighborsClassifier(),
    }
    found = cy.compare(estimators, data, folds=5, seed=3)
    for name, estimator in estimators.items():
        said = cross_val_predict(
            make_pipeline(StandardScaler(), estimator), matrix(data), data.targets, cv=cuts
        )
        entry = entry_of(found, name)
        assert np.array_equal(entry.predictions.labels, said[np.concatenate(held)]), name
        values = [np.mean(said[rows] == data.targets[rows]) for rows in held]
        np.testing.assert_allclose(entry.values, values)


def test_probabilities_and_values_of_estimators() -> None:
    found = cy.compare(
        {"forest": RandomForestClassifier(n_estimators=5), "knn": KNeighborsClassifier()},
        iris(), folds=3, metric="log_loss",
    )  # fmt: skip
    split = fold_split(iris(), first_cut(), 0, False)
    matrices = fold_matrices(split, None)
    forest = RandomForestClassifier(n_estimators=5, random_state=0)
    forest.fit(matrices[0], iris().targets[split.train])
    outputs = entry_of(found, "forest").predictions.outputs[: len(split.test)]
    assert np.array_equal(outputs, forest.predict_proba(matrices[1]))
    values = cy.compare(
        {"knn": KNeighborsRegressor(), "one": KNeighborsRegressor(1)}, diabetes(), folds=3
    )
    assert entry_of(values, "knn").predictions.outputs.shape == (442,)
    assert values.entries[0].name == "knn"
    assert values.metric == "rmse"


def test_a_class_that_a_fold_lacks_has_probability_zero() -> None:
    inputs = np.arange(12.0)[:, None]
    data = cy.load((inputs, np.array([0, 1, 2] * 4)))
    split = cy.Split(data, np.array([0, 2, 3, 5]), np.array([], int), np.array([1, 4]))
    matrices = fold_matrices(split, None)
    found = baseline_predictions("nn", KNeighborsClassifier(4), matrices, split, "log_loss")
    assert found.outputs.tolist() == [[0.5, 0, 0.5]] * 2


def test_what_predict_says_is_the_label() -> None:
    class Stubborn(DummyClassifier):
        def predict(self, X: Any) -> Any:
            return np.full(len(X), 2)

    split = cy.split(iris(), seed=0)
    estimator = Stubborn(strategy="prior")
    matrices = fold_matrices(split, None)
    labels = baseline_predictions("s", estimator, matrices, split, "accuracy")
    assert set(labels.labels) == {2}
    chances = baseline_predictions("s", estimator, matrices, split, "log_loss")
    np.testing.assert_allclose(chances.outputs, np.full((30, 3), 1 / 3))


def test_preparation_is_fitted_on_training_rows_and_shared() -> None:
    dropped = SOFTMAX.replace(data=cy.prepare(drop=(iris().columns[0].name,)))
    split = fold_split(iris(), first_cut(), 0, False)
    train, held = fold_matrices(split, dropped.data)
    assert train.shape == (100, 3)
    assert held.shape == (50, 3)
    np.testing.assert_allclose(train.mean(0), 0, atol=1e-6)
    assert abs(held.mean(0)).max() > 1e-3
    seen = []

    class Spy(DummyClassifier):
        def fit(self, X: Any, y: Any) -> Any:
            seen.append(X.shape)
            return super().fit(X, y)

    cy.compare({"softmax": dropped, "spy": Spy()}, iris(), folds=3, seeds=1)
    assert seen == [(100, 3)] * 3


def test_images_are_flattened() -> None:
    images = np.random.default_rng(0).integers(0, 255, (20, 4, 5, 1)).astype(np.uint8)
    data = cy.load((images, np.arange(20) % 2))
    split = cy.split(data, seed=0)
    assert fold_matrices(split, None)[0].shape == (12, 20)


@pytest.mark.parametrize("name", sorted(BASELINES))
def test_named_baselines_fit_both_tasks(name: str) -> None:
    for data in (iris(), diabetes()):
        if name == "bayes" and data.task == "regression":
            with pytest.raises(UsageError, match="is for classification"):
                named_baseline(name, data.task)
            continue
        split = cy.split(data, seed=0)
        metric = "accuracy" if data.classes else "rmse"
        floor, made = (
            measure(baseline_predictions(n, named_baseline(n, data.task), fold_matrices(split, None),
                                         split, metric), metric)
            for n in ("floor", name)
        )  # fmt: skip
        better = made > 0.85 if data.classes else made < 0.95 * floor
        assert better or name in ("floor", "tree"), (name, made, floor)


# --- folds without a metric ---


def test_leave_one_out_is_tested_on_rows() -> None:
    entries = {"knn": KNeighborsClassifier(1), "bad": DummyClassifier(strategy="prior")}
    data = cy.load((matrix(iris())[::3], iris().targets[::3]))
    once = cy.compare(entries, data, folds="loo")
    pair = once.pairs[0]
    assert pair.test == "paired rows"
    assert pair.equivalent is None
    assert pair.better == "knn"
    assert once.verdict.endswith("(leave-one-out x 1 seed, paired rows).")
    # Repeats of an estimator without chance say the same: they must not narrow the interval much.
    twice = cy.compare(entries, data, folds="loo", seeds=3).pairs[0]
    assert twice.high - twice.low > 0.6 * (pair.high - pair.low)


def test_a_metric_that_a_fold_lacks_is_tested_on_rows() -> None:
    random = np.random.default_rng(0)
    target = np.array([0] * 36 + [1] * 4)
    data = cy.load((random.normal(size=(40, 2)) + target[:, None], target))
    entries = {"softmax": SOFTMAX, "knn": KNeighborsClassifier()}
    found = cy.compare(entries, data, folds=8, seeds=1, metric="auc")
    assert all(pair.test == "paired rows" for pair in found.pairs)
    assert any(np.isnan(entry.values).any() for entry in found.entries)
    assert None in found.to_dict()["rows"][0]["folds"]
    assert any("has 4 rows for 8 folds" in note for note in found.notes)
    assert "auc" in repr(found)


def test_the_same_difference_in_every_fold_is_tested_on_rows() -> None:
    inputs = np.repeat([[0.0], [1.0]], 30, axis=0)
    data = cy.load((inputs, np.repeat([0, 1], 30)))
    entries = {"tree": DecisionTreeClassifier(), "prior": DummyClassifier(strategy="prior")}
    found = cy.compare(entries, data, folds=5)
    (pair,) = found.pairs
    assert (pair.better, pair.test) == ("tree", "paired rows")
    assert pair.difference == pytest.approx(0.5)


def test_equal_scores_of_other_labels_are_not_certain() -> None:
    target = np.array([0, 0, 0, 1, 1, 1, 0, 0, 0, 1, 1, 1])
    values = np.array([2 / 3, 2 / 3])
    wrong = [np.array([0, 3, 6, 9]), np.array([1, 4, 7, 10])]
    made = []
    for name, rows in zip("ab", wrong, strict=True):
        labels = target.copy()
        labels[rows] = 1 - labels[rows]
        score = Score("accuracy", 2 / 3, 0, 1, 12, "out-of-fold")
        made.append(
            Entry(name, score, values, Predictions(np.arange(12), target, np.eye(2)[labels]), {})
        )
    (pair,) = compare_entries(made, 0.5)[1]
    assert (pair.difference, pair.p, pair.test) == (0, 1, "paired rows")
    assert pair.low < -0.1
    assert pair.high > 0.1


def test_a_difference_of_shares_stays_within_its_range() -> None:
    found = cy.compare({"knn": KNeighborsClassifier(), "prior": DummyClassifier()}, iris(), folds=2)
    pair = found.pairs[0]
    assert -1 <= pair.low < pair.high <= 1


# --- what it says ---


def test_what_is_printed() -> None:
    entries = {"softmax": SOFTMAX, "knn": KNeighborsClassifier(), "floor": DummyClassifier()}
    found = cy.compare(entries, iris(), folds=3, seeds=2)
    lines = repr(found).splitlines()
    assert lines[0] == found.verdict
    assert any(line.startswith("knn - ") for line in lines)
    assert any(line.startswith("majority class") and line.endswith("floor") for line in lines)
    assert max(map(len, lines[1:])) <= 100
    html = found._repr_html_()
    assert html.count('<th scope="col">pair</th>') == 1
    assert html.count('<th scope="col">entry</th>') == 1
    assert show("accuracy", found.entries[0].score.value) in html
    plain = found.to_dict()
    assert [row["name"] for row in plain["rows"]] == [e.name for e in found.entries]
    assert len(plain["pairs"]) == 3
    assert set(plain["pairs"][0]) == {
        "a", "b", "difference", "low", "high", "p", "p_holm", "equivalent", "better", "test"
    }  # fmt: skip
    assert len(plain["rows"][0]["folds"]) == 6


def test_names_are_inert_in_a_notebook() -> None:
    entries = {"<script>": KNeighborsClassifier(), "b": SVC()}
    assert "<script>" not in cy.compare(entries, iris(), folds=3)._repr_html_()


def test_an_entry_that_is_no_better_than_its_floor_is_named() -> None:
    random = np.random.default_rng(0)
    data = cy.load((random.normal(size=(60, 2)), random.integers(0, 2, 60)))
    found = cy.compare({"knn": KNeighborsClassifier(), "svm": SVC()}, data, folds=5)
    best = found.entries[0].name
    assert f"{best} is not better than the floor, majority class" in found.notes


def test_records_and_epochs_are_told() -> None:
    records: list[Mapping[str, Any]] = []
    epochs: list[int] = []
    found = cy.compare(
        {"knn": KNeighborsClassifier(), "mlp": MLP, "softmax": SOFTMAX}, iris(), folds=3, seeds=1,
        observer=records.append, watcher=lambda number, event: epochs.append(number),
    )  # fmt: skip
    assert [r["entry"] for r in records] == ["mlp"] * 3 + ["softmax"] * 3 + ["knn"] * 3
    assert sorted(set(epochs)) == list(range(6))
    assert [r["value"] for r in records[:3]] == entry_of(found, "mlp").values.tolist()
    assert sum(entry.facts["seconds"] for entry in found.entries) <= found.seconds + 0.01
    assert entry_of(found, "mlp").facts["executor"] == "population"


def test_recipes_of_one_program_share_its_time() -> None:
    slow = MLP.replace(optimizer=cy.optim.adam(lr=1e-3))
    fast = MLP.replace(optimizer=cy.optim.adam(lr=1e-2))
    found = cy.compare({"slow": slow, "fast": fast, "softmax": SOFTMAX}, iris(), 3, 1)
    seconds = {e.name: e.facts["seconds"] for e in found.entries}
    assert seconds["slow"] == pytest.approx(seconds["fast"], rel=0.5)
    assert entry_of(found, "slow").facts["recipe"]["optimizer"]["lr"] == 1e-3


# --- what goes wrong ---


def test_a_name_is_no_data() -> None:
    with pytest.raises(InputError, match="neither data nor a split"):
        cy.compare({"a": MLP, "b": SOFTMAX}, "iris")


def test_an_entry_that_diverges_is_out_and_the_others_go_on() -> None:
    wild = MLP.replace(optimizer=cy.optim.sgd(lr=1e200))
    found = cy.compare({"wild": wild, "mlp": MLP, "softmax": SOFTMAX}, iris(), 3, 1)
    assert {e.name for e in found.entries} == {"mlp", "softmax"}
    assert found.out["wild"].startswith("diverged in fold ")
    assert any(
        note.startswith("wild is out of the comparison: it diverged") for note in found.notes
    )
    alone = cy.cross_validate(MLP, iris(), folds=3, floors=False)
    assert entry_of(found, "mlp").score == alone.score
    left = cy.compare({"wild": wild, "mlp": MLP}, iris(), 3, 1)
    assert left.verdict == "mlp has nothing to be compared with."
    assert left.pairs == ()
    assert "mlp" in repr(left)
    with pytest.raises(Diverged, match="every entry diverged"):
        cy.compare({"wild": wild, "too": wild}, iris(), 3, 1)


class Failing(DummyClassifier):
    def fit(self, X: Any, y: Any) -> Any:
        raise ValueError("cannot do it\nsecond line")


BAD: dict[str, tuple[Mapping[str, Any] | Any, dict[str, Any], str]] = {
    "one entry": ({"a": MLP}, {}, "at least two entries"),
    "no mapping": ([MLP, SOFTMAX], {}, "at least two entries"),
    "no name": ({"": MLP, "b": SOFTMAX}, {}, "needs a name"),
    "no recipe": ({"a": MLP, "b": "softmax"}, {}, "neither a recipe nor an estimator"),
    "class, not instance": ({"a": MLP, "b": SVC}, {}, "neither a recipe nor an estimator"),
    "folds > rows": ({"a": MLP, "b": SOFTMAX}, {"folds": 151}, "fewer rows or groups than folds"),
    "one fold": ({"a": MLP, "b": SOFTMAX}, {"folds": 1}, "at least two folds"),
    "no seeds": ({"a": MLP, "b": SOFTMAX}, {"seeds": 0}, "seeds: got 0"),
    "other task": ({"a": MLP, "b": LinearRegression()}, {}, "the estimator is for regression, in b"),
    "wrong loss": ({"a": MLP, "b": MLP.replace(loss="mse")}, {}, "in entry 'b'"),
    "metric": ({"a": MLP, "b": SOFTMAX}, {"metric": "accurracy"}, "did you mean 'accuracy'"),
    "metric of the other task": ({"a": MLP, "b": SOFTMAX}, {"metric": "rmse"}, "does not fit"),
    "no probabilities": ({"a": MLP, "b": LinearSVC()}, {"metric": "log_loss"}, "needs probabilities"),
    "failing": ({"a": SVC(), "b": Failing()}, {}, "it says: cannot do it"),
    "neighbors": ({"a": SVC(), "b": KNeighborsClassifier(500)}, {}, "fails on the rows of a fold"),
    "group": ({"a": MLP, "b": SOFTMAX}, {"group": "site"}, "site"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_line(case: str) -> None:
    recipes, options, words = BAD[case]
    with pytest.raises(ChymistError) as caught:
        cy.compare(recipes, iris(), **{"folds": 3, **options})
    line = caught.value.line()
    assert words in line
    assert "\n" not in line
    assert len(line) <= 220
