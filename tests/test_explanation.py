"""Maps of single inputs: equal to Captum's, and what holds of every method."""

from __future__ import annotations

import copy
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

import chymist as cy
from chymist.errors import InputError, UsageError
from chymist.explanation import attribution, class_maps
from chymist.explanation.asking import Attributor
from chymist.explanation.attribution import (
    RULES,
    completeness_gap,
    input_x_gradient,
    integrated_gradients,
    occlusion,
    saliency,
    smooth_grad,
)
from chymist.explanation.class_maps import cam, grad_cam, layers, usual_layer

captum = pytest.importorskip("captum.attr")

METHODS: dict[str, Attributor] = {
    **attribution.METHODS, **class_maps.METHODS, "smooth-grad": partial(smooth_grad, samples=4),
    "integrated-gradients": partial(integrated_gradients, steps=12),
}  # fmt: skip
CAPTUM_RULES = {rule: rule.replace("-", "_") for rule in RULES} | {
    "gauss-legendre": "gausslegendre"
}


class InPlace(nn.Module):
    """A user's own residual network: ReLUs in place, a sum in place, functions beside layers."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(2, 6, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)
        self.second = nn.Conv2d(6, 6, 3, padding=1)
        self.norm = nn.BatchNorm2d(6)
        self.head = nn.Linear(6, 4)

    def forward(self, inputs: Tensor) -> Tensor:
        """Images (batch, 2, h, w) to (batch, 4)."""
        made = self.relu(self.first(inputs))
        beside = self.norm(self.second(made))
        beside += made
        return self.head(functional.relu(beside, inplace=True).mean((2, 3)))


def _net(name: str) -> tuple[nn.Module, tuple[int, ...]]:
    """A module with weights that depend on its name alone, and the shape of a row."""
    image, outputs = (2, 9, 8), 4
    torch.manual_seed(len(name))
    made = {
        "cnn": lambda: cy.models.cnn(channels=(4, 6), hidden=(8,)).build(cy.Shapes(image, outputs)),
        "resnet": lambda: cy.models.resnet20(width=4).build(cy.Shapes(image, outputs)),
        "mlp": lambda: cy.models.mlp(hidden=(12,)).build(cy.Shapes(image, outputs)),
        "table": lambda: cy.models.mlp(hidden=(7, 7)).build(cy.Shapes((5,), outputs)),
        "own": InPlace,
    }[name]()
    for part in made.modules():
        if isinstance(part, nn.BatchNorm2d | nn.BatchNorm1d):
            part.running_mean.normal_()
            part.running_var.uniform_(0.5, 2)
        if isinstance(part, nn.ReLU) and name in ("resnet", "own"):
            part.inplace = True
    return made.eval(), (5,) if name == "table" else image


NETS = ("cnn", "resnet", "mlp", "table", "own")
OF_IMAGES = ("cnn", "resnet", "own")


def _rows(shape: tuple[int, ...], rows: int = 3, dtype: torch.dtype = torch.float32) -> Tensor:
    source = torch.Generator().manual_seed(rows)
    return torch.randn(rows, *shape, generator=source, dtype=torch.float64).to(dtype)


def _targets(rows: int = 3) -> Tensor:
    return torch.arange(rows) % 4


def _near(found: Tensor, wanted: Tensor) -> None:
    torch.testing.assert_close(found, wanted.detach(), rtol=1e-5, atol=1e-5)


def _plain(module: nn.Module) -> nn.Module:
    """The same without layers that work in place."""
    made = copy.deepcopy(module)
    for part in made.modules():
        if isinstance(part, nn.ReLU):
            part.inplace = False
    return made


# --- Captum -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("absolute", [True, False])
def test_saliency_is_that_of_captum(name: str, absolute: bool) -> None:
    net, shape = _net(name)
    rows, targets = _rows(shape), _targets()
    wanted = captum.Saliency(net).attribute(rows.requires_grad_(), targets, abs=absolute)
    _near(saliency(net, rows, targets, absolute=absolute), wanted)


@pytest.mark.parametrize("name", NETS)
def test_input_x_gradient_is_that_of_captum(name: str) -> None:
    net, shape = _net(name)
    rows, targets = _rows(shape), _targets()
    wanted = captum.InputXGradient(net).attribute(rows.requires_grad_(), targets)
    _near(input_x_gradient(net, rows, targets), wanted)


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("rule", RULES)
def test_integrated_gradients_are_those_of_captum(name: str, rule: str) -> None:
    net, shape = _net(name)
    rows, targets, steps = _rows(shape), _targets(), 9
    for baseline in (0.0, _rows(shape, 4)[:1]):
        theirs = captum.IntegratedGradients(net).attribute(
            rows, baseline, targets, n_steps=steps, method=CAPTUM_RULES[rule]
        )
        # Captum's trapezoids have the width 1 / n, but lie 1 / (n - 1) apart.
        wanted = theirs * (steps / (steps - 1) if rule == "riemann-trapezoid" else 1)
        found = integrated_gradients(net, rows, targets, baseline=baseline, steps=steps, rule=rule)
        _near(found, wanted.to(found))


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("absolute", [True, False])
def test_smooth_grad_is_captums_noise_tunnel(name: str, absolute: bool) -> None:
    net, shape = _net(name)
    rows, targets, samples, size = _rows(shape), _targets(), 6, 0.3
    tunnel = captum.NoiseTunnel(captum.Saliency(net))
    torch.manual_seed(3)
    wanted = tunnel.attribute(
        rows.requires_grad_(), nt_samples=samples, stdevs=size, target=targets, abs=absolute
    )
    torch.manual_seed(3)  # what it drew: all copies of the first row, then those of the second
    drawn = torch.normal(torch.zeros(3 * samples, *shape), torch.full((1,), size))
    noise = drawn.reshape(3, samples, *shape).transpose(0, 1)
    _near(smooth_grad(net, rows, targets, noise=noise, absolute=absolute), wanted)


@pytest.mark.parametrize(
    ("name", "window", "stride"),
    [
        ("cnn", (2, 3, 3), (1, 2, 2)),
        ("resnet", (1, 4, 3), (1, 3, 2)),
        ("own", (2, 9, 8), (2, 1, 1)),
        ("mlp", (2, 2, 5), (2, 2, 5)),
        ("table", (1,), (1,)),
        ("table", (2,), (1,)),
    ],
)
def test_occlusion_is_that_of_captum(
    name: str, window: tuple[int, ...], stride: tuple[int, ...]
) -> None:
    net, shape = _net(name)
    rows, targets = _rows(shape), _targets()
    wanted = captum.Occlusion(net).attribute(rows, window, stride, 0.5, targets)
    found = occlusion(net, rows, targets, window=window, stride=stride, baseline=0.5)
    _near(found, wanted)


@pytest.mark.parametrize("name", OF_IMAGES)
@pytest.mark.parametrize("rectified", [True, False])
def test_grad_cam_is_that_of_captum(name: str, rectified: bool) -> None:
    net, shape = _net(name)
    rows, targets = _rows(shape), _targets()
    plain = _plain(net)  # Captum's hooks see what comes after a layer in place
    parts = dict(plain.named_modules())
    for layer in layers(net, rows):
        if isinstance(parts[layer], nn.Identity) or (name, layer) == ("own", "norm"):
            continue  # Captum gives them the gradient of what goes past, or comes after, in place
        theirs = captum.LayerGradCam(plain, parts[layer]).attribute(
            rows, targets, relu_attributions=rectified
        )
        wanted = captum.LayerAttribution.interpolate(theirs, shape[1:], "bilinear")[:, 0]
        _near(grad_cam(net, rows, targets, layer=layer, rectified=rectified), wanted)


def test_grad_cam_of_a_layer_that_is_changed_in_place_afterwards() -> None:
    net, shape = _net("own")
    rows, targets = _rows(shape), _targets()
    made = functional.relu(net.first(rows))
    maps = net.norm(net.second(made)).detach().requires_grad_()
    answer = net.head(functional.relu(maps + made).mean((2, 3)))
    (slope,) = torch.autograd.grad(answer.gather(1, targets[:, None]).sum(), maps)
    wanted = (slope.mean((2, 3), keepdim=True) * maps).sum(1)
    found = grad_cam(net, rows, targets, layer="norm", rectified=False)
    _near(found, wanted)


# --- CAM --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["resnet", "own"])
def test_cam_is_its_formula_and_grad_cam_times_the_number_of_places(name: str) -> None:
    net, shape = _net(name)
    rows, targets = _rows(shape), _targets()
    found = cam(net, rows, targets)
    head = [part for part in net.modules() if isinstance(part, nn.Linear)][-1]
    if name == "own":
        made = functional.relu(net.first(rows))
        maps = functional.relu(net.norm(net.second(made)) + made)
    else:
        layer = list(layers(net, rows))[-1]
        kept: list[Tensor] = []
        held = dict(net.named_modules())[layer].register_forward_hook(
            lambda part, given, made: kept.append(made)
        )
        net(rows)
        held.remove()
        maps = kept[0]
        places = maps.shape[2] * maps.shape[3]
        _near(found, places * grad_cam(net, rows, targets, layer=layer, rectified=False))
    summed = (head.weight[targets][:, :, None, None] * maps).sum(1, keepdim=True)
    resized = functional.interpolate(summed, shape[1:], mode="bilinear")[:, 0]
    _near(found, resized)
    # Its mean is the answer, but for the bias.
    answer = net(rows).gather(1, targets[:, None])[:, 0] - head.bias[targets]
    _near(summed.mean((1, 2, 3)), answer)


@pytest.mark.parametrize("name", ["cnn", "mlp"])
def test_cam_says_what_it_needs(name: str) -> None:
    net, shape = _net(name)
    with pytest.raises(UsageError) as caught:
        cam(net, _rows(shape), _targets())
    assert "take grad-cam" in caught.value.to_dict()["do"]


# --- every method -----------------------------------------------------------------------------


def _state(module: nn.Module) -> dict[str, object]:
    """All that a map could change."""
    return {
        "training": [part.training for part in module.modules()],
        "grads": [None if p.grad is None else p.grad.clone() for p in module.parameters()],
        "asked": [p.requires_grad for p in module.parameters()],
        "hooks": [
            (len(part._forward_hooks), len(part._forward_pre_hooks), len(part._backward_hooks))
            for part in module.modules()
        ],
        "weights": {name: value.clone() for name, value in module.state_dict().items()},
    }


def _same(one: object, two: object) -> bool:
    if isinstance(one, Tensor) and isinstance(two, Tensor):
        return torch.equal(one, two)
    if isinstance(one, dict) and isinstance(two, dict):
        return list(one) == list(two) and all(_same(one[key], two[key]) for key in one)
    if isinstance(one, list) and isinstance(two, list):
        return len(one) == len(two) and all(map(_same, one, two))
    return one == two


def _nets_of(method: str) -> tuple[str, ...]:
    return {"cam": ("own",), "grad-cam": ("cnn", "own")}.get(method, ("cnn", "table", "own"))


CASES = [(method, name) for method in METHODS for name in _nets_of(method)]


@pytest.mark.parametrize(("method", "name"), CASES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_map_has_the_shape_and_the_digits_of_its_input(
    method: str, name: str, dtype: torch.dtype
) -> None:
    net, shape = _net(name)
    rows = _rows(shape, dtype=dtype)
    found = METHODS[method](net.to(dtype), rows, _targets())
    wanted = (3, *shape[1:]) if method in class_maps.METHODS else (3, *shape)
    assert found.shape == wanted
    assert found.dtype == dtype
    assert not found.requires_grad
    assert bool(found.isfinite().all())
    assert bool(found.any())
    assert torch.equal(found, METHODS[method](net, rows, _targets()))


@pytest.mark.parametrize(("method", "name"), CASES)
def test_a_map_leaves_the_module_as_it_was(method: str, name: str) -> None:
    net, shape = _net(name)
    rows = _rows(shape)
    net(rows).sum().backward()
    net.train()
    next(net.children()).eval()
    next(net.parameters()).requires_grad_(False)
    before, drawn = copy.deepcopy(_state(net)), torch.random.get_rng_state()
    kept = rows.clone()
    METHODS[method](net, rows, _targets())
    assert _same(before, _state(net))
    assert torch.equal(rows, kept)
    assert torch.equal(drawn, torch.random.get_rng_state())


@pytest.mark.parametrize(("method", "name"), CASES)
def test_a_map_needs_neither_gradients_nor_trained_weights_around_it(
    method: str, name: str
) -> None:
    net, shape = _net(name)
    rows, targets = _rows(shape), _targets()
    wanted = METHODS[method](net, rows, targets)
    net.requires_grad_(False)
    with torch.no_grad():
        assert torch.equal(METHODS[method](net, rows, targets), wanted)
    with torch.inference_mode():
        assert torch.equal(METHODS[method](net, rows + 0, targets), wanted)


@pytest.mark.parametrize(("method", "name"), CASES)
def test_a_map_is_that_of_the_layout_and_of_the_module_in_place(method: str, name: str) -> None:
    net, shape = _net(name)
    rows, targets = _rows(shape, dtype=torch.float64), _targets()
    wanted = METHODS[method](net.double(), rows, targets)
    _near(METHODS[method](_plain(net), rows, targets), wanted)
    if len(shape) == 3:
        turned = copy.deepcopy(net).to(memory_format=torch.channels_last)
        last = rows.to(memory_format=torch.channels_last)
        _near(METHODS[method](turned, last, targets), wanted)


@pytest.mark.parametrize(("method", "name"), CASES)
def test_a_map_does_not_depend_on_the_rows_beside_it(
    method: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    net, shape = _net(name)
    rows, targets = _rows(shape, 5, torch.float64), _targets(5)
    wanted = METHODS[method](net.double(), rows, targets)
    alone = [METHODS[method](net, rows[i : i + 1], targets[i : i + 1]) for i in range(5)]
    torch.testing.assert_close(torch.cat(alone), wanted)
    monkeypatch.setattr("chymist.explanation.asking.ROOM", 3 * rows[0].numel())
    torch.testing.assert_close(METHODS[method](net, rows, targets), wanted)


@pytest.mark.parametrize("method", METHODS)
def test_what_is_no_answer_is_refused_in_one_line(method: str) -> None:
    class Wrapped(nn.Module):
        def __init__(self, made: object) -> None:
            super().__init__()
            self.net, self.made = _net("own")[0], made

        def forward(self, inputs: Tensor) -> object:
            return self.made(self.net(inputs))  # type: ignore[operator]

    rows, targets = _rows((2, 9, 8)), _targets()
    for made in (lambda y: {"logits": y}, lambda y: (y, y), lambda y: y[:, :, None]):
        with pytest.raises(InputError, match=r"tensor|\(batch, outputs\)"):
            METHODS[method](Wrapped(made), rows, targets)
    with pytest.raises(UsageError, match="no such output"):
        METHODS[method](_net("own")[0], rows, targets + 4)
    with pytest.raises(InputError, match="whole number"):
        METHODS[method](_net("own")[0], rows, targets.float())


@pytest.mark.parametrize("method", [m for m in METHODS if m not in ("occlusion", "cam")])
def test_a_model_without_gradients_is_refused(method: str) -> None:
    class Closed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = _net("own")[0]

        def forward(self, inputs: Tensor) -> Tensor:
            with torch.no_grad():
                made: Tensor = self.net(inputs)
            return made

    with pytest.raises(InputError, match="no gradient"):
        METHODS[method](Closed(), _rows((2, 9, 8)), _targets())
    assert occlusion(Closed(), _rows((2, 9, 8)), _targets()).any()


def test_one_output_without_an_axis_is_output_0() -> None:
    net = nn.Sequential(nn.Linear(3, 1), nn.Flatten(0))
    found = saliency(net, torch.zeros(4, 3), torch.zeros(4, dtype=torch.int64), absolute=False)
    _near(found, net[0].weight.expand(4, 3))


def test_whole_numbers_are_covered_and_have_no_gradient() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Embedding(7, 3), nn.Flatten(), nn.Linear(12, 2))
    words, targets = torch.tensor([[1, 2, 3, 0], [4, 5, 6, 6]]), torch.tensor([0, 1])
    found = occlusion(net, words, targets)
    covered = words.clone()
    covered[:, 1] = 0
    lost = (net(words) - net(covered)).gather(1, targets[:, None])[:, 0]
    _near(found[:, 1], lost)
    with pytest.raises(InputError, match="real numbers"):
        saliency(net, words, targets)


# --- what must hold ---------------------------------------------------------------------------


@settings(max_examples=20, deadline=None)
@given(
    st.integers(1, 6), st.integers(1, 4), st.integers(0, 1000), st.floats(-2, 2),
)  # fmt: skip
def test_a_linear_model_gives_its_products(
    columns: int, outputs: int, seed: int, baseline: float
) -> None:
    source = torch.Generator().manual_seed(seed)
    layer = nn.Linear(columns, outputs).double()
    layer.weight.data = torch.randn(outputs, columns, generator=source, dtype=torch.float64)
    rows = torch.randn(3, columns, generator=source, dtype=torch.float64)
    targets = torch.randint(0, outputs, (3,), generator=source)
    weights = layer.weight[targets].detach()
    close = partial(torch.testing.assert_close, rtol=1e-9, atol=1e-9)
    close(saliency(layer, rows, targets, absolute=False), weights)
    close(smooth_grad(layer, rows, targets, samples=3, absolute=False), weights)
    close(input_x_gradient(layer, rows, targets), weights * rows)
    wanted = weights * (rows - baseline)
    close(integrated_gradients(layer, rows, targets, baseline=baseline, steps=1), wanted)
    close(occlusion(layer, rows, targets, baseline=baseline), wanted)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.floats(-1, 1))
def test_integrated_gradients_add_up_to_the_answer(seed: int, baseline: float) -> None:
    torch.manual_seed(seed)
    net = nn.Sequential(nn.Linear(4, 9), nn.Tanh(), nn.Linear(9, 3)).double()
    rows, targets = torch.randn(5, 4, dtype=torch.float64), torch.arange(5) % 3
    maps = integrated_gradients(net, rows, targets, baseline=baseline, steps=80)
    gap = completeness_gap(net, rows, targets, maps, baseline=baseline)
    assert float(gap.abs().max()) < 1e-5
    answer = net(rows) - net(torch.full_like(rows, baseline))
    _near(maps.sum(1), answer.gather(1, targets[:, None])[:, 0])
    few = integrated_gradients(net, rows, targets, baseline=baseline, steps=2, rule="riemann-left")
    far = completeness_gap(net, rows, targets, few, baseline=baseline)
    _near(far, few.sum(1) - maps.sum(1))


def test_noise_depends_on_the_seed_and_is_small_for_a_small_level() -> None:
    net, shape = _net("mlp")
    rows, targets = _rows(shape), _targets()
    one, two = (smooth_grad(net, rows, targets, seed=s, samples=4) for s in (0, 1))
    assert not torch.equal(one, two)
    _near(smooth_grad(net, rows, targets, level=0.0, samples=2), saliency(net, rows, targets))


def test_the_usual_layer_is_the_last_convolution_with_places() -> None:
    net, shape = _net("own")
    assert usual_layer(net, _rows(shape)) == "second"
    assert list(layers(net, _rows(shape))) == ["first", "relu", "second", "norm"]
    assert np.prod(layers(net, _rows(shape))["second"]) == 6 * 9 * 8
    pooled = nn.Sequential(nn.AvgPool2d(2), nn.Flatten(), nn.Linear(2 * 4 * 4, 2))
    assert usual_layer(pooled, _rows(shape)) == "0"
    with pytest.raises(UsageError, match="no layer"):
        usual_layer(_net("mlp")[0], _rows(shape))


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (partial(grad_cam, layer="secnd"), "second"),
        (partial(grad_cam, layer="head"), "name a convolution"),
        (partial(smooth_grad, samples=0), "give 1 to 10000"),
        (partial(smooth_grad, level=-1.0), "0.1 to 0.2"),
        (partial(smooth_grad, noise=torch.zeros(2, 3)), "give (samples, 3, 2, 9, 8)"),
        (partial(integrated_gradients, steps=0), "give 1 to 10000"),
        (partial(integrated_gradients, rule="simpson"), "gauss-legendre"),
        (partial(integrated_gradients, baseline=torch.zeros(7)), "(2, 9, 8)"),
        (partial(occlusion, window=10), "up to (2, 9, 8)"),
        (partial(occlusion, window=(1, 2)), "up to (2, 9, 8)"),
        (partial(occlusion, window=2, stride=3), "1 to (2, 2, 2)"),
    ],
)
def test_wrong_options_are_told(call: Attributor, said: str) -> None:
    with pytest.raises((UsageError, InputError)) as caught:
        call(_net("own")[0], _rows((2, 9, 8)), _targets())
    assert said in str(caught.value.to_dict())


def test_class_maps_are_of_images() -> None:
    with pytest.raises(InputError, match="images"):
        grad_cam(_net("table")[0], _rows((5,)), _targets())


def test_numbers_of_calls_are_bounded() -> None:
    layer, inputs, target = nn.Linear(2, 1), torch.zeros(1, 2), torch.tensor([0])
    for huge in (10**9, 0, True, 1.5):
        with pytest.raises(cy.UsageError, match="not a whole number in range, in samples"):
            smooth_grad(layer, inputs, target, samples=huge)  # type: ignore[arg-type]
        with pytest.raises(cy.UsageError, match="not a whole number in range, in steps"):
            integrated_gradients(layer, inputs, target, steps=huge)  # type: ignore[arg-type]
