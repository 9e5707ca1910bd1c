"""How many numbers solved models hold, against counts of scikit-learn's models or closed forms."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.svm import SVC
from torch import nn

import chymist as cy
from chymist.cli import main
from chymist.maths import covariance_parameters
from chymist.models.counting import count_fitted

SPLIT = cy.split(cy.load("wine"), seed=0)
CLASSES, FEATURES = 3, 13


def fitted(model: cy.Part) -> cy.Run:
    return cy.fit(cy.Recipe(model=model), SPLIT, doctor=False)


@pytest.mark.parametrize("covariance", ["shared", "separate", "diagonal"])
def test_a_gaussian_classifier_has_means_covariances_and_priors(covariance: str) -> None:
    run = fitted(cy.models.gaussian(covariance=covariance))
    own = covariance_parameters(FEATURES, CLASSES, covariance)
    assert run.facts["parameters"] == CLASSES * FEATURES + own + CLASSES


def test_naive_bayes_has_two_numbers_of_a_measured_column_and_one_of_a_counted_one() -> None:
    assert fitted(cy.models.naive_bayes()).facts["parameters"] == 3 * (2 * 13) + 3
    rows = np.random.default_rng(0).integers(0, 2, (40, 5)).astype(float)
    data = cy.load((rows, np.arange(40) % 2))
    recipe = cy.Recipe(model="naive_bayes", data=cy.prepare(scale="none"))
    assert cy.fit(recipe, data, doctor=False).facts["parameters"] == 2 * 5 + 2


def test_a_vector_machine_has_its_dual_coefficients_and_intercepts() -> None:
    run = fitted(cy.models.svm())
    rows, targets = run.preparation.inputs(SPLIT.data.take(SPLIT.train)), SPLIT.data.targets
    solved = SVC().fit(rows, targets[SPLIT.train])
    assert run.facts["parameters"] == np.count_nonzero(solved.dual_coef_) + 3


@pytest.mark.parametrize(
    ("model", "values"),
    [
        (cy.models.c45(), 3),
        (cy.models.cart(), 3),
        (cy.models.random_forest(trees=3), 3),
        (cy.models.boosting(trees=3), 1),
    ],
    ids=str,
)
def test_a_tree_has_two_numbers_a_cut_and_the_values_of_its_leaves(
    model: cy.Part, values: int
) -> None:
    run = fitted(model)
    tree = cy.tree_of(run).tree  # a tree of n leaves that cuts in two has n - 1 cuts
    cuts = tree.leaves - len(tree.roots)
    assert run.facts["parameters"] == 2 * cuts + values * tree.leaves


def test_a_cut_by_a_category_has_a_branch_for_each() -> None:
    text = "\n".join(["sky,play", *["sun,no", "rain,yes", "fog,yes"] * 10]) + "\n"
    Path("sky.csv").write_text(text)
    run = cy.fit(cy.Recipe(model="id3"), cy.split(cy.load("sky.csv"), test=0, valid=0.2))
    assert run.facts["parameters"] == (1 + 3) + 3 * 2


@given(sizes=st.lists(st.integers(1, 9), min_size=2, max_size=4))
@settings(max_examples=20, deadline=None)
def test_a_network_counts_its_parameters(sizes: list[int]) -> None:
    pairs = list(itertools.pairwise(sizes))
    model = nn.Sequential(*(nn.Linear(a, b) for a, b in pairs))
    assert count_fitted(model) == sum(a * b + b for a, b in pairs)
    model[0].requires_grad_(False)
    assert count_fitted(model, trained=True) == sum(a * b + b for a, b in pairs[1:])


def test_every_face_says_the_count_and_the_notes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fit", "wine", "--model", "svm", "--out", "run", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    count = found["model"]["parameters"]
    assert count > 50
    (note,) = found["notes"]
    assert note.endswith("training rows are support vectors")
    page = Path("run/report.html").read_text("utf-8")
    assert note in page
    assert f"1 layer, {count:,} parameters." in page
    assert "are trained" not in page
    assert main(["show", "run"]) == 0
    shown = capsys.readouterr().out
    assert f"{count:,} parameters" in shown
    assert note in shown
    assert main(["report", "run", "--quiet"]) == 0
    again = Path("run/report.html").read_text("utf-8")
    assert note in again
    assert f"1 layer, {count:,} parameters." in again
    capsys.readouterr()
    assert main(["cv", "wine", "--model", "c45", "--folds", "2", "--json", "--out", "cv"]) == 0
    assert json.loads(capsys.readouterr().out)["model"]["parameters"] > 0


def test_shapes_say_what_is_known_before_the_rows(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--input", "4", "--outputs", "3"]
    assert main(["shapes", "gaussian", *words, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["parameters"], found["solved"]) == (3 * 4 + 10 + 3, True)
    assert main(["shapes", "cart", *words]) == 0
    assert "is known only then" in capsys.readouterr().out
    assert main(["shapes", "mlp", *words]) == 0
    assert "Solved" not in capsys.readouterr().out


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
