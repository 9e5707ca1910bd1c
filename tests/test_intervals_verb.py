"""Intervals and label sets of new rows: from plain fits by hand, and their coverage."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import chymist as cy
from chymist.data import folds as make_folds
from chymist.data.splits import hold_out
from chymist.errors import Diverged, InputError, UsageError
from chymist.evidence import (
    cross_conformal_sets,
    cv_plus,
    jackknife_plus,
    split_conformal,
    split_conformal_sets,
)
from chymist.keys import generator
from chymist.values import Split
from chymist.verbs import conforming as module

CLOSED = cy.Recipe(model="linear", optimizer="closed_form", precision="float64")
LINEAR = cy.Recipe(
    model="linear", optimizer=cy.optim.sgd(lr=0.02), length="3 epochs", precision="float64"
)
SOFTMAX = cy.Recipe(model="softmax", length="10 epochs", precision="float64")
NOTHING = np.array([], np.int64)


def sample(n, seed, columns=3):
    rng = generator(seed, "sample")
    x = rng.normal(size=(n, columns))
    return x, x @ np.arange(1.0, columns + 1) + rng.standard_t(4, n)


def blobs(n, seed):
    rng = generator(seed, "blobs")
    y = rng.integers(0, 3, n)
    return rng.normal(size=(n, 2)) + 1.6 * np.stack([np.cos(2.1 * y), np.sin(2.1 * y)], 1), y


def fits(recipe, data, parts, new, seed):
    """What plain fits without each part say about it and about new rows."""
    out, fresh = [], []
    for held in parts:
        train = np.setdiff1d(np.arange(len(data)), held)
        run = cy.fit(recipe, Split(data, train, held, NOTHING, seed), seed=seed)
        out.append(run.predictions.outputs)
        fresh.append(cy.predict(run, new, probabilities=bool(data.classes)))
    return np.concatenate(out), np.stack(fresh)


@pytest.mark.parametrize("method", ["cv+", "jackknife+", "split"])
def test_intervals_are_those_of_plain_fits(method):
    rows = 12 if method == "jackknife+" else 30  # each is a plain fit
    data, (new, _) = cy.load(sample(rows, 0)), sample(8, 1)
    parts = make_folds(data, 4 if method == "cv+" else "loo", seed=2)
    if method == "split":
        parts = [hold_out(data, np.arange(rows), 0.4, seed=2)[1]]
    out, fresh = fits(LINEAR, data, parts, new, seed=2)
    residuals = data.targets[np.concatenate(parts)] - out
    if method == "cv+":
        models = np.repeat(np.arange(4), [len(p) for p in parts])
        expected = cv_plus(fresh, models, residuals, 0.8)
    elif method == "jackknife+":
        expected = jackknife_plus(fresh, residuals, 0.8)
    else:
        expected = split_conformal(fresh[0], residuals, 0.8)
    found = cy.intervals(LINEAR, data, new, 0.8, method, folds=4, seed=2, calibration=0.4)
    np.testing.assert_allclose((found.low, found.high), expected, atol=1e-9, rtol=0)
    np.testing.assert_allclose(found.value, np.median(fresh, axis=0), atol=1e-9, rtol=0)
    assert found.facts["models"] == len(parts)
    assert found.facts["executor"] == ("loop" if method == "split" else "population")
    assert found.sets.shape == (8, 0)
    assert found.labels == []


@pytest.mark.parametrize("rule", ["lac", "aps"])
def test_label_sets_are_those_of_plain_fits(rule):
    x, y = blobs(45, 0)
    data, (new, _) = cy.load((x, [f"c{k}" for k in y])), blobs(12, 1)
    parts = make_folds(data, 3, seed=1)
    out, fresh = fits(SOFTMAX, data, parts, new, seed=1)
    truth = data.targets[np.concatenate(parts)]
    expected = cross_conformal_sets(fresh, out, truth, np.repeat(np.arange(3), 15), 0.8, rule, 1)
    found = cy.intervals(SOFTMAX, data, new, 0.8, folds=3, seed=1, rule=rule)
    np.testing.assert_array_equal(found.sets, expected)
    assert list(found.value) == [data.classes[k] for k in fresh.mean(0).argmax(1)]
    for names, row in zip(found.labels, found.sets, strict=True):
        assert names == tuple(np.array(data.classes)[row])
    parts = [hold_out(data, np.arange(45), 0.25, seed=1)[1]]
    out, fresh = fits(SOFTMAX, data, parts, new, seed=1)
    expected = split_conformal_sets(fresh[0], out, data.targets[parts[0]], 0.8, rule, 1)
    found = cy.intervals(SOFTMAX, data, new, 0.8, "split", seed=1, rule=rule)
    np.testing.assert_array_equal(found.sets, expected)


def coverage(method, runs, level=0.9, n=60):
    """Mean coverage of 200 new rows, and its standard error over runs."""
    shares = []
    for run in range(runs):
        data, (new, truth) = cy.load(sample(n, 2 * run)), sample(200, 2 * run + 1)
        found = cy.intervals(CLOSED, data, new, level, method, seed=run)
        shares.append(np.mean((found.low <= truth) & (truth <= found.high)))
    return np.mean(shares), np.std(shares, ddof=1) / np.sqrt(runs)


@pytest.mark.parametrize(("method", "most"), [("cv+", 0.94), ("split", 0.96)])
def test_new_rows_are_covered(method, most):
    found, spread = coverage(method, 25)
    assert spread < 0.02
    assert 0.9 - 3 * spread < found < most + 3 * spread


@pytest.mark.hard
@pytest.mark.parametrize(
    ("method", "most"), [("cv+", 0.925), ("split", 0.9 + 1 / 16 + 0.005)]
)  # of split conformal: level + 1/(n + 1), n = 15 rows that set the width
def test_new_rows_are_covered_in_a_thousand_runs(method, most):
    found, _ = coverage(method, 1000)
    assert 0.895 < found < most


def test_new_classes_are_covered():
    shares = []
    recipe = cy.Recipe(model="softmax", length="20 epochs")
    for run in range(12):
        x, y = blobs(60, 2 * run)
        data, (new, truth) = cy.load((x, [f"c{k}" for k in y])), blobs(300, 2 * run + 1)
        found = cy.intervals(recipe, data, new, 0.8, folds=5, seed=run)
        shares.append(found.sets[np.arange(300), truth].mean())
    spread = np.std(shares, ddof=1) / np.sqrt(12)
    assert spread < 0.03
    assert 0.8 - 3 * spread < np.mean(shares) < 0.88 + 3 * spread


def test_raw_rows_are_read_as_predict_reads_them(tmp_path: Path):
    x, y = sample(40, 0, columns=2)
    data = cy.load(({"a": x[:, 0], "b": x[:, 1]}, y))
    table = tmp_path / "new.csv"
    table.write_text("b,z,a\n" + "".join(f"{b},q,{a}\n" for a, b in x[:5]), encoding="utf-8")
    from_file = cy.intervals(CLOSED, data, table)
    from_columns = cy.intervals(CLOSED, data, {"a": x[:5, 0], "b": x[:5, 1]})
    np.testing.assert_array_equal(from_file.low, from_columns.low)
    assert from_file.names == ("1", "2", "3", "4", "5")
    assert from_file.notes == ("columns of no influence: z",)
    assert from_columns.notes == ()
    with pytest.raises(InputError):
        cy.intervals(CLOSED, data, {"a": x[:5, 0]})


def test_guarantees_in_words():
    data, new = cy.load(sample(50, 0)), sample(3, 1)[0]
    split = cy.intervals(CLOSED, data, new, 0.8, "split")
    assert split.proven == 0.8
    assert split.guarantee == (
        "at least 80 % of new targets are covered (proven), if old and new rows are a random "
        "sample of one source"
    )
    plus = cy.intervals(CLOSED, data, new, 0.9)
    assert plus.proven == pytest.approx(0.8 - 0.2)  # 2 level - 1 - sqrt(2 / 50)
    assert plus.guarantee.startswith("at least 60 % of new targets are covered (proven; in pract")
    leaving = cy.intervals(CLOSED, data, new, 0.9, "jackknife+")
    assert leaving.proven == pytest.approx(0.8)
    grouped = cy.intervals(CLOSED, data, new, 0.9, group=np.arange(50) // 2)
    assert grouped.proven == 0.0
    assert "nothing is proven" in grouped.guarantee
    assert "Intervals(3 intervals, mean width" in repr(plus)


def test_too_few_rows_say_so():
    data, new = cy.load(sample(18, 0)), sample(3, 1)[0]
    found = cy.intervals(CLOSED, data, new, folds=3)
    assert np.isinf(found.low).all()
    assert np.isinf(found.high).all()
    assert found.notes == (
        "18 rows are too few for a level of 95 %, nothing is excluded: give 19 or more",
    )
    enough = cy.intervals(CLOSED, cy.load(sample(19, 0)), new, folds=3)
    assert np.isfinite(enough.low).all()
    assert enough.notes == ()


def test_early_stopping_looks_at_training_rows_only(monkeypatch):
    seen, real = [], module.train_jobs
    monkeypatch.setattr(
        module, "train_jobs", lambda jobs, *a, **k: (seen.extend(jobs), real(jobs, *a, **k))[1]
    )
    data, new = cy.load(sample(60, 0)), sample(4, 1)[0]
    cy.intervals(LINEAR.replace(stop="early"), data, new, folds=3)
    assert [len(job.split.test) for job in seen] == [20, 20, 20]
    for job in seen:
        assert job.split.seed == job.seed == 0
        parts = [job.split.train, job.split.valid, job.split.test]
        assert len(parts[1]) == 4
        np.testing.assert_array_equal(np.sort(np.concatenate(parts)), np.arange(60))


def test_test_rows_of_a_split_are_never_given():
    split = cy.split(cy.load(sample(50, 0)), seed=0)
    found = cy.intervals(CLOSED, split, sample(3, 1)[0])
    assert found.facts["calibration"] == 40


def test_what_cannot_be():
    data, new = cy.load(sample(40, 0)), sample(3, 1)[0]
    with pytest.raises(UsageError, match=r"did you mean 'cv\+'"):
        cy.intervals(CLOSED, data, new, method="cv")
    with pytest.raises(UsageError, match="known: aps, lac"):
        cy.intervals(CLOSED, data, new, rule="zzz")
    with pytest.raises(InputError, match="between 0 and 1"):
        cy.intervals(CLOSED, data, new, level=95)
    two = cy.load((data.inputs, np.stack([data.targets, data.targets], 1)))
    with pytest.raises(InputError, match="one target"):
        cy.intervals(CLOSED, two, new)
    with pytest.raises(UsageError, match="later rows"):
        cy.intervals(CLOSED, cy.split(data, time=np.arange(40)), new)
    wild = cy.Recipe(model="mlp", optimizer=cy.optim.sgd(lr=1e30), length="3 epochs")
    with pytest.raises(Diverged, match="model 0"):
        cy.intervals(wild, data, new, folds=3)
