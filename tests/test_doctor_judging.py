"""What the doctor may judge: losses it knows, neighbours that can be asked, causes before symptoms."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import chymist as cy
from chymist.doctor import Finding
from chymist.doctor.finding import ranked
from chymist.doctor.flow import flow_of, same_weights, unregistered
from chymist.doctor.preflight import DataFacts
from chymist.doctor.reading_loss import hard_labels, read_loss
from chymist.doctor.rules.training import ALARMS, explained
from chymist.doctor.sampling import mixing
from chymist.doctor.scoring import reference, score_of

VALUES = torch.linspace(-2, 3, 24).reshape(24, 1)
CLASSES = torch.arange(24) % 4
SOFT = functional.one_hot(CLASSES, 4).float() * 0.9 + 0.025
SIGNS = 2.0 * (torch.arange(24) % 2).float()[:, None] - 1


@pytest.mark.parametrize(
    ("loss", "targets", "link"),
    [
        (functional.smooth_l1_loss, VALUES, "identity"),
        (functional.huber_loss, VALUES, "identity"),
        (nn.MSELoss(reduction="sum"), VALUES, "identity"),
        (lambda o, y: (o - y).pow(4).mean(), VALUES, "identity"),
        (lambda o, y: (o - y)[~y.isnan()].square().sum(), VALUES, "identity"),
        (functional.poisson_nll_loss, VALUES.exp(), "unknown"),
        (lambda o, y: -functional.cosine_similarity(o.T, y.T).mean(), VALUES, "unknown"),
        (lambda o, y: functional.relu(1 - o * y).mean(), SIGNS, "unknown"),
        (functional.cross_entropy, SOFT, "softmax"),
        (nn.KLDivLoss(reduction="batchmean"), SOFT, "log_softmax"),
        (nn.BCEWithLogitsLoss(pos_weight=torch.tensor(3.0)), (SIGNS + 1) / 2, "sigmoid"),
        (nn.CrossEntropyLoss(reduction="sum", label_smoothing=0.1), CLASSES, "softmax"),
        (functional.multi_margin_loss, CLASSES, "softmax"),
        (lambda o, y: functional.triplet_margin_loss(o[:8], o[8:16], o[16:]), CLASSES, "unknown"),
    ],
)
def test_what_a_loss_takes(loss: Callable[..., Tensor], targets: Tensor, link: str) -> None:
    width = targets.shape[1] if targets.ndim == 2 else 4
    outputs = torch.randn(len(targets), width, generator=torch.Generator().manual_seed(0))
    assert read_loss(loss, outputs, targets).link == link


def test_a_likelihood_that_is_made_small_is_inverted() -> None:
    def likelihood(out: Tensor, y: Tensor) -> Tensor:
        return (y * out.clamp_min(1e-6).log() - out).mean()

    counts = torch.arange(1.0, 25.0)[:, None]
    assert read_loss(likelihood, counts, counts).inverted
    assert not read_loss(lambda o, y: -likelihood(o, y), counts, counts).inverted


def test_a_broadcast_within_a_loss_of_equal_shapes() -> None:
    out = torch.randn(24, 1)
    assert read_loss(lambda o, y: ((o - y[:, 0]) ** 2).mean(), out, VALUES).broadcasts
    assert not read_loss(functional.mse_loss, out, VALUES).broadcasts


def test_outputs_of_an_unknown_loss_have_no_score() -> None:
    assert math.isnan(score_of(torch.randn(24, 8), CLASSES, "unknown"))
    assert score_of(SOFT.log(), SOFT, "log_softmax") == 1.0
    assert hard_labels(SOFT, "softmax").tolist() == CLASSES.tolist()
    assert hard_labels(SOFT, "identity") is SOFT


def test_words_are_counted_and_have_no_distance() -> None:
    draw = torch.Generator().manual_seed(0)
    x = torch.randint(0, 50, (600, 20), generator=draw)
    y = ((x < 10).sum(1) > 3.5).long()  # how often, whatever the order and the number of a word
    found = reference((x[:400], y[:400]), (x[400:], y[400:]))
    assert found is not None
    assert found.linear > 0.9
    assert (found.noisy, found.near) == (0.0, 0.0)


def test_heavy_tails_are_no_copies_but_copies_are() -> None:
    draw = np.random.default_rng(0)
    x = torch.tensor(np.exp(draw.normal(0, 3, (600, 6))), dtype=torch.float32)
    y = (x[:, 0] > 1).long()
    fresh = reference((x[:300], y[:300]), (x[300:], y[300:]))
    copied = reference((x[:300], y[:300]), (x[:300] * 1.00001, y[:300]))
    assert fresh is not None
    assert copied is not None
    assert fresh.near < 0.05 < 0.9 < copied.near


def test_a_weak_signal_is_a_signal() -> None:
    draw = torch.Generator().manual_seed(0)
    x = torch.randn(1200, 4, generator=draw)
    y = x[:, :1] + 3 * torch.randn(1200, 1, generator=draw)
    weak = reference((x[:800], y[:800]), (x[800:], y[800:]))
    none = reference((x[:800], y[:800].flip(0)), (x[800:], y[800:]))
    assert weak is not None
    assert none is not None
    assert (weak.signal, none.signal) == (True, False)


def test_a_model_that_draws_is_no_leak_between_rows() -> None:
    class Sampled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(6, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.fc(functional.dropout(x, 0.5, training=True))

    facts = flow_of(Sampled(), torch.randn(32, 6), 8)
    assert (facts["draws"], facts["crossed"]) == (True, False)
    facts = flow_of(nn.Sequential(nn.Linear(6, 2), nn.Softmax(0)), torch.randn(32, 6), 8)
    assert (facts["draws"], facts["crossed"]) == (False, True)


def test_layers_in_a_plain_list_and_layers_of_the_optimiser() -> None:
    class Listed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers, self.head = [nn.Linear(2, 3)], nn.Linear(3, 1)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.layers[0](x))

    model, x = Listed(), torch.zeros(4, 2)
    assert unregistered(model, x) == ((3,), (3, 2))
    assert unregistered(model, x, {id(p) for p in model.layers[0].parameters()}) == ()
    w = cy.watch(model, torch.optim.SGD(model.parameters(), lr=0.1), functional.mse_loss,
                 train=(torch.randn(40, 2), torch.randn(40, 1)))  # fmt: skip
    for _ in range(12):
        w.step(1.0)
    assert [f.code for f in w.findings if f.level == "certain"] == ["no_update"]


def test_one_number_for_all_weights_but_zero() -> None:
    model = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 3), nn.ReLU(), nn.Linear(3, 1))
    nn.init.constant_(model[0].weight, 0.1)  # type: ignore[arg-type]
    nn.init.zeros_(model[2].weight)  # type: ignore[arg-type]
    assert same_weights(model) == ("0",)


def test_batches_of_rare_classes_are_not_judged() -> None:
    labels = torch.zeros(32, dtype=torch.long)
    assert mixing(labels, DataFacts(classes=2, chance=0.08)) == []
    assert mixing(labels, DataFacts(classes=2, chance=0.69)) == [0.0]


def test_a_cause_goes_before_the_loss_that_it_made_infinite() -> None:
    nan = Finding("nan_inf_loss", "certain", "")
    weak, strong = (Finding("init_scale", "finding", "", weight=w) for w in (2.0, 5.0))
    assert [f.code for f in ranked([nan, weak])] == ["nan_inf_loss", "init_scale"]
    assert [f.code for f in ranked([nan, strong])] == ["init_scale", "nan_inf_loss"]
    bad_rows = Finding("nan_inf_loss", "certain", "", weight=5)
    assert ranked([strong, bad_rows])[0] is bad_rows


def test_three_findings_are_alarms() -> None:
    many = [Finding(f"code {n}", "finding", "", weight=n) for n in range(5)]
    levels = {f.code: f.level for f in explained(many, False)}
    assert [code for code, level in levels.items() if level == "finding"] == [
        "code 2", "code 3", "code 4"]  # fmt: skip
    assert len(levels) == 5
    assert ALARMS == 3


@pytest.mark.parametrize(
    ("source", "recipe", "code", "never"),
    [
        ("digits", cy.Recipe(model=cy.models.mlp(dropout=0.95)), "dropout_misuse", "overfitting"),
        ("wine", cy.Recipe(model="mlp", optimizer=cy.optim.adam(lr=1e-6), length="5 epochs"),
         "lr_too_low", "lr_too_high"),
    ],
)  # fmt: skip
def test_runs_of_fit(source: str, recipe: cy.Recipe, code: str, never: str) -> None:
    run = cy.fit(recipe, cy.split(cy.load(source), seed=0), seed=0)
    found = [f.code for f in run.findings if f.level != "observation"]
    assert found[0] == code
    assert never not in found
