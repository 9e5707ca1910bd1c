"""What the course says of linear models, held against numbers; where it is wrong, the right one."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import chymist as cy
from chymist import losses
from chymist.engine.closed_form import least_squares
from chymist.models import build_model
from chymist.parts import part
from chymist.values import Shapes, Split

NONE = np.array([], np.int64)


def all_rows(x, y, task: str) -> Split:
    data = cy.load((x, y), task=task)
    return Split(data, np.arange(len(data)), NONE, NONE, 0, "all rows")


def descend(layer: nn.Linear, x, y, rate: float, steps: int) -> list[float]:
    values = []
    optimizer = torch.optim.SGD(layer.parameters(), rate)
    for _ in range(steps):
        optimizer.zero_grad()
        loss = (layer(x) - y).square().mean() / 2
        loss.backward()
        optimizer.step()
        values.append(loss.item())
    return values


def line(weight: float, bias: float) -> nn.Linear:
    layer = nn.Linear(1, 1).double()
    with torch.no_grad():
        layer.weight.fill_(weight), layer.bias.fill_(bias)
    return layer


def test_softmax_regression_of_four_inputs_and_three_outputs_has_15_parameters():
    # Course: W34.
    model = build_model(part("model", "softmax"), Shapes((4,), 3), 0)
    assert [tuple(p.shape) for p in model.parameters()] == [(3, 4), (3,)]
    assert sum(p.numel() for p in model.parameters()) == 15


def test_affine_maps_of_affine_maps_are_affine():
    # Course: W41, W42.
    once = line(2.0, 3.0)
    x = torch.tensor([[0.0], [1.0]], dtype=torch.float64)
    assert once(once(once(x)))[:, 0].tolist() == [21.0, 29.0]
    generator = torch.Generator().manual_seed(0)
    layers = [torch.randn(8, 8, generator=generator, dtype=torch.float64) / 8**0.5
              for _ in range(100)]  # fmt: skip
    rows = torch.randn(5, 8, generator=generator, dtype=torch.float64)
    one_by_one, product = rows, torch.eye(8, dtype=torch.float64)
    for layer in layers:
        one_by_one, product = one_by_one @ layer, product @ layer
    at_once = rows @ product
    assert float((one_by_one - at_once).abs().max() / at_once.abs().max()) < 1e-6


def test_candidate_lines():
    # Course: W53.
    x = torch.tensor([[1.0], [10.0]], dtype=torch.float64)
    found = [line(w, b)(x)[:, 0].tolist() for b, w in ((10.0, 9.0), (9.8, 9.2), (-0.8, -1.2))]
    np.testing.assert_allclose(found, [[19, 100], [19, 101.8], [-2, -12.8]], atol=1e-12)


def test_the_gradient_of_ten_squared_errors_and_their_mean():
    # Course: W54, W55.
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 10))
    layer = line(0.7, -0.2)
    given, wanted = (torch.from_numpy(v)[:, None] for v in (x, y))
    (layer(given) - wanted).square().sum().backward()
    error = y - (-0.2 + 0.7 * x)
    assert layer.weight.grad.item() == pytest.approx(-2 * (error * x).sum())
    assert layer.bias.grad.item() == pytest.approx(-2 * error.sum())
    ones = losses.mse(torch.ones(10, 1), torch.zeros(10, 1))
    assert ones.item() == 1.0  # (1/N) sum e; the printed N/10 sum e gives 10


def test_a_linear_regression_that_starts_at_zero_learns():
    # Course: W72.
    x = torch.tensor([[1.0], [2.0], [3.0]], dtype=torch.float64)
    layer = line(0.0, 0.0)
    (layer(x) - 2 * x).square().mean().div(2).backward()
    assert layer.weight.grad.item() == pytest.approx(-28 / 3)
    assert layer.bias.grad.item() == pytest.approx(-4.0)
    values = descend(layer, x, 2 * x, 0.3, 600)
    assert layer.weight.item() == pytest.approx(2.0, abs=1e-6)
    assert layer.bias.item() == pytest.approx(0.0, abs=1e-6)
    assert values[0] > values[50] > values[-1]  # and downhill: the step is minus the slope


def test_hidden_layers_that_start_at_zero_do_not_learn():
    net = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))
    for parameter in net.parameters():
        nn.init.zeros_(parameter)
    net(torch.ones(4, 2)).sub(1).square().mean().backward()
    assert not net[0].weight.grad.any()


def test_descent_of_a_linear_regression_has_one_end_unless_columns_depend():
    rng = np.random.default_rng(1)
    x = torch.from_numpy(rng.normal(size=(30, 2)))
    y = x @ torch.tensor([[1.0], [-2.0]], dtype=torch.float64) + 0.1
    for columns, unique in (([0, 1], True), ([0, 1, 0], False)):
        ends, finals = [], []
        for seed in range(5):
            torch.manual_seed(seed)
            layer = nn.Linear(len(columns), 1).double()
            finals.append(descend(layer, x[:, columns], y, 0.5, 150)[-1])
            ends.append(layer.weight.detach().numpy()[0])
        assert max(finals) < 1e-12  # no local optimum in either case
        assert (np.ptp(ends, 0).max() < 1e-6) == unique


def test_perceptron_and_hinge_losses_of_the_example():
    # Course: W73.
    scores, right = torch.tensor([[0.5], [-0.5]]), torch.tensor([1, 1])
    assert losses.perceptron(scores, right, "none").tolist() == [0.0, 0.5]
    assert losses.hinge(scores, right, "none").tolist() == [0.5, 1.5]
    mirrored = losses.hinge(-scores, 1 - right, "none")
    assert mirrored.tolist() == [0.5, 1.5]


def test_the_printed_logistic_loss_rewards_being_wrong():
    # Course: W74.
    logit = torch.logit(torch.tensor([[0.9], [0.9]], dtype=torch.float64))
    wanted = torch.tensor([[1.0], [0.0]], dtype=torch.float64)
    printed = wanted * torch.sigmoid(logit).log()
    assert printed[:, 0].tolist() == pytest.approx([-0.105361, 0.0], abs=1e-6)
    found = losses.binary_cross_entropy(logit, wanted, "none")
    assert found.tolist() == pytest.approx([0.105361, 2.302585], abs=1e-6)


def test_training_error_falls_with_the_degree_on_nested_sets():
    # Course: W84.
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, size=30)
    y = np.sin(3 * x) + 0.3 * rng.normal(size=30)
    errors = []
    for degree in (3, 4, 5):
        run = cy.fit(
            cy.Recipe(model=cy.models.polynomial(degree=degree), precision="float64"),
            all_rows(x[:, None], y, "regression"), doctor=False,
        )  # fmt: skip
        errors.append(float(np.square(run.predictions.outputs - y).sum()))
        fitted = np.polyval(np.polyfit(x, y, degree), x)
        assert errors[-1] == pytest.approx(float(np.square(fitted - y).sum()), rel=1e-9)
    assert errors[0] >= errors[1] >= errors[2]


def test_two_scores_of_softmax_are_one_of_logistic_regression():
    data = cy.load("breast_cancer")
    optimizer = cy.optim.irls(l2=1.0)
    # |w|^2 of two equal and opposite halves is half of that of their difference.
    half = cy.optim.irls(l2=2.0)
    split = Split(data, np.arange(len(data)), NONE, NONE, 0, "all rows")
    one = cy.fit(cy.Recipe(model="logistic", optimizer=optimizer, precision="float64"), split)
    two = cy.fit(cy.Recipe(model="softmax", optimizer=half, precision="float64"), split)
    difference = two.model[1].weight[1] - two.model[1].weight[0]
    torch.testing.assert_close(difference, one.model[1].weight[0], atol=1e-7, rtol=1e-6)
    np.testing.assert_allclose(one.predictions.outputs, two.predictions.outputs, atol=1e-8)


def test_a_sigmoid_neuron_with_a_threshold_is_a_linear_classifier():
    model = build_model(part("model", "logistic"), Shapes((3,), 1), 0)
    x = torch.randn(200, 3, generator=torch.Generator().manual_seed(0))
    score = model(x)[:, 0]
    assert ((torch.sigmoid(score) > 0.5) == (score > 0)).all()
    sides = losses.FORMS["binary_cross_entropy"].predictions(score[:, None]).argmax(1)
    assert (sides == (score > 0)).all()


def test_least_squares_as_a_classifier_is_drawn_by_rows_that_are_far_and_right():
    rng = np.random.default_rng(0)
    x = np.r_[rng.normal(-1, 0.4, 50), rng.normal(1, 0.4, 50), np.full(20, 30.0)][:, None]
    y = np.r_[np.zeros(50, int), np.ones(70, int)]
    weights, bias = least_squares(x, y[:, None].astype(float))
    straight = ((x @ weights + bias)[:, 0] > 0.5) == y
    recipe = cy.Recipe(model="logistic", optimizer=cy.optim.irls(l2=0.1))
    curved = cy.fit(recipe, all_rows(x, y, "classification")).predictions.labels == y
    assert straight.mean() < 0.9
    assert curved.mean() > 0.97


def test_no_line_separates_xor_and_a_product_does():
    x = np.tile([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], (5, 1))
    y = np.tile([0, 1, 1, 0], 5)
    split = all_rows(x, y, "classification")
    for model in ("perceptron", "logistic", "linear_svm"):
        run = cy.fit(cy.Recipe(model=model, length="10 epochs"), split, doctor=False)
        assert run.score.value <= 0.75
    recipe = cy.Recipe(model=cy.models.polynomial(degree=2), loss="binary_cross_entropy",
                       optimizer=cy.optim.irls(l2=0.01))  # fmt: skip
    assert cy.fit(recipe, split, doctor=False).score.value == 1.0
    assert cy.fit(cy.Recipe(model="svm"), split, doctor=False).score.value == 1.0


def test_a_line_for_each_category_is_one_model_with_indicators():
    rng = np.random.default_rng(0)
    x, of = rng.normal(size=40), np.repeat(np.arange(4), 10)
    y = np.array([1.0, -2.0, 0.5, 3.0])[of] * x + of + 0.1 * rng.normal(size=40)
    member = np.eye(4)[of]
    weights, bias = least_squares(np.c_[member, member * x[:, None]], y[:, None])
    for category in range(4):
        some = of == category
        slope, start = np.polyfit(x[some], y[some], 1)
        assert weights[4 + category, 0] == pytest.approx(slope, rel=1e-9)
        assert weights[category, 0] + bias[0] == pytest.approx(start, rel=1e-9)


def test_a_growing_penalty_flattens_the_function_to_its_mean():
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, size=20)
    y = np.sin(3 * x) + 2
    powers = np.stack([x**k for k in range(1, 10)], 1)
    sizes, spreads = [], []
    for l2 in (1e-8, 1e-3, 1.0, 1e6):
        weights, bias = least_squares(powers, y[:, None], l2)
        sizes.append(float(np.square(weights).sum()))
        spreads.append(float(np.ptp(powers @ weights + bias)))
    assert sizes == sorted(sizes, reverse=True)
    assert spreads[-1] < 1e-4
    assert float(bias[0]) == pytest.approx(y.mean(), abs=1e-4)  # the intercept is not penalised


def gaussian_rows(spreads: tuple[float, float], rows: int = 600) -> cy.Data:
    rng = np.random.default_rng(3)
    y = np.arange(rows) % 2
    x = rng.normal(size=(rows, 8)) * np.array(spreads)[y][:, None] + 0.6 * y[:, None]
    return cy.load((x, y), task="classification")


def test_a_shared_covariance_is_better_with_few_rows_and_separate_ones_with_many():
    both = {name: cy.Recipe(model=cy.models.gaussian(covariance=name))
            for name in ("shared", "separate")}  # fmt: skip
    found = cy.crossing(both, gaussian_rows((1.0, 1.7)), [24, 480])
    assert found.differences[0].value > 0 > found.differences[1].value
    assert "separate is better with 480" in found.verdict
    alike = cy.crossing(both, gaussian_rows((1.0, 1.0)), [24, 480])
    assert alike.differences[0].clear
    assert alike.differences[0].value > 0
    assert not any("separate is better" in part for part in alike.verdict.split(";"))


def test_a_crossing_of_two_views_of_the_same_rows():
    data = gaussian_rows((1.0, 1.7), 200)
    few = cy.load((data.inputs[:, :2], data.targets), task="classification")
    both = {name: cy.Recipe(model=cy.models.gaussian(covariance=name))
            for name in ("shared", "separate")}  # fmt: skip
    plain = cy.crossing(both, data, [24, 120], seeds=1)
    twice = cy.crossing(both, {"separate": data, "shared": data}, [24, 120], seeds=1)
    assert twice.to_dict()["rows"] == plain.to_dict()["rows"]
    mixed = cy.crossing(both, {"shared": few, "separate": data}, [24, 120], seeds=1)
    alone = cy.learning_curve(both["shared"], few, [24, 120], seeds=1)
    assert [s.value for s in mixed.curves[0].held] == [s.value for s in alone.held]
    drawn = mixed.svg()
    assert ">shared<" in drawn
    assert ">separate<" in drawn
    for wrong, word in (({"shared": data}, "its data"),
                        ({"shared": data, "separate": cy.load("iris")}, "same rows")):  # fmt: skip
        with pytest.raises(cy.ChymistError, match=word):
            cy.crossing(both, wrong, [24, 120])


def test_the_generative_model_gains_from_right_assumptions_and_loses_from_wrong_ones():
    both = {"gaussian": cy.Recipe(model="gaussian"),
            "logistic": cy.Recipe(model="softmax", optimizer=cy.optim.irls(l2=1e-3))}  # fmt: skip
    right = cy.crossing(both, gaussian_rows((1.0, 1.0)), [24, 480])
    assert right.differences[0].value > 0
    rng = np.random.default_rng(0)
    x = rng.exponential(size=(600, 2)) ** 3  # long tails, which a Gaussian does not have
    y = (np.log1p(x) @ [1.0, -1.0] + 0.2 * rng.normal(size=600) > 0).astype(int)
    wrong = cy.crossing(both, cy.load((x, y), task="classification"), [0.1, 1.0])
    assert "logistic is better with 480" in wrong.verdict
    # folds, subsets and metric are those of the learning curves of each alone
    assert wrong.curves[0].sizes == wrong.sizes == (48, 480)
