"""Other people's models and loops: watched without error or false alarm, and left bit-identical."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pack_sequence, pad_packed_sequence

from tests.doctor_loops import EPOCHS, TRAIN, VALID, batches, ce, step, unchanged
from tests.doctor_loops import enough_time as enough_time


@pytest.fixture(scope="session")
def keras() -> Any:
    """Keras on torch; the backend is chosen when it is imported."""
    before = os.environ.get("KERAS_BACKEND")
    os.environ["KERAS_BACKEND"] = "torch"
    import keras

    if before is None:
        del os.environ["KERAS_BACKEND"]
    return keras


# ---------------------------------------------------------------- graphs
def ring(n: int = 60, seed: int = 0) -> Any:
    """Two classes of nodes that are linked among themselves."""
    from torch_geometric.data import Data

    made = torch.Generator().manual_seed(seed)
    y = torch.arange(n) % 2
    x = torch.randn(n, 8, generator=made) + y.unsqueeze(1)
    ends = torch.randint(0, n // 2, (2, 3 * n), generator=made) * 2
    edges = ends + torch.randint(0, 2, (1, 3 * n), generator=made)
    return Data(x=x, edge_index=edges, y=y, seen=torch.arange(n) % 3 > 0)


class Nodes(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        from torch_geometric import nn as graphs

        self.first, self.second = graphs.GCNConv(8, 16), graphs.GCNConv(16, 2)

    def forward(self, data: Any) -> Tensor:
        hidden = functional.dropout(self.first(data.x, data.edge_index).relu(), 0.3, self.training)
        return self.second(hidden, data.edge_index)


@pytest.mark.parametrize("handed", ["Data", "tuple", "nothing"])
def test_nodes_of_a_graph_are_classified(handed: str) -> None:
    def loop(watch: Callable[..., Any]) -> Any:
        model, data = Nodes(), ring()
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
        w = watch(model, optimizer, ce)
        inputs = {"Data": data, "tuple": (data.x, data.edge_index), "nothing": None}[handed]
        for _ in range(40):
            model.train()
            out = model(data)
            loss = step(optimizer, ce(out[data.seen], data.y[data.seen]))
            w.step(loss, inputs, data.y, out)
            model.eval()
            with torch.no_grad():
                out = model(data)[~data.seen]
            w.epoch(ce(out, data.y[~data.seen]), out, data.y[~data.seen], loss)
        return [model, optimizer]

    (w,) = unchanged(loop)
    assert w.valid is None
    assert w.record.epochs[-1].valid_loss < 0.2
    assert len(w.record.norms) > 12


def test_batches_of_graphs() -> None:
    from torch_geometric import nn as graphs
    from torch_geometric.loader import DataLoader

    class Whole(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = graphs.GIN(8, 16, 2, norm="batch_norm")
            self.head = nn.Linear(16, 2)

        def forward(self, batch: Any) -> Tensor:
            hidden = self.inner(batch.x, batch.edge_index)
            return self.head(graphs.global_mean_pool(hidden, batch.batch))

    def graph(number: int) -> Any:
        data = ring(10, number)
        data.x, data.y = data.x + number % 2, torch.tensor([number % 2])
        return data

    def loop(watch: Callable[..., Any]) -> Any:
        model = Whole()
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
        w = watch(model, optimizer, ce)
        loader = DataLoader([graph(n) for n in range(40)], batch_size=10, shuffle=True)
        for _ in range(EPOCHS):
            for batch in loader:
                out = model(batch)
                w.step(step(optimizer, ce(out, batch.y)), batch, batch.y, out)
            w.epoch()
        return [model, optimizer]

    (w,) = unchanged(loop)
    assert len(w.record.losses) == 4 * EPOCHS
    assert w.record.waiting


# ---------------------------------------------------------------- Keras on torch
def keras_models(keras: Any, kind: str) -> Any:
    layers = keras.layers
    keras.utils.clear_session()  # else layers are numbered on
    keras.utils.set_random_seed(0)
    if kind == "sequential":
        return keras.Sequential([
            layers.Input((8,)), layers.Dense(16, "relu"), layers.BatchNormalization(),
            layers.Dropout(0.1, seed=0), layers.Dense(2),
        ])  # fmt: skip
    entry = layers.Input((8,))
    hidden = layers.Dense(16, "relu")(entry)
    return keras.Model(entry, layers.Dense(2)(layers.Concatenate()([hidden, entry])))


def keras_state(model: Any) -> list[Any]:
    optimizer = getattr(model, "optimizer", None)
    held = [*model.variables, *([] if optimizer is None else optimizer.variables)]
    return [variable.value.tolist() for variable in held]


@pytest.mark.parametrize("kind", ["sequential", "functional"])
def test_a_keras_model_in_a_loop_of_torch(keras: Any, kind: str) -> None:
    left = []

    def loop(watch: Callable[..., Any]) -> Any:
        model = keras_models(keras, kind)
        optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=1e-2)
        w = watch(model, optimizer, ce, TRAIN, VALID, 32)
        made = torch.Generator().manual_seed(0)
        for _ in range(EPOCHS):
            model.train()
            for x, y in batches(TRAIN, 32, made):
                out = model(x, training=True)
                w.step(step(optimizer, ce(out, y)), x, y, out)
            model.eval()
            with torch.no_grad():
                out = model(VALID[0], training=False)
            w.epoch(ce(out, VALID[1]), out, VALID[1])
        left.append(keras_state(model))
        return [model, optimizer]

    (w,) = unchanged(loop)
    assert left[0] == left[1]
    assert w.record.facts.first is not None
    assert len(w.record.probes) >= 2


def test_keras_fit_with_a_watcher_in_a_callback(keras: Any) -> None:
    left = []

    def loop(watch: Callable[..., Any]) -> Any:
        model = keras_models(keras, "sequential")
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.Adam(1e-2), loss)
        w = watch(model, None, lambda out, y: loss(y, out), TRAIN, VALID, 32)

        class Watching(keras.callbacks.Callback):
            def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
                w.step(logs["loss"])

            def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
                w.epoch(logs["val_loss"], train_loss=logs["loss"])

        x, y = (part.numpy() for part in TRAIN)
        model.fit(x, y, batch_size=32, epochs=EPOCHS, verbose=0, callbacks=[Watching()],
                  validation_data=tuple(part.numpy() for part in VALID))  # fmt: skip
        left.append(keras_state(model))
        return [model]

    (w,) = unchanged(loop)
    assert left[0] == left[1]
    assert len(w.record.epochs) == EPOCHS


# ---------------------------------------------------------------- sequences
class Language(nn.Module):
    """The next token of sequences, by an encoder that is masked, or by a whole transformer."""

    def __init__(self, whole: bool) -> None:
        super().__init__()
        self.inner, self.place = nn.Embedding(7, 16, padding_idx=0), nn.Embedding(6, 16)
        layer = nn.TransformerEncoderLayer(16, 2, 32, 0.1, batch_first=True)
        self.body = (
            nn.Transformer(16, 2, 1, 1, 32, 0.1, batch_first=True)
            if whole
            else nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)
        )
        self.head, self.whole = nn.Linear(16, 7), whole

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.inner(tokens) + self.place(torch.arange(tokens.shape[1]))
        later = nn.Transformer.generate_square_subsequent_mask(tokens.shape[1], dtype=torch.float32)
        pads = torch.zeros(tokens.shape).masked_fill(tokens == 0, -torch.inf)
        if self.whole:
            return self.head(self.body(x, x, later, later, later, pads, pads, pads))
        return self.head(self.body(x, mask=later, src_key_padding_mask=pads))


@pytest.mark.parametrize("whole", [False, True])
def test_a_language_model_with_masks(whole: bool) -> None:
    made = torch.Generator().manual_seed(0)
    start = torch.randint(0, 6, (80, 1), generator=made)
    tokens = (start + torch.arange(7)) % 6 + 1  # each token follows from the one before
    tokens[::4, -2:] = 0
    rows = tokens[:, :-1], tokens[:, 1:]

    def loss_fn(out: Tensor, y: Tensor) -> Tensor:
        return ce(out.transpose(1, 2), y, ignore_index=0)

    def loop(watch: Callable[..., Any]) -> Any:
        model = Language(whole)
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
        w = watch(model, optimizer, loss_fn, rows, rows, 16)
        order = torch.Generator().manual_seed(0)
        for _ in range(8):
            model.train()
            for x, y in batches(rows, 16, order):
                out = model(x)
                w.step(step(optimizer, loss_fn(out, y)), x, y, out)
            model.eval()
            with torch.no_grad():
                out = model(rows[0])
            w.epoch(loss_fn(out, rows[1]), out, rows[1])
        return [model, optimizer]

    (w,) = unchanged(loop)
    assert len(w.record.probes) >= 2
    assert w.record.losses[-1] < 0.5 * w.record.losses[0]


class Packed(nn.Module):
    def __init__(self, kind: type[nn.RNNBase]) -> None:
        super().__init__()
        self.cells, self.head = kind(2, 8, batch_first=True), nn.Linear(8, 2)

    def forward(self, sequences: Any) -> tuple[Tensor, Tensor]:
        out, lengths = pad_packed_sequence(self.cells(sequences)[0], batch_first=True)
        last = out[torch.arange(len(out)), lengths - 1]
        return self.head(last), lengths


@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM, nn.GRU])
def test_packed_sequences_and_outputs_in_tuples(kind: type[nn.RNNBase]) -> None:
    def loop(watch: Callable[..., Any]) -> Any:
        model = Packed(kind)
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
        w = watch(model, optimizer, lambda out, y: ce(out[0], y))
        made = torch.Generator().manual_seed(0)
        for _ in range(EPOCHS):
            for _ in range(5):
                y = torch.randint(0, 2, (16,), generator=made)
                rows = [torch.randn(2 + n % 5, 2, generator=made) + 2 * c for n, c in enumerate(y)]
                packed = pack_sequence(rows, enforce_sorted=False)
                out = model(packed)
                w.step(step(optimizer, ce(out[0], y)), packed, y, out)
            w.epoch(valid_outputs=out, valid_targets=y)
        return [model, optimizer]

    unchanged(loop)
