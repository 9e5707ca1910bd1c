"""Protocols in `cross_validate`: nothing leaks, scores count rows, bootstraps are corrected."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression
from statsmodels.stats.proportion import proportion_confint

import chymist as cy
from chymist.data import duplicates_across
from chymist.errors import InputError, UsageError
from chymist.evidence import out_of_fold_score
from chymist.evidence.bootstrap_error import no_information_share, no_information_square
from chymist.protocols import cuts
from chymist.values import Predictions
from chymist.verbs import validation

P = cy.protocols
SHORT = cy.Recipe(model="softmax", length="2 epochs", stop="none")
LINEAR = cy.Recipe(model="linear", precision="float64")
NET = cy.Recipe(model=cy.models.mlp(hidden=(6,)), length="6 epochs", batch_size=16,
                stop=cy.stop.early(patience="1 epoch"))  # fmt: skip


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The jobs of a cross-validation."""
    seen: list[Any] = []
    carry_out = validation.train_jobs

    def spied(given: Any, *rest: Any) -> Any:
        seen.extend(given)
        return carry_out(given, *rest)

    monkeypatch.setattr(validation, "train_jobs", spied)
    return seen


@pytest.mark.parametrize(
    "protocol", [P.kfold(folds=4), P.monte_carlo(times=4), P.bootstrap(times=4), P.time_series(folds=3)], ids=repr,
)  # fmt: skip
def test_what_is_held_out_changes_nothing_in_the_model_of_that_fold(protocol: Any) -> None:
    random = np.random.default_rng(0)
    x, y = random.normal(size=(70, 3)), random.normal(size=70)
    time = np.arange(70) if protocol.name == "time_series" else None

    def predicted(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        found = cy.cross_validate(NET, cy.load((x, y)), protocol, time=time, floors=False)
        at = sum(record["n"] for record in found.folds[:2])
        assert found.predictions.rows[at] == cut.held[0]
        return found.predictions.outputs[at]

    cut = cuts(protocol, cy.load((x, y)), time=time)[2]
    before = predicted(x, y)
    noisy, other = x.copy(), y.copy()
    noisy[cut.held[1:]] = 100 * random.normal(size=(len(cut.held) - 1, 3))
    other[cut.held] = 100 * random.normal(size=len(cut.held))
    assert predicted(noisy, other) == pytest.approx(before, abs=1e-5)
    noisy[cut.train[0]] = 100.0
    assert predicted(noisy, other) != pytest.approx(before, abs=1e-3)


@pytest.mark.parametrize(
    ("protocol", "by"),
    [(P.kfold(folds=3), None), (P.bootstrap(times=4), None), (P.bootstrap(times=4), "group"), (P.time_series(folds=3), "time")],
)  # fmt: skip
def test_rows_that_decide_early_stopping_are_neither_trained_on_nor_scored(
    protocol: Any, by: str | None, jobs: list[Any]
) -> None:
    data, marks = cy.load("diabetes"), np.random.default_rng(0).permutation(442)
    marks = marks % 13 if by == "group" else marks
    cy.cross_validate(NET, data, protocol, floors=False, **({by: marks} if by else {}))
    assert len(jobs) == len(cuts(protocol, data, **({by: marks} if by else {}))) + (
        protocol.name == "bootstrap"
    )
    for number, job in enumerate(jobs):
        train, stop, held = (job.split.rows(name) for name in ("train", "valid", "test"))
        assert len(stop)
        assert not np.isin(stop, train).any()
        if number < 3:
            assert not np.isin(held, np.concatenate([train, stop])).any()
        if by == "group":
            assert not set(marks[stop]) & set(marks[train])
        if by == "time":
            assert marks[train].max() < marks[stop].min()
            assert marks[stop].max() < marks[held].min()


def test_a_number_of_folds_is_k_fold() -> None:
    data = cy.load("iris")
    number = cy.cross_validate(SHORT, data, 3, repeats=2, seed=5)
    named = cy.cross_validate(SHORT, data, P.kfold(folds=3, repeats=2), seed=5)
    assert named.score == number.score
    assert np.array_equal(named.predictions.outputs, number.predictions.outputs)
    assert number.facts["protocol"] == "kfold(folds=3, repeats=2)"
    assert number.corrected is None
    assert "bootstrap" not in number.facts


def test_scores_of_rows_held_out_several_times_or_never_are_about_rows() -> None:
    data = cy.load("iris")
    found = cy.cross_validate(SHORT, data, P.monte_carlo(times=5, test=0.2))
    rows = found.predictions.rows
    assert len(rows) == 150
    assert found.score.n == len(set(rows)) == 150 - found.facts["never_held"]
    hits = found.predictions.labels == found.predictions.targets
    assert found.score.value == pytest.approx(hits.mean())
    assert found.score.groups is None
    assert found.facts["never_held"] > 20


@pytest.mark.parametrize(("metric", "width"), [("accuracy", 0.22), ("mae", 0.06)])
def test_intervals_of_unequal_counts_cover(metric: str, width: float) -> None:
    """Rows of a known chance to be hit, held out one to nine times as chance will have it."""
    covered, widths = [], []
    for trial in range(150):
        random = np.random.default_rng(trial)
        rows = np.repeat(np.arange(80), random.integers(1, 10, 80))
        spread = random.exponential(size=80)
        if metric == "accuracy":
            # A row is nearly always hit, or nearly never: repeats tell little that is new.
            hit = random.random(len(rows)) < np.where(spread < 1.2, 0.97, 0.03)[rows]
            made = Predictions(rows, np.zeros(len(rows), int), np.eye(2)[1 - hit.astype(int)])
            truth = 0.03 + 0.94 * (1 - np.exp(-1.2))
        else:
            # Errors of nearly equal size: that rows differ in number adds no uncertainty.
            made = Predictions(rows, np.zeros(len(rows)), 0.9 + 0.1 * spread[rows])
            truth = 1.0
        score = out_of_fold_score(made, metric)
        assert score.n == 80
        covered.append(score.low <= truth <= score.high)
        widths.append(score.high - score.low)
    assert 0.89 <= np.mean(covered) <= 0.99
    assert np.mean(widths) < width


def test_equal_counts_are_scored_as_before() -> None:
    rows = np.tile(np.arange(20), 3)
    made = Predictions(rows, np.zeros(60, int), np.eye(2)[(np.arange(60) % 7 == 0).astype(int)])
    low, high = proportion_confint(17, 20, method="wilson")
    found = out_of_fold_score(made, "accuracy")
    assert (found.low, found.high) == (pytest.approx(low), pytest.approx(high))


@pytest.mark.parametrize("name", ["wine", "diabetes"])
def test_the_632_plus_of_a_bootstrap_is_that_of_its_predictions(name: str) -> None:
    data = cy.load(name)
    recipe = LINEAR if name == "diabetes" else SHORT
    found = cy.cross_validate(recipe, data, P.bootstrap(times=12), seed=3, floors=False)
    made, by_row = found.predictions, defaultdict(list)
    for row, target, output, label in zip(made.rows, made.targets, made.outputs, made.labels, strict=True):  # fmt: skip
        by_row[row].append(
            float(label != target) if data.classes else float((output - target) ** 2)
        )
    told = found.facts["bootstrap"]
    out = np.mean([np.mean(losses) for losses in by_row.values()])
    assert told["out_of_bag"] == pytest.approx(out)
    rate = (out - told["apparent"]) / (told["no_information"] - told["apparent"])
    weight = 0.632 / (1 - 0.368 * max(rate, 0))
    plus = (1 - weight) * told["apparent"] + weight * out
    assert told["point632_plus"] == pytest.approx(plus)
    assert found.corrected is not None
    assert found.corrected.split == ".632+"
    assert found.corrected.metric == found.score.metric
    value = 1 - plus if data.classes else plus**0.5
    assert found.corrected.value == pytest.approx(value)
    assert found.corrected.low < value < found.corrected.high
    assert len(found.folds) == 12
    if name == "diabetes":
        x = np.stack([*data.inputs.values()], 1) if isinstance(data.inputs, dict) else data.inputs
        guess = LinearRegression().fit(x, data.targets).predict(x)
        assert told["apparent"] == pytest.approx(np.mean((guess - data.targets) ** 2))
        assert told["no_information"] == pytest.approx(no_information_square(data.targets, guess))
    else:
        assert told["no_information"] <= no_information_share(data.targets, data.targets) + 0.1


def test_bootstraps_as_one_program_are_bootstraps_one_by_one() -> None:
    data, recipe = cy.load("iris"), SHORT.replace(precision="float64", model=cy.models.mlp(hidden=(5,)))  # fmt: skip
    one = cy.cross_validate(recipe, data, P.bootstrap(times=3), floors=False)
    many = cy.cross_validate(recipe, data, P.bootstrap(times=3), floors=False, executor="loop")
    assert (one.facts["executor"], many.facts["executor"]) == ("population", "loop")
    np.testing.assert_allclose(one.predictions.outputs, many.predictions.outputs, atol=1e-9)


def test_several_outputs_have_estimates_but_no_corrected_root() -> None:
    x = np.random.default_rng(0).normal(size=(40, 2))
    found = cy.cross_validate(LINEAR, cy.load((x, x @ np.ones((2, 2)) + x[:, ::-1] ** 2)), P.bootstrap(times=4), floors=False)  # fmt: skip
    assert found.corrected is None
    assert found.facts["bootstrap"]["point632_plus"] > 0


def test_time_series_of_a_split_uses_its_column_and_seals_its_test_rows() -> None:
    days = np.random.default_rng(0).permutation(60)
    columns = {"day": [f"2024-{1 + d // 28:02d}-{1 + d % 28:02d}" for d in days], "x": days * 0.5}
    data = cy.load((columns, days * 1.5 + np.random.default_rng(1).normal(size=60)))
    split = cy.split(data, test=0.2, time="day")
    found = cy.cross_validate(LINEAR, split, P.time_series(folds=3), floors=False)
    assert found.sealed
    assert sorted(days[found.predictions.rows]) == list(range(12, 48))
    assert found.facts["never_held"] == 12
    whole = cy.cross_validate(LINEAR, data, P.time_series(folds=3), time=days, floors=False)
    assert sorted(days[whole.predictions.rows]) == list(range(15, 60))


def test_copies_of_rows_are_counted() -> None:
    x = np.random.default_rng(0).normal(size=(40, 2))
    x[30:] = x[:10]
    data, group = cy.load((x, np.arange(40) * 0.5)), np.arange(40) % 10
    assert cy.cross_validate(LINEAR, data, 4, floors=False).facts["duplicates"] == 20
    joined = cy.cross_validate(LINEAR, data, 4, group=group, floors=False)
    assert joined.facts["duplicates"] == 0
    split = cy.split(data, test=0.5, seed=1)
    kept = np.concatenate([split.train, split.valid])
    assert cy.cross_validate(LINEAR, split, 4, floors=False).facts["duplicates"] == duplicates_across(data, kept)  # fmt: skip


def test_classes_with_fewer_rows_than_folds_are_named() -> None:
    data = cy.load((np.arange(40.0)[:, None], np.array([0] * 20 + [1] * 17 + [2] * 3)))
    assert cy.cross_validate(SHORT, data, 5, floors=False).facts["rare_classes"] == ["2"]
    assert cy.cross_validate(SHORT, data, 3, floors=False).facts["rare_classes"] == []


def test_the_number_of_fits_is_told_before_the_first() -> None:
    told: list[Any] = []
    cy.cross_validate(
        SHORT, cy.load("iris"), P.bootstrap(times=3), floors=False, started=told.append,
        observer=lambda record: told.append((record["repeat"], record["fold"])),
    )  # fmt: skip
    assert told == [4, (0, 0), (1, 0), (2, 0)]


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"folds": P.time_series()}, UsageError, "time_series needs the order of the rows"),
        ({"folds": 4, "time": np.arange(442)}, UsageError, "kfold would train on later rows"),
        ({"folds": P.leave_groups_out()}, UsageError, "leave_groups_out needs groups"),
        ({"folds": P.leave_p_out(), "group": np.arange(442) % 9}, UsageError, "use leave_groups_out"),
        ({"folds": P.leave_p_out()}, InputError, "97,461 ways; give limit"),
        ({"folds": P.bootstrap(times=3), "repeats": 2}, UsageError, "give it to bootstrap"),
        ({"folds": "lo"}, UsageError, "at least two folds"),
        ({"folds": 443}, InputError, "fewer rows or groups than folds"),
    ],
)  # fmt: skip
def test_wrong_protocols_are_refused_before_training(options: dict, kind: type, message: str) -> None:  # fmt: skip
    with pytest.raises(kind, match=message):
        cy.cross_validate(LINEAR, cy.load("diabetes"), **options)


def test_a_cross_validation_says_who_wins_on_its_folds() -> None:
    data = cy.load("iris")
    poor = cy.Recipe(model=cy.models.mlp(hidden=(2,)), length="1 epoch")
    found = cy.cross_validate(poor, data, folds=5)
    best = found.floors[0]
    assert found.score.value < 0.7 < best.score.value
    assert found.verdict.startswith(f"{best.name} is better than mlp by ")
    assert "(5 folds x 1 seed, corrected t" in found.verdict
    assert cy.cross_validate(poor, data, folds=5, floors=False).verdict == ""
    drawn = cy.protocols.bootstrap(times=4)  # its folds overlap: no test of folds is meant for it
    assert cy.cross_validate(poor, data, drawn).verdict == ""
