"""What a fresh reader found in parts, formulas and gradients, so that it stays mended."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import chymist as cy
from chymist import losses
from chymist.errors import InputError, UsageError
from chymist.gradients import by_hand
from chymist.models import Unshared2d, build_model
from chymist.models.building import initialize
from chymist.parts import Part, part
from chymist.reports.layers import layer_table
from chymist.values import Shapes

maths = cy.maths


@pytest.fixture(scope="module")
def iris() -> cy.Split:
    return cy.split(cy.load("iris"), seed=0)


@pytest.fixture(scope="module")
def tree(iris: cy.Split, tmp_path_factory: pytest.TempPathFactory) -> cy.Run:
    out = tmp_path_factory.mktemp("tree") / "run"
    return cy.fit(cy.Recipe(model=cy.models.cart(max_depth=1)), iris, out=out, doctor=False)


def test_units_of_a_place_start_as_those_of_a_convolution() -> None:
    layer, places = Unshared2d(3, 8, 3, 5, 6), 30
    for name, fan in (("xavier_normal", 2 / (27 + 72)), ("he_normal", 2 / 27)):
        initialize(layer, 0, part("init", name).build(None))
        assert float(layer.weight.detach().var()) == pytest.approx(fan, rel=0.05), name
    initialize(layer, 0, part("init", "orthogonal").build(None))
    rows = layer.weight.detach().flatten(1).unflatten(0, (8, places)).transpose(0, 1)
    assert torch.allclose(rows @ rows.mT, torch.eye(8).expand(places, 8, 8), atol=1e-5)
    assert not torch.allclose(rows[0], rows[1])


ROWS = {
    "mse": (torch.zeros(3, 2), torch.ones(3, 2)),
    "cross_entropy": (torch.zeros(3, 2), torch.tensor([0, 1, 1])),
    "binary_cross_entropy": (torch.zeros(3, 1), torch.ones(3, 1)),
    "hinge": (torch.zeros(3, 2), torch.tensor([0, 1, 1])),
    "poisson": (torch.zeros(3, 1), torch.ones(3, 1)),
    "mae": (torch.zeros(3, 1), torch.ones(3, 1)),
}


@pytest.mark.parametrize("name", ROWS)
def test_a_reduction_that_is_not_known_is_refused(name: str) -> None:
    loss: Callable[..., Tensor] = getattr(losses, name)
    each = loss(*ROWS[name], "none")
    assert each.shape == (3,)
    assert float(loss(*ROWS[name])) == pytest.approx(float(each.mean()), rel=1e-6)
    for unknown in ("sum", "Mean", None):
        with pytest.raises(UsageError, match="unknown reduction"):
            loss(*ROWS[name], unknown)


def test_words_that_are_not_known_are_refused() -> None:
    wrong: Any = "min"
    with pytest.raises(UsageError, match=r"kind of pooling.*min"):
        maths.pool([[1.0, 2.0], [3.0, 4.0]], kind=wrong)
    wrong = "bit"
    with pytest.raises(UsageError, match="did you mean 'bits'"):
        maths.entropy([0.5, 0.5], wrong)
    with pytest.raises(UsageError, match="unit"):
        maths.mutual_information([[0.5, 0.0], [0.0, 0.5]], wrong)


def test_a_candidate_without_values_is_not_the_best() -> None:
    with pytest.raises(InputError, match="one value for each row, in nowhere: got nan"):
        maths.goodness({"nowhere": lambda x: x * np.nan, "f": lambda x: x}, [1, 2], [1, 3])
    found = maths.goodness({"far": lambda x: x * np.inf, "f": lambda x: x}, [1, 2], [1, 3])
    assert list(found) == ["f", "far"]


def test_neighbours_of_rows_far_apart() -> None:
    near = np.random.default_rng(0).normal(size=(20, 2))
    found = maths.neighbor_weights(np.concatenate([near - 1e8, near + 1e8]), 3)
    alone = maths.neighbor_weights(near - 1e8, 3)
    assert np.array_equal(found[:20, :20], alone)
    assert not found[:20, 20:].any()
    distances = np.linalg.norm((near - 1e8)[:, None] - (near - 1e8)[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    own = distances <= np.sort(distances, axis=1)[:, 2:3]
    assert np.array_equal(alone, own | own.T)


def test_a_row_is_not_its_own_neighbour() -> None:
    weights = np.array([[0.0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0]])
    outputs = [0.0, 1, 0, 1]
    assert maths.inconsistency(outputs, weights + np.eye(4)) == maths.inconsistency(
        outputs, weights
    )
    with pytest.raises(InputError, match="no two rows are similar"):
        maths.inconsistency(outputs, np.eye(4))


def test_what_torch_refuses_is_told_as_it_is() -> None:
    def lazy() -> nn.Module:
        return nn.Sequential(nn.LazyLinear(4), nn.ReLU(), nn.LazyLinear(2))

    def own(model: Any) -> Part:
        made = cy.Recipe(model=model).model
        assert made is not None
        return made

    with pytest.raises(UsageError, match=r"lazy layers.*0\.weight.*leave init out"):
        build_model(own(lazy), Shapes((3,), 2), 0, part("init", "he_normal"))
    flat = nn.Conv2d(1, 2, 3)
    with pytest.raises(UsageError, match="too large to count with, in init"):
        build_model(own(flat), Shapes((1, 4, 4), 2), 0,
                    part("init", "he_uniform", slope=1e300))  # fmt: skip
    norm = nn.Linear(3, 2)
    norm.weight = nn.Parameter(torch.zeros(3, 2).long(), requires_grad=False)  # no real numbers
    with pytest.raises(UsageError, match="torch refuses this"):
        build_model(own(norm), Shapes((3,), 2), 0, part("init", "he_normal"))


@pytest.mark.parametrize(
    ("function", "formula"),
    [
        (lambda x, y: torch.pow(2.0, x), "2 ^ x"),
        (lambda x, y: torch.pow(x, exponent=2), "x ^ 2"),
        (lambda x, y: 2.0**x, "2 ^ x"),
        (lambda x, y: torch.add(x, y, alpha=2), "x + 2 × y"),
        (lambda x, y: torch.sub(x, 3, alpha=2), "x - 6"),
        (lambda x, y: torch.sub(other=y, input=x), "x - y"),
        (lambda x, y: torch.rsub(x, y), "rsub(x, y)"),
        (lambda x, y: torch.rsub(x, 2, alpha=3), "2 - 3 × x"),
        (lambda x, y: 1 / x, "1 / x"),
        (lambda x, y: x * np.float32(2), "x × 2"),
        (lambda x, y: torch.div(x, y, rounding_mode="floor"), "div_floor(x, y)"),
        (lambda x, y: x @ y, "x @ y"),
    ],
)
def test_a_node_says_what_is_calculated(function: Callable[..., Tensor], formula: str) -> None:
    found = cy.gradients.graph(lambda x, y: function(x, y).sum() + y.sum(),
                               {"x": np.array([1.5, 2.0]), "y": np.array([3.0, 0.5])})  # fmt: skip
    assert formula in [found.formula(node) for node in found.nodes]


@pytest.mark.parametrize("kernel", [1, 3])
def test_units_of_their_own_see_what_a_convolution_sees(kernel: int) -> None:
    def fields(layer: nn.Module) -> list[Any]:
        model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.MaxPool2d(2), layer, nn.Conv2d(2, 1, 3),
                              nn.Flatten(), nn.Linear(4, 1))  # fmt: skip
        return [row.receptive_field for row in layer_table(model, (1, 10, 10), costs=True)]

    own = fields(Unshared2d(2, 2, kernel, 4, 4))
    assert own == fields(nn.Conv2d(2, 2, kernel, padding=kernel // 2))
    assert own[2] == (4 + 2 * (kernel - 1),) * 2
    assert own[-1] == "all"


def test_a_model_without_slopes_is_refused_and_a_flat_one_has_slope_0(tree: cy.Run) -> None:
    rows = torch.zeros(2, 4)
    for take in (cy.gradients.jacobian, cy.gradients.ascend):
        with pytest.raises(InputError, match="have no gradient"):
            take(tree.model, rows)
        with pytest.raises(InputError, match="real numbers"):
            take(nn.Linear(4, 1), rows.long())

    class Flat(nn.Linear):
        def forward(self, given: Tensor) -> Tensor:
            return self.bias.expand(len(given), 1)

    assert not cy.gradients.jacobian(Flat(4, 1), rows).any()
    assert not cy.gradients.ascend(Flat(4, 1), rows, steps=1).inputs.any()


def test_the_stability_of_a_tree_in_a_folder(tree: cy.Run) -> None:
    one = cy.tree_stability(tree, bootstraps=2)
    other = cy.tree_stability(tree.path, bootstraps=2)
    np.testing.assert_array_equal(one.frequency, other.frequency)
    for bad in ({"bootstraps": -3}, {"bootstraps": 0}, {"bootstraps": 2.5}, {"seed": -1}):
        with pytest.raises(UsageError, match="not a whole number"):
            cy.tree_stability(tree, **bad)


@pytest.mark.parametrize("name", ["foo.bar", "foo", "", "batch_size.bar", "depth of foo.bar"])
def test_an_effect_of_no_option_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="unknown recipe field"):
        cy.effects(cy.load("iris"), values={name: [1, 2]}, rows=20, repeats=2)
    with pytest.raises(UsageError, match="are a list"):
        cy.effects(cy.load("iris"), values={"batch_size": 3}, rows=20, repeats=2)  # type: ignore[dict-item]


def test_starts_of_kmeans_are_counted_in_whole_numbers() -> None:
    for bad in (0.5, "a"):
        with pytest.raises(UsageError, match="not a whole number"):
            cy.kmeans(cy.load("iris"), 2, seed=bad)  # type: ignore[arg-type]


def test_a_race_takes_names_and_refuses_the_rest(iris: cy.Split) -> None:
    short = cy.Recipe(model="softmax", length="1 epoch")
    given: Any = {"a": "sgd", "b": cy.optim.sgd()}
    found = cy.race(iris, given, rates=[0.1], seeds=np.int64(1), recipe=short)
    first, second = found.racers
    assert {first.name, second.name} == {"a", "b"}
    assert np.array_equal(first.losses, second.losses)
    for bad, seeds, rates in (
        ({"a": 3}, 1, [0.1]), ([3], 1, [0.1]), (["sgd"], [0, 0, 0], [0.1]),
        (["sgd"], np.array([1, 1]), [0.1]), (["sgd"], 1.5, [0.1]), (["sgd"], [], [0.1]),
        (["sgd"], 1, ["x"]), (["sgd"], 1, 0.1),
    ):  # fmt: skip
        anything: Any = (bad, rates, seeds)
        with pytest.raises(UsageError):
            cy.race(iris, *anything, recipe=short)


def test_values_of_a_distribution_are_one_row() -> None:
    for values, chances in (([[1, 2], [3, 4]], [0.5, 0.5]), (3, [1.0])):
        with pytest.raises(InputError, match="a row of numbers"):
            maths.expectation(values, chances)
        with pytest.raises(InputError, match="a row of numbers"):
            maths.variance(values, chances)


def test_what_formulas_by_hand_cannot_take() -> None:
    for labels in ([0.7], [2], [-1], [np.nan], ["a"], 0, []):
        with pytest.raises(InputError):
            by_hand.softmax([[1.0]], [[0.0, 0.0]], [0.0, 0.0], labels)
    assert by_hand.softmax(np.zeros((0, 2)), np.zeros((2, 2)), np.zeros(2), []).loss == 0
    for take, targets in ((by_hand.softmax, [0]), (by_hand.perceptron, [[1.0]])):
        with pytest.raises(InputError, match="shapes do not fit"):
            take([[1.0]], 3.0, [0.0], targets)
    with pytest.raises(InputError, match="shapes do not fit"):
        by_hand.two_layers([[1.0]], (3.0, [0.0]), ([[2.0]], [-1.0]), [[1.0]])
