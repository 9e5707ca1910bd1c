"""Protocols, plans and numbers of seeds in `compare`, `search` and `learning_curve`."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

import chymist as cy
from chymist.errors import UsageError
from chymist.evidence import corrected_t
from chymist.keys import generator
from chymist.parts import Part
from chymist.values import Data, Recipe
from chymist.verbs.designs import Design, design_of, starts_at_random

MLP = Recipe(model=cy.models.mlp(hidden=(8,)), length="3 epochs", precision="float64")
SOFTMAX = Recipe(model="softmax", length="3 epochs", precision="float64")
NEAR, TREE = KNeighborsClassifier(), DecisionTreeClassifier()
GROUPS = np.arange(150) % 6
PRIOR = DummyClassifier(strategy="prior")
P = cy.protocols


@cache
def iris() -> Data:
    return cy.load("iris")


def design(protocol: Part | int | str, **more: Any) -> Design:
    given = {"seeds": None, "seed": 0, "group": None, "time": None, **more}
    return design_of(iris(), protocol, **given)


ALL: dict[str, tuple[Part, dict[str, Any], str]] = {
    "kfold": (P.kfold(folds=3, repeats=2), {}, "3 folds x 2 seeds"),
    "monte carlo": (P.monte_carlo(times=4), {}, "4 random splits"),
    "bootstrap": (P.bootstrap(times=3), {}, "3 bootstraps"),
    "rows": (P.leave_p_out(p=9, limit=4), {}, "4 sets of rows left out"),
    "groups": (P.leave_groups_out(), {"group": GROUPS}, "6 sets of groups left out"),
    "time": (P.time_series(folds=3), {"time": GROUPS * 30 + np.arange(150) % 29},
             "3 blocks in time"),
}  # fmt: skip


@pytest.mark.parametrize("case", ALL)
def test_entries_equal_their_own_cross_validation(case: str) -> None:
    protocol, more, words = ALL[case]
    entries = {"mlp": MLP.replace(stop=cy.stop.early("val_loss", patience="1 epoch")), "near": NEAR}
    found = cy.compare(entries, iris(), protocol, seed=2, **more)
    alone = cy.cross_validate(entries["mlp"], iris(), protocol, seed=2, floors=False, **more)
    (mlp,) = (entry for entry in found.entries if entry.name == "mlp")
    assert np.array_equal(mlp.predictions.rows, alone.predictions.rows)
    np.testing.assert_allclose(mlp.predictions.outputs, alone.predictions.outputs, atol=1e-9)
    np.testing.assert_allclose(mlp.values, [fold["value"] for fold in alone.folds])
    assert mlp.score == alone.score
    assert found.design == words
    assert words in found.verdict
    left = alone.facts["never_held"]
    assert any(f"{left} rows were never held out" in note for note in found.notes) == (left > 0)


def test_the_correction_has_the_ratio_of_the_protocol() -> None:
    found = cy.compare({"near": NEAR, "tree": TREE}, iris(), P.monte_carlo(times=12, test=0.3))
    a, b = (entry.values for entry in found.entries)
    (pair,), d = found.pairs, a - b
    t = d.mean() / (d.std(ddof=1) * np.sqrt(1 / 12 + 45 / 105))  # Nadeau, Bengio 2003
    same = corrected_t(d, 45 / 150)
    assert (pair.test, pair.p) == ("corrected t", pytest.approx(same.p))
    assert same.value / (same.high - same.value) == pytest.approx(t / 2.200985, rel=1e-5)
    assert design(5, seeds=2).test_share == 1 / 5
    boot = design(P.bootstrap(times=100))
    assert boot.test_share == pytest.approx(0.368, abs=0.01)  # of different rows


@pytest.mark.parametrize(
    ("protocol", "repeats", "one_seed"),
    [
        (P.kfold(folds=4), 1, True),
        (P.kfold(folds=4, repeats=3), 3, False),
        (P.monte_carlo(times=5), 1, False),  # each draw has an initialisation of its own
        (P.bootstrap(times=5), 1, False),
        (P.leave_p_out(p=4, limit=5), 1, True),
    ],
)
def test_which_cuts_share_an_initialisation(protocol: Part, repeats: int, one_seed: bool) -> None:
    found = design(protocol)
    assert (found.repeats, found.one_seed) == (repeats, one_seed)
    assert len({split.seed for split in found.splits(False)}) == found.cuts[-1].repeat + 1


def drawn(name: str, random: np.random.Generator, rows: int) -> list[tuple[np.ndarray, Any]]:
    """Weights (rows,) of training rows, and held rows, of 20 random splits or bootstraps."""
    made = []
    for _ in range(20):
        if name == "bootstrap":
            weights = np.bincount(random.integers(rows, size=rows), minlength=rows)
        else:
            weights = (random.permutation(rows) >= rows // 5).astype(int)
        made.append((weights, weights == 0))
    return made


@pytest.mark.parametrize(("name", "most"), [("monte_carlo", 0.06), ("bootstrap", 0.06)])
def test_equal_classifiers_are_seldom_told_apart(name: str, most: float) -> None:
    """Nearest means on two halves of equally good columns."""
    wrong, rows, dims, sims = 0, 200, 8, 250
    sign = np.where(np.arange(rows) % 2, 1, -1)
    share = 0.2 if name == "monte_carlo" else design(P.bootstrap(times=20)).test_share
    for seed in range(sims):
        random = generator(seed, "equal classifiers")
        x = random.standard_normal((rows, 2 * dims)) + sign[:, None] * 1.28 / np.sqrt(dims)
        d = []
        for weights, held in drawn(name, random, rows):
            means = [np.average(x, 0, weights * (sign == side)) for side in (1, -1)]
            score = (x[held] - (means[0] + means[1]) / 2) * (means[0] - means[1])
            said = [score[:, part].sum(1) > 0 for part in (slice(dims), slice(dims, None))]
            d.append(np.mean(said[0] == (sign[held] > 0)) - np.mean(said[1] == (sign[held] > 0)))
        wrong += corrected_t(np.array(d), share).clear
    assert 0 < wrong <= most * sims


# --- how many seeds ---


def test_entries_that_start_at_random_have_three_seeds() -> None:
    ways = {"mlp": MLP, "near": NEAR}
    assert cy.compare(ways, iris(), 2).design == "2 folds x 3 seeds"
    assert cy.compare(ways, iris(), 2, seeds=1).design == "2 folds x 1 seed"
    assert cy.compare({"near": NEAR, "tree": TREE}, iris(), 2).design == "2 folds x 1 seed"
    exact = {"a": Recipe(model="linear"), "b": Recipe(optimizer=cy.optim.closed_form(l2=9.0))}
    exact["b"] = exact["b"].replace(model="linear")
    assert cy.compare(exact, cy.load("diabetes"), 3).design == "3 folds x 1 seed"
    said = cy.compare(ways, iris(), P.kfold(folds=2)).design  # a protocol says it itself
    assert said == "2 folds x 1 seed"


def test_what_starts_at_random() -> None:
    assert starts_at_random(SOFTMAX)
    assert starts_at_random(make_pipeline(StandardScaler(), MLPClassifier()))
    assert starts_at_random(cy.as_estimator(MLP, task="classification"))
    assert not starts_at_random(Recipe(model="linear", optimizer="closed_form"))
    assert not starts_at_random(RandomForestClassifier())


def test_one_seed_is_cautioned_where_all_cuts_share_it() -> None:
    long = MLP.replace(length="30 epochs")
    chance = cy.compare({"mlp": long, "prior": PRIOR}, iris(),
                        P.leave_groups_out(), group=GROUPS)  # fmt: skip
    caution = "one seed: another initialisation may turn this, try 3 seeds."
    assert chance.verdict.endswith(caution)
    splits = cy.compare({"mlp": long, "prior": PRIOR}, iris(),
                        P.monte_carlo(times=6))  # fmt: skip
    assert splits.verdict.endswith("(6 random splits, corrected t).")


# --- what is refused ---


@pytest.mark.parametrize(
    ("protocol", "more", "said"),
    [
        (P.monte_carlo(times=40, test=1), {}, "need rows that are held out equally often"),
        (P.leave_p_out(p=2, limit=9), {"metric": "auc"}, "need rows that are held out equally"),
        (P.kfold(folds=3), {"seeds": 3}, "a protocol says itself how often it cuts, in seeds"),
        (P.monte_carlo(), {"seeds": 1}, "a protocol says itself"),
        (P.kfold(folds=3), {"time": GROUPS}, "would train on later rows"),
        (P.time_series(), {}, "needs the order of the rows"),
        (P.leave_groups_out(), {}, "needs groups"),
        (P.leave_p_out(), {"group": GROUPS}, "would part the rows of a group"),
    ],
)
def test_wrong_use_is_one_line(protocol: Part, more: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError) as caught:
        cy.compare({"mlp": MLP, "near": NEAR}, iris(), protocol, **more)
    assert said in caught.value.line()
    assert len(caught.value.line()) <= 200


def test_single_rows_that_are_held_equally_often_are_tested_on_rows() -> None:
    few = cy.load((np.stack(list(iris().inputs.values()), 1)[::5], iris().targets[::5]))
    for protocol in (P.leave_p_out(p=1), P.leave_one_out(repeats=2)):
        found = cy.compare({"near": NEAR, "tree": TREE}, few, protocol)
        assert found.pairs[0].test == "paired rows"


def test_a_split_in_time_is_compared_by_blocks_only(tmp_path: Path) -> None:
    lines = [f"{n},{n % 7},{n % 5 + n % 2},{'ab'[n % 2]}" for n in range(80)]
    (tmp_path / "t.csv").write_text("day,x,y,kind\n" + "\n".join(lines) + "\n")
    split = cy.split(cy.load(tmp_path / "t.csv"), test=0.2, valid=0.2, time="day")
    entries = {"near": NEAR, "tree": TREE}
    with pytest.raises(UsageError, match=r"cy.protocols.time_series"):
        cy.compare(entries, split, 3)
    found = cy.compare(entries, split, P.time_series(folds=2))
    assert found.design == "2 blocks in time"
    assert max(found.entries[0].predictions.rows) < 64


# --- search ---

RATES = {"optimizer.lr": cy.space.choice(1e-5, 1e-1)}
QUICK = Recipe(model="softmax", optimizer="adam", length="4 epochs", precision="float64")


@pytest.mark.parametrize("case", [name for name in ALL if name != "kfold"])
def test_trials_equal_their_own_cross_validation(case: str) -> None:
    protocol, more, words = ALL[case]
    found = cy.search(QUICK, iris(), RATES, "grid", folds=protocol, seed=3, **more)
    assert (found.facts["design"], found.facts["protocol"]) == (words, str(protocol))
    for trial in found.trials:
        alone = cy.cross_validate(trial.recipe, iris(), protocol, seed=3, floors=False, **more)
        np.testing.assert_allclose(trial.values, [fold["value"] for fold in alone.folds], atol=1e-9)
    best, other = (trial.values for trial in found.trials)
    same = corrected_t((best - other).round(12), design(protocol, seed=3, **more).test_share)
    assert found.pairs[0]["p"] == pytest.approx(same.p)
    assert found.facts["one_seed"] == (case not in ("monte carlo", "bootstrap"))
    assert ("one seed" in found.verdict) == (found.facts["one_seed"] and same.p < 0.05)


def test_halving_with_random_splits() -> None:
    space = {"optimizer.lr": cy.space.log(1e-4, 1e-1)}
    recipe = QUICK.replace(length="9 epochs")
    found = cy.search(recipe, iris(), space, "halving", 9, P.monte_carlo(times=3))
    assert [trial.reached for trial in found.trials].count("") == 3
    assert len(found.trials[0].values) == 3


def test_nested_folds_of_a_time_series_are_blocks() -> None:
    when = np.arange(150.0)[::-1] % 50 * 3 + np.arange(150) // 50  # classes take turns
    for nested in (True, 2):
        found = cy.search(QUICK, iris(), RATES, "grid", folds=P.time_series(folds=3, size=20),
                          nested=nested, time=when)  # fmt: skip
        assert [fold["n"] for fold in found.outer] == [20] * (3 if nested is True else 2)
    with pytest.raises(UsageError, match="give the number of outer folds"):
        cy.search(QUICK, iris(), RATES, "grid", folds=P.monte_carlo(), nested=True)
    found = cy.search(QUICK, iris(), RATES, "grid", folds=P.monte_carlo(times=2), nested=2)
    assert len(found.outer) == 2
    with pytest.raises(UsageError, match="a protocol says itself"):
        cy.search(QUICK, iris(), RATES, "grid", folds=P.monte_carlo(), seeds=2)


# --- plans ---

SMALL = Recipe(model=cy.models.cnn(channels=(2,), hidden=(4,)), length="1 epoch", stop="none")


@cache
def images() -> Data:
    digits = cy.load("digits")
    return cy.load((digits.inputs[:48], digits.targets[:48] % 2))


def test_a_plan_is_followed_everywhere(tmp_path: Path) -> None:
    rates = {"optimizer.lr": cy.space.choice(1e-3, 1e-2)}
    other = SMALL.replace(optimizer=cy.optim.adam(lr=0.1))

    def asked(plan: Path | None) -> list[Any]:
        base: dict[str, Any] = {"threads": 1, "plan": plan}
        halved = SMALL.replace(length="3 epochs")
        return [
            cy.cross_validate(SMALL, images(), 2, floors=False, **base).facts["plan"],
            cy.compare({"a": SMALL, "b": other}, images(), 2, 1, **base).plan,
            cy.search(SMALL, images(), rates, "grid", folds=2, **base).facts["plan"],
            cy.search(halved, images(), {"optimizer.lr": cy.space.log(1e-3, 1e-2)}, "halving",
                      9, 2, **base).facts["plan"],
            cy.learning_curve(SMALL, images(), [0.5, 1.0], 2, **base).facts["plan"],
        ]  # fmt: skip

    pinned = tmp_path / "plan.json"
    content = json.loads(Path(asked(None)[0]["file"]).read_text())
    wanted = {}  # another form than what was measured to be fastest
    for kind in content.values():
        fastest = min(kind["seconds"], key=kind["seconds"].get)
        form = wanted[kind["what"]] = "stacked" if fastest == "grouped" else "grouped"
        kind["seconds"] = dict.fromkeys(kind["seconds"], 2.0) | {form: 1.0}
    pinned.write_text(json.dumps(content))
    for plan in asked(pinned):
        assert plan["file"] == str(pinned)
        assert plan["measured"]
        assert all(kind["chosen"] == wanted[kind["what"]] for kind in plan["measured"])


def test_copies_are_told_in_comparisons_and_searches() -> None:
    said = "2 rows occur more than once: training may see the copy of a held-out row"
    found = cy.compare({"near": NEAR, "tree": TREE}, iris(), 3)
    assert any(note.startswith(said) for note in found.notes)
    searched = cy.search(QUICK.replace(length="1 epoch"), iris(), RATES, "grid", folds=2)
    assert any(note.startswith(said) for note in searched.facts["notes"])
    apart = np.arange(150) // 2  # the copies are rows 101 and 142
    found = cy.compare({"near": NEAR, "tree": TREE}, iris(), 3, group=apart)
    assert any("2 rows have a copy in another group" in note for note in found.notes)


def test_an_unknown_executor_is_refused() -> None:
    with pytest.raises(UsageError, match='choose "auto" or "loop"'):
        cy.cross_validate(QUICK, iris(), 2, executor="lop")  # type: ignore[arg-type]
