"""Output, loss and wiring: faults 1 to 6 of the taxonomy."""

from __future__ import annotations

import torch
from sklearn import datasets
from torch import Tensor, nn
from torch.nn import functional

from bench.faults.building import (
    Linear,
    ReLU,
    Sigmoid,
    Tanh,
    adam,
    diabetes,
    digits,
    filled,
    log_odds,
    moons,
    net,
    one_hot_error,
    parts,
    picked,
    rings,
    sgd,
    shares,
    tumors,
    waves,
    wine,
)
from bench.faults.harness import Case, Program

entropy, squared = functional.cross_entropy, functional.mse_loss
HEAD = "loss_activation_mismatch"


def tanh_head(seed: int, twin: bool) -> Program:
    """Targets of deviation 3 behind tanh."""
    (x, y), (v, w) = waves()
    model = net(6, 64, 1, end=None if twin else Tanh())
    return Program(model, squared, adam(model), (x, 3 * y), (v, 3 * w), 32, 60)


def sigmoid_regression(seed: int, twin: bool) -> Program:
    """Values of either sign behind a sigmoid."""
    model = net(10, 32, 1, end=None if twin else Sigmoid())
    return Program(model, squared, adam(model, 1e-3), *diabetes(), 32, 30)


def relu_regression(seed: int, twin: bool) -> Program:
    """Values of either sign behind a ReLU."""
    model = net(6, 64, 1, end=None if twin else ReLU())
    return Program(model, squared, adam(model), *waves(), 32, 60)


def rows_softmax(seed: int, twin: bool) -> Program:
    """Softmax over the rows of a batch instead of the classes."""
    model = net(13, 32, 3, end=nn.Softmax(dim=1 if twin else 0))
    return Program(model, picked, adam(model, 1e-2), *wine(), 16, 30)


def lone_softmax(seed: int, twin: bool) -> Program:
    """Softmax over a single unit."""
    model = net(2, 32, 1, end=Sigmoid() if twin else nn.Softmax(dim=1))
    return Program(model, shares, adam(model, 1e-2), *moons(), 32, 30, cut=0.5)


def too_few_units(seed: int, twin: bool) -> Program:
    """Three classes as the numbers 0, 1, 2 behind a sigmoid and a squared error."""
    if twin:
        model = net(13, 32, 3)
        return Program(model, entropy, adam(model, 1e-2), *wine(), 16, 30)
    model = net(13, 32, 1, end=Sigmoid())
    (x, y), (v, w) = wine()
    train, valid = (x, y.float().unsqueeze(1)), (v, w.float().unsqueeze(1))
    return Program(model, squared, adam(model, 1e-2), train, valid, 16, 30)


def exclusive(seed: int, twin: bool) -> Program:
    """Softmax over labels of which a row has several."""
    x, y = datasets.make_multilabel_classification(900, 20, n_classes=5, random_state=3)
    model = net(20, 32, 5, end=Sigmoid() if twin else nn.Softmax(dim=1))
    loss = functional.binary_cross_entropy
    return Program(model, loss, adam(model), *parts(x, y.astype(float), 600), 32, 20, cut=0.5)


def two_and_one(seed: int, twin: bool) -> Program:
    """Labels 1 and 2 in a loss of 0 and 1."""
    (x, y), (v, w) = moons()
    more = 0.0 if twin else 1.0
    model = net(2, 32, 1)
    train, valid = (x, (y + more).unsqueeze(1)), (v, (w + more).unsqueeze(1))
    loss = functional.binary_cross_entropy_with_logits
    return Program(model, loss, adam(model), train, valid, 32, 20)


def hidden_softmax(seed: int, twin: bool) -> Program:
    """Softmax between layers instead of ReLU."""
    act = ReLU() if twin else nn.Softmax(dim=1)
    model = nn.Sequential(Linear(64, 64), act, Linear(64, 64), act, Linear(64, 10))
    return Program(model, entropy, sgd(model, 0.1, 0.9), *digits(), 32, 25)


def no_softmax(seed: int, twin: bool) -> Program:
    """Plain scores in a loss of log-probabilities: it falls without bound."""
    model = net(64, 64, 10, end=nn.LogSoftmax(dim=1) if twin else None)
    return Program(model, functional.nll_loss, adam(model), *digits(), 32, 20)


def no_sigmoid(seed: int, twin: bool) -> Program:
    """Plain scores, clipped by a loss of probabilities."""
    model = net(30, 16, 1, end=Sigmoid() if twin else None)

    def clipped(out: Tensor, y: Tensor) -> Tensor:
        return shares(out.clamp(1e-6, 1 - 1e-6), y)

    return Program(model, clipped, adam(model), *tumors(), 32, 30, cut=0.5)


def twice_softmax(seed: int, twin: bool) -> Program:
    """Softmax in the model and in the loss."""
    model = net(13, 16, 3, end=None if twin else nn.Softmax(dim=1))
    return Program(model, entropy, sgd(model, 0.1), *wine(), 16, 15)


def twice_sigmoid(seed: int, twin: bool) -> Program:
    """Sigmoid in the model and in the loss; all probabilities are above 0.5."""
    model = net(30, 16, 1, end=None if twin else Sigmoid())
    return Program(model, log_odds, adam(model), *tumors(column=True), 32, 20)


def softmax_squared(seed: int, twin: bool) -> Program:
    """Squared error behind a softmax that starts sure of itself."""
    model = net(64, 64, 10, end=None if twin else nn.Softmax(dim=1))
    if not twin:
        filled(model, lambda w: nn.init.normal_(w, std=2.0))
    loss = entropy if twin else one_hot_error
    return Program(model, loss, sgd(model, 0.1), *digits(), 32, 30)


