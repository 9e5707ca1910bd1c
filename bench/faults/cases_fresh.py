"""Fresh cases, written without a look at the doctor: heads, losses, wiring, optimization.

They judge how the doctor generalizes; it is never tuned on them. Each was admitted because over
three seeds every faulty run was clearly worse than every twin, or the fault is provable; the
scores stand in `fresh.json`.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.functional import cross_entropy, l1_loss, mse_loss

from bench.faults import fresh_tasks as tasks
from bench.faults.building import adam, filled, net, one_hot_error, picked, sgd, shares
from bench.faults.fresh_tasks import Encoder, Reader, bag, ears, eyes
from bench.faults.harness import Case, Program


def softmax_over_rows(seed: int, twin: bool) -> Program:
    """`dim=0` shares out one unit among the rows of a batch."""
    model = net(4, 24, 3, end=nn.Softmax(dim=1 if twin else 0))
    return Program(model, picked, adam(model, 0.01), *tasks.iris(), 10, 30)


def scores_to_nll(seed: int, twin: bool) -> Program:
    """NLLLoss wants log-probabilities."""
    model = Reader(nn.LSTM, 6, 24, 3, letters=True, end=nn.LogSoftmax(1) if twin else None)
    return Program(model, functional.nll_loss, adam(model, 0.01), *tasks.chains(), 32, 12)


def hand_made_entropy(seed: int, twin: bool) -> Program:
    """-(y log p + (1 - y) log(1 - p)) of scores that no sigmoid has seen."""

    def loss(out: Tensor, y: Tensor) -> Tensor:
        return -(y * torch.log(out + 1e-7) + (1 - y) * torch.log(1 - out + 1e-7)).mean()

    model = net(10, 48, 1, end=nn.Sigmoid() if twin else None)
    opt = torch.optim.RMSprop(model.parameters(), lr=0.003)
    return Program(model, loss, opt, *tasks.hastie(column=True), 64, 25, cut=0.5)


def sigmoid_twice(seed: int, twin: bool) -> Program:
    """Probabilities of five labels go into a loss of log-odds."""
    model = net(20, 48, 5, end=None if twin else nn.Sigmoid())
    loss = functional.binary_cross_entropy_with_logits
    return Program(model, loss, adam(model), *tasks.labels(), 32, 15, cut=0.0 if twin else 0.5)


def softmax_twice_words(seed: int, twin: bool) -> Program:
    """Softmax in the model, and again in the loss."""
    model = bag(end=None if twin else nn.Softmax(-1))
    return Program(model, cross_entropy, sgd(model, 0.5, 0.9), *tasks.documents(), 32, 8)


def rectified_forecast(seed: int, twin: bool) -> Program:
    """A ReLU behind the head forecasts no negative value."""
    model = Reader(nn.GRU, 1, 16, 1, end=None if twin else nn.ReLU())
    return Program(model, mse_loss, adam(model, 0.01), *tasks.waves_next(), 32, 12)


def squeezed_prices(seed: int, twin: bool) -> Program:
    """A sigmoid in front of targets up to fifty."""
    model = net(6, 48, 1, end=None if twin else nn.Sigmoid())
    return Program(model, functional.smooth_l1_loss, adam(model, 0.01), *tasks.prices(), 64, 30)


def one_score_softmax(seed: int, twin: bool) -> Program:
    """A softmax over one unit is 1."""
    model = net(10, 48, 1, end=nn.Sigmoid() if twin else nn.Softmax(dim=1))
    return Program(model, shares, adam(model), *tasks.hastie(column=True), 64, 25, cut=0.5)


def squares_behind_softmax(seed: int, twin: bool) -> Program:
    """Squared error behind a softmax that starts sure of itself."""

    def loss(out: Tensor, y: Tensor) -> Tensor:
        return picked(out, y) if twin else one_hot_error(out, y)

    model = nn.Sequential(*eyes(), nn.Softmax(1))
    model[7].bias.data[0] = 10.0
    return Program(model, loss, sgd(model, 0.01, 0.9), *tasks.stripes(), 32, 10)


def flat_targets(seed: int, twin: bool) -> Program:
    """Outputs (n, 1) against targets (n,): every pair is compared."""
    train, valid = tasks.impedance()
    model = net(4, 48, 1)

    def loss(out: Tensor, y: Tensor) -> Tensor:
        return mse_loss(out, y) if twin else ((out - y[:, 0]) ** 2).mean()

    return Program(model, loss, adam(model, 0.01), train, valid, 32, 20)


def squeezed_outputs(seed: int, twin: bool) -> Program:
    """The net squeezes its last axis, the targets keep theirs."""
    train, valid = tasks.sums()

    def loss(out: Tensor, y: Tensor) -> Tensor:
        return l1_loss(out, y.reshape(out.shape) if twin else y)

    model = nn.Sequential(Reader(nn.GRU, 2, 24, 1), nn.Flatten(0))
    return Program(model, loss, adam(model, 0.01), train, valid, 32, 20)


def new_body_after_optimizer(seed: int, twin: bool) -> Program:
    """The layers that the optimizer holds have left the model."""
    model = ears()
    old = torch.optim.AdamW(model.parameters(), lr=0.005)
    for at in (0, 3, 7):
        layer = model[at]
        model[at] = type(layer)(**layer_sizes(layer))
    opt = torch.optim.AdamW(model.parameters(), lr=0.005) if twin else old
    return Program(model, cross_entropy, opt, *tasks.signals(), 32, 12)


def layer_sizes(layer: nn.Module) -> dict[str, int]:
    """What builds a layer of the same size."""
    if isinstance(layer, nn.Linear):
        return {"in_features": layer.in_features, "out_features": layer.out_features}
    assert isinstance(layer, nn.Conv1d)
    return {
        "in_channels": layer.in_channels,
        "out_channels": layer.out_channels,
        "kernel_size": layer.kernel_size[0],
        "padding": int(layer.padding[0]),
    }


def detached_state(seed: int, twin: bool) -> Program:
    """The recurrent part stands behind a detach."""
    model = Reader(nn.GRU, 2, 24, 1, cut_off=not twin)
    return Program(model, mse_loss, adam(model, 0.01), *tasks.sums(), 32, 20)


class Listed(nn.Module):
    """Hidden layers in a plain list are no part of the module."""

    def __init__(self, twin: bool) -> None:
        super().__init__()
        layers = [nn.Linear(2, 6), nn.Linear(6, 6), nn.Linear(6, 6)]
        self.hidden = nn.ModuleList(layers) if twin else layers
        self.head = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        """Scores of three classes."""
        for layer in self.hidden:
            x = functional.relu(layer(x))
        return self.head(x)


def listed_layers(seed: int, twin: bool) -> Program:
    """Hidden layers in a plain list are trained by nobody."""
    model = Listed(twin)
    return Program(model, cross_entropy, adam(model, 0.01), *tasks.spirals(), 32, 40)


def gradients_pile_up(seed: int, twin: bool) -> Program:
    """Nobody clears the gradients of a forecast."""
    model = Reader(nn.LSTM, 1, 16, 1)
    opt = sgd(model, 0.05, 0.9)
    return Program(model, mse_loss, opt, *tasks.waves_next(), 32, 15, clear=twin)


def gradients_pile_up_adam(seed: int, twin: bool) -> Program:
    """Nobody clears the gradients of a net for three shells."""
    model = net(4, 48, 48, 3)
    return Program(model, cross_entropy, adam(model, 0.01), *tasks.shells(), 64, 25, clear=twin)


def forgotten_minus(seed: int, twin: bool) -> Program:
    """The log-likelihood of counts is made small instead of large."""

    def loss(out: Tensor, y: Tensor) -> Tensor:
        likelihood = (y * out.clamp_min(1e-6).log() - out).mean()
        return -likelihood if twin else likelihood

    model = net(5, 32, 1, end=nn.Softplus())
    return Program(model, loss, adam(model), *tasks.counts(), 32, 20)


def validated_in_train(seed: int, twin: bool) -> Program:
    """Validation, four rows at a time, in train() mode."""
    model = ears(norm=True)
    opt = sgd(model, 0.05, 0.9)
    return Program(
        model, cross_entropy, opt, *tasks.signals(), 32, 10, valid_mode=not twin, valid_batch=2
    )


def trained_in_eval(seed: int, twin: bool) -> Program:
    """eval() of the first validation is never undone: batch norm keeps its first statistics."""
    (x, y), (u, v) = tasks.signals()
    x, u = 100 + 30 * x, 100 + 30 * u
    model = nn.Sequential(nn.BatchNorm1d(1), *ears(norm=True))
    opt = sgd(model, 0.02, 0.9)
    return Program(model, cross_entropy, opt, (x, y), (u, v), 32, 10, train_mode=twin)


class Always(nn.Module):
    """Dropout as a function, which knows of no mode."""

    def __init__(self, twin: bool) -> None:
        super().__init__()
        self.one, self.two, self.head = nn.Linear(5, 64), nn.Linear(64, 64), nn.Linear(64, 2)
        self.twin = twin

    def forward(self, x: Tensor) -> Tensor:
        """Two values."""
        for layer in (self.one, self.two):
            x = functional.dropout(functional.relu(layer(x)), 0.4, self.training or not self.twin)
        return self.head(x)


def dropout_for_ever(seed: int, twin: bool) -> Program:
    """Dropout is on when the model predicts."""
    model = Always(twin)
    return Program(model, mse_loss, adam(model, 0.01), *tasks.two_goals(), 32, 25)


def rate_of_one(seed: int, twin: bool) -> Program:
    """Adam with the rate of plain descent."""
    model = Encoder(4, 4)
    return Program(model, cross_entropy, adam(model, 0.005 if twin else 1.0), *tasks.votes(), 32, 6)


def rmsprop_too_fast(seed: int, twin: bool) -> Program:
    """RMSprop at 0.3 on a recurrent net."""
    model = Reader(nn.GRU, 2, 24, 1)
    opt = torch.optim.RMSprop(model.parameters(), lr=0.003 if twin else 0.3)
    return Program(model, mse_loss, opt, *tasks.sums(), 32, 15)


def momentum_too_fast(seed: int, twin: bool) -> Program:
    """A rate of 1 with a momentum of 0.95."""
    model = eyes()
    opt = sgd(model, 0.05 if twin else 1.0, 0.9 if twin else 0.95)
    return Program(model, cross_entropy, opt, *tasks.stripes(), 16, 8)


def rate_too_low_words(seed: int, twin: bool) -> Program:
    """AdamW at a millionth."""
    model = bag()
    opt = torch.optim.AdamW(model.parameters(), lr=0.01 if twin else 1e-6)
    return Program(model, cross_entropy, opt, *tasks.documents(), 32, 15)


def rate_too_low_descent(seed: int, twin: bool) -> Program:
    """Plain descent at 1e-5."""
    model = net(5, 32, 2)
    opt = sgd(model, 0.05 if twin else 1e-5, 0.9)
    return Program(model, mse_loss, opt, *tasks.two_goals(), 16, 20)


def three_epochs(seed: int, twin: bool) -> Program:
    """Three epochs of plain descent on a Swiss roll."""
    model = net(3, 48, 48, 1)
    opt = torch.optim.Adagrad(model.parameters(), lr=0.01)
    return Program(model, mse_loss, opt, *tasks.roll(), 64, 60 if twin else 3)


def two_epochs_of_pictures(seed: int, twin: bool) -> Program:
    """An autoencoder that is stopped after two epochs."""
    model = net(45, 64, 12, 64, 45)
    return Program(model, mse_loss, adam(model, 1e-3), *tasks.pictures(), 64, 50 if twin else 2)


def log_of_forecast(seed: int, twin: bool) -> Program:
    """The logarithm of a forecast that may be negative."""

    def loss(out: Tensor, y: Tensor) -> Tensor:
        return mse_loss(torch.log(out + 1e-3), torch.log(y + 1e-3))

    model = net(6, 48, 1, end=nn.Softplus() if twin else None)
    return Program(model, loss, adam(model, 0.01), *tasks.prices(), 64, 25)


def missing_values(seed: int, twin: bool) -> Program:
    """Some values were never measured."""
    (x, y), valid = tasks.shells()
    x = x.clone()
    x[torch.rand(x.shape, generator=torch.Generator().manual_seed(1)) < 0.004] = float("nan")
    model = net(4, 48, 3)
    x = x.nan_to_num(0.0) if twin else x
    return Program(model, cross_entropy, sgd(model, 0.1, 0.9), (x, y), valid, 32, 30)


def deep_sigmoids(seed: int, twin: bool) -> Program:
    """Nine layers of sigmoids."""
    model = net(4, *[24] * 9, 3, act=nn.ReLU if twin else nn.Sigmoid)
    return Program(model, cross_entropy, adam(model, 2e-3), *tasks.shells(), 64, 25)


def deep_tanh_small(seed: int, twin: bool) -> Program:
    """Eight layers of tanh whose weights start small."""
    model = net(4, *[24] * 8, 1, act=nn.Tanh)
    filled(model, nn.init.xavier_uniform_ if twin else lambda w: w.normal_(0, 0.05))
    return Program(model, mse_loss, sgd(model, 0.02, 0.9), *tasks.impedance(), 32, 20)


def loud_recurrence(seed: int, twin: bool) -> Program:
    """A rectified recurrent net, long sequences, large weights, no clipping."""
    model = nn.Sequential(Reader(nn.RNN, 2, 24, 1))
    model[0].cell = nn.RNN(2, 24, nonlinearity="relu", batch_first=True)
    with torch.no_grad():
        weight = model[0].cell.weight_hh_l0
        weight.copy_(torch.eye(24) if twin else 1.35 * nn.init.orthogonal_(weight))
    opt = sgd(model, 0.01, 0.9)
    return Program(model, mse_loss, opt, *tasks.sums(length=20), 16, 15, clip=1.0 if twin else None)


def spikes_of_prices(seed: int, twin: bool) -> Program:
    """Heavy tails, cubed error, no clipping."""
    train, valid = tasks.prices()

    def loss(out: Tensor, y: Tensor) -> Tensor:
        return functional.smooth_l1_loss(out, y) if twin else ((out - y) ** 4).mean()

    model = net(6, 48, 48, 1)
    opt = sgd(model, 0.01, 0.9)
    return Program(model, loss, opt, train, valid, 16, 20, clip=1.0 if twin else None)


def drowned_units(seed: int, twin: bool) -> Program:
    """Biases far below zero: no hidden unit ever fires."""
    model = net(5, 64, 64, 2)
    if not twin:
        nn.init.constant_(model[2].bias, -12.0)
    return Program(model, mse_loss, adam(model), *tasks.two_goals(), 32, 20)


def drowned_maps(seed: int, twin: bool) -> Program:
    """Most maps of a convolution are off for all signals."""
    model = ears()
    if not twin:
        nn.init.constant_(model[3].bias, -9.0)
        model[3].bias.data[:1] = 0.0
    return Program(model, cross_entropy, adam(model, 0.003), *tasks.signals(), 32, 10)


def railed_tanh(seed: int, twin: bool) -> Program:
    """Tanh of features up to 1000."""
    model = net(4, 48, 24, 1, act=nn.Tanh)
    opt = torch.optim.RMSprop(model.parameters(), lr=0.003)
    return Program(model, mse_loss, opt, *tasks.impedance(scaled=twin), 32, 25)


def railed_weights(seed: int, twin: bool) -> Program:
    """Wide layers of tanh filled from N(0, 1)."""
    model = net(10, 128, 128, 128, 2, act=nn.Tanh)
    filled(model, nn.init.xavier_normal_ if twin else lambda w: w.normal_(0, 1.5))
    return Program(model, cross_entropy, sgd(model, 0.02, 0.9), *tasks.hastie(), 32, 20)


def all_zero(seed: int, twin: bool) -> Program:
    """All weights start at zero."""
    model = net(2, 32, 32, 3)
    if not twin:
        for parameter in model.parameters():
            nn.init.zeros_(parameter)
    return Program(model, cross_entropy, adam(model, 0.01), *tasks.spirals(), 32, 40)


def all_alike(seed: int, twin: bool) -> Program:
    """All filters start at a tenth."""
    model = eyes()
    if not twin:
        filled(model, lambda w: nn.init.constant_(w, 0.1))
    return Program(model, cross_entropy, sgd(model, 0.05, 0.9), *tasks.stripes(), 32, 8)


def loud_start(seed: int, twin: bool) -> Program:
    """Wide rectified layers filled from N(0, 1)."""
    model = net(2, 128, 128, 128, 3)
    if not twin:
        filled(model, lambda w: w.normal_(0, 1.0))
    return Program(model, cross_entropy, sgd(model, 0.02, 0.9), *tasks.spirals(), 32, 25)


def silent_start(seed: int, twin: bool) -> Program:
    """Five layers filled from N(0, 0.001)."""
    model = net(4, 48, 48, 48, 48, 1)
    filled(model, nn.init.kaiming_normal_ if twin else lambda w: w.normal_(0, 1e-3))
    return Program(model, mse_loss, sgd(model, 0.02, 0.9), *tasks.impedance(), 32, 25)


def thirty_plain_layers(seed: int, twin: bool) -> Program:
    """Thirty rectified layers in a row, and no way around them."""
    model = net(4, *[16] * (3 if twin else 30), 3)
    return Program(model, cross_entropy, adam(model, 3e-3), *tasks.shells(), 32, 20)


LEARNING = (
    Case("softmax over rows", softmax_over_rows, ("loss_activation_mismatch",), ("batch_leak",)),
    Case("scores to nll", scores_to_nll, ("missing_softmax",), ("loss_activation_mismatch",)),
    Case(
        "hand-made entropy",
        hand_made_entropy,
        ("missing_softmax", "loss_activation_mismatch"),
        ("nan_inf_loss",),
    ),
    Case("sigmoid twice", sigmoid_twice, ("double_softmax",), ("loss_activation_mismatch",)),
    Case("softmax twice", softmax_twice_words, ("double_softmax",), ("loss_activation_mismatch",)),
    Case(
        "rectified forecast",
        rectified_forecast,
        ("loss_activation_mismatch",),
        ("dead_output", "dead_relu"),
    ),
    Case(
        "squeezed prices",
        squeezed_prices,
        ("loss_activation_mismatch",),
        ("unnormalised_target", "saturated_activation"),
    ),
    Case("one-score softmax", one_score_softmax, ("loss_activation_mismatch",), ("dead_output",)),
    Case(
        "squares behind softmax",
        squares_behind_softmax,
        ("softmax_mse",),
        ("loss_activation_mismatch", "init_scale", "lr_too_low"),
    ),
    Case("flat targets", flat_targets, ("shape_broadcast_loss",)),
    Case("squeezed outputs", squeezed_outputs, ("shape_broadcast_loss",)),
    Case("new body", new_body_after_optimizer, ("no_update",)),
    Case("detached state", detached_state, ("no_update",)),
    Case("listed layers", listed_layers, ("no_update",)),
    Case("gradients pile up", gradients_pile_up, ("missing_zero_grad",)),
    Case("gradients pile up, Adam", gradients_pile_up_adam, ("missing_zero_grad",)),
    Case(
        "forgotten minus",
        forgotten_minus,
        ("no_update", "loss_activation_mismatch"),
        ("exploding_gradient", "dead_output", "nan_inf_loss"),
    ),
    Case("validated in train", validated_in_train, ("train_eval_mode",)),
    Case("trained in eval", trained_in_eval, ("train_eval_mode",), ("unnormalised_input",)),
    Case("dropout for ever", dropout_for_ever, ("train_eval_mode",), ("dropout_misuse",)),
    Case("rate of one", rate_of_one, ("lr_too_high",)),
    Case("RMSprop too fast", rmsprop_too_fast, ("lr_too_high",)),
    Case("momentum too fast", momentum_too_fast, ("lr_too_high",), ("exploding_gradient",)),
    Case("rate too low, words", rate_too_low_words, ("lr_too_low",), ("undertrained",)),
    Case("rate too low, descent", rate_too_low_descent, ("lr_too_low",), ("undertrained",)),
    Case("three epochs", three_epochs, ("undertrained",), ("lr_too_low",)),
    Case("two epochs of pictures", two_epochs_of_pictures, ("undertrained",), ("lr_too_low",)),
    Case("log of forecast", log_of_forecast, ("nan_inf_loss",), ("loss_activation_mismatch",)),
    Case("missing values", missing_values, ("nan_inf_loss", "bad_input_values")),
    Case(
        "deep sigmoids",
        deep_sigmoids,
        ("vanishing_gradient",),
        ("optimisation_failure", "hidden_activation_misuse"),
    ),
    Case(
        "deep tanh, small",
        deep_tanh_small,
        ("vanishing_gradient", "init_scale"),
        ("optimisation_failure",),
    ),
    Case(
        "loud recurrence",
        loud_recurrence,
        ("exploding_gradient",),
        ("init_scale", "lr_too_high", "nan_inf_loss"),
    ),
    Case(
        "spikes of prices",
        spikes_of_prices,
        ("exploding_gradient",),
        ("lr_too_high", "nan_inf_loss"),
    ),
    Case("drowned units", drowned_units, ("dead_relu",), ("init_scale", "dead_output")),
    Case("drowned maps", drowned_maps, ("dead_relu",), ("init_scale",)),
    Case("railed tanh", railed_tanh, ("saturated_activation", "unnormalised_input")),
    Case("railed weights", railed_weights, ("saturated_activation", "init_scale")),
    Case("all zero", all_zero, ("symmetric_init",), ("init_scale",)),
    Case("all alike", all_alike, ("symmetric_init",)),
    Case("loud start", loud_start, ("init_scale",)),
    Case("silent start", silent_start, ("init_scale",), ("vanishing_gradient",)),
    Case(
        "thirty plain layers",
        thirty_plain_layers,
        ("optimisation_failure",),
        ("vanishing_gradient", "dead_relu", "init_scale"),
    ),
)
FRESH = LEARNING
