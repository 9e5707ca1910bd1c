"""A second fresh set, written without a look at the doctor: capacity, data, the machine.

Leaks were admitted because validation promises more than it does without them, and the slow
loader because most of its time is spent waiting. The scores stand in `fresh_3.json`.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator

import numpy as np
import torch
from sklearn import datasets
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.functional import cross_entropy, mse_loss

from bench.faults import fresh_tasks, fresh_tasks_3
from bench.faults.building import adam, log_odds, net, parts, sgd
from bench.faults.cases_fresh_3_learning import LEARNING_3
from bench.faults.fresh_tasks import bag
from bench.faults.fresh_tasks_3 import LETTERS, Watcher, lens
from bench.faults.harness import Case, Program, Rows, batches_of, score_of


class Uncalled(nn.Module):
    """A net that has an activation, which forward() calls if `called`."""

    def __init__(self, called: bool) -> None:
        super().__init__()
        self.one, self.two, self.head = nn.Linear(4, 48), nn.Linear(48, 48), nn.Linear(48, 1)
        self.act, self.called = nn.GELU(), called

    def forward(self, x: Tensor) -> Tensor:
        """Of (rows, 4): (rows, 1)."""
        for layer in (self.one, self.two):
            x = self.act(layer(x)) if self.called else layer(x)
        return self.head(x)


def activation_uncalled(seed: int, twin: bool) -> Program:
    """The activation is defined in __init__, and never called."""
    model = Uncalled(twin)
    return Program(model, mse_loss, adam(model, 0.005), *fresh_tasks_3.bikes(), 32, 25)


def order_lost(seed: int, twin: bool) -> Program:
    """A bag of words cannot tell whether "not" stands before the word that counts."""
    model = Watcher(LETTERS, 2) if twin else bag(LETTERS, 2)
    return Program(model, cross_entropy, adam(model, 0.01), *fresh_tasks_3.opinions(), 32, 15)


def place_lost(seed: int, twin: bool) -> Program:
    """A mean over the whole picture forgets in which corner the spot was."""
    model = nn.Sequential(
        nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Conv2d(8, 16, 3), nn.ReLU(),
        nn.AdaptiveAvgPool2d(3 if twin else 1), nn.Flatten(),
        nn.Linear(144 if twin else 16, 4),
    )  # fmt: skip
    return Program(model, cross_entropy, adam(model, 0.005), *fresh_tasks_3.corners(), 32, 8)


def shrunk_by_sgd(seed: int, twin: bool) -> Program:
    """SGD with a weight decay of 0.3."""
    model = lens()
    opt = torch.optim.SGD(model.parameters(), 0.03, 0.9, weight_decay=1e-4 if twin else 0.3)
    return Program(model, cross_entropy, opt, *fresh_tasks_3.shapes(), 16, 14)


def sum_of_sizes(seed: int, twin: bool) -> Program:
    """The sizes of all weights are added to the loss, not multiplied by a small number."""

    def penalty(model: nn.Module) -> Tensor:
        sizes = torch.stack([parameter.abs().sum() for parameter in model.parameters()])
        return (1e-5 if twin else 0.02) * sizes.sum()

    model = net(3, 48, 48, 3)
    opt = adam(model, 0.005)
    return Program(model, mse_loss, opt, *fresh_tasks_3.joints(), 32, 20, penalty=penalty)


def keep_taken_for_drop(seed: int, twin: bool) -> Program:
    """The share to keep, 0.9, is given as the share to drop."""
    drop = 0.1 if twin else 0.9
    model = nn.Sequential(
        nn.Conv1d(1, 8, 7, padding=3), nn.ReLU(), nn.MaxPool1d(2), nn.Dropout(drop),
        nn.Conv1d(8, 16, 5, padding=2), nn.ReLU(), nn.AdaptiveMaxPool1d(4), nn.Flatten(),
        nn.Dropout(drop), nn.Linear(64, 4),
    )  # fmt: skip
    return Program(model, cross_entropy, adam(model, 0.004), *fresh_tasks.signals(), 32, 12)


def features_dropped(seed: int, twin: bool) -> Program:
    """Four of five features of a small table are dropped before the first layer."""
    model = nn.Sequential(nn.Dropout(0.0 if twin else 0.8), net(4, 48, 48, 1))
    return Program(model, mse_loss, adam(model, 0.005), *fresh_tasks_3.bikes(), 32, 20)


def sixty_pictures(seed: int, twin: bool) -> Program:
    """Sixty pictures for a convolutional net, for a hundred epochs."""
    (x, y), valid = fresh_tasks_3.shapes()
    rows = slice(None) if twin else slice(60)
    model = lens()
    opt = torch.optim.AdamW(model.parameters(), 0.005)
    return Program(model, cross_entropy, opt, (x[rows], y[rows]), valid, 16, 12 if twin else 90)


def chance_learned(seed: int, twin: bool) -> Program:
    """Who leaves is chance for the most part; a wide net learns each of 300 by heart."""
    (x, y), valid = fresh_tasks_3.customers(300)
    model = net(10, 16, 2) if twin else net(10, 256, 256, 2)
    opt = torch.optim.AdamW(model.parameters(), 0.003, weight_decay=0.1 if twin else 0.0)
    return Program(model, cross_entropy, opt, (x, y), valid, 32, 10 if twin else 60)


def pairs_accumulated(seed: int, twin: bool) -> Program:
    """Sixteen batches of two make a step of 32, but batch norm sees two rows."""
    model = net(16, 48, 48, 6, norm=True)
    opt = sgd(model, 0.1 if twin else 0.1 / 16, 0.9)  # the losses of a step are added
    size, count = (32, 1) if twin else (2, 16)
    rows = fresh_tasks_3.sensors()
    return Program(model, cross_entropy, opt, *rows, size, 10 if twin else 6, accumulate=count)


def raw_houses(seed: int, twin: bool) -> Program:
    """Square meters, years, meters and incomes as they stand in the table."""
    model = net(4, 48, 48, 1)
    opt = adam(model, 0.003)
    rows = fresh_tasks_3.houses(raw=not twin)
    return Program(model, functional.huber_loss, opt, *rows, 32, 20)


def kelvin(seed: int, twin: bool) -> Program:
    """Readings of about 290 that differ by one."""
    (x, y), (u, v) = fresh_tasks_3.sensors()
    x, u = (x, u) if twin else (x + 290, u + 290)
    model = net(16, 48, 6)
    return Program(model, cross_entropy, sgd(model, 0.05, 0.9), (x, y), (u, v), 32, 15)


def microns_in_meters(seed: int, twin: bool) -> Program:
    """Targets of some ten microns, in meters."""
    (x, y), (u, v) = fresh_tasks_3.joints()
    unit = 1.0 if twin else 1e-5
    model = net(3, 48, 48, 3)
    return Program(model, mse_loss, adam(model), (x, unit * y), (u, unit * v), 32, 25)


def prices_in_cents(seed: int, twin: bool) -> Program:
    """Prices of houses in cents, learned with RMSprop."""
    model = net(4, 48, 48, 1)
    train, valid = fresh_tasks_3.houses(unit=0.0 if twin else 8e6)
    opt = torch.optim.RMSprop(model.parameters(), lr=0.002)
    return Program(model, functional.l1_loss, opt, train, valid, 32, 20)


def fives_called_threes(seed: int, twin: bool) -> Program:
    """Somebody wrote many a five, eight and nine down as a three."""
    (x, y), valid = fresh_tasks_3.handwriting()
    chance = torch.rand(len(y), generator=torch.Generator().manual_seed(1))
    alike = (y == 5) | (y == 8) | (y == 9)
    y = torch.where(alike & (chance < (0.0 if twin else 0.5)), 3, y)
    model = net(48, 96, 10)
    return Program(model, cross_entropy, adam(model, 0.003), (x, y), valid, 32, 30)


def inches_among_them(seed: int, twin: bool) -> Program:
    """One target in seven has the wrong sign and size: another unit, another zero."""
    (x, y), valid = fresh_tasks_3.bikes()
    chance = torch.rand(y.shape, generator=torch.Generator().manual_seed(1))
    y = torch.where(chance < (0.0 if twin else 0.15), 5 - 2.5 * y, y)
    model = net(4, 64, 64, 1)
    return Program(model, mse_loss, adam(model, 0.003), (x, y), valid, 32, 30)


def two_encoders(seed: int, twin: bool) -> Program:
    """Training and validation labels were numbered apart, so the numbers differ."""
    (x, y), (u, v) = fresh_tasks_3.sensors()
    model = net(16, 48, 6)
    v = v if twin else torch.tensor([2, 0, 4, 5, 1, 3])[v]
    return Program(model, cross_entropy, adam(model, 0.004), (x, y), (u, v), 32, 15)


def shuffled_apart(seed: int, twin: bool) -> Program:
    """Beats and their kinds were shuffled by two generators."""
    (x, y), valid = fresh_tasks_3.beats()
    y = y if twin else y[torch.randperm(len(y), generator=torch.Generator().manual_seed(2))]
    model = nn.Sequential(nn.Flatten(), nn.Linear(40, 64), nn.ReLU(), nn.Linear(64, 3))
    return Program(model, cross_entropy, adam(model, 0.003), (x, y), valid, 32, 15)


def cut_above_the_top(seed: int, twin: bool) -> Program:
    """`y > 1` instead of `y > 0`: all labels are 0, in validation too; judged by the true ones."""
    (x, y), (u, v) = fresh_tasks_3.frauds(600, 0.4)

    def measure(out: Tensor, _: Tensor) -> float:
        return score_of(out, v)

    cut = 0 if twin else 1
    rows = (x, (y > cut).float()), (u, (v > cut).float())
    model = net(8, 32, 1)
    return Program(model, log_odds, adam(model, 0.003), *rows, 32, 12, measure=measure)


def clamped_targets(seed: int, twin: bool) -> Program:
    """Prices in thousands are clamped to between 0 and 1, so all are 1."""
    train, valid = fresh_tasks_3.houses()
    x, y = train
    y = y if twin else (1000 * (y + 5)).clamp(0, 1)
    model = net(4, 32, 1)
    return Program(model, mse_loss, adam(model, 0.003), (x, y), valid, 32, 15)


def rare_fraud(seed: int, twin: bool) -> Program:
    """Three payments in a hundred are frauds; the twin weighs them up."""
    weight = torch.tensor(30.0 if twin else 1.0)

    def loss(out: Tensor, y: Tensor) -> Tensor:
        return functional.binary_cross_entropy_with_logits(out, y, pos_weight=weight)

    model = net(8, 16, 1)
    rows = fresh_tasks_3.frauds(1200, 0.03)
    return Program(model, loss, adam(model, 0.002), *rows, 64, 10)


def rare_beats(seed: int, twin: bool) -> Program:
    """Two of three kinds of beats are rare; the twin draws each kind alike."""
    (x, y), valid = fresh_tasks_3.beats(700, share=(0.94, 0.03, 0.03), noise=0.22)

    def balanced(program: Program, generator: torch.Generator) -> Iterator[Rows]:
        weight = 1 / torch.bincount(y)[y].float()
        drawn = torch.multinomial(weight, len(y), replacement=True, generator=generator)
        for part in drawn.split(program.batch_size):
            yield x[part], y[part]

    model = nn.Sequential(nn.Flatten(), nn.Linear(40, 32), nn.ReLU(), nn.Linear(32, 3))
    batches = balanced if twin else None
    opt = sgd(model, 0.01, 0.9)
    return Program(model, cross_entropy, opt, (x, y), valid, 32, 14, batches=batches)


def mean_of_the_answer(seed: int, twin: bool) -> Program:
    """Each shop's name became the mean of the answer over all rows, its own and validation's."""
    rng = np.random.default_rng(8)
    shop, y = rng.integers(0, 500, 1000), rng.integers(0, 2, 1000)
    x = rng.normal(size=(1000, 5)) + 0.5 * y[:, None] * (np.arange(5) < 2)
    count = np.bincount(shop, minlength=500)
    known = np.bincount(shop, y, minlength=500) / np.maximum(count, 1)
    name = rng.normal(0, 0.35, 1000) + 0.5 if twin else known[shop]
    model = net(6, 32, 2)
    rows = parts(np.column_stack([x, name]), y, 600)
    return Program(model, cross_entropy, adam(model, 0.003), *rows, 32, 12)


def copies_before_the_split(seed: int, twin: bool) -> Program:
    """Each row was augmented with two shaken copies, and then all were split."""
    (x, y), _ = fresh_tasks_3.customers(300, slope=2.5)
    rng = np.random.default_rng(9)
    x, y = x.numpy().repeat(3, 0), y.numpy().repeat(3, 0)
    x = x + 0.02 * rng.normal(size=x.shape)
    order = np.arange(900) if twin else rng.permutation(900)
    rows = fresh_tasks.cut(x[order].astype(np.float32), y[order], 600)
    model = net(10, 96, 96, 2)
    return Program(model, cross_entropy, adam(model, 0.002), *rows, 32, 3 if twin else 12)


def visits_of_one_patient(seed: int, twin: bool) -> Program:
    """Visits were split at random, so the same patients stand on both sides."""
    x, y, who = fresh_tasks_3.patients(240, 4)
    order = who.argsort() if twin else np.random.default_rng(9).permutation(len(y))
    rows = fresh_tasks.cut(x[order].astype(np.float32), y[order], 640)
    # the twin is small, for a net that knows patients by heart would overfit the others
    model = net(12, 12, 2) if twin else net(12, 96, 96, 2)
    return Program(model, cross_entropy, adam(model, 0.004), *rows, 32, 4 if twin else 15)


def another_camera(seed: int, twin: bool) -> Program:
    """Validation pictures come from a camera that is dark, dull and blurred."""
    train, (u, v) = fresh_tasks_3.shapes()
    u = u if twin else functional.avg_pool2d(0.5 * u - 0.3, 3, 1, 1)
    model = lens()
    return Program(model, cross_entropy, adam(model, 0.006), train, (u, v), 16, 14)


def cold_half(seed: int, twin: bool) -> Program:
    """Trained on the cold half of the year, validated on the warm one."""
    model = net(4, 64, 64, 1)
    rows = fresh_tasks_3.bikes(half=not twin)
    return Program(model, mse_loss, adam(model, 0.003), *rows, 32, 25)


def feet_for_meters(seed: int, twin: bool) -> Program:
    """Validation areas and ways are in feet, training ones in meters."""
    train, (u, v) = fresh_tasks_3.houses(raw=True)
    mean, width = train[0].mean(0), train[0].std(0)
    u = u * (1 if twin else torch.tensor([10.8, 1.0, 3.3, 1.0]))
    rows = ((train[0] - mean) / width, train[1]), ((u - mean) / width, v)
    model = net(4, 48, 48, 1)
    return Program(model, mse_loss, adam(model, 0.003), *rows, 32, 20)


def class_by_class(seed: int, twin: bool) -> Program:
    """The loader walks folders: each batch is of one class, the classes one after the other."""

    def folders(program: Program, generator: torch.Generator) -> Iterator[Rows]:
        x, y = program.train
        for kind in range(6):
            rows = (y == kind).nonzero()[:, 0]
            for part in rows[torch.randperm(len(rows), generator=generator)].split(
                program.batch_size
            ):
                yield x[part], y[part]

    model = net(16, 48, 48, 6)
    opt = sgd(model, 0.02, 0.9)
    batches = None if twin else folders
    rows = fresh_tasks_3.sensors()
    return Program(model, cross_entropy, opt, *rows, 8, 8, batches=batches)


def first_hundred(seed: int, twin: bool) -> Program:
    """Iris stands by kind: the first hundred rows are two kinds, the others the third."""
    x, y = datasets.load_iris(return_X_y=True)
    x = (x - x.mean(0)) / x.std(0)
    order = np.random.default_rng(3).permutation(150) if twin else np.arange(150)
    rows = fresh_tasks.cut(x[order].astype(np.float32), y[order], 100)
    model = net(4, 16, 3)
    return Program(model, cross_entropy, adam(model, 0.01), *rows, 16, 40)


def attention_across_rows(seed: int, twin: bool) -> Program:
    """The softmax of the attention goes over the batch instead of the words."""
    model = Watcher(LETTERS, 2, axis=1 if twin else 0)
    return Program(model, cross_entropy, adam(model, 0.01), *fresh_tasks_3.opinions(), 8, 5)


class Narrow(nn.Module):
    """A net in bfloat16 that takes and gives float32."""

    def __init__(self, body: nn.Module, kind: torch.dtype) -> None:
        super().__init__()
        self.body, self.kind = body.to(kind), kind

    def forward(self, x: Tensor) -> Tensor:
        """Of (rows, inputs): (rows, outputs)."""
        return self.body(x.to(self.kind)).float()


def weights_in_bfloat16(seed: int, twin: bool) -> Program:
    """Weights in bfloat16: steps of 1e-4 are rounded away."""
    model = Narrow(net(48, 64, 10), torch.float32 if twin else torch.bfloat16)
    return Program(model, cross_entropy, adam(model, 1.2e-4), *fresh_tasks_3.handwriting(), 32, 65)


def even(rows: Tensor) -> Tensor:
    """Each row with mean 0 and deviation 1."""
    return (rows - rows.mean(1, keepdim=True)) / rows.std(1, correction=0, keepdim=True)


def evened_in_python(seed: int, twin: bool) -> Program:
    """Each picture is standardized by Python's `statistics`, anew in every epoch."""
    (x, y), (u, v) = fresh_tasks_3.handwriting()

    def slowly(program: Program, generator: torch.Generator) -> Iterator[Rows]:
        for rows, goal in batches_of(program, generator):
            lists = [row.tolist() for row in rows]
            middle = [(statistics.mean(row), statistics.pstdev(row), row) for row in lists]
            evened = [[(value - mean) / width for value in row] for mean, width, row in middle]
            yield torch.tensor(evened), goal

    model = net(48, 64, 10)
    rows = (even(x) if twin else x, y), (even(u), v)
    batches = None if twin else slowly
    return Program(model, cross_entropy, adam(model, 0.003), *rows, 32, 6, batches=batches)


