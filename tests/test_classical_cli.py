"""The verbs pca, kmeans, crossing, mistake-bound, bag, tree and support, from the command line."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.datasets import load_iris, load_wine
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_rand_score
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

import chymist as cy
from chymist.cli import main

Answer = Callable[..., dict[str, Any]]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def answer(capsys: pytest.CaptureFixture[str]) -> Answer:
    """What a command answers in JSON; nothing else stands on standard output."""

    def ask(*words: str) -> dict[str, Any]:
        assert main([*words, "--json"]) == 0
        (line,) = capsys.readouterr().out.splitlines()
        found: dict[str, Any] = json.loads(line)
        return found

    return ask


def lines_of(path: str) -> list[list[str]]:
    with Path(path).open(newline="") as stream:
        return list(csv.reader(stream))


def is_picture(path: str) -> bool:
    return ElementTree.parse(path).getroot().tag.endswith("svg")


def test_pca_equals_scikit_learn(answer: Answer) -> None:
    found = answer("pca", "wine", "--share", "0.8", "--out", "p.svg")
    rows = StandardScaler().fit_transform(load_wine().data)
    expected = PCA().fit(rows)
    np.testing.assert_allclose(found["shares"], expected.explained_variance_ratio_, rtol=1e-5)
    np.testing.assert_allclose(np.abs(found["components"]), np.abs(expected.components_), atol=1e-4)
    assert found["kept"] == 1 + int(np.argmax(np.cumsum(expected.explained_variance_ratio_) >= 0.8))
    assert found["names"][0] == "alcohol"
    assert is_picture(found["picture"])


def test_pca_says_what_a_component_is_made_of(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pca", "iris", "--components", "1"]) == 0
    out = capsys.readouterr().out
    assert "Keeps   1 of 4 dimensions, which hold 73.0 % of the variance" in out
    assert "+0.58 petal length (cm)" in out
    assert main(["pca", "iris", "--quiet"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_pca_of_raw_numbers_and_without_sealed_rows(answer: Answer) -> None:
    found = answer("pca", "iris", "--data.scale", "none")
    np.testing.assert_allclose(
        found["shares"], PCA().fit(load_iris().data).explained_variance_ratio_, rtol=1e-6
    )
    sealed = answer("pca", "iris", "--test", "0.5", "--data.scale", "none")
    split = cy.split(cy.load("iris"), test=0.5)
    open_rows = np.sort(np.concatenate([split.train, split.valid]))
    np.testing.assert_allclose(sealed["mean"], load_iris().data[open_rows].mean(0), rtol=1e-6)


def test_kmeans_equals_scikit_learn(answer: Answer) -> None:
    found = answer("kmeans", "iris", "--clusters", "3", "--data.scale", "none", "--out", "c.csv")
    expected = KMeans(3, n_init=20, random_state=0).fit(load_iris().data)
    assert found["inertia"] == pytest.approx(expected.inertia_, rel=1e-6)
    assert adjusted_rand_score(found["labels"], expected.labels_) == 1
    heads, *lines = lines_of("c.csv")
    assert heads == ["row", "cluster"]
    assert [int(row) for row, _ in lines] == list(range(1, 151)) == found["rows"]
    assert [int(cluster) - 1 for _, cluster in lines] == found["labels"]
    assert sorted(found["sizes"]) == sorted(np.bincount(expected.labels_).tolist())


def test_crossing_pairs_two_models_by_size(answer: Answer) -> None:
    words = ["--models", "gaussian,naive_bayes", "--sizes", "0.2,1.0", "--folds", "3"]
    found = answer("crossing", "wine", *words, "--seeds", "2")
    assert found["names"] == ["gaussian", "naive_bayes"]
    assert [row["size"] for row in found["rows"]] == [24, 118]
    for row in found["rows"]:
        one, other = row["held"]
        assert row["difference"] == pytest.approx(one["value"] - other["value"], abs=5e-3)
    assert found["verdict"] == "cannot tell with 24, 118 training rows"


def test_a_mistake_bound_is_that_of_the_largest_margin(answer: Answer) -> None:
    found = answer("mistake-bound", "iris", "--against", "setosa", "--data.scale", "none")
    rows, targets = load_iris(return_X_y=True)
    rows = np.column_stack([rows, np.ones(150)])
    signs = np.where(targets == 0, 1, -1)
    both = np.vstack([rows * signs[:, None], -rows * signs[:, None]])
    solved = SVC(kernel="linear", C=1e9, tol=1e-6).fit(both, np.repeat([1, -1], 150))
    margin = 1 / np.linalg.norm(solved.coef_)
    assert found["margin"] == pytest.approx(margin, rel=1e-3)
    assert found["bound"] == pytest.approx(np.square(rows).sum(1).max() / margin**2, rel=2e-3)


def test_bag_scores_the_average_and_predicts_new_rows(answer: Answer) -> None:
    rows = load_wine()
    table = [[*map(repr, line.tolist())] for line in rows.data[:5]]
    text = [",".join(rows.feature_names), *map(",".join, table)]
    Path("new.csv").write_text("\n".join(text) + "\n")
    words = ["--model", "cart", "--model.alpha", "0", "--members", "5"]
    found = answer("bag", "wine", *words, "--rows", "new.csv", "--out", "out.csv")
    recipe = cy.Recipe(model=cy.models.cart(alpha=0))
    expected = cy.bag(recipe, cy.split(cy.load("wine"), seed=0), members=5)
    assert found["score"] == expected.score.to_dict()
    assert found["scores"] == [one.value for one in expected.scores]
    heads, *lines = lines_of("out.csv")
    assert heads == ["row", "prediction", "p(class_0)", "p(class_1)", "p(class_2)"]
    assert [line[1] for line in lines] == expected.predict("new.csv").tolist() == ["class_0"] * 5


def test_a_tree_is_shown_drawn_and_grown_again(
    answer: Answer, capsys: pytest.CaptureFixture[str]
) -> None:
    run = cy.fit(cy.Recipe(model="c45"), cy.split(cy.load("iris")), out="run", doctor=False)
    found = answer("tree", "run", "--stability", "10", "--out", "tree.svg")
    named = cy.tree_stability(run, bootstraps=10)
    assert found["again"] == named.frequency[~np.isnan(named.frequency)].tolist()
    assert len(found["cuts"]) == len(found["again"]) == found["leaves"] - 1
    assert is_picture("tree.svg")
    assert main(["tree", "run"]) == 0
    shown = capsys.readouterr().out
    assert all(line in shown for line in str(cy.tree_of(run)).splitlines())
    assert answer("tree", "run", "--depth", "0")["text"].endswith("leaves")
    assert answer("tree", "run")["again"] == []


def test_support_vectors_are_those_of_libsvm(answer: Answer) -> None:
    run = cy.fit(cy.Recipe(model="svm"), cy.split(cy.load("iris")), out="run", doctor=False)
    found = answer("support", "run", "--out", "v.csv")
    rows = run.preparation.inputs(run.data.take(run.split.train))
    solved = SVC().fit(rows, run.data.targets[run.split.train])
    assert sorted(found["rows"]) == sorted((run.split.train[solved.support_] + 1).tolist())
    heads, *lines = lines_of("v.csv")
    assert heads == ["row", *(" / ".join(pair) for pair in found["pairs"])]
    assert [int(line[0]) for line in lines] == found["rows"]
    weights = np.array([line[1:] for line in lines], float).T
    np.testing.assert_allclose(weights, found["weights"], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(np.abs(weights).max(), np.abs(solved.dual_coef_).max(), rtol=1e-3)


def test_a_file_never_replaces_what_it_is_made_from(capsys: pytest.CaptureFixture[str]) -> None:
    text = "a,b,y\n" + "".join(f"{i},{i % 3},{'pq'[i % 2]}\n" for i in range(20))
    Path("d.csv").write_text(text)
    assert main(["kmeans", "d.csv", "--clusters", "2", "--out", "d.csv"]) == 1
    assert "made from" in capsys.readouterr().err
    assert main(["bag", "d.csv", "--model", "cart", "--rows", "d.csv", "--out", "d.csv"]) == 1
    assert Path("d.csv").read_text() == text
