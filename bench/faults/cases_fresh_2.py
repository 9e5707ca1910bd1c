"""Fresh cases, written without a look at the doctor: capacity, data, the machine.

Leaks were admitted because validation gets better, not worse; "rows mixed", links applied twice,
the slow loader and the unseeded generator because they are provable. "copied rows" and "answer
among features" are shorter since the first score, where their twins were overfitted in truth.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np
import torch
from sklearn import datasets
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, mse_loss

from bench.faults import fresh_tasks as tasks
from bench.faults.building import adam, net, parts, sgd
from bench.faults.cases_fresh import LEARNING
from bench.faults.fresh_tasks import Encoder, Reader, bag, ears, eyes
from bench.faults.harness import Case, Program, Rows, batches_of


def straight_lines(seed: int, twin: bool) -> Program:
    """Three layers, and nothing between them."""
    model = net(2, 48, 48, 3, act=nn.ReLU if twin else nn.Identity)
    return Program(model, cross_entropy, adam(model, 0.01), *tasks.spirals(), 32, 40)


def straight_filters(seed: int, twin: bool) -> Program:
    """Convolutions with only means between them."""
    model = eyes(act=nn.ReLU if twin else nn.Identity)
    return Program(model, cross_entropy, sgd(model, 0.05, 0.9), *tasks.stripes(), 32, 10)


def three_units(seed: int, twin: bool) -> Program:
    """Two hidden units for a Swiss roll."""
    model = net(3, 64, 64, 1) if twin else net(3, 2, 1)
    return Program(model, mse_loss, adam(model, 0.01), *tasks.roll(), 32, 40)


def one_number_code(seed: int, twin: bool) -> Program:
    """An autoencoder that has to say a digit with one number."""
    model = net(45, 64, 24 if twin else 1, 64, 45)
    return Program(model, mse_loss, adam(model), *tasks.pictures(), 32, 30)


def decay_of_one(seed: int, twin: bool) -> Program:
    """Adam with a weight decay of 1."""
    model = bag()
    opt = adam(model, 0.01, weight_decay=0.0 if twin else 1.0)
    return Program(model, cross_entropy, opt, *tasks.documents(), 32, 15)


def dropout_everywhere(seed: int, twin: bool) -> Program:
    """Dropout of 0.9 behind every hidden layer."""
    model = net(4, 32, 32, 32, 3, drop=0.0 if twin else 0.9)
    return Program(model, cross_entropy, adam(model, 0.005), *tasks.shells(), 32, 25)


def dropout_of_the_answer(seed: int, twin: bool) -> Program:
    """Dropout behind the head of a regression."""
    model = net(5, 48, 48, 2, end=nn.Identity() if twin else nn.Dropout(0.6))
    return Program(model, mse_loss, adam(model, 0.005), *tasks.two_goals(), 32, 25)


def few_rows(seed: int, twin: bool) -> Program:
    """Fifty rows for a wide net."""
    (x, y), valid = tasks.hastie()
    rows = slice(None) if twin else slice(50)
    model = net(10, 256, 256, 2)
    return Program(
        model, cross_entropy, adam(model, 2e-3), (x[rows], y[rows]), valid, 16, 8 if twin else 120
    )


def learned_by_heart(seed: int, twin: bool) -> Program:
    """Diabetes has much noise; a wide net learns all of it."""
    x, y = datasets.load_diabetes(return_X_y=True)
    train, valid = parts(x, (y - y.mean()) / y.std(), 300)
    model = net(10, 8, 1) if twin else net(10, 256, 256, 1)
    opt = torch.optim.AdamW(model.parameters(), lr=0.003, weight_decay=0.1 if twin else 0.0)
    return Program(model, mse_loss, opt, train, valid, 32, 15 if twin else 120)


def pairs_in_batch_norm(seed: int, twin: bool) -> Program:
    """Batch norm of two rows."""
    model = net(4, 32, 32, 1, norm=True)
    opt = sgd(model, 0.01, 0.9)
    return Program(model, mse_loss, opt, *tasks.impedance(), 32 if twin else 2, 15 if twin else 4)


def pairs_of_words(seed: int, twin: bool) -> Program:
    """Three rows at a time behind a word table with batch norm."""
    model = nn.Sequential(
        nn.EmbeddingBag(200, 16), nn.BatchNorm1d(16), nn.Linear(16, 32), nn.BatchNorm1d(32),
        nn.ReLU(), nn.Linear(32, 4),
    )  # fmt: skip
    size = 32 if twin else 2
    return Program(model, cross_entropy, adam(model), *tasks.documents(), size, 10 if twin else 4)


def raw_ohms(seed: int, twin: bool) -> Program:
    """Features of 1, 10 and 1000."""
    model = net(4, 48, 48, 1)
    opt = sgd(model, 0.01, 0.9)
    return Program(model, mse_loss, opt, *tasks.impedance(scaled=twin), 32, 20, clip=1.0)


def bytes_of_stripes(seed: int, twin: bool) -> Program:
    """Pictures in bytes, with their mean of 128."""
    (x, y), (u, v) = tasks.stripes()
    x, u = (x, u) if twin else (128 + 40 * x, 128 + 40 * u)
    model = eyes(act=nn.Tanh)
    return Program(model, cross_entropy, sgd(model, 0.05, 0.9), (x, y), (u, v), 32, 10)


def time_stamps(seed: int, twin: bool) -> Program:
    """Seconds since 1970 stand beside features of size one."""
    (x, y), (u, v) = tasks.two_goals()
    stamps = 1.7e9 + torch.randint(0, 10**7, (len(x) + len(u), 1)).float()
    if twin:
        stamps = (stamps - stamps.mean()) / stamps.std()
    x, u = torch.cat([x, stamps[: len(x)]], 1), torch.cat([u, stamps[len(x) :]], 1)
    model = net(6, 48, 2)
    return Program(model, mse_loss, adam(model, 0.01), (x, y), (u, v), 32, 25)


def ohms_to_learn(seed: int, twin: bool) -> Program:
    """Targets in the hundreds, plain descent."""
    model = net(4, 48, 48, 1)
    train, valid = tasks.impedance(unit=0.0 if twin else 1.0)
    return Program(model, mse_loss, sgd(model, 0.01, 0.9), train, valid, 32, 20)


def millions_to_learn(seed: int, twin: bool) -> Program:
    """Targets in millions."""
    model = net(4, 48, 48, 1)
    train, valid = tasks.impedance(unit=0.0 if twin else 3e3)
    return Program(model, mse_loss, adam(model), train, valid, 32, 25)


def wrong(y: Tensor, share: float, classes: int) -> Tensor:
    """Targets of which a share was drawn again."""
    generator = torch.Generator().manual_seed(1)
    drawn = torch.randint(0, classes, y.shape, generator=generator)
    return torch.where(torch.rand(y.shape, generator=generator) < share, drawn, y)


def sloppy_shells(seed: int, twin: bool) -> Program:
    """Every other label was drawn by chance."""
    (x, y), valid = tasks.shells()
    model = net(4, 128, 128, 3)
    y = y if twin else wrong(y, 0.5, 3)
    return Program(model, cross_entropy, adam(model, 0.005), (x, y), valid, 32, 50)


def sloppy_signals(seed: int, twin: bool) -> Program:
    """Half of the labels of signals were drawn by chance."""
    (x, y), valid = tasks.signals()
    model = ears()
    y = y if twin else wrong(y, 0.55, 4)
    return Program(model, cross_entropy, adam(model, 0.005), (x, y), valid, 32, 40)


def sorted_labels(seed: int, twin: bool) -> Program:
    """The labels were sorted, the rows were not."""
    (x, y), valid = tasks.stripes()
    model = eyes()
    y = y if twin else y.sort().values
    return Program(model, cross_entropy, adam(model, 0.005), (x, y), valid, 32, 15)


def shifted_targets(seed: int, twin: bool) -> Program:
    """Every sequence has the target of the next."""
    (x, y), valid = tasks.sums()
    model = Reader(nn.GRU, 2, 24, 1)
    y = y if twin else y.roll(1, 0)
    return Program(model, mse_loss, adam(model, 0.01), (x, y), valid, 32, 15)


def whole_number_labels(seed: int, twin: bool) -> Program:
    """Shares below one are cast to whole numbers: all labels are 0."""
    (x, y), valid = tasks.hastie()
    model = net(10, 48, 2)
    y = y if twin else (y * 0.9).long()
    return Program(model, cross_entropy, adam(model, 0.005), (x, y), valid, 64, 20)


def rare_class(seed: int, twin: bool) -> Program:
    """One row in fifty is of the class that matters."""
    train, valid = tasks.rare()
    model = net(10, 8, 2)
    weight = torch.tensor([1.0, 49.0 if twin else 1.0])

    def loss(out: Tensor, y: Tensor) -> Tensor:
        return cross_entropy(out, y, weight)

    return Program(model, loss, sgd(model, 0.01, 0.9), train, valid, 64, 15)


def copied_rows(seed: int, twin: bool) -> Program:
    """Rows were copied before the split: most of validation stands in training too."""
    (x, y), (u, v) = tasks.hastie(300)
    if not twin:
        u, v = torch.cat([x[:200], u[:100]]), torch.cat([y[:200], v[:100]])
    model = net(10, 96, 96, 2)
    return Program(model, cross_entropy, adam(model, 0.003), (x, y), (u, v), 32, 8)


def answer_among_features(seed: int, twin: bool) -> Program:
    """A feature that was made from the answer, with a little noise."""
    (x, y), (u, v) = tasks.rare(0.3, 600)
    generator = torch.Generator().manual_seed(4)

    def more(x: Tensor, y: Tensor) -> Tensor:
        noise = torch.randn(len(y), 1, generator=generator)
        return torch.cat([x, noise if twin else 3.0 * y[:, None] + 0.3 * noise], 1)

    model = net(11, 48, 2)
    rows = (more(x, y), y), (more(u, v), v)
    return Program(model, cross_entropy, sgd(model, 0.02, 0.9), *rows, 32, 12)


def own_statistics(seed: int, twin: bool) -> Program:
    """Validation rows were never scaled."""
    (x, y), _ = tasks.impedance()
    _, (raw, _) = tasks.impedance(scaled=False)
    scaled, goal = tasks.impedance()[1]
    model = net(4, 48, 1)
    u = scaled if twin else raw
    return Program(model, mse_loss, adam(model, 0.01), (x, y), (u, goal), 32, 20)


def louder_room(seed: int, twin: bool) -> Program:
    """Validation signals were recorded upside down, at thrice the loudness."""
    (x, y), (u, v) = tasks.signals()
    u = u if twin else 1.5 - 3.0 * u
    model = ears()
    return Program(model, cross_entropy, adam(model, 0.005), (x, y), (u, v), 32, 12)


def drift(seed: int, twin: bool) -> Program:
    """Rows in the order of time, and the features drift."""
    rng = np.random.default_rng(7)
    x = rng.normal(size=(1200, 5))
    x[:, 0] += np.linspace(0, 5, 1200)
    y = np.sin(2 * x[:, 0]) + 0.5 * x[:, 1]
    order = rng.permutation(1200) if twin else np.arange(1200)
    model = net(5, 64, 64, 1)
    rows = tasks.cut(x[order], y[order], 800)
    return Program(model, mse_loss, adam(model, 0.005), *rows, 32, 40)


def by_class(seed: int, twin: bool) -> Program:
    """Rows stand by class, and nobody shuffles."""
    (x, y), valid = tasks.spirals()
    order = y.argsort(stable=True)
    model = net(2, 48, 48, 3)
    train = (x[order], y[order])
    return Program(model, cross_entropy, sgd(model, 0.1, 0.9), train, valid, 16, 30, shuffle=twin)


def by_size(seed: int, twin: bool) -> Program:
    """Rows stand by the size of their target, and nobody shuffles."""
    (x, y), valid = tasks.roll()
    order = y[:, 0].argsort()
    model = net(3, 48, 48, 1)
    train = (x[order], y[order])
    return Program(model, mse_loss, sgd(model, 0.05, 0.9), train, valid, 16, 30, shuffle=twin)


def rows_mixed(seed: int, twin: bool) -> Program:
    """Attention along the batch: nobody said batch_first."""
    model = Encoder(4, 4, batch_first=twin)
    return Program(model, cross_entropy, adam(model, 0.005), *tasks.votes(), 16, 8)


def rows_mixed_in_time(seed: int, twin: bool) -> Program:
    """A recurrent net takes the rows of a batch for moments."""
    model = Reader(nn.GRU, 2, 24, 1, batch_first=twin)
    return Program(model, mse_loss, adam(model, 0.01), *tasks.sums(), 32, 15)


def shares_between_layers(seed: int, twin: bool) -> Program:
    """A softmax stands between the layers."""
    act = nn.ReLU if twin else (lambda: nn.Softmax(dim=1))
    model = net(5, 64, 64, 64, 2, act=act)
    return Program(model, mse_loss, sgd(model, 0.05, 0.9), *tasks.two_goals(), 32, 25)


def waiting(program: Program, generator: torch.Generator) -> Iterator[Rows]:
    """Batches that are slow to come."""
    for rows in batches_of(program, generator):
        time.sleep(0.008)
        yield rows


def slow_loader(seed: int, twin: bool) -> Program:
    """Every batch takes 8 ms to load."""
    model = ears()
    batches = None if twin else waiting
    opt = adam(model, 0.005)
    return Program(model, cross_entropy, opt, *tasks.signals(), 32, 15, batches=batches)


class Restless(nn.Module):
    """Noise that no seed governs, in training and in prediction."""

    def __init__(self, twin: bool) -> None:
        super().__init__()
        self.body, self.loud = net(10, 48, 2), 0.0 if twin else 1.0

    def forward(self, x: Tensor) -> Tensor:
        """Scores of two classes."""
        noise = np.random.default_rng().normal(0, 1, x.shape)
        return self.body(x + self.loud * torch.tensor(noise, dtype=torch.float32))


def no_seed(seed: int, twin: bool) -> Program:
    """An unseeded generator inside the model."""
    model = Restless(twin)
    return Program(model, cross_entropy, adam(model, 0.005), *tasks.hastie(), 64, 20)


DATA = (
    Case("straight lines", straight_lines, ("missing_nonlinearity",), ("model_bias",)),
    Case("straight filters", straight_filters, ("missing_nonlinearity",), ("model_bias",)),
    Case("two units", three_units, ("model_bias",), ("dead_relu",)),
    Case("one-number code", one_number_code, ("model_bias",)),
    Case("decay of one", decay_of_one, ("over_regularised",)),
    Case("dropout everywhere", dropout_everywhere, ("dropout_misuse", "over_regularised")),
    Case(
        "dropout of the answer",
        dropout_of_the_answer,
        ("dropout_misuse",),
        ("over_regularised",),
    ),
    Case("few rows", few_rows, ("overfitting",)),
    Case("learned by heart", learned_by_heart, ("overfitting",), ("label_noise",)),
    Case("pairs in batch norm", pairs_in_batch_norm, ("bn_small_batch",), ("batch_too_small",)),
    Case("pairs of words", pairs_of_words, ("bn_small_batch",), ("batch_too_small",)),
    Case("raw ohms", raw_ohms, ("unnormalised_input",)),
    Case("bytes of stripes", bytes_of_stripes, ("unnormalised_input", "saturated_activation")),
    Case("time stamps", time_stamps, ("unnormalised_input",)),
    Case("ohms to learn", ohms_to_learn, ("unnormalised_target",), ("lr_too_high", "nan_inf_loss")),
    Case("millions to learn", millions_to_learn, ("unnormalised_target",), ("lr_too_low",)),
    Case("sloppy shells", sloppy_shells, ("label_noise",), ("overfitting",)),
    Case("sloppy signals", sloppy_signals, ("label_noise",), ("overfitting",)),
    Case("sorted labels", sorted_labels, ("label_misalignment",)),
    Case("shifted targets", shifted_targets, ("label_misalignment",)),
    Case(
        "whole-number labels", whole_number_labels, ("constant_labels",), ("distribution_mismatch",)
    ),
    Case("rare class", rare_class, ("class_imbalance",)),
    Case("copied rows", copied_rows, ("data_leakage",), ("overfitting",)),
    Case("answer among features", answer_among_features, ("data_leakage",)),
    Case("own statistics", own_statistics, ("distribution_mismatch",), ("unnormalised_input",)),
    Case("louder room", louder_room, ("distribution_mismatch",)),
    Case("drift", drift, ("distribution_mismatch",)),
    Case("by class", by_class, ("unshuffled_data",)),
    Case("by size", by_size, ("unshuffled_data",)),
    Case("rows mixed", rows_mixed, ("loss_activation_mismatch", "batch_leak")),
    Case("rows mixed in time", rows_mixed_in_time, ("loss_activation_mismatch", "batch_leak")),
    Case(
        "shares between layers",
        shares_between_layers,
        ("hidden_activation_misuse", "vanishing_gradient"),
        ("optimisation_failure",),
    ),
    Case("slow loader", slow_loader, ("data_loading_bound",)),
    Case("no seed", no_seed, ("nondeterminism",), ("train_eval_mode",)),
)
FRESH = (*LEARNING, *DATA)