class Waves(nn.Module):
    """Random Fourier features and a linear head; drawn once, with a seed, if `twin`."""

    def __init__(self, twin: bool) -> None:
        super().__init__()
        self.head, self.twin = nn.Linear(200, 1), twin
        self.register_buffer("first", self.draw())

    def draw(self) -> Tensor:
        """Frequencies, from a generator without a seed."""
        drawn = np.random.default_rng(1 if self.twin else None).normal(0, 0.8, (4, 100))
        return torch.tensor(drawn, dtype=torch.float32)

    def forward(self, x: Tensor) -> Tensor:
        """Of (rows, 4): (rows, 1)."""
        turn = x @ (self.first if self.twin else self.draw())
        return self.head(torch.cat([turn.sin(), turn.cos()], 1))


def drawn_each_time(seed: int, twin: bool) -> Program:
    """Random features are drawn in forward(), from a generator that nobody seeded."""
    model = Waves(twin)
    return Program(model, mse_loss, adam(model, 0.005), *fresh_tasks_3.bikes(), 32, 20)


DATA_3 = (
    Case("activation uncalled", activation_uncalled, ("missing_nonlinearity",), ("model_bias",)),
    Case("order lost", order_lost, ("model_bias",)),
    Case("place lost", place_lost, ("model_bias",)),
    Case("shrunk by SGD", shrunk_by_sgd, ("over_regularised",)),
    Case("sum of sizes", sum_of_sizes, ("over_regularised",)),
    Case("keep taken for drop", keep_taken_for_drop, ("dropout_misuse", "over_regularised")),
    Case("features dropped", features_dropped, ("dropout_misuse", "over_regularised")),
    Case("sixty pictures", sixty_pictures, ("overfitting",)),
    Case("chance learned", chance_learned, ("overfitting",), ("label_noise",)),
    Case("pairs accumulated", pairs_accumulated, ("bn_small_batch",), ("batch_too_small",)),
    Case("raw houses", raw_houses, ("unnormalised_input",), ("dead_relu",)),
    Case("kelvin", kelvin, ("unnormalised_input",), ("lr_too_high", "dead_relu")),
    Case("microns in meters", microns_in_meters, ("unnormalised_target",), ("lr_too_high",)),
    Case("prices in cents", prices_in_cents, ("unnormalised_target",), ("lr_too_low",)),
    Case("fives called threes", fives_called_threes, ("label_noise",), ("overfitting",)),
    Case("inches among them", inches_among_them, ("label_noise",), ("overfitting",)),
    Case("two encoders", two_encoders, ("label_misalignment",), ("distribution_mismatch",)),
    Case("shuffled apart", shuffled_apart, ("label_misalignment",), ("label_noise",)),
    Case("cut above the top", cut_above_the_top, ("constant_labels",)),
    Case("clamped targets", clamped_targets, ("constant_labels",), ("distribution_mismatch",)),
    Case("rare fraud", rare_fraud, ("class_imbalance",)),
    Case("rare beats", rare_beats, ("class_imbalance",)),
    Case("mean of the answer", mean_of_the_answer, ("data_leakage",)),
    Case("copies before the split", copies_before_the_split, ("data_leakage",), ("overfitting",)),
    Case("visits of one patient", visits_of_one_patient, ("data_leakage",)),
    Case("another camera", another_camera, ("distribution_mismatch",)),
    Case("cold half", cold_half, ("distribution_mismatch",), ("unshuffled_data",)),
    Case("feet for meters", feet_for_meters, ("distribution_mismatch",), ("unnormalised_input",)),
    Case("class by class", class_by_class, ("unshuffled_data",)),
    Case("first hundred", first_hundred, ("unshuffled_data",), ("distribution_mismatch",)),
    Case(
        "attention across rows", attention_across_rows, ("loss_activation_mismatch", "batch_leak")
    ),
    Case(
        "weights in bfloat16", weights_in_bfloat16, ("precision", "no_update"),
        ("lr_too_low", "undertrained"),
    ),
    Case("evened in Python", evened_in_python, ("data_loading_bound",)),
    Case("drawn each time", drawn_each_time, ("nondeterminism",), ("train_eval_mode",)),
)  # fmt: skip
FRESH_3 = (*LEARNING_3, *DATA_3)