def broadcast(seed: int, twin: bool) -> Program:
    """Outputs (n, 1) against targets (n,)."""
    (x, y), (v, w) = waves()
    if not twin:
        y, w = y.squeeze(1), w.squeeze(1)
    model = net(6, 32, 1)

    def error(out: Tensor, goal: Tensor) -> Tensor:
        return (out - goal).abs().mean()

    return Program(model, error, adam(model, 1e-2), (x, y), (v, w), 32, 30)


def left_out(seed: int, twin: bool) -> Program:
    """The optimiser has the last layer only."""
    model = net(64, 48, 24, 10)
    held = model if twin else model[-1]
    return Program(model, entropy, sgd(held, 0.1, 0.9), *digits(), 32, 20)


def frozen_by_mistake(seed: int, twin: bool) -> Program:
    """All hidden layers are frozen though nothing was learned before."""
    model = net(2, 6, 6, 1)
    for layer in () if twin else (model[0], model[2]):
        layer.requires_grad_(False)
    kept = [p for p in model.parameters() if p.requires_grad]
    return Program(model, log_odds, torch.optim.Adam(kept, lr=1e-2), *moons(), 32, 40)


class Detached(nn.Module):
    """A net whose lower half is cut off from its gradients."""

    def __init__(self, cut: bool) -> None:
        super().__init__()
        self.low, self.high, self.cut = Linear(2, 6), Linear(6, 1), cut

    def forward(self, x: Tensor) -> Tensor:
        """Log-odds (rows, 1)."""
        hidden = torch.relu(self.low(x))
        out: Tensor = self.high(hidden.detach() if self.cut else hidden)
        return out


def detached(seed: int, twin: bool) -> Program:
    """The hidden values are detached."""
    model = Detached(not twin)
    return Program(model, log_odds, adam(model, 1e-2), *rings(), 32, 60)


def other_model(seed: int, twin: bool) -> Program:
    """The optimiser has the weights of another model."""
    model = net(13, 16, 3)
    held = model if twin else net(13, 16, 3)
    return Program(model, entropy, adam(held, 1e-2), *wine(), 16, 20)


def wrong_sign(seed: int, twin: bool) -> Program:
    """The loss is climbed."""
    model = net(13, 16, 3)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, maximize=not twin)
    return Program(model, entropy, optimizer, *wine(), 16, 20)


def never_cleared(seed: int, twin: bool) -> Program:
    """Gradients pile up."""
    model = net(64, 64, 10)
    return Program(model, entropy, sgd(model, 0.3), *digits(), 32, 15, clear=twin)


def trained_in_eval(seed: int, twin: bool) -> Program:
    """Batch norm never sees a batch."""
    model = net(30, 32, 1, norm=True)
    data = tumors(scaled=False)
    return Program(model, log_odds, adam(model), *data, 32, 15, train_mode=twin)


def validated_in_train(seed: int, twin: bool) -> Program:
    """Dropout draws while rows are validated."""
    model = net(64, 96, 10, drop=0.6)
    return Program(model, entropy, adam(model), *digits(), 32, 15, valid_mode=not twin)


WIRING = (
    Case("tanh_head", tanh_head, (HEAD,), ("unnormalised_target",)),
    Case("sigmoid_regression", sigmoid_regression, (HEAD,)),
    Case("relu_regression", relu_regression, (HEAD,), ("dead_relu", "dead_output")),
    Case("rows_softmax", rows_softmax, (HEAD,), ("batch_leak",)),
    Case("lone_softmax", lone_softmax, (HEAD,), ("dead_output",)),
    Case("exclusive", exclusive, (HEAD,)),
    Case("two_and_one", two_and_one, (HEAD,)),
    Case("too_few_units", too_few_units, (HEAD,)),
    Case(
        "hidden_softmax",
        hidden_softmax,
        ("hidden_activation_misuse", HEAD),
        ("vanishing_gradient", "optimisation_failure", "undertrained", "lr_too_low"),
    ),
    Case("no_softmax", no_softmax, ("missing_softmax",), (HEAD,)),
    Case("no_sigmoid", no_sigmoid, ("missing_softmax",), (HEAD,)),
    Case("twice_softmax", twice_softmax, ("double_softmax",), (HEAD,)),
    Case("twice_sigmoid", twice_sigmoid, ("double_softmax",), (HEAD,)),
    Case(
        "softmax_squared",
        softmax_squared,
        ("softmax_mse",),
        (HEAD, "init_scale", "vanishing_gradient"),
    ),
    Case("broadcast", broadcast, ("shape_broadcast_loss",)),
    Case("left_out", left_out, ("no_update",)),
    Case("frozen_by_mistake", frozen_by_mistake, ("no_update",), ("model_bias",)),
    Case("detached", detached, ("no_update",), ("model_bias",)),
    Case("other_model", other_model, ("no_update",)),
    Case("wrong_sign", wrong_sign, ("no_update",), ("lr_too_high", HEAD)),
    Case(
        "never_cleared",
        never_cleared,
        ("missing_zero_grad",),
        ("lr_too_high", "exploding_gradient"),
    ),
    Case("trained_in_eval", trained_in_eval, ("train_eval_mode",), ("unnormalised_input",)),
    Case("validated_in_train", validated_in_train, ("train_eval_mode",), ("dropout_misuse",)),
)
