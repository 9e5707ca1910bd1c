"""The sentence of a comparison never names the wrong winner."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from chymist.evidence import Entry, compare_entries, comparison_verdict
from chymist.values import Predictions, Score


def entry(name: str, values: np.ndarray, metric: str) -> Entry:
    """An entry with given fold values; its rows agree with them."""
    score = Score(metric, float(values.mean()), -np.inf, np.inf, 10 * len(values), "out-of-fold")
    none = Predictions(np.arange(2), np.zeros(2), np.full(2, float(values.mean())))
    return Entry(name, score, values, none, {"parameters": None, "seconds": 0.0, "executor": ""})


VALUES = st.lists(st.floats(0.01, 1.0), min_size=6, max_size=6)


@given(st.lists(VALUES, min_size=2, max_size=5), st.sampled_from(["accuracy", "rmse", "r2", "auc"]))
@settings(max_examples=30, deadline=None)
def test_a_sentence_never_names_the_wrong_winner(tables: list[list[float]], metric: str) -> None:
    greater = metric != "rmse"
    made = [entry(f"e{n}", np.array(values), metric) for n, values in enumerate(tables)]
    means = {one.name: float(one.values.mean()) for one in made}
    # Equal differences go to the rows, which these entries do not have.
    if any(0 < np.ptp(a.values - b.values) < 1e-9 for a in made for b in made) or any(
        np.ptp(a.values - b.values) == 0 != (a.values - b.values)[0] for a in made for b in made
    ):
        return
    ranking, pairs = compare_entries(made, 1 / 6)
    said = comparison_verdict(ranking, pairs, "6 folds x 1 seed", metric)

    def ahead(a: str, b: str) -> bool:
        return means[a] > means[b] if greater else means[a] < means[b]

    adjusted = multipletests([pair.p for pair in pairs], method="holm")[1]
    np.testing.assert_allclose([pair.p_holm for pair in pairs], adjusted)
    for pair in pairs:
        assert pair.difference == pytest.approx(means[pair.a] - means[pair.b], abs=2e-5)
        if pair.better:
            loser = pair.b if pair.better == pair.a else pair.a
            assert ahead(pair.better, loser)
            assert pair.low > 0 or pair.high < 0
    told = {pair.b for pair in pairs if pair.a == ranking[0].name and pair.better}
    winner = re.match(r"(\w+) is (better than|best)", said)
    assert bool(winner) == bool(told)
    if winner:
        assert winner[1] == ranking[0].name
        assert not any(ahead(other, winner[1]) for other in means)
        best = re.search(r"is better than (?:the )?(\d+) others", said)
        assert len(told) == (int(best[1]) if best else 1)
        if not best:
            assert f"is better than {told.pop()} " in said
    else:
        assert said.startswith("cannot tell ")


def test_sentences_of_losses_and_of_many() -> None:
    base = np.array([1.0, 1.1, 0.9, 1.2, 1.0, 0.8])
    noise = np.array([0.02, -0.01, 0.0, 0.03, -0.02, 0.01])
    low, high = entry("low", base, "rmse"), entry("high", base + 1 + noise, "rmse")

    def said(*entries: Entry) -> str:
        ranking, pairs = compare_entries(entries, 1 / 6)
        return comparison_verdict(ranking, pairs, "D", entries[0].score.metric)

    assert (
        said(high, low)
        == "low is better than high by 1.005 [0.9759, 1.034] in rmse (D, corrected t)."
    )
    close = entry("close", base + noise, "rmse")
    assert said(high, close, low) == (
        "low is best; it cannot be told from close (difference -0.005 [-0.03412, 0.02412] in rmse); "
        "it is better than high (D, corrected t, Holm-corrected)."
    )
    third = entry("third", base + 2 - noise, "rmse")
    assert said(high, low, third) == (
        "low is better than the 2 others; next is high, by 1.005 [0.9759, 1.034] in rmse "
        "(D, corrected t, Holm-corrected)."
    )
    others = [entry(f"c{n}", base + np.roll(noise, n), "rmse") for n in range(5)]
    assert said(low, *others).startswith("cannot tell low from any of the others: c")
    assert "and 2 more (D" in said(low, *others)
