"""Which maps can be believed: against maps that ignore the network, and closed forms."""

from __future__ import annotations

import copy
import json
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.ndimage import uniform_filter
from torch import Tensor, nn
from torch.nn import functional

import chymist as cy
from chymist.errors import InputError, UsageError
from chymist.explanation import likeness as alike
from chymist.explanation.asking import Attributor
from chymist.explanation.attribution import METHODS as OF_INPUTS
from chymist.explanation.attribution import saliency
from chymist.explanation.class_maps import METHODS as OF_CLASSES
from chymist.explanation.class_maps import grad_cam
from chymist.explanation.sanity import (
    LIKE,
    SAME,
    Randomization,
    constant_maps,
    randomization,
    randomized,
    sensitivity,
    weighted_layers,
    why_zero,
)

METHODS = {**OF_INPUTS, **OF_CLASSES}
Trained = tuple[nn.Module, Tensor, Tensor]


def the_input(net: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
    """No explanation: the image itself."""
    return inputs


def edges(net: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
    """No explanation: an edge detector."""
    return inputs - functional.avg_pool2d(inputs, 3, 1, 1)


def flat(net: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
    """No explanation: the same everywhere."""
    return torch.full_like(inputs, 0.3)


def guided(net: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
    """Guided backpropagation, which Adebayo et al. caught: slopes that are negative are cut off."""
    hooks = [
        layer.register_full_backward_hook(lambda layer, given, made: (given[0].clamp(min=0),))
        for layer in net.modules() if isinstance(layer, nn.ReLU)
    ]  # fmt: skip
    points = inputs.clone().requires_grad_()
    chosen = net(points).gather(1, targets[:, None]).sum()
    found = torch.autograd.grad(chosen, points)[0]
    for hook in hooks:
        hook.remove()
    return found


def net_of_digits() -> nn.Module:
    """Convolutions, their mean over places, and one linear layer: every method has a map of it."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(),
        nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 10),
    )  # fmt: skip


@pytest.fixture(scope="module")
def trained() -> Trained:
    """A network of digits with one mean over places, eight rows, and what it says of them."""
    recipe = cy.Recipe(model=net_of_digits, length="15 epochs", optimizer=cy.optim.adam(lr=0.01))
    run = cy.fit(recipe, cy.load("digits"), doctor=False)
    assert run.score.value > 0.9
    rows = run.preparation.inputs(run.data.take(run.split.valid[:8]), np.float32)
    inputs = torch.as_tensor(rows)
    net = run.model.eval()
    with torch.no_grad():
        return net, inputs, net(inputs).argmax(1)


@pytest.mark.parametrize("name", METHODS)
def test_maps_of_all_methods_depend_on_the_weights(name: str, trained: Trained) -> None:
    found = randomization(METHODS[name], *trained)
    assert found.similarity.high < LIKE
    assert found.verdict in ("depends", "depends in part"), found.sentence
    assert not any(constant_maps(METHODS[name](*trained)))


@pytest.mark.parametrize("made", [the_input, edges, guided])
def test_maps_that_ignore_what_was_learned_are_caught(made: Attributor, trained: Trained) -> None:
    found = randomization(made, *trained)
    assert found.similarity.low > LIKE
    assert found.verdict == "does not depend"
    assert "it shows the image, not the network" in found.sentence
    if made is not guided:
        assert found.similarity.value == pytest.approx(1.0)
        assert sensitivity(made, *trained).verdict == "does not change"


def test_a_constant_map_is_called_constant(trained: Trained) -> None:
    assert set(constant_maps(flat(*trained))) == {"its values are all alike: 0.3 to 0.3"}
    found = randomization(flat, *trained, draws=2)
    assert found.verdict == "cannot tell"
    assert "it is constant" in found.sentence
    assert found.to_dict()["similarity"] is None
    assert sensitivity(flat, *trained).verdict == "cannot tell"


@pytest.mark.parametrize(("values", "reason"), [
    ([1.0, 1.02], ""),
    ([1.0, 1.005], "its values are all alike: 1 to 1"),
    ([-5.0, -5.0], "its values are all alike: -5 to -5"),
    ([0.0, -0.0], "it is 0 everywhere"),
    ([0.0, 1e-30], ""),
    ([np.nan, np.nan], "none of it is a number"),
    ([1.0, np.inf], "it has values that are no numbers"),
])  # fmt: skip
def test_reasons_of_constant_maps(values: list[float], reason: str) -> None:
    assert constant_maps(np.array([values])) == (reason,)


def test_why_a_map_of_gradients_is_zero() -> None:
    against = nn.Sequential(nn.Conv2d(1, 1, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4, 1))
    with torch.no_grad():
        against[0].weight.fill_(1.0)
        against[3].weight.fill_(-1.0)  # all that is seen speaks against the only output
    ones, target = torch.ones(1, 1, 4, 4), torch.zeros(1, dtype=torch.int64)
    assert constant_maps(grad_cam(against, ones, target)) == ("it is 0 everywhere",)
    assert "cut off at 0" in why_zero(against, ones, target)[0]
    assert "dead or saturated" in why_zero(against, -ones, target)[0]


def test_a_network_is_left_as_it_was_and_its_copy_is_drawn_anew(trained: Trained) -> None:
    net, inputs, targets = trained
    before = copy.deepcopy(net.state_dict())
    randomization(saliency, net.train(), inputs, targets, draws=1, stages=3)
    assert net.training
    net.eval()
    assert all(torch.equal(values, before[name]) for name, values in net.state_dict().items())
    other = randomized(net, inputs, seed=1)
    own, drawn = dict(net.named_parameters()), dict(other.named_parameters())
    for name, values in own.items():
        if values.ndim > 1:  # the same size, nothing else
            assert not torch.equal(values, drawn[name])
            sizes = [float(one.detach().square().mean()) for one in (drawn[name], values)]
            ratio = sizes[0] / sizes[1]
            assert ratio == pytest.approx(1.0, abs=6 * (2 / values.numel()) ** 0.5)
        else:
            assert torch.equal(values.sort().values, drawn[name].sort().values)
    with torch.no_grad():
        again = randomized(net, inputs, seed=1)(inputs)
        assert torch.equal(other(inputs), again)
        assert float(again.std()) > 0.01


def test_batch_norm_is_measured_on_the_rows_and_survives_a_single_value() -> None:
    net = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.ReLU(), nn.Linear(3, 2))
    rows = torch.arange(24.0).reshape(6, 4)
    other = randomized(net, rows)
    with torch.no_grad():
        into = other[0](rows)
    assert torch.allclose(other[1].running_mean, into.mean(0), atol=1e-5)
    assert torch.allclose(other[1].running_var, into.var(0), atol=1e-4)
    assert other[1].momentum == net[1].momentum
    alone = randomized(net, rows[:1])
    assert torch.equal(alone[1].running_mean, net[1].running_mean)
    assert not alone.training


def test_layers_stand_in_the_order_of_their_use() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.last, self.first = nn.Linear(3, 2), nn.Linear(4, 3)
            self.scale = nn.Parameter(torch.ones(1))

        def forward(self, x: Tensor) -> Tensor:
            return self.scale * self.last(self.first(x).relu())

    net = Net()
    assert weighted_layers(net, torch.zeros(1, 4)) == ["first", "", "last"] or weighted_layers(
        net, torch.zeros(1, 4)) == ["first", "last", ""]  # fmt: skip


def test_a_cascade_begins_at_the_last_layer_and_ends_with_the_whole(trained: Trained) -> None:
    net, inputs, targets = trained
    found = randomization(saliency, net, inputs, targets, draws=2, stages=4)
    whole = randomization(saliency, net, inputs, targets, draws=2)
    assert found.stages[0][0] == weighted_layers(net, inputs)[-1]
    assert found.signed.shape == (2, 4, 8)
    np.testing.assert_array_equal(found.signed[:, -1], whole.signed[:, -1])
    told = json.loads(json.dumps(found.to_dict()))
    assert len(told["stages"]) == 4
    assert told["stages"][-1]["signed"] == pytest.approx(told["similarity"])


def test_a_map_of_the_first_layer_alone_does_not_mind_the_last(trained: Trained) -> None:
    def first(net: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
        with torch.no_grad():
            return next(m for m in net.modules() if isinstance(m, nn.Conv2d))(inputs)[:, 0]

    found = randomization(first, *trained, draws=3, stages=5)
    np.testing.assert_allclose(found.signed[:, :4], 1.0, atol=1e-3)
    assert abs(found.signed[:, 4].mean()) < 0.8


def test_one_output_asks_for_no_other_class() -> None:
    net = nn.Linear(3, 1)
    with pytest.raises(InputError, match="no other class"):
        sensitivity(saliency, net, torch.ones(2, 3), torch.zeros(2, dtype=torch.int64))
    with pytest.raises(UsageError, match="at least one draw"):
        randomization(saliency, net, torch.ones(2, 3), torch.zeros(2, dtype=torch.int64), draws=0)
    with pytest.raises(InputError, match="no weights"):
        randomization(saliency, nn.Flatten(), torch.ones(2, 3), torch.zeros(2, dtype=torch.int64))
    with pytest.raises(UsageError, match="no such layer"):
        randomized(net, torch.ones(2, 3), ["lsat"])


def test_two_mirrored_classes_have_mirrored_slopes_and_the_same_strength() -> None:
    net = nn.Linear(5, 2, bias=False)
    with torch.no_grad():
        net.weight[1] = -net.weight[0]
    rows, targets = torch.rand(3, 5), torch.zeros(3, dtype=torch.int64)
    signed = sensitivity(partial(saliency, absolute=False), net, rows, targets)
    assert signed.similarity == pytest.approx(-1.0)
    strength = sensitivity(saliency, net, rows, targets)
    assert strength.similarity == pytest.approx(1.0)
    assert strength.similarity > SAME
    assert "whichever class" in strength.sentence


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(3, 40), st.integers(1, 6))
def test_rank_correlation_is_scipys(seed: int, n: int, levels: int) -> None:
    random = np.random.default_rng(seed)
    one, two = random.integers(0, levels + 1, (2, n)).astype(float)  # with ties
    found = alike.rank_correlation(one, two)
    if np.ptp(one) == 0 or np.ptp(two) == 0:
        assert np.isnan(found)
    else:
        assert found == pytest.approx(stats.spearmanr(one, two).statistic, abs=1e-12)
        assert alike.rank_correlation(np.exp(one), two) == pytest.approx(found, abs=1e-12)


@pytest.mark.parametrize("size", [(28, 28), (8, 8), (9, 17)])
def test_structural_similarity_by_scipys_filters(size: tuple[int, int]) -> None:
    random = np.random.default_rng(0)
    one = random.random(size)
    two = np.clip(one + 0.3 * random.standard_normal(size), 0, 1)
    found = alike.structural_similarity(one, two)
    cut = (slice(3, size[0] - 3), slice(3, size[1] - 3))
    m1, m2 = uniform_filter(one, 7)[cut], uniform_filter(two, 7)[cut]
    v1, v2 = uniform_filter(one**2, 7)[cut] - m1**2, uniform_filter(two**2, 7)[cut] - m2**2
    both = 49 / 48 * (uniform_filter(one * two, 7)[cut] - m1 * m2)
    top = (2 * m1 * m2 + 1e-4) * (2 * both + 9e-4)
    bottom = (m1**2 + m2**2 + 1e-4) * (49 / 48 * (v1 + v2) + 9e-4)
    assert found == pytest.approx(float((top / bottom).mean()), abs=1e-9)
    assert alike.structural_similarity(one, one) == pytest.approx(1.0)


def test_a_map_that_became_constant_is_not_like_the_one_before() -> None:
    image = np.arange(16.0).reshape(1, 4, 4)
    found = alike.likeness(image, np.zeros((1, 4, 4)))
    assert [float(part[0]) for part in found] == [0.0, 0.0, 0.0]
    assert np.isnan(alike.likeness(np.zeros((1, 4, 4)), image).signed).all()
    with pytest.raises(InputError, match="different shapes"):
        alike.likeness(image, image[:, :2])


def test_no_interval_of_a_correlation_goes_beyond_one() -> None:
    signed = np.array([-1.0, 1.0, -1.0, 1.0, 0.9]).reshape(5, 1, 1)
    found = Randomization((("0",),), signed, signed, signed)
    assert found.similarity[:3] == (pytest.approx(0.18), -1.0, 1.0)
    assert found.verdict == "cannot tell"
