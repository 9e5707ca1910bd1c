"""What stays alike, what is affine, and which columns or rows give the answer away."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

import chymist as cy
from chymist.doctor.flow import flow_of, stays_symmetric
from chymist.doctor.sampling import Sampler, fingerprint, trained_parameters
from chymist.doctor.scoring import reference

WORDS = torch.randint(0, 20, (40, 6), generator=torch.Generator().manual_seed(0))
SIGNAL = torch.randn(40, 7, 3, generator=torch.Generator().manual_seed(0))
KINDS = torch.arange(40) % 3


class Reader(nn.Module):
    """A recurrent layer and a head."""

    def __init__(self, kind: type[nn.RNNBase]) -> None:
        super().__init__()
        self.cell, self.head = kind(3, 5, batch_first=True), nn.Linear(5, 3)

    def forward(self, x: Tensor) -> Tensor:
        """Class scores."""
        out: Tensor = self.head(self.cell(x)[0][:, -1])
        return out


@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM, nn.GRU])
def test_cells_that_start_alike_stay_alike(kind: type[nn.RNNBase]) -> None:
    torch.manual_seed(0)
    model = Reader(kind)
    assert stays_symmetric(model, cross_entropy, SIGNAL, KINDS) == ()
    for parameter in model.cell.parameters():
        nn.init.constant_(parameter, 0.1)
    # units are told apart by a head that is drawn at random
    assert stays_symmetric(model, cross_entropy, SIGNAL, KINDS) == ()
    nn.init.constant_(model.head.weight, 0.1)
    assert stays_symmetric(model, cross_entropy, SIGNAL, KINDS) == ("cell",)


def test_word_vectors_of_zeros_stay_so_before_a_head_of_zeros() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.EmbeddingBag(20, 8), nn.Linear(8, 3))
    nn.init.zeros_(model[0].weight)
    assert stays_symmetric(model, cross_entropy, WORDS, KINDS) == ()
    nn.init.zeros_(model[1].weight)
    assert stays_symmetric(model, cross_entropy, WORDS, KINDS) == ("0",)


@pytest.mark.parametrize(
    ("layers", "affine"),
    [
        ([nn.Linear(4, 8), nn.Linear(8, 2)], True),
        ([nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Linear(8, 2)], True),
        ([nn.Linear(4, 2), nn.Sigmoid()], True),  # a link behind the scores
        ([nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2)], False),
        ([nn.LayerNorm(4), nn.Linear(4, 2)], False),
    ],
)
def test_affine_models_are_known(layers: list[nn.Module], affine: bool) -> None:
    torch.manual_seed(0)
    facts = flow_of(nn.Sequential(*layers), torch.randn(8, 4), 8)
    assert facts["nonlinear"] is not affine
    assert not facts["crossed"]
    assert not facts["draws"]


def test_rows_that_hang_on_rows_before_them_are_seen() -> None:
    class Mixed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.map = nn.Linear(4, 2)

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = self.map(x).cumsum(0)
            return out

    assert flow_of(Mixed(), torch.randn(8, 4), 8)["crossed"]


@pytest.mark.parametrize("form", ["table", "sequence"])
def test_a_place_of_a_sequence_is_no_feature(form: str) -> None:
    rng = np.random.default_rng(0)
    x = torch.from_numpy(rng.normal(size=(300, 6)).astype(np.float32))
    y = (x[:, 0] > 0).long()
    x = x if form == "table" else x.unsqueeze(2)
    model = nn.Sequential(nn.Flatten(), nn.Linear(6, 2))
    w = cy.watch(model, loss_fn=cross_entropy, train=(x[:200], y[:200]), valid=(x[200:], y[200:]))
    w.step(0.5)
    codes = [f.code for f in w.findings]
    assert ("data_leakage" in codes) is (form == "table")


def test_copies_among_copies_are_near() -> None:
    rng = np.random.default_rng(0)
    x = np.repeat(rng.normal(size=(300, 8)), 3, 0)
    x = torch.from_numpy(x + 0.005 * rng.normal(size=x.shape))
    y = torch.from_numpy(np.repeat(rng.integers(0, 2, 300), 3))
    mixed, kept = torch.from_numpy(rng.permutation(900)), torch.arange(900)
    for order, low, high in ((mixed, 0.8, 1.0), (kept, 0.0, 0.01)):
        train, valid = order[:600], order[600:]
        found = reference((x[train], y[train]), (x[valid], y[valid]))
        assert found is not None
        assert low <= found.near <= high


@pytest.mark.parametrize(("losses", "level"), [((1.0, 0.9), "certain"), ((1.0, 9.0), "finding")])
def test_a_loss_that_grew_is_a_symptom(losses: tuple[float, ...], level: str) -> None:
    w = cy.watch(nn.Linear(8, 2))
    for loss in (*losses, math.inf):
        w.step(loss)
    told = w.news()  # at once: it will not become a number again
    assert [(f.code, f.level) for f in told if f.code == "nan_inf_loss"] == [
        ("nan_inf_loss", level)
    ]
    assert w.findings[0].code == "nan_inf_loss"


def test_samples_follow_the_weights() -> None:
    model = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2))
    model[1].weight = nn.Parameter(torch.randn(3, 2).t())  # not contiguous
    sampler = Sampler()
    for _ in range(2):
        values = torch.cat([p.detach().flatten() for _, p in trained_parameters(model)])
        taken = sampler.take(trained_parameters(model))
        assert torch.equal(taken.sort().values, values.sort().values)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter += 1
    model.double()  # other memory
    assert sampler.take(trained_parameters(model)).dtype == torch.float64


@pytest.mark.parametrize("shape", [(3,), (4,), (2, 3), (3, 3), ()])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16])
def test_one_bit_changes_a_fingerprint(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    values = torch.full(shape, 0.5, dtype=dtype)
    other = values.clone()
    other.view(-1)[-1] = torch.nextafter(other.view(-1)[-1].float(), torch.tensor(1.0)) * 1.001
    assert fingerprint(values) != fingerprint(other)
    assert fingerprint(values) == fingerprint(values.clone())
