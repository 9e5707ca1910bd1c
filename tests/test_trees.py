"""Decision trees as functions of arrays: criteria, cuts, growth and pruning."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from chymist.models.trees import (
    Rule,
    Sample,
    Tree,
    gain_ratio,
    gini_index,
    grow,
    information_gain,
    node_entropy,
    node_gini,
    split_information,
)
from chymist.models.trees.borrowed import from_sklearn, widen
from chymist.models.trees.cuts import best_cut, gains_of
from chymist.models.trees.error_based import error_based, pessimistic_errors, useless_cuts
from chymist.models.trees.fitting import Rows, cart_of, grown_by
from chymist.models.trees.pruning import errors_along, pessimistic, reduced_error, weakest_links
from chymist.models.trees.tree import collapse, problems
from tests.tree_tables import tennis, watermelon

ID3 = Rule("gain")
C45 = Rule("gain_ratio", cases=2, correction=True, halfway=False)
COUNTS = st.lists(st.integers(0, 50), min_size=2, max_size=6).filter(any)


def grown(sample: Sample, rule: Rule, weights: Any = None) -> Tree:
    return grow(sample, np.ones(len(sample.inputs)) if weights is None else weights, rule).tree


@given(COUNTS)
def test_entropy_and_gini_against_scipy_and_their_definition(counts: list[int]) -> None:
    shares = np.array(counts) / sum(counts)
    assert node_entropy(np.array(counts)) == pytest.approx(stats.entropy(shares, base=2), abs=1e-12)
    assert node_gini(np.array(counts)) == pytest.approx(1 - sum(p * p for p in shares), abs=1e-12)
    assert split_information(np.array(counts)) == pytest.approx(stats.entropy(shares, base=2))


@pytest.mark.parametrize(("classes", "impurity"), [(2, 0.5), (3, 2 / 3), (10, 0.9)])
def test_the_largest_gini_is_that_of_equal_classes(classes: int, impurity: float) -> None:
    assert node_gini(np.ones(classes)) == pytest.approx(impurity)
    assert node_entropy(np.ones(classes)) == pytest.approx(np.log2(classes))
    assert node_gini(np.array([10, 0])) == 0 == node_entropy(np.array([10, 0]))
    assert node_gini(np.zeros(2)) == 0 == node_entropy(np.zeros(2))


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=5))
def test_gain_is_mutual_information(pairs: list[tuple[int, int]]) -> None:
    table = np.array(pairs, float)
    if table.sum() == 0:
        return
    joint = stats.entropy(table.ravel(), base=2)
    expected = stats.entropy(table.sum(0), base=2) + stats.entropy(table.sum(1), base=2) - joint
    assert information_gain(table) == pytest.approx(expected, abs=1e-9)
    assert gini_index(table) <= node_gini(table.sum(0)) + 1e-12


def test_criteria_of_the_watermelon_table(chymist_data: Path) -> None:
    melons = watermelon(chymist_data)
    expected = {  # gain, gain ratio, Gini index: Zhou 2016, chapter 4
        "色泽": (0.108, 0.068, 0.427), "根蒂": (0.143, 0.102, 0.422), "敲声": (0.141, 0.106, 0.423),
        "纹理": (0.381, 0.263, 0.277), "脐部": (0.289, 0.187, 0.344), "触感": (0.006, 0.007, 0.494),
    }  # fmt: skip
    assert node_entropy(np.bincount(melons.labels)) == pytest.approx(0.9975, abs=5e-5)
    found = gains_of(melons.sample(), np.arange(17), np.ones(17), ID3)
    for column, name in enumerate(melons.names):
        counts = melons.counts(name)
        three = information_gain(counts), gain_ratio(counts), gini_index(counts)
        assert three == pytest.approx(expected[name], abs=6e-4), name
        assert found.gain[column] == pytest.approx(information_gain(counts), abs=1e-9)
        assert found.information[column] == pytest.approx(split_information(counts.sum(1)))


def test_thresholds_of_the_watermelon_table(chymist_data: Path) -> None:
    melons = watermelon(chymist_data, numbers=True)
    found = gains_of(melons.sample(), np.arange(17), np.ones(17), ID3)
    assert found.threshold[6:] == pytest.approx([0.3815, 0.126], abs=1e-6)
    assert found.gain[6:] == pytest.approx([0.262, 0.349], abs=6e-4)


def test_id3_grows_the_published_tree_of_the_watermelons(chymist_data: Path) -> None:
    melons = watermelon(chymist_data)
    touch = {"触感": {"硬滑": "是", "软粘": "否"}}
    colour = {"色泽": {"青绿": "是", "乌黑": touch, "浅白": "是"}}
    root = {"根蒂": {"蜷缩": "是", "稍蜷": colour, "硬挺": "否"}}
    blurred = {"触感": {"硬滑": "否", "软粘": "是"}}
    expected = {"纹理": {"清晰": root, "稍糊": blurred, "模糊": "否"}}
    assert melons.nested(grown(melons.sample(), ID3)) == expected


def test_play_tennis(chymist_data: Path) -> None:
    played = tennis(chymist_data)
    gains = {name: information_gain(played.counts(name)) for name in played.names}
    expected = {"outlook": 0.247, "temperature": 0.029, "humidity": 0.152, "windy": 0.048}
    assert gains == pytest.approx(expected, abs=6e-4)
    sunny = {"humidity": {"high": "no", "normal": "yes"}}
    rainy = {"windy": {"TRUE": "no", "FALSE": "yes"}}
    tree = {"outlook": {"overcast": "yes", "sunny": sunny, "rainy": rainy}}
    assert played.nested(grown(played.sample(), ID3)) == tree
    assert played.nested(grown(played.sample(), C45)) == tree


def test_play_tennis_with_numbers_is_the_tree_of_c45(chymist_data: Path) -> None:
    played = tennis(chymist_data, "numeric")  # Quinlan 1993, section 1.2: humidity <= 75
    plain = Rule("gain_ratio", cases=2, halfway=False)  # his release had no correction
    pruned = error_based(grow(played.sample(), np.ones(14), plain))
    sunny = {"humidity": {"<=75": "yes", ">": "no"}}
    rainy = {"windy": {"TRUE": "no", "FALSE": "yes"}}
    tree = {"outlook": {"overcast": "yes", "sunny": sunny, "rainy": rainy}}
    assert played.nested(pruned) == tree


def test_the_roots_of_c45_and_cart(chymist_data: Path) -> None:
    melons = watermelon(chymist_data)
    sample, everything = melons.sample(), np.arange(17)
    cut = best_cut(sample, everything, np.ones(17), C45)
    assert cut is not None
    assert melons.names[cut.column] == "纹理"
    rows = Rows(sample.inputs, sample.labels, np.ones(17), sample.categories, 2, 0)
    cart = cart_of(rows, 0.0, 5)
    assert melons.names[cart.column[0]] == "纹理"
    assert (cart.outputs(melons.inputs).argmax(1) == melons.labels).all()


def test_reduced_error_pruning_of_the_textbook(chymist_data: Path) -> None:
    melons = watermelon(chymist_data, first="脐部")  # which wins its tie with 色泽 in the book
    train = np.array([1, 2, 3, 6, 7, 10, 14, 15, 16, 17]) - 1
    valid = np.array([4, 5, 8, 9, 11, 12, 13]) - 1
    tree = grown(melons.sample(train), ID3)
    texture = {"纹理": {"清晰": "否", "稍糊": "是", "模糊": "是"}}
    colour = {"色泽": {"青绿": "是", "乌黑": texture, "浅白": "是"}}
    stalk = {"根蒂": {"稍蜷": colour, "蜷缩": "否", "硬挺": "是"}}
    hollow = {"色泽": {"青绿": "是", "乌黑": "是", "浅白": "否"}}
    assert melons.nested(tree) == {"脐部": {"凹陷": hollow, "稍凹": stalk, "平坦": "否"}}

    def accuracy(of: Tree) -> float:
        found = of.outputs(melons.inputs[valid]).argmax(1) == melons.labels[valid]
        return float(found.mean())

    assert accuracy(tree) == pytest.approx(3 / 7)  # 42.9 %
    held = melons.inputs[valid], melons.labels[valid], np.ones(7)
    careful = reduced_error(tree, *held, strict=True)  # as the book draws it
    stalk["根蒂"]["稍蜷"] = {"色泽": {"青绿": "是", "乌黑": "是", "浅白": "是"}}
    pruned = {"脐部": {"凹陷": "是", "稍凹": stalk, "平坦": "否"}}
    assert melons.nested(careful) == pruned
    assert accuracy(careful) == pytest.approx(5 / 7)  # 71.4 %
    assert accuracy(reduced_error(tree, *held)) == accuracy(careful)
    assert len(reduced_error(tree, *held)) < len(careful)


def test_pessimistic_errors_of_quinlans_example() -> None:
    rates = [pessimistic_errors(n, 0) / n for n in (6, 9, 1)]
    assert rates == pytest.approx([0.206, 0.143, 0.750], abs=5e-4)
    leaves = sum(pessimistic_errors(n, 0) for n in (6, 9, 1))
    assert leaves == pytest.approx(3.273, abs=1e-3)
    assert pessimistic_errors(16, 1) == pytest.approx(16 * 0.157, abs=0.05)
    exact = stats.beta.ppf(0.75, 8, 100 - 8 + 1)  # Clopper and Pearson: 7 errors of 100
    assert pessimistic_errors(100, 7) == pytest.approx(100 * exact, abs=0.25)


def random_table(seed: int, rows: int = 60, missing: float = 0.1) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    codes = random.integers([3, 4], size=(rows, 2))
    inputs = np.concatenate([codes, random.normal(size=(rows, 2)).round(1)], 1)
    labels = (inputs[:, 2] + (inputs[:, 0] == 1) + random.normal(size=rows) > 0.5).astype(int)
    inputs[random.random(inputs.shape) < missing] = np.nan
    return inputs.astype(np.float32), labels


SIZES = np.array([3, 4, 0, 0])


@given(st.integers(0, 10_000), st.sampled_from([ID3, C45]))
@settings(max_examples=12, deadline=None)
def test_weights_are_repeated_rows(seed: int, rule: Rule) -> None:
    inputs, labels = random_table(seed, 40)
    times = np.random.default_rng(seed).integers(0, 3, 40)
    often = np.repeat(np.arange(40), times)
    if not len(often):
        return
    weighed = grown(Sample(inputs, labels, 2, SIZES), rule, times.astype(float))
    repeated = grown(Sample(inputs[often], labels[often], 2, SIZES), rule)
    assert (weighed.column == repeated.column).all()
    np.testing.assert_allclose(weighed.value, repeated.value, atol=1e-9)
    np.testing.assert_allclose(weighed.weight, repeated.weight, atol=1e-9)


@given(st.integers(0, 10_000))
@settings(max_examples=12, deadline=None)
def test_properties_of_grown_and_pruned_trees(seed: int) -> None:
    inputs, labels = random_table(seed)
    sample = Sample(inputs, labels, 2, SIZES)
    for rule in (ID3, C45):
        full = grow(sample, np.ones(60), rule)
        assert list(problems(full.tree)) == []
        inner = full.tree.column >= 0
        for node in np.flatnonzero(inner):  # no row is lost, not even in parts
            kids = list(full.tree.children(node))
            assert full.tree.weight[kids].sum() == pytest.approx(full.tree.weight[node])
        others = random_table(seed + 1)
        pruned = [error_based(full, 0.25, True), error_based(full, 0.25, False)]
        pruned += [pessimistic(full.tree), reduced_error(full.tree, *others, np.ones(60))]
        for tree in pruned:
            assert list(problems(tree)) == []
            assert len(tree) <= len(full.tree)
            assert tree.leaves <= full.tree.leaves
            assert tree.depth <= full.tree.depth
            shares = tree.outputs(inputs)
            np.testing.assert_allclose(shares.sum(1), 1.0, atol=1e-9)


@given(st.integers(0, 10_000))
@settings(max_examples=12, deadline=None)
def test_a_full_tree_makes_no_error_on_consistent_rows(seed: int) -> None:
    inputs, _ = random_table(seed, missing=0.0)
    _, cell = np.unique(inputs, axis=0, return_inverse=True)
    labels = np.random.default_rng(seed).integers(0, 3, 60)[cell]  # noise, but equal rows agree
    tree = grown(Sample(inputs, labels, 3, SIZES), ID3)
    assert (tree.outputs(inputs).argmax(1) == labels).all()


def test_exclusive_or_has_no_gain_and_is_learnt() -> None:
    inputs = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
    labels = np.array([0, 1, 1, 0])
    for sizes in (np.array([2, 2]), np.array([0, 0])):
        tree = grown(Sample(inputs, labels, 2, sizes), ID3)
        assert (tree.outputs(inputs).argmax(1) == labels).all()
        stopped = grown(Sample(inputs, labels, 2, sizes), Rule("gain", min_gain=0.01))
        assert len(stopped) == 1


def test_growth_stops_where_it_is_told_to() -> None:
    inputs, labels = random_table(3, missing=0.0)
    sample = Sample(inputs, labels, 2, SIZES)
    assert grown(sample, Rule("gain", max_depth=2)).depth == 2
    few = grown(sample, Rule("gain", min_rows=20))
    assert (few.weight[few.column >= 0] >= 20).all()
    rich = grown(sample, Rule("gain", min_gain=0.2))
    for node in np.flatnonzero(rich.column >= 0):
        kids = list(rich.children(node))
        counts = rich.value[kids] * rich.weight[kids, None]
        assert information_gain(counts) >= 0.2 - 1e-6


def test_a_missing_cell_goes_on_in_parts() -> None:
    inputs = np.array([[0]] * 6 + [[1]] * 2 + [[np.nan]] * 2, np.float32)
    labels = np.array([0] * 6 + [1] * 2 + [1, 1])
    tree = grown(Sample(inputs, labels, 2, np.array([2])), Rule("gain", max_depth=1))
    np.testing.assert_allclose(tree.share, [1, 0.75, 0.25])
    np.testing.assert_allclose(tree.weight, [10, 7.5, 2.5])
    np.testing.assert_allclose(tree.value[1], [6 / 7.5, 1.5 / 7.5])
    found = tree.outputs(np.array([[np.nan], [7.0], [1.0]]))  # 7: a category without a route
    np.testing.assert_allclose(found[0], 0.75 * tree.value[1] + 0.25 * tree.value[2])
    np.testing.assert_allclose(found[1], found[0])
    np.testing.assert_allclose(found[2], [0, 1])


def test_a_column_without_values_and_rows_of_one_class() -> None:
    inputs = np.array([[np.nan, np.nan, 0], [np.nan, np.nan, 1]], np.float32)
    tree = grown(Sample(inputs, np.array([0, 1]), 2, np.array([0, 2, 0])), ID3)
    assert tree.column.tolist() == [2, -1, -1]
    assert len(grown(Sample(inputs, np.array([1, 1]), 2, np.array([0, 2, 0])), C45)) == 1


def test_the_gain_ratio_does_not_fall_for_identifiers() -> None:
    inputs = np.array([[n, n % 2] for n in range(12)], np.float32)
    labels = np.arange(12) % 2
    labels[0] = 1
    sample = Sample(inputs, labels, 2, np.array([12, 2]))
    by_gain = best_cut(sample, np.arange(12), np.ones(12), ID3)
    by_ratio = best_cut(sample, np.arange(12), np.ones(12), Rule("gain_ratio"))
    assert by_gain is not None
    assert by_ratio is not None
    assert (by_gain.column, by_ratio.column) == (0, 1)


def test_the_gain_of_a_threshold_is_corrected() -> None:
    values = np.array([1, 2, 3, 4, 5, 6, 7, 8], np.float32)[:, None]
    sample = Sample(values, np.array([0, 0, 0, 1, 1, 1, 1, 1]), 2, np.array([0]))
    found = gains_of(sample, np.arange(8), np.ones(8), C45)
    assert found.threshold[0] == 3.5
    # Two rows are left on either side, so five thresholds were tried.
    pure = stats.entropy([3, 5], base=2)
    assert found.gain[0] == pytest.approx(pure - np.log2(5) / 8)
    assert found.information[0] == pytest.approx(pure)
    assert grown(sample, C45).threshold[0] == 3  # a value of the training rows, as in C4.5


@pytest.mark.parametrize("regression", [False, True])
def test_cart_equals_scikit_learn(regression: bool) -> None:
    random = np.random.default_rng(0)
    inputs = random.normal(size=(200, 4)).astype(np.float32)
    values = inputs[:, 0] ** 2 + inputs[:, 1] + 0.3 * random.normal(size=200)
    inputs[random.random(inputs.shape) < 0.05] = np.nan
    new = random.normal(size=(500, 4)).astype(np.float32)
    new[random.random(new.shape) < 0.1] = np.nan
    kind = DecisionTreeRegressor if regression else DecisionTreeClassifier
    target = values if regression else np.digitize(values, [0.5, 1.5])
    weights = random.random(200)
    table = widen(inputs, np.zeros(4, int))
    path = kind(random_state=0).cost_complexity_pruning_path(inputs, target, weights)
    full = kind(random_state=0).fit(inputs, target, weights)
    value = full.tree_.value[:, :, 0] if regression else full.tree_.value[:, 0, :]
    tree = from_sklearn(full.tree_, table, value)
    links = weakest_links(tree)
    np.testing.assert_allclose(
        np.unique(links[np.isfinite(links)].round(9)), np.unique(path.ccp_alphas[1:].round(9)),
        rtol=1e-5, atol=2e-9,
    )  # fmt: skip
    for alpha in (0.0, float(np.quantile(path.ccp_alphas, 0.8)), path.ccp_alphas[-2] * 1.001):
        theirs = kind(random_state=0, ccp_alpha=alpha).fit(inputs, target, weights)
        ours = collapse(tree, (links <= alpha + 1e-12) & (alpha > 0))
        assert ours.leaves == theirs.get_n_leaves()
        expected = theirs.predict(new)[:, None] if regression else theirs.predict_proba(new)
        np.testing.assert_allclose(ours.outputs(new), expected, atol=1e-9)


def test_errors_along_the_prices_are_those_of_each_pruned_tree() -> None:
    inputs, labels = random_table(5, 200)
    rows = Rows(inputs, labels, np.ones(200), SIZES, 2, 0)
    tree = cart_of(rows, 0.0, 5)
    links = weakest_links(tree)
    errors = np.random.default_rng(0).random(len(tree))
    prices = np.unique([0.0, *links[np.isfinite(links)]])
    found = errors_along(tree, links, errors, prices)
    for price, value in zip(prices, found, strict=True):
        gone = links <= price
        alive, stack = [], [0]
        while stack:
            node = stack.pop()
            if gone[node] or tree.column[node] < 0:
                alive.append(node)
            else:
                stack += tree.children(node)
        assert value == pytest.approx(errors[alive].sum())


def test_pruning_helps_where_labels_are_noise() -> None:
    random = np.random.default_rng(0)
    inputs = random.normal(size=(3000, 5)).astype(np.float32)
    clean = (inputs[:, 0] > 0).astype(int)
    labels = np.where(random.random(3000) < 0.2, 1 - clean, clean)
    rows = Rows(inputs[:1500], labels[:1500], np.ones(1500), np.zeros(5, int), 2, 0)

    def wrong(tree: Tree) -> float:
        return float((tree.outputs(inputs[1500:]).argmax(1) != clean[1500:]).mean())

    plain = Rule("gain_ratio", cases=2, halfway=False)
    full = wrong(grown_by(rows, plain, "none", 0.3, 0.25))
    assert full > 0.1
    for method in ("error_based", "pessimistic", "reduced_error"):
        assert wrong(grown_by(rows, plain, method, 0.3, 0.25)) < 0.7 * full, method
    assert wrong(cart_of(rows, "cv", 5)) < 0.02 < wrong(cart_of(rows, 0.0, 5)) / 2


def test_useless_cuts_are_those_that_change_no_answer() -> None:
    inputs = np.array([[0], [0], [0], [1], [1], [1]], np.float32)
    labels = np.array([0, 0, 0, 0, 0, 1])
    tree = grown(Sample(inputs, labels, 2, np.array([2])), ID3)
    assert useless_cuts(tree)[0]
    assert len(error_based(grow(Sample(inputs, labels, 2, np.array([2])), np.ones(6), ID3))) == 1
