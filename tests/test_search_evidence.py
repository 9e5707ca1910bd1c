"""What a search shows: pairs, noise, what mattered, and the report."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import chymist as cy
from chymist.evidence import corrected_t
from chymist.evidence.searches import (
    Trial,
    against_best,
    influence_of,
    noise_of,
    rank_of,
    sentence,
    surface_sentence,
)
from chymist.space import Choice, Range, drawn
from chymist.values import Data, Predictions, Recipe, Score
from chymist.verbs.study_pages import search_page

QUICK = Recipe(model="softmax", optimizer="adam", length="6 epochs", batch_size=16)
RATES = {"optimizer.lr": cy.space.log(1e-4, 0.3)}


@pytest.fixture(scope="module")
def iris() -> Data:
    return cy.load("iris")


def trial(number: int, point: dict[str, Any], value: float, **more: Any) -> Trial:
    values = value + 0.01 * np.random.default_rng(number).normal(size=10)
    score = Score("accuracy", value, value - 0.01, value + 0.01, 100, "out-of-fold")
    given: dict[str, Any] = {"standing": {"end": value}, **more}
    return Trial(number, point, Recipe(), score, values, 10.0, **given)


def test_equal_accuracies_are_ordered_by_the_log_loss() -> None:
    truth, rows = np.array([0, 1]), np.arange(2)
    sure = Predictions(rows, truth, np.array([[0.9, 0.1], [0.1, 0.9]]))
    unsure = Predictions(rows, truth, np.array([[0.6, 0.4], [0.4, 0.6]]))
    assert rank_of(sure, "accuracy") < rank_of(unsure, "accuracy")
    assert rank_of(sure, "accuracy")[0] == rank_of(unsure, "accuracy")[0] == -1
    near, far = (Predictions(rows, truth * 1.0, truth + shift) for shift in (0.1, 0.2))
    assert rank_of(near, "rmse") < rank_of(far, "rmse")


def test_pairs_are_paired_corrected_and_adjusted() -> None:
    from scipy import stats

    trials = [trial(n, {}, value) for n, value in enumerate((0.95, 0.945, 0.5), 1)]
    pairs = against_best(trials, 1 / 10)
    found = trials[0].values - trials[1].values
    t = found.mean() / (found.std(ddof=1) * math.sqrt(1 / 10 + 1 / 9))
    assert pairs[0]["p"] == pytest.approx(2 * stats.t.sf(abs(t), 9))
    assert pairs[0]["p_holm"] == pairs[0]["p"]
    assert pairs[1]["p_holm"] == pytest.approx(2 * pairs[1]["p"])
    assert pairs[1]["p_holm"] < 0.05
    text = sentence(trials, pairs, None)
    assert "it cannot be told from 1 other." in text
    assert "it is better than the 2 others." in sentence(
        trials, [{**pair, "p_holm": 0.01} for pair in pairs], None
    )
    assert "no other was trained to the end" in sentence(trials[:1], [], None)
    told = [{**pairs[0], "p_holm": 0.01}, pairs[1]]
    caution = "; one seed: another initialisation may turn this, try 3 seeds"
    honest = f"{caution}; honest score of the search, by nested folds:"
    assert f"the 2 others{caution}." in sentence(trials, told, None, one_seed=True)
    assert f"1 other{honest}" in sentence(trials, pairs, trials[0].score, one_seed=True)
    unclear = [{**pair, "p_holm": 0.1} for pair in pairs]
    assert caution not in sentence(trials, unclear, None, one_seed=True)  # nobody is told


def test_seeds_that_differ_more_than_folds_do_widen_a_pair() -> None:
    noise = 0.01 * np.random.default_rng(0).normal(size=(3, 5))
    differences = (noise + np.array([[0.01], [0.0], [0.05]])).ravel()
    base = trial(1, {}, 0.9)
    (pair,) = against_best(
        [replace(base, values=0.9 + values) for values in (differences, np.zeros(15))], 1 / 5, 3
    )
    assert pair["p"] == pytest.approx(corrected_t(differences, 1 / 5, repeats=3).p)
    assert pair["p"] > 1.5 * corrected_t(differences, 1 / 5).p


def test_equal_trials_cannot_be_told_apart() -> None:
    one = trial(1, {}, 0.9)
    (pair,) = against_best([one, replace(one, number=2, values=one.values + 1e-16)], 1 / 5)
    assert (pair["difference"], pair["p"]) == (0.0, 1.0)


def test_noise_is_over_folds_and_seeds() -> None:
    one = replace(trial(1, {}, 0.9), values=np.array([0.8, 1.0, 0.9, 0.7]))
    noise = noise_of(one, 2)
    assert noise["folds"] == pytest.approx(math.sqrt((0.02 + 0.02) / 2))
    assert noise["seeds"] == pytest.approx(np.std([0.9, 0.8], ddof=1))
    assert noise_of(one, 1)["seeds"] is None


def surface(trials: int, seed: int, **more: Any) -> tuple[list[Trial], dict[str, Any]]:
    """Trials whose value depends on "a" and a little noise, and on nothing else."""
    space = {"a": Range(1e-4, 1, log=True), "b": Range(0, 1), "c": Choice(((1,), (2,)))}
    random = np.random.default_rng(seed)
    made = []
    for number, point in enumerate(drawn(space, trials, seed), 1):
        value = 0.9 - (space["a"].share(point["a"]) - 0.4) ** 2 + 0.005 * random.normal()
        made.append(trial(number, dict(point), value, **more))
    return made, space


def test_what_mattered_is_found_and_what_did_not_is_not_claimed() -> None:
    claimed = 0
    for seed in range(5):
        trials, space = surface(32, seed)
        found = influence_of(trials, space, "accuracy", seed)
        assert found[0].name == "a"
        assert found[0].clear
        assert found[0].share > 0.5
        assert abs(found[1].share) < 0.2
        claimed += found[1].clear + found[2].clear
        text = surface_sentence(found, trials, 3)
        assert text.startswith("Mattered, with the share of the variance of ranks: a (0.")
    assert claimed <= 1


def test_too_few_or_equal_trials_tell_nothing() -> None:
    trials, space = surface(11, 0)
    assert influence_of(trials, space, "accuracy", 0) == []
    assert "too few" in surface_sentence([], trials, 3)
    same = [replace(one, standing={"end": 0.9}) for one in surface(20, 0)[0]]
    assert influence_of(same, space, "accuracy", 0) == []
    assert "alike" in surface_sentence([], same, 3)


def test_the_surface_compares_what_was_trained_equally_long() -> None:
    trials, space = surface(30, 0)
    early = [
        replace(one, standing={"1 epoch": one.standing["end"], **({"end": 0.5} if n < 3 else {})})
        for n, one in enumerate(trials)
    ]
    expected = [replace(one, standing={"end": one.standing["end"]}) for one in trials]
    a, b = (influence_of(some, space, "accuracy", 0) for some in (early, expected))
    assert a == b


# Report


class Tags:
    """Counts what opens and closes."""

    def __init__(self, text: str) -> None:
        from html.parser import HTMLParser

        self.stack: list[str] = []
        parser = HTMLParser()
        parser.handle_starttag = self.open  # type: ignore[method-assign]
        parser.handle_endtag = self.close  # type: ignore[method-assign]
        parser.feed(text)

    def open(self, tag: str, attrs: object) -> None:
        if tag not in ("meta", "img", "br", "hr"):
            self.stack.append(tag)

    def close(self, tag: str) -> None:
        assert self.stack.pop() == tag


def test_the_report_is_one_whole_page(iris: Data) -> None:
    space = {
        **RATES,
        "batch_size": cy.space.uniform(8, 32),
        "schedule": cy.space.choice("one_cycle", "constant"),
    }
    named = replace(iris, name="<script>alert(1)</script>")
    found = cy.search(QUICK.replace(length="9 epochs"), named, space, "halving", 18, 3, 2, nested=2)
    found = replace(found, how={**found.how, "best": "chymist fit iris --recipe best.toml"})
    text = search_page(found.to_dict(), found.curves)
    assert Tags(text).stack == []
    assert "<script" not in text
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "")
    for piece in (found.verdict[:40], "Nested cross-validation", "Noise floor", "schedule",
                  "dropped after", "Learning curves", "Holm", "chymist fit iris"):  # fmt: skip
        assert piece in text
    assert text.count("<svg") == 3 + 1 + bool(found.influence)
    assert len(text) < 2_000_000
