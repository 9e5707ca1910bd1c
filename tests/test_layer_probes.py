"""Linear probes: what a linear model reads off each layer, beside the same layer untrained."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import chymist as cy
from chymist import layer_probes
from chymist.cli import main
from chymist.explanation.probes import columns_of, counted, linear_probe, pooled


def test_a_probe_is_scaled_columns_and_a_penalised_linear_model() -> None:
    random = np.random.default_rng(0)
    x, new = random.normal(3, 2, (80, 5)), random.normal(3, 2, (30, 5))
    y = (x[:, 0] + x[:, 1] > 6).astype(int) + (x[:, 2] > 4)
    oracle = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(x, y)
    found = linear_probe(x, new, y, "classification", 3)
    assert found == pytest.approx(oracle.predict_proba(new), abs=2e-3)
    values = x @ np.array([1.0, -2.0, 0, 0, 1]) + random.normal(size=80)
    oracle = make_pipeline(StandardScaler(), Ridge(1.0)).fit(x, values)
    assert linear_probe(x, new, values, "regression", 0) == pytest.approx(oracle.predict(new))


def test_a_column_that_never_changes_and_a_class_that_is_absent_do_no_harm() -> None:
    x = np.array([[0.0, 7], [1, 7], [2, 7], [3, 7]])
    new = x + np.array([[0, 5]])
    found = linear_probe(x, new, np.array([0, 0, 2, 2]), "classification", 4)
    assert np.isfinite(found).all()
    assert found.shape == (4, 4)
    assert (found[:, [1, 3]] == 0).all()
    assert found.argmax(1).tolist() == [0, 0, 2, 2]


@given(st.integers(1, 4), st.integers(1, 30), st.integers(1, 9), st.integers(1, 64))
@settings(max_examples=60, deadline=None)
def test_pooling_keeps_the_mean_of_each_channel(
    rows: int, units: int, side: int, most: int
) -> None:
    maps = np.random.default_rng(rows).normal(size=(rows, units, side, side)).astype(np.float32)
    flat = pooled(maps, most)
    assert flat.shape[1] <= max(most, units)
    if flat.shape[1] == units:
        assert flat == pytest.approx(maps.mean((2, 3)), abs=1e-5)
    steps = maps.reshape(rows, side * side, units)
    assert pooled(steps, units) == pytest.approx(steps.mean(1), abs=1e-5)


@given(st.integers(1, 5), st.integers(1, 12))
@settings(max_examples=30, deadline=None)
def test_counts_are_those_of_the_words(rows: int, steps: int) -> None:
    random = np.random.default_rng(rows * 100 + steps)
    train, new = random.integers(0, 9, (rows, steps)), random.integers(0, 12, (rows + 1, steps))
    first, second = counted(train, new)
    names = [
        word
        for word, _ in sorted(
            ((w, int((train == w).sum())) for w in np.unique(train)), key=lambda pair: -pair[1]
        )
    ]
    assert first.tolist() == [[(row == w).sum() for w in names] for row in train]
    assert second.tolist() == [[(row == w).sum() for w in names] for row in new]
    assert np.array_equal(columns_of(train, new)[1], second)


def test_layers_of_a_network_on_digits_beside_their_first_weights() -> None:
    run = cy.fit(cy.Recipe(model=cy.models.mlp(hidden=(64, 32)), length="15 epochs"),
                 cy.load("digits"), doctor=False)  # fmt: skip
    before = [p.clone() for p in run.model.parameters()]
    found = layer_probes(run, rows=400)
    assert [probe.layer for probe in found.probes] == ["inputs", "1", "2", "3", "4"]
    assert found.rows == 400
    last = found.probes[-1]
    assert last.start is not None
    assert last.score.value > last.start.value + 0.02  # it was learned, not a random projection
    assert last.gain is not None
    assert last.gain.value == pytest.approx(last.score.value - found.probes[0].score.value)
    assert all(torch.equal(a, b) for a, b in zip(before, run.model.parameters(), strict=True))
    assert layer_probes(run, rows=400).to_dict() == found.to_dict()
    only = layer_probes(run, ["4"], rows=400)
    assert only.probes[-1].to_dict() == last.to_dict()
    assert found.verdict.startswith("Is the answer easier to read off the last hidden layer")
    assert "untrained" in repr(found)
    assert "untrained" in str(found.svg())


def test_the_probe_of_the_inputs_is_a_linear_model_of_the_prepared_rows() -> None:
    run = cy.fit(cy.Recipe(model=cy.models.mlp(hidden=(8,)), length="3 epochs"),
                 cy.load("wine"), doctor=False)  # fmt: skip
    x = run.preparation.inputs(run.data.inputs, np.float32)
    oracle = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    oracle.fit(x[run.split.train], run.data.targets[run.split.train])
    right = oracle.score(x[run.split.valid], run.data.targets[run.split.valid])
    assert layer_probes(run).probes[0].score.value == pytest.approx(right)


def test_words_are_read_as_counts_and_layers_over_steps_as_means() -> None:
    random = np.random.default_rng(0)
    texts = np.array([" ".join(random.choice(["good", "fine", "bad", "poor", "film"], 6)) for _ in range(120)], object)  # fmt: skip
    labels = np.array(["yes" if t.count("good") + t.count("fine") > 2 else "no" for t in texts])
    run = cy.fit(cy.Recipe(model="gru", length="2 epochs"), cy.load((texts, labels), kind="text"),
                 doctor=False)  # fmt: skip
    found = layer_probes(run)
    assert found.probes[0].layer == "inputs"
    assert found.probes[0].score.value > 0.9  # counts decide
    assert len(found.probes) > 1


def test_what_has_no_hidden_layer_or_no_rows_is_said() -> None:
    iris = cy.load("iris")
    softmax = cy.fit(cy.Recipe(model="softmax", length="1 epochs"), iris, doctor=False)
    with pytest.raises(cy.UsageError, match="no hidden layer"):
        layer_probes(softmax)
    recipe = cy.Recipe(model=cy.models.mlp(hidden=(4,)), length="1 epochs")
    run = cy.fit(recipe, iris, doctor=False)
    with pytest.raises(cy.UsageError, match="no such layer, in layers: got 'x'"):
        layer_probes(run, ["x"])
    alone = cy.fit(recipe, cy.split(iris, valid=0), doctor=False)
    with pytest.raises(cy.InputError, match="no rows to score"):
        layer_probes(alone)


def test_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, picture = tmp_path / "run", tmp_path / "probes.svg"
    recipe = cy.Recipe(model=cy.models.mlp(hidden=(8,)), length="2 epochs")
    run = cy.fit(recipe, cy.load("iris"), out=folder, doctor=False)
    words = ["explain", str(folder), "--method", "probes", "--out", str(picture), "--json"]
    assert main(words) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["verdict"] == layer_probes(run).verdict
    assert [probe["layer"] for probe in found["probes"]] == ["inputs", "1", "2"]
    assert "untrained" in picture.read_text()
    assert main([*words[:4], "--layer", "1", "--json"]) == 0
    chosen = json.loads(capsys.readouterr().out)["probes"]
    assert chosen == found["probes"][:2]
    assert main([*words[:4], "--layer", "9"]) == 2
    assert main(["explain", str(folder), "new.csv", "--method", "probes"]) == 2
    assert main(["explain", str(folder), "--method", "filters", "--k", "3"]) == 2
    capsys.readouterr()
    assert main(["explain", str(folder), "--method", "probe"]) == 2
    assert "did you mean 'probes'" in capsys.readouterr().err


def test_one_validation_row_is_enough() -> None:
    split = cy.split(cy.load("iris"), valid=1 / 150, seed=0)
    run = cy.fit(cy.Recipe(model="mlp", length="2 epochs"), split, doctor=False)
    assert len(split.valid) == 1
    assert cy.layer_probes(run).probes[0].score.n == 1
