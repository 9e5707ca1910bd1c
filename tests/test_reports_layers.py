"""The layer table: counts that add up, shapes of what was called, a model left as it was."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from chymist.errors import InputError
from chymist.reports import LayerRow, layer_table


class Tied(nn.Module):
    """An embedding whose weight is also the last layer's."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(11, 6)
        self.head = nn.Linear(6, 11, bias=False)
        self.head.weight = self.embedding.weight

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(self.embedding(x))
        return out


class Shared(nn.Module):
    """One layer called three times."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.layer(self.layer(self.layer(x).relu()))
        return out


class Direct(nn.Module):
    """Parameters held by a module that has children, and by one that has none."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(4))
        self.inner = nn.Sequential(nn.Linear(4, 3), nn.Sequential(nn.Tanh(), nn.Linear(3, 4)))
        self.unused = nn.Linear(5, 5)
        self.more = nn.ParameterList([nn.Parameter(torch.zeros(7))])

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.inner(x) * self.scale + self.more[0][:4]
        return out


class Counting(nn.Module):
    """Writes into its buffers and draws random numbers even in evaluation mode."""

    calls: Tensor
    total: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros(()))
        self.register_buffer("total", torch.zeros(3))
        self.norm = nn.BatchNorm1d(3)

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        self.total = self.total + 1
        out: Tensor = self.norm(x) + torch.randn(3)
        return out


def lstm() -> nn.Module:
    return nn.LSTM(4, 5, batch_first=True)


def attention() -> nn.Module:
    return nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)


MODELS = {
    "nested": (Direct, (4,)), "shared": (Shared, (4,)), "tied": (Tied, (3,)),
    "buffers": (Counting, (3,)), "lstm": (lstm, (7, 4)), "attention": (attention, (5, 8)),
    "bare": (lambda: nn.Linear(3, 2), (3,)), "empty": (nn.Identity, (3,)),
    "double": (lambda: nn.Linear(3, 2).double(), (3,)),
}  # fmt: skip


@pytest.mark.parametrize("name", MODELS)
def test_counts_add_up_and_the_model_is_left_as_it_was(name: str) -> None:
    make, shape = MODELS[name]
    model = make()
    model.train()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    identities = [id(t) for t in (*model.parameters(), *model.buffers())]
    torch.manual_seed(3)
    rows = layer_table(model, shape)
    after = torch.rand(4)
    torch.manual_seed(3)

    assert sum(row.parameters for row in rows) == sum(p.numel() for p in model.parameters())
    assert len({row.name for row in rows}) == len(rows)
    assert torch.equal(after, torch.rand(4))
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
    assert identities == [id(t) for t in (*model.parameters(), *model.buffers())]
    assert all(m.training and not m._forward_hooks and not m._forward_pre_hooks
               for m in model.modules())  # fmt: skip
    assert all(p.grad is None for p in model.parameters())


def test_shapes_in_the_order_of_the_calls() -> None:
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(64, 10),
    )  # fmt: skip
    rows = layer_table(model, (1, 8, 8))
    assert [row.output_shape for row in rows] == [
        (4, 8, 8), (4, 8, 8), (4, 8, 8), (4, 4, 4), (64,), (10,)
    ]  # fmt: skip
    assert [row.parameters for row in rows] == [40, 8, 0, 0, 0, 650]


def test_modes_of_single_layers_are_restored() -> None:
    model = nn.Sequential(nn.BatchNorm1d(3), nn.Dropout(0.5))
    model[0].eval()
    layer_table(model, (3,))
    assert [m.training for m in model.modules()] == [True, False, True]


def test_a_shared_layer_has_one_row() -> None:
    assert layer_table(Shared(), (4,)) == [LayerRow("layer", "Linear", (4,), 20, 4)]


def test_a_tied_weight_counts_where_it_is_used_first() -> None:
    assert layer_table(Tied(), (3,)) == [
        LayerRow("embedding", "Embedding", (3, 6), 66),
        LayerRow("head", "Linear", (3, 11), 0),
    ]


def test_own_parameters_and_uncalled_layers_have_rows() -> None:
    rows = {row.name: row for row in layer_table(Direct(), (4,))}
    assert rows[""] == LayerRow("", "Direct", (4,), 4)
    assert rows["unused"] == LayerRow("unused", "Linear", (), 30, 5)
    assert rows["more"].parameters == 7
    assert rows["inner.1.1"].output_shape == (4,)


def test_a_model_that_fails_is_an_error_in_one_line() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    with pytest.raises(InputError, match="fails on inputs of this shape") as caught:
        layer_table(model, (5,))
    assert len(str(caught.value)) <= 200
    assert "\n" not in str(caught.value)
    assert all(not m._forward_hooks and m.training for m in model.modules())


def test_integers_of_any_width_are_plain_numbers() -> None:
    row = layer_table(nn.Linear(2, 3), (2,))[0]
    assert isinstance(row.parameters, int)
    assert not isinstance(row.output_shape[0], np.integer)
